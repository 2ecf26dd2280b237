//! The encoder of a lane: made for the pictures of now, its frames numbered on when it is made anew.

use std::num::NonZeroU32;

use pf_codec::{EncodeError, EncodedFrame, EncoderConfig, FrameKind, I420, VideoEncoder};
use pf_media::{packet::Reference, picture::Size};

use super::audience::Plan;

/// An encoder of pictures of any size, one after the other. Frames count up by one for as long as it lives.
#[derive(Default)]
pub(super) struct LaneEncoder {
    made: Option<Made>,
    /// The number of the next frame.
    next: u32,
}

/// An encoder of one size and speed.
struct Made {
    size: Size,
    fps: NonZeroU32,
    bitrate: u32,
    codec: Box<dyn VideoEncoder>,
    /// The number here of its frame 0.
    first: u32,
}

impl LaneEncoder {
    /// The number of the last frame.
    pub(super) fn newest(&self) -> u32 {
        self.next.wrapping_sub(1)
    }

    /// Encodes a picture as planned.
    pub(super) fn encode(
        &mut self,
        picture: &I420,
        fps: NonZeroU32,
        plan: &Plan,
    ) -> Result<EncodedFrame<'_>, EncodeError> {
        let bitrate = u32::try_from(plan.rate).unwrap_or(u32::MAX);
        let made = match self.made.take().filter(|made| (made.size, made.fps) == (picture.size(), fps)) {
            Some(mut made) => {
                made.aim_at(bitrate);
                made
            }
            None => Made::new(picture.size(), fps, bitrate, self.next)?,
        };
        let made = self.made.insert(made);
        let first = made.first;
        if let Some(decoded) = plan.decoded {
            made.codec.acknowledge(decoded.wrapping_sub(first));
        }
        let kind = match plan.kind {
            FrameKind::After(frame) => FrameKind::After(frame.wrapping_sub(first)),
            kind => kind,
        };
        let frame = made.codec.encode(picture, kind)?;
        let number = frame.number.wrapping_add(first);
        self.next = number.wrapping_add(1);
        let reference = match frame.reference {
            Reference::Frame(frame) => Reference::Frame(frame.wrapping_add(first)),
            reference => reference,
        };
        Ok(EncodedFrame { number, reference, ..frame })
    }
}

impl Made {
    fn new(size: Size, fps: NonZeroU32, bitrate: u32, first: u32) -> Result<Self, EncodeError> {
        let config = EncoderConfig { size, fps: fps.get(), bitrate, threads: THREADS };
        Ok(Self { size, fps, bitrate, codec: pf_codec::encoder(config)?, first })
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
    use super::*;

    const FPS: NonZeroU32 = NonZeroU32::new(60).unwrap();

    fn plan(kind: FrameKind, rate: u64) -> Plan {
        Plan { kind, rate, decoded: None }
    }

    /// A frame that is numbered anew would be taken for one of long ago.
    #[test]
    fn numbers_go_on_when_the_size_changes() {
        let mut encoder = LaneEncoder::default();
        let mut numbers = Vec::new();
        for width in [32, 32, 64, 64] {
            let picture = I420::new(Size::new(width, 32));
            let frame = encoder.encode(&picture, FPS, &plan(FrameKind::Auto, 1_000_000)).unwrap();
            numbers.push((frame.number, frame.reference));
        }
        let [key, next] = [Reference::Nothing, Reference::Previous];
        assert_eq!(numbers, [(0, key), (1, next), (2, key), (3, next)]);
        assert_eq!(encoder.newest(), 3);
    }

    /// The rate changes many times a second, a key frame each time would take all of it.
    #[test]
    fn another_rate_makes_no_key_frame() {
        let mut encoder = LaneEncoder::default();
        let picture = I420::new(Size::new(64, 64));
        for nth in 0..10 {
            let plan = plan(FrameKind::Auto, 500_000 * (nth + 1));
            assert_eq!(encoder.encode(&picture, FPS, &plan).unwrap().is_key(), nth == 0);
        }
    }

    /// What another encoder made is no help: what it kept is gone.
    #[test]
    fn a_recovery_of_before_the_change_of_size_is_a_key_frame() {
        let mut encoder = LaneEncoder::default();
        for (width, kind) in [(32, FrameKind::Auto), (32, FrameKind::Auto), (64, FrameKind::After(0))] {
            let picture = I420::new(Size::new(width, 32));
            encoder.encode(&picture, FPS, &plan(kind, 1_000_000)).unwrap();
        }
        let picture = I420::new(Size::new(64, 32));
        let frame = encoder.encode(&picture, FPS, &plan(FrameKind::After(1), 1_000_000)).unwrap();
        assert!(frame.is_key());
    }
}
