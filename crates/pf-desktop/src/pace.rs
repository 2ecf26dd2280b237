//! When the next picture may be taken.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// Keeps pictures at least one interval apart, and on an even beat while there is always a new one.
#[derive(Debug)]
pub(crate) struct Pace {
    interval: Duration,
    due: Option<Instant>,
}

impl Pace {
    pub(crate) fn new(fps: NonZeroU32) -> Self {
        Self { interval: interval(fps), due: None }
    }

    /// The earliest moment for the next picture, `now` if that has passed.
    pub(crate) fn due(&self, now: Instant) -> Instant {
        self.due.map_or(now, |due| due.max(now))
    }

    /// A picture was taken at `now`.
    ///
    /// One that is hardly late, as by a sleep that overslept, keeps the beat; else the beat starts anew.
    pub(crate) fn taken(&mut self, now: Instant) {
        let beat = match self.due {
            Some(due) if now < due + self.interval / 8 => due,
            _ => now,
        };
        self.due = Some(beat + self.interval);
    }
}

/// The time between two pictures at `fps`.
pub(crate) fn interval(fps: NonZeroU32) -> Duration {
    Duration::from_secs(1) / fps.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn pace() -> Pace {
        Pace::new(NonZeroU32::new(100).unwrap())
    }

    #[test]
    fn the_first_picture_and_one_after_a_pause_are_due_at_once() {
        let start = Instant::now();
        let mut pace = pace();
        assert_eq!(pace.due(start), start);
        pace.taken(start);
        let later = start + 500 * MS;
        assert_eq!(pace.due(later), later);
    }

    #[test]
    fn a_picture_soon_after_another_waits_for_the_rest_of_the_interval() {
        let start = Instant::now();
        let mut pace = pace();
        pace.taken(start);
        assert_eq!(pace.due(start + 3 * MS), start + 10 * MS);
        pace.taken(start + 14 * MS);
        assert_eq!(pace.due(start + 14 * MS), start + 24 * MS);
    }

    /// Sleeps that overslept a little must not add up to a lower rate.
    #[test]
    fn small_delays_do_not_slow_the_beat() {
        let start = Instant::now();
        let mut pace = pace();
        pace.taken(start);
        for beat in 1..100 {
            let due = pace.due(start);
            assert_eq!(due, start + 10 * beat * MS);
            pace.taken(due + MS);
        }
    }
}
