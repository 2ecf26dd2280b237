/** The time of this page, ticking: whoever shows a countdown reads `clock.now`. */

const TICK_MS = 250;

class Clock {
  /** Milliseconds, as `Date.now`: it goes on while the machine sleeps, so a PIN is gone when it wakes. */
  now = $state(Date.now());

  constructor() {
    setInterval(() => (this.now = Date.now()), TICK_MS);
  }

  /** Seconds left of `seconds` that were counted from the moment `from`. */
  left(seconds: number, from: number): number {
    return Math.max(0, seconds - Math.max(0, this.now - from) / 1000);
  }
}

export const clock = new Clock();
