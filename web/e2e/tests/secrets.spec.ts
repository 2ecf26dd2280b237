/** Where a PIN and other secrets must never be. */

import type { Page } from '@playwright/test';

import type { Host } from '../harness/host.ts';
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

/** What is kept in each place, by the place's name. */
type Places = Record<string, string>;

/** Everything that a page keeps, on it and behind it. */
function kept(page: Page): Promise<Places> {
  return page.evaluate(async () => {
    const inputs = [...document.querySelectorAll('input')];
    return {
      'the page': document.documentElement.outerHTML,
      'its title': document.title,
      'its address': location.href,
      'its fields': JSON.stringify(inputs.map(({ value }) => value)),
      'local storage': JSON.stringify({ ...localStorage }),
      'session storage': JSON.stringify({ ...sessionStorage }),
      'cookies that scripts can read': document.cookie,
      'the state of the history': JSON.stringify(history.state),
      caches: JSON.stringify(await caches.keys()),
      databases: JSON.stringify(await indexedDB.databases()),
    };
  });
}

/** Everything that a host keeps for people to read. */
async function logs(host: Host): Promise<Places> {
  return {
    'the audit log': (await host.tryCtl('audit', '--limit', '1000')).stdout,
    'the log': host.said.replace(host.introductionLine, ''),
  };
}

/** The names of the places where a secret is. */
function placesOf(secret: string, places: Places): string[] {
  expect(secret.length).toBeGreaterThanOrEqual(10);
  return Object.keys(places).filter((place) => places[place]?.includes(secret));
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

  const places: Places = {
    ...(await kept(owner.page)),
    ...(await logs(host)),
    'the events': events(),
  };
  expect(places['the audit log']).toContain('paired');
  expect(places['the events']).toContain('paired');
  expect(places['the log']).toContain('TRACE');
  expect(placesOf(pin, places)).toEqual([]);
});

/** A second window, which nobody used, leaves as little. */
test('R4: a PIN that was cancelled is nowhere either', async ({ owner, host }) => {
  const events = await recordEvents(owner.page);
  await owner.page.reload();
  await owner.live();
  const pin = await owner.arm();
  await owner.button('Cancel').click();
  await expect(owner.heading('You closed the window')).toBeVisible();
  const places: Places = {
    ...(await kept(owner.page)),
    ...(await logs(host)),
    'the events': events(),
  };
  expect(places['the events']).toContain('disarmed');
  expect(placesOf(pin, places)).toEqual([]);
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
  const places: Places = { ...(await kept(visitor.page)), ...(await logs(host)) };
  expect(places['the audit log']).toContain('console_sign_in');
  for (const secret of secrets) {
    expect(placesOf(secret, places)).toEqual([]);
  }
});
