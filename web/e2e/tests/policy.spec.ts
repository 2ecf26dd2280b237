/** The content-security policy, as a browser keeps it. Every other test fails, too, when a page breaks it. */

import { ask } from '../harness/api.ts';
import { PAGES } from '../harness/console.ts';
import { expect, test } from '../harness/test.ts';

/** What an attacker would put into the page if a name ever became markup. */
const INJECTED = `
  <script>window.injected = 'script'</script>
  <img src="/nowhere" onerror="window.injected = 'handler'">
  <iframe srcdoc="<script>parent.injected = 'frame'</script>"></iframe>
  <form action="https://127.0.0.2:1/" id="away"></form>`;

/** Everything that would have to go wrong after the first thing went wrong. */
test('R8: markup in the page runs no script, loads nothing, and sends nothing away', async ({
  visitor,
  host,
  faults,
}) => {
  const { page } = visitor;
  await page.route(`${host.origin}/`, async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replace('</body>', `${INJECTED}</body>`);
    expect(body).toContain(INJECTED);
    await route.fulfill({ response, body });
  });
  await visitor.signInByLink();
  const away = await page.evaluate(async () => {
    (document.getElementById('away') as HTMLFormElement).submit();
    return fetch('https://127.0.0.2:1/').then(
      () => 'sent',
      () => 'kept',
    );
  });
  expect(away).toBe('kept');
  for (const broken of ['script-src-elem', 'script-src-attr', 'connect-src', 'form-action']) {
    await expect
      .poll(() => faults.filter((fault) => fault.startsWith(broken)).length)
      .toBeGreaterThan(0);
  }
  expect(await page.evaluate(() => 'injected' in window)).toBe(false);
  // These are what was to be seen here, and no fault.
  faults.length = 0;
});

/** Not even a script of the page itself makes markup of a text: the browser refuses, whatever the framework does. */
test('R8: the page cannot turn a text into markup', async ({ owner, faults }) => {
  const outcome = await owner.page.evaluate(() => {
    try {
      document.body.innerHTML = '<img src=x>';
      return 'made';
    } catch (error) {
      return String(error);
    }
  });
  expect(outcome).toContain('TrustedHTML');
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
