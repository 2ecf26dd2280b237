import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

/** A running host, for `npm run dev`: the page comes from here, the API from there. */
const HOST = 'https://localhost:9777';

export default defineConfig({
  plugins: [svelte({ configFile: false, compilerOptions: { runes: true } })],
  build: {
    outDir: '../crates/pf-console/page',
    emptyOutDir: true,
    target: 'es2022',
    sourcemap: false,
    // The content-security policy of the host allows files of its own and nothing inline.
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: true,
  },
  server: {
    proxy: {
      '/api': { target: HOST, secure: false, changeOrigin: true, headers: { origin: HOST } },
    },
  },
  test: { include: ['src/**/*.test.ts'] },
});
