/** The console as a person finds their way in it: by what is written on it and what it is called, never by its markup. */

import { type Locator, type Page, expect } from '@playwright/test';

import type { Host } from './host.ts';

/** The pages, by what their links are called. */
export const PAGES = ['Pairing', 'Devices', 'Sessions', 'Activity', 'Host'] as const;
export type PageName = (typeof PAGES)[number];

export class Console {
  constructor(
    readonly page: Page,
    readonly host: Host,
  ) {}

  /** Opens the console's address. */
  async open(): Promise<void> {
    await this.page.goto(this.host.origin);
  }

  /** Signs in by a fresh link, and waits for the first page. */
  async signInByLink(link?: string): Promise<void> {
    await this.page.goto(link ?? (await this.host.freshLink()));
    await expect(this.heading('Pairing')).toBeVisible();
  }

  /** Types a password into the sign-in page. */
  async signInByPassword(password: string): Promise<void> {
    await this.password.fill(password);
    await this.button('Sign in').click();
  }

  /** Types a password that is wrong, and waits until the page has said so and is ready for another. */
  async failToSignIn(password: string): Promise<void> {
    const answered = this.page.waitForResponse('**/api/v1/sign-in');
    await this.signInByPassword(password);
    expect((await answered).status()).toBe(401);
    await expect(this.alert).toBeVisible();
    await expect(this.password).toHaveValue('');
  }

  /** Goes to a page by its link. */
  async go(name: PageName): Promise<void> {
    await this.page
      .getByRole('navigation', { name: 'Pages' })
      .getByRole('link', { name: new RegExp(`^${name}`) })
      .click();
    await expect(this.heading(name)).toBeVisible();
  }

  heading(name: string | RegExp): Locator {
    return this.page.getByRole('heading', { name, exact: true });
  }

  button(name: string | RegExp, within: Page | Locator = this.page): Locator {
    return within.getByRole('button', { name, exact: true });
  }

  get password(): Locator {
    return this.page.getByLabel('Password', { exact: true });
  }

  /** What the page says because something went wrong. */
  get alert(): Locator {
    return this.page.getByRole('alert').filter({ hasText: /\S/ });
  }

  get dialog(): Locator {
    return this.page.getByRole('dialog');
  }

  /** What says that the connection to the host is lost. */
  get lost(): Locator {
    return this.page.getByRole('main').getByText('Connection lost, reconnecting…');
  }

  /** Waits until the page follows the host's events: what happens after this is seen. */
  async live(): Promise<void> {
    await expect(this.page.getByText('Live', { exact: true })).toBeVisible();
  }

  // Pairing.

  /** Arms for anybody, and reads the PIN. */
  async arm(): Promise<string> {
    await this.button('Arm pairing').click();
    return this.pin();
  }

  /** The PIN, as it is written on the page. */
  async pin(): Promise<string> {
    await expect(this.pinShown).toBeVisible();
    // As it is read out: `PIN 0 4 1 7`.
    return digits(await this.pinShown.getByText(/^PIN( \d)+$/).textContent());
  }

  get pinShown(): Locator {
    return this.page.getByTestId('pin');
  }

  /** The card of a waiting device. */
  request(name: string): Locator {
    return this.page.getByRole('article', { name, exact: true });
  }

  /** The check code on a card. */
  async codeOf(request: Locator): Promise<string> {
    return digits(await request.getByTestId('check-code').textContent());
  }

  // Devices and sessions.

  /** The card of a paired device. */
  device(label: string): Locator {
    return this.#card(label);
  }

  /** The card of a session. */
  session(name: string): Locator {
    return this.#card(name);
  }

  #card(name: string): Locator {
    const heading = this.page.getByRole('heading', { name, exact: true });
    return this.page.getByRole('listitem').filter({ has: heading });
  }
}

/** The digits of a text. */
function digits(text: string | null): string {
  return (text ?? '').replaceAll(/\D/g, '');
}
