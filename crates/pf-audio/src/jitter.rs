//! Frames in as the network brings them, frames out as the device wants them: pure, the time is handed in.
//!
//! A frame's *transit* is how long after its capture it is here. The two clocks have different origins, so the number
//! itself means nothing; the smallest of the last ten seconds is the *base*, and how far above it a frame comes is how
//! late it is. Frames are played at a *lag* above the base, and the buffer aims at the least lag at which all of the
//! last ten seconds' frames would have been in time, those that were repaired from copies among them.
//!
//! The lag is held by playing a little faster or slower ([`JitterBuffer::ratio`]), since that is not heard. It is how
//! the drift between the two machines' sound devices is made up for, too. Only where that would take too long, after
//! the device or the network stood still, is sound left out or filled in.
//!
//! Everything in a packet is the peer's word: whatever it says, the buffer holds at most [`MAX_FRAMES`] frames, and a
//! packet far from the others in number or time is passed over unless the following agree with it.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use pf_media::time::Micros;

use crate::{
    frame::FrameLength,
    packet::{AudioPacket, MAX_COPIES},
};

/// The buffer. [`insert`](Self::insert) each packet as it arrives; [`take`](Self::take) a frame whenever the device
/// runs out, and play what comes next at [`ratio`](Self::ratio).
#[derive(Clone, Debug, Default)]
pub struct JitterBuffer {
    frames: BTreeMap<i64, Waiting>,
    /// The highest number so far, unwrapped.
    newest: Option<i64>,
    /// The number after the last that was played or made up for.
    next: Option<i64>,
    /// Whether sound is running; else it begins when the next frame is due.
    running: bool,
    length: FrameLength,
    transits: Transits,
    hold: Duration,
    /// How far the lag is above its target, smoothed, in µs.
    excess: f64,
    lag: Duration,
    /// How many frames in a row were filled in while nothing was there.
    starved: u32,
    /// How many packets in a row were far from all others.
    strays: u32,
    /// Frames that were missing when they were due, the latest last.
    missed: VecDeque<i64>,
    counts: Counts,
}

/// A frame that waits for its turn.
#[derive(Clone, Debug)]
struct Waiting {
    captured: Micros,
    length: FrameLength,
    payload: Vec<u8>,
    repaired: bool,
}

/// What to play next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Take {
    /// This frame.
    Frame(Frame),
    /// Nothing came in time: go on from the last sound for this long.
    Conceal(FrameLength),
    /// No sound is running: be silent for a moment, and ask again.
    Silence,
}

/// A frame whose turn has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The Opus packet.
    pub payload: Vec<u8>,
    /// How long it lasts.
    pub length: FrameLength,
    /// When its first sample was heard, on the sender's clock.
    pub captured: Micros,
}

/// What has happened so far, in frames unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that came in.
    pub received: u64,
    /// Played as they were sent.
    pub heard: u64,
    /// Of those, the ones that were lost and came as a copy.
    pub repaired: u64,
    /// Missing when they were due, and made up for.
    pub concealed: u64,
    /// Of those, the ones that came after all, too late.
    pub late: u64,
    /// Filled in where nothing had arrived, before the sound went on from where it was.
    pub stretched: u64,
    /// Left out, to catch up after the device or the network stood still.
    pub skipped: u64,
    /// Packets that were passed over because number or time was far from all others.
    pub astray: u64,
}

impl JitterBuffer {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a packet that arrived at `now`.
    pub fn insert(&mut self, packet: &AudioPacket<'_>, now: Micros) {
        self.counts.received += 1;
        let transit = transit(now, packet.captured);
        let number = self.unwrapped(packet.sequence);
        if self.is_astray(number, transit) {
            self.counts.astray += 1;
            self.strays += 1;
            if self.strays < STRAYS {
                return;
            }
            // They agree with each other, or at least nothing else comes: the sender has started anew.
            self.restart();
            return;
        }
        self.strays = 0;
        self.newest = Some(self.newest.map_or(number, |newest| newest.max(number)));
        self.length = packet.length;
        self.transits.arrived(now, transit);
        self.keep(number, packet.captured, packet, packet.payload, false);
        for (back, copy) in (1..).zip(packet.copies.iter().map_while(|&copy| copy)) {
            let captured = packet.captured - packet.length.duration() * back;
            if self.keep(number - i64::from(back), captured, packet, copy, true) {
                self.transits.arrived(now, self::transit(now, captured));
            }
        }
    }

    /// What to play from `now` on, being asked for it by `ahead` in advance.
    ///
    /// A device that asks for much at once has the later part asked for in advance, and frames must be here by then.
    pub fn take(&mut self, now: Micros, ahead: Duration) -> Take {
        self.transits.asked(now, ahead);
        let Some(next) = self.next.filter(|_| self.running) else { return self.start(now) };
        if self
            .frames
            .get(&next)
            .is_some_and(|frame| self.transits.lag(now, frame.captured) + MAX_EXCESS < self.hold)
        {
            return self.bridge(now);
        }
        if let Some(frame) = self.frames.remove(&next) {
            return Take::Frame(self.play(next, frame, now));
        }
        if self.frames.first_key_value().is_some_and(|(&first, _)| first - next <= MAX_GAP) {
            self.miss(next);
            self.next = Some(next + 1);
            return Take::Conceal(self.length);
        }
        self.bridge(now)
    }

    /// How many of the sender's samples to play in the time of one of the device's.
    pub fn ratio(&self) -> f64 {
        1.0 + (self.excess * RATIO_PER_MICRO).clamp(-MAX_RATIO, MAX_RATIO)
    }

    /// Keeps the lag at `hold` at least, as far as [`MAX_HOLD`]: for a picture that takes longer than the sound.
    pub fn hold(&mut self, hold: Duration) {
        self.hold = hold.min(MAX_HOLD);
    }

    /// The lag above the quickest transit that the buffer aims at.
    pub fn target(&self) -> Duration {
        self.transits.needed().max(self.hold)
    }

    /// The lag at which the last frame was played.
    pub fn lag(&self) -> Duration {
        self.lag
    }

    /// The quickest transit of the last ten seconds: µs from the sender's clock to ours. `None` before any packet.
    pub fn base(&self) -> Option<i64> {
        self.transits.base()
    }

    /// What has happened so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Goes on where nothing is near, or all is far too early: with what is due, or by filling in until sound has faded
    /// out.
    fn bridge(&mut self, now: Micros) -> Take {
        if let found @ Take::Frame(_) = self.start(now) {
            return found;
        }
        self.starved += 1;
        if self.length.duration() * self.starved > PATIENCE {
            self.running = false;
            return Take::Silence;
        }
        self.counts.stretched += 1;
        Take::Conceal(self.length)
    }

    /// Begins with the latest frame that is due.
    fn start(&mut self, now: Micros) -> Take {
        let target = self.target();
        let due = |waiting: &Waiting| self.transits.lag(now, waiting.captured) >= target;
        let Some(&first) =
            self.frames.iter().take_while(|(_, waiting)| due(waiting)).last().map(|(number, _)| number)
        else {
            return Take::Silence;
        };
        let rest = self.frames.split_off(&first);
        self.counts.skipped += self.next.map_or(self.frames.len() as u64, |next| first.abs_diff(next));
        self.frames = rest;
        self.running = true;
        self.excess = 0.0;
        match self.frames.remove(&first) {
            Some(frame) => Take::Frame(self.play(first, frame, now)),
            None => Take::Silence,
        }
    }

    /// Plays `frame`, or a later one when it is far too late.
    fn play(&mut self, number: i64, frame: Waiting, now: Micros) -> Frame {
        let (mut number, mut frame) = (number, frame);
        let target = self.target();
        if self.transits.lag(now, frame.captured) > target + MAX_EXCESS {
            while self.transits.lag(now, frame.captured) > target
                && let Some((next, later)) = self.frames.pop_first()
            {
                self.counts.skipped += next.abs_diff(number);
                (number, frame) = (next, later);
            }
            self.excess = 0.0;
        }
        self.lag = self.transits.lag(now, frame.captured);
        let excess = self.lag.as_micros() as f64 - target.as_micros() as f64;
        self.excess += (excess - self.excess) * SMOOTHING * frame.length.duration().as_secs_f64();
        self.next = Some(number + 1);
        self.starved = 0;
        self.counts.heard += 1;
        self.counts.repaired += u64::from(frame.repaired);
        Frame { payload: frame.payload, length: frame.length, captured: frame.captured }
    }

    fn miss(&mut self, number: i64) {
        self.counts.concealed += 1;
        if self.missed.len() == MAX_FRAMES {
            self.missed.pop_front();
        }
        self.missed.push_back(number);
    }

    /// Puts a frame among those that wait; whether it was news.
    fn keep(
        &mut self,
        number: i64,
        captured: Micros,
        packet: &AudioPacket<'_>,
        payload: &[u8],
        repaired: bool,
    ) -> bool {
        if self.next.is_some_and(|next| number < next) {
            let Some(place) = self.missed.iter().position(|&missed| missed == number) else { return false };
            self.missed.remove(place);
            self.counts.late += 1;
            return true;
        }
        if self.frames.contains_key(&number) {
            return false;
        }
        self.frames
            .insert(number, Waiting { captured, length: packet.length, payload: payload.to_vec(), repaired });
        if self.frames.len() > MAX_FRAMES {
            self.frames.pop_first();
        }
        true
    }

    /// The number nearest to the newest that wraps to `sequence`.
    fn unwrapped(&self, sequence: u32) -> i64 {
        match self.newest {
            None => i64::from(sequence),
            Some(newest) => newest + i64::from(sequence.wrapping_sub(newest as u32).cast_signed()),
        }
    }

    fn is_astray(&self, number: i64, transit: i64) -> bool {
        let (Some(newest), Some(base)) = (self.newest, self.transits.base()) else { return false };
        number.abs_diff(newest) > FAR_FRAMES || transit.abs_diff(base) > FAR_MICROS
    }

    fn restart(&mut self) {
        *self = Self { hold: self.hold, length: self.length, counts: self.counts, ..Self::default() };
    }
}

/// How frames came over the last ten seconds, in steps of one.
#[derive(Clone, Debug, Default)]
struct Transits {
    steps: VecDeque<Step>,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    began: Micros,
    quickest: i64,
    slowest: i64,
    ahead: Duration,
}

impl Transits {
    fn arrived(&mut self, now: Micros, transit: i64) {
        let step = self.step(now);
        step.quickest = step.quickest.min(transit);
        step.slowest = step.slowest.max(transit);
    }

    fn asked(&mut self, now: Micros, ahead: Duration) {
        if let Some(step) = self.steps.back_mut()
            && now.since(step.began) < STEP * 2
        {
            step.ahead = step.ahead.max(ahead);
        }
    }

    /// The step that `now` is in. While nothing arrives there are no new ones, and what is known stays.
    fn step(&mut self, now: Micros) -> &mut Step {
        if self.steps.back().is_none_or(|last| now.since(last.began) >= STEP) {
            if self.steps.len() == STEPS {
                self.steps.pop_front();
            }
            let ahead = self.steps.back().map_or(Duration::ZERO, |last| last.ahead);
            self.steps.push_back(Step { began: now, quickest: i64::MAX, slowest: i64::MIN, ahead });
        }
        let last = self.steps.len() - 1;
        &mut self.steps[last]
    }

    fn base(&self) -> Option<i64> {
        self.steps.iter().map(|step| step.quickest).min()
    }

    /// How long after the quickest would have been here it is, when a frame captured at `captured` plays at `now`.
    fn lag(&self, now: Micros, captured: Micros) -> Duration {
        let lag = self.base().map_or(0, |base| transit(now, captured).saturating_sub(base));
        Duration::from_micros(lag.try_into().unwrap_or(0))
    }

    /// The lag at which everything would have been in time.
    fn needed(&self) -> Duration {
        let slowest = self.steps.iter().map(|step| step.slowest).max();
        let (Some(base), Some(slowest)) = (self.base(), slowest) else { return MIN_TARGET };
        let spread = Duration::from_micros(slowest.saturating_sub(base).try_into().unwrap_or(0));
        let ahead = self.steps.iter().map(|step| step.ahead).max().unwrap_or_default();
        (spread + ahead + MARGIN).clamp(MIN_TARGET, MAX_TARGET)
    }
}

/// How long after `captured` it is `now`, on clocks with origins of their own.
///
/// Both are any number, so this wraps: only the difference of two of these means something.
pub(crate) const fn transit(now: Micros, captured: Micros) -> i64 {
    now.0.wrapping_sub(captured.0).cast_signed()
}

/// The most frames that wait: 640 ms of the longer ones.
pub const MAX_FRAMES: usize = 64;

/// The least lag that is aimed at. A quicker network than this does not exist once it is busy.
pub const MIN_TARGET: Duration = Duration::from_millis(10);

/// The most lag that is taken on because of the network; what comes later is concealed.
pub const MAX_TARGET: Duration = Duration::from_millis(60);

/// The most lag that is taken on to wait for the picture.
pub const MAX_HOLD: Duration = Duration::from_millis(200);

/// What a device's thread may be late by. Less would save little; more is heard by nobody and delays everything.
const MARGIN: Duration = Duration::from_millis(3);

/// How far above its target the lag may be before sound is left out, and how far before its picture before it is held
/// back at once.
///
/// More would be noticed, and playing faster or slower would take ten seconds to mend it.
const MAX_EXCESS: Duration = Duration::from_millis(40);

/// How long sound is filled in when nothing comes; by then it has faded out, and what the decoder makes up is noise.
const PATIENCE: Duration = Duration::from_millis(60);

/// How many frames in a row are made up for; over a longer gap sound goes on when the next is due.
const MAX_GAP: i64 = 6;

/// The share of the excess that a second takes into the smoothed one.
const SMOOTHING: f64 = 1.0;

/// By how much faster sound plays for a µs of excess: a millisecond is made up for at 100 ppm, in ten seconds or so.
///
/// Two devices 200 ppm apart then hold the lag 2 ms off its target.
const RATIO_PER_MICRO: f64 = 1e-7;

/// The most by which sound plays faster or slower: 0.5 %, a twelfth of a semitone.
const MAX_RATIO: f64 = 0.005;

/// A packet this many frames from the newest is astray: 5 s of the longer ones.
const FAR_FRAMES: u64 = 500;

/// A packet that took this many µs more or less than the quickest is astray.
const FAR_MICROS: u64 = 2_000_000;

/// After this many packets astray in a row everything starts anew.
const STRAYS: u32 = 5;

/// What is remembered of how frames came: this many steps of [`STEP`].
///
/// Shorter forgets the peaks between two bursts of loss; longer keeps the lag up after a single stall.
const STEPS: usize = 10;

/// See [`STEPS`].
const STEP: Duration = Duration::from_secs(1);

const _: () = assert!(MAX_COPIES < MAX_FRAMES, "one packet cannot push out its own frames");
