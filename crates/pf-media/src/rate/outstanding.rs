//! What was sent and no report has told of.

use std::collections::VecDeque;

use crate::time::Micros;

/// The frames that are under way, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Outstanding {
    /// At most [`MAX_FRAMES`].
    frames: VecDeque<SentFrame>,
    bytes: u64,
}

/// A frame of which datagrams were sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct SentFrame {
    pub(super) frame: u32,
    /// When its first and its last datagram left.
    pub(super) first: Micros,
    pub(super) last: Micros,
    pub(super) datagrams: u16,
    pub(super) bytes: u64,
}

impl Outstanding {
    /// A datagram of `frame` leaves now.
    pub(super) fn record(&mut self, now: Micros, frame: u32, bytes: u64) {
        self.bytes += bytes;
        if let Some(newest) = self.frames.back_mut().filter(|newest| newest.frame == frame) {
            newest.last = now;
            newest.datagrams = newest.datagrams.saturating_add(1);
            newest.bytes += bytes;
        } else {
            self.frames.push_back(SentFrame { frame, first: now, last: now, datagrams: 1, bytes });
            if self.frames.len() > MAX_FRAMES {
                self.pop();
            }
        }
    }

    /// Takes out the oldest frame, if it is `frame` or older.
    pub(super) fn take_up_to(&mut self, frame: u32) -> Option<SentFrame> {
        self.frames.front().filter(|oldest| frame.wrapping_sub(oldest.frame).cast_signed() >= 0)?;
        self.pop()
    }

    pub(super) fn newest(&self) -> Option<&SentFrame> {
        self.frames.back()
    }

    pub(super) fn frames(&self) -> usize {
        self.frames.len()
    }

    pub(super) fn bits(&self) -> f64 {
        self.bytes as f64 * 8.0
    }

    fn pop(&mut self) -> Option<SentFrame> {
        let oldest = self.frames.pop_front()?;
        self.bytes -= oldest.bytes;
        Some(oldest)
    }

    /// Whether the books balance.
    #[cfg(test)]
    pub(super) fn is_sound(&self) -> bool {
        self.frames.len() <= MAX_FRAMES
            && self.bytes == self.frames.iter().map(|sent| sent.bytes).sum::<u64>()
    }
}

/// How many frames may be unreported before the oldest is forgotten: two seconds' worth at 120 fps.
const MAX_FRAMES: usize = 256;
