//! How much parity goes with a frame, by what the path lost lately.
//!
//! - A path that lost nothing for [`CLEAN`] gets none.
//! - One that lost something gets so many parity shards that a frame fails once in [`FAILURES`] times, if each shard is
//!   lost by itself with the share that was lost lately; and as many as the bursts of the last [`WINDOW`] took of one
//!   frame at once, if there was more than one. At least a twentieth, and at least one; at most half, or four for the
//!   smallest frames.
//! - At the start, before anything is known, `PRESUMED` is taken for the loss.
//!
//! What a full queue drops is no reason for more parity: the caller leaves out what was lost while the rate was too high.

use std::{collections::VecDeque, time::Duration};

use pf_proto::media::{blocks, max_parity};

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

#[derive(Clone, Copy, Debug)]
struct Frame {
    at: Micros,
    sent: u16,
    lost: u16,
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
        let known_since = self.last_loss.unwrap_or(self.start);
        if data == 0 || now.since(known_since) >= CLEAN {
            return 0;
        }
        let blocks = blocks(data);
        let of_block = data.div_ceil(blocks);
        let random = parity_against(self.expected_loss(now), of_block);
        let burst = self.burst().div_ceil(blocks);
        let least = of_block.div_ceil(LEAST);
        let most = (of_block / 2).max(4).min(max_parity(of_block));
        random.max(burst).clamp(least, most) * blocks
    }

    /// The loss to be ready for: the larger of that of the last seconds and of the whole window, so that a rise counts
    /// at once and a fall after a while.
    fn expected_loss(&self, now: Micros) -> f64 {
        if self.last_loss.is_none() && now.since(self.start) < WINDOW {
            return PRESUMED;
        }
        let recent = self.frames.iter().rev().take_while(|frame| now.since(frame.at) < RECENT);
        let (sent, lost) = recent
            .fold((0_u64, 0_u64), |(s, l), frame| (s + u64::from(frame.sent), l + u64::from(frame.lost)));
        let recent = if sent < RECENT_SHARDS { 0.0 } else { lost as f64 / sent as f64 };
        recent.max(self.loss())
    }

    /// How many shards of one frame were lost at once, but for the worst time; frames of which more was lost than can be
    /// repaired do not count.
    fn burst(&self) -> u16 {
        let repairable =
            self.frames.iter().filter(|frame| u32::from(frame.lost) * 5 <= u32::from(frame.sent) * 2);
        let (_, second) = repairable.fold((0, 0), |(worst, second), frame| {
            if frame.lost >= worst { (frame.lost, worst) } else { (worst, second.max(frame.lost)) }
        });
        second
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

/// The loss that is presumed before anything is known: what a fair wireless link loses. It costs a start on a clean path
/// an eighth of the rate for 10 s.
const PRESUMED: f64 = 0.01;

/// One part in this many is the least parity.
const LEAST: u16 = 20;

/// How long ago is still now, in measuring a rise of loss.
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
