/** The page without a mouse. */

import type { Locator, Page } from '@playwright/test';

import { expect, test } from '../harness/test.ts';

/** Presses Tab until something has the focus, as a person would who looks for it. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  const isFocused = () => target.evaluate((element) => element === document.activeElement);
  for (let presses = 0; presses < 60; presses++) {
    if (await isFocused()) {
      return;
    }
    await page.keyboard.press('Tab');
  }
  throw new Error(`${target.toString()} is not reached by Tab`);
}

/** Who cannot use a mouse can let their own devices in. */
test('R8: signing in, arming and approving work with Tab and Enter alone', async ({
  visitor,
  host,
  client,
}) => {
  const { page } = visitor;
  await visitor.open();
  await expect(visitor.password).toBeVisible();
  await tabTo(page, visitor.password);
  await page.keyboard.type(host.password);
  await page.keyboard.press('Enter');
  await expect(visitor.heading('Pairing')).toBeVisible();

  await tabTo(page, visitor.button('Arm pairing'));
  await page.keyboard.press('Enter');
  const pin = await visitor.pin();
  await client('couch').pair(host.address, pin);
  await expect(visitor.heading('couch is paired')).toBeVisible();

  const { running } = await client('shed').ask(host.address, '--frames', '1');
  const request = visitor.request('shed');
  await tabTo(page, visitor.button('Approve', request));
  await page.keyboard.press('Enter');
  expect((await running.finish()).exit).toBe(0);
  await expect(request).toHaveCount(0);
});

/** A dialog that the focus leaves is answered by accident. */
test('R8: a dialog holds the focus, closes by Escape, and gives the focus back', async ({
  owner,
  host,
  client,
}) => {
  await client('couch').pair(host.address, (await host.arm()).pin);
  await owner.go('Devices');
  const remove = owner.button('Remove couch');
  await tabTo(owner.page, remove);
  await owner.page.keyboard.press('Enter');
  await expect(owner.dialog).toBeVisible();
  for (let presses = 0; presses < 8; presses++) {
    await owner.page.keyboard.press('Tab');
    const isOutside = await owner.page.evaluate(() => {
      const focused = document.activeElement;
      return focused !== document.body && focused?.closest('dialog') === null;
    });
    expect(isOutside).toBe(false);
  }
  await owner.page.keyboard.press('Escape');
  await expect(owner.dialog).toHaveCount(0);
  await expect(remove).toBeFocused();
  expect(await host.devices()).toHaveLength(1);
});
