//! What is told to the sender about how its frames arrive.

use std::{collections::VecDeque, time::Duration};

use pf_proto::{
    media::{Header, MAX_REFERENCE},
    session::{FrameArrival, MAX_ARRIVALS},
};

use crate::time::Micros;

/// The last frames of which anything came, and when which part of it did.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrivals {
    /// Newest first, at most [`KEPT`].
    frames: VecDeque<Arrival>,
    /// When the first shard came that no report has told of.
    unreported: Option<Micros>,
    reported: Option<Micros>,
    number: u32,
    /// How many shards there were and came of the frames that are not remembered any more.
    forgotten: Tally,
}

/// How many shards there were of some frames, and how many of them came.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    announced: u64,
    came: u64,
}

#[derive(Clone, Copy, Debug)]
struct Arrival {
    frame: u64,
    /// How many shards there are, parity included.
    announced: u16,
    shards: u16,
    first: Micros,
    last: Micros,
}

impl Arrivals {
    /// A shard of `frame` came that had not come before.
    pub(super) fn record(&mut self, now: Micros, frame: u64, header: &Header) {
        self.unreported.get_or_insert(now);
        let place = self.frames.partition_point(|arrival| arrival.frame > frame);
        let announced = header.data + header.parity;
        match self.frames.get_mut(place).filter(|arrival| arrival.frame == frame) {
            Some(arrival) => {
                arrival.shards = arrival.shards.saturating_add(1).min(arrival.announced);
                arrival.last = now;
            }
            None if place < KEPT => {
                self.frames.insert(place, Arrival { frame, announced, shards: 1, first: now, last: now });
                while self.frames.len() > KEPT
                    && let Some(oldest) = self.frames.pop_back()
                {
                    self.forgotten.add(&oldest);
                }
            }
            None => {}
        }
    }

    /// The share of shards that did not come, of the frames before the newest two of which anything did.
    pub(super) fn loss(&self) -> f64 {
        let mut tally = self.forgotten;
        self.frames.iter().skip(2).for_each(|arrival| tally.add(arrival));
        (tally.announced - tally.came) as f64 / tally.announced.max(1) as f64
    }

    /// When the next report is due.
    pub(super) fn due(&self, recovery: Option<Micros>) -> Option<Micros> {
        let since = [self.unreported, recovery].into_iter().flatten().min()?;
        Some(self.reported.map_or(since, |reported| reported + FEEDBACK_INTERVAL))
    }

    /// Makes the next report due at once.
    pub(super) fn hurry(&mut self, now: Micros) {
        self.unreported = Some(now);
        self.reported = None;
    }

    /// The number of the report that is made now, and what it tells about frames up to `newest`.
    pub(super) fn report(&mut self, now: Micros, newest: u64) -> (u32, Vec<FrameArrival>) {
        self.number = self.number.wrapping_add(1);
        self.reported = Some(now);
        self.unreported = None;
        let over = |arrival: &&Arrival| {
            arrival.shards == arrival.announced
                || arrival.frame + 1 < newest
                || now.since(arrival.last) >= AWAITED
        };
        // Whoever is told of a frame takes those before it that nothing is said of for lost.
        let open = self.frames.iter().rposition(|arrival| !over(&arrival)).map_or(0, |newest| newest + 1);
        let told = self.frames.iter().skip(open).filter_map(|arrival| {
            let before_newest = u16::try_from(newest.checked_sub(arrival.frame)?).ok()?;
            (before_newest <= MAX_REFERENCE).then(|| FrameArrival {
                before_newest,
                shards: arrival.shards,
                first_before: micros(now.since(arrival.first)),
                spread: micros(arrival.last.since(arrival.first)),
            })
        });
        (self.number, told.take(MAX_ARRIVALS).collect())
    }
}

impl Tally {
    fn add(&mut self, arrival: &Arrival) {
        self.announced += u64::from(arrival.announced);
        self.came += u64::from(arrival.shards);
    }
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

/// How often the sender is told, at most, while anything comes: at 60 fps after each second frame.
///
/// A link that became four times slower queues 75 ms more in that time. A report costs some 150 bytes with what carries
/// it, so 50 kbit/s the other way.
pub const FEEDBACK_INTERVAL: Duration = Duration::from_millis(25);

/// How long the newest frame, or the one before it, is waited for before it is told of as it is.
const AWAITED: Duration = Duration::from_millis(30);

/// How many frames are remembered.
const KEPT: usize = 32;
