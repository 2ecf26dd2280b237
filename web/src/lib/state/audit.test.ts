import { describe, expect, it } from 'vitest';

import type { AuditEntry } from '../api/schema';
import { strings } from '../strings';
import { GROUPS, groupOf, merge, passes } from './audit.svelte';

const line = (id: number, event = 'armed', fingerprint?: string): AuditEntry => ({
  id,
  at: '2026-01-01T00:00:00Z',
  event,
  ...(fingerprint === undefined ? {} : { fingerprint }),
});

describe('merging a page for each kind', () => {
  it('gives the newest of all, newest first', () => {
    const pages = [
      { entries: [line(9), line(4), line(1)], more: false },
      { entries: [line(8), line(7), line(2)], more: false },
    ];
    const page = merge(pages, 4);
    expect(page.entries.map(({ id }) => id)).toEqual([9, 8, 7, 4]);
    expect(page.more).toBe(true);
  });

  it('knows when there is no more, and when only one kind has more', () => {
    expect(merge([{ entries: [line(1)], more: false }], 1).more).toBe(false);
    expect(
      merge(
        [
          { entries: [line(2)], more: true },
          { entries: [], more: false },
        ],
        5,
      ).more,
    ).toBe(true);
  });
});

describe('the filter', () => {
  it('shows everything, also words of a newer host, unless told otherwise', () => {
    expect(passes(line(1, 'word_of_tomorrow'), { group: 'all', fingerprint: '' })).toBe(true);
    expect(passes(line(1, 'word_of_tomorrow'), { group: 'console', fingerprint: '' })).toBe(false);
  });

  it('is for a device and a group at once', () => {
    const filter = { group: 'pairing', fingerprint: 'ab' } as const;
    expect(passes(line(1, 'paired', 'ab'), filter)).toBe(true);
    expect(passes(line(1, 'paired', 'cd'), filter)).toBe(false);
    expect(passes(line(1, 'admitted', 'ab'), filter)).toBe(false);
    expect(passes(line(1, 'armed'), filter)).toBe(false);
  });

  it('finds every word that the page can say in some group', () => {
    for (const word of Object.keys(strings.audit)) {
      const groups = GROUPS.filter((group) => passes(line(1, word), { group, fingerprint: '' }));
      expect(groups.length, word).toBeGreaterThan(1);
    }
  });

  it('is off where the address bar names no group', () => {
    expect(groupOf('nonsense')).toBe('all');
    expect(groupOf(null)).toBe('all');
  });
});
