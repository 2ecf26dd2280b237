/** How times and figures read: in the reader's own locale, and with the figures' widths kept. */

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto', style: 'short' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
const short = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const timeOfDay = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: 'full' });

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long ago, as a person says it. Moments ahead of this clock, as the host's may be, are now. */
export function ago(at: string, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - Date.parse(at)) / 1000));
  // A second's change in "3 seconds ago" only makes a page restless.
  if (seconds < MINUTE) return relative.format(0, 'second');
  if (seconds < HOUR) return relative.format(-Math.floor(seconds / MINUTE), 'minute');
  if (seconds < DAY) return relative.format(-Math.floor(seconds / HOUR), 'hour');
  if (seconds < 30 * DAY) return relative.format(-Math.floor(seconds / DAY), 'day');
  return short.format(new Date(at));
}

export const absolute = (at: string): string => full.format(new Date(at));
export const dateTime = (at: string): string => short.format(new Date(at));
export const time = (at: string): string => timeOfDay.format(new Date(at));

/** The day of a moment, as a heading: `today` and `yesterday` by their names. */
export function day(
  at: string,
  nowMs: number,
  names: { today: string; yesterday: string },
): string {
  const moment = new Date(at);
  const today = new Date(nowMs);
  if (moment.toDateString() === today.toDateString()) return names.today;
  today.setDate(today.getDate() - 1);
  if (moment.toDateString() === today.toDateString()) return names.yesterday;
  return date.format(moment);
}

/** Seconds as a countdown, `m:ss`; a fraction counts as a whole second, so that 0:00 is over. */
export function countdown(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** Seconds as words: `8 s`, `4 min`, `1 h 5 min`. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min`;
  const minutes = Math.floor((whole % HOUR) / MINUTE);
  return `${Math.floor(whole / HOUR)} h${minutes > 0 ? ` ${minutes} min` : ''}`;
}

/** A figure with a fixed number of decimals, in the reader's locale. */
export function figure(value: number, decimals: number): string {
  return value.toLocaleString(undefined, {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
}

/** Digits in halves where there are more than five, as people read them: `123 456`. */
export function grouped(digits: string): string[] {
  if (digits.length < 6) return [digits];
  const half = Math.ceil(digits.length / 2);
  return [digits.slice(0, half), digits.slice(half)];
}
