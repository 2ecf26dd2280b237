//! Percentiles of latencies, in memory that does not grow.

use std::time::Duration;

/// How long something took, over a whole session: a histogram of which percentiles are read.
///
/// A latency is counted in one of 32 steps per doubling, so that a percentile is at most 1/32 (3.2 %) above the true
/// one and never below it; below 64 µs it is exact. What takes longer than 71 minutes counts as 71 minutes.
/// It costs 7 KiB, however long the session.
#[derive(Clone, Debug)]
pub struct Latency {
    steps: Box<[u64; STEPS]>,
    count: u64,
    longest: u64,
}

impl Latency {
    /// A histogram with nothing in it.
    pub fn new() -> Self {
        Self { steps: Box::new([0; STEPS]), count: 0, longest: 0 }
    }

    /// Counts one latency.
    pub fn record(&mut self, latency: Duration) {
        let micros = latency.as_micros().min(u128::from(LONGEST)) as u64;
        self.steps[step(micros)] += 1;
        self.count += 1;
        self.longest = self.longest.max(micros);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest that was counted, exactly; `None` when there was none.
    pub fn longest(&self) -> Option<Duration> {
        (self.count > 0).then(|| Duration::from_micros(self.longest))
    }

    /// The latency that `percent` of a hundred stayed within: 50 gives the median.
    ///
    /// `None` when nothing was counted. What is below 0 counts as 0 (the shortest), above 100 as 100 (the longest).
    pub fn percentile(&self, percent: f64) -> Option<Duration> {
        let rank = (percent.clamp(0.0, 100.0) / 100.0 * self.count as f64).ceil() as u64;
        let mut within = 0;
        let step = self.steps.iter().position(|&count| {
            within += count;
            within > 0 && within >= rank
        })?;
        Some(Duration::from_micros(step_end(step).min(self.longest)))
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

/// The step that a latency is counted in.
fn step(micros: u64) -> usize {
    let doublings = (u64::BITS - micros.leading_zeros()).saturating_sub(PRECISION_BITS + 1);
    ((doublings as usize) << PRECISION_BITS) + (micros >> doublings) as usize
}

/// The longest latency that is counted in `step`.
fn step_end(step: usize) -> u64 {
    let doublings = (step >> PRECISION_BITS).saturating_sub(1);
    let within = step - (doublings << PRECISION_BITS);
    ((within as u64 + 1) << doublings) - 1
}

/// The binary digits of a latency that are kept: 32 steps per doubling.
const PRECISION_BITS: u32 = 5;

/// The longest latency that is told apart, in µs.
const LONGEST: u64 = u32::MAX as u64;

/// How many steps there are up to [`LONGEST`].
const STEPS: usize = ((u32::BITS - PRECISION_BITS + 1) as usize) << PRECISION_BITS;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_counted_has_no_percentile() {
        let latency = Latency::new();
        assert_eq!(latency.percentile(50.0), None);
        assert_eq!(latency.percentile(0.0), None);
        assert_eq!(latency.longest(), None);
    }

    #[test]
    fn percentiles_of_one_to_a_hundred_are_the_numbers_themselves_within_the_resolution() {
        let mut latency = Latency::new();
        for millis in (1..=100).rev() {
            latency.record(Duration::from_millis(millis));
        }
        assert_eq!(latency.count(), 100);
        assert_eq!(latency.percentile(100.0), Some(Duration::from_millis(100)));
        assert_eq!(latency.longest(), Some(Duration::from_millis(100)));
        for (percent, millis) in [(0.0, 1), (1.0, 1), (50.0, 50), (95.0, 95), (99.0, 99)] {
            let found = latency.percentile(percent).unwrap();
            let exact = Duration::from_millis(millis);
            assert!(found >= exact && found <= exact * 33 / 32, "p{percent}: {found:?}");
        }
    }

    /// A stall of hours, or a clock that jumped, must not index past the histogram.
    #[test]
    fn what_is_beyond_the_range_counts_as_its_end() {
        let mut latency = Latency::new();
        latency.record(Duration::MAX);
        latency.record(Duration::ZERO);
        assert_eq!(latency.percentile(100.0), Some(Duration::from_micros(LONGEST)));
        assert_eq!(latency.percentile(50.0), Some(Duration::ZERO));
        assert_eq!(latency.percentile(f64::NAN), Some(Duration::ZERO));
    }

    proptest! {
        #[test]
        fn a_percentile_is_the_exact_one_or_up_to_a_32nd_above(
            mut micros in prop::collection::vec(prop_oneof![0..100_u64, 0..100_000_u64, 0..=LONGEST], 1..200),
            percent in 0.0..=100.0_f64,
        ) {
            let mut latency = Latency::new();
            for &one in &micros {
                latency.record(Duration::from_micros(one));
            }
            micros.sort_unstable();
            let rank = ((percent / 100.0 * micros.len() as f64).ceil() as usize).max(1);
            let exact = micros[rank - 1];
            let found = latency.percentile(percent).unwrap().as_micros() as u64;
            prop_assert!(found >= exact && found <= exact + exact / 32, "{found} for {exact}");
        }
    }
}
