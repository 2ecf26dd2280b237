//! What a session measures: every figure that a report, a script or an overlay shows.
//!
//! A picture's way has six stages. The host tells how long it took for each of its own ([`FrameTime`]), a while after
//! the picture came; what happened here is written down as it happens. Both are matched by the picture's number, so that
//! the stages of one picture add up to its total:
//!
//! ```text
//! captured ─ capture ─ encode ─ queue ─┬─ network ─┬─ decode ─ display ─ on the screen
//!            told by the host          left        whole
//! ```
//!
//! Points in time are on this machine's media clock and are handed in.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use pf_media::{
    clock::{ClockOffset, Exchange},
    figures::Latency,
    time::Micros,
};
use pf_proto::session::{FrameTime, StreamStarted};

use super::report::{Arrived, Latencies, Moment, Percentiles, Stage};

/// A picture that was decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) frame: u32,
    /// On the host's clock.
    pub(super) captured: Micros,
    /// When it had come whole.
    pub(super) whole: Micros,
    /// When it had been decoded.
    pub(super) done: Micros,
    /// The length of its access unit.
    pub(super) bytes: usize,
}

/// The figures of one session, since its beginning and of the last second, in memory that does not grow.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) stream: Option<StreamStarted>,
    pub(super) arrived: Arrived,
    pub(super) round_trip: Duration,
    pub(super) key_frame_requests: u64,
    pub(super) decode_errors: u64,
    /// Pictures that were decoded, and when the first and the last were.
    pub(super) frames: u64,
    pub(super) first_at: Option<Instant>,
    pub(super) last_at: Option<Instant>,
    pub(super) bytes: u64,
    /// Pictures that were put on a screen.
    pub(super) shown: u64,
    clock: ClockOffset,
    /// The newest picture that the host says has left.
    newest_told: Option<u32>,
    halves: Halves,
    all: [Latency; Stage::ALL.len()],
    lately: Lately,
}

impl Figures {
    /// The clocks were compared.
    pub(super) fn clock_compared(&mut self, exchange: Exchange) {
        self.clock.record(exchange);
    }

    /// How the host's clock stands to ours.
    pub(super) fn clock(&self) -> &ClockOffset {
        &self.clock
    }

    /// What came, as of now.
    pub(super) fn arrived(&mut self, now: Micros, arrived: Arrived) {
        self.arrived = arrived;
        self.lately.arrived.push_back((now, arrived));
        self.lately.forget_before(now);
    }

    /// The host told how long it took.
    pub(super) fn host_told(&mut self, now: Micros, times: &[FrameTime]) {
        for &time in times {
            if self.newest_told.is_none_or(|newest| is_newer(time.frame, newest)) {
                self.newest_told = Some(time.frame);
            }
            if let Some(decoded) = self.halves.host_told(time) {
                self.join(now, time, decoded);
            }
        }
    }

    /// A picture was decoded; `at` is the same time, on the system's clock.
    pub(super) fn decoded(&mut self, decoded: Decoded, at: Instant) {
        let now = decoded.done;
        self.frames += 1;
        self.bytes += decoded.bytes as u64;
        self.first_at.get_or_insert(at);
        self.last_at = Some(at);
        self.lately.pictures.push_back((now, decoded.bytes));
        self.record(now, Stage::Decode, now.since(decoded.whole));
        if let Some(time) = self.halves.decoded(decoded) {
            self.join(now, time, decoded);
        }
    }

    /// A picture that was decoded at `decoded` was put on the screen.
    pub(super) fn shown(&mut self, now: Micros, captured: Micros, decoded: Micros) {
        self.shown += 1;
        self.record(now, Stage::Display, now.since(decoded));
        self.way_ended(now, captured);
    }

    /// The way of a picture came to its end: on the screen, or with its decoding where nobody looks.
    pub(super) fn way_ended(&mut self, now: Micros, captured: Micros) {
        if let Some(captured) = self.clock.to_local(captured) {
            self.record(now, Stage::Total, now.since(captured));
        }
    }

    /// From the first picture to the last.
    pub(super) fn watched_for(&self) -> Duration {
        match (self.first_at, self.last_at) {
            (Some(first), Some(last)) => last.saturating_duration_since(first),
            _ => Duration::ZERO,
        }
    }

    /// How many pictures the host sent, where `came` is how many there were up to the newest of which anything came.
    ///
    /// What it says beyond that can be no more than what goes out between two of its reports.
    pub(super) fn sent(&self, came: u64) -> u64 {
        let newest = came.wrapping_sub(1) as u32;
        let beyond =
            self.newest_told.filter(|told| is_newer(*told, newest)).map(|told| told.wrapping_sub(newest));
        came + u64::from(beyond.filter(|beyond| *beyond <= MOST_BEYOND).unwrap_or(0))
    }

    /// How long the pictures took, since the beginning.
    pub(super) fn latencies(&self) -> Latencies {
        Latencies::from_fn(|stage| Percentiles::of(&self.all[stage as usize]))
    }

    /// The last second, and what there was since the beginning.
    pub(super) fn moment(&mut self, now: Micros) -> Moment {
        self.lately.forget_before(now);
        let (frames_per_second, megabits_per_second) = self.lately.rates();
        let before = self.lately.arrived.front().map_or(self.arrived, |(_, arrived)| *arrived);
        Moment {
            stream: self.stream.clone(),
            frames_per_second,
            megabits_per_second,
            latency: Latencies::from_fn(|stage| self.lately.percentiles(stage)),
            arrived: self.arrived,
            lost_lately: self.arrived.lost - before.lost,
            repaired_lately: self.arrived.repaired - before.repaired,
            round_trip: self.round_trip,
        }
    }

    /// Both halves of a picture's way are known.
    fn join(&mut self, now: Micros, host: FrameTime, here: Decoded) {
        let [capture, wait, encode, send] = [host.capture, host.wait, host.encode, host.send]
            .map(|micros| Duration::from_micros(micros.into()));
        self.record(now, Stage::Capture, capture);
        self.record(now, Stage::Encode, encode);
        // Without a common clock nobody knows how much of it the network took.
        let Some(encoded) = self.clock.to_local(here.captured + capture + wait + encode) else {
            self.record(now, Stage::Queue, wait + send);
            return;
        };
        // It is whole before its last parity leaves, where nothing was lost.
        let sending = send.min(here.whole.since(encoded));
        self.record(now, Stage::Queue, wait + sending);
        self.record(now, Stage::Network, here.whole.since(encoded + sending));
    }

    fn record(&mut self, now: Micros, stage: Stage, latency: Duration) {
        self.all[stage as usize].record(latency);
        self.lately.stages.push_back((now, stage, latency));
        self.lately.forget_before(now);
    }
}

/// Pictures of which one half of the way is known: the host's or ours. Whichever comes later finds the other.
#[derive(Debug, Default)]
struct Halves {
    told: VecDeque<FrameTime>,
    decoded: VecDeque<Decoded>,
}

impl Halves {
    fn host_told(&mut self, time: FrameTime) -> Option<Decoded> {
        let Some(place) = self.decoded.iter().position(|decoded| decoded.frame == time.frame) else {
            keep(&mut self.told, time);
            return None;
        };
        self.decoded.remove(place)
    }

    fn decoded(&mut self, decoded: Decoded) -> Option<FrameTime> {
        let Some(place) = self.told.iter().position(|time| time.frame == decoded.frame) else {
            keep(&mut self.decoded, decoded);
            return None;
        };
        self.told.remove(place)
    }
}

/// The last second.
#[derive(Debug, Default)]
struct Lately {
    stages: VecDeque<(Micros, Stage, Duration)>,
    /// Pictures that were decoded, and their bytes.
    pictures: VecDeque<(Micros, usize)>,
    /// What had come by then.
    arrived: VecDeque<(Micros, Arrived)>,
}

impl Lately {
    fn forget_before(&mut self, now: Micros) {
        fn forget<T>(queue: &mut VecDeque<T>, now: Micros, at: impl Fn(&T) -> Micros) {
            while queue.len() > MOST_LATELY
                || queue.front().is_some_and(|first| now.since(at(first)) > WINDOW)
            {
                queue.pop_front();
            }
        }
        forget(&mut self.stages, now, |(at, ..)| *at);
        forget(&mut self.pictures, now, |(at, _)| *at);
        forget(&mut self.arrived, now, |(at, _)| *at);
    }

    /// Pictures and megabits a second.
    fn rates(&self) -> (f64, f64) {
        let bytes: usize = self.pictures.iter().map(|(_, bytes)| bytes).sum();
        (per_second(self.pictures.len() as f64, WINDOW), per_second(bytes as f64 * 8.0 / 1e6, WINDOW))
    }

    fn percentiles(&self, stage: Stage) -> Option<Percentiles> {
        let of_stage = self.stages.iter().filter(|(_, which, _)| *which == stage);
        let mut sorted: Vec<Duration> = of_stage.map(|(.., latency)| *latency).collect();
        sorted.sort_unstable();
        let percentile = |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).checked_sub(1)?);
        Some(Percentiles { p50: *percentile(50)?, p95: *percentile(95)?, p99: *percentile(99)? })
    }
}

fn keep<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() == MOST_HALVES {
        queue.pop_front();
    }
    queue.push_back(item);
}

pub(super) fn per_second(amount: f64, duration: Duration) -> f64 {
    if duration.is_zero() { 0.0 } else { amount / duration.as_secs_f64() }
}

/// Whether a picture's number is after another, although both wrap.
fn is_newer(frame: u32, than: u32) -> bool {
    frame.wrapping_sub(than).cast_signed() > 0
}

/// How many pictures may have left of which nothing came: two seconds of them, after which the stream is taken for dead.
const MOST_BEYOND: u32 = 256;

/// What counts as *lately*.
const WINDOW: Duration = Duration::from_secs(1);

/// The most of anything that a second is taken to have: seven stages of 120 pictures, and what is told of at once.
const MOST_LATELY: usize = 2048;

/// How many pictures wait for their other half: two seconds of them at 120 a second. The host tells every 250 ms.
const MOST_HALVES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1000;

    /// A host whose clock is ahead of ours, and the way of its pictures.
    struct Way {
        ahead: u64,
        figures: Figures,
        system: Instant,
    }

    /// How long each stage takes, in µs.
    #[derive(Clone, Copy)]
    struct Took {
        capture: u32,
        wait: u32,
        encode: u32,
        send: u32,
        network: u64,
        decode: u64,
        display: u64,
    }

    const TOOK: Took = Took {
        capture: 2000,
        wait: 500,
        encode: 4000,
        send: 1500,
        network: 7000,
        decode: 3000,
        display: 900,
    };

    impl Way {
        fn new() -> Self {
            let ahead = 5_000_000_000;
            let mut figures = Figures::default();
            let at_host = Micros(ahead + 100);
            figures.clock_compared(Exchange { t0: Micros(0), t1: at_host, t2: at_host, t3: Micros(200) });
            Self { ahead, figures, system: Instant::now() }
        }

        /// A picture that is captured at `captured` on our clock; what the host tells of it, and when it was decoded.
        fn decode(&mut self, frame: u32, captured: u64, took: Took) -> (FrameTime, Decoded) {
            let Took { capture, wait, encode, send, network, decode, .. } = took;
            let left = captured + u64::from(capture + wait + encode + send);
            let decoded = Decoded {
                frame,
                captured: Micros(captured + self.ahead),
                whole: Micros(left + network),
                done: Micros(left + network + decode),
                bytes: 1000,
            };
            self.figures.decoded(decoded, self.system);
            (FrameTime { frame, capture, wait, encode, send }, decoded)
        }

        fn show(&mut self, decoded: Decoded, took: Took) {
            let now = decoded.done + Duration::from_micros(took.display);
            self.figures.shown(now, decoded.captured, decoded.done);
        }

        fn median(&self, stage: Stage) -> Option<u64> {
            self.figures.latencies().of(stage).map(|latency| latency.p50.as_micros() as u64)
        }
    }

    /// What is one 32nd too long at most, as the histograms are.
    #[track_caller]
    fn assert_about(measured: Option<u64>, expected: u64) {
        let measured = measured.unwrap();
        assert!((expected..=expected + expected / 32).contains(&measured), "{measured} for {expected}");
    }

    #[test]
    fn every_stage_of_a_picture_is_told_apart_whichever_half_comes_first() {
        for told_early in [false, true] {
            let mut way = Way::new();
            if told_early {
                let Took { capture, wait, encode, send, .. } = TOOK;
                way.figures.host_told(Micros(9000), &[FrameTime { frame: 7, capture, wait, encode, send }]);
            }
            let (time, decoded) = way.decode(7, 1000, TOOK);
            way.show(decoded, TOOK);
            if !told_early {
                way.figures.host_told(Micros(250 * MS), &[time]);
            }
            let expected =
                [(Stage::Capture, 2000), (Stage::Encode, 4000), (Stage::Queue, 2000), (Stage::Network, 7000)];
            for (stage, micros) in expected.into_iter().chain([(Stage::Decode, 3000), (Stage::Display, 900)])
            {
                assert_about(way.median(stage), micros);
            }
            assert_about(way.median(Stage::Total), 18_900);
        }
    }

    /// A table whose stages do not add up explains nothing.
    #[test]
    fn the_medians_of_the_stages_add_up_to_that_of_the_total() {
        let (mut way, mut noise) = (Way::new(), 0x2545_F491_4F6C_DD1D_u64);
        let mut told = Vec::new();
        for frame in 0..2000 {
            let mut vary = |micros: u64| {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                micros * 3 / 4 + noise % (micros / 2)
            };
            let took = Took {
                capture: vary(2000) as u32,
                wait: vary(600) as u32,
                encode: vary(4000) as u32,
                send: vary(1500) as u32,
                network: vary(5000),
                decode: vary(3000),
                display: vary(800),
            };
            let (time, decoded) = way.decode(frame, 1000 + u64::from(frame) * 16_667, took);
            way.show(decoded, took);
            told.push(time);
            if told.len() == 15 {
                way.figures.host_told(decoded.done, &std::mem::take(&mut told));
            }
        }
        let (total, stages) = Stage::ALL.split_last().unwrap();
        let sum: u64 = stages.iter().map(|stage| way.median(*stage).unwrap()).sum();
        let total = way.median(*total).unwrap();
        assert!(sum.abs_diff(total) < total / 20, "{sum} for {total}");
    }

    /// Parity goes last, and a picture that lost nothing is decoded while it leaves. The stages add up all the same.
    #[test]
    fn a_picture_that_is_whole_before_its_parity_left_was_queued_until_then() {
        let mut way = Way::new();
        let (time, _) = way.decode(0, 1000, Took { network: 0, ..TOOK });
        way.figures.host_told(Micros(20 * MS), &[FrameTime { send: time.send + 1200, ..time }]);
        assert_about(way.median(Stage::Queue), 2000);
        assert_eq!(way.median(Stage::Network), Some(0));
    }

    #[test]
    fn a_picture_that_was_replaced_before_its_turn_has_no_total_and_one_that_nobody_looks_at_no_display() {
        let mut way = Way::new();
        let (_, replaced) = way.decode(0, 1000, TOOK);
        assert_eq!((way.median(Stage::Display), way.median(Stage::Total)), (None, None));
        way.figures.way_ended(replaced.done, replaced.captured);
        assert_eq!(way.median(Stage::Display), None);
        assert_about(way.median(Stage::Total), 18_000);
    }

    #[test]
    fn without_a_common_clock_there_is_no_network_and_no_total() {
        let mut way = Way { figures: Figures::default(), ..Way::new() };
        let (time, decoded) = way.decode(0, 1000, TOOK);
        way.show(decoded, TOOK);
        way.figures.host_told(decoded.done, &[time]);
        assert_eq!((way.median(Stage::Network), way.median(Stage::Total)), (None, None));
        assert_about(way.median(Stage::Queue), 2000);
        assert_about(way.median(Stage::Decode), 3000);
    }

    /// The host tells whatever it likes, and as much of it.
    #[test]
    fn what_the_host_makes_up_costs_no_memory_and_breaks_nothing() {
        let mut way = Way::new();
        for frame in 0..100_000 {
            let time =
                FrameTime { frame, capture: u32::MAX, wait: u32::MAX, encode: u32::MAX, send: u32::MAX };
            way.figures.host_told(Micros(0), &[time, time]);
        }
        assert_eq!(way.figures.halves.told.len(), MOST_HALVES);
        for frame in 99_999 - 100..=99_999 {
            way.decode(frame, u64::MAX - 2 * way.ahead, TOOK);
        }
        assert_eq!(way.median(Stage::Network), Some(0));
        assert!(way.figures.lately.stages.len() <= MOST_LATELY);
        assert_eq!(way.figures.halves.decoded.len(), 0);
    }

    /// Of pictures that were lost to the last datagram nothing here knows but by the host's word.
    #[test]
    fn what_left_and_never_came_is_counted_by_the_hosts_word() {
        let mut way = Way::new();
        assert_eq!(way.figures.sent(0), 0);
        let time = |frame| FrameTime { frame, capture: 0, wait: 0, encode: 0, send: 0 };
        way.figures.host_told(Micros(0), &[time(9), time(8)]);
        assert_eq!((way.figures.sent(7), way.figures.sent(10), way.figures.sent(12)), (10, 10, 12));
        way.figures.host_told(Micros(0), &[time(1 << 30)]);
        assert_eq!(way.figures.sent(12), 12, "that cannot be");
    }

    #[test]
    fn lately_is_the_last_second_and_nothing_before() {
        let mut way = Way::new();
        for frame in 0..60 {
            let slow = Took { decode: 50_000, ..TOOK };
            way.decode(frame, u64::from(frame) * 16_667, slow);
        }
        way.figures.arrived(Micros(1000 * MS), Arrived { lost: 5, repaired: 9, ..Arrived::default() });
        for frame in 0..30 {
            way.decode(60 + frame, 1_500_000 + u64::from(frame) * 33_333, TOOK);
        }
        way.figures.arrived(Micros(2400 * MS), Arrived { lost: 6, repaired: 9, ..Arrived::default() });
        way.figures.arrived(Micros(2500 * MS), Arrived { lost: 8, repaired: 10, ..Arrived::default() });
        let moment = way.figures.moment(Micros(2500 * MS));
        assert_eq!((moment.lost_lately, moment.repaired_lately, moment.arrived.lost), (2, 1, 8));
        assert!((29.0..=30.0).contains(&moment.frames_per_second), "{moment:?}");
        assert!((0.232..=0.24).contains(&moment.megabits_per_second), "{moment:?}");
        let decode = moment.latency.of(Stage::Decode).unwrap();
        assert_eq!((decode.p50, decode.p99), (Duration::from_millis(3), Duration::from_millis(3)));
        let still = way.figures.moment(Micros(9000 * MS));
        assert_eq!((still.frames_per_second, still.latency), (0.0, Latencies::default()));
    }
}
