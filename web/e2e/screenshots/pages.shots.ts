/** Every page of a host with something to show: light and dark, on a phone, a laptop and a large screen. */

import path from 'node:path';

import { PAGES } from '../harness/console.ts';
import { fill } from '../harness/demo.ts';
import { expect, test } from '../harness/test.ts';

const FOLDER = process.env['PF_SCREENSHOTS'] ?? path.resolve('../../target/screenshots');

const WIDTHS = [390, 1280, 1920];
const HEIGHTS: Record<number, number> = { 390: 844, 1280: 800, 1920: 1080 };
const SCHEMES = ['light', 'dark'] as const;

test('pictures of every page', async ({ visitor, host, client }) => {
  const { page } = visitor;
  /** One picture in each scheme and at each width. */
  const shoot = async (name: string) => {
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: HEIGHTS[width] ?? width });
        await page.evaluate(() => document.fonts.ready);
        const file = `${name}-${width}-${colorScheme}.png`;
        await page.screenshot({ path: path.join(FOLDER, file), fullPage: true });
      }
    }
  };

  await visitor.open();
  await expect(visitor.password).toBeVisible();
  await shoot('sign-in');
  await visitor.signInByLink();
  await shoot('empty');

  await fill(host, client);
  await expect(visitor.request('Kitchen')).toBeVisible();
  for (const name of PAGES) {
    await visitor.go(name);
    await shoot(name.toLowerCase());
  }
  await visitor.go('Pairing');
  await visitor.arm();
  // After the demo's wrong PIN there is a wait: the picture is of a PIN that can be tried.
  await expect(page.getByText('After a wrong PIN there is a wait.')).toHaveCount(0);
  await shoot('armed');
  await visitor.button('Approve', visitor.request('Bedroom')).click();
  await expect(visitor.dialog).toBeVisible();
  await shoot('dialog');
});
