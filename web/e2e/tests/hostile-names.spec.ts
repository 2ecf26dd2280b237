/** Devices that call themselves something that is meant to do harm. Names come from whoever is on the network. */

import type { Page } from '@playwright/test';

import { PAGES } from '../harness/console.ts';
import { expect, test } from '../harness/test.ts';
import { knock } from '../harness/stranger.ts';

/** Markup, which must stay what it is: text. */
const MARKUP = '<img src=x onerror=alert(1)>';
const SCRIPT = '"><script>alert(1)</script>';

/** What a terminal and a page would obey: an escape sequence, an override of the direction of writing, and a gap. */
const ESCAPES = '\u001b[2J\u001b[31mred\u202egnp.exe\u2066\u200b\u0000';

/** What a name may not hold, wherever it is shown: what controls a terminal or the direction of writing. */
const OBEYED = /\p{Cc}|\p{Cf}/u;

/** A text without the ends of its lines, which are ours. */
const unbroken = (text: string) => text.replaceAll(/[\n\t]/g, ' ');

/** No dialog opens and no element is made of a name, whatever page is looked at. */
async function expectOnlyText(page: Page): Promise<void> {
  await expect(page.locator('img[src=x], body script:not([src])')).toHaveCount(0);
  expect(unbroken(await page.locator('body').innerText())).not.toMatch(OBEYED);
  expect(await page.title()).not.toMatch(OBEYED);
}

test.beforeEach(({ page }) => {
  page.on('dialog', (dialog) => {
    throw new Error(`a name opened a dialog: ${dialog.message()}`);
  });
});

/** A name that is run acts in the owner's name: it approves itself. */
test('inv 48: markup in a name is text on every page, in its title, in the API and in ctl', async ({
  owner,
  host,
  client,
}) => {
  await owner.live();
  // One that waits, one that has left, and one that becomes a device.
  const asking = client(MARKUP);
  await asking.ask(host.address);
  expect((await knock(host.address, SCRIPT)).answer).toBe('left');
  const paired = client(`${MARKUP} paired`);
  await paired.pair(host.address, (await host.arm()).pin);
  paired.stream(host.address);

  await expect(owner.request(MARKUP)).toBeVisible();
  await expect(owner.request(SCRIPT)).toBeVisible();
  await expect(owner.heading(`${MARKUP} paired is paired`)).toBeVisible();
  for (const name of PAGES) {
    await owner.go(name);
    await expectOnlyText(owner.page);
  }
  await owner.go('Sessions');
  await expect(owner.session(`${MARKUP} paired`)).toBeVisible();
  await owner.go('Activity');
  await expect(owner.page.getByText(`${MARKUP} paired was paired by PIN.`)).toBeVisible();
  await owner.go('Devices');
  await owner.button(`Remove ${MARKUP} paired`).click();
  await expect(owner.dialog).toContainText(`Remove ${MARKUP} paired?`);
  await expectOnlyText(owner.page);

  const api = await host.api();
  const names = (await api.json<{ name: string }[]>('requests')).map(({ name }) => name);
  expect(names.sort()).toEqual([SCRIPT, MARKUP].sort());
  expect((await host.requests()).map(({ name }) => name).sort()).toEqual(names);
});

/** A name that repaints the terminal, or turns the words around it, says what it likes. */
test('inv 48: escapes and overrides of the direction are taken out of a name', async ({
  owner,
  host,
}) => {
  await owner.live();
  expect((await knock(host.address, ESCAPES)).answer).toBe('left');
  await expect(owner.page.getByRole('article')).toContainText('redgnp.exe');
  await expectOnlyText(owner.page);
  await owner.go('Activity');
  await expectOnlyText(owner.page);
  const api = await host.api();
  for (const path of ['requests', 'audit', 'status']) {
    expect((await api.ask(path)).body).not.toMatch(OBEYED);
  }
  for (const command of ['requests', 'audit']) {
    expect(unbroken((await host.tryCtl(command)).stdout)).not.toMatch(OBEYED);
  }
  expect(unbroken(host.said)).not.toMatch(OBEYED);
});

/** A name that fills the page pushes the buttons off it; one that fills the memory ends the host. */
test('inv 48: an oversized name is refused or cut, and the page keeps its shape', async ({
  owner,
  host,
}) => {
  await owner.live();
  expect((await knock(host.address, 'x'.repeat(65_000))).answer).toBe('protocol_error');
  expect((await knock(host.address, 'W'.repeat(900))).answer).toBe('left');
  const request = owner.page.getByRole('article');
  await expect(request).toContainText('WWWW');
  const [left] = await host.requests();
  expect(Buffer.byteLength(left?.name ?? '')).toBeLessThanOrEqual(64);
  for (const width of [390, 1280]) {
    await owner.page.setViewportSize({ width, height: 900 });
    expect(await overflow(owner.page)).toBeLessThanOrEqual(0);
    // It can be reached and is not covered: a click would hit it.
    await owner.button('Deny', request).click({ trial: true });
  }
});

/** Names that look alike are how a stranger is approved for a friend. */
test('inv 48: a name that looks like a paired device is marked so', async ({
  owner,
  host,
  client,
}) => {
  await client('couch').pair(host.address, (await host.arm()).pin);
  // A Cyrillic letter.
  expect((await knock(host.address, 'c\u043euch')).answer).toBe('left');
  await expect(owner.page.getByRole('article')).toContainText('Looks like “couch”');
});

/** How many pixels a page is wider than its window; a gap for a scrollbar makes it narrower. */
function overflow(page: Page): Promise<number> {
  return page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
}
