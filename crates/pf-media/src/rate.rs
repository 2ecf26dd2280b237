//! How many bits a second a stream may send: it follows a link down within a fraction of a second, and up in a few.
//!
//! Two things are read from the receiver's reports, both on the receiver's own clock, whose offset does not matter:
//!
//! - The *queue*: how much longer the first shard of a frame took than the fastest of the last seconds. The shortest of
//!   the last few frames is the standing queue, which a jitter below [`TARGET`] is not taken for.
//! - The *train*: how far apart the first and the last shard of a frame arrived. Its shards left at the pacer's rate; if
//!   they arrived as fast, the link takes at least that. It tells of spare capacity without filling a queue first.
//!
//! With each report:
//! - The standing queue is above [`TARGET`], or two samples in a row show a link that became much slower: the rate falls
//!   to a little less than what was delivered, and no new picture is sent until what is under way has drained.
//! - More than [`LOSS_LIMIT`] is lost without a queue: the link has a short one; the rate falls to a little less than
//!   what was delivered. Less loss is what parity is for.
//! - Else, if the rate is in use, it grows: fast while nothing but the start is behind it, or while trains say that the
//!   link takes much more; in constant steps otherwise, which makes flows that share a link come to equal shares.
//!
//! When no report comes, nothing more is sent after [`SILENCE`].

mod outstanding;
mod path;

use std::{collections::VecDeque, ops::Range, time::Duration};

use pf_proto::session::MediaFeedback;

use self::{
    outstanding::{Outstanding, SentFrame},
    path::{BaseDelay, Trains},
};
use crate::time::Micros;

/// What a rate stays between, in bits a second on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Never less: what a stream needs to be one at all.
    pub floor: u64,
    /// Where it begins.
    pub start: u64,
    /// Never more: what the receiver asked for.
    pub ceiling: u64,
}

/// The rate controller of one stream.
///
/// Tell it each datagram that is sent with [`sent`](Self::sent) and each report with
/// [`handle_feedback`](Self::handle_feedback), which says what became of which frame. `now` must never run backwards.
#[derive(Clone, Debug)]
pub struct RateController {
    limits: Limits,
    rate: f64,
    phase: Phase,
    outstanding: Outstanding,
    base: BaseDelay,
    trains: Trains,
    /// Of the last frames, newest last: when they were reported and how they fared.
    recent: VecDeque<Sample>,
    /// The round trip without the receiver's own time, shortest of the last seconds.
    round_trip: BaseDelay,
    last_number: Option<u32>,
    last_feedback: Micros,
    last_growth: Micros,
    /// Until a frame that was sent after this is reported, the rate does not fall again.
    fell: Option<Micros>,
    /// Since when the queue stands without a pause.
    standing_since: Option<Micros>,
    /// What the link delivers while its queue is being drained, in bits a second.
    draining: Option<f64>,
}

/// What a report said about one frame that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fared {
    /// How many of its datagrams had been sent.
    pub sent: u16,
    /// How many of these did not arrive.
    pub lost: u16,
}

#[derive(Clone, Debug)]
struct Sample {
    /// When its first datagram was sent.
    sent: Micros,
    /// When its first and last came, on the receiver's clock.
    came: Range<u64>,
    /// How much longer than the fastest these took.
    first_queue: Duration,
    last_queue: Duration,
    datagrams: u16,
    lost: u16,
    sent_bytes: u64,
    delivered_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No queue was met yet.
    Startup,
    /// One was.
    Steady,
}

impl RateController {
    /// A controller of a path that nothing is known about.
    pub fn new(now: Micros, limits: Limits) -> Self {
        let limits = Limits { ceiling: limits.ceiling.max(limits.floor), ..limits };
        Self {
            limits,
            rate: limits.start.clamp(limits.floor, limits.ceiling) as f64,
            phase: Phase::Startup,
            outstanding: Outstanding::default(),
            base: BaseDelay::default(),
            trains: Trains::default(),
            recent: VecDeque::new(),
            round_trip: BaseDelay::default(),
            last_number: None,
            last_feedback: now,
            last_growth: now,
            fell: None,
            standing_since: None,
            draining: None,
        }
    }

    /// A datagram of `frame` leaves now, with `bytes` on the wire. Frames come in the order of their numbers.
    pub fn sent(&mut self, now: Micros, frame: u32, bytes: usize) {
        if self.outstanding.frames() == 0 {
            // Nothing could be reported while nothing was sent.
            self.last_feedback = self.last_feedback.max(now);
        }
        self.outstanding.record(now, frame, bytes as u64);
    }

    /// Takes in a report and says how the frames fared that it is the first to tell of, oldest first.
    ///
    /// A report that is older than one that was taken in says nothing new. Numbers in it that cannot be are harmless:
    /// all that a receiver can lie itself into is a rate within the limits.
    pub fn handle_feedback(&mut self, now: Micros, feedback: &MediaFeedback) -> Vec<Fared> {
        if !self.is_news(feedback) {
            return Vec::new();
        }
        self.last_number = Some(feedback.number);
        self.last_feedback = now;
        let fared = self.take_in(now, feedback);
        if !fared.is_empty() {
            self.adapt(now);
        }
        fared
    }

    /// Whether a report is newer than all that were taken in.
    pub fn is_news(&self, feedback: &MediaFeedback) -> bool {
        self.last_number.is_none_or(|last| feedback.number.wrapping_sub(last).cast_signed() > 0)
    }

    /// How many bits a second may go over the wire, all in all.
    pub fn rate(&self) -> u64 {
        self.rate as u64
    }

    /// How fast the datagrams of one frame may follow each other, in bits a second: what the link was seen to take, and
    /// a little more to see whether it takes that.
    pub fn pace(&self) -> u64 {
        (self.trains.proven() * PROBE).max(self.rate * LEAST_PACE).min(MOST_PACE) as u64
    }

    /// Whether another picture may be sent now, or what is under way has to drain first.
    pub fn may_send(&self, now: Micros) -> bool {
        let Some(newest) = self.outstanding.newest() else { return true };
        let silent = now.since(self.last_feedback);
        if silent >= SILENCE + self.round_trip() {
            // One picture at times, so that something can be reported again.
            return now.since(newest.first) >= SILENCE;
        }
        let rate = self.draining.unwrap_or(self.rate);
        let spare = if self.draining.is_some() { DRAINED } else { UNREPORTED };
        self.outstanding.bits() <= rate * (self.round_trip() + spare).as_secs_f64()
            || self.outstanding.frames() <= 1
    }

    /// Whether the rate is too high for the path just now, so that what is lost is lost to a full queue.
    pub fn is_congested(&self) -> bool {
        self.draining.is_some() || self.standing_since.is_some()
    }

    /// The shortest round trip of the last seconds, without the receiver's own time.
    pub fn round_trip(&self) -> Duration {
        self.round_trip
            .shortest()
            .map_or(ASSUMED_ROUND_TRIP, |micros| Duration::from_micros(micros.clamp(0, 1_000_000) as u64))
    }

    /// The receiver asks for another ceiling, which may be below the floor of before.
    pub fn set_ceiling(&mut self, ceiling: u64) {
        self.limits.floor = self.limits.floor.min(ceiling);
        self.limits.ceiling = ceiling;
        self.rate = self.rate.min(self.limits.ceiling as f64);
    }

    /// Matches what is reported with what was sent.
    fn take_in(&mut self, now: Micros, feedback: &MediaFeedback) -> Vec<Fared> {
        let mut fared = Vec::new();
        for arrival in feedback.frames.iter().rev() {
            let frame = feedback.newest_frame.wrapping_sub(arrival.before_newest.into());
            while let Some(sent) = self.outstanding.take_up_to(frame) {
                let is_reported = sent.frame == frame;
                let received = if is_reported { arrival.shards.min(sent.datagrams) } else { 0 };
                fared.push(Fared { sent: sent.datagrams, lost: sent.datagrams - received });
                if is_reported {
                    let first = feedback.sent.saturating_sub(arrival.first_before.into());
                    let came = first..first.saturating_add(arrival.spread.into());
                    self.sample(now, feedback.sent, sent, came, received);
                }
            }
        }
        fared
    }

    fn sample(&mut self, now: Micros, reported: u64, sent: SentFrame, came: Range<u64>, delivered: u16) {
        let took = |arrived: u64, left: Micros| i128::from(arrived) - i128::from(left.0);
        self.base.record(now, took(came.start, sent.first));
        let held = reported.saturating_sub(came.end);
        self.round_trip.record(now, took(now.since(sent.last).as_micros() as u64, Micros(held)).max(0));
        let delivered_bytes = sent.bytes * u64::from(delivered) / u64::from(sent.datagrams.max(1));
        let bits = |bytes: u64| bytes as f64 * 8.0;
        if delivered >= TRAIN && sent.last > sent.first {
            let share = f64::from(delivered - 1) / f64::from(delivered);
            let left = bits(sent.bytes) * share / sent.last.since(sent.first).as_secs_f64();
            let arrived = bits(delivered_bytes) * share / ((came.end - came.start).max(1) as f64 / 1e6);
            self.trains.record(arrived.min(left));
        }
        self.recent.push_back(Sample {
            sent: sent.first,
            first_queue: self.base.above(took(came.start, sent.first)),
            last_queue: self.base.above(took(came.end, sent.last)),
            came,
            datagrams: sent.datagrams,
            lost: sent.datagrams - delivered,
            sent_bytes: sent.bytes,
            delivered_bytes,
        });
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    fn adapt(&mut self, now: Micros) {
        let standing = self.standing_queue();
        let slower = self.is_suddenly_slower();
        if let Some(delivered) = self.draining
            && !slower
            && self.outstanding.bits() <= delivered * (self.round_trip() + DRAINED).as_secs_f64()
        {
            self.draining = None;
        }
        if standing > TARGET || slower {
            self.last_growth = now;
            let since = *self.standing_since.get_or_insert(now);
            if now.since(since) >= BASE_RELEARN && self.draining.is_none() {
                // It does not drain whatever we do: the path is longer, or others fill it.
                self.relearn_base(now);
            } else if self.may_fall() {
                self.drain(now);
            }
            return;
        }
        self.standing_since = None;
        if self.loss() > LOSS_LIMIT && self.may_fall() {
            let delivered = self.delivered_share() * self.rate;
            self.fall_to(now, delivered * FALL);
            return;
        }
        self.grow(now, standing);
    }

    /// The shortest queue of the last frames.
    fn standing_queue(&self) -> Duration {
        if self.recent.len() < STANDING {
            return Duration::ZERO;
        }
        self.recent.iter().rev().take(STANDING).map(|sample| sample.first_queue).min().unwrap_or_default()
    }

    /// Whether the last frame took much longer from beginning to end, and its predecessor's end did, too.
    ///
    /// What a machine on the way held up and then let go all at once took less long from one to the next.
    fn is_suddenly_slower(&self) -> bool {
        let mut newest = self.recent.iter().rev();
        let (Some(last), Some(before)) = (newest.next(), newest.next()) else { return false };
        [last.first_queue, last.last_queue, before.last_queue].iter().all(|&queue| queue > SUDDEN)
            && last.last_queue >= before.last_queue
    }

    /// Whether what was reported last was sent after the rate fell.
    fn may_fall(&self) -> bool {
        self.fell.is_none_or(|fell| self.recent.back().is_some_and(|sample| sample.sent > fell))
    }

    /// Lowers the rate below what is delivered and waits for what is under way.
    fn drain(&mut self, now: Micros) {
        let delivered = self.delivered_rate().clamp(self.rate / MOST_FALL, self.rate);
        self.draining = Some(delivered);
        self.trains.restart();
        self.fall_to(now, delivered * FALL);
    }

    fn fall_to(&mut self, now: Micros, rate: f64) {
        self.phase = Phase::Steady;
        self.rate = rate.max(self.limits.floor as f64).min(self.rate);
        self.fell = Some(now);
        self.last_growth = now;
    }

    /// What arrived of the last frames in the time in which they did: what the link carries while it is busy.
    fn delivered_rate(&self) -> f64 {
        let busy = || self.recent.iter().rev().take_while(|sample| sample.last_queue > BUSY).take(STANDING);
        let (Some(first), Some(last)) =
            (busy().map(|s| s.came.start).min(), busy().map(|s| s.came.end).max())
        else {
            return self.rate;
        };
        let bytes: u64 = busy().map(|sample| sample.delivered_bytes).sum();
        bytes as f64 * 8.0 / (last.saturating_sub(first).max(1_000) as f64 / 1e6)
    }

    fn loss(&self) -> f64 {
        let sent: u64 = self.recent.iter().map(|sample| u64::from(sample.datagrams)).sum();
        if sent < LOSS_SAMPLE { 0.0 } else { 1.0 - self.delivered_share() }
    }

    fn delivered_share(&self) -> f64 {
        let sum = |of: fn(&Sample) -> u16| self.recent.iter().map(|s| f64::from(of(s))).sum::<f64>();
        1.0 - sum(|sample| sample.lost) / sum(|sample| sample.datagrams).max(1.0)
    }

    fn relearn_base(&mut self, now: Micros) {
        self.base.restart();
        self.recent.clear();
        self.standing_since = None;
        self.last_growth = now;
    }

    fn grow(&mut self, now: Micros, standing: Duration) {
        let time = now.since(self.last_growth).min(LONGEST_GROWTH).as_secs_f64();
        self.last_growth = now;
        if standing > TARGET / 2 || self.draining.is_some() || self.used_rate() < self.rate * IN_USE {
            return;
        }
        let room = self.trains.proven() > self.rate * MUCH_MORE;
        let grown = match self.phase {
            Phase::Startup => self.rate * (STARTUP_GROWTH * time).exp(),
            Phase::Steady if room && standing < TARGET / 4 => self.rate * (FAST_GROWTH * time).exp(),
            Phase::Steady => self.rate + STEP * time,
        };
        self.rate = grown.min(self.limits.ceiling as f64).max(self.rate);
    }

    /// What was sent of late, in bits a second.
    fn used_rate(&self) -> f64 {
        let (Some(first), Some(last)) = (self.recent.front(), self.recent.back()) else { return 0.0 };
        let bytes: u64 = self.recent.iter().map(|sample| sample.sent_bytes).sum();
        let frames = self.recent.len() as f64;
        let span = last.sent.since(first.sent).as_secs_f64() * frames / (frames - 1.0).max(1.0);
        bytes as f64 * 8.0 / span.max(0.001)
    }
}

/// The standing queue above which the rate falls, as for the connection's own controller.
///
/// It is what a stream in full use of its link adds to its latency at worst. It must be above the jitter of radio links.
pub const TARGET: Duration = Duration::from_millis(20);

/// The queue that in two samples in a row is no jitter, but a link that became slower.
///
/// Waiting for it to stand would take several frames, each of which takes longer than the last.
pub const SUDDEN: Duration = Duration::from_millis(40);

/// The share of loss above which the rate falls though there is no queue.
///
/// Radio links lose up to a tenth on a bad day whatever is sent, and parity repairs that.
pub const LOSS_LIMIT: f64 = 0.2;

/// How long after a round trip without a report the path counts as dead: four reports.
pub const SILENCE: Duration = Duration::from_millis(150);

/// How long a queue that stands whatever the rate is taken for ours.
pub const BASE_RELEARN: Duration = Duration::from_secs(2);

/// The round trip that is assumed until one was measured.
const ASSUMED_ROUND_TRIP: Duration = Duration::from_millis(100);

/// What may be under way beyond a round trip, for as long as there is no queue: what reports have not told of yet.
const UNREPORTED: Duration = Duration::from_millis(100);

/// The same while a queue is drained.
const DRAINED: Duration = Duration::from_millis(30);

/// What the rate falls to, as a share of what is delivered.
const FALL: f64 = 0.85;

/// The rate falls to no less than one part in this many at once.
const MOST_FALL: f64 = 8.0;

/// How many frames in a row must have met a queue before it stands: at 60 fps 83 ms.
const STANDING: usize = 5;

/// The queue from which on the link is busy without a pause.
const BUSY: Duration = Duration::from_millis(15);

/// How many frames are looked back at: a quarter of a second at 60 fps.
const RECENT: usize = 15;

/// From how many datagrams on a share of loss means anything.
const LOSS_SAMPLE: u64 = 100;

/// How many datagrams of a frame make a train whose length means anything.
const TRAIN: u16 = 6;

/// How much faster than what was proven datagrams leave, to prove more.
const PROBE: f64 = 1.25;

/// Datagrams leave at least so much faster than the rate, so that a frame is done in three quarters of its interval.
const LEAST_PACE: f64 = 1.4;

/// Datagrams leave no faster than this, in bits a second.
const MOST_PACE: f64 = 1e9;

/// The least of the rate that must be in use for it to grow: what is not tried is not known.
const IN_USE: f64 = 0.6;

/// How much more than the rate trains must prove for it to grow fast.
const MUCH_MORE: f64 = 1.3;

/// How fast the rate grows at the start, as an exponent a second: it doubles in 0.23 s.
const STARTUP_GROWTH: f64 = 3.0;

/// How fast it grows where trains prove that there is room: it doubles in 0.7 s.
const FAST_GROWTH: f64 = 1.0;

/// How fast it grows otherwise, in bits a second each second.
const STEP: f64 = 1e6;

/// A pause longer than this, without reports, is no time to grow for.
const LONGEST_GROWTH: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use pf_proto::session::FrameArrival;
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { floor: 500_000, start: 4_000_000, ceiling: 20_000_000 };
    const INTERVAL: Duration = Duration::from_micros(16_667);

    /// A report that `frame` came whole, `queue` later than the way takes.
    fn arrived(number: u32, frame: u32, sent: Micros, queue: Duration) -> MediaFeedback {
        let last = sent + WAY + queue;
        let arrival = FrameArrival { before_newest: 0, shards: 10, first_before: 9_000, spread: 9_000 };
        MediaFeedback {
            number,
            sent: last.0 + 9_000,
            newest_frame: frame,
            decoded_frame: Some(frame),
            first_lost: None,
            frames: vec![arrival],
        }
    }

    /// Sends `frames` at 60 fps, each reported one interval later, and says when the last was.
    fn stream(rate: &mut RateController, frames: Range<u32>, queue: impl Fn(u32) -> Duration) -> Micros {
        let mut now = Micros::ZERO;
        for frame in frames {
            let sent = Micros(1_000_000) + INTERVAL * frame;
            let bytes = (rate.rate() as f64 * INTERVAL.as_secs_f64() / 80.0) as usize;
            for shard in 0..10 {
                rate.sent(sent + Duration::from_millis(shard), frame, bytes);
            }
            now = sent + INTERVAL;
            rate.handle_feedback(now, &arrived(frame, frame, sent, queue(frame)));
        }
        now
    }

    const WAY: Duration = Duration::from_millis(10);

    #[test]
    fn it_rises_to_its_ceiling_within_a_second_and_no_further() {
        let mut rate = RateController::new(Micros::ZERO, LIMITS);
        stream(&mut rate, 0..60, |_| Duration::ZERO);
        assert_eq!(rate.rate(), LIMITS.ceiling);
        rate.set_ceiling(6_000_000);
        assert_eq!(rate.rate(), 6_000_000);
    }

    #[test]
    fn a_queue_that_stands_makes_it_fall_once_and_jitter_does_not() {
        let mut rate = RateController::new(Micros::ZERO, LIMITS);
        stream(&mut rate, 0..60, |frame| Duration::from_millis(u64::from(frame % 4) * 6));
        assert_eq!(rate.rate(), LIMITS.ceiling);
        stream(&mut rate, 60..66, |_| Duration::from_millis(25));
        assert!(rate.rate() < LIMITS.ceiling && rate.is_congested());
        let fallen = rate.rate();
        rate.handle_feedback(
            Micros(2_200_000),
            &arrived(67, 65, Micros(2_000_000), Duration::from_millis(25)),
        );
        assert_eq!(rate.rate(), fallen, "what was sent before says nothing new");
    }

    /// A receiver that had no processor for a moment would otherwise have its stream made poor for seconds.
    #[test]
    fn a_stall_of_the_receiver_is_not_taken_for_a_slow_link() {
        let mut rate = RateController::new(Micros::ZERO, LIMITS);
        stream(&mut rate, 0..60, |_| Duration::ZERO);
        let bytes = (rate.rate() as f64 * INTERVAL.as_secs_f64() / 80.0) as usize;
        let sent = |frame: u32| Micros(1_000_000) + INTERVAL * frame;
        // It stops in the middle of frame 60, and finds all that has come meanwhile at once.
        let woken = sent(60) + WAY + Duration::from_millis(110);
        for frame in 60..65 {
            (0..10).for_each(|shard| rate.sent(sent(frame) + Duration::from_millis(shard), frame, bytes));
            let spread = if frame == 60 { 110_000 } else { 10 };
            let frames = vec![FrameArrival { before_newest: 0, shards: 10, first_before: spread, spread }];
            let report = arrived(frame, frame, sent(frame), Duration::ZERO);
            rate.handle_feedback(woken, &MediaFeedback { sent: woken.0, frames, ..report });
        }
        assert!(rate.rate() >= LIMITS.ceiling * 8 / 10, "{}", rate.rate());
    }

    /// A dead link would fill with pictures that come out, stale, when it wakes up.
    #[test]
    fn nothing_more_goes_out_when_nobody_reports() {
        let mut rate = RateController::new(Micros::ZERO, LIMITS);
        let now = stream(&mut rate, 0..60, |_| Duration::ZERO);
        assert!(rate.may_send(now));
        rate.sent(now, 60, 10_000);
        rate.sent(now + INTERVAL, 61, 10_000);
        let dead = now + SILENCE + rate.round_trip();
        assert!(!rate.may_send(dead));
        assert!(rate.may_send(dead + SILENCE), "but for one now and then, to see");
    }

    #[test]
    fn a_report_that_comes_twice_or_out_of_order_is_passed_over() {
        let mut rate = RateController::new(Micros::ZERO, LIMITS);
        for frame in 0..3 {
            rate.sent(Micros(frame), frame as u32, 1_000);
        }
        let report = |number, frame| arrived(number, frame, Micros::ZERO, Duration::ZERO);
        assert_eq!(rate.handle_feedback(Micros(9), &report(u32::MAX, 0)), [Fared { sent: 1, lost: 0 }]);
        assert_eq!(rate.handle_feedback(Micros(9), &report(u32::MAX, 1)), []);
        assert_eq!(rate.handle_feedback(Micros(9), &report(0, 1)), [Fared { sent: 1, lost: 0 }], "wrapped");
        assert_eq!(rate.handle_feedback(Micros(9), &report(u32::MAX, 2)), []);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// A receiver that lies gets a rate within the limits, and costs no more memory than one that does not.
        #[test]
        fn lies_are_harmless(
            steps in prop::collection::vec(
                (
                    0..5_u32,
                    0..70_000_u64,
                    prop::collection::vec((0..=1024_u16, 1..=8192_u16, any::<u32>(), any::<u32>()), 0..24),
                    any::<[u32; 2]>(),
                    prop_oneof![any::<u64>(), 0..1_000_000_u64],
                ),
                1..200,
            ),
        ) {
            let mut rate = RateController::new(Micros::ZERO, LIMITS);
            let (mut now, mut frame, mut number) = (Micros::ZERO, 0_u32, 0_u32);
            for (frames, wait, arrivals, [newest, skip], sent) in steps {
                now = now + Duration::from_micros(wait);
                for _ in 0..frames * 20 {
                    frame = frame.wrapping_add(1);
                    rate.sent(now, frame, 1_200);
                }
                number = number.wrapping_add(1 + skip % 3);
                let arrival = |(before_newest, shards, first_before, spread)| FrameArrival { before_newest, shards, first_before, spread };
                let feedback = MediaFeedback {
                    number,
                    sent,
                    newest_frame: if newest % 3 == 0 { newest } else { frame },
                    decoded_frame: None,
                    first_lost: None,
                    frames: arrivals.into_iter().map(arrival).collect(),
                };
                rate.handle_feedback(now, &feedback);
                prop_assert!((LIMITS.floor..=LIMITS.ceiling).contains(&rate.rate()));
                prop_assert!(rate.pace() > 0 && rate.pace() <= MOST_PACE as u64);
                prop_assert!(rate.round_trip() <= Duration::from_secs(1));
                prop_assert!(rate.outstanding.is_sound() && rate.recent.len() <= RECENT);
                rate.may_send(now);
            }
        }
    }
}
