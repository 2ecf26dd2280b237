//! When a stream's samples were heard, or will be, from what the server says now and then.

use std::time::{Duration, Instant};

use crate::frame::duration_of;

/// The time of each sample of a stream, by its number.
///
/// The server's word jitters by a millisecond or so, samples do not: they follow each other at their rate, and what the
/// server says only corrects that a little each time. A real jump is believed at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stamps {
    anchor: Option<(u64, Instant)>,
    observed: u32,
}

impl Stamps {
    /// Notes that the sample of this number is heard `at`.
    pub(crate) fn observe(&mut self, sample: u64, at: Instant) {
        let at = match self.of(sample) {
            Some(expected) if distance(expected, at) < JUMP => {
                self.observed = (self.observed + 1).min(STEADY);
                let later = at.saturating_duration_since(expected) / self.observed;
                let earlier = expected.saturating_duration_since(at) / self.observed;
                shifted(expected, later, earlier)
            }
            _ => {
                self.observed = 1;
                at
            }
        };
        self.anchor = Some((sample, at));
    }

    /// When the sample of this number is heard; `None` before the first word.
    pub(crate) fn of(&self, sample: u64) -> Option<Instant> {
        let (anchor, at) = self.anchor?;
        if sample >= anchor {
            at.checked_add(duration_of(sample - anchor))
        } else {
            at.checked_sub(duration_of(anchor - sample))
        }
    }
}

/// The time that is `later` after `at` less `earlier`; `at` itself where the clock does not reach that far.
pub(crate) fn shifted(at: Instant, later: Duration, earlier: Duration) -> Instant {
    at.checked_add(later).and_then(|later| later.checked_sub(earlier)).unwrap_or(at)
}

/// How many samples of each channel a number of bytes in a stream is; none when the server counts below 0.
pub(crate) fn samples_in(bytes: i64) -> u64 {
    u64::try_from(bytes).unwrap_or(0) / crate::connection::BYTES_PER_SAMPLE as u64
}

fn distance(a: Instant, b: Instant) -> Duration {
    a.max(b) - a.min(b)
}

/// A word this far from what was expected is believed at once: the stream moved to another device, or lost samples.
const JUMP: Duration = Duration::from_millis(30);

/// One in so many of the words' differences is taken over once there were as many.
const STEADY: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_smoothed_drift_is_followed_and_a_jump_is_believed() {
        let start = Instant::now() + Duration::from_hours(1);
        let mut stamps = Stamps::default();
        assert_eq!(stamps.of(5), None);
        // A device 200 ppm slow, asked ten times a second, with 2 ms of jitter.
        let truth = |sample: u64| start + duration_of(sample) + duration_of(sample) / 5_000;
        for step in 0..300_u64 {
            let sample = step * 4_800;
            stamps.observe(sample, truth(sample) + Duration::from_micros(step * 7_919 % 2_000));
            if step > 20 {
                let error = distance(stamps.of(sample).unwrap(), truth(sample) + Duration::from_millis(1));
                assert!(error < Duration::from_micros(900), "step {step}: {error:?}");
            }
        }
        let moved = truth(1_500_000) + Duration::from_millis(50);
        stamps.observe(1_500_000, moved);
        assert_eq!(stamps.of(1_500_480), Some(moved + Duration::from_millis(10)));
        assert_eq!(stamps.of(1_499_520), moved.checked_sub(Duration::from_millis(10)));
    }
}
