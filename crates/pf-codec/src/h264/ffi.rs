//! The one module that calls into OpenH264: each of its objects behind a safe type that owns it.
//!
//! What the types keep to, as the library asks: an object is set up before it is used and destroyed once; what
//! a call hands out is borrowed from the object, so that the next call cannot come while it is in use. An encoder
//! that failed to encode may have freed its inside; it refuses each call from then on and wants replacing.

#![expect(unsafe_code, reason = "this is where the crate calls the C++ library")]

use std::ffi::{c_int, c_long, c_uchar};
use std::ptr::{self, NonNull};
use std::slice;

use openh264_sys2 as sys;
use openh264_sys2::source::APILoader as Library;
use pf_media::picture::Size;

use super::long_term::Settled;
use crate::i420::{I420View, Plane};
use crate::{DecodeError, EncodeError};

/// A picture that the library was told to mark, by its own names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MarkedPicture {
    /// The number of the key frame before it.
    pub(super) key_frame: u16,
    /// Its `frame_num`.
    pub(super) frame_num: u32,
}

/// An encoder of the library, set up.
pub(super) struct RawEncoder {
    object: NonNull<sys::ISVCEncoder>,
    /// Where the library describes what it encoded; kept because it is several kilobytes long.
    output: Box<sys::SFrameBSInfo>,
    /// The parameters as the library completed them: others than these would make it start afresh.
    params: Box<sys::SEncParamExt>,
}

// SAFETY: the object is bound to no thread, and what the library shares between encoders, its pool of worker
// threads, it guards with locks of its own. All calls go through `&mut self`.
unsafe impl Send for RawEncoder {}

impl RawEncoder {
    /// An encoder with the parameters that `configure` makes of the library's defaults.
    pub(super) fn new(configure: impl FnOnce(&mut sys::SEncParamExt)) -> Result<Self, EncodeError> {
        let mut object = ptr::null_mut();
        // SAFETY: the library writes one pointer.
        encoding("start", unsafe { Library::WelsCreateSVCEncoder(&raw mut object) })?;
        let object = NonNull::new(object).ok_or(EncodeError::Backend { operation: "start", code: 0 })?;
        let mut this = Self { object, output: Box::default(), params: Box::default() };
        this.set_option(sys::ENCODER_OPTION_TRACE_LEVEL, sys::WELS_LOG_QUIET)?;

        let get_default_params = method(this.methods().GetDefaultParams);
        // SAFETY: the object lives, and the library fills in the structure.
        let code = unsafe { get_default_params(this.object.as_ptr(), &raw mut *this.params) };
        encoding("give its defaults", code)?;
        configure(&mut this.params);
        let initialize = method(this.methods().InitializeExt);
        // SAFETY: the object lives, and the library copies what it needs of the structure.
        encoding("take its parameters", unsafe {
            initialize(this.object.as_ptr(), &raw const *this.params)
        })?;
        let get_option = method(this.methods().GetOption);
        let (option, params) = (sys::ENCODER_OPTION_SVC_ENCODE_PARAM_EXT, (&raw mut *this.params).cast());
        // SAFETY: the object is set up, and the library fills in the structure, which is the option's own type.
        encoding("show its parameters", unsafe { get_option(this.object.as_ptr(), option, params) })?;
        Ok(this)
    }

    /// Encodes a picture taken at `time` in milliseconds, and appends its NAL units to `access_unit`.
    ///
    /// Returns what kind of frame became of it, one of the library's `videoFrameType` constants.
    pub(super) fn encode(
        &mut self,
        picture: &I420View<'_>,
        time: i64,
        access_unit: &mut Vec<u8>,
    ) -> Result<sys::EVideoFrameType, EncodeError> {
        let [y, u, v] = picture.planes();
        let source = sys::SSourcePicture {
            iColorFormat: sys::videoFormatI420,
            iStride: [int(y.stride), int(u.stride), int(v.stride), 0],
            pData: [
                y.samples.as_ptr().cast_mut(),
                u.samples.as_ptr().cast_mut(),
                v.samples.as_ptr().cast_mut(),
                ptr::null_mut(),
            ],
            iPicWidth: picture.size().width.cast_signed(),
            iPicHeight: picture.size().height.cast_signed(),
            uiTimeStamp: time,
            bPsnrY: false,
            bPsnrU: false,
            bPsnrV: false,
        };
        let encode_frame = method(self.methods().EncodeFrame);
        // SAFETY: the object is set up. An `I420View` vouches that its planes hold what size and strides say; the
        // library only reads them, and no longer than the call lasts.
        let code = unsafe { encode_frame(self.object.as_ptr(), &raw const source, &raw mut *self.output) };
        encoding("encode", code)?;

        let layers = usize::try_from(self.output.iLayerNum).unwrap_or(0);
        for layer in self.output.sLayerInfo.iter().take(layers).filter(|layer| layer.iNalCount > 0) {
            // SAFETY: a layer of `iNalCount` NAL units has as many lengths, and that many bytes from `pBsBuf` on,
            // one unit behind the other. Both stay as they are until the next call.
            unsafe {
                let lengths = slice::from_raw_parts(layer.pNalLengthInByte, layer.iNalCount as usize);
                let length = lengths.iter().map(|&length| length as usize).sum();
                access_unit.extend_from_slice(slice::from_raw_parts(layer.pBsBuf, length));
            }
        }
        Ok(self.output.eFrameType)
    }

    /// Makes the next picture a key frame.
    pub(super) fn force_key_frame(&mut self) -> Result<(), EncodeError> {
        let force_intra_frame = method(self.methods().ForceIntraFrame);
        // SAFETY: the object is set up. The C++ method behind it has a further argument, a layer, that it looks at
        // in simulcast only; `configure` asks for one layer.
        encoding("force a key frame", unsafe { force_intra_frame(self.object.as_ptr(), true) })
    }

    /// Makes the next picture refer to the long-term reference that the receivers have, not to the picture before it.
    ///
    /// `key_frame` is the number of the last key frame. Without such a reference the picture becomes a key frame.
    pub(super) fn recover(&mut self, key_frame: u16) -> Result<(), EncodeError> {
        let request = sys::SLTRRecoverRequest {
            uiFeedbackType: sys::LTR_RECOVERY_REQUEST as u32,
            uiIDRPicId: key_frame.into(),
            // Both say: whatever the decoder's state, use what is known to be there.
            iLastCorrectFrameNum: 0,
            iCurrentFrameNum: -1,
            iLayerId: 0,
        };
        self.set_option(sys::ENCODER_LTR_RECOVERY_REQUEST, request)
    }

    /// Says whether the receivers have a picture that was marked. Takes effect behind the next picture.
    pub(super) fn settle(&mut self, settled: Settled) -> Result<(), EncodeError> {
        let (word, picture) = match settled {
            Settled::Known(picture) => (sys::LTR_MARKING_SUCCESS, picture),
            Settled::Lost(picture) => (sys::LTR_MARKING_FAILED, picture),
        };
        let feedback = sys::SLTRMarkingFeedback {
            uiFeedbackType: word as u32,
            uiIDRPicId: picture.key_frame.into(),
            iLTRFrameNum: picture.frame_num.cast_signed(),
            iLayerId: 0,
        };
        self.set_option(sys::ENCODER_LTR_MARKING_FEEDBACK, feedback)
    }

    /// Says whether the next picture is to carry a mark: by the interval between marks, the library's only handle.
    pub(super) fn set_marking(&mut self, mark: bool) -> Result<(), EncodeError> {
        self.set_option(sys::ENCODER_LTR_MARKING_PERIOD, if mark { 0 } else { u32::MAX })
    }

    /// Sets the quantiser of the next pictures, 0 to 51. It counts where the library's own rate control is off.
    pub(super) fn set_quantiser(&mut self, quantiser: i32) -> Result<(), EncodeError> {
        let layer = &mut self.params.sSpatialLayers[0];
        if layer.iDLayerQp == quantiser {
            return Ok(());
        }
        layer.iDLayerQp = quantiser;
        self.set_option(sys::ENCODER_OPTION_SVC_ENCODE_PARAM_EXT, *self.params)
    }

    /// Sets an option. `T` must be the type that the library reads it as.
    fn set_option<T>(&mut self, option: sys::ENCODER_OPTION, mut value: T) -> Result<(), EncodeError> {
        let set_option = method(self.methods().SetOption);
        // SAFETY: the object lives, all callers pass the option's own type, and the library copies the value.
        let code = unsafe { set_option(self.object.as_ptr(), option, (&raw mut value).cast()) };
        encoding("take an option", code)
    }

    fn methods(&self) -> &sys::ISVCEncoderVtbl {
        // SAFETY: a live object begins with a pointer to its table of methods, which lives as long.
        unsafe { &**self.object.as_ptr() }
    }
}

impl Drop for RawEncoder {
    fn drop(&mut self) {
        // SAFETY: the object lives and is not used again. Destroying it ends it first where it was set up.
        unsafe { Library::WelsDestroySVCEncoder(self.object.as_ptr()) }
    }
}

/// A decoder of the library, set up to hand each picture out at once and to make none up.
pub(super) struct RawDecoder {
    object: NonNull<sys::ISVCDecoder>,
}

// SAFETY: the object is bound to no thread and has no threads of its own. All calls go through `&mut self`.
unsafe impl Send for RawDecoder {}

impl RawDecoder {
    /// A decoder that has seen nothing yet.
    pub(super) fn new() -> Result<Self, DecodeError> {
        let backend = |operation| move |code| DecodeError::Backend { operation, code };
        let mut object = ptr::null_mut();
        // SAFETY: the library writes one pointer.
        check_long(unsafe { Library::WelsCreateDecoder(&raw mut object) }).map_err(backend("start"))?;
        let object = NonNull::new(object).ok_or(DecodeError::Backend { operation: "start", code: 0 })?;
        let this = Self { object };

        let mut log_level = sys::WELS_LOG_QUIET;
        let set_option = method(this.methods().SetOption);
        // SAFETY: the object lives, and the library copies the value, an `int` for this option.
        let code = unsafe {
            let value = (&raw mut log_level).cast();
            set_option(this.object.as_ptr(), sys::DECODER_OPTION_TRACE_LEVEL, value)
        };
        check_long(code).map_err(backend("take an option"))?;

        let params = sys::SDecodingParam {
            eEcActiveIdc: sys::ERROR_CON_DISABLE,
            sVideoProperty: sys::SVideoProperty {
                size: size_of::<sys::SVideoProperty>() as u32,
                eVideoBsType: sys::VIDEO_BITSTREAM_AVC,
            },
            ..sys::SDecodingParam::default()
        };
        let initialize = method(this.methods().Initialize);
        // SAFETY: the object lives, and the library copies the structure.
        let code = unsafe { initialize(this.object.as_ptr(), &raw const params) };
        check_long(code).map_err(backend("take its parameters"))?;
        Ok(this)
    }

    /// Decodes an access unit; `None` when no picture came of it.
    pub(super) fn decode(&mut self, access_unit: &[u8]) -> Result<Option<I420View<'_>>, DecodeError> {
        let length = access_unit.len();
        let length = c_int::try_from(length).map_err(|_| DecodeError::TooLong { length })?;
        let mut planes: [*mut c_uchar; 3] = [ptr::null_mut(); 3];
        let mut info = sys::SBufferInfo::default();
        let decode_frame = method(self.methods().DecodeFrameNoDelay);
        // SAFETY: the object is set up. The library copies the input; it writes three pointers and one description.
        let code = unsafe {
            let object = self.object.as_ptr();
            decode_frame(object, access_unit.as_ptr(), length, planes.as_mut_ptr(), &raw mut info)
        };
        check(code).map_err(|code| DecodeError::Corrupt { code })?;
        if info.iBufferStatus == 0 {
            // Streams that may hold B-frames, whether or not they do, keep a picture back unless asked.
            let flush_frame = method(self.methods().FlushFrame);
            // SAFETY: as above.
            let code = unsafe { flush_frame(self.object.as_ptr(), planes.as_mut_ptr(), &raw mut info) };
            check(code).map_err(|code| DecodeError::Corrupt { code })?;
        }
        if info.iBufferStatus == 0 || planes.contains(&ptr::null_mut()) {
            return Ok(None);
        }
        // SAFETY: the library filled in the picture's description, the union's only member.
        let memory = unsafe { info.UsrData.sSystemBuffer };
        // SAFETY: the library just described the picture at `planes` so, and leaves it as it is until its next
        // call, which must wait for the borrow of `self` to end.
        unsafe { picture_at(planes, memory) }.map(Some)
    }

    fn methods(&self) -> &sys::ISVCDecoderVtbl {
        // SAFETY: a live object begins with a pointer to its table of methods, which lives as long.
        unsafe { &**self.object.as_ptr() }
    }
}

impl Drop for RawDecoder {
    fn drop(&mut self) {
        // SAFETY: the object lives and is not used again. Destroying it ends it first where it was set up.
        unsafe { Library::WelsDestroyDecoder(self.object.as_ptr()) }
    }
}

/// The picture that lies at `planes`.
///
/// # Safety
/// From each pointer on there is memory as the description says, unchanged for the lifetime that is asked for.
unsafe fn picture_at<'a>(
    [y, u, v]: [*mut c_uchar; 3],
    memory: sys::SSysMEMBuffer,
) -> Result<I420View<'a>, DecodeError> {
    let size = Size::new(memory.iWidth.cast_unsigned(), memory.iHeight.cast_unsigned());
    let [luma_stride, chroma_stride] = memory.iStride.map(|stride| usize::try_from(stride).unwrap_or(0));
    if !size.is_streamable() {
        return Err(DecodeError::UnsupportedSize(size));
    }
    let plane = |samples: *mut c_uchar, stride: usize, width: u32, height: u32| {
        let length = (height as usize - 1) * stride + width as usize;
        // SAFETY: `height` rows, `stride` apart, the last of them at least `width` long: what the caller vouches for.
        Plane { samples: unsafe { slice::from_raw_parts(samples, length) }, stride }
    };
    let (width, height) = (size.width.div_ceil(2), size.height.div_ceil(2));
    let planes = [
        plane(y, luma_stride, size.width, size.height),
        plane(u, chroma_stride, width, height),
        plane(v, chroma_stride, width, height),
    ];
    I420View::new(size, planes).ok_or(DecodeError::UnsupportedSize(size))
}

/// A method out of an object's table. The library is built in, and its tables have no gaps.
fn method<F>(entry: Option<F>) -> F {
    entry.expect("the library's table of methods is complete")
}

fn encoding(operation: &'static str, code: c_int) -> Result<(), EncodeError> {
    check(code).map_err(|code| EncodeError::Backend { operation, code })
}

fn check(code: c_int) -> Result<(), c_int> {
    if code == 0 { Ok(()) } else { Err(code) }
}

fn check_long(code: c_long) -> Result<(), c_int> {
    check(code as c_int)
}

fn int(value: usize) -> c_int {
    c_int::try_from(value).expect("a stride of a picture that fits in memory fits an int")
}
