//! The encoder: what is asked of the library, and the promises of [`VideoEncoder`] on top of it.

use openh264_sys2 as sys;

use super::ffi::RawEncoder;
use crate::i420::{I420, coded_size};
use crate::{EncodeError, EncodedFrame, EncoderConfig, FrameKind, MAX_BITRATE, MIN_BITRATE, VideoEncoder};

/// An H.264 encoder for live pictures: Constrained Baseline profile, one reference picture.
pub struct OpenH264Encoder {
    config: EncoderConfig,
    /// The library's encoder; none after it failed, since it must not be called again then.
    raw: Option<RawEncoder>,
    /// The rate that `raw` was last told.
    rate_told: u32,
    frames: i64,
    access_unit: Vec<u8>,
}

impl OpenH264Encoder {
    /// An encoder for pictures of `config.size`.
    pub fn new(config: EncoderConfig) -> Result<Self, EncodeError> {
        let pixels = u64::from(config.size.width) * u64::from(config.size.height);
        if !config.size.is_streamable() || pixels > MAX_PIXELS {
            return Err(EncodeError::UnsupportedSize(config.size));
        }
        let config = EncoderConfig {
            fps: config.fps.max(1),
            bitrate: config.bitrate.clamp(MIN_BITRATE, MAX_BITRATE),
            ..config
        };
        let raw = Some(set_up(&config)?);
        Ok(Self { config, raw, rate_told: config.bitrate, frames: 0, access_unit: Vec::new() })
    }

    /// Encodes into `self.access_unit` and says whether a key frame came of it.
    fn encode_with(
        &mut self,
        raw: &mut RawEncoder,
        picture: &I420,
        kind: FrameKind,
    ) -> Result<bool, EncodeError> {
        if self.rate_told != self.config.bitrate {
            raw.set_bitrate(library_rate(&self.config))?;
            self.rate_told = self.config.bitrate;
        }
        if kind == FrameKind::Key {
            raw.force_key_frame()?;
        }
        let time = self.frames * 1000 / i64::from(self.config.fps);
        self.frames += 1;
        self.access_unit.clear();
        match raw.encode(&picture.coded(), time, &mut self.access_unit)? {
            sys::videoFrameTypeIDR => Ok(true),
            sys::videoFrameTypeP => Ok(false),
            code => Err(EncodeError::Backend { operation: "make a frame of a picture", code }),
        }
    }
}

impl VideoEncoder for OpenH264Encoder {
    fn encode(&mut self, picture: &I420, kind: FrameKind) -> Result<EncodedFrame<'_>, EncodeError> {
        if picture.size() != self.config.size {
            return Err(EncodeError::SizeChanged { expected: self.config.size, found: picture.size() });
        }
        let mut raw = match self.raw.take() {
            Some(raw) => raw,
            None => {
                self.rate_told = self.config.bitrate;
                set_up(&self.config)?
            }
        };
        let is_key = self.encode_with(&mut raw, picture, kind)?;
        self.raw = Some(raw);
        Ok(EncodedFrame { access_unit: &self.access_unit, is_key })
    }

    fn set_bitrate(&mut self, bits_per_second: u32) {
        self.config.bitrate = bits_per_second.clamp(MIN_BITRATE, MAX_BITRATE);
    }
}

fn set_up(config: &EncoderConfig) -> Result<RawEncoder, EncodeError> {
    let coded = coded_size(config.size);
    RawEncoder::new(|params| {
        params.iUsageType = sys::CAMERA_VIDEO_REAL_TIME;
        params.iComplexityMode = sys::LOW_COMPLEXITY;
        params.iPicWidth = coded.width as i32;
        params.iPicHeight = coded.height as i32;
        params.fMaxFrameRate = config.fps.min(MAX_FPS) as f32;

        params.iRCMode = sys::RC_BITRATE_MODE;
        params.iTargetBitrate = library_rate(config);
        params.bEnableFrameSkip = false;
        params.iMinQp = MIN_QP;
        params.iMaxQp = MAX_QP;

        // Key frames on request alone, each with its parameter sets.
        params.uiIntraPeriod = 0;
        params.bEnableSceneChangeDetect = false;
        params.eSpsPpsIdStrategy = sys::CONSTANT_ID;
        params.bEnableLongTermReference = false;
        params.iNumRefFrame = 1;
        params.bEnableDenoise = false;

        let slices = slices(config.threads, coded.height);
        params.iMultipleThreadIdc = slices as u16;
        let layer = &mut params.sSpatialLayers[0];
        layer.iVideoWidth = coded.width as i32;
        layer.iVideoHeight = coded.height as i32;
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
    rate as i32
}

/// Into how many slices to cut a picture, one for each thread.
fn slices(threads: u8, coded_height: u32) -> u32 {
    let fitting = coded_height.div_ceil(16) / MIN_SLICE_ROWS;
    u32::from(threads.min(MAX_THREADS)).min(fitting).max(1)
}

/// The most pixels in a picture: what H.264 level 5.2 can carry.
const MAX_PIXELS: u64 = 4096 * 2304;

/// The highest frame rate that the library knows.
const MAX_FPS: u32 = 60;

/// The most threads that the library uses.
const MAX_THREADS: u8 = 4;

/// The fewest rows of macroblocks in a slice: the library's rate control works on groups of up to this many.
const MIN_SLICE_ROWS: u32 = 4;

/// The quantiser's range. Above the lower bound nothing is gained that an eye could see; the upper bound is
/// H.264's own, so that hard content turns coarse before it overshoots the rate.
const MIN_QP: i32 = 12;
const MAX_QP: i32 = 51;
