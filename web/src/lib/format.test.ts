import { describe, expect, it } from 'vitest';

import { ago, countdown, day, grouped, span } from './format';

const NOW = Date.parse('2026-03-10T12:00:00Z');
const before = (seconds: number) => new Date(NOW - seconds * 1000).toISOString();

describe('ago', () => {
  const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto', style: 'short' });

  it.each([
    [5, relative.format(0, 'second')],
    [59, relative.format(0, 'second')],
    [60, relative.format(-1, 'minute')],
    [59 * 60 + 59, relative.format(-59, 'minute')],
    [3600, relative.format(-1, 'hour')],
    [86_400, relative.format(-1, 'day')],
  ])('%i seconds are %s', (seconds, words) => {
    expect(ago(before(seconds), NOW)).toBe(words);
  });

  it('takes what a host with a fast clock says for now', () => {
    expect(ago(before(-90), NOW)).toBe(relative.format(0, 'second'));
  });
});

describe('day', () => {
  const names = { today: 'T', yesterday: 'Y' };
  const noon = new Date(2026, 2, 1, 12).getTime();

  it('knows today and yesterday by the reader’s own midnight, across months', () => {
    expect(day(new Date(2026, 2, 1, 0, 0, 1).toISOString(), noon, names)).toBe('T');
    expect(day(new Date(2026, 1, 28, 23, 59).toISOString(), noon, names)).toBe('Y');
    expect(day(new Date(2026, 1, 27, 23, 59).toISOString(), noon, names)).toContain('2026');
  });
});

describe('countdown', () => {
  it.each([
    [120, '2:00'],
    [60.001, '1:01'],
    [9.2, '0:10'],
    [0.1, '0:01'],
    [0, '0:00'],
    [-3, '0:00'],
  ])('%d reads %s: over is over, and not before', (seconds, words) => {
    expect(countdown(seconds)).toBe(words);
  });
});

describe('span', () => {
  it.each([
    [8, '8 s'],
    [59.5, '1 min'],
    [3599, '59 min'],
    [3600, '1 h'],
    [3900, '1 h 5 min'],
  ])('%d reads %s', (seconds, words) => {
    expect(span(seconds)).toBe(words);
  });
});

describe('grouped', () => {
  it.each([
    ['4827', ['4827']],
    ['48273', ['48273']],
    ['482913', ['482', '913']],
    ['4829136', ['4829', '136']],
    ['0123456789', ['01234', '56789']],
  ])('%s loses no digit', (digits, groups) => {
    expect(grouped(digits)).toEqual(groups);
  });
});
