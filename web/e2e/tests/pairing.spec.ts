/** Pairing by PIN, from the side of the owner who looks at the page. */

import { Console } from '../harness/console.ts';
import { codeOf } from '../harness/running.ts';
import { expect, test } from '../harness/test.ts';

/** The way that most people go: nothing here may need a second thought. */
test('R4: arm, read the PIN, type it into the client: the device appears without a reload', async ({
  owner,
  host,
  client,
}) => {
  const couch = client('couch');
  const pin = await owner.arm();
  expect(pin).toMatch(/^\d{4}$/);
  await couch.pair(host.address, pin);
  await expect(owner.heading('couch is paired')).toBeVisible();
  await expect(owner.pinShown).toHaveCount(0);
  await owner.go('Devices');
  await expect(owner.device('couch')).toContainText('by PIN');
});

/** A guess that burned the PIN must not pass for the owner's own slip: it is shown who tried, and from where. */
test('R4: a wrong PIN is shown with the address and the device that tried it', async ({
  owner,
  host,
  client,
}) => {
  const guesser = client('guesser');
  const pin = await owner.arm();
  const wrong = pin.replace(/.$/, (last) => String((Number(last) + 1) % 10));
  const refused = await guesser.offer(host.address, wrong);
  expect(refused.exit).toBe(11);
  const ended = owner.page.getByRole('region', { name: 'guesser tried a wrong PIN' });
  await expect(ended).toBeVisible();
  await expect(ended).toContainText('127.0.0.1');
  const [line] = (await host.audit()).filter(({ event }) => event === 'wrong_pin');
  expect(line?.fingerprint).toBe(await guesser.fingerprint());
  await expect(ended).toContainText(line?.fingerprint_for_the_eye ?? 'no fingerprint');
  // It is spent: the right one comes too late.
  await expect(owner.pinShown).toHaveCount(0);
  expect(codeOf(await guesser.offer(host.address, pin))).toBe('not_armed');
  expect(await host.devices()).toEqual([]);
});

/** A PIN that stays on a screen in a shared room is typed by whoever comes by. */
test('R4: a window counts down, and takes its PIN off the page when it runs out', async ({
  owner,
  host,
}) => {
  await owner.live();
  const { pin } = await host.arm('--ttl', '8');
  expect(await owner.pin()).toBe(pin);
  const left = async () =>
    Number((await owner.page.getByRole('timer').innerText()).match(/0:0(\d)/)?.[1]);
  const first = await left();
  expect(first).toBeLessThanOrEqual(8);
  await expect.poll(left).toBeLessThan(first);
  await expect(owner.pinShown).toHaveCount(0);
  await expect(owner.heading('Nobody tried the PIN in time')).toBeVisible();
  await expect(owner.button('Arm pairing')).toBeVisible();
});

/** An owner who thinks better of it needs no patience. */
test('R4: a cancelled window takes no PIN any more', async ({ owner, host, client }) => {
  const pin = await owner.arm();
  await owner.button('Cancel').click();
  await expect(owner.heading('You closed the window')).toBeVisible();
  expect(codeOf(await client('late').offer(host.address, pin))).toBe('not_armed');
});

/** Somebody else in the house cannot burn, or even try, a PIN that is meant for one device. */
test('R4: a PIN that is armed for one device is refused to any other', async ({
  owner,
  host,
  client,
}) => {
  const couch = client('couch');
  const neighbour = client('neighbour');
  expect(codeOf(await couch.run('connect', host.address, '--headless'))).toBe('pairing_required');
  await owner.button('Arm a PIN for this device', owner.request('couch')).click();
  const pin = await owner.pin();
  const [request] = await host.requests();
  await expect(owner.page.getByText(/^Only .+ can use it\.$/)).toContainText(
    new RegExp(`couch|${request?.fingerprint_for_the_eye}`),
  );
  expect(codeOf(await neighbour.offer(host.address, pin))).toBe('armed_for_another');
  await couch.pair(host.address, pin);
  await expect(owner.heading('couch is paired')).toBeVisible();
  expect((await host.devices()).map(({ label }) => label)).toEqual(['couch']);
});

/** What one tab shows and another does not is believed to be gone. */
test('R8: two tabs agree', async ({ owner, host, context, client }) => {
  const second = new Console(await context.newPage(), host);
  await second.open();
  await second.live();
  const pin = await owner.arm();
  expect(await second.pin()).toBe(pin);
  await second.button('Cancel').click();
  await expect(owner.pinShown).toHaveCount(0);
  await client('couch').run('connect', host.address, '--headless');
  await expect(owner.request('couch')).toBeVisible();
  await expect(second.request('couch')).toBeVisible();
  await owner.button('Deny', owner.request('couch')).click();
  await expect(second.request('couch')).toHaveCount(0);
});
