/** A host that goes away and comes back. */

import { expect, test } from '../harness/test.ts';

/** An owner who looks at old things without knowing it decides on them. */
test('R8: a lost host is said to be lost, and the page comes back by itself, still signed in', async ({
  owner,
  host,
  client,
}) => {
  await owner.live();
  await host.killed();
  await expect(owner.lost).toBeVisible();
  await host.startedAgain();
  await expect(owner.lost).toHaveCount(0);
  await owner.live();
  // Still signed in, and following: without a click.
  await client('couch').run('connect', host.address, '--headless');
  await expect(owner.request('couch')).toBeVisible();
});

/** What an attacker does while the owner's page is cut off must be in the log when it is back, and once. */
test('R7: audit lines that were missed come after the page is back, none twice', async ({
  owner,
  host,
  client,
}) => {
  await owner.go('Activity');
  await owner.live();
  await host.arm();
  const armed = owner.page.getByText('Pairing was armed.', { exact: true });
  await expect(armed).toHaveCount(1);

  await host.killed();
  await expect(owner.lost).toBeVisible();
  await owner.page.route('**/api/v1/**', (route) => route.abort());
  await host.startedAgain();
  await host.arm();
  await host.ctl('disarm');
  await client('couch').run('connect', host.address, '--headless');
  await owner.page.unroute('**/api/v1/**');

  await owner.live();
  await expect(owner.page.getByText('The pairing window was closed.')).toHaveCount(1);
  await expect(owner.page.getByText('couch asked for access.')).toHaveCount(1);
  await expect(armed).toHaveCount(2);
});

/** The stream itself resumes where it was: a page need not read the whole log again. */
test('R7: the event stream goes on after the last line that was seen', async ({ host }) => {
  const api = await host.api();
  await host.arm();
  const seen = (await host.audit())[0]?.id ?? 0;
  await host.ctl('disarm');
  await host.killed();
  await host.startedAgain();
  const newer = (await host.audit()).filter(({ id }) => id > seen).map(({ id }) => id);
  expect(newer.length).toBeGreaterThan(0);
  const ids = await api.events(seen, newer.length);
  expect(ids).toEqual(newer.reverse());
});
