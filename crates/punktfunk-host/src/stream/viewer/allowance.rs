//! How often one receiver may have an encoder that others share do something for it alone.

use std::time::Duration;

use pf_media::time::Micros;

/// Recoveries that are left to one receiver.
///
/// A key frame or a recovery costs everybody who shares the encoder some of the rate. A receiver that lies, or whose link
/// is that bad, gets no more of them than this; what it misses in between is its own loss.
#[derive(Clone, Debug, Default)]
pub(super) struct Allowance {
    /// Until when what was had is not made up for.
    settled: Micros,
}

impl Allowance {
    /// Whether one more may be had.
    pub(super) fn is_left(&self, now: Micros) -> bool {
        self.settled.since(now) + EACH <= EACH * AT_ONCE
    }

    /// One is had.
    pub(super) fn spend(&mut self, now: Micros) {
        self.settled = self.settled.max(now) + EACH;
    }
}

/// How long it takes until one more may be had: a link that loses a burst each second is helped each time.
const EACH: Duration = Duration::from_millis(500);

/// How many may be had at once.
const AT_ONCE: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// One hostile viewer must not turn the picture of all others into key frames.
    #[test]
    fn four_may_be_had_at_once_and_then_two_a_second() {
        let mut allowance = Allowance::default();
        let mut had = 0;
        for millisecond in 0..10_000 {
            let now = Micros(5_000_000 + millisecond * 1_000);
            if allowance.is_left(now) {
                allowance.spend(now);
                had += 1;
            }
        }
        assert!((22..=24).contains(&had), "{had}");
    }
}
