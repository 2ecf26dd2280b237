//! Planar pictures as codecs take and give them, and the conversions from and to desktop pixels.
//!
//! Both conversions are BT.709 in limited range, which is what the encoder writes into the stream.

mod scale;

use std::fmt;
use std::ops::Range;

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
        self.convert(picture, 0..picture.size().height);
    }

    /// Takes on these rows of `picture`, which has all others already; all of it when it has another size.
    ///
    /// # Panics
    /// If the rows of `picture` start 4 GiB apart or more, which those of no desktop do.
    pub fn fill_rows_from_bgrx(&mut self, picture: &Bgrx<'_>, rows: Range<u32>) {
        if picture.size() == self.size {
            self.convert(picture, rows);
        } else {
            self.fill_from_bgrx(picture);
        }
    }

    /// Converts these rows of a picture of this size, and those that share samples of colour with them.
    fn convert(&mut self, picture: &Bgrx<'_>, rows: Range<u32>) {
        let Size { width, height } = self.size;
        let rows = (rows.start & !1)..rows.end.next_multiple_of(2).min(height);
        if rows.is_empty() {
            return;
        }
        let (bytes, stride) = (picture.bytes(), picture.stride());
        let start_of = |row: u32| stride * row as usize;
        if let Some(pixels) = bytes.get(start_of(rows.start)..start_of(rows.end)) {
            self.convert_rows(rows, pixels, stride);
        } else {
            // The last row ends before its stride does, and the conversion takes whole pairs of rows only.
            let last_pair = (rows.end - 1) & !1;
            self.convert_rows(
                rows.start..last_pair,
                &bytes[start_of(rows.start)..start_of(last_pair)],
                stride,
            );
            let row = width as usize * 4;
            let pair = bytes[start_of(last_pair)..].chunks(stride).take(2);
            let packed: Vec<u8> = pair.flat_map(|bytes| &bytes[..row]).copied().collect();
            self.convert_rows(last_pair..rows.end, &packed, row);
        }
        let (luma_stride, chroma) = (self.coded.width, chroma_size(self.size));
        let [y, u, v] = self.planes_mut();
        repeat_edge(y, luma_stride, Size::new(width, height));
        repeat_edge(u, luma_stride / 2, chroma);
        repeat_edge(v, luma_stride / 2, chroma);
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

    /// Converts the given rows, the first of them even, from `pixels`, which holds just these.
    fn convert_rows(&mut self, rows: Range<u32>, pixels: &[u8], stride: usize) {
        if rows.is_empty() {
            return;
        }
        let (width, luma_stride, chroma_stride) = (self.size.width, self.coded.width, self.coded.width / 2);
        let part = |first: u32, end: u32, stride: u32| (first * stride) as usize..(end * stride) as usize;
        let luma = part(rows.start, rows.end, luma_stride);
        let chroma = part(rows.start / 2, rows.end.div_ceil(2), chroma_stride);
        let [y, u, v] = self.planes_mut();
        let mut planar = YuvPlanarImageMut {
            y_plane: BufferStoreMut::Borrowed(&mut y[luma]),
            y_stride: luma_stride,
            u_plane: BufferStoreMut::Borrowed(&mut u[chroma.clone()]),
            u_stride: chroma_stride,
            v_plane: BufferStoreMut::Borrowed(&mut v[chroma]),
            v_stride: chroma_stride,
            width,
            height: rows.end - rows.start,
        };
        let stride = u32::try_from(stride).expect("rows are less than 4 GiB apart");
        bgra_to_yuv420(&mut planar, pixels, stride, RANGE, MATRIX, YuvConversionMode::Balanced)
            .expect("both pictures hold what their sizes and strides say");
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
    let coded = |pixels: u32| pixels.next_multiple_of(2).max(MIN_CODED_SIDE);
    Size::new(coded(size.width), coded(size.height))
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

#[cfg(test)]
mod tests {
    use pf_media::picture::{Bgrx, Size};

    use super::{I420, I420View, Plane, coded_size};

    fn filled(size: Size, stride: usize, bytes: &[u8]) -> I420 {
        let mut picture = I420::new(size);
        picture.fill_from_bgrx(&Bgrx::new(size, stride, bytes).unwrap());
        picture
    }

    /// A picture in which no two pixels are alike, its rows `stride` bytes apart, the last one cut short.
    fn ramp(size: Size, stride: usize) -> Vec<u8> {
        let (width, height) = (size.width as usize, size.height as usize);
        let mut bytes = vec![0xee; stride * (height - 1) + width * 4];
        for (y, row) in bytes.chunks_mut(stride).enumerate() {
            for (x, pixel) in row[..width * 4].as_chunks_mut::<4>().0.iter_mut().enumerate() {
                *pixel = [(x * 7) as u8, (y * 11 + x) as u8, (x * y) as u8, 0];
            }
        }
        bytes
    }

    fn planes(picture: &I420) -> [Vec<u8>; 3] {
        picture.coded().planes().map(|plane| plane.samples.to_vec())
    }

    /// The values of BT.709 in limited range: another matrix or range gives every colour a tint.
    #[test]
    fn plain_colours_become_their_bt709_values() {
        let table = [
            ([0, 0, 0], [16, 128, 128]),
            ([255, 255, 255], [235, 128, 128]),
            ([0, 0, 255], [63, 102, 240]),
            ([0, 255, 0], [173, 42, 26]),
            ([255, 0, 0], [32, 240, 118]),
        ];
        let size = Size::new(64, 32);
        for (colour, expected) in table {
            let bytes: Vec<u8> = (0..64 * 32).flat_map(|_| [colour[0], colour[1], colour[2], 0]).collect();
            let picture = filled(size, 256, &bytes);
            for (plane, expected) in planes(&picture).iter().zip(expected) {
                assert!(plane.iter().all(|sample| sample.abs_diff(expected) <= 1), "{colour:?}: {plane:?}");
            }
            let mut back = vec![0; 64 * 32 * 4];
            picture.view().to_bgrx(&mut back, 256);
            for pixel in back.as_chunks::<4>().0 {
                assert!(
                    pixel.iter().zip(colour).all(|(is, was)| is.abs_diff(was) <= 2),
                    "{colour:?}: {pixel:?}"
                );
            }
        }
    }

    #[test]
    fn a_coded_side_is_even_and_at_least_sixteen() {
        assert_eq!(coded_size(Size::new(1, 15)), Size::new(16, 16));
        assert_eq!(coded_size(Size::new(17, 1080)), Size::new(18, 1080));
        assert_eq!(coded_size(Size::new(1366, 769)), Size::new(1366, 770));
    }

    #[test]
    fn what_is_added_to_an_odd_picture_repeats_its_edge() {
        for size in [Size::new(5, 3), Size::new(17, 19), Size::new(18, 21), Size::new(40, 1)] {
            let stride = size.width as usize * 4;
            let picture = filled(size, stride, &ramp(size, stride));
            let coded = picture.coded();
            for (index, plane) in coded.planes().into_iter().enumerate() {
                let halved = if index == 0 { 1 } else { 2 };
                let (right, bottom) = (size.width.div_ceil(halved) - 1, size.height.div_ceil(halved) - 1);
                for y in 0..coded.size().height / halved {
                    for x in 0..coded.size().width / halved {
                        let at = |x: u32, y: u32| plane.samples[y as usize * plane.stride + x as usize];
                        assert_eq!(
                            at(x, y),
                            at(x.min(right), y.min(bottom)),
                            "{size}: plane {index} at {x},{y}"
                        );
                    }
                }
            }
        }
    }

    /// Sources hand over rows with a gap behind them, and may end with the last pixel.
    #[test]
    fn the_gap_behind_rows_makes_no_difference() {
        for (width, height) in [(16, 16), (33, 18), (34, 17), (7, 1), (8, 2)] {
            let size = Size::new(width, height);
            let row = width as usize * 4;
            let packed = planes(&filled(size, row, &ramp(size, row)));
            let short = ramp(size, row + 12);
            assert_eq!(planes(&filled(size, row + 12, &short)), packed, "{size}, last row cut short");
            let mut long = short.clone();
            long.extend([0xee; 500]);
            assert_eq!(planes(&filled(size, row + 12, &long)), packed, "{size}, bytes left over");
        }
    }

    #[test]
    fn a_picture_that_is_filled_again_keeps_nothing_of_the_one_before() {
        let mut picture = I420::new(Size::new(64, 64));
        for (width, height) in [(64, 64), (31, 17), (100, 50), (31, 17)] {
            let size = Size::new(width, height);
            let bytes = ramp(size, width as usize * 4);
            picture.fill_from_bgrx(&Bgrx::new(size, width as usize * 4, &bytes).unwrap());
            assert_eq!(picture.size(), size);
            assert_eq!(planes(&picture), planes(&filled(size, width as usize * 4, &bytes)));
        }
    }

    /// Rows that share samples of colour with those beside them must not keep half of the old ones.
    #[test]
    fn rows_that_are_filled_are_as_if_all_were_and_others_are_left() {
        for (size, gap) in [(Size::new(64, 64), 0), (Size::new(33, 17), 12), (Size::new(16, 1), 0)] {
            let stride = size.width as usize * 4 + gap;
            let old = vec![0x80; stride * size.height as usize];
            for rows in [0..size.height, 0..1, 3..8, 4..5, 15..17, size.height - 1..size.height, 2..2] {
                let rows = rows.start.min(size.height)..rows.end.min(size.height);
                // What differs are these rows alone.
                let mut new = old.clone();
                let span = stride * rows.start as usize..stride * rows.end as usize;
                for (at, byte) in new[span.clone()].iter_mut().enumerate() {
                    *byte = (at * 31) as u8;
                }
                new.truncate(stride * size.height as usize - gap);
                let mut picture = filled(size, stride, &old);
                picture.fill_rows_from_bgrx(&Bgrx::new(size, stride, &new).unwrap(), rows.clone());
                assert_eq!(planes(&picture), planes(&filled(size, stride, &new)), "{size}, {rows:?}");
                let mut fresh = I420::new(Size::new(8, 8));
                fresh.fill_rows_from_bgrx(&Bgrx::new(size, stride, &new).unwrap(), rows.clone());
                assert_eq!(planes(&fresh), planes(&filled(size, stride, &new)), "from another size");
            }
        }
    }

    #[test]
    fn a_crop_shows_the_same_pixels_and_writes_no_others() {
        let size = Size::new(36, 22);
        let picture = filled(size, 144, &ramp(size, 144));
        let mut whole = vec![0; 144 * 22];
        picture.view().to_bgrx(&mut whole, 144);
        for (width, height) in [(35, 21), (1, 1), (36, 7)] {
            let view = picture.view().cropped(Size::new(width, height));
            assert_eq!(view.size(), Size::new(width, height));
            let mut cropped = vec![7; 160 * 22];
            view.to_bgrx(&mut cropped, 160);
            for (y, (row, whole)) in cropped.chunks(160).zip(whole.chunks(144)).enumerate() {
                let written = if y < height as usize { width as usize * 4 } else { 0 };
                assert_eq!(row[..written], whole[..written]);
                assert!(row[written..].iter().all(|&byte| byte == 7));
            }
        }
        assert_eq!(picture.view().cropped(Size::new(4000, 4000)).size(), size);
    }

    #[test]
    fn a_view_of_planes_too_short_for_its_size_is_refused() {
        let samples = [0; 64];
        let plane = |length: usize, stride| Plane { samples: &samples[..length], stride };
        let size = Size::new(7, 5);
        let of = |y, u, v| I420View::new(size, [y, u, v]).is_some();
        assert!(of(plane(8 * 4 + 7, 8), plane(4 * 2 + 4, 4), plane(5 * 2 + 4, 5)));
        assert!(!of(plane(8 * 4 + 6, 8), plane(12, 4), plane(12, 4)), "luma");
        assert!(!of(plane(39, 8), plane(11, 4), plane(12, 4)), "chroma");
        assert!(!of(plane(39, 8), plane(12, 4), plane(64, 3)), "stride below a row");
        assert!(I420View::new(Size::new(0, 5), [plane(64, 8); 3]).is_none());
        assert!(I420View::new(Size::new(5, 0), [plane(64, 8); 3]).is_none());
    }
}
