//! H.264 by way of x264, the system's own library.
//!
//! Behind the feature `x264`, since x264 is under the GPL: a program that is built with it may be passed on under the GPL
//! alone. It is tuned as live streams are: `ultrafast`, `zerolatency`, the rate held over three pictures.

mod ffi;

use pf_media::packet::Reference;

use crate::i420::{I420, coded_size};
use crate::{EncodeError, EncodedFrame, EncoderConfig, FrameKind, VideoEncoder, held_bitrate};
use ffi::RawEncoder;

/// An H.264 encoder for live pictures: Constrained Baseline profile, no picture refers to more than one other.
pub struct X264Encoder {
    config: EncoderConfig,
    /// The library's encoder; none after it failed.
    raw: Option<RawEncoder>,
    /// Pictures so far. The library is told it, and cuts it back to the wrapping number of a frame.
    pictures: i64,
    /// Which of them was the last key frame.
    key: i64,
    access_unit: Vec<u8>,
}

/// How to make the next picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    Key,
    Previous,
    /// Refer to the picture so many before it.
    Leap(u32),
}

impl X264Encoder {
    /// An encoder for pictures of `config.size`.
    pub fn new(config: EncoderConfig) -> Result<Self, EncodeError> {
        let config = config.checked()?;
        Ok(Self { config, raw: Some(set_up(&config)?), pictures: 0, key: 0, access_unit: Vec::new() })
    }

    fn encode_with(
        &mut self,
        raw: &mut RawEncoder,
        picture: &I420,
        kind: FrameKind,
    ) -> Result<Reference, EncodeError> {
        let plan = self.plan(kind);
        if let Plan::Leap(distance) = plan {
            raw.forget(self.pictures - i64::from(distance) + 1)?;
        }
        let is_key = raw.encode(&picture.coded(), self.pictures, plan == Plan::Key, &mut self.access_unit)?;
        if is_key {
            self.key = self.pictures;
            allow_gaps(&mut self.access_unit);
        }
        Ok(match plan {
            _ if is_key => Reference::Nothing,
            Plan::Leap(distance) => Reference::Frame((self.pictures as u32).wrapping_sub(distance)),
            Plan::Previous | Plan::Key => Reference::Previous,
        })
    }

    fn plan(&self, kind: FrameKind) -> Plan {
        match kind {
            FrameKind::Key => Plan::Key,
            FrameKind::Auto => Plan::Previous,
            FrameKind::After(frame) => match (self.pictures as u32).wrapping_sub(frame) {
                1 => Plan::Previous,
                // What lies further back the library has let go of.
                distance @ 2..=MOST_KEPT if self.pictures - i64::from(distance) >= self.key => {
                    Plan::Leap(distance)
                }
                _ => Plan::Key,
            },
        }
    }
}

impl VideoEncoder for X264Encoder {
    fn encode(&mut self, picture: &I420, kind: FrameKind) -> Result<EncodedFrame<'_>, EncodeError> {
        if picture.size() != self.config.size {
            return Err(EncodeError::SizeChanged { expected: self.config.size, found: picture.size() });
        }
        let mut raw = self.raw.take().map_or_else(|| set_up(&self.config), Ok)?;
        let reference = self.encode_with(&mut raw, picture, kind).or_else(|_| {
            raw = set_up(&self.config)?;
            self.encode_with(&mut raw, picture, FrameKind::Key)
        })?;
        self.raw = Some(raw);
        let number = self.pictures as u32;
        self.pictures += 1;
        Ok(EncodedFrame { number, reference, access_unit: &self.access_unit })
    }

    /// Changes nothing: the library keeps the last pictures, whoever has them.
    fn acknowledge(&mut self, _frame: u32) {}

    fn set_bitrate(&mut self, bits_per_second: u32) {
        self.config.bitrate = held_bitrate(bits_per_second);
        // Should the library refuse, the next picture sets up a new encoder with this rate.
        self.raw.take_if(|raw| raw.set_rate(kilobits(&self.config)).is_err());
    }
}

fn set_up(config: &EncoderConfig) -> Result<RawEncoder, EncodeError> {
    RawEncoder::new(
        coded_size(config.size),
        config.fps,
        kilobits(config),
        config.threads.clamp(1, MAX_THREADS),
    )
}

fn kilobits(config: &EncoderConfig) -> u32 {
    config.bitrate / 1000
}

/// Sets the flag in the sequence parameters of `access_unit` that lets `frame_num` leap, which a recovery makes it do.
/// The library leaves it out, and a decoder that goes by the book would call the leap an error.
fn allow_gaps(access_unit: &mut [u8]) {
    let Some(start) =
        access_unit.windows(4).position(|bytes| bytes[..3] == [0, 0, 1] && bytes[3] & 0x1f == 7)
    else {
        return;
    };
    // H.264 7.3.2.1.1: behind the header profile, constraints and level, a byte each.
    let mut bits = Bits { bytes: access_unit, at: (start + 7) * 8 };
    bits.skip_golomb(); // the set's own number
    bits.skip_golomb(); // length of frame numbers
    if bits.golomb() == 0 {
        bits.skip_golomb(); // length of picture order counts
    }
    bits.skip_golomb(); // pictures that are kept
    bits.set();
}

/// The bits of a byte stream, from one of them on. Beyond its end all are 1.
struct Bits<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self) -> u32 {
        let bit = self.bytes.get(self.at / 8).map_or(1, |byte| u32::from(byte >> (7 - self.at % 8) & 1));
        self.at += 1;
        bit
    }

    fn set(&mut self) {
        if let Some(byte) = self.bytes.get_mut(self.at / 8) {
            *byte |= 0x80 >> (self.at % 8);
        }
    }

    /// An unsigned number in Exp-Golomb code (9.1).
    fn golomb(&mut self) -> u32 {
        let zeros = std::iter::repeat_with(|| self.take()).take(31).take_while(|bit| *bit == 0).count();
        (0..zeros).fold(1, |value, _| value << 1 | self.take()) - 1
    }

    fn skip_golomb(&mut self) {
        self.golomb();
    }
}

/// The most threads to encode with.
const MAX_THREADS: u8 = 4;

/// How many pictures the library keeps at most, which `shim.c` says, too.
const MOST_KEPT: u32 = 16;
