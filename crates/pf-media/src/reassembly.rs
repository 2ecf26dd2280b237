//! Puts shards back together into access units and hands these out in order, or says that a key frame is needed.
//!
//! The network loses, repeats and reorders. A picture that comes late is worth nothing, so nothing here waits for
//! long: an access unit goes out the moment it is complete and its turn, and what an access unit waits for in vain is
//! given up after [`REORDERING`]. What follows a lost one refers to it and cannot be decoded, so nothing more goes out
//! until a key frame is complete. That goes out at once, whatever older frames are still open.
//!
//! What a peer claims costs no memory: only shards that came are kept, in at most [`MAX_FRAMES`] frames and
//! [`BYTE_BUDGET`] bytes. When either is full the oldest frame is given up.

mod partial;

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use pf_proto::media::{self, Header, decode};
use thiserror::Error;

use self::partial::{Added, Partial};
use crate::{packet::MAX_ACCESS_UNIT, time::Micros};

/// Reassembles the access units of one stream.
///
/// Give it each datagram with [`handle_datagram`](Self::handle_datagram), and after that, and when
/// [`next_deadline`](Self::next_deadline) is reached, call [`poll`](Self::poll) until it returns `None`. `now` must
/// never run backwards.
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
    /// Whether the frame `next` can be decoded when it comes, key frame or not.
    in_sync: bool,
    request: KeyFrameRequest,
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
        /// The coded bytes.
        bytes: Bytes,
    },
    /// Ask the sender for a key frame; without one nothing more will come out.
    NeedKeyFrame,
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
    /// Its access unit would become longer than [`MAX_ACCESS_UNIT`].
    #[error("an access unit grows beyond {MAX_ACCESS_UNIT} bytes")]
    TooLong,
}

/// What came and what became of it, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Access units that were handed out.
    pub complete: u64,
    /// Access units that never will be: shards of them are missing, or they refer to one like that.
    pub lost: u64,
    /// Datagrams that were taken in, of any kind.
    pub shards: u64,
    /// Of these, the ones that had come before.
    pub duplicates: u64,
    /// Of these, the ones whose access unit was handed out or given up before.
    pub late: u64,
}

/// Where the reassembler is with asking for a key frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyFrameRequest {
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
            in_sync: false,
            request: KeyFrameRequest::NotNeeded,
            counters: Counters::default(),
        }
    }

    /// Takes in one datagram.
    pub fn handle_datagram(&mut self, now: Micros, datagram: &[u8]) -> Result<(), Malformed> {
        let (header, shard) = decode(datagram)?;
        let frame = self.unwrapped(header.frame);
        if self.is_settled(frame) {
            self.counters.shards += 1;
            self.counters.late += 1;
            return Ok(());
        }
        if let Some(partial) = self.frames.get(&frame) {
            partial.check(&header, shard)?;
        }
        self.counters.shards += 1;
        if header.is_parity() {
            // Without repair there is no use for it.
            return Ok(());
        }
        self.make_room(frame, partial::cost(shard));
        if self.is_settled(frame) {
            self.counters.late += 1;
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
                return self.hand_out(frame);
            }
            if self.patience_ends().is_none_or(|end| now < end) {
                break;
            }
            self.give_up_oldest();
        }
        if self.repeat_request_at().is_some_and(|at| at <= now) {
            self.request = KeyFrameRequest::Due;
        }
        if self.request == KeyFrameRequest::Due {
            self.request = KeyFrameRequest::Sent { at: now };
            return Some(Output::NeedKeyFrame);
        }
        None
    }

    /// When to call [`poll`](Self::poll) next if no datagram comes before; call this when `poll` returned `None`.
    pub fn next_deadline(&self) -> Option<Micros> {
        [self.patience_ends(), self.repeat_request_at()].into_iter().flatten().min()
    }

    /// What came and what became of it, since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The number that the 32 bits on the wire stand for: the one closest to the newest that was seen.
    fn unwrapped(&self, frame: u32) -> u64 {
        let ahead = frame.wrapping_sub(self.newest as u32).cast_signed();
        self.newest.saturating_add_signed(i64::from(ahead))
    }

    fn is_settled(&self, frame: u64) -> bool {
        self.next.is_some_and(|next| frame < next)
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
        match partial.add(header.index, shard, now) {
            Added::New => self.cost += partial::cost(shard),
            Added::Duplicate => self.counters.duplicates += 1,
        }
    }

    /// The frame to hand out now: the one whose turn it is, else the newest complete key frame.
    fn ready(&self) -> Option<u64> {
        let in_turn = self.frames.first_key_value().filter(|&(&frame, partial)| {
            self.in_sync && self.next == Some(frame) && partial.completed().is_some()
        });
        let (&frame, _) = in_turn.or_else(|| {
            self.frames.iter().rev().find(|(_, partial)| partial.is_key() && partial.completed().is_some())
        })?;
        Some(frame)
    }

    /// Hands out `frame`, and settles all before it.
    fn hand_out(&mut self, frame: u64) -> Option<Output> {
        let newer = self.frames.split_off(&(frame + 1));
        let mut older = std::mem::replace(&mut self.frames, newer);
        let partial = older.remove(&frame)?;
        self.cost -= partial.cost() + older.values().map(Partial::cost).sum::<usize>();
        self.settle_before(frame, older.len());
        self.next = Some(frame + 1);
        self.counters.complete += 1;
        self.in_sync = true;
        self.request = KeyFrameRequest::NotNeeded;
        Some(Output::AccessUnit {
            frame: frame as u32,
            key: partial.is_key(),
            captured: partial.captured(),
            bytes: partial.into_bytes(),
        })
    }

    /// Gives up the oldest frame and with it those that refer to it, up to the next key frame.
    fn give_up_oldest(&mut self) {
        let Some((mut last, oldest)) = self.frames.pop_first() else { return };
        self.cost -= oldest.cost();
        let mut given_up = 1;
        while let Some(entry) = self.frames.first_entry().filter(|entry| !entry.get().is_key()) {
            last = *entry.key();
            self.cost -= entry.remove().cost();
            given_up += 1;
        }
        self.settle_before(
            self.frames.first_key_value().map_or(last + 1, |(&key_frame, _)| key_frame),
            given_up,
        );
        self.in_sync = false;
        // A key frame that is under way spares asking; one that was asked for and is lost is a new loss.
        if self.frames.is_empty() && (self.request == KeyFrameRequest::NotNeeded || oldest.is_key()) {
            self.request = KeyFrameRequest::Due;
        }
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

    /// When to ask again: not while a key frame is under way, which is given up on its own when it stalls.
    fn repeat_request_at(&self) -> Option<Micros> {
        match self.request {
            KeyFrameRequest::Sent { at } if !self.frames.values().any(Partial::is_key) => {
                Some(at + REQUEST_TIMEOUT)
            }
            _ => None,
        }
    }
}

impl Default for Reassembler {
    fn default() -> Self {
        Self::new()
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

/// How long to wait for the first shard of a key frame that was asked for, before asking again.
///
/// The request goes over a reliable stream, so what gets lost is at most the key frame. Asking again too soon makes
/// the sender code a second key frame, which is large, on a link that is in trouble.
pub const REQUEST_TIMEOUT: Duration = Duration::from_millis(250);

/// The most bytes that unsettled frames may cost, bookkeeping included: two access units of the greatest length.
pub const BYTE_BUDGET: usize = 2 * MAX_ACCESS_UNIT;

/// The most unsettled frames: a second's worth at 60 fps, several times of what the deadlines leave open.
pub const MAX_FRAMES: usize = 64;

/// Where frame numbers start once unwrapped: high enough that none on the wire reads as negative.
const FIRST: u64 = 1 << 32;

#[cfg(test)]
mod tests {
    use pf_proto::media::{MAX_DATA_SHARDS, Stream};
    use proptest::prelude::*;

    use super::*;

    fn datagram(frame: u32, index: u16, data: u16, shard: &[u8]) -> Vec<u8> {
        let header = Header {
            stream: Stream::Video,
            key: frame.is_multiple_of(8),
            frame,
            index,
            data,
            parity: 0,
            captured: 0,
        };
        [&header.encode()[..], shard].concat()
    }

    fn assert_within_bounds(reassembler: &Reassembler) {
        assert_eq!(reassembler.cost, reassembler.frames.values().map(Partial::cost).sum::<usize>());
        assert!(reassembler.cost <= BYTE_BUDGET, "{} bytes", reassembler.cost);
        assert!(reassembler.frames.len() <= MAX_FRAMES, "{} frames", reassembler.frames.len());
    }

    /// A peer opens frame after frame and finishes none, as long shards and as single bytes.
    #[test]
    fn frames_that_are_never_finished_stay_within_the_budget() {
        for shard_len in [1, 1_100, 60_000] {
            let shard = vec![0; shard_len];
            let mut reassembler = Reassembler::new();
            for frame in 0..200 {
                for index in 0..400 {
                    reassembler
                        .handle_datagram(Micros::ZERO, &datagram(frame, index, MAX_DATA_SHARDS, &shard))
                        .unwrap_or_else(|error| assert_eq!(error, Malformed::TooLong));
                    assert_within_bounds(&reassembler);
                }
            }
            assert!(reassembler.counters().lost > 0);
        }
    }

    /// One datagram claims a frame of thousands of shards; it must cost what it carries.
    #[test]
    fn a_claimed_count_costs_nothing() {
        let mut reassembler = Reassembler::new();
        reassembler
            .handle_datagram(Micros::ZERO, &datagram(0, MAX_DATA_SHARDS - 1, MAX_DATA_SHARDS, b"x"))
            .unwrap();
        assert!(reassembler.cost < 200);
    }

    proptest! {
        /// Whatever headers come, at whatever times: no panic, the books balance and the bounds hold.
        #[test]
        fn hostile_headers_stay_within_the_bounds(
            datagrams in prop::collection::vec(
                (prop_oneof![0..20_u32, any::<u32>()], 0..6_u16, 1..6_u16, 0..3_u16, any::<bool>(), 1..9_usize, 0..30_000_u64),
                1..200,
            ),
        ) {
            let mut reassembler = Reassembler::new();
            let mut now = Micros::ZERO;
            for (frame, index, data, parity, key, len, wait) in datagrams {
                now = now + Duration::from_micros(wait);
                let header = Header { stream: Stream::Video, key, frame, index, data, parity, captured: 0 };
                // Most are refused for disagreeing; that is part of what is tested.
                reassembler.handle_datagram(now, &[&header.encode()[..], &[7; 8][..len.min(8)]].concat()).ok();
                assert_within_bounds(&reassembler);
                while reassembler.poll(now).is_some() {}
                assert_within_bounds(&reassembler);
                prop_assert!(reassembler.next_deadline().is_none_or(|deadline| deadline > now));
            }
        }
    }
}
