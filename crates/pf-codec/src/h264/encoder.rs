//! The encoder: what is asked of the library, and the promises of [`VideoEncoder`] on top of it.

use openh264_sys2 as sys;
use pf_media::packet::Reference;

use super::{
    ffi::RawEncoder,
    long_term::{LongTerm, Plan},
    rate::{Prediction, RateControl, Surveyor, Work},
};
use crate::i420::{I420, coded_size};
use crate::{EncodeError, EncodedFrame, EncoderConfig, FrameKind, VideoEncoder, held_bitrate, macroblocks};

/// An H.264 encoder for live pictures: Constrained Baseline profile, no picture refers to more than one other.
pub struct OpenH264Encoder {
    config: EncoderConfig,
    /// The library's encoder; none after it failed, since it refuses everything from then on.
    raw: Option<Encoder>,
    /// The number of the next picture.
    next: u32,
    /// Pictures handed to the library, for its clock.
    pictures: i64,
    surveyor: Surveyor,
    rate: RateControl,
    access_unit: Vec<u8>,
}

/// The library's encoder, and what it keeps.
struct Encoder {
    raw: RawEncoder,
    long_term: LongTerm,
}

/// How coarse a picture is to come out.
#[derive(Clone, Copy, Debug)]
enum Coarseness {
    /// As the rate allows, where there is so much to code.
    ByRate(Work),
    /// As coarse as can be.
    Most,
}

impl OpenH264Encoder {
    /// An encoder for pictures of `config.size`.
    pub fn new(config: EncoderConfig) -> Result<Self, EncodeError> {
        let config = config.checked()?;
        let raw = Some(Encoder::new(&config)?);
        let uncompressed = f64::from(macroblocks(config.size)) * BITS_OF_MACROBLOCK;
        let rate = RateControl::new(config.bitrate, config.fps, uncompressed / LEAST_COMPRESSION);
        let surveyor = Surveyor::default();
        Ok(Self { config, raw, next: 0, pictures: 0, surveyor, rate, access_unit: Vec::new() })
    }

    /// Encodes what was surveyed into `self.access_unit`, and says what came of it.
    fn encode_with(
        &mut self,
        encoder: &mut Encoder,
        picture: &I420,
        kind: FrameKind,
        coarseness: Coarseness,
    ) -> Result<Reference, EncodeError> {
        let Encoder { raw, long_term } = encoder;
        let plan = long_term.plan(kind, self.next);
        let prediction = if plan == Plan::Key { Prediction::Intra } else { Prediction::Inter };
        raw.set_quantiser(match coarseness {
            Coarseness::ByRate(work) => self.rate.choose(work, prediction),
            Coarseness::Most => self.rate.choose_coarsest(),
        })?;
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
        self.rate.spent(self.access_unit.len() * 8, prediction);
        Ok(match made {
            Plan::Key => Reference::Nothing,
            Plan::Previous { .. } => Reference::Previous,
            Plan::Recovery(carrier) => Reference::Frame(carrier),
        })
    }

    /// Puts a new encoder in the place of this one and encodes with that.
    ///
    /// The library gives up on a picture that comes out larger than its buffer, as noise does right behind a still
    /// picture, which it codes finely.
    fn encode_afresh(&mut self, encoder: &mut Encoder, picture: &I420) -> Result<Reference, EncodeError> {
        *encoder = Encoder::new(&self.config)?;
        self.encode_with(encoder, picture, FrameKind::Key, Coarseness::Most)
    }
}

impl VideoEncoder for OpenH264Encoder {
    fn encode(&mut self, picture: &I420, kind: FrameKind) -> Result<EncodedFrame<'_>, EncodeError> {
        if picture.size() != self.config.size {
            return Err(EncodeError::SizeChanged { expected: self.config.size, found: picture.size() });
        }
        let mut encoder = self.raw.take().map_or_else(|| Encoder::new(&self.config), Ok)?;
        let coded = picture.coded();
        let work = self.surveyor.survey(coded.planes()[0], coded.size().width as usize);
        let reference = self
            .encode_with(&mut encoder, picture, kind, Coarseness::ByRate(work))
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
        self.config.bitrate = held_bitrate(bits_per_second);
        self.rate.set_rate(self.config.bitrate, self.config.fps);
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

        // Each picture is told its quantiser.
        params.iRCMode = sys::RC_OFF_MODE;
        params.bEnableFrameSkip = false;

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

/// Into how many slices to cut a picture, one for each thread.
fn slices(threads: u8, coded_height: u32) -> u32 {
    let fitting = coded_height.div_ceil(16) / MIN_SLICE_ROWS;
    u32::from(threads.min(MAX_THREADS)).min(fitting).max(1)
}

/// Bits of 16 by 16 pixels in 4:2:0.
const BITS_OF_MACROBLOCK: f64 = 16.0 * 16.0 * 1.5 * 8.0;

/// By how much a picture is compressed at least, since the library fails where one takes more than its buffer: half
/// as long as the picture itself for each of two slices. A quarter leaves room to be mistaken.
const LEAST_COMPRESSION: f64 = 4.0;

/// The highest frame rate that the library knows.
const MAX_FPS: u32 = 60;

/// The most threads that the library uses.
const MAX_THREADS: u8 = 4;

/// The fewest rows of macroblocks in a slice: the library's rate control works on groups of up to this many.
const MIN_SLICE_ROWS: u32 = 4;

#[cfg(test)]
mod tests {
    use pf_media::picture::Size;

    use super::{OpenH264Encoder, slices};
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
