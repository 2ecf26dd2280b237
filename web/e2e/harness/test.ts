/**
 * What a test is given: a host, clients and a signed-in owner, all real, all its own, and all gone when it ends.
 *
 * What must hold in every test is checked after every test: no page threw, and none broke its own content-security
 * policy.
 */

import { type BrowserContext, test as base, expect } from '@playwright/test';

import { Client } from './client.ts';
import { Console } from './console.ts';
import { Host, type HostSetup } from './host.ts';

interface Given {
  /** What `host` is started with. */
  setup: HostSetup;
  /** A host that runs. */
  host: Host;
  /** Makes an install of the client. */
  client: (name: string) => Client;
  /** The console, in a browser that nobody has signed in with. */
  visitor: Console;
  /** The console, signed in by a link, on its first page. */
  owner: Console;
  /** The console in another browser, which nobody has signed in with. */
  elsewhere: () => Promise<Console>;
  /** What pages of this test threw or violated. */
  faults: string[];
}

export const test = base.extend<Given>({
  setup: [{}, { option: true }],

  host: async ({ setup }, use) => {
    const host = await Host.start(setup);
    await use(host);
    await host.cleanedUp();
  },

  // eslint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from this pattern
  client: async ({}, use) => {
    const clients: Client[] = [];
    await use((name) => {
      const client = new Client(name);
      clients.push(client);
      return client;
    });
    await Promise.all(clients.map((client) => client.cleanedUp()));
  },

  faults: [
    async ({ context }, use) => {
      const faults: string[] = [];
      await watch(context, faults);
      await use(faults);
      expect(faults, 'pages that throw or break their policy').toEqual([]);
    },
    { auto: true },
  ],

  visitor: async ({ page, host }, use) => {
    await use(new Console(page, host));
  },

  owner: async ({ visitor }, use) => {
    await visitor.signInByLink();
    await use(visitor);
  },

  elsewhere: async ({ browser, host, faults }, use) => {
    const contexts: BrowserContext[] = [];
    await use(async () => {
      const context = await browser.newContext();
      contexts.push(context);
      await watch(context, faults);
      return new Console(await context.newPage(), host);
    });
    await Promise.all(contexts.map((context) => context.close()));
  },
});

/** Notes what the pages of a browser throw, and what their policy keeps them from. */
async function watch(context: BrowserContext, faults: string[]): Promise<void> {
  await context.exposeFunction('pfViolation', (what: string) => faults.push(what));
  await context.addInitScript(reportViolations);
  context.on('weberror', (error) => faults.push(String(error.error())));
}

/** Runs in the page, before anything of its own. */
function reportViolations(): void {
  const report = (window as unknown as { pfViolation: (what: string) => void }).pfViolation;
  document.addEventListener('securitypolicyviolation', (event) => {
    report(`${event.violatedDirective} by ${event.blockedURI || event.sourceFile}`);
  });
}

export { expect };
