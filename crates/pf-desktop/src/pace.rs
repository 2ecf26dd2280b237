//! When the next picture may be taken.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// Holds pictures to a rate, but never one that is alone.
///
/// A bucket of two pictures: one that comes soon after a pause, as when a program draws in two goes, is taken at once.
/// It fills a little faster than pictures are asked for ([`SURPLUS`]). Otherwise one picture too early would empty it
/// for good, and every later picture of a program that keeps the rate would wait for a part of the interval.
#[derive(Debug)]
pub(crate) struct Pace {
    /// The time in which the bucket gains a picture.
    step: Duration,
    /// When the bucket is full; `None` before the first picture.
    full: Option<Instant>,
}

impl Pace {
    pub(crate) fn new(fps: NonZeroU32) -> Self {
        Self { step: step(fps), full: None }
    }

    /// Another rate from now on.
    pub(crate) fn set(&mut self, fps: NonZeroU32) {
        self.step = step(fps);
    }

    /// The earliest moment for the next picture, `now` if that has passed.
    pub(crate) fn due(&self, now: Instant) -> Instant {
        let due = self.full.and_then(|full| full.checked_sub(self.step));
        due.map_or(now, |due| due.max(now))
    }

    /// A picture was taken at `now`.
    pub(crate) fn taken(&mut self, now: Instant) {
        self.full = Some(self.full.map_or(now, |full| full.max(now)) + self.step);
    }
}

/// The time between two pictures at `fps`.
pub(crate) fn interval(fps: NonZeroU32) -> Duration {
    Duration::from_secs(1) / fps.get()
}

fn step(fps: NonZeroU32) -> Duration {
    interval(fps) * SURPLUS / (SURPLUS + 1)
}

/// One picture in this many is beyond the rate that was asked for.
///
/// Enough for programs whose timers count in milliseconds: 62.5 pictures a second, where 60 are meant.
const SURPLUS: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A step of 10 ms.
    fn pace() -> Pace {
        let mut pace = Pace::new(NonZeroU32::MIN);
        pace.step = 10 * MS;
        pace
    }

    /// Takes a picture of each change, as soon as it is due; how long each change waited.
    fn waits(changes: impl Iterator<Item = Duration>) -> Vec<Duration> {
        let start = Instant::now();
        let mut pace = Pace::new(NonZeroU32::new(60).unwrap());
        let wait = |change| {
            let due = pace.due(start + change);
            pace.taken(due);
            due - (start + change)
        };
        changes.map(wait).collect()
    }

    #[test]
    fn two_pictures_after_a_pause_are_due_at_once_and_the_third_is_not() {
        let start = Instant::now();
        let mut pace = pace();
        for begin in [start, start + 500 * MS] {
            assert_eq!(pace.due(begin), begin);
            pace.taken(begin);
            assert_eq!(pace.due(begin + MS), begin + MS);
            pace.taken(begin + MS);
            assert_eq!(pace.due(begin + 2 * MS), begin + 10 * MS);
        }
    }

    /// Sleeps that overslept a little must not add up to a lower rate.
    #[test]
    fn small_delays_do_not_slow_the_beat() {
        let start = Instant::now();
        let mut pace = pace();
        pace.taken(start);
        for beat in 0..100 {
            let due = pace.due(start);
            assert_eq!(due, start + 10 * beat * MS);
            pace.taken(due + MS);
        }
    }

    /// A window that is redrawn 60 times a second, a millisecond early or late, is not to wait for its turn.
    #[test]
    fn content_at_the_rate_asked_for_never_waits() {
        let jitter = |frame: u32| MS * (frame * 7 % 3);
        let at_rate = (0..1000).map(|frame| Duration::from_secs(1) / 60 * frame + jitter(frame));
        assert_eq!(waits(at_rate).into_iter().max(), Some(Duration::ZERO));
        let by_milliseconds = (0..1000).map(|frame| 16 * MS * frame + jitter(frame));
        assert_eq!(waits(by_milliseconds).into_iter().max(), Some(Duration::ZERO));
    }

    /// An extra picture, as of something drawn in two goes, must not make all that follow late.
    #[test]
    fn one_picture_too_many_delays_none_for_long() {
        let beat = Duration::from_secs(1) / 60;
        let mut changes: Vec<_> = (0..200).map(|frame| beat * frame).collect();
        changes.insert(101, beat * 100 + MS);
        let waits = waits(changes.into_iter());
        assert!(waits[..=101].iter().all(Duration::is_zero));
        assert!(waits[125..].iter().all(Duration::is_zero), "{waits:?}");
    }

    #[test]
    fn what_changes_all_the_time_comes_at_most_a_twentieth_faster_than_asked_for() {
        let start = Instant::now();
        let mut pace = Pace::new(NonZeroU32::new(60).unwrap());
        let mut now = start;
        for _ in 0..601 {
            now = pace.due(now);
            pace.taken(now);
        }
        let rate = 600.0 / (now - start).as_secs_f64();
        assert!((62.0..63.2).contains(&rate), "{rate}");
    }
}
