//! The scenes, each picture of which is the same on every machine.

use pf_media::picture::Size;

/// A pixel: blue, green, red, unused.
type Pixel = [u8; 4];

/// What is on the desktop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    /// A page of text that somebody types at the end of.
    Typing,
    /// A page of text that is scrolled, three pixels a picture.
    Scrolling,
    /// A textured picture that moves as a whole, as games do.
    Panning,
    /// The same, with other film grain in each picture.
    Grain,
    /// Noise and nothing else: the hardest there is.
    Noise,
    /// Half a second of typing and half a second of the moving picture, in turns: a cut twice a second.
    Cuts,
}

impl Scene {
    pub(super) const ALL: [Self; 6] =
        [Self::Typing, Self::Scrolling, Self::Panning, Self::Grain, Self::Noise, Self::Cuts];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Typing => "typing",
            Self::Scrolling => "scrolling text",
            Self::Panning => "panning",
            Self::Grain => "panning, grain",
            Self::Noise => "noise",
            Self::Cuts => "cuts",
        }
    }

    /// Draws the picture at `time`, in pictures.
    pub(crate) fn draw(self, time: u32, size: Size, pixels: &mut [Pixel]) {
        match self {
            Self::Typing => {
                let typed = time / 6;
                draw_text(size, pixels, 0, |row, column| (row * PAGE + column) < TYPED_BEFORE + typed);
            }
            Self::Scrolling => draw_text(size, pixels, time * 3, |_, _| true),
            Self::Panning => draw_texture(size, pixels, time, || 0),
            Self::Grain => {
                let mut state = seed(time);
                draw_texture(size, pixels, time, || (next(&mut state) & 15).cast_signed() - 8);
            }
            Self::Noise => {
                let mut state = seed(time);
                pixels.fill_with(|| next(&mut state).to_le_bytes());
            }
            Self::Cuts if (time / 30).is_multiple_of(2) => Self::Typing.draw(time, size, pixels),
            Self::Cuts => Self::Grain.draw(time, size, pixels),
        }
    }
}

/// Draws a page of text from the line of pixels `top` on; a character is there if `is_there` says so of its row and
/// column.
fn draw_text(size: Size, pixels: &mut [Pixel], top: u32, is_there: impl Fn(u32, u32) -> bool) {
    for (y, line) in (top..).zip(pixels.chunks_exact_mut(size.width as usize)) {
        let (row, in_row) = (y / CELL_HEIGHT, y % CELL_HEIGHT / SCALE);
        for (x, pixel) in (0..).zip(line) {
            let (column, in_column) = (x / CELL_WIDTH, x % CELL_WIDTH / SCALE);
            let is_ink = in_row < GLYPH_HEIGHT
                && is_there(row, column)
                && glyph(row, column).is_some_and(|glyph| glyph[in_row as usize] << in_column & 16 != 0);
            *pixel = if is_ink { INK } else { PAPER };
        }
    }
}

/// The rows of the character at a place of the endless page, 5 bits each; none where there is a gap between words.
fn glyph(row: u32, column: u32) -> Option<[u8; 7]> {
    let mut state = seed(row * PAGE + column);
    let letter = next(&mut state) % (FONT.len() as u32 * 6 / 5);
    FONT.get(letter as usize).copied()
}

/// Draws a texture with detail of every size, moved along by `time`, with `grain` on top. The lower third moves at half
/// the speed, and nothing by whole pixels.
fn draw_texture(size: Size, pixels: &mut [Pixel], time: u32, mut grain: impl FnMut() -> i32) {
    for (y, line) in (0..).zip(pixels.chunks_exact_mut(size.width as usize)) {
        let time = if y * 3 > size.height * 2 { time / 2 } else { time };
        let y = y * PARTS + time * 37;
        for (x, pixel) in (0..).zip(line) {
            let x = x * PARTS + time * 85;
            let detail = [(6, 70), (4, 50), (2, 40), (1, 40)];
            let detail = detail.map(|(bits, weight)| smooth(x, y, bits) * weight / 256);
            let brick = if x / PARTS % 64 < 3 || y / PARTS % 32 < 3 { -40 } else { 0 };
            let level = detail.iter().sum::<i32>() + 30 + brick + grain();
            let tint = smooth(x, y, 7) / 8;
            let [blue, green, red] =
                [level - 10 + tint, level, level + 20 - tint].map(|value| value.clamp(0, 255) as u8);
            *pixel = [blue, green, red, 0];
        }
    }
}

/// Noise whose grains are 2^`bits` pixels wide, from 0 to 255, with straight slopes between them. `x` and `y` are in
/// [`PARTS`] of a pixel.
fn smooth(x: u32, y: u32, bits: u32) -> i32 {
    let bits = bits + PARTS.ilog2();
    let side = 1 << bits;
    let (column, row) = (x >> bits, y >> bits);
    let (right, down) = ((x & (side - 1)).cast_signed(), (y & (side - 1)).cast_signed());
    let at = |column: u32, row: u32| (hash(column, row) & 255).cast_signed();
    let across =
        |row: u32| (at(column, row) * (side.cast_signed() - right) + at(column + 1, row) * right) >> bits;
    (across(row) * (side.cast_signed() - down) + across(row + 1) * down) >> bits
}

fn hash(x: u32, y: u32) -> u32 {
    let mut state = x.wrapping_mul(0x9e37_79b9) ^ y.wrapping_mul(0x85eb_ca6b) ^ 0x2545_f491;
    next(&mut state);
    state ^ state >> 15
}

fn seed(number: u32) -> u32 {
    number.wrapping_mul(0x9e37_79b9) | 1
}

/// Xorshift.
fn next(state: &mut u32) -> u32 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    *state
}

/// Into how many parts a pixel is cut where pictures move.
const PARTS: u32 = 16;

/// Characters in a row of the page.
const PAGE: u32 = 106;

/// How many characters stand there before somebody types.
const TYPED_BEFORE: u32 = 30 * PAGE;

/// Pixels a side for each bit of a glyph.
const SCALE: u32 = 2;
const GLYPH_HEIGHT: u32 = 7;
const CELL_WIDTH: u32 = 6 * SCALE;
const CELL_HEIGHT: u32 = 9 * SCALE;

const INK: Pixel = [0x22, 0x22, 0x22, 0];
const PAPER: Pixel = [0xf4, 0xf7, 0xf8, 0];

/// Capital letters, 5 by 7.
const FONT: [[u8; 7]; 26] = [
    [14, 17, 17, 31, 17, 17, 17],
    [30, 17, 17, 30, 17, 17, 30],
    [14, 17, 16, 16, 16, 17, 14],
    [30, 17, 17, 17, 17, 17, 30],
    [31, 16, 16, 30, 16, 16, 31],
    [31, 16, 16, 30, 16, 16, 16],
    [14, 17, 16, 23, 17, 17, 15],
    [17, 17, 17, 31, 17, 17, 17],
    [14, 4, 4, 4, 4, 4, 14],
    [7, 2, 2, 2, 2, 18, 12],
    [17, 18, 20, 24, 20, 18, 17],
    [16, 16, 16, 16, 16, 16, 31],
    [17, 27, 21, 21, 17, 17, 17],
    [17, 25, 21, 19, 17, 17, 17],
    [14, 17, 17, 17, 17, 17, 14],
    [30, 17, 17, 30, 16, 16, 16],
    [14, 17, 17, 17, 21, 18, 13],
    [30, 17, 17, 30, 20, 18, 17],
    [15, 16, 16, 14, 1, 1, 30],
    [31, 4, 4, 4, 4, 4, 4],
    [17, 17, 17, 17, 17, 17, 14],
    [17, 17, 17, 17, 17, 10, 4],
    [17, 17, 17, 21, 21, 27, 17],
    [17, 17, 10, 4, 10, 17, 17],
    [17, 17, 10, 4, 4, 4, 4],
    [31, 1, 2, 4, 8, 16, 31],
];
