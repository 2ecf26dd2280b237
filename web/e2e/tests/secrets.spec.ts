/** Where a PIN and other secrets must never be. */

import type { Page } from '@playwright/test';

import { expect, test } from '../harness/test.ts';

// A PIN of ten digits is found nowhere by chance.
test.use({ setup: { args: ['--pin-digits', '10'], env: { RUST_LOG: 'trace' } } });

/** Everything that came over the page's event streams. */
async function recordEvents(page: Page): Promise<() => string> {
  const cdp = await page.context().newCDPSession(page);
  let received = '';
  cdp.on('Network.eventSourceMessageReceived', ({ eventName, data }) => {
    received += `${eventName} ${data}\n`;
  });
  await cdp.send('Network.enable');
  return () => received;
}

/** Everything that a page keeps, on it and behind it. */
function kept(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const caches = await window.caches.keys();
    const databases = await indexedDB.databases();
    return JSON.stringify([
      document.documentElement.outerHTML,
      [...document.querySelectorAll('input')].map(({ value }) => value),
      { ...localStorage },
      { ...sessionStorage },
      caches,
      databases,
      history.state,
      location.href,
      document.cookie,
      document.title,
    ]);
  });
}

/** A PIN that is left anywhere is typed by whoever finds it, and says how the next one is drawn. */
test('R4: after its window a PIN is nowhere: not on the page, not in the browser, not in any log', async ({
  owner,
  host,
  client,
}) => {
  const events = await recordEvents(owner.page);
  await owner.page.reload();
  await owner.live();
  const pin = await owner.arm();
  expect(pin).toMatch(/^\d{10}$/);
  await client('couch').pair(host.address, pin);
  await expect(owner.heading('couch is paired')).toBeVisible();
  await owner.go('Activity');
  await expect(owner.page.getByText('couch was paired by PIN.')).toBeVisible();
  await owner.go('Pairing');

  expect(await kept(owner.page)).not.toContain(pin);
  expect(events()).toContain('paired');
  expect(events()).not.toContain(pin);
  const audit = (await host.tryCtl('audit', '--limit', '1000')).stdout;
  expect(audit).toContain('paired');
  expect(audit).not.toContain(pin);
  expect(host.said).toContain('TRACE');
  expect(host.said).not.toContain(pin);
});

/** A second window, which nobody used, leaves as little. */
test('R4: a PIN that was cancelled is nowhere either', async ({ owner, host }) => {
  const events = await recordEvents(owner.page);
  await owner.page.reload();
  await owner.live();
  const pin = await owner.arm();
  await owner.button('Cancel').click();
  await expect(owner.heading('You closed the window')).toBeVisible();
  expect(await kept(owner.page)).not.toContain(pin);
  expect(events()).toContain('disarmed');
  expect(events()).not.toContain(pin);
  expect(host.said).not.toContain(pin);
});

/** Logs are sent to strangers for help. */
test('R8: no password, link or cookie is in any log', async ({ visitor, host }) => {
  await visitor.open();
  await visitor.failToSignIn('not the password');
  await visitor.signInByPassword(host.password);
  await visitor.live();
  const link = await host.freshLink();
  const api = await host.api();
  const cookies = await visitor.page.context().cookies();
  const [cookie] = cookies;
  expect(cookie).toMatchObject({
    name: '__Host-punktfunk',
    httpOnly: true,
    secure: true,
    sameSite: 'Strict',
    path: '/',
  });
  const secrets = [
    'not the password',
    host.password,
    new URL(link).hash.slice('#link='.length),
    cookie?.value ?? '',
    api.cookie.split('=')[1] ?? '',
  ];
  const logged = host.said.replace(host.introductionLine, '');
  const audit = (await host.tryCtl('audit', '--limit', '1000')).stdout;
  expect(audit).toContain('console_sign_in');
  for (const secret of secrets) {
    expect(secret.length).toBeGreaterThan(10);
    expect(logged).not.toContain(secret);
    expect(audit).not.toContain(secret);
    expect(await kept(visitor.page)).not.toContain(secret);
  }
});
