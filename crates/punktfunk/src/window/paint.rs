//! Painting: where a picture goes in a window, and what its pixels are there.

use fast_image_resize::{
    FilterType, ResizeAlg, ResizeOptions, Resizer, images::TypedImage, images::TypedImageRef, pixels::U8,
};
use pf_codec::I420View;
use pf_media::picture::Size;

use super::picture::Planes;

/// Paints pictures, scaled where they have another size than their place.
///
/// Scaling is done before the conversion to pixels: planes are less than half as many samples.
#[derive(Default)]
pub(super) struct Painter {
    resizer: Resizer,
    scaled: Planes,
}

impl Painter {
    /// Paints a picture as large as its aspect lets it be, in the middle of black.
    ///
    /// The canvas has pixels of 32 bits, of which the lower 24 are red, green and blue.
    pub(super) fn paint(&mut self, canvas: &mut [u32], room: Size, picture: &Planes) {
        let Some(view) = picture.view() else { return };
        let place = Place::of(view.size(), room);
        place.blacken_around(canvas, room);
        if place.size == view.size() {
            convert(view, canvas, room, place);
        } else if self.scale(picture, place.size).is_ok()
            && let Some(scaled) = self.scaled.view()
        {
            convert(scaled, canvas, room, place);
        }
    }

    /// Fails for what cannot be: planes that are shorter than their sizes say.
    fn scale(&mut self, picture: &Planes, size: Size) -> Result<(), Box<dyn std::error::Error>> {
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        for ((from_size, from), (size, to)) in picture.planes().into_iter().zip(self.scaled.resize(size)) {
            let from = TypedImageRef::<U8>::from_buffer(from_size.width, from_size.height, from)?;
            let mut to = TypedImage::<U8>::from_buffer(size.width, size.height, to)?;
            self.resizer.resize_typed(&from, &mut to, &options)?;
        }
        Ok(())
    }
}

/// Where in a window the picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) left: u32,
    pub(super) top: u32,
    pub(super) size: Size,
}

impl Place {
    /// That of a picture in a window of the size `room`: as large as its aspect lets it be, in the middle.
    pub(super) fn of(picture: Size, room: Size) -> Self {
        let size = fit(picture, room);
        Self { left: (room.width - size.width) / 2, top: (room.height - size.height) / 2, size }
    }

    fn blacken_around(self, canvas: &mut [u32], room: Size) {
        let (left, right) = (self.left as usize, (self.left + self.size.width) as usize);
        let rows = self.top as usize..(self.top + self.size.height) as usize;
        for (y, line) in canvas.chunks_exact_mut(room.width as usize).enumerate() {
            if rows.contains(&y) {
                line[..left].fill(0);
                line[right..].fill(0);
            } else {
                line.fill(0);
            }
        }
    }
}

/// Writes the pixels of a picture in its place, which has its size.
fn convert(picture: I420View<'_>, canvas: &mut [u32], room: Size, place: Place) {
    let width = room.width as usize;
    let first = place.top as usize * width + place.left as usize;
    picture.to_bgrx(bytemuck::cast_slice_mut(&mut canvas[first..]), width * 4);
    if cfg!(target_endian = "big") {
        for pixel in canvas {
            *pixel = pixel.swap_bytes();
        }
    }
}

/// The largest size of the same aspect that fits; at least one pixel a side.
fn fit(size: Size, room: Size) -> Size {
    let (width, height) = (u64::from(size.width), u64::from(size.height));
    let (room_width, room_height) = (u64::from(room.width), u64::from(room.height));
    let by_width = (room_width, (height * room_width / width).max(1));
    let by_height = ((width * room_height / height).max(1), room_height);
    let (width, height) = if by_width.1 <= room_height { by_width } else { by_height };
    Size::new(width.min(room_width) as u32, height.min(room_height) as u32)
}

#[cfg(test)]
mod tests {
    use pf_codec::I420;
    use pf_media::picture::Bgrx;

    use super::*;

    /// A picture with these pixels, each four times as a square of two, since colours have half the resolution.
    fn picture(pixels: &[[u32; 2]]) -> Planes {
        let rows = pixels.iter().flat_map(|row| [row, row]);
        let bytes: Vec<u8> = rows
            .flat_map(|row| row.iter().flat_map(|pixel| [pixel, pixel]))
            .flat_map(|pixel| pixel.to_le_bytes())
            .collect();
        planes(Size::new(4, pixels.len() as u32 * 2), &bytes)
    }

    fn planes(size: Size, bytes: &[u8]) -> Planes {
        let mut picture = I420::new(size);
        picture.fill_from_bgrx(&Bgrx::new(size, size.width as usize * 4, bytes).unwrap());
        let mut planes = Planes::default();
        planes.copy(picture.view());
        planes
    }

    fn painted(room: Size, picture: &Planes) -> Vec<Vec<u32>> {
        let mut canvas = vec![0x0012_3456; (room.width * room.height) as usize];
        Painter::default().paint(&mut canvas, room, picture);
        canvas
            .chunks(room.width as usize)
            .map(|row| row.iter().map(|pixel| pixel & 0x00FF_FFFF).collect())
            .collect()
    }

    /// Within what the way to planes and back changes.
    #[track_caller]
    fn assert_alike(pixel: u32, expected: u32) {
        let near =
            pixel.to_le_bytes().iter().zip(expected.to_le_bytes()).all(|(is, was)| is.abs_diff(was) <= 4);
        assert!(near, "{pixel:06x} is not {expected:06x}");
    }

    const RED: u32 = 0x00FF_0000;
    const BLUE: u32 = 0x0000_00FF;

    #[test]
    fn a_picture_keeps_its_aspect_in_any_window() {
        let wide = Size::new(1280, 720);
        assert_eq!(fit(wide, Size::new(1280, 720)), wide);
        assert_eq!(fit(wide, Size::new(1920, 1200)), Size::new(1920, 1080));
        assert_eq!(fit(wide, Size::new(640, 1000)), Size::new(640, 360));
        assert_eq!(fit(wide, Size::new(1, 1)), Size::new(1, 1));
        assert_eq!(fit(Size::new(1, 4096), Size::new(100, 100)), Size::new(1, 100));
    }

    /// The usual case, which must not be blurred, nor moved.
    #[test]
    fn a_picture_of_its_places_size_is_shown_pixel_by_pixel() {
        let picture = picture(&[[RED, BLUE], [BLUE, RED]]);
        let canvas = painted(Size::new(4, 4), &picture);
        for (y, row) in canvas.iter().enumerate() {
            for (x, &pixel) in row.iter().enumerate() {
                assert_alike(pixel, if (x / 2 + y / 2) % 2 == 0 { RED } else { BLUE });
            }
        }
    }

    #[test]
    fn a_picture_stands_in_the_middle_of_black_at_any_scale() {
        let picture = picture(&[[RED, BLUE]]);
        for (room, place) in [
            (Size::new(4, 6), Place { left: 0, top: 2, size: Size::new(4, 2) }),
            (Size::new(10, 2), Place { left: 3, top: 0, size: Size::new(4, 2) }),
            (Size::new(16, 12), Place { left: 0, top: 2, size: Size::new(16, 8) }),
            (Size::new(43, 20), Place { left: 1, top: 0, size: Size::new(40, 20) }),
            (Size::new(2, 5), Place { left: 0, top: 2, size: Size::new(2, 1) }),
        ] {
            assert_eq!(Place::of(Size::new(4, 2), room), place);
            let canvas = painted(room, &picture);
            for (y, row) in canvas.iter().enumerate() {
                for (x, &pixel) in row.iter().enumerate() {
                    let (x, y) = (x as u32, y as u32);
                    let is_inside = (place.left..place.left + place.size.width).contains(&x)
                        && (place.top..place.top + place.size.height).contains(&y);
                    if !is_inside {
                        assert_eq!(pixel, 0, "{room}: black at {x},{y}");
                    }
                }
            }
            let row = &canvas[(place.top + place.size.height / 2) as usize];
            if place.size.width >= 4 {
                assert_alike(row[place.left as usize], RED);
                assert_alike(row[(place.left + place.size.width - 1) as usize], BLUE);
            }
        }
    }

    /// A line one pixel wide must be seen in a smaller window, which takes one pixel of many otherwise.
    #[test]
    fn a_thin_line_stays_in_a_smaller_window() {
        let size = Size::new(64, 64);
        for at in 0..64 {
            let bytes: Vec<u8> =
                (0..64 * 64).flat_map(|pixel| [if pixel % 64 == at { 255 } else { 0 }; 4]).collect();
            let canvas = painted(Size::new(20, 20), &planes(size, &bytes));
            let brightest = canvas[10].iter().map(|pixel| pixel & 0xFF).max().unwrap();
            assert!(brightest > 40, "the line at {at} is at most {brightest}");
        }
    }
}
