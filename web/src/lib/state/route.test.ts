import { expect, it } from 'vitest';

import { parseRoute } from './route.svelte';

it.each([
  ['', 'pairing'],
  ['#', 'pairing'],
  ['#/devices', 'devices'],
  ['#/nonsense', 'pairing'],
  ['#/constructor', 'pairing'],
  ['#link=secret', 'pairing'],
])('%j is a page', (fragment, page) => {
  expect(parseRoute(fragment).page).toBe(page);
});

it('takes the parameters along', () => {
  const { page, query } = parseRoute('#/activity?device=ab&show=pairing');
  expect([page, query.get('device'), query.get('show')]).toEqual(['activity', 'ab', 'pairing']);
});
