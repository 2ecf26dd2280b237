//! What the peer's media clock says at a time of ours, so that latency across two machines is measured, not guessed.
//!
//! The two exchange time stamps as NTP does (RFC 5905, section 8): we send at `t0`, the peer gets it at `t1` and
//! answers at `t2`, we get the answer at `t3`. Had both ways taken equally long, the peer's clock would be ahead by
//! ((t1 − t0) + (t2 − t3)) / 2; the error is at most half of the round trip, whatever the ways took. So the exchange
//! with the shortest round trip is believed, and the jitter of all the others does no harm.
//!
//! Crystals differ by some tens of parts per million, so an old exchange is worth less than a fresh one: its error
//! bound grows with its age. The exchange with the smallest bound is the one in use, which follows the drift.

use std::{collections::VecDeque, time::Duration};

use crate::time::Micros;

/// One exchange of time stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// When we asked, on our clock.
    pub t0: Micros,
    /// When the peer got it, on its clock.
    pub t1: Micros,
    /// When the peer answered, on its clock.
    pub t2: Micros,
    /// When we got the answer, on our clock.
    pub t3: Micros,
}

/// The estimate of how far the peer's media clock is ahead of ours.
///
/// Feed it one exchange a second or so with [`record`](Self::record).
#[derive(Clone, Debug, Default)]
pub struct ClockOffset {
    /// The last [`WINDOW`] exchanges, oldest first.
    samples: VecDeque<Sample>,
    best: Option<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    /// When it was complete, on our clock.
    at: Micros,
    /// The peer's clock minus ours, in µs; wider than either, since both origins are arbitrary.
    offset: i128,
    round_trip: Duration,
}

impl ClockOffset {
    /// An estimate that nothing is known to yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one exchange.
    ///
    /// One that cannot have happened, with an answer before its question or a peer that held it for longer than the
    /// whole exchange took, is passed over: the time stamps are the peer's word.
    pub fn record(&mut self, exchange: Exchange) {
        let Some(sample) = exchange.sample() else { return };
        if self.samples.len() == WINDOW {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        self.best = self.samples.iter().copied().min_by_key(|candidate| candidate.error_bound(sample.at));
    }

    /// The time on our clock at which the peer's clock said `peer`.
    ///
    /// `None` before the first exchange, and for a time that our clock does not reach.
    pub fn to_local(&self, peer: Micros) -> Option<Micros> {
        let local = i128::from(peer.0) - self.best?.offset;
        u64::try_from(local).ok().map(Micros)
    }

    /// The round trip of the exchange in use.
    pub fn rtt(&self) -> Option<Duration> {
        self.best.map(|sample| sample.round_trip)
    }

    /// How far off [`to_local`](Self::to_local) can be at `now`, at most.
    pub fn error_bound(&self, now: Micros) -> Option<Duration> {
        self.best.map(|sample| sample.error_bound(now))
    }
}

impl Exchange {
    fn sample(self) -> Option<Sample> {
        let Self { t0, t1, t2, t3 } = self;
        if t3 < t0 || t2 < t1 {
            return None;
        }
        let round_trip = t3.since(t0).checked_sub(t2.since(t1))?;
        let difference = |peer: Micros, local: Micros| i128::from(peer.0) - i128::from(local.0);
        Some(Sample { at: t3, offset: i128::midpoint(difference(t1, t0), difference(t2, t3)), round_trip })
    }
}

impl Sample {
    fn error_bound(&self, now: Micros) -> Duration {
        self.round_trip / 2 + now.since(self.at) / DRIFT
    }
}

/// How many exchanges are kept: about half a minute of them.
///
/// After that long a sample's bound has grown by 3 ms, and on any network that a picture is streamed over a newer one
/// is better.
const WINDOW: usize = 32;

/// Two clocks drift apart by at most one part in this many: 100 ppm, twice 50 ppm for each crystal.
///
/// A larger share would follow a bad crystal more closely and give up a good sample for a jittery one sooner.
const DRIFT: u32 = 10_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exchange(t0: u64, t1: u64, t2: u64, t3: u64) -> Exchange {
        Exchange { t0: Micros(t0), t1: Micros(t1), t2: Micros(t2), t3: Micros(t3) }
    }

    #[test]
    fn nothing_is_known_before_the_first_exchange() {
        let clock = ClockOffset::new();
        assert_eq!(clock.to_local(Micros(5)), None);
        assert_eq!(clock.rtt(), None);
        assert_eq!(clock.error_bound(Micros(5)), None);
    }

    #[test]
    fn equal_ways_give_the_exact_offset_whichever_clock_is_ahead() {
        let mut clock = ClockOffset::new();
        clock.record(exchange(1_000, 501_500, 501_700, 2_200));
        assert_eq!(clock.to_local(Micros(500_500)), Some(Micros(500)));
        assert_eq!(clock.rtt(), Some(Duration::from_millis(1)));
        assert_eq!(clock.to_local(Micros(499_999)), None, "before the origin of our clock");

        let mut clock = ClockOffset::new();
        clock.record(exchange(501_000, 1_500, 1_700, 502_200));
        assert_eq!(clock.to_local(Micros(2_000)), Some(Micros(502_000)));
    }

    /// A peer that claims impossible time stamps must not move the estimate, nor overflow it.
    #[test]
    fn an_exchange_that_cannot_have_happened_changes_nothing() {
        let mut clock = ClockOffset::new();
        clock.record(exchange(1_000, 501_500, 501_700, 2_200));
        clock.record(exchange(3_000, 9_000, 8_999, 3_100));
        clock.record(exchange(3_000, 9_000, 9_101, 3_100));
        clock.record(exchange(3_100, 9_000, 9_000, 3_000));
        clock.record(exchange(3_000, 0, u64::MAX, 3_100));
        assert_eq!(clock.to_local(Micros(500_500)), Some(Micros(500)));

        let mut far = ClockOffset::new();
        far.record(exchange(0, u64::MAX, u64::MAX, 10));
        assert_eq!(far.to_local(Micros::MAX), Some(Micros(5)));
        assert_eq!(far.to_local(Micros::ZERO), None);
    }

    #[test]
    fn the_exchange_with_the_shortest_round_trip_is_the_one_in_use() {
        let mut clock = ClockOffset::new();
        clock.record(exchange(0, 1_008_000, 1_008_000, 9_000));
        clock.record(exchange(20_000, 1_020_500, 1_020_500, 21_000));
        clock.record(exchange(40_000, 1_041_000, 1_041_000, 50_000));
        assert_eq!(clock.to_local(Micros(1_000_000)), Some(Micros::ZERO));
        assert_eq!(clock.rtt(), Some(Duration::from_millis(1)));
    }

    /// One answer in ten comes through cleanly; of the others each way is held up by up to 30 ms on its own, which a
    /// mean of the offsets would take for a difference of the clocks. Over these ten minutes the clocks drift apart by
    /// 54 ms.
    #[test]
    fn asymmetric_jitter_and_drift_leave_the_estimate_within_its_bound() {
        for drift_ppm in [-90_i64, 0, 90] {
            let peer_at = |local: u64| {
                let local = i64::try_from(local).unwrap();
                Micros((local + 7_000_000 + local * drift_ppm / 1_000_000) as u64)
            };
            let mut clock = ClockOffset::new();
            let mut noise = 0x2545_F491_4F6C_DD1D_u64;
            for round in 0..600_u64 {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                let (there, back) = match noise % 10 {
                    0 => (500, 600),
                    _ => (500 + noise % 30_000, 600 + (noise >> 32) % 30_000),
                };
                let asked = 1_000_000 + round * 1_000_000;
                let got = asked + there;
                let answered = got + 300;
                let done = answered + back;
                clock.record(Exchange {
                    t0: Micros(asked),
                    t1: peer_at(got),
                    t2: peer_at(answered),
                    t3: Micros(done),
                });
                let estimate = clock.to_local(peer_at(done)).unwrap();
                let error = estimate.since(Micros(done)).max(Micros(done).since(estimate));
                assert!(error <= clock.error_bound(Micros(done)).unwrap(), "round {round}: {error:?}");
                if round >= 60 {
                    assert!(error < Duration::from_millis(5), "{drift_ppm} ppm, round {round}: {error:?}");
                }
            }
        }
    }

    proptest! {
        /// The bound is the promise of the method: half of the round trip, however unequal the ways.
        #[test]
        fn the_error_is_at_most_half_the_round_trip(
            offset in 0..1_u64 << 40,
            there in 0..100_000_u64,
            held in 0..100_000_u64,
            back in 0..100_000_u64,
        ) {
            let mut clock = ClockOffset::new();
            clock.record(exchange(1_000_000, 1_000_000 + there + offset, 1_000_000 + there + held + offset, 1_000_000 + there + held + back));
            let estimate = clock.to_local(Micros(1_500_000 + offset)).unwrap();
            let error = estimate.since(Micros(1_500_000)).max(Micros(1_500_000).since(estimate));
            prop_assert!(error <= Duration::from_micros((there + back).div_ceil(2)), "{error:?}");
            prop_assert_eq!(clock.rtt(), Some(Duration::from_micros(there + back)));
        }

        #[test]
        fn any_time_stamps_are_taken_in_without_panic(stamps in prop::collection::vec(any::<[u64; 4]>(), 0..80), peer in any::<u64>()) {
            let mut clock = ClockOffset::new();
            for [t0, t1, t2, t3] in stamps {
                clock.record(exchange(t0, t1, t2, t3));
            }
            clock.to_local(Micros(peer));
            clock.error_bound(Micros(peer));
        }
    }
}
