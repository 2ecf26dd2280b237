//! Puts shards back together into access units and hands these out in order, or says that a recovery is needed.
//!
//! The network loses, repeats and reorders. A picture that comes late is worth nothing, so nothing here waits for
//! long: an access unit goes out the moment enough of its shards came, repaired where some are missing, and its turn
//! has come; and what an access unit waits for in vain is given up after [`REORDERING`]. What refers to a lost one
//! cannot be decoded and is lost, too, until a *recovery point* comes: a key frame, or a frame that refers to one that
//! was decoded. That goes out at once, whatever older frames are still open.
//!
//! What a peer claims costs no memory: only shards that came are kept, in at most [`MAX_FRAMES`] frames and
//! [`BYTE_BUDGET`] bytes. When either is full the oldest frame is given up. Repairs cost time, of which only
//! [`REPAIRS_PER_SECOND`] are spent.

mod arrivals;
mod history;
mod lateness;
mod partial;

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use pf_proto::{
    media::{self, Header, MAX_ACCESS_UNIT, decode},
    session::MediaFeedback,
};
use thiserror::Error;

use self::{
    arrivals::Arrivals,
    history::History,
    lateness::Lateness,
    partial::{Added, Partial},
};
pub use self::{arrivals::FEEDBACK_INTERVAL, lateness::LATE_AFTER};
use crate::time::Micros;

/// Reassembles the access units of one stream.
///
/// Give it each datagram with [`handle_datagram`](Self::handle_datagram). After that, and when
/// [`next_deadline`](Self::next_deadline) is reached, call [`poll`](Self::poll) until it returns `None`, and then
/// [`poll_feedback`](Self::poll_feedback) once. `now` must never run backwards.
#[derive(Debug)]
pub struct Reassembler {
    /// The frames that are not settled yet, by number.
    frames: BTreeMap<u64, Partial>,
    /// What the shards in `frames` cost.
    cost: usize,
    /// The frame whose turn it is; all below are settled. Unknown until the first was handed out or given up.
    next: Option<u64>,
    /// The highest frame number that was seen, which the wrapped numbers on the wire are read against.
    newest: u64,
    decoded: History,
    /// The first frame that is missing, while nothing more can be decoded without a recovery point.
    first_lost: Option<u64>,
    request: Request,
    arrivals: Arrivals,
    lateness: Lateness,
    repairs: Repairs,
    counters: Counters,
}

/// What comes out of a [`Reassembler`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// An access unit that the decoder can take now.
    AccessUnit {
        /// Its number on the wire.
        frame: u32,
        /// Whether it is a key frame.
        key: bool,
        /// When it was captured, on the sender's media clock.
        captured: Micros,
        /// Whether it came [`LATE_AFTER`] or more after it should have. It must be decoded all the same, since others
        /// refer to it; a newer one that waits behind it is the one to show.
        late: bool,
        /// The coded bytes.
        bytes: Bytes,
    },
    /// Nothing more will come out without a recovery point. Said once for each loss and again after
    /// [`REQUEST_TIMEOUT`]; the feedback, which is due now, tells the sender.
    NeedRecovery {
        /// The first frame that is missing.
        first_lost: u32,
        /// The newest frame of which anything came.
        newest: u32,
        /// The newest frame that the decoder has, which a recovery can refer to; without one only a key frame helps.
        decoded: Option<u32>,
    },
}

/// Why a datagram was refused. Nothing changed by it; its sender is broken or means harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// Its header is not one.
    #[error(transparent)]
    Header(#[from] media::Malformed),
    /// It says something else about its access unit than an earlier shard did.
    #[error("a shard disagrees with an earlier one of its access unit")]
    Disagrees,
}

/// What came and what became of it, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Access units that were handed out.
    pub complete: u64,
    /// Of these, the ones that were repaired.
    pub repaired: u64,
    /// Of these, the ones that were late.
    pub late: u64,
    /// Access units that never will be handed out: shards of them are missing, or they refer to one like that.
    pub lost: u64,
    /// Of these, the ones that came whole: for what they refer to is missing, the picture before stands in their place.
    pub concealed: u64,
    /// Datagrams that were taken in, of any kind.
    pub shards: u64,
    /// Of these, the ones that had come before.
    pub duplicates: u64,
    /// Of these, the ones that nothing was left to do for: parity that was not needed, and what came after its access
    /// unit was handed out or given up.
    pub surplus: u64,
    /// Data shards that were computed from parity.
    pub repaired_shards: u64,
}

/// Where the reassembler is with asking for a recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    NotNeeded,
    Due,
    Sent { at: Micros },
}

impl Reassembler {
    /// A reassembler that has seen nothing, and starts with the first key frame.
    pub fn new() -> Self {
        Self {
            frames: BTreeMap::new(),
            cost: 0,
            next: None,
            newest: FIRST,
            decoded: History::default(),
            first_lost: None,
            request: Request::NotNeeded,
            arrivals: Arrivals::default(),
            lateness: Lateness::default(),
            repairs: Repairs::default(),
            counters: Counters::default(),
        }
    }

    /// Takes in one datagram.
    pub fn handle_datagram(&mut self, now: Micros, datagram: &[u8]) -> Result<(), Malformed> {
        let (header, shard) = decode(datagram)?;
        let frame = self.unwrapped(header.frame);
        if let Some(partial) = self.frames.get(&frame) {
            partial.check(&header)?;
        }
        self.counters.shards += 1;
        if self.fate(frame, &header) != Added::Duplicate {
            self.arrivals.record(now, frame, &header);
        }
        self.make_room(frame, partial::cost(shard));
        if self.is_settled(frame) {
            self.counters.surplus += 1;
        } else {
            self.add(now, frame, &header, shard);
        }
        Ok(())
    }

    /// The next thing to do, if there is one now.
    #[must_use = "an access unit that is dropped leaves the decoder without what the next one refers to"]
    pub fn poll(&mut self, now: Micros) -> Option<Output> {
        loop {
            if let Some(frame) = self.ready() {
                return self.hand_out(now, frame);
            }
            if self.patience_ends().is_none_or(|end| now < end) {
                break;
            }
            self.give_up_oldest();
        }
        if self.repeat_request_at().is_some_and(|at| at <= now) {
            self.request = Request::Due;
        }
        if self.request == Request::Due {
            self.request = Request::Sent { at: now };
            self.arrivals.hurry(now);
            return Some(Output::NeedRecovery {
                first_lost: self.first_lost.unwrap_or(self.newest) as u32,
                newest: self.newest as u32,
                decoded: self.decoded.newest().map(|frame| frame as u32),
            });
        }
        None
    }

    /// The report to send to the sender now, if one is due.
    ///
    /// It goes as a datagram of its own, once: the next one tells what a lost one told.
    pub fn poll_feedback(&mut self, now: Micros) -> Option<MediaFeedback> {
        self.arrivals.due(self.asked_at()).filter(|&due| due <= now)?;
        let (number, frames) = self.arrivals.report(now, self.newest);
        Some(MediaFeedback {
            number,
            sent: now.0,
            newest_frame: self.newest as u32,
            decoded_frame: self.decoded.newest().map(|frame| frame as u32),
            first_lost: self.first_lost.filter(|_| self.asked_at().is_some()).map(|frame| frame as u32),
            frames,
        })
    }

    /// The decoder did not get `frame`, which was handed out, or could not decode it: what refers to it or to a later
    /// one is of no use any more, and a recovery is needed.
    pub fn not_decoded(&mut self, frame: u32) {
        let frame = self.unwrapped(frame);
        if !self.decoded.contains(frame) {
            return;
        }
        self.decoded.forget_from(frame);
        if !self.recovery_is_under_way() {
            self.ask(frame);
        }
    }

    /// When to call [`poll`](Self::poll) and [`poll_feedback`](Self::poll_feedback) next if no datagram comes before;
    /// call this when `poll` returned `None`.
    pub fn next_deadline(&self) -> Option<Micros> {
        [self.poll_deadline(), self.arrivals.due(self.asked_at())].into_iter().flatten().min()
    }

    /// When [`poll`](Self::poll) may have something to say, if no datagram comes before.
    pub fn poll_deadline(&self) -> Option<Micros> {
        [self.patience_ends(), self.repeat_request_at()].into_iter().flatten().min()
    }

    /// What came and what became of it, since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The share of shards that did not come since the start, before any repair, 0 to 1.
    ///
    /// Frames of which nothing came at all are not in it, since nobody told how many shards they had, nor are the newest
    /// two, of which more may come.
    pub fn loss(&self) -> f64 {
        self.arrivals.loss()
    }

    /// How many frames the sender has sent at least: the newest of which anything came, and all before it.
    pub fn frames_sent(&self) -> u64 {
        if self.counters.shards == 0 { 0 } else { self.newest + 1 - FIRST }
    }

    /// The number that the 32 bits on the wire stand for: the one closest to the newest that was seen.
    fn unwrapped(&self, frame: u32) -> u64 {
        let ahead = frame.wrapping_sub(self.newest as u32).cast_signed();
        self.newest.saturating_add_signed(i64::from(ahead))
    }

    fn is_settled(&self, frame: u64) -> bool {
        self.next.is_some_and(|next| frame < next)
    }

    fn fate(&self, frame: u64, header: &Header) -> Added {
        self.frames.get(&frame).map_or(Added::New, |partial| partial.fate(header))
    }

    /// Gives up the oldest frames until there is room for a shard of `frame` that costs `cost`, or none are left.
    fn make_room(&mut self, frame: u64, cost: usize) {
        loop {
            let fits = self.cost + cost <= BYTE_BUDGET
                && (self.frames.len() < MAX_FRAMES || self.frames.contains_key(&frame));
            if fits || self.frames.is_empty() || self.is_settled(frame) {
                return;
            }
            self.give_up_oldest();
        }
    }

    fn add(&mut self, now: Micros, frame: u64, header: &Header, shard: &[u8]) {
        self.newest = self.newest.max(frame);
        let partial = self.frames.entry(frame).or_insert_with(|| Partial::new(header, now));
        if partial.fate(header) == Added::New && !self.repairs.afford(now, partial.repairs_with(header)) {
            self.counters.surplus += 1;
            return;
        }
        match partial.add(header, shard, now) {
            Added::New => self.cost += partial::cost(shard),
            Added::Duplicate => self.counters.duplicates += 1,
            Added::Surplus => self.counters.surplus += 1,
        }
    }

    /// Whether what `partial`, which is `frame`, refers to was decoded.
    fn is_decodable(&self, frame: u64, partial: &Partial) -> bool {
        partial.is_key() || self.decoded.contains(frame.wrapping_sub(partial.reference()))
    }

    /// Whether `partial` needs nothing of what just came before it.
    fn is_recovery_point(&self, frame: u64, partial: &Partial) -> bool {
        partial.reference() != 1 && self.is_decodable(frame, partial)
    }

    fn recovery_is_under_way(&self) -> bool {
        self.frames.iter().any(|(&frame, partial)| self.is_recovery_point(frame, partial))
    }

    /// The frame to hand out now: the one whose turn it is, else the newest complete recovery point.
    fn ready(&self) -> Option<u64> {
        let in_turn = self.frames.first_key_value().filter(|&(&frame, partial)| {
            self.next == Some(frame) && partial.completed().is_some() && self.is_decodable(frame, partial)
        });
        let (&frame, _) = in_turn.or_else(|| {
            self.frames.iter().rev().find(|&(&frame, partial)| {
                partial.completed().is_some() && self.is_recovery_point(frame, partial)
            })
        })?;
        Some(frame)
    }

    /// Hands out `frame`, and settles all before it.
    fn hand_out(&mut self, now: Micros, frame: u64) -> Option<Output> {
        let newer = self.frames.split_off(&(frame + 1));
        let mut older = std::mem::replace(&mut self.frames, newer);
        let partial = older.remove(&frame)?;
        self.cost -= partial.cost() + older.values().map(Partial::cost).sum::<usize>();
        self.counters.concealed += older.values().filter(|older| older.completed().is_some()).count() as u64;
        self.settle_before(frame, older.len());
        self.next = Some(frame + 1);
        self.decoded.insert(frame);
        self.first_lost = None;
        self.request = Request::NotNeeded;
        let late = self.lateness.is_late(now, partial.captured());
        self.counters.complete += 1;
        self.counters.late += u64::from(late);
        self.counters.repaired += u64::from(partial.missing() > 0);
        self.counters.repaired_shards += partial.missing();
        Some(Output::AccessUnit {
            frame: frame as u32,
            key: partial.is_key(),
            captured: partial.captured(),
            late,
            bytes: partial.into_bytes()?,
        })
    }

    /// Gives up the oldest frame and with it those that refer to it, up to the next recovery point.
    fn give_up_oldest(&mut self) {
        let Some((mut last, oldest)) = self.frames.pop_first() else { return };
        let was_recovery = self.is_recovery_point(last, &oldest);
        let first = self.next.unwrap_or(last).min(last);
        self.cost -= oldest.cost();
        self.counters.concealed += u64::from(oldest.completed().is_some());
        let mut given_up = 1;
        while let Some((&frame, partial)) = self.frames.first_key_value()
            && !self.is_decodable(frame, partial)
        {
            last = frame;
            self.cost -= partial.cost();
            self.counters.concealed += u64::from(partial.completed().is_some());
            self.frames.pop_first();
            given_up += 1;
        }
        self.settle_before(
            self.frames.first_key_value().map_or(last + 1, |(&recovery, _)| recovery),
            given_up,
        );
        // A recovery point that is under way spares asking; one that was asked for and is lost is a new loss.
        self.first_lost.get_or_insert(first);
        if self.frames.is_empty() && (self.request == Request::NotNeeded || was_recovery) {
            self.ask(first);
        }
    }

    fn ask(&mut self, first_lost: u64) {
        self.first_lost.get_or_insert(first_lost);
        self.request = Request::Due;
    }

    /// Counts what is skipped when the turn goes to `next`; of these `seen` left at least one shard here.
    fn settle_before(&mut self, next: u64, seen: usize) {
        self.counters.lost += self.next.map_or(seen as u64, |skipped_from| next - skipped_from);
        self.next = Some(next);
    }

    /// When the oldest frame is given up: a complete one has waited for it long enough, or it got no shard for long.
    fn patience_ends(&self) -> Option<Micros> {
        let (_, oldest) = self.frames.first_key_value()?;
        let stalled = oldest.last_shard() + STALLED;
        let waited_for = self.frames.values().filter_map(Partial::completed).min();
        Some(waited_for.map_or(stalled, |since| stalled.min(since + REORDERING)))
    }

    /// When a recovery was asked for that did not come yet.
    fn asked_at(&self) -> Option<Micros> {
        match self.request {
            Request::Sent { at } => Some(at),
            Request::NotNeeded | Request::Due => None,
        }
    }

    /// When to ask again: not while a recovery is under way, which is given up on its own when it stalls.
    fn repeat_request_at(&self) -> Option<Micros> {
        self.asked_at().filter(|_| !self.recovery_is_under_way()).map(|at| at + REQUEST_TIMEOUT)
    }
}

impl Default for Reassembler {
    fn default() -> Self {
        Self::new()
    }
}

/// How many blocks may be repaired, so that a sender of tiny frames cannot take all of our time.
#[derive(Clone, Copy, Debug)]
struct Repairs {
    left: u64,
    since: Micros,
}

impl Repairs {
    /// Whether `blocks` more may be repaired now; they are, then.
    fn afford(&mut self, now: Micros, blocks: usize) -> bool {
        let earned = now.since(self.since).as_micros() as u64 * REPAIRS_PER_SECOND / 1_000_000;
        if earned > 0 {
            self.left = (self.left + earned).min(REPAIRS_AT_ONCE);
            self.since = now;
        }
        let affordable = self.left.checked_sub(blocks as u64);
        self.left = affordable.unwrap_or(self.left);
        affordable.is_some()
    }
}

impl Default for Repairs {
    fn default() -> Self {
        Self { left: REPAIRS_AT_ONCE, since: Micros::ZERO }
    }
}

/// How long a complete access unit waits for the shards of an earlier one that may still come.
///
/// Half a frame interval at 60 fps. On one path packets overtake each other by far less; a larger value holds up the
/// recovery from every real loss by as much.
pub const REORDERING: Duration = Duration::from_millis(10);

/// How long the oldest access unit may get no shard, with nothing complete behind it, before it is given up.
///
/// It is what ends the wait for the tail of the last picture before the screen stands still. It must be longer than a
/// slow link pauses within one frame; it costs a stale picture for that long.
pub const STALLED: Duration = Duration::from_millis(100);

/// How long to wait for the first shard of a recovery that was asked for, before saying so again.
///
/// The request goes with every report until it is answered, so what gets lost is at most the answer. Asking anew too
/// soon makes the sender code a second key frame, which is large, on a link that is in trouble.
pub const REQUEST_TIMEOUT: Duration = Duration::from_millis(250);

/// The most bytes that unsettled frames may cost, bookkeeping included: two access units of the greatest length, or
/// one with as much parity.
pub const BYTE_BUDGET: usize = 2 * MAX_ACCESS_UNIT;

/// The most unsettled frames: a second's worth at 60 fps, several times of what the deadlines leave open.
pub const MAX_FRAMES: usize = 64;

/// How many blocks are repaired in a second at most: each frame of four blocks at 240 fps.
///
/// At 0.2 ms each it is a fifth of one core. Beyond it frames that need repair are lost.
pub const REPAIRS_PER_SECOND: u64 = 1000;

/// How many blocks are repaired at once at most: those of the four longest access units.
const REPAIRS_AT_ONCE: u64 = 64;

/// Where frame numbers start once unwrapped: high enough that none on the wire reads as negative.
const FIRST: u64 = 1 << 32;

#[cfg(test)]
mod tests {
    use pf_proto::media::Stream;
    use proptest::prelude::*;

    use super::*;

    /// A shard of `len` bytes, of an access unit of `data` of them.
    fn datagram(frame: u32, index: u16, data: u16, len: usize) -> Vec<u8> {
        let header = Header {
            stream: Stream::Video,
            length: (usize::from(data) * len) as u32,
            frame,
            reference: u16::from(!frame.is_multiple_of(8)),
            index,
            data,
            parity: 0,
            captured: 0,
        };
        let mut datagram = header.encode().to_vec();
        datagram.resize(datagram.len() + len, 7);
        datagram
    }

    fn assert_within_bounds(reassembler: &Reassembler) {
        assert_eq!(reassembler.cost, reassembler.frames.values().map(Partial::cost).sum::<usize>());
        assert!(reassembler.cost <= BYTE_BUDGET, "{} bytes", reassembler.cost);
        assert!(reassembler.frames.len() <= MAX_FRAMES, "{} frames", reassembler.frames.len());
    }

    /// A peer opens frame after frame and finishes none, as long shards and as shortest.
    #[test]
    fn frames_that_are_never_finished_stay_within_the_budget() {
        for (shard_len, data) in [(2, 4096), (1_022, 4096), (60_000, 69)] {
            let mut reassembler = Reassembler::new();
            for frame in 0..200 {
                for index in 0..400.min(data - 1) {
                    reassembler
                        .handle_datagram(Micros::ZERO, &datagram(frame, index, data, shard_len))
                        .unwrap();
                    if index % 16 == 0 {
                        assert_within_bounds(&reassembler);
                    }
                }
            }
            assert!(reassembler.counters().lost > 0);
        }
    }

    /// One datagram claims a frame of thousands of shards; it must cost what it carries.
    #[test]
    fn a_claimed_count_costs_nothing() {
        let mut reassembler = Reassembler::new();
        reassembler.handle_datagram(Micros::ZERO, &datagram(0, 4095, 4096, 2)).unwrap();
        assert!(reassembler.cost < 200);
    }

    /// A sender of tiny frames that each want a repair would else take all of the receiver's time.
    #[test]
    fn repairs_are_rationed() {
        let mut repairs = Repairs::default();
        let second = |second: u64| (0..1_000).map(move |step| Micros(second * 1_000_000 + step * 1_000));
        let mut granted = |second: &mut dyn Iterator<Item = Micros>| -> usize {
            second.map(|now| (0..10).filter(|_| repairs.afford(now, 1)).count()).sum()
        };
        assert!((1000..=1064).contains(&granted(&mut second(1))));
        assert!((990..=1001).contains(&granted(&mut second(2))));
        assert!(repairs.afford(Micros(3_000_000), 0), "what needs no repair is never refused");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever headers come, at whatever times: no panic, the books balance and the bounds hold.
        #[test]
        fn hostile_headers_stay_within_the_bounds(
            datagrams in prop::collection::vec(
                (prop_oneof![0..20_u32, any::<u32>()], 0..6_u16, 1..6_u16, 0..5_u16, prop_oneof![0..4_u16, 0..=1024_u16], 1..9_u32, 0..30_000_u64),
                1..200,
            ),
        ) {
            let mut reassembler = Reassembler::new();
            let mut now = Micros::ZERO;
            for (frame, index, data, parity, reference, last, wait) in datagrams {
                now = now + Duration::from_micros(wait);
                let length = u32::from(data - 1) * 8 + last;
                let header = Header { stream: Stream::Video, length, reference, frame, index, data, parity, captured: 0 };
                let len = if index + 1 == data { last as usize } else { header.shard_len() };
                // Most are refused for disagreeing; that is part of what is tested.
                reassembler.handle_datagram(now, &[&header.encode()[..], &[7; 8][..len.min(8)]].concat()).ok();
                assert_within_bounds(&reassembler);
                while reassembler.poll(now).is_some() {}
                reassembler.poll_feedback(now);
                assert_within_bounds(&reassembler);
                prop_assert!(reassembler.next_deadline().is_none_or(|deadline| deadline > now));
            }
        }
    }
}
