import { defineConfig } from '@playwright/test';

import { shared } from './harness/config.ts';

/** The API, held against its own document. */
export default defineConfig({ ...shared, testDir: 'api', workers: 1, timeout: 240_000 });
