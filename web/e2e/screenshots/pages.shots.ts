/** Every page of a host with something to show: light and dark, on a phone, a laptop and a large screen. */

import path from 'node:path';

import { PAGES } from '../harness/console.ts';
import { fill } from '../harness/demo.ts';
import { expect, test } from '../harness/test.ts';

const FOLDER = process.env['PF_SCREENSHOTS'] ?? path.resolve('../../target/screenshots');

/** A phone, a laptop, a large screen. */
const SCREENS = [
  { width: 390, height: 844 },
  { width: 1280, height: 800 },
  { width: 1920, height: 1080 },
];
const SCHEMES = ['light', 'dark'] as const;

test('pictures of every page', async ({ visitor, host, client }) => {
  const { page } = visitor;
  /** One picture in each scheme and on each screen, which is made as high as the page. */
  const shoot = async (name: string) => {
    await page.mouse.move(0, 0);
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      for (const { width, height } of SCREENS) {
        await page.setViewportSize({ width, height });
        const content = await page.evaluate(async () => {
          await document.fonts.ready;
          return document.documentElement.scrollHeight;
        });
        await page.setViewportSize({ width, height: Math.max(height, content) });
        const file = `${name}-${width}-${colorScheme}.png`;
        await page.screenshot({ path: path.join(FOLDER, file) });
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
  // The plots reach two minutes back: a quarter of that is enough to see what they are.
  await visitor.go('Sessions');
  const sent = visitor.session('Living room').getByText(/^Frames sent: /);
  const count = async () => Number((await sent.textContent())?.replaceAll(/\D/g, ''));
  await expect.poll(count, { timeout: 120_000 }).toBeGreaterThan(1_800);
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
