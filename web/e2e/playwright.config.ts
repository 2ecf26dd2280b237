import { defineConfig } from '@playwright/test';

import { shared } from './harness/config.ts';

/** The page as its owner and its attackers use it. */
export default defineConfig({
  ...shared,
  testDir: 'tests',
  // A test starts a host, clients and a browser's context of its own: two at once fill two cores.
  workers: 2,
  fullyParallel: true,
});
