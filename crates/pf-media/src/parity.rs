//! How much parity goes with a frame, by what the path lost lately.
//!
//! - A path that lost nothing for [`CLEAN`] gets none.
//! - One that lost something gets so many parity shards that a frame fails once in [`FAILURES`] times, if each shard is
//!   lost by itself with the share that was lost lately: at least a twentieth, and at least one; at most half, or four
//!   for the smallest frames.
//! - It gets as many as the bursts of the last [`WINDOW`] took at once, if there was more than one, or as the worst of
//!   the last `RECENT`; at most as many as there are data shards, or as the caller allows a smaller frame. A frame that
//!   is shorter than a burst is taken whole, so that nothing but as much parity as the burst is long gives it back.
//! - At the start, when little is known, what `PRESUMED` says counts as well.
//!
//! A *burst* is what one frame lost that has three fifths of its shards left; of one that has not, what it and the frames
//! before and after it lost together, since a burst does not heed where a frame ends. [`OUTAGE`] frames in a row that lost
//! something, or more than [`LEAST_MAX_PARITY`] shards, are no burst: an outage is longer than any parity, and random
//! loss is counted for itself.
//!
//! Shards are not made shorter against bursts: QUIC puts several short datagrams into one packet, and a burst takes
//! packets. Those of a picture in two shards or more are longer than half a packet each.
//!
//! What a full queue drops is no reason for more parity: the caller leaves out what was lost while the rate was too high.

use std::{collections::VecDeque, time::Duration};

use pf_proto::media::{LEAST_MAX_PARITY, blocks, max_parity};

use crate::time::Micros;

/// Measures loss and sizes parity.
#[derive(Clone, Debug)]
pub struct ParitySizer {
    start: Micros,
    /// The frames of the last [`WINDOW`], oldest first, at most [`MAX_FRAMES`].
    frames: VecDeque<Frame>,
    sent: u64,
    lost: u64,
    last_loss: Option<Micros>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    at: Micros,
    sent: u16,
    lost: u16,
}

impl Frame {
    /// Whether it lost more than two fifths, as random loss seldom takes.
    fn is_broken(self) -> bool {
        u32::from(self.lost) * 5 > u32::from(self.sent) * 2
    }
}

impl ParitySizer {
    /// A sizer of a path that nothing is known about.
    pub fn new(now: Micros) -> Self {
        Self { start: now, frames: VecDeque::new(), sent: 0, lost: 0, last_loss: None }
    }

    /// Of a frame `sent` shards were sent, and `lost` of them did not arrive. More than were sent count as all.
    pub fn record(&mut self, now: Micros, sent: u16, lost: u16) {
        let frame = Frame { at: now, sent, lost: lost.min(sent) };
        self.frames.push_back(frame);
        self.sent += u64::from(frame.sent);
        self.lost += u64::from(frame.lost);
        if frame.lost > 0 {
            self.last_loss = Some(now);
        }
        while let Some(&oldest) = self.frames.front()
            && (now.since(oldest.at) >= WINDOW || self.frames.len() > MAX_FRAMES)
        {
            self.frames.pop_front();
            self.sent -= u64::from(oldest.sent);
            self.lost -= u64::from(oldest.lost);
        }
    }

    /// The share of shards that were lost lately, 0 to 1.
    pub fn loss(&self) -> f64 {
        self.lost as f64 / self.sent.max(1) as f64
    }

    /// How many parity shards go with a frame of `data` data shards.
    pub fn parity_for(&self, now: Micros, data: u16) -> u16 {
        self.parity_within(now, data, data)
    }

    /// The same where bursts may make it up to `most`.
    pub fn parity_within(&self, now: Micros, data: u16, most: u16) -> u16 {
        let known_since = self.last_loss.unwrap_or(self.start);
        if data == 0 || now.since(known_since) >= CLEAN {
            return 0;
        }
        let blocks = blocks(data);
        let of_block = data.div_ceil(blocks);
        let Worsts { of_frames, bursts } = self.worsts(now);
        let random = parity_against(self.expected_loss(now), of_block);
        let least = of_block.div_ceil(LEAST);
        let half = (of_block / 2).max(4).min(max_parity(of_block));
        let against_loss = random.max(of_frames.div_ceil(blocks)).clamp(least, half);
        let most = most.div_ceil(blocks).min(max_parity(of_block));
        against_loss.max(bursts.div_ceil(blocks).min(most)) * blocks
    }

    /// The loss to be ready for: the larger of that of the last seconds and of the whole window, so that a rise counts
    /// at once and a fall after a while; and in the first window no less than the little that is known of it tells.
    fn expected_loss(&self, now: Micros) -> f64 {
        let presumed = if now.since(self.start) < WINDOW {
            let (lost, sent) = PRESUMED;
            (lost + self.lost) as f64 / (sent + self.sent) as f64
        } else {
            0.0
        };
        let recent = self.frames.iter().rev().take_while(|frame| now.since(frame.at) < RECENT);
        let (sent, lost) = recent
            .fold((0_u64, 0_u64), |(s, l), frame| (s + u64::from(frame.sent), l + u64::from(frame.lost)));
        let recent = if sent < RECENT_SHARDS { 0.0 } else { lost as f64 / sent as f64 };
        recent.max(self.loss()).max(presumed)
    }

    /// What was lost at once lately.
    fn worsts(&self, now: Micros) -> Worsts {
        let (mut of_frames, mut bursts, mut recent) = (Worst::default(), Worst::default(), 0);
        let mut run = Run::default();
        let mut over = |run: Run| {
            of_frames.note_all(run.of_frames);
            bursts.note_all(run.bursts());
            if now.since(run.last.at) < RECENT {
                recent = recent.max(run.bursts().first);
            }
        };
        for frame in &self.frames {
            if frame.lost > 0 {
                run.add(*frame);
            } else if run.frames > 0 {
                over(std::mem::take(&mut run));
            }
        }
        over(run);
        Worsts { of_frames: of_frames.second, bursts: bursts.second.max(recent) }
    }
}

/// What to be ready for, in shards.
#[derive(Clone, Copy, Debug)]
struct Worsts {
    /// What a frame lost of which a little was lost, whyever.
    of_frames: u16,
    /// What a burst took.
    bursts: u16,
}

/// The two largest of some numbers.
#[derive(Clone, Copy, Debug, Default)]
struct Worst {
    first: u16,
    second: u16,
}

impl Worst {
    fn note(&mut self, lost: u16) {
        self.second = self.second.max(lost.min(self.first));
        self.first = self.first.max(lost);
    }

    fn note_all(&mut self, other: Self) {
        self.note(other.first);
        self.note(other.second);
    }
}

/// Frames in a row of each of which something was lost.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    frames: usize,
    lost: u32,
    /// The last of them, and what the one before it lost.
    last: Frame,
    before: u16,
    /// The most that one lost that lost much, with its neighbours.
    across: Option<u16>,
    /// What those lost that lost a little.
    of_frames: Worst,
}

impl Run {
    fn add(&mut self, frame: Frame) {
        let pair = self.last.lost.saturating_add(frame.lost);
        if frame.is_broken() {
            self.across = self.across.max(Some(pair));
        } else {
            self.of_frames.note(frame.lost);
        }
        if self.last.is_broken() {
            self.across = self.across.max(Some(self.before.saturating_add(pair)));
        }
        self.frames += 1;
        self.lost += u32::from(frame.lost);
        (self.before, self.last) = (self.last.lost, frame);
    }

    fn bursts(self) -> Worst {
        if self.frames >= OUTAGE || self.lost > LEAST_MAX_PARITY.into() {
            Worst::default()
        } else {
            self.across.map_or(self.of_frames, |first| Worst { first, second: 0 })
        }
    }
}

/// The least parity shards with which a block of `data` shards fails no more often than once in [`FAILURES`] times, if
/// each shard is lost with the probability `loss`.
fn parity_against(loss: f64, data: u16) -> u16 {
    let loss = loss.min(0.5);
    let most = max_parity(data);
    (0..most).find(|&parity| more_lost_than(parity, data + parity, loss) * FAILURES < 1.0).unwrap_or(most)
}

/// The probability that more than `repairable` of `shards` are lost.
fn more_lost_than(repairable: u16, shards: u16, loss: f64) -> f64 {
    let mut exactly = (1.0 - loss).powi(shards.into());
    let mut at_most = exactly;
    for lost in 1..=repairable {
        exactly *= f64::from(shards + 1 - lost) / f64::from(lost) * loss / (1.0 - loss);
        at_most += exactly;
    }
    1.0 - at_most
}

/// How long a path must lose nothing before frames get no parity any more: 30 s.
///
/// The first loss after that costs a recovery. Shorter would let a loss each half minute through every time; the price
/// is a twentieth of the rate for as long.
pub const CLEAN: Duration = Duration::from_secs(30);

/// Over how long loss is measured: 10 s.
///
/// It is what a worse path's parity is kept for after it became better.
pub const WINDOW: Duration = Duration::from_secs(10);

/// Frames fail once in so many times, by random loss: each failure costs a round trip and some frame intervals, so some
/// four frames, of which one in a thousand may be.
pub const FAILURES: f64 = 4000.0;

/// From how many frames in a row on that lost something it is no burst: 100 ms at 60 fps.
pub const OUTAGE: usize = 6;

/// What is presumed of a path that nothing is known about: so many shards lost, of so many. A weak wireless link loses one
/// in twenty. A stream at its full rate outweighs it in a fifth of a second; a desktop whose frames are of a few shards
/// does in some, and pays for it what its rate has left over.
const PRESUMED: (u64, u64) = (10, 200);

/// One part in this many is the least parity.
const LEAST: u16 = 20;

/// How long ago is still now, in measuring a rise of loss and in being ready for the next burst.
const RECENT: Duration = Duration::from_secs(2);

/// From how many shards on a recent share of loss means anything.
const RECENT_SHARDS: u64 = 200;

/// The most frames that are remembered: [`WINDOW`] at 120 fps.
const MAX_FRAMES: usize = 1200;

#[cfg(test)]
mod tests {
    use super::*;

    /// A sizer that saw `frames` of 30 shards at 60 fps, of which `lost` says how many shards were lost.
    fn after(frames: u64, lost: impl Fn(u64) -> u16) -> (ParitySizer, Micros) {
        let mut sizer = ParitySizer::new(Micros::ZERO);
        let at = |frame: u64| Micros(frame * 16_667);
        for frame in 0..frames {
            sizer.record(at(frame), 30, lost(frame));
        }
        (sizer, at(frames))
    }

    #[test]
    fn a_start_gets_some_and_a_path_that_stays_clean_gets_none() {
        let (sizer, now) = after(60, |_| 0);
        assert!((2..=5).contains(&sizer.parity_for(now, 30)), "{}", sizer.parity_for(now, 30));
        let (sizer, now) = after(900, |_| 0);
        assert_eq!(sizer.parity_for(now, 30), 2, "a twentieth, rounded up");
        let (sizer, now) = after(1801, |_| 0);
        assert_eq!(sizer.parity_for(now, 30), 0);
        let (sizer, now) = after(1801, |frame| u16::from(frame == 1800));
        assert_eq!(sizer.parity_for(now, 30), 2, "a loss makes it careful again");
        assert_eq!(sizer.parity_for(now + CLEAN, 30), 0);
    }

    #[test]
    fn parity_follows_the_loss_between_a_twentieth_and_a_half() {
        let mut before = 0;
        for (every, range) in [(1000_u64, 2..=2_u16), (4, 3..=4), (1, 5..=8)] {
            // One of 30 shards in every so many frames.
            let (sizer, now) = after(600, |frame| u16::from(frame % every == 0));
            let parity = sizer.parity_for(now, 30);
            assert!(range.contains(&parity) && parity >= before, "1 in {every}: {parity}");
            before = parity;
        }
        let (sizer, now) = after(600, |_| 12);
        assert_eq!(sizer.parity_for(now, 30), 15);
        assert_eq!(sizer.parity_for(now, 600), 300);
        assert_eq!(
            [1, 2, 3].map(|data| sizer.parity_for(now, data)),
            [4, 4, 4],
            "small frames get enough, too"
        );
    }

    #[test]
    fn bursts_are_covered_once_they_come_again() {
        let (sizer, now) = after(600, |frame| if frame == 300 { 8 } else { 0 });
        assert!(sizer.parity_for(now, 30) < 8, "one burst in ten seconds is let through");
        let (sizer, now) = after(600, |frame| if frame % 60 == 0 { 8 } else { 0 });
        assert_eq!(sizer.parity_for(now, 30), 8);
        assert_eq!(sizer.parity_for(now, 512), 26, "of two blocks each takes half of a burst");
        let (sizer, now) = after(600, |frame| if frame % 60 == 0 { 30 } else { 0 });
        assert!(sizer.parity_for(now, 30) < 15, "what cannot be repaired is not tried to be");
    }

    /// A sizer that saw `frames` of 5 shards at 60 fps, and each second bursts that took so many shards of the first
    /// frames of that second.
    fn after_bursts(frames: u64, burst: &[u16]) -> (ParitySizer, Micros) {
        let mut sizer = ParitySizer::new(Micros::ZERO);
        let at = |frame: u64| Micros(frame * 16_667);
        for frame in 0..frames {
            let lost = burst.get((frame % 60) as usize).copied().unwrap_or(0);
            sizer.record(at(frame), 5, lost);
        }
        (sizer, at(frames))
    }

    /// A picture of three shards is shorter than a burst of eight, which would break two of them each time.
    #[test]
    fn bursts_longer_than_a_frame_are_learnt_across_frames() {
        for burst in [&[5, 3][..], &[1, 5, 2], &[4, 4]] {
            let (sizer, now) = after_bursts(600, burst);
            assert_eq!(sizer.parity_within(now, 3, 16), 8, "{burst:?}");
            assert_eq!(sizer.parity_within(now, 12, 12), 8, "more than half, against bursts: {burst:?}");
            assert!(sizer.parity_for(now, 3) <= 4, "no more than the caller allows: {burst:?}");
        }
    }

    /// Parity against what no parity spans would be a stream at half its rate for nothing.
    #[test]
    fn an_outage_is_no_burst() {
        for outage in [&[5; OUTAGE][..], &[5, 5, 5, 2], &[3, 3, 3, 3, 3, 1]] {
            let (sizer, now) = after_bursts(600, outage);
            assert!(sizer.parity_within(now, 3, 16) <= 4, "{outage:?}");
        }
    }

    /// What random loss takes of the frames around is no part of it.
    #[test]
    fn a_burst_is_a_broken_frame_and_its_neighbours() {
        let (sizer, now) = after_bursts(600, &[1, 1, 4, 1, 1]);
        assert_eq!(sizer.parity_within(now, 3, 16), 6);
    }

    #[test]
    fn a_burst_is_awaited_again_soon_after_the_first() {
        let (sizer, now) = after_bursts(3, &[5, 3]);
        assert_eq!(sizer.parity_within(now, 3, 16), 8);
        let later = now + RECENT;
        assert!(sizer.parity_within(later, 3, 16) < 8, "and not for long, if it was the only one");
    }

    /// One shard of sixty in the first third of a second may be of a path that loses three: a desktop's first seconds would
    /// fail now and then, and each time cost a recovery.
    #[test]
    fn what_is_presumed_counts_until_much_is_known() {
        let mut sizer = ParitySizer::new(Micros::ZERO);
        let at = |frame: u64| Micros(frame * 16_667);
        for frame in 0..20 {
            sizer.record(at(frame), 3, u16::from(frame == 7));
        }
        assert_eq!(sizer.parity_for(at(20), 3), parity_against(0.05, 3));
        for frame in 20..400 {
            sizer.record(at(frame), 30, 0);
        }
        assert!(sizer.parity_for(at(400), 30) < parity_against(0.01, 30));
    }

    /// A peer reports what cannot be.
    #[test]
    fn more_lost_than_sent_is_all_and_memory_is_bounded() {
        let (sizer, now) = after(1, |_| u16::MAX);
        assert!((sizer.loss() - 1.0).abs() < f64::EPSILON);
        assert_eq!(sizer.parity_for(now, 30), 15);
        let mut sizer = ParitySizer::new(Micros::ZERO);
        for _ in 0..10_000 {
            sizer.record(Micros::ZERO, u16::MAX, u16::MAX);
        }
        assert!(sizer.frames.len() <= MAX_FRAMES);
    }
}
