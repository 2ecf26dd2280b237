import { expect, it } from 'vitest';

import { linkToken } from './link';

const TOKEN = 'AbCdEfGhIjKlMnOpQrStUvWxYz0123456789_-abcde';

it('finds the token of a sign-in link', () => {
  expect(linkToken(`#link=${TOKEN}`)).toBe(TOKEN);
});

it.each([
  '',
  '#',
  '#/pairing',
  '#link=',
  `link=${TOKEN}`,
  `#/link=${TOKEN}`,
  '#link=a b',
  '#link=a&b=c',
  `#link=${'a'.repeat(129)}`,
])('takes %j for no link', (fragment) => {
  expect(linkToken(fragment)).toBeNull();
});
