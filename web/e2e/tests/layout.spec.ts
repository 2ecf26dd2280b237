/** The page on a phone. */

import { PAGES } from '../harness/console.ts';
import { fill } from '../harness/demo.ts';
import { expect, test } from '../harness/test.ts';

test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });

/** An owner on the sofa has a phone: what is off its screen is not there. */
test('R8: no page is wider than a phone, and the PIN can be read on it', async ({
  owner,
  host,
  client,
}) => {
  await fill(host, client);
  await owner.live();
  await owner.arm();
  await expect(owner.pinShown).toBeInViewport();
  for (const name of PAGES) {
    await owner.go(name);
    const [content, window] = await owner.page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.documentElement.clientWidth,
    ]);
    expect(window).toBe(390);
    expect(content, name).toBeLessThanOrEqual(390);
  }
  await owner.button('Sign out').tap();
  await expect(owner.button('Sign in')).toBeInViewport();
});

/** Approving by touch is the same as by mouse. */
test('R5: a request is approved by touch', async ({ owner, host, client }) => {
  const { running } = await client('couch').ask(host.address, '--frames', '1');
  const approve = owner.button('Approve', owner.request('couch'));
  await approve.tap();
  expect((await running.finish()).exit).toBe(0);
});
