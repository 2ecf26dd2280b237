//! The decoder: the library's, and a latch that lets nothing pass from an error to the next key frame.

use super::ffi::RawDecoder;
use super::{KEY_SLICE, SLICE, nal_unit_types};
use crate::i420::I420View;
use crate::{DecodeError, MAX_ACCESS_UNIT, VideoDecoder};

/// An H.264 decoder for live pictures.
pub struct OpenH264Decoder {
    raw: RawDecoder,
    state: State,
}

/// What the decoder can go on with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was decoded yet: a key frame.
    Fresh,
    /// The last access unit was decoded: anything.
    Running,
    /// The last access unit failed and may have left anything behind: a key frame, with a new decoder.
    Broken,
}

impl OpenH264Decoder {
    /// A decoder that waits for its first key frame.
    pub fn new() -> Result<Self, DecodeError> {
        Ok(Self { raw: RawDecoder::new()?, state: State::Fresh })
    }
}

impl VideoDecoder for OpenH264Decoder {
    fn decode(&mut self, access_unit: &[u8]) -> Result<Option<I420View<'_>>, DecodeError> {
        let is_key = nal_unit_types(access_unit).any(|unit| unit == KEY_SLICE);
        let has_picture = is_key || nal_unit_types(access_unit).any(|unit| unit == SLICE);
        match self.state {
            State::Fresh | State::Broken if !is_key => return Err(DecodeError::KeyFrameNeeded),
            State::Broken => self.raw = RawDecoder::new()?,
            State::Fresh | State::Running => {}
        }
        self.state = State::Broken;
        if access_unit.len() > MAX_ACCESS_UNIT {
            return Err(DecodeError::TooLong { length: access_unit.len() });
        }
        let picture = self.raw.decode(access_unit)?;
        if picture.is_none() && has_picture {
            return Err(DecodeError::Corrupt { code: 0 });
        }
        self.state = State::Running;
        Ok(picture)
    }
}
