import { expect, it } from 'vitest';

import { sentence } from './sentence';
import { strings } from './strings';

it('keeps the name apart from the words around it', () => {
  expect(sentence('Remove {name}?', 'Deck')).toEqual([
    { text: 'Remove ', isName: false },
    { text: 'Deck', isName: true },
    { text: '?', isName: false },
  ]);
});

/** A device that is called like a placeholder must not be replaced in turn. */
it('does not look into the name', () => {
  for (const name of ['{name}', '$&', "$'", '<b>']) {
    expect(sentence('{name} is paired', name)[0]).toEqual({ text: name, isName: true });
  }
});

it('every line of the audit log that names somebody has a place for the name', () => {
  for (const [word, [without, named]] of Object.entries(strings.audit)) {
    expect(without, word).not.toContain('{name}');
    expect(named, word).toMatch(word === 'refused_more' ? /\{count\}/ : /\{name\}/);
  }
});
