//! The mouse pointer, which an X server leaves out of the pictures that it hands out.

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
    pub(super) fn draw(&self, pixels: &mut [u8], size: Size, position: (i32, i32)) {
        let left = position.0 - self.hotspot.0;
        let top = position.1 - self.hotspot.1;
        let inside = |at: i32, side: u32| u32::try_from(at).ok().filter(|&at| at < side);
        for (y, row) in (top..).zip(self.pixels.chunks_exact(self.width.into())) {
            let Some(y) = inside(y, size.height) else { continue };
            for (x, &colour) in (left..).zip(row) {
                let Some(x) = inside(x, size.width) else { continue };
                let at = (y as usize * size.width as usize + x as usize) * 4;
                if let Some(pixel) = pixels.get_mut(at..at + 4) {
                    blend(pixel, colour);
                }
            }
        }
    }
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

    fn drawn_at(position: (i32, i32)) -> Vec<[u8; 3]> {
        let mut pixels = vec![GREY; 4 * 4 * 3];
        cursor().draw(&mut pixels, SIZE, position);
        pixels.chunks_exact(4).map(|p| [p[2], p[1], p[0]]).collect()
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
