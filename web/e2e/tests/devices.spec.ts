/** Paired devices: what they are called, and how they are put out. */

import { codeOf } from '../harness/running.ts';
import { expect, test } from '../harness/test.ts';

/** Somebody who was let in once is out at once, also in the middle of a picture, and stays out. */
test('R7: removing a device cuts its stream at once, and it stays out', async ({
  owner,
  host,
  client,
}) => {
  const couch = client('couch');
  await couch.pair(host.address, (await host.arm()).pin);
  const stream = couch.stream(host.address);
  await owner.go('Sessions');
  await expect(owner.session('couch')).toContainText('fps');
  await owner.go('Devices');
  await expect(owner.device('couch')).toContainText('Streaming now');
  await owner.button('Remove couch').click();
  await expect(owner.dialog).toContainText('Its session ends now.');
  await owner.button('Remove', owner.dialog).click();

  const cut = await stream.finish();
  expect(cut.exit).toBe(18);
  expect(codeOf(cut)).toBe('removed');
  await expect(owner.device('couch')).toHaveCount(0);
  await owner.go('Sessions');
  await expect(owner.page.getByText('Nobody is streaming.')).toBeVisible();
  expect(codeOf(await couch.run('connect', host.address, '--headless'))).toBe('removed');
});

/** An owner who ends a session has not put the device out: it may come again. */
test('R7: ending a session cuts it and leaves the device paired', async ({
  owner,
  host,
  client,
}) => {
  const couch = client('couch');
  await couch.pair(host.address, (await host.arm()).pin);
  const stream = couch.stream(host.address);
  await owner.go('Sessions');
  await owner.button('End the session of couch').click();
  await owner.button('End session', owner.dialog).click();
  expect(codeOf(await stream.finish())).toBe('ended');
  await expect(owner.session('couch')).toHaveCount(0);
  expect((await couch.run('connect', host.address, '--headless', '--frames', '3')).exit).toBe(0);
});

/** A name that only one page knows is a name that is confused. */
test('R7: a new label is everywhere: in the page, in every tab, and in ctl', async ({
  owner,
  host,
  client,
  elsewhere,
}) => {
  await client('couch').pair(host.address, (await host.arm()).pin);
  const other = await elsewhere();
  await other.signInByLink();
  await other.go('Devices');
  await owner.go('Devices');
  await owner.button('Rename couch').click();
  await owner.page.getByLabel('New label').fill('Living room');
  await owner.button('Save').click();
  await expect(owner.device('Living room')).toBeVisible();
  await expect(other.device('Living room')).toBeVisible();
  expect((await host.devices()).map(({ label }) => label)).toEqual(['Living room']);
  await owner.go('Activity');
  await expect(owner.page.getByText('A device is called Living room now.')).toBeVisible();
});

/** Figures that stand still look like a stream that stands still. */
test('R8: a session shows live figures', async ({ owner, host, client }) => {
  const couch = client('couch');
  await couch.pair(host.address, (await host.arm()).pin);
  couch.stream(host.address);
  await owner.go('Sessions');
  const session = owner.session('couch');
  await expect(session).toContainText('synthetic');
  const sent = session.getByText(/^Frames sent: /);
  const before = await sent.textContent();
  await expect(sent).not.toHaveText(before ?? '');
});
