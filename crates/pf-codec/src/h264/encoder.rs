//! The encoder: what is asked of the library, and the promises of [`VideoEncoder`] on top of it.

use openh264_sys2 as sys;
use pf_media::packet::Reference;
use pf_media::picture::Size;

use super::{
    ffi::RawEncoder,
    long_term::{LongTerm, Plan},
};
use crate::i420::{I420, coded_size};
use crate::{EncodeError, EncodedFrame, EncoderConfig, FrameKind, MAX_BITRATE, MIN_BITRATE, VideoEncoder};

/// An H.264 encoder for live pictures: Constrained Baseline profile, no picture refers to more than one other.
pub struct OpenH264Encoder {
    config: EncoderConfig,
    /// The library's encoder; none after it failed, since it refuses everything from then on.
    raw: Option<Encoder>,
    /// The number of the next picture.
    next: u32,
    /// Pictures handed to the library, for its clock.
    pictures: i64,
    access_unit: Vec<u8>,
}

/// The library's encoder, and what it keeps.
struct Encoder {
    raw: RawEncoder,
    long_term: LongTerm,
}

impl OpenH264Encoder {
    /// An encoder for pictures of `config.size`.
    pub fn new(config: EncoderConfig) -> Result<Self, EncodeError> {
        if !config.size.is_streamable() || macroblocks(config.size) > MAX_MACROBLOCKS {
            return Err(EncodeError::UnsupportedSize(config.size));
        }
        let config = EncoderConfig {
            fps: config.fps.max(1),
            bitrate: config.bitrate.clamp(MIN_BITRATE, MAX_BITRATE),
            ..config
        };
        let raw = Some(Encoder::new(&config)?);
        Ok(Self { config, raw, next: 0, pictures: 0, access_unit: Vec::new() })
    }

    /// Encodes into `self.access_unit` and says what came of it.
    fn encode_with(
        &mut self,
        encoder: &mut Encoder,
        picture: &I420,
        kind: FrameKind,
    ) -> Result<Reference, EncodeError> {
        let Encoder { raw, long_term } = encoder;
        let plan = long_term.plan(kind, self.next);
        if let Some(settled) = long_term.settled() {
            raw.settle(settled)?;
        }
        raw.set_marking(plan == Plan::Previous { mark: true })?;
        match plan {
            Plan::Key => raw.force_key_frame()?,
            Plan::Recovery(_) => raw.recover(long_term.key_frame())?,
            Plan::Previous { .. } => {}
        }
        let time = self.pictures * 1000 / i64::from(self.config.fps);
        self.pictures += 1;
        self.access_unit.clear();
        let made = match raw.encode(&picture.coded(), time, &mut self.access_unit)? {
            sys::videoFrameTypeIDR => Plan::Key,
            sys::videoFrameTypeP if plan != Plan::Key => plan,
            code => return Err(EncodeError::Backend { operation: "make a frame of a picture", code }),
        };
        long_term.made(self.next, made);
        Ok(match made {
            Plan::Key => Reference::Nothing,
            Plan::Previous { .. } => Reference::Previous,
            Plan::Recovery(carrier) => Reference::Frame(carrier),
        })
    }

    /// Puts a new encoder in the place of this one and encodes with that.
    ///
    /// The library gives up on a picture that comes out larger than its buffer, as noise does right behind a still
    /// picture, which it codes finely. At the lowest rate a new encoder starts coarsely.
    fn encode_afresh(&mut self, encoder: &mut Encoder, picture: &I420) -> Result<Reference, EncodeError> {
        *encoder = Encoder::new(&EncoderConfig { bitrate: MIN_BITRATE, ..self.config })?;
        let reference = self.encode_with(encoder, picture, FrameKind::Key)?;
        encoder.raw.set_bitrate(library_rate(&self.config))?;
        Ok(reference)
    }
}

impl VideoEncoder for OpenH264Encoder {
    fn encode(&mut self, picture: &I420, kind: FrameKind) -> Result<EncodedFrame<'_>, EncodeError> {
        if picture.size() != self.config.size {
            return Err(EncodeError::SizeChanged { expected: self.config.size, found: picture.size() });
        }
        let mut encoder = self.raw.take().map_or_else(|| Encoder::new(&self.config), Ok)?;
        let reference = self
            .encode_with(&mut encoder, picture, kind)
            .or_else(|_| self.encode_afresh(&mut encoder, picture))?;
        self.raw = Some(encoder);
        let number = self.next;
        self.next = number.wrapping_add(1);
        Ok(EncodedFrame { number, reference, access_unit: &self.access_unit })
    }

    fn acknowledge(&mut self, frame: u32) {
        if let Some(encoder) = &mut self.raw {
            encoder.long_term.acknowledge(frame);
        }
    }

    fn set_bitrate(&mut self, bits_per_second: u32) {
        self.config.bitrate = bits_per_second.clamp(MIN_BITRATE, MAX_BITRATE);
        // Should the library refuse, the next picture sets up a new encoder with this rate.
        self.raw.take_if(|encoder| encoder.raw.set_bitrate(library_rate(&self.config)).is_err());
    }
}

impl Encoder {
    fn new(config: &EncoderConfig) -> Result<Self, EncodeError> {
        Ok(Self { raw: set_up(config)?, long_term: LongTerm::default() })
    }
}

fn set_up(config: &EncoderConfig) -> Result<RawEncoder, EncodeError> {
    let coded = coded_size(config.size);
    RawEncoder::new(|params| {
        params.iUsageType = sys::CAMERA_VIDEO_REAL_TIME;
        params.iComplexityMode = sys::LOW_COMPLEXITY;
        params.iPicWidth = coded.width.cast_signed();
        params.iPicHeight = coded.height.cast_signed();
        params.fMaxFrameRate = config.fps.min(MAX_FPS) as f32;

        params.iRCMode = sys::RC_BITRATE_MODE;
        params.iTargetBitrate = library_rate(config);
        params.bEnableFrameSkip = false;
        params.iMinQp = MIN_QP;
        params.iMaxQp = MAX_QP;

        // Background detection would halve the time on a picture that hardly moves, but it leaves what stands
        // still as coarse as it was when it last moved: text that was scrolled would stay blurred.
        params.bEnableBackgroundDetection = false;
        params.bEnableDenoise = false;

        // Key frames on request alone, each with its parameter sets.
        params.uiIntraPeriod = 0;
        params.bEnableSceneChangeDetect = false;
        params.eSpsPpsIdStrategy = sys::CONSTANT_ID;
        // The last picture, and two that are kept for recoveries: the library knows no other number of these.
        params.bEnableLongTermReference = true;
        params.iLTRRefNum = 2;
        params.iNumRefFrame = 3;

        let slices = slices(config.threads, coded.height);
        params.iMultipleThreadIdc = slices as u16;
        let layer = &mut params.sSpatialLayers[0];
        layer.iVideoWidth = coded.width.cast_signed();
        layer.iVideoHeight = coded.height.cast_signed();
        layer.fFrameRate = params.fMaxFrameRate;
        layer.iSpatialBitrate = params.iTargetBitrate;
        layer.uiProfileIdc = sys::PRO_BASELINE;
        layer.sSliceArgument.uiSliceMode =
            if slices > 1 { sys::SM_FIXEDSLCNUM_SLICE } else { sys::SM_SINGLE_SLICE };
        layer.sSliceArgument.uiSliceNum = slices;

        // What `I420` converts from and to: BT.709, limited range.
        layer.bVideoSignalTypePresent = true;
        layer.bFullRange = false;
        layer.bColorDescriptionPresent = true;
        layer.uiColorPrimaries = sys::CP_BT709 as u8;
        layer.uiTransferCharacteristics = sys::TRC_BT709 as u8;
        layer.uiColorMatrix = sys::CM_BT709 as u8;
    })
}

/// The rate to ask the library for. It takes any frame rate above [`MAX_FPS`] for that, so each frame's share
/// would come out too large there.
fn library_rate(config: &EncoderConfig) -> i32 {
    let rate = u64::from(config.bitrate) * u64::from(config.fps.min(MAX_FPS)) / u64::from(config.fps);
    i32::try_from(rate).unwrap_or(i32::MAX)
}

/// Into how many slices to cut a picture, one for each thread.
fn slices(threads: u8, coded_height: u32) -> u32 {
    let fitting = coded_height.div_ceil(16) / MIN_SLICE_ROWS;
    u32::from(threads.min(MAX_THREADS)).min(fitting).max(1)
}

/// Of how many blocks of 16 by 16 pixels a picture of `size` is made.
fn macroblocks(size: Size) -> u32 {
    let coded = coded_size(size);
    coded.width.div_ceil(16) * coded.height.div_ceil(16)
}

/// The most macroblocks in a picture: what H.264 level 5.2 can carry, 4096x2304 pixels.
const MAX_MACROBLOCKS: u32 = 36_864;

/// The highest frame rate that the library knows.
const MAX_FPS: u32 = 60;

/// The most threads that the library uses.
const MAX_THREADS: u8 = 4;

/// The fewest rows of macroblocks in a slice: the library's rate control works on groups of up to this many.
const MIN_SLICE_ROWS: u32 = 4;

/// The finest and the coarsest that the quantiser may be. Finer than this shows no difference on a desktop (45 dB)
/// and makes a cut to hard content larger still; the other end is H.264's own, so that hard content turns coarse
/// before it goes over its rate. Left to itself the library stops at 42 and sends noise at five times its rate.
const MIN_QP: i32 = 18;
const MAX_QP: i32 = 51;

#[cfg(test)]
mod tests {
    use pf_media::picture::Size;

    use super::{OpenH264Encoder, library_rate, slices};
    use crate::h264::{KEY_SLICE, SLICE, nal_unit_types};
    use crate::{EncoderConfig, FrameKind, I420, VideoEncoder};

    const SEQUENCE_PARAMETERS: u8 = 7;
    const PICTURE_PARAMETERS: u8 = 8;

    fn encoder(size: Size, threads: u8) -> OpenH264Encoder {
        OpenH264Encoder::new(EncoderConfig { size, fps: 60, bitrate: 8_000_000, threads }).unwrap()
    }

    #[test]
    fn each_key_frame_brings_its_parameter_sets_and_each_thread_a_slice() {
        let size = Size::new(640, 368);
        let (picture, mut encoder) = (I420::new(size), encoder(size, 2));
        for kind in [FrameKind::Auto, FrameKind::Auto, FrameKind::Key] {
            let frame = encoder.encode(&picture, kind).unwrap();
            let units: Vec<u8> = nal_unit_types(frame.access_unit).collect();
            if frame.is_key() {
                assert_eq!(units, [SEQUENCE_PARAMETERS, PICTURE_PARAMETERS, KEY_SLICE, KEY_SLICE]);
            } else {
                assert_eq!(units, [SLICE, SLICE]);
            }
        }
    }

    #[test]
    fn a_picture_too_low_to_cut_is_one_slice() {
        assert_eq!(slices(2, 1080), 2);
        assert_eq!(slices(2, 128), 2);
        assert_eq!(slices(2, 112), 1);
        assert_eq!(slices(2, 16), 1);
        assert_eq!(slices(0, 1080), 1);
        assert_eq!(slices(255, 1080), 4);
    }

    #[test]
    fn above_sixty_frames_a_second_each_still_gets_its_own_share() {
        let config = |fps| EncoderConfig { size: Size::new(16, 16), fps, bitrate: 12_000_000, threads: 1 };
        assert_eq!(library_rate(&config(30)), 12_000_000);
        assert_eq!(library_rate(&config(60)), 12_000_000);
        assert_eq!(library_rate(&config(240)), 3_000_000);
    }

    /// The stream must name the colours that `I420` converts to, or other decoders show a tint.
    #[test]
    fn the_stream_says_bt709_in_limited_range() {
        let size = Size::new(640, 368);
        let mut encoder = encoder(size, 1);
        let frame = encoder.encode(&I420::new(size), FrameKind::Auto).unwrap();
        let mut bits = Bits::of_sequence_parameters(frame.access_unit);
        // H.264 7.3.2.1.1, as far as it goes for the Baseline profile.
        assert_eq!(bits.take(8), 66, "profile");
        bits.take(16); // constraints, level
        bits.golomb(); // the set's own number
        bits.golomb(); // length of frame numbers
        if bits.golomb() == 0 {
            bits.golomb(); // length of picture order counts
        }
        assert_eq!(bits.golomb(), 3, "reference pictures");
        bits.take(1); // gaps in frame numbers
        assert_eq!([bits.golomb() + 1, bits.golomb() + 1], [640 / 16, 368 / 16], "size in macroblocks");
        bits.take(2); // frames only, direct 8x8
        assert_eq!(bits.take(1), 0, "nothing to crop");
        assert_eq!(bits.take(1), 1, "usability information");
        // E.1.1.
        assert_eq!(bits.take(2), 0, "neither aspect ratio nor overscan");
        assert_eq!(bits.take(1), 1, "a signal type");
        bits.take(3); // video format
        assert_eq!(bits.take(1), 0, "limited range");
        assert_eq!(bits.take(1), 1, "a description of colours");
        assert_eq!([bits.take(8), bits.take(8), bits.take(8)], [1, 1, 1], "BT.709 throughout");
    }

    /// A reader of the bit fields in a NAL unit.
    struct Bits {
        bytes: Vec<u8>,
        position: usize,
    }

    impl Bits {
        fn of_sequence_parameters(access_unit: &[u8]) -> Self {
            let start = access_unit.windows(4).position(|bytes| bytes == [0, 0, 1, 0x67]).unwrap() + 4;
            let unit = &access_unit[start..];
            let end = unit.windows(4).position(|bytes| bytes == [0, 0, 0, 1]).unwrap();
            assert!(!unit[..end].windows(3).any(|bytes| bytes == [0, 0, 3]), "escapes are not read");
            Self { bytes: unit[..end].to_vec(), position: 0 }
        }

        fn take(&mut self, count: usize) -> u32 {
            let bit = |at: usize| u32::from(self.bytes[at / 8] >> (7 - at % 8) & 1);
            let value = (self.position..self.position + count).fold(0, |value, at| value << 1 | bit(at));
            self.position += count;
            value
        }

        /// An unsigned number in Exp-Golomb code (9.1).
        fn golomb(&mut self) -> u32 {
            let mut zeros = 0;
            while self.take(1) == 0 {
                zeros += 1;
            }
            (1 << zeros) - 1 + self.take(zeros)
        }
    }
}
