/**
 * Asking for access, from the side of the owner who compares.
 *
 * That a request expires after five minutes is proved where time is an argument, in pf-trust: no real client waits here
 * for as long.
 */

import { codeOf } from '../harness/running.ts';
import { expect, test } from '../harness/test.ts';

/** A machine in the middle shows other digits; so both sides must show them, and the player must not need a hand. */
test('R5: a request appears while the client waits, with the same code, and approving lets it in', async ({
  owner,
  host,
  client,
}) => {
  await owner.live();
  const couch = client('couch');
  const { running, code } = await couch.ask(host.address, '--frames', '3');
  const request = owner.request('couch');
  await expect(request).toBeVisible();
  await expect(request).toContainText('127.0.0.1');
  expect(await owner.codeOf(request)).toBe(code);

  await request.getByLabel('Label').fill('Living room');
  await owner.button('Approve', request).click();
  const { exit, stdout, stderr } = await running.finish();
  expect(exit, stderr).toBe(0);
  expect((JSON.parse(stdout) as { data: { frames: number } }).data.frames).toBeGreaterThanOrEqual(
    3,
  );
  await expect(request).toHaveCount(0);
  await owner.go('Devices');
  await expect(owner.device('Living room')).toContainText('approved, codes compared');
});

/** Where there is nothing to compare, one click too many would let a stranger in under a known name. */
test('R5: approving a device that does not wait asks twice, and shows the whole fingerprint', async ({
  owner,
  host,
  client,
}) => {
  const couch = client('couch');
  expect(codeOf(await couch.run('connect', host.address, '--headless'))).toBe('pairing_required');
  const request = owner.request('couch');
  await expect(request).toContainText('Nothing to compare');
  await owner.button('Approve', request).click();
  await expect(owner.dialog).toContainText('Approve without comparing?');
  const [left] = await host.requests();
  expect(left?.fingerprint).toBe(await couch.fingerprint());
  await expect(owner.dialog).toContainText(left?.fingerprint_shown ?? 'no fingerprint');
  const submit = owner.button('Approve without comparing', owner.dialog);
  await expect(submit).toBeDisabled();
  expect(await host.devices()).toEqual([]);

  await owner.dialog.getByLabel('I know that this is my device').check();
  await submit.click();
  await expect(request).toHaveCount(0);
  await owner.go('Devices');
  await expect(owner.device('couch')).toContainText('approved, nothing compared');
  expect((await couch.run('connect', host.address, '--headless', '--frames', '3')).exit).toBe(0);
});

/** The player learns at once that the answer was no, and nobody has got in. */
test('R5: a denied client is told so, and may ask again', async ({ owner, host, client }) => {
  const couch = client('couch');
  const first = await couch.ask(host.address);
  await owner.button('Deny', owner.request('couch')).click();
  const denied = await first.running.finish();
  expect(denied.exit).toBe(16);
  expect(codeOf(denied)).toBe('denied');
  await expect(owner.request('couch')).toHaveCount(0);
  const second = await couch.ask(host.address);
  await expect(owner.request('couch')).toBeVisible();
  expect(await owner.codeOf(owner.request('couch'))).toBe(second.code);
  expect(await host.devices()).toEqual([]);
});

/** What was looked at is what is approved: a card whose device has hung up has no code left to rely on. */
test('R5: a client that stops waiting leaves nothing to compare', async ({
  owner,
  host,
  client,
}) => {
  const couch = client('couch');
  const { running } = await couch.ask(host.address);
  const request = owner.request('couch');
  await expect(request).toContainText('Waits now');
  running.terminate();
  await expect(request).toContainText('Not waiting');
  await expect(request.getByTestId('check-code')).toHaveCount(0);
});
