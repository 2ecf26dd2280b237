//! The one module that calls x264, by way of `shim.c`: its encoder behind a safe type that owns it.

#![expect(unsafe_code, reason = "this is where the crate calls the C library")]

use std::ffi::c_int;
use std::ptr::{self, NonNull};
use std::slice;

use pf_media::picture::Size;

use crate::EncodeError;
use crate::i420::I420View;

/// What `shim.c` keeps of an encoder.
#[repr(C)]
struct Object {
    opaque: [u8; 0],
}

unsafe extern "C" {
    fn pf_x264_open(
        width: c_int,
        height: c_int,
        fps: c_int,
        kilobits: c_int,
        threads: c_int,
    ) -> Option<NonNull<Object>>;
    fn pf_x264_close(this: NonNull<Object>);
    fn pf_x264_encode(
        this: NonNull<Object>,
        planes: *const *const u8,
        strides: *const c_int,
        number: i64,
        force_key: c_int,
        access_unit: *mut *const u8,
        is_key: *mut c_int,
    ) -> c_int;
    fn pf_x264_forget(this: NonNull<Object>, number: i64) -> c_int;
    fn pf_x264_set_rate(this: NonNull<Object>, kilobits: c_int) -> c_int;
}

/// An encoder of the library.
pub(super) struct RawEncoder {
    object: NonNull<Object>,
    coded: Size,
}

// SAFETY: the library binds an encoder to no thread. All calls go through `&mut self`.
unsafe impl Send for RawEncoder {}

impl RawEncoder {
    /// An encoder for pictures of the size `coded`, at `kilobits` a second.
    pub(super) fn new(coded: Size, fps: u32, kilobits: u32, threads: u8) -> Result<Self, EncodeError> {
        let int = |value: u32| c_int::try_from(value).unwrap_or(c_int::MAX);
        // SAFETY: the function takes numbers alone.
        let object = unsafe {
            pf_x264_open(int(coded.width), int(coded.height), int(fps), int(kilobits), threads.into())
        };
        let object = object.ok_or(EncodeError::Backend { operation: "start", code: 0 })?;
        Ok(Self { object, coded })
    }

    /// Encodes a picture as `number`, which is above that of the last, and puts it in `access_unit`. Says whether it is
    /// a key frame.
    pub(super) fn encode(
        &mut self,
        picture: &I420View<'_>,
        number: i64,
        force_key: bool,
        access_unit: &mut Vec<u8>,
    ) -> Result<bool, EncodeError> {
        assert_eq!(picture.size(), self.coded, "the library reads as much as it was told at the start");
        let planes = picture.planes().map(|plane| plane.samples.as_ptr());
        let strides = picture.planes().map(|plane| c_int::try_from(plane.stride).unwrap_or(c_int::MAX));
        let (mut start, mut is_key) = (ptr::null(), 0);
        // SAFETY: the object lives. An `I420View` vouches that its planes hold what size and strides say; the library
        // only reads them, and no longer than the call lasts. It writes one pointer and one number.
        let length = unsafe {
            pf_x264_encode(
                self.object,
                planes.as_ptr(),
                strides.as_ptr(),
                number,
                force_key.into(),
                &raw mut start,
                &raw mut is_key,
            )
        };
        let length = usize::try_from(length).ok().filter(|length| *length > 0);
        let length = length.ok_or(EncodeError::Backend { operation: "encode", code: 0 })?;
        access_unit.clear();
        // SAFETY: that many bytes are there, one NAL unit behind the other, until the next call.
        access_unit.extend_from_slice(unsafe { slice::from_raw_parts(start, length) });
        Ok(is_key != 0)
    }

    /// Has no later picture refer to `number` or to one after it.
    pub(super) fn forget(&mut self, number: i64) -> Result<(), EncodeError> {
        // SAFETY: the object lives.
        check("forget pictures", unsafe { pf_x264_forget(self.object, number) })
    }

    /// Sets the rate, in kilobits a second.
    pub(super) fn set_rate(&mut self, kilobits: u32) -> Result<(), EncodeError> {
        let kilobits = c_int::try_from(kilobits).unwrap_or(c_int::MAX);
        // SAFETY: the object lives.
        check("take another rate", unsafe { pf_x264_set_rate(self.object, kilobits) })
    }
}

impl Drop for RawEncoder {
    fn drop(&mut self) {
        // SAFETY: the object lives and is not used again.
        unsafe { pf_x264_close(self.object) }
    }
}

fn check(operation: &'static str, code: c_int) -> Result<(), EncodeError> {
    if code < 0 { Err(EncodeError::Backend { operation, code }) } else { Ok(()) }
}
