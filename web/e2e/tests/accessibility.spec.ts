/** What axe finds: contrast, names of controls, the order of headings, and what else can be measured. */

import axe from 'axe-core';
import type { Page } from '@playwright/test';

import { PAGES } from '../harness/console.ts';
import { fill } from '../harness/demo.ts';
import { expect, test } from '../harness/test.ts';

/** What is wrong with the page as it stands, each with where. */
async function violations(page: Page): Promise<string[]> {
  // Contrast is measured on what is there, not on what fades in.
  await page.evaluate(() =>
    Promise.allSettled(document.getAnimations().map(({ finished }) => finished)),
  );
  await page.evaluate(axe.source);
  const results = await page.evaluate(() =>
    (window as unknown as { axe: typeof axe }).axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }),
  );
  return results.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} at ${target.join(' ')}: ${failureSummary}`),
  );
}

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme, reducedMotion: 'reduce' });

    /** An owner who sees little, or nothing, decides on the same things. */
    test(`R8: axe finds nothing on any page (${colorScheme})`, async ({
      visitor,
      host,
      client,
    }) => {
      await visitor.open();
      await expect(visitor.password).toBeVisible();
      expect(await violations(visitor.page)).toEqual([]);
      await visitor.signInByLink();
      await fill(host, client);
      await expect(visitor.request('Kitchen')).toBeVisible();
      for (const name of PAGES) {
        await visitor.go(name);
        expect(await violations(visitor.page), name).toEqual([]);
      }
      await visitor.go('Pairing');
      await visitor.arm();
      expect(await violations(visitor.page), 'an open window').toEqual([]);
      await visitor.button('Approve', visitor.request('Bedroom')).click();
      await expect(visitor.dialog).toBeVisible();
      expect(await violations(visitor.page), 'a dialog').toEqual([]);
    });
  });
}
