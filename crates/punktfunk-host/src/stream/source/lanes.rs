//! Who shares an encoder with whom.
//!
//! Sessions of one [`Format`] share one for as long as their paths take nearly the same rate: a *lane*. Who cannot keep
//! up moves to a slower lane, and back when its path has taken for a while what the faster one makes. A format has
//! [`MOST_LANES`] at most; in the slowest of so many the slowest session sets the rate.
//!
//! Each move costs the one who moves a key frame, and with it those who are in the lane already.

use std::time::{Duration, Instant};

use super::Format;
use crate::stream::encode::audience::Measure;

/// The lanes of one source. One that nobody is in any more is gone.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    next: u64,
    all: Vec<Lane>,
    seated: Vec<Seated>,
}

/// One lane, for as long as there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::stream) struct LaneId(u64);

/// One session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::stream) struct ViewerId(pub(super) u64);

#[derive(Debug)]
struct Lane {
    id: LaneId,
    format: Format,
    /// What its encoder aims at, in bits a second.
    rate: u64,
    /// What it made of late: less where the pictures are easy.
    load: u64,
}

#[derive(Debug)]
struct Seated {
    viewer: ViewerId,
    lane: LaneId,
    /// Since when its path would take what the next faster lane makes.
    fit_since: Option<Instant>,
    /// For how long it must before it moves there.
    patience: Duration,
}

impl Lanes {
    /// One more session, whose path takes `rate` bits a second of an encoder, or more: nobody knows yet.
    pub(super) fn join(&mut self, viewer: ViewerId, format: Format, rate: u64) {
        let lane = self.lane_for(format, rate);
        self.seated.push(Seated { viewer, lane, fit_since: None, patience: PATIENCE });
    }

    /// The session is over.
    pub(super) fn leave(&mut self, viewer: ViewerId) {
        self.seated.retain(|seated| seated.viewer != viewer);
        self.close_empty();
    }

    /// The session gets pictures of another format, if that is another.
    pub(super) fn refit(&mut self, viewer: ViewerId, format: Format, rate: u64) {
        if self.lane_of(viewer).and_then(|lane| self.format(lane)) == Some(format) {
            return;
        }
        let lane = self.lane_for(format, rate);
        self.seat(viewer, lane);
    }

    /// The encoder of a lane aims at `rate` bits a second, and made `load` of late.
    pub(super) fn measured(&mut self, lane: LaneId, rate: u64, load: u64) {
        if let Some(lane) = self.all.iter_mut().find(|known| known.id == lane) {
            (lane.rate, lane.load) = (rate, load);
        }
    }

    /// The session, whose path takes `rate` bits a second of an encoder, cannot keep up in its lane.
    pub(super) fn step_down(&mut self, viewer: ViewerId, rate: u64) {
        let Some(own) = self.lane_of(viewer).and_then(|lane| self.get(lane)) else { return };
        if self.members(own.id).count() == 1 {
            return;
        }
        let (format, rank) = (own.format, own.rank());
        let mut slower: Vec<_> =
            self.all.iter().filter(|lane| lane.format == format && lane.rank() < rank).collect();
        slower.sort_by_key(|lane| lane.rank());
        let bearable = slower.iter().rev().find(|lane| lane.load <= rate);
        let lane = match (bearable, slower.first()) {
            (Some(lane), _) => lane.id,
            (None, _) if self.of(format).count() < MOST_LANES => self.open(format, rate),
            (None, Some(slowest)) => slowest.id,
            (None, None) => return,
        };
        self.seat(viewer, lane);
        if let Some(seated) = self.seated.iter_mut().find(|seated| seated.viewer == viewer) {
            seated.patience = (seated.patience * 2).min(MOST_PATIENCE);
        }
    }

    /// Moves those of a lane to the next faster one whose paths take that by now, all at once; whether any. `rate` says
    /// what each path takes.
    pub(super) fn step_up(&mut self, lane: LaneId, now: Instant, rate: impl Fn(ViewerId) -> u64) -> bool {
        let Some(own) = self.get(lane) else { return false };
        let rank = own.rank();
        let faster = self.of(own.format).filter(|lane| lane.rank() > rank).min_by_key(|lane| lane.rank());
        let faster = faster.map(|lane| (lane.id, lane.load));
        let mut is_time = false;
        for seated in self.seated.iter_mut().filter(|seated| seated.lane == lane) {
            let fits = faster.is_some_and(|(_, load)| rate(seated.viewer) >= load);
            seated.fit_since = fits.then_some(seated.fit_since.unwrap_or(now));
            is_time |= seated.fit_since.is_some_and(|since| now - since >= seated.patience);
        }
        let Some((faster, _)) = faster.filter(|_| is_time) else { return false };
        let fitting = |seated: &&mut Seated| seated.lane == lane && seated.fit_since.is_some();
        for seated in self.seated.iter_mut().filter(fitting) {
            (seated.lane, seated.fit_since) = (faster, None);
        }
        self.close_empty();
        true
    }

    /// All lanes, and what each makes.
    pub(super) fn all(&self) -> impl Iterator<Item = (LaneId, Format)> {
        self.all.iter().map(|lane| (lane.id, lane.format))
    }

    /// What a lane makes; `None` when there is no such lane any more.
    pub(super) fn format(&self, lane: LaneId) -> Option<Format> {
        self.get(lane).map(|lane| lane.format)
    }

    /// Who sets the rate of a lane.
    pub(super) fn measure(&self, lane: LaneId) -> Measure {
        let is_last = self.get(lane).is_some_and(|lane| {
            let of_format = || self.of(lane.format);
            of_format().count() == MOST_LANES && of_format().all(|other| other.rank() >= lane.rank())
        });
        if is_last { Measure::TheSlowest } else { Measure::TheFast }
    }

    /// The lane of a session.
    pub(super) fn lane_of(&self, viewer: ViewerId) -> Option<LaneId> {
        self.seated.iter().find(|seated| seated.viewer == viewer).map(|seated| seated.lane)
    }

    fn members(&self, lane: LaneId) -> impl Iterator<Item = ViewerId> {
        self.seated.iter().filter(move |seated| seated.lane == lane).map(|seated| seated.viewer)
    }

    fn get(&self, lane: LaneId) -> Option<&Lane> {
        self.all.iter().find(|known| known.id == lane)
    }

    fn of(&self, format: Format) -> impl Iterator<Item = &Lane> {
        self.all.iter().filter(move |lane| lane.format == format)
    }

    /// The fastest lane that a path which took `rate` so far may keep up with, or a new one.
    fn lane_for(&mut self, format: Format, rate: u64) -> LaneId {
        let lanes = || self.of(format);
        let bearable = lanes().filter(|lane| lane.load <= rate * UNTRIED).max_by_key(|lane| lane.rank());
        let slowest = lanes().filter(|_| lanes().count() == MOST_LANES).min_by_key(|lane| lane.rank());
        match bearable.or(slowest).map(|lane| lane.id) {
            Some(lane) => lane,
            None => self.open(format, rate),
        }
    }

    fn open(&mut self, format: Format, rate: u64) -> LaneId {
        let id = LaneId(self.next);
        self.next += 1;
        self.all.push(Lane { id, format, rate, load: rate });
        id
    }

    fn seat(&mut self, viewer: ViewerId, lane: LaneId) {
        if let Some(seated) = self.seated.iter_mut().find(|seated| seated.viewer == viewer) {
            (seated.lane, seated.fit_since) = (lane, None);
        }
        self.close_empty();
    }

    fn close_empty(&mut self) {
        let Self { all: lanes, seated, .. } = self;
        lanes.retain(|lane| seated.iter().any(|seated| seated.lane == lane.id));
    }
}

impl Lane {
    /// By which lanes of one format are compared: no two are the same.
    fn rank(&self) -> (u64, LaneId) {
        (self.rate, self.id)
    }
}

/// How many lanes a format has at most: each is an encoder, which takes a good part of a core.
pub(super) const MOST_LANES: usize = 3;

/// How many times what a path took so far it may turn out to take: as much as a stream on a link that has room grows in
/// half a second.
const UNTRIED: u64 = 3;

/// How long a path must take what a faster lane makes before it moves there.
const PATIENCE: Duration = Duration::from_secs(5);

/// The same for one that could not keep up again and again.
const MOST_PATIENCE: Duration = Duration::from_secs(80);

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use pf_media::picture::Size;

    use super::*;

    const MBIT: u64 = 1_000_000;

    fn format(width: u32) -> Format {
        Format { size: Size::new(width, 720), fps: NonZeroU32::new(60).unwrap() }
    }

    fn viewer(number: u64) -> ViewerId {
        ViewerId(number)
    }

    /// So many sessions of one format.
    fn crowd(count: u64) -> Lanes {
        let mut lanes = Lanes::default();
        (0..count).for_each(|number| lanes.join(viewer(number), format(1280), 6 * MBIT));
        lanes
    }

    fn lane_of(lanes: &Lanes, number: u64) -> LaneId {
        lanes.lane_of(viewer(number)).unwrap()
    }

    /// Whether the lanes that there are have somebody in them, and all sessions a lane.
    fn assert_sound(lanes: &Lanes) {
        assert!(lanes.all().all(|(lane, _)| lanes.members(lane).count() > 0));
        assert!(lanes.seated.iter().all(|seated| lanes.format(seated.lane).is_some()));
        for lane in &lanes.all {
            assert!(lanes.of(lane.format).count() <= MOST_LANES);
        }
    }

    /// Eight encoders for eight clients would take eight times the time of one.
    #[test]
    fn sessions_of_one_format_share_a_lane_and_others_do_not() {
        let mut lanes = crowd(8);
        assert_eq!(lanes.all().count(), 1);
        lanes.join(viewer(8), format(640), 6 * MBIT);
        assert_eq!(lanes.all().count(), 2);
        lanes.refit(viewer(8), format(1280), 6 * MBIT);
        assert_eq!(lanes.all().count(), 1);
        (0..9).for_each(|number| lanes.leave(viewer(number)));
        assert_eq!(lanes.all().count(), 0);
    }

    /// One weak link must not make the picture of all others poor.
    #[test]
    fn who_cannot_keep_up_gets_a_lane_of_its_own() {
        let mut lanes = crowd(3);
        let fast = lane_of(&lanes, 0);
        lanes.measured(fast, 15 * MBIT, 12 * MBIT);
        lanes.step_down(viewer(1), 2 * MBIT);
        let slow = lane_of(&lanes, 1);
        assert_ne!(slow, fast);
        assert_eq!([0, 2].map(|number| lane_of(&lanes, number)), [fast, fast]);
        // Another slow one shares that, if it takes what is made there.
        lanes.measured(slow, 2 * MBIT, 2 * MBIT);
        lanes.step_down(viewer(2), 3 * MBIT);
        assert_eq!(lane_of(&lanes, 2), slow);
        assert_sound(&lanes);
    }

    /// The first picture of what a weak link can never take fills it for seconds.
    #[test]
    fn who_comes_gets_a_lane_that_its_link_may_keep_up_with() {
        let mut lanes = crowd(1);
        let fast = lane_of(&lanes, 0);
        lanes.measured(fast, 15 * MBIT, 15 * MBIT);
        lanes.join(viewer(1), format(1280), 6 * MBIT);
        assert_eq!(lane_of(&lanes, 1), fast);
        lanes.join(viewer(2), format(1280), MBIT);
        assert_ne!(lane_of(&lanes, 2), fast);
        lanes.measured(fast, 15 * MBIT, MBIT);
        lanes.join(viewer(3), format(1280), MBIT);
        assert_eq!(lane_of(&lanes, 3), fast, "what is shown now takes no more");
    }

    /// Links of all sorts must not start an encoder each.
    #[test]
    fn there_are_no_more_lanes_than_a_few_and_in_the_last_the_slowest_sets_the_rate() {
        let mut lanes = crowd(6);
        lanes.measured(lane_of(&lanes, 0), 32 * MBIT, 32 * MBIT);
        for number in 1..6 {
            let rate = (32 * MBIT) >> number;
            for _ in 0..MOST_LANES {
                lanes.step_down(viewer(number), rate);
                let lane = lane_of(&lanes, number);
                let least = |lanes: &Lanes| lanes.members(lane).map(|member| (32 * MBIT) >> member.0).min();
                let rate = least(&lanes).unwrap();
                lanes.measured(lane, rate, rate);
            }
            assert_sound(&lanes);
        }
        assert_eq!(lanes.all().count(), MOST_LANES);
        let last = lane_of(&lanes, 5);
        assert_eq!(lanes.measure(last), Measure::TheSlowest);
        assert_eq!(lanes.measure(lane_of(&lanes, 0)), Measure::TheFast);
        lanes.step_down(viewer(5), MBIT);
        assert_eq!(lane_of(&lanes, 5), last, "there is nowhere to go");
    }

    /// A link that recovered must not stay at a quarter of the rate for ever; one that comes and goes must not cost the
    /// others a key frame each time.
    #[test]
    fn who_keeps_up_again_goes_back_and_later_each_time() {
        let mut lanes = crowd(3);
        let fast = lane_of(&lanes, 0);
        let start = Instant::now();
        let mut now = start;
        let mut waits = Vec::new();
        for _ in 0..6 {
            lanes.measured(fast, 15 * MBIT, 10 * MBIT);
            for number in [1, 2] {
                lanes.step_down(viewer(number), 2 * MBIT);
                lanes.measured(lane_of(&lanes, number), 2 * MBIT, 2 * MBIT);
            }
            let slow = lane_of(&lanes, 1);
            assert!(!lanes.step_up(slow, now, |_| 9 * MBIT));
            let begun = now;
            while !lanes.step_up(slow, now, |_| 10 * MBIT) {
                now += Duration::from_millis(250);
                assert!(now - start < Duration::from_mins(10));
            }
            assert_eq!([1, 2].map(|number| lane_of(&lanes, number)), [fast, fast], "both at once");
            waits.push((now - begun).as_secs());
        }
        assert_eq!(waits, [10, 20, 40, 80, 80, 80]);
        assert_sound(&lanes);
    }

    #[test]
    fn who_is_alone_stays() {
        let mut lanes = crowd(1);
        let own = lane_of(&lanes, 0);
        lanes.measured(own, 15 * MBIT, 15 * MBIT);
        lanes.step_down(viewer(0), MBIT);
        assert_eq!(lane_of(&lanes, 0), own);
        assert!(!lanes.step_up(own, Instant::now(), |_| 100 * MBIT));
    }
}
