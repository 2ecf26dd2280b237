/** What every run of this package has in common. */

import path from 'node:path';

import type { PlaywrightTestConfig } from '@playwright/test';

/** Whatever is left of a failed test goes where cargo's own build products go. */
const output = path.resolve(import.meta.dirname, '../../../target/browser');

export const shared: PlaywrightTestConfig = {
  outputDir: output,
  reporter: [['list']],
  // A test that passes at the second try has failed.
  retries: 0,
  forbidOnly: true,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  use: {
    // The host's certificate is its own. A person compares its fingerprint, or takes it on the printed link's word.
    ignoreHTTPSErrors: true,
    viewport: { width: 1280, height: 900 },
    locale: 'en-GB',
    timezoneId: 'UTC',
    screenshot: 'only-on-failure',
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env['PF_BROWSER'] ?? '/usr/bin/chromium',
      // Chromium refuses to sandbox what root starts.
      chromiumSandbox: process.getuid?.() !== 0,
    },
  },
};
