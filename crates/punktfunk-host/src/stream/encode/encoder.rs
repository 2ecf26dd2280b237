//! The encoder of a lane.

use pf_codec::{EncodeError, EncodedFrame, EncoderConfig, I420, VideoEncoder};

use super::audience::Plan;
use crate::stream::source::Format;

/// An encoder of pictures of one size and speed. It is made with the first one, when its rate is known.
pub(super) struct LaneEncoder {
    format: Format,
    made: Option<Made>,
    /// The number of the next frame.
    next: u32,
}

struct Made {
    codec: Box<dyn VideoEncoder>,
    bitrate: u32,
}

impl LaneEncoder {
    pub(super) fn new(format: Format) -> Self {
        Self { format, made: None, next: 0 }
    }

    /// The number of the last frame.
    pub(super) fn newest(&self) -> u32 {
        self.next.wrapping_sub(1)
    }

    /// Encodes a picture as planned.
    pub(super) fn encode(&mut self, picture: &I420, plan: &Plan) -> Result<EncodedFrame<'_>, EncodeError> {
        let bitrate = u32::try_from(plan.rate).unwrap_or(u32::MAX);
        let made = match self.made.take() {
            Some(mut made) => {
                made.aim_at(bitrate);
                made
            }
            None => Made::new(self.format, bitrate)?,
        };
        let made = self.made.insert(made);
        if let Some(decoded) = plan.decoded {
            made.codec.acknowledge(decoded);
        }
        let frame = made.codec.encode(picture, plan.kind)?;
        self.next = frame.number.wrapping_add(1);
        Ok(frame)
    }
}

impl Made {
    fn new(format: Format, bitrate: u32) -> Result<Self, EncodeError> {
        let config = EncoderConfig { size: format.size, fps: format.fps.get(), bitrate, threads: THREADS };
        Ok(Self { codec: pf_codec::encoder(config)?, bitrate })
    }

    fn aim_at(&mut self, bitrate: u32) {
        if bitrate.abs_diff(self.bitrate) > self.bitrate / LEAST_CHANGE {
            self.codec.set_bitrate(bitrate);
            self.bitrate = bitrate;
        }
    }
}

/// A new rate is set when it differs by more than one part in this many: two per cent, which no link shows.
const LEAST_CHANGE: u32 = 50;

/// Threads to encode with: one slice each.
const THREADS: u8 = 2;

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use pf_codec::FrameKind;
    use pf_media::picture::Size;

    use super::*;

    /// The rate changes many times a second; a key frame each time would take all of it.
    #[test]
    fn another_rate_makes_no_key_frame_and_frames_count_up() {
        let size = Size::new(64, 64);
        let mut encoder = LaneEncoder::new(Format { size, fps: NonZeroU32::new(60).unwrap() });
        let picture = I420::new(size);
        for nth in 0..10 {
            let rate = 500_000 * u64::from(nth + 1);
            let plan = Plan { kind: FrameKind::Auto, rate, decoded: None };
            let frame = encoder.encode(&picture, &plan).unwrap();
            assert_eq!((frame.number, frame.is_key()), (nth, nth == 0));
            assert_eq!(encoder.newest(), nth);
        }
    }
}
