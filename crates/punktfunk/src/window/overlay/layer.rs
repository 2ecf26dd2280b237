//! A transparent picture of text and rectangles that is laid over another.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use pf_media::picture::Size;

/// A colour, and how much of what is below it hides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::window) struct Colour {
    pub(super) red: u8,
    pub(super) green: u8,
    pub(super) blue: u8,
    pub(super) alpha: u8,
}

impl Colour {
    /// One that hides all below, written as on the web: `0xRRGGBB`.
    pub(in crate::window) const fn opaque(rgb: u32) -> Self {
        let [_, red, green, blue] = rgb.to_be_bytes();
        Self { red, green, blue, alpha: 255 }
    }

    /// The same, of which so much shows, in 255ths.
    pub(in crate::window) const fn faded(self, alpha: u8) -> Self {
        Self { alpha, ..self }
    }
}

/// Where something is on a layer, in pixels from its left and top.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::window) struct Area {
    pub(in crate::window) left: f32,
    pub(in crate::window) top: f32,
    pub(in crate::window) width: f32,
    pub(in crate::window) height: f32,
}

/// A transparent picture.
pub(crate) struct Layer {
    size: Size,
    pixels: Vec<Pixel>,
}

/// Alpha, red, green and blue, from the highest byte down; the colours are multiplied with the alpha already.
#[derive(Clone, Copy, Default)]
struct Pixel(u32);

impl Layer {
    /// One that shows nothing.
    pub(in crate::window) fn clear(size: Size) -> Self {
        Self { size, pixels: vec![Pixel::default(); size.width as usize * size.height as usize] }
    }

    pub(in crate::window) fn size(&self) -> Size {
        self.size
    }

    /// Red, green, blue and alpha of each pixel; the colours are multiplied with the alpha already.
    pub(in crate::window) fn bytes(&self) -> Vec<u8> {
        let bytes = self.pixels.iter().flat_map(|pixel| {
            let [alpha, red, green, blue] = pixel.0.to_be_bytes();
            [red, green, blue, alpha]
        });
        bytes.collect()
    }

    /// Fills a rectangle whose corners are rounded.
    pub(in crate::window) fn fill(&mut self, area: Area, radius: f32, colour: Colour) {
        let Area { left, top, width, height } = area;
        let (middle_x, middle_y) = (left + width / 2.0, top + height / 2.0);
        let radius = radius.min(width / 2.0).min(height / 2.0);
        let columns = left.floor() as i32..(left + width).ceil() as i32;
        for y in top.floor() as i32..(top + height).ceil() as i32 {
            for x in columns.clone() {
                // How far the middle of the pixel is outside of the edge; within half a pixel the edge runs through it.
                let beyond_x = (x as f32 + 0.5 - middle_x).abs() - width / 2.0 + radius;
                let beyond_y = (y as f32 + 0.5 - middle_y).abs() - height / 2.0 + radius;
                let corner = beyond_x.max(0.0).hypot(beyond_y.max(0.0));
                let outside = corner + beyond_x.max(beyond_y).min(0.0) - radius;
                self.blend(x, y, colour, (0.5 - outside).clamp(0.0, 1.0));
            }
        }
    }

    /// Writes text from `left` on, on a line.
    pub(super) fn write(&mut self, left: f32, baseline: f32, text: &str, face: &Face, colour: Colour) {
        for (place, letter) in text.chars().enumerate() {
            let at = point(left + face.advance() * place as f32, baseline);
            let glyph = face.font.glyph_id(letter).with_scale_and_position(face.scale, at);
            let Some(outlined) = face.font.outline_glyph(glyph) else { continue };
            let corner = outlined.px_bounds().min;
            outlined.draw(|x, y, coverage| {
                let (x, y) = (corner.x as i32 + x.cast_signed(), corner.y as i32 + y.cast_signed());
                self.blend(x, y, colour, coverage);
            });
        }
    }

    /// Lays the layer over a canvas, with its corner at `left` and `top`. What does not fit is cut off.
    pub(in crate::window) fn lay_over(&self, canvas: &mut [u32], room: Size, left: u32, top: u32) {
        let rows = canvas.chunks_exact_mut(room.width as usize).skip(top as usize);
        for (line, pixels) in rows.zip(self.pixels.chunks_exact(self.size.width as usize)) {
            for (below, pixel) in line.iter_mut().skip(left as usize).zip(pixels) {
                *below = pixel.over(*below);
            }
        }
    }

    fn blend(&mut self, x: i32, y: i32, colour: Colour, coverage: f32) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        let (width, alpha) = (self.size.width as usize, f32::from(colour.alpha) * coverage.clamp(0.0, 1.0));
        if x >= width || alpha <= 0.0 {
            return;
        }
        let Some(pixel) = self.pixels.get_mut(y * width + x) else { return };
        let through = 1.0 - alpha / 255.0;
        let above = [colour.blue, colour.green, colour.red, 255].map(|part| f32::from(part) * alpha / 255.0);
        let mut mixed = pixel.0.to_le_bytes();
        for (part, above) in mixed.iter_mut().zip(above) {
            *part = (above + f32::from(*part) * through).round() as u8;
        }
        *pixel = Pixel(u32::from_le_bytes(mixed));
    }
}

impl Pixel {
    /// What is seen where this lies over `below`. Done to every pixel of the overlay in every picture, and so written
    /// without a branch or a division: all is left through in 256ths, not in 255ths.
    fn over(self, below: u32) -> u32 {
        let alpha = self.0 >> 24;
        let through = 256 - alpha - (alpha >> 7);
        let red_and_blue = (((below & 0x00FF_00FF) * through) >> 8) & 0x00FF_00FF;
        let green = (((below & 0x0000_FF00) * through) >> 8) & 0x0000_FF00;
        (self.0 & 0x00FF_FFFF) + (red_and_blue | green)
    }
}

/// The letters of an overlay, all of them equally wide, at one size.
pub(super) struct Face {
    font: FontRef<'static>,
    scale: PxScale,
}

impl Face {
    /// Letters of so many pixels from line to line; `None` if the font that is built in cannot be read.
    pub(super) fn new(pixels: f32) -> Option<Self> {
        let font =
            FontRef::try_from_slice(include_bytes!("../../../assets/JetBrainsMono-subset.ttf")).ok()?;
        Some(Self { font, scale: PxScale::from(pixels) })
    }

    /// How far it is from one letter to the next.
    pub(super) fn advance(&self) -> f32 {
        let font = self.font.as_scaled(self.scale);
        font.h_advance(font.glyph_id('0'))
    }

    /// How far the top of a capital letter is above the line.
    pub(super) fn capital(&self) -> f32 {
        let top = |letter: char| {
            let glyph = self.font.glyph_id(letter).with_scale(self.scale);
            self.font.outline_glyph(glyph).map(|outlined| -outlined.px_bounds().min.y)
        };
        top('H').unwrap_or(self.scale.y / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHITE: Colour = Colour::opaque(0x00FF_FFFF);
    const ROOM: Size = Size::new(20, 20);

    fn over(layer: &Layer, below: u32) -> Vec<Vec<u32>> {
        let mut canvas = vec![below; 400];
        layer.lay_over(&mut canvas, ROOM, 2, 3);
        canvas.chunks(20).map(<[u32]>::to_vec).collect()
    }

    #[test]
    fn what_is_clear_changes_nothing_and_what_is_opaque_hides_all() {
        let mut layer = Layer::clear(Size::new(6, 5));
        layer.fill(Area { left: 1.0, top: 2.0, width: 3.0, height: 2.0 }, 0.0, Colour::opaque(0x0012_3456));
        let canvas = over(&layer, 0x00AB_CDEF);
        for (y, row) in canvas.iter().enumerate() {
            for (x, &pixel) in row.iter().enumerate() {
                let is_filled = (3..6).contains(&x) && (5..7).contains(&y);
                assert_eq!(pixel, if is_filled { 0x0012_3456 } else { 0x00AB_CDEF }, "{x},{y}");
            }
        }
    }

    #[test]
    fn what_is_half_clear_is_half_of_each() {
        let mut layer = Layer::clear(Size::new(1, 1));
        let whole = Area { left: 0.0, top: 0.0, width: 1.0, height: 1.0 };
        layer.fill(whole, 0.0, WHITE.faded(128));
        assert_eq!(over(&layer, 0)[3][2], 0x0080_8080);
        assert_eq!(over(&layer, 0x00FF_FFFF)[3][2], 0x00FE_FEFE, "white, but for what is left of a 255th");
        assert_eq!(over(&layer, 0xAB00_0000)[3][2], 0x0080_8080, "what is above the colours is nothing");
    }

    #[test]
    fn corners_are_round_and_sides_are_not() {
        let mut layer = Layer::clear(Size::new(12, 12));
        layer.fill(Area { left: 0.0, top: 0.0, width: 12.0, height: 12.0 }, 4.0, WHITE);
        let canvas = over(&layer, 0);
        assert_eq!(canvas[3][2], 0, "the corner");
        assert_eq!(canvas[3][8], 0x00FF_FFFF, "the upper side");
        assert_eq!(canvas[9][2], 0x00FF_FFFF, "the left side");
        assert_eq!(canvas[14][13], 0, "the opposite corner");
    }

    /// A colour that runs over becomes another one.
    #[test]
    fn no_mixture_runs_over_into_the_next_colour() {
        for alpha in 0..=255 {
            for below in [0, 1, 127, 128, 254, 255] {
                let white = Pixel(alpha << 24 | alpha << 16 | alpha << 8 | alpha);
                let mixed = white.over(below << 16 | below << 8 | below).to_le_bytes();
                let exact = alpha + below * (255 - alpha) / 255;
                assert!(u32::from(mixed[0]).abs_diff(exact) <= 1, "{alpha} over {below}: {mixed:?}");
                assert_eq!(mixed, [mixed[0], mixed[0], mixed[0], 0]);
            }
        }
    }

    /// A window smaller than the overlay must not be written beyond.
    #[test]
    fn what_does_not_fit_is_cut_off() {
        let mut layer = Layer::clear(Size::new(50, 50));
        layer.fill(Area { left: -9.0, top: -9.0, width: 90.0, height: 90.0 }, 0.0, WHITE);
        let canvas = over(&layer, 0);
        assert_eq!((canvas[19][19], canvas[2][19], canvas[19][1]), (0x00FF_FFFF, 0, 0));
    }

    #[test]
    fn text_is_as_long_as_it_has_letters_and_stands_on_its_line() {
        let face = Face::new(16.0).unwrap();
        let mut layer = Layer::clear(Size::new(80, 30));
        layer.write(4.0, 20.0, "HHH", &face, WHITE);
        let inked = |x: usize, y: usize| layer.pixels[y * 80 + x].0 > 0;
        let columns: Vec<usize> = (0..80).filter(|&x| (0..30).any(|y| inked(x, y))).collect();
        let rows: Vec<usize> = (0..30).filter(|&y| (0..80).any(|x| inked(x, y))).collect();
        assert!(columns[0] >= 4 && columns[columns.len() - 1] <= (4.0 + face.advance() * 3.0) as usize);
        assert!(rows[rows.len() - 1] <= 20 && rows[0] as f32 >= 19.0 - face.capital(), "{rows:?}");
    }

    /// A letter that the font lacks is shown as a box.
    #[test]
    fn the_font_has_every_letter_that_is_written() {
        let face = Face::new(16.0).unwrap();
        let letters = ('a'..='z').chain('A'..='Z').chain('0'..='9').chain(" .,:/%()-·×–→".chars());
        for letter in letters {
            assert_ne!(face.font.glyph_id(letter).0, 0, "{letter:?}");
        }
    }
}
