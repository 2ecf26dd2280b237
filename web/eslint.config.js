import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

export default ts.config(
  { ignores: ['node_modules/', 'e2e/', 'src/lib/api/schema.ts'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...ts.configs.stylistic,
  ...svelte.configs.recommended,
  ...svelte.configs.prettier,
  {
    languageOptions: { globals: globals.browser },
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      // Names come from devices: they are text, whatever is in them.
      'svelte/no-at-html-tags': 'error',
      // The host's content-security policy refuses `style="…"` in markup.
      'svelte/no-inline-styles': ['error', { allowTransitions: true }],
      'svelte/button-has-type': 'error',
      // State is replaced as a whole, never changed in place.
      'svelte/prefer-svelte-reactivity': 'off',
      // What is left out of a copy needs no use.
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser } },
  },
);
