//! The one format that sound has here, and the two lengths that it is cut into.

use std::time::Duration;

/// Samples a second, of each channel.
pub const RATE: u32 = 48_000;

/// Left and right, interleaved.
pub const CHANNELS: usize = 2;

/// How much sound goes into one frame, which is coded as a whole.
///
/// A shorter frame arrives earlier and costs more: at 5 ms there are twice as many datagrams, and at the same rate the
/// codec has half of the signal to look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FrameLength {
    /// 5 ms: 240 samples of each channel.
    Ms5,
    /// 10 ms: 480 samples of each channel.
    #[default]
    Ms10,
}

impl FrameLength {
    /// Samples of each channel.
    pub const fn samples(self) -> usize {
        match self {
            Self::Ms5 => 240,
            Self::Ms10 => 480,
        }
    }

    /// Values in a frame's interleaved slice.
    pub const fn values(self) -> usize {
        self.samples() * CHANNELS
    }

    /// The time that it lasts.
    pub const fn duration(self) -> Duration {
        match self {
            Self::Ms5 => Duration::from_millis(5),
            Self::Ms10 => Duration::from_millis(10),
        }
    }
}

/// The time that so many samples of each channel last.
pub(crate) const fn duration_of(samples: u64) -> Duration {
    Duration::from_nanos(samples.saturating_mul(1_000_000_000) / RATE as u64)
}
