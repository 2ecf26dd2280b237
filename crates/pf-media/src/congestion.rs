//! The congestion controller of a session's connection: how many bytes may be in flight.
//!
//! A live picture wants two things of a path: that what is sent now arrives now, and that a lost packet does not halve
//! the picture. The usual controllers of QUIC give it neither. They fill the queue before the slowest link until it
//! overflows, which is a second of delay on many a router, and they take each loss for a full queue, which on a radio
//! link it is not.
//!
//! This one looks at the *standing queue*: what the shortest round trip of the last few dozen milliseconds is above the
//! *base*, the shortest of the last seconds. A frame is a burst, and the queue that a burst makes drains before the
//! next one; a queue that does not is one that we keep up ourselves.
//!
//! Time goes in *rounds* of [`ROUND_SPAN`] or more. At the end of each:
//! - The queue stood above [`TARGET`]: the window falls to a little less than what the path holds without a queue, so
//!   that it drains at once and wholly.
//! - It did not, and the window held sending back: the window grows. By a constant step while there is some queue,
//!   which with the multiplicative fall makes two flows converge to equal shares; by a quarter while there is next to
//!   none, which takes up freed capacity quickly; twofold at the start.
//! - The application had nothing more to send: the window stays as it is, neither grown on no evidence nor lost.
//!
//! Who has the window in full use for seconds never sees the path without the queue that it keeps up itself, and who
//! joins such a flow takes its queue for part of the path. So every [`LOOK_INTERVAL`] it sends little for one round and
//! looks.
//!
//! Loss counts above [`LOSS_LIMIT`] only, as the sign of a queue too short to show in the delay.
//!
//! While a stream runs, its own rate control ([`crate::rate`]) governs, which knows more: it has the receiver's reports.
//! Two that govern at once would starve each other, since each sees the other's holding back as a link in no use. So the
//! stream says how fast its datagrams leave with [`follow`](Controller::follow), and the window is then what that pace
//! fills and a little more: a bound on what one outage can pile up, and no second opinion.
//!
//! What it costs: it gives way to flows that fill queues, such as a download over the same bottleneck by TCP with
//! Cubic, down to [`FLOOR`] packets a round trip, and wins back only what relearning the base ([`BASE_RELEARN`]) allows.

mod measure;

use std::time::Duration;

use self::measure::{BaseRtt, LossMeter, Round};
use crate::time::Micros;

/// Decides how many bytes may be in flight on one connection.
///
/// The calls are those of quinn's `congestion::Controller`, at the same moments; `now` must never run backwards.
#[derive(Clone, Debug)]
pub struct Controller {
    mtu: u64,
    window: u64,
    phase: Phase,
    base: BaseRtt,
    round: Round,
    /// The most bytes that were in flight during the last whole round.
    last_peak: u64,
    loss: LossMeter,
    /// When the window fell last: what packets sent before meet says nothing new.
    fell: Micros,
    /// When the window changed last, either way.
    changed: Micros,
    /// When to look for the base round trip, if the window is in full use until then.
    look_at: Micros,
    /// The window to go back to after looking.
    looking: Option<u64>,
    /// Since when the window is at its floor while the queue stands.
    at_floor: Option<Micros>,
    /// The pace of the stream that governs, in bits a second.
    followed: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Neither a queue nor high loss was met yet.
    Startup,
    /// A queue is what the window fell for last.
    AfterQueue,
    /// Loss is, so that there may be no queue that would warn of the next.
    AfterLoss,
}

impl Controller {
    /// A controller of a path that nothing is known about, and that takes packets of `mtu` bytes.
    pub fn new(now: Micros, mtu: u16) -> Self {
        let mtu = u64::from(mtu);
        Self {
            mtu,
            window: INITIAL * mtu,
            phase: Phase::Startup,
            base: BaseRtt::default(),
            round: Round::starting(now),
            last_peak: 0,
            loss: LossMeter::default(),
            fell: now,
            changed: now,
            look_at: now + SETTLED,
            looking: None,
            at_floor: None,
            followed: None,
        }
    }

    /// A stream with a rate control of its own sends its datagrams at up to `pace` bits a second from now on; `None` when
    /// none does any more, and what was learnt meanwhile holds.
    pub fn follow(&mut self, pace: Option<u64>) {
        self.followed = pace;
    }

    /// A packet of `bytes` that was sent at `sent` is acknowledged.
    ///
    /// `app_limited` says that there was nothing more to send, `rtt` is the connection's smoothed round trip, from
    /// which the peer's own delay of its acknowledgements is taken out.
    pub fn on_ack(&mut self, now: Micros, sent: Micros, bytes: u64, app_limited: bool, rtt: Duration) {
        let sample = now.since(sent);
        self.base.record(now, sample);
        self.loss.delivered(bytes, self.mtu);
        self.round.acknowledging += bytes;
        if sent >= self.fell {
            // A lone packet is acknowledged late on purpose: its own round trip may show a queue that is not there.
            self.round.record(sent, app_limited, sample.min(rtt));
        }
    }

    /// All packets that one acknowledgement was about were given to [`on_ack`](Self::on_ack); `in_flight` bytes are
    /// left.
    pub fn on_end_acks(&mut self, now: Micros, in_flight: u64) {
        self.round.end_acks(in_flight);
        if self.round.is_complete(now) {
            self.finish_round(now);
        }
    }

    /// `lost_bytes` are lost, the last of which were sent at `sent`; none when a router marked packets instead.
    ///
    /// `persistent` says that everything was lost for several round trips.
    pub fn on_congestion_event(&mut self, now: Micros, sent: Micros, persistent: bool, lost_bytes: u64) {
        if persistent {
            self.fall_to(now, 0);
            self.phase = Phase::Startup;
            return;
        }
        let congested = lost_bytes == 0 || self.loss.lost(lost_bytes, self.mtu);
        if congested && sent >= self.fell {
            self.fall_to(now, self.used() * LOSS_FALL.0 / LOSS_FALL.1);
            self.phase = Phase::AfterLoss;
        }
    }

    /// The path takes packets of `mtu` bytes from now on.
    pub fn on_mtu_update(&mut self, mtu: u16) {
        self.mtu = u64::from(mtu);
        self.window = self.window.max(self.floor());
    }

    /// How many bytes may be in flight.
    pub fn window(&self) -> u64 {
        let Some(pace) = self.followed else { return self.window };
        let time = self.base.shortest() + FOLLOWED_QUEUE;
        let bytes = u128::from(pace) * time.as_micros() / 8_000_000;
        u64::try_from(bytes).unwrap_or(u64::MAX).clamp(self.initial_window(), CEILING)
    }

    /// How many bytes may be in flight at first.
    pub fn initial_window(&self) -> u64 {
        INITIAL * self.mtu
    }

    fn finish_round(&mut self, now: Micros) {
        let round = std::mem::replace(&mut self.round, Round::starting(now));
        let in_full_use = round.peak >= self.window * 3 / 4;
        self.last_peak = round.peak;
        if let Some(window) = self.looking.take() {
            self.window = window.max(self.floor());
            self.changed = now;
            return;
        }
        let queue = round.shortest.saturating_sub(self.base.shortest());
        if queue > TARGET {
            self.drain(now, round.shortest);
            return;
        }
        self.at_floor = None;
        if !in_full_use {
            self.look_at = self.look_at.max(now + SETTLED);
        } else if now >= self.look_at {
            self.look_for_base(now);
            return;
        }
        if round.held_back && round.latest >= self.changed && !self.loss.was_high {
            self.grow(now, queue);
        }
    }

    /// Lets the standing queue drain.
    fn drain(&mut self, now: Micros, round_trip: Duration) {
        if self.window > self.floor() {
            self.at_floor = None;
        } else if now.since(*self.at_floor.get_or_insert(now)) >= BASE_RELEARN {
            self.base.restart(now, round_trip);
            self.at_floor = None;
        }
        let used = self.used();
        let held_by_path = scaled(used, self.base.shortest(), round_trip);
        self.fall_to(now, (held_by_path * DRAIN.0 / DRAIN.1).max(used / MAX_FALL));
        self.phase = Phase::AfterQueue;
    }

    /// Sends little for a round, which shows the base round trip if the queue is ours.
    fn look_for_base(&mut self, now: Micros) {
        let window = self.window;
        self.fall_to(now, window / MAX_FALL);
        self.looking = Some(window);
        self.look_at = now + LOOK_INTERVAL;
    }

    /// Lets more into flight; at most twice what was, so that the window does not run away from what is used of it.
    fn grow(&mut self, now: Micros, queue: Duration) {
        let step = STEP * self.mtu;
        let grown = match self.phase {
            Phase::Startup if queue <= TARGET / 2 => self.window * 2,
            Phase::AfterQueue if queue <= TARGET / 4 => self.window + step.max(self.leap()),
            _ => self.window + step,
        };
        let grown = grown.min(self.used() * 2).min(CEILING);
        if grown > self.window {
            self.window = grown;
            self.changed = now;
        }
    }

    /// How much the window grows when there is next to no queue: a quarter, or less on a long path, where a quarter too
    /// much would be more of a queue than the target, and be seen late.
    fn leap(&self) -> u64 {
        (self.window / 4).min(scaled(self.window, TARGET / 2, self.base.shortest()))
    }

    fn fall_to(&mut self, now: Micros, window: u64) {
        self.window = window.min(self.window).max(self.floor());
        self.last_peak = self.last_peak.min(self.window);
        self.round = Round::starting(now);
        self.fell = now;
        self.changed = now;
        self.looking = None;
    }

    /// What of the window was in use lately.
    fn used(&self) -> u64 {
        self.window.min(self.last_peak.max(self.round.peak))
    }

    fn floor(&self) -> u64 {
        FLOOR * self.mtu
    }
}

fn scaled(bytes: u64, numerator: Duration, denominator: Duration) -> u64 {
    let scaled = u128::from(bytes) * numerator.as_micros() / denominator.as_micros().max(1);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// The standing queue, in time, above which the window falls.
///
/// It is what we add to the latency of everything on the path at worst, for as long as we have more to send than the
/// path takes. Lower would take the jitter of radio links for a queue: it must be above the few ms by which those
/// delay even the luckiest packet of a round.
pub const TARGET: Duration = Duration::from_millis(20);

/// The least time that a round takes: a frame interval at 30 fps, so that each round has seen the queue after a pause.
///
/// Longer would react later to a link that became slower: what is sent meanwhile beyond its rate is queued.
pub const ROUND_SPAN: Duration = Duration::from_millis(35);

/// The least packets of a round, so that one late packet of a connection that sends next to nothing is no queue.
const ROUND_PACKETS: u32 = 8;

/// How long the delay may stand while the window is at its floor, before it is taken for the path's own.
///
/// What does not drain then is not our queue: the path became longer, or others fill it. Believing it at once would
/// join those who keep a queue up; never would leave us at the floor.
pub const BASE_RELEARN: Duration = Duration::from_secs(1);

/// Half of the time over which the base is the shortest round trip that was seen.
///
/// Shorter would forget the base of a path between two looks at it; longer keeps too low a base for longer once a path
/// became longer, but for [`BASE_RELEARN`].
const BASE_SPAN: Duration = Duration::from_secs(5);

/// How long the window is in full use before the base is first looked for.
const SETTLED: Duration = Duration::from_secs(1);

/// How often the base is looked for while the window is in full use.
///
/// Each time costs three quarters of the rate for a round and a round trip, in all one to three per cent. An application that leaves part of the
/// window unused, as a stream below the link's rate does, never pays it.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// What the window of a stream that governs itself holds beyond a round trip, in time at its pace.
///
/// It must be longer than the stream takes to learn of a queue, a report's interval and a few frames, and is what an
/// outage piles up at most.
const FOLLOWED_QUEUE: Duration = Duration::from_millis(150);

/// The window at first, in packets: the key frame of a simple desktop. It costs 60 ms of queue on a link of 5 Mbit/s,
/// once.
const INITIAL: u64 = 32;

/// The least window, in packets: what a round trip always carries, so that a frame gets through however slowly.
///
/// On a link of 5 Mbit/s it is 19 ms of queue by itself, on one of 1 Mbit/s 100 ms.
pub const FLOOR: u64 = 10;

/// The greatest window, in bytes: 1 Gbit/s over 130 ms. It bounds what a broken round trip can make us send.
pub const CEILING: u64 = 16 << 20;

/// By how many packets the window grows in a round while there is some queue.
///
/// Two flows come to equal shares sooner with a larger step, and overshoot by more: at 5 Mbit/s one step is 8 ms.
const STEP: u64 = 4;

/// What the window falls to when the queue stands, as a share of what the path holds without one: below it, so that
/// the queue drains wholly although both are estimates. It costs a tenth of the rate for a round.
const DRAIN: (u64, u64) = (9, 10);

/// The window falls to no less than one part in this many at once: on a short path the queue is many times what the
/// path holds, and one outage of a radio link must not take the whole rate.
const MAX_FALL: u64 = 4;

/// The share of packets above which loss is a sign of a full queue: an eighth.
///
/// Radio links lose some per cent on a bad day whatever we send. A queue too short to show in the delay costs up to
/// this share before we back off.
pub const LOSS_LIMIT: (u64, u64) = (1, 8);

/// Over how many packets loss is measured: at 20 Mbit/s an eighth of a second, and enough that a random 5 % are never
/// taken for an eighth.
const LOSS_SAMPLE: u64 = 256;

/// What high loss leaves of the window.
const LOSS_FALL: (u64, u64) = (7, 10);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MTU: u16 = 1200;

    /// One call of a connection.
    #[derive(Clone, Debug)]
    enum Call {
        Ack { after: u64, age: u64, bytes: u64, in_flight: u64, app_limited: bool, rtt: u64 },
        Lost { after: u64, age: u64, persistent: bool, bytes: u64 },
        Mtu(u16),
    }

    fn calls() -> impl Strategy<Value = Vec<Call>> {
        let after = || prop_oneof![Just(0_u64), 0..50_000_u64, any::<u32>().prop_map(u64::from)];
        let age = || prop_oneof![0..100_000_u64, any::<u64>()];
        let ack = (after(), age(), 0..100_000_u64, 0..1_u64 << 40, any::<bool>(), any::<u32>()).prop_map(
            |(after, age, bytes, in_flight, app_limited, rtt)| Call::Ack {
                after,
                age,
                bytes,
                in_flight,
                app_limited,
                rtt: rtt.into(),
            },
        );
        let lost = (after(), age(), prop::bool::weighted(0.1), 0..1_u64 << 40)
            .prop_map(|(after, age, persistent, bytes)| Call::Lost { after, age, persistent, bytes });
        let mtu = (1200..9000_u16).prop_map(Call::Mtu);
        prop::collection::vec(prop_oneof![20 => ack, 2 => lost, 1 => mtu], 1..500)
    }

    /// Acknowledges packets for two seconds, over a path of 20 ms that takes any rate.
    fn keep_the_path_busy(controller: &mut Controller, app_limited: bool) {
        let rtt = Duration::from_millis(20);
        for millis in 1_000..3_000 {
            let now = Micros(millis * 1_000);
            controller.on_ack(now, now - rtt, MTU.into(), app_limited, rtt);
            controller.on_end_acks(now, controller.window());
        }
    }

    /// A path without limits, or a peer that acknowledges what it did not get, must not make us send without bound.
    #[test]
    fn the_window_grows_to_the_ceiling_and_no_further() {
        let mut controller = Controller::new(Micros::ZERO, MTU);
        keep_the_path_busy(&mut controller, false);
        assert_eq!(controller.window(), CEILING);
    }

    #[test]
    fn the_window_does_not_grow_while_the_application_has_nothing_more_to_send() {
        let mut controller = Controller::new(Micros::ZERO, MTU);
        keep_the_path_busy(&mut controller, true);
        assert_eq!(controller.window(), controller.initial_window());
    }

    #[test]
    fn packets_that_a_router_marked_count_once_for_all_that_were_in_flight() {
        let mut controller = Controller::new(Micros::ZERO, MTU);
        let before = controller.window();
        controller.round.peak = before;
        let (sent, now) = (Micros(1_000), Micros(21_000));
        controller.on_congestion_event(now, sent, false, 0);
        let after = controller.window();
        assert_eq!(after, before * 7 / 10);
        controller.on_congestion_event(now + Duration::from_millis(1), sent, false, 0);
        assert_eq!(controller.window(), after);
    }

    #[test]
    fn larger_packets_raise_the_floor() {
        let mut controller = Controller::new(Micros::ZERO, MTU);
        controller.on_congestion_event(Micros(1_000_000), Micros::ZERO, true, 1200);
        assert_eq!(controller.window(), FLOOR * 1200);
        controller.on_mtu_update(1452);
        assert_eq!(controller.window(), FLOOR * 1452);
    }

    /// Two controls at once would starve each other.
    #[test]
    fn a_stream_that_governs_itself_is_followed_whatever_the_path_shows() {
        let mut controller = Controller::new(Micros::ZERO, MTU);
        keep_the_path_busy(&mut controller, true);
        let own = controller.window();
        controller.follow(Some(40_000_000));
        assert_eq!(controller.window(), 40_000_000 / 8 * (20 + 150) / 1000);
        for _ in 0..10 {
            controller.on_congestion_event(Micros(3_100_000), Micros(3_050_000), false, 400 * u64::from(MTU));
            assert_eq!(controller.window(), 40_000_000 / 8 * (20 + 150) / 1000);
        }
        controller.follow(Some(0));
        assert_eq!(controller.window(), controller.initial_window(), "never less than a picture");
        controller.follow(Some(u64::MAX));
        assert_eq!(controller.window(), CEILING);
        controller.follow(None);
        assert!(controller.window() <= own);
    }

    proptest! {
        /// Whatever a peer acknowledges, and whenever: no panic, and the window stays within its bounds.
        #[test]
        fn the_window_stays_between_floor_and_ceiling_whatever_comes(calls in calls()) {
            let mut controller = Controller::new(Micros(7), MTU);
            let mut now = Micros(7);
            for call in calls {
                match call {
                    Call::Ack { after, age, bytes, in_flight, app_limited, rtt } => {
                        now = now + Duration::from_micros(after);
                        let sent = now - Duration::from_micros(age);
                        controller.on_ack(now, sent, bytes, app_limited, Duration::from_micros(rtt));
                        controller.on_end_acks(now, in_flight);
                    }
                    Call::Lost { after, age, persistent, bytes } => {
                        now = now + Duration::from_micros(after);
                        controller.on_congestion_event(now, now - Duration::from_micros(age), persistent, bytes);
                    }
                    Call::Mtu(mtu) => controller.on_mtu_update(mtu),
                }
                prop_assert!(controller.window() >= controller.floor());
                prop_assert!(controller.window() <= CEILING);
            }
        }
    }
}
