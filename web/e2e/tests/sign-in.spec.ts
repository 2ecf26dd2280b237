/** Signing in: by the password, by a link, and by nothing else. */

import { ask } from '../harness/api.ts';
import { expect, test } from '../harness/test.ts';

/** Nobody but who read the terminal knows it, and it is enough. */
test('R8: the generated password signs in', async ({ visitor, host }) => {
  await visitor.open();
  await expect(visitor.heading('Sign in')).toBeVisible();
  await visitor.signInByPassword(host.password);
  await expect(visitor.heading('Pairing')).toBeVisible();
});

/**
 * A secret in the address bar is read over a shoulder, copied or photographed. (What the browser itself keeps of
 * addresses that were typed is of no use: the link is spent.)
 */
test('R8: the printed link signs in, and is gone from the address bar and from where Back leads', async ({
  visitor,
  host,
}) => {
  const link = host.link;
  const secret = new URLSearchParams(new URL(link).hash.slice(1)).get('link') ?? '';
  expect(secret).toHaveLength(43);
  await visitor.signInByLink(link);
  expect(visitor.page.url()).not.toContain(secret);

  await visitor.go('Devices');
  const cdp = await visitor.page.context().newCDPSession(visitor.page);
  const { entries } = await cdp.send('Page.getNavigationHistory');
  expect(entries.length).toBeGreaterThan(1);
  for (const { url } of entries) {
    expect(url).not.toContain(secret);
  }
  const kept = await visitor.page.evaluate(() =>
    JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state]),
  );
  expect(kept).not.toContain(secret);
});

/** Who finds a link later, in a log or a chat, finds nothing. */
test('R8: a link signs in once', async ({ visitor, host, elsewhere }) => {
  const link = await host.freshLink();
  await visitor.signInByLink(link);
  const thief = await elsewhere();
  await thief.page.goto(link);
  await expect(thief.page.getByRole('alert')).toContainText('This link no longer works');
  await expect(thief.page.getByText('punktfunk-host ctl console-url')).toBeVisible();
  await thief.open();
  await expect(thief.heading('Sign in')).toBeVisible();
});

/** A page that a stranger has open tells them nothing of the host, and guesses cost more and more time. */
test('R8: a wrong password is said to be wrong, and after five there is a wait', async ({
  visitor,
  host,
}) => {
  await visitor.open();
  for (let guess = 1; guess <= 5; guess++) {
    await visitor.failToSignIn(`wrong-guess-${guess}`);
  }
  // The right one is not even looked at before the time is over.
  const refused = await ask(`${host.origin}/api/v1/sign-in`, {
    method: 'POST',
    body: { password: host.password },
    headers: { origin: host.origin },
  });
  expect(refused.status).toBe(429);
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);

  await visitor.signInByPassword(host.password);
  await expect(visitor.page.getByRole('timer')).toContainText('You can try again in 0:');
  await expect(visitor.page.getByText('You can try again now.')).toBeVisible({ timeout: 30_000 });
  await visitor.signInByPassword(host.password);
  await expect(visitor.heading('Pairing')).toBeVisible();
});

/** A browser that was signed out shows nothing to who presses Back. */
test('R8: signing out ends the sign-in and takes everything off the page', async ({
  owner,
  host,
  client,
}) => {
  const couch = client('couch');
  await couch.pair(host.address, (await host.arm()).pin);
  await owner.go('Devices');
  await expect(owner.device('couch')).toBeVisible();
  await owner.go('Host');
  await owner.button('Sign out').click();
  await expect(owner.heading('Sign in')).toBeVisible();
  await owner.page.goBack();
  await expect(owner.heading('Sign in')).toBeVisible();
  await expect(owner.page.getByText('couch')).toHaveCount(0);
  expect(
    await owner.page.evaluate(() => fetch('/api/v1/devices').then(({ status }) => status)),
  ).toBe(401);
});

/** A stolen sign-in is thrown out while it watches, not at its next click. */
test('R8: ending another sign-in throws that browser out at once', async ({ owner, elsewhere }) => {
  const thief = await elsewhere();
  await thief.signInByLink();
  await thief.live();
  await owner.go('Host');
  const others = owner.page.getByRole('button', { name: /^End the sign-in of/ });
  await expect(others).toHaveCount(1);
  await others.click();
  await expect(thief.heading('Sign in')).toBeVisible();
  await expect(thief.page.getByText('Your sign-in has ended.')).toBeVisible();
  await expect(others).toHaveCount(0);
  await owner.go('Devices');
});

/** Who learned the old password, and who signed in with it, is out. */
test('R8: a new password ends every other sign-in, and the old one is worth nothing', async ({
  owner,
  elsewhere,
  host,
}) => {
  const thief = await elsewhere();
  await thief.open();
  await thief.signInByPassword(host.password);
  await thief.live();

  await owner.go('Host');
  await owner.button('Change password').click();
  await owner.dialog.getByLabel('New password', { exact: true }).fill('a fresh password');
  await owner.dialog.getByLabel('New password again').fill('a fresh password');
  await owner.button('Change password', owner.dialog).click();
  await expect(owner.page.getByText('Every other sign-in has ended.')).toBeVisible();

  await expect(thief.heading('Sign in')).toBeVisible();
  await thief.failToSignIn(host.password);
  await thief.signInByPassword('a fresh password');
  await expect(thief.heading('Pairing')).toBeVisible();
});

/** What a browser calls itself comes from whoever writes it: it is text. */
test('R8: a sign-in by a browser with a hostile name is listed as text', async ({
  owner,
  host,
}) => {
  await owner.go('Host');
  const answer = await ask(`${host.origin}/api/v1/sign-in`, {
    method: 'POST',
    body: { link: new URLSearchParams(new URL(await host.freshLink()).hash.slice(1)).get('link') },
    headers: { origin: host.origin, 'user-agent': '<img src=x onerror=alert(1)>\t"><b>bold' },
  });
  expect(answer.status).toBe(200);
  await expect(owner.page.getByRole('button', { name: /^End the sign-in of/ })).toHaveCount(1);
  await expect(owner.page.locator('main img[src=x], main b')).toHaveCount(0);
});
