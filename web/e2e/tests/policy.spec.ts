/** The content-security policy, as a browser keeps it. Every other test fails, too, when a page breaks it. */

import { ask } from '../harness/api.ts';
import { PAGES } from '../harness/console.ts';
import { expect, test } from '../harness/test.ts';

/** If a name ever became markup, the script in it would still not run. */
test('R8: an injected script does not run, and nothing is loaded from elsewhere', async ({
  owner,
  faults,
}) => {
  const ran = await owner.page.evaluate(async () => {
    const inline = document.createElement('script');
    inline.textContent = 'window.injected = 1';
    document.body.append(inline);
    const handler = document.createElement('div');
    handler.setAttribute('onclick', 'window.injected = 2');
    document.body.append(handler);
    handler.click();
    const away = await fetch('https://127.0.0.2:1/').then(
      () => 'sent',
      () => 'kept',
    );
    return [(window as unknown as { injected?: number }).injected, away];
  });
  expect(ran).toEqual([undefined, 'kept']);
  expect(faults.some((fault) => fault.startsWith('script-src'))).toBe(true);
  expect(faults.some((fault) => fault.startsWith('connect-src'))).toBe(true);
  // These are what was to be seen here, and no fault.
  faults.length = 0;
});

/** A policy that the page itself breaks is one that somebody will loosen. */
test('R8: no page breaks its policy', async ({ owner, host, client, faults }) => {
  await client('couch').pair(host.address, (await host.arm()).pin);
  for (const name of PAGES) {
    await owner.go(name);
  }
  await owner.button('Sign in another device').click();
  await expect(owner.page.getByRole('img', { name: 'QR code of a sign-in link' })).toBeVisible();
  expect(faults).toEqual([]);
});

/** A console in a stranger's frame is clicked without being seen. */
test('R8: the console is not shown in a frame, and its answers are not kept', async ({ host }) => {
  const page = await ask(host.origin);
  const policy = String(page.headers['content-security-policy']);
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).toContain("form-action 'none'");
  expect(policy).toContain("base-uri 'none'");
  expect(policy).not.toContain('unsafe');
  expect(page.headers['x-content-type-options']).toBe('nosniff');
  expect(page.headers['referrer-policy']).toBe('no-referrer');
  const answer = await (await host.api()).ask('devices');
  expect(answer.headers['cache-control']).toBe('no-store');
});

/** A page of a stranger, in the owner's browser, asks in the owner's name. */
test('R8: a page of another origin can neither ask nor act', async ({ owner, host }) => {
  // The same browser as the owner's, at another origin: cookies would go along if they were allowed to.
  const foreign = await owner.page.context().newPage();
  await foreign.goto('data:text/html,<title>stranger</title>');
  const outcome = await foreign.evaluate(async (origin) => {
    const ask = (method: string, path: string) =>
      fetch(`${origin}/api/v1/${path}`, { method, credentials: 'include' }).then(
        ({ status }) => `answered ${status}`,
        () => 'refused',
      );
    return [await ask('GET', 'devices'), await ask('POST', 'pairing/window')];
  }, host.origin);
  expect(outcome).toEqual(['refused', 'refused']);
  expect((await host.ctl<{ window: unknown }>('status')).window).toBeNull();
  const api = await host.api();
  const act = (headers: Record<string, string>) =>
    api.ask('pairing/window', { method: 'POST', body: {}, headers });
  expect((await act({ origin: 'https://evil.example' })).status).toBe(403);
  expect((await act({ 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  expect((await act({ host: 'evil.example' })).status).toBe(421);
  expect((await act({})).status).toBe(200);
});
