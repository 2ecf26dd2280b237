import { defineConfig } from '@playwright/test';

import { shared } from './harness/config.ts';

/** How fast the console is. One thing at a time, and nothing recorded. */
export default defineConfig({
  ...shared,
  testDir: 'bench',
  testMatch: '*.bench.ts',
  workers: 1,
  timeout: 600_000,
  use: { ...shared.use, trace: 'off', screenshot: 'off' },
});
