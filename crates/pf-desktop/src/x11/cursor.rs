//! The mouse pointer, which an X server leaves out of the pictures that it hands out.

use std::ops::Range;

use pf_media::picture::Size;
use x11rb::protocol::xfixes::GetCursorImageReply;

/// The pointer's shape.
#[derive(Debug)]
pub(super) struct CursorImage {
    width: u16,
    /// The pixel that points.
    hotspot: (i32, i32),
    /// Alpha, red, green, blue from the highest byte, colours multiplied by alpha.
    pixels: Vec<u32>,
}

impl CursorImage {
    /// The shape as XFixes tells it; `None` when the reply's parts do not fit together.
    pub(super) fn new(reply: GetCursorImageReply) -> Option<Self> {
        let pixels = usize::from(reply.width) * usize::from(reply.height);
        (pixels > 0 && reply.cursor_image.len() == pixels).then(|| Self {
            width: reply.width,
            hotspot: (reply.xhot.into(), reply.yhot.into()),
            pixels: reply.cursor_image,
        })
    }

    /// Draws the pointer so that it points at `position`, over `BGRx` `pixels` without gaps between rows.
    ///
    /// Returns what it covers there; `None` when that is nothing.
    pub(super) fn draw(&self, pixels: &mut [u8], size: Size, position: (i32, i32)) -> Option<Covered> {
        let height = self.pixels.len() / usize::from(self.width);
        let columns = clip(position.0 - self.hotspot.0, self.width.into(), size.width)?;
        let rows = clip(position.1 - self.hotspot.1, height, size.height)?;
        let mut covered =
            Covered { left: columns.at, rows: rows.at..rows.at + rows.length, bytes: Vec::new() };
        let shape = self.pixels.chunks_exact(self.width.into()).skip(rows.skipped);
        for (y, shape) in covered.rows.clone().zip(shape) {
            let start = (y as usize * size.width as usize + columns.at as usize) * 4;
            let below = pixels.get_mut(start..start + columns.length as usize * 4)?;
            covered.bytes.extend_from_slice(below);
            for (pixel, &colour) in below.as_chunks_mut::<4>().0.iter_mut().zip(&shape[columns.skipped..]) {
                blend(pixel, colour);
            }
        }
        Some(covered)
    }
}

/// The part of the picture that is below the pointer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Covered {
    left: u32,
    rows: Range<u32>,
    bytes: Vec<u8>,
}

impl Covered {
    /// The rows that the pointer is in.
    pub(super) fn rows(&self) -> Range<u32> {
        self.rows.clone()
    }

    /// Takes the pointer off the picture again.
    pub(super) fn uncover(&self, pixels: &mut [u8], size: Size) {
        let row = self.bytes.len() / self.rows.len();
        for (y, bytes) in self.rows.clone().zip(self.bytes.chunks_exact(row)) {
            let start = (y as usize * size.width as usize + self.left as usize) * 4;
            if let Some(covered) = pixels.get_mut(start..start + row) {
                covered.copy_from_slice(bytes);
            }
        }
    }
}

/// What of a stretch lies within a side of a picture.
struct Clip {
    /// Where it begins in the picture.
    at: u32,
    /// What is cut off before that.
    skipped: usize,
    length: u32,
}

/// Cuts the stretch of `length` from `start` on to what lies within `side`; `None` when nothing does.
fn clip(start: i32, length: usize, side: u32) -> Option<Clip> {
    let (start, length) = (i64::from(start), length.cast_signed() as i64);
    let (at, end) = (start.max(0), (start + length).min(side.into()));
    (at < end).then(|| Clip { at: at as u32, skipped: (at - start) as usize, length: (end - at) as u32 })
}

/// Puts a pixel with premultiplied alpha over another.
fn blend(pixel: &mut [u8], colour: u32) {
    let [blue, green, red, alpha] = colour.to_le_bytes();
    for (below, above) in pixel.iter_mut().zip([blue, green, red]) {
        let through = u32::from(*below) * u32::from(255 - alpha) / 255;
        *below = above.saturating_add(through as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(4, 3);
    const GREY: u8 = 100;

    /// A pointer of 2 × 2 pixels whose lower right one points: opaque red, half green, nothing, opaque white.
    fn cursor() -> CursorImage {
        let pixels = vec![0xFFFF_0000, 0x8000_8000, 0, 0xFFFF_FFFF];
        CursorImage { width: 2, hotspot: (1, 1), pixels }
    }

    /// The picture with the pointer in it; without it, it is what it was.
    fn drawn_at(position: (i32, i32)) -> Vec<[u8; 3]> {
        let mut pixels = vec![GREY; 4 * 4 * 3];
        let covered = cursor().draw(&mut pixels, SIZE, position);
        let picture = pixels.chunks_exact(4).map(|p| [p[2], p[1], p[0]]).collect();
        if let Some(covered) = covered {
            covered.uncover(&mut pixels, SIZE);
        }
        assert!(pixels.iter().all(|&byte| byte == GREY), "the pointer left a trace");
        picture
    }

    #[test]
    fn the_hotspot_is_at_the_position_and_alpha_lets_the_picture_through() {
        let picture = drawn_at((2, 1));
        assert_eq!(picture[1], [255, 0, 0]);
        assert_eq!(picture[2], [49, 128 + 49, 49]);
        assert_eq!(picture[4 + 1], [GREY; 3]);
        assert_eq!(picture[4 + 2], [255; 3]);
        let untouched = picture.iter().filter(|&&pixel| pixel == [GREY; 3]).count();
        assert_eq!(untouched, 12 - 3);
    }

    #[test]
    fn the_rows_that_it_covers_are_those_in_the_picture() {
        let rows = |position| {
            let covered = cursor().draw(&mut [GREY; 4 * 4 * 3], SIZE, position);
            covered.map(|covered| covered.rows())
        };
        assert_eq!(rows((2, 1)), Some(0..2));
        assert_eq!(rows((2, 0)), Some(0..1));
        assert_eq!(rows((4, 3)), Some(2..3));
        assert_eq!(rows((2, 4)), None);
        assert_eq!(rows((-1, 1)), None);
    }

    /// Desktop edges, and a pointer that another screen still reports far away.
    #[test]
    fn what_lies_outside_the_picture_is_cut_off() {
        assert_eq!(drawn_at((0, 0))[0], [255; 3]);
        assert_eq!(drawn_at((4, 3))[11], [255, 0, 0]);
        for far in [(-5, 0), (0, -5), (6, 1), (1, 5), (32_767, 32_767), (-32_768, -32_768)] {
            assert!(drawn_at(far).iter().all(|&pixel| pixel == [GREY; 3]));
        }
    }
}
