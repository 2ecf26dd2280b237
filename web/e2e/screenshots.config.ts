import { defineConfig } from '@playwright/test';

import { shared } from './harness/config.ts';

/** Pictures of every page. */
export default defineConfig({
  ...shared,
  testDir: 'screenshots',
  testMatch: '*.shots.ts',
  workers: 1,
  timeout: 300_000,
  use: { ...shared.use, trace: 'off' },
});
