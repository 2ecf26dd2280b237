//! Planar pictures as codecs take and give them, and the conversions from and to desktop pixels.
//!
//! Both conversions are BT.709 in limited range, which is what the encoder writes into the stream.

use std::fmt;

use pf_media::picture::{Bgrx, Size};
use yuv::{
    BufferStoreMut, YuvConversionMode, YuvPlanarImage, YuvPlanarImageMut, YuvRange, YuvStandardMatrix,
    bgra_to_yuv420, yuv420_to_bgra,
};

/// An owned picture in planes: full-size luma, and two chroma planes of half the width and height.
///
/// Make one and fill it again for each frame: it allocates only when the size grows.
pub struct I420 {
    size: Size,
    coded: Size,
    samples: Vec<u8>,
}

impl I420 {
    /// A black picture of `size`, each side at least 1.
    pub fn new(size: Size) -> Self {
        let coded = coded_size(size);
        let luma = luma_len(coded);
        let mut samples = vec![BLACK_LUMA; luma + luma / 2];
        samples[luma..].fill(NEUTRAL_CHROMA);
        Self { size, coded, samples }
    }

    /// The size of the desktop's picture, without what was added to code it.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Takes on the size and the pixels of `picture`.
    ///
    /// # Panics
    /// If the rows of `picture` start 4 GiB apart or more, which those of no desktop do.
    pub fn fill_from_bgrx(&mut self, picture: &Bgrx<'_>) {
        self.set_size(picture.size());
        let Size { width, height } = self.size;
        let (luma_stride, chroma_stride) = (self.coded.width, self.coded.width / 2);
        let [y, u, v] = self.planes_mut();
        let mut planar = YuvPlanarImageMut {
            y_plane: BufferStoreMut::Borrowed(&mut *y),
            y_stride: luma_stride,
            u_plane: BufferStoreMut::Borrowed(&mut *u),
            u_stride: chroma_stride,
            v_plane: BufferStoreMut::Borrowed(&mut *v),
            v_stride: chroma_stride,
            width,
            height,
        };
        let stride = u32::try_from(picture.stride()).expect("rows are less than 4 GiB apart");
        bgra_to_yuv420(&mut planar, picture.bytes(), stride, RANGE, MATRIX, YuvConversionMode::Balanced)
            .expect("both pictures hold what their sizes and strides say");
        let chroma = chroma_size(Size::new(width, height));
        repeat_edge(y, luma_stride, Size::new(width, height));
        repeat_edge(u, chroma_stride, chroma);
        repeat_edge(v, chroma_stride, chroma);
    }

    /// The desktop's picture.
    pub fn view(&self) -> I420View<'_> {
        self.coded().cropped(self.size)
    }

    /// The whole coded picture.
    pub(crate) fn coded(&self) -> I420View<'_> {
        let luma = luma_len(self.coded);
        let (y, chroma) = self.samples.split_at(luma);
        let (u, v) = chroma.split_at(luma / 4);
        let (luma_stride, chroma_stride) = (self.coded.width as usize, self.coded.width as usize / 2);
        I420View {
            size: self.coded,
            y: Plane { samples: y, stride: luma_stride },
            u: Plane { samples: u, stride: chroma_stride },
            v: Plane { samples: v, stride: chroma_stride },
        }
    }

    fn set_size(&mut self, size: Size) {
        self.size = size;
        self.coded = coded_size(size);
        let luma = luma_len(self.coded);
        self.samples.resize(luma + luma / 2, 0);
    }

    fn planes_mut(&mut self) -> [&mut [u8]; 3] {
        let luma = luma_len(self.coded);
        let (y, chroma) = self.samples.split_at_mut(luma);
        let (u, v) = chroma.split_at_mut(luma / 4);
        [y, u, v]
    }
}

impl fmt::Debug for I420 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("I420").field("size", &self.size).finish_non_exhaustive()
    }
}

/// One plane of a picture: rows of samples, top-down.
#[derive(Clone, Copy)]
pub struct Plane<'a> {
    /// The samples, from the first row's first on.
    pub samples: &'a [u8],
    /// Samples from the start of one row to the start of the next.
    pub stride: usize,
}

impl Plane<'_> {
    fn holds(&self, size: Size) -> bool {
        let (width, height) = (size.width as usize, size.height as usize);
        let needed = height.checked_sub(1).and_then(|rows| rows.checked_mul(self.stride)?.checked_add(width));
        let rows_fit = width > 0 && width <= self.stride && u32::try_from(self.stride).is_ok();
        rows_fit && needed.is_some_and(|needed| needed <= self.samples.len())
    }
}

/// A borrowed picture in planes, as a decoder hands it out.
#[derive(Clone, Copy)]
pub struct I420View<'a> {
    size: Size,
    y: Plane<'a>,
    u: Plane<'a>,
    v: Plane<'a>,
}

impl<'a> I420View<'a> {
    /// A view of the planes Y, U and V. `None` when a plane is too short for `size`.
    pub fn new(size: Size, [y, u, v]: [Plane<'a>; 3]) -> Option<Self> {
        let chroma = chroma_size(size);
        let fits = y.holds(size) && u.holds(chroma) && v.holds(chroma);
        fits.then_some(Self { size, y, u, v })
    }

    /// Width and height.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The planes Y, U and V; the last two have half the width and height, rounded up.
    pub fn planes(&self) -> [Plane<'a>; 3] {
        [self.y, self.u, self.v]
    }

    /// The top left part of the picture, as large as both it and `size` are.
    #[must_use]
    pub fn cropped(self, size: Size) -> Self {
        let size = Size::new(self.size.width.min(size.width), self.size.height.min(size.height));
        Self { size, ..self }
    }

    /// Writes the picture as 32-bit pixels, bytes in memory order blue, green, red, unused; rows `stride` bytes
    /// apart.
    ///
    /// # Panics
    /// If `out` is too short for the picture's size, or `stride` for a row.
    pub fn to_bgrx(&self, out: &mut [u8], stride: usize) {
        let planar = YuvPlanarImage {
            y_plane: self.y.samples,
            y_stride: self.y.stride as u32,
            u_plane: self.u.samples,
            u_stride: self.u.stride as u32,
            v_plane: self.v.samples,
            v_stride: self.v.stride as u32,
            width: self.size.width,
            height: self.size.height,
        };
        let stride = u32::try_from(stride).expect("rows are less than 4 GiB apart");
        yuv420_to_bgra(&planar, out, stride, RANGE, MATRIX).expect("the output holds the picture");
    }
}

impl fmt::Debug for I420View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("I420View").field("size", &self.size).finish_non_exhaustive()
    }
}

/// The size that a picture of `size` is coded in.
pub(crate) fn coded_size(size: Size) -> Size {
    let side = |pixels: u32| pixels.next_multiple_of(2).max(MIN_CODED_SIDE);
    Size::new(side(size.width), side(size.height))
}

fn chroma_size(size: Size) -> Size {
    Size::new(size.width.div_ceil(2), size.height.div_ceil(2))
}

fn luma_len(coded: Size) -> usize {
    coded.width as usize * coded.height as usize
}

/// Repeats the last column and row of the `filled` part of a plane into what lies beyond it.
fn repeat_edge(plane: &mut [u8], stride: u32, filled: Size) {
    let (stride, width, height) = (stride as usize, filled.width as usize, filled.height as usize);
    if width < stride {
        for row in plane.chunks_exact_mut(stride).take(height) {
            let edge = row[width - 1];
            row[width..].fill(edge);
        }
    }
    let (rows, beyond) = plane.split_at_mut(stride * height);
    let last = &rows[stride * (height - 1)..];
    for row in beyond.chunks_exact_mut(stride) {
        row.copy_from_slice(last);
    }
}

const RANGE: YuvRange = YuvRange::Limited;
const MATRIX: YuvStandardMatrix = YuvStandardMatrix::Bt709;

/// Black and grey in limited range.
const BLACK_LUMA: u8 = 16;
const NEUTRAL_CHROMA: u8 = 128;

/// The smallest side that the encoder takes, in pixels.
const MIN_CODED_SIDE: u32 = 16;
