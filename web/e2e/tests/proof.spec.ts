/** Proving again: what decides who gets in wants the password, if it was not given of late. */

import type { Console } from '../harness/console.ts';
import type { Host } from '../harness/host.ts';
import { ageProofs } from '../harness/store.ts';
import { expect, test } from '../harness/test.ts';

/** Lets sixteen minutes pass since the owner last proved anything: the host is down meanwhile. */
async function sixteenMinutesLater(host: Host, owner: Console): Promise<void> {
  await host.stopped();
  await ageProofs(host, 16);
  await host.startedAgain();
  await owner.live();
}

/** Whoever sits down at a desk that its owner left unlocked can look, and let nobody in. */
test('R8: after fifteen minutes arming asks for the password, once, and then goes on', async ({
  owner,
  host,
}) => {
  await sixteenMinutesLater(host, owner);
  await owner.button('Arm pairing').click();
  await expect(owner.dialog).toContainText('Your password, please');
  expect((await host.ctl<{ window: unknown }>('status')).window).toBeNull();

  await owner.dialog.getByLabel('Password').fill('not the password');
  await owner.button('Confirm', owner.dialog).click();
  await expect(owner.dialog.getByRole('alert').filter({ hasText: /\S/ })).toBeVisible();
  await expect(owner.dialog.getByLabel('Password')).toHaveValue('');
  expect((await host.ctl<{ window: unknown }>('status')).window).toBeNull();

  await owner.dialog.getByLabel('Password').fill(host.password);
  await owner.button('Confirm', owner.dialog).click();
  await expect(owner.pinShown).toBeVisible();
  await owner.button('Cancel').click();
  await owner.arm();
  await expect(owner.dialog).toHaveCount(0);
});

/** The same for the other way in, and a dialog that is closed does nothing. */
test('R8: after fifteen minutes approving asks for the password, and cancelling approves nobody', async ({
  owner,
  host,
  client,
}) => {
  await sixteenMinutesLater(host, owner);
  const couch = client('couch');
  const { running } = await couch.ask(host.address, '--frames', '3');
  await owner.button('Approve', owner.request('couch')).click();
  await owner.button('Cancel', owner.dialog).click();
  await expect(owner.dialog).toHaveCount(0);
  await expect(owner.request('couch')).toBeVisible();
  expect(await host.devices()).toEqual([]);

  await owner.button('Approve', owner.request('couch')).click();
  await owner.dialog.getByLabel('Password').fill(host.password);
  await owner.button('Confirm', owner.dialog).click();
  expect((await running.finish()).exit).toBe(0);
});

/** What only takes away needs no proof: an owner in a hurry gets rid of a device at once. */
test('R8: denying and removing need no fresh proof', async ({ owner, host, client }) => {
  const couch = client('couch');
  await couch.pair(host.address, (await host.arm()).pin);
  await sixteenMinutesLater(host, owner);
  await owner.go('Devices');
  await owner.button('Remove couch').click();
  await owner.button('Remove', owner.dialog).click();
  await expect(owner.device('couch')).toHaveCount(0);
  await client('shed').run('connect', host.address, '--headless');
  await owner.go('Pairing');
  await owner.button('Deny', owner.request('shed')).click();
  await expect(owner.request('shed')).toHaveCount(0);
});
