//! Video encoders and decoders behind two small traits.
//!
//! A host fills an [`I420`] from each desktop picture, hands it to a [`VideoEncoder`] and sends the access
//! unit that it gets back; a client hands access units to a [`VideoDecoder`] and shows the [`I420View`] that
//! it gets back. Programs ask [`encoder`] and [`decoder`] for one and never name the library behind it.
//!
//! What every backend keeps to, because the transport is built on it:
//! - H.264 as an Annex B byte stream. Each key frame carries its parameter sets, so a decoder can start at any.
//! - One picture in, exactly one access unit out, at once: no B-frames, no look-ahead, no skipped frames.
//! - A key frame comes first and on request, since it costs many times a usual frame and the transport alone
//!   knows when it is worth that. The one exception: a backend that had to start afresh says so with one.
//! - A receiver that missed frames can be helped with less: a frame that refers to one before them
//!   ([`FrameKind::After`]). Each frame says what it refers to; who decoded that can decode it, whatever was lost
//!   between them.
//! - Colours are BT.709 in limited range; the stream says so, and [`I420`] converts so in both directions.
//!
//! # Odd sizes
//! H.264 in 4:2:0 codes even sizes only, and the encoder wants at least 16 pixels a side. An [`I420`] therefore
//! holds a *coded* picture, each side rounded up to an even number of at least 16, its last column and row
//! repeated into the added pixels. The decoder hands out that coded picture; a receiver that was told the
//! desktop's own size cuts it back with [`I420View::cropped`].

#![deny(unsafe_code)]

mod h264;
mod i420;
#[cfg(feature = "x264")]
mod x264;

pub use h264::{OpenH264Decoder, OpenH264Encoder};
pub use i420::{I420, I420View, Plane};
use pf_media::packet::Reference;
use pf_media::picture::Size;
use thiserror::Error;
#[cfg(feature = "x264")]
pub use x264::X264Encoder;

/// An encoder of the default backend.
pub fn encoder(config: EncoderConfig) -> Result<Box<dyn VideoEncoder>, EncodeError> {
    Backend::default().encoder(config)
}

/// A decoder of the default backend.
pub fn decoder() -> Result<Box<dyn VideoDecoder>, DecodeError> {
    Ok(Box::new(OpenH264Decoder::new()?))
}

/// The library that encodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// OpenH264, built in from source.
    #[cfg_attr(not(feature = "x264"), default)]
    OpenH264,
    /// x264, the system's library.
    #[cfg(feature = "x264")]
    #[default]
    X264,
}

impl Backend {
    /// Those that this build has.
    pub const ALL: &[Self] = &[
        Self::OpenH264,
        #[cfg(feature = "x264")]
        Self::X264,
    ];

    /// The name that people know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenH264 => "OpenH264",
            #[cfg(feature = "x264")]
            Self::X264 => "x264",
        }
    }

    /// An encoder of this library.
    pub fn encoder(self, config: EncoderConfig) -> Result<Box<dyn VideoEncoder>, EncodeError> {
        match self {
            Self::OpenH264 => Ok(Box::new(OpenH264Encoder::new(config)?)),
            #[cfg(feature = "x264")]
            Self::X264 => Ok(Box::new(X264Encoder::new(config)?)),
        }
    }
}

/// Turns pictures of one size into access units, one for one.
pub trait VideoEncoder: Send {
    /// Encodes `picture` and returns its access unit, which stays valid until the next call.
    ///
    /// A backend that fails starts afresh and tries once more, so a key frame may come that nobody asked for. After
    /// an error the encoder can be used on.
    fn encode(&mut self, picture: &I420, kind: FrameKind) -> Result<EncodedFrame<'_>, EncodeError>;

    /// Every receiver of the stream has decoded `frame`, so that a later one may be a recovery that builds on it.
    ///
    /// Encoders need this to answer [`FrameKind::After`] with less than a key frame, and the more of it, the less.
    fn acknowledge(&mut self, frame: u32);

    /// Sets the target rate from the next picture on, held between [`MIN_BITRATE`] and [`MAX_BITRATE`].
    fn set_bitrate(&mut self, bits_per_second: u32);
}

/// Turns access units into pictures, one for one.
pub trait VideoDecoder: Send {
    /// Decodes one access unit; the picture stays valid until the next call.
    ///
    /// `None` when the access unit holds no picture, only parameter sets. After any error the decoder refuses
    /// with [`DecodeError::KeyFrameNeeded`] until a key frame comes, so that no picture that was predicted from
    /// a broken one is ever shown.
    fn decode(&mut self, access_unit: &[u8]) -> Result<Option<I420View<'_>>, DecodeError>;
}

/// What an encoder is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderConfig {
    /// The size of the desktop's pictures; see the crate's text on odd sizes.
    pub size: Size,
    /// Pictures per second that the rate is shared among, at least 1.
    pub fps: u32,
    /// Target rate in bits per second, held between [`MIN_BITRATE`] and [`MAX_BITRATE`].
    pub bitrate: u32,
    /// Threads to encode with, each on its own slice of the picture. Held between 1 and 4, and fewer where the
    /// picture is too low to cut.
    pub threads: u8,
}

impl EncoderConfig {
    /// Held within what a backend takes, if the size is one that the codec can carry.
    fn checked(self) -> Result<Self, EncodeError> {
        if !self.size.is_streamable() || macroblocks(self.size) > MAX_MACROBLOCKS {
            return Err(EncodeError::UnsupportedSize(self.size));
        }
        Ok(Self { fps: self.fps.max(1), bitrate: held_bitrate(self.bitrate), ..self })
    }
}

/// Of how many blocks of 16 by 16 pixels a picture of `size` is made.
fn macroblocks(size: Size) -> u32 {
    let coded = i420::coded_size(size);
    coded.width.div_ceil(16) * coded.height.div_ceil(16)
}

/// A rate within what an encoder is asked for.
fn held_bitrate(bits_per_second: u32) -> u32 {
    bits_per_second.clamp(MIN_BITRATE, MAX_BITRATE)
}

/// What a picture may be predicted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// The picture before it, where there is one.
    Auto,
    /// Whatever a receiver has that decoded the frame of this number and nothing after it. A key frame where the
    /// encoder keeps nothing of that.
    After(u32),
    /// Nothing: it can be decoded by itself.
    Key,
}

/// One encoded picture.
#[derive(Clone, Copy, Debug)]
pub struct EncodedFrame<'a> {
    /// Its number: that of an encoder's first frame is 0, each later one's is one more, and it wraps.
    pub number: u32,
    /// What a decoder must have decoded before it, in these numbers.
    pub reference: Reference,
    /// The access unit, an Annex B byte stream.
    pub access_unit: &'a [u8],
}

impl EncodedFrame<'_> {
    /// Whether it is a key frame, which a decoder can start at.
    pub fn is_key(&self) -> bool {
        self.reference == Reference::Nothing
    }
}

/// Why a picture was not encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// The desktop has a size that the codec cannot carry.
    #[error("pictures of {0} cannot be encoded; at most 4096 pixels a side and 4096x2304 in all")]
    UnsupportedSize(Size),
    /// The caller handed a picture of another size than the encoder is made for. It wants a new encoder.
    #[error("the encoder is made for {expected}, the picture is {found}")]
    SizeChanged {
        /// What the encoder is made for.
        expected: Size,
        /// What it was handed.
        found: Size,
    },
    /// The codec library failed.
    #[error("the video encoder failed to {operation} (code {code})")]
    Backend {
        /// What it was asked to do.
        operation: &'static str,
        /// The library's own code.
        code: i32,
    },
}

/// Why an access unit gave no picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The sender's data is damaged or is no H.264 that this decoder knows.
    #[error("the video data is damaged (code {code:#x})")]
    Corrupt {
        /// The library's own code, 0 where it noticed nothing but made no picture.
        code: i32,
    },
    /// The access unit is longer than [`MAX_ACCESS_UNIT`].
    #[error("an access unit of {length} bytes is too long")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The sender's pictures are larger than any that Punktfunk streams.
    #[error("the video's size of {0} is too large")]
    UnsupportedSize(Size),
    /// Nothing can be decoded before a key frame comes: at the start, and after an error.
    #[error("a key frame is needed first")]
    KeyFrameNeeded,
    /// The codec library could not be set up.
    #[error("the video decoder failed to {operation} (code {code})")]
    Backend {
        /// What it was asked to do.
        operation: &'static str,
        /// The library's own code.
        code: i32,
    },
}

/// The lowest rate that an encoder is asked for, in bits per second. Below it nothing is readable.
pub const MIN_BITRATE: u32 = 100_000;

/// The highest rate that an encoder is asked for, in bits per second: what H.264 level 5.2 can carry.
pub const MAX_BITRATE: u32 = 240_000_000;

/// The longest access unit that a decoder takes, in bytes: H.264's own limit for a picture of level 5.2.
pub const MAX_ACCESS_UNIT: usize = 7_077_888;

/// How many frames before it the one may be that a frame refers to: what the protocol can say.
pub const MAX_REFERENCE: u32 = 1024;

/// The most macroblocks in a picture: what H.264 level 5.2 can carry, 4096x2304 pixels.
const MAX_MACROBLOCKS: u32 = 36_864;
