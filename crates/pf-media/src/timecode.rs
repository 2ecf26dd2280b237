//! A time code that is painted into a picture and survives lossy video coding.
//!
//! A source paints the frame number and the microsecond of capture as black and white blocks; whoever sees
//! the decoded picture reads them back and knows which frame it is and how old. Latency and frame loss are
//! measured this way from end to end, through any encoder, decoder and window.
//!
//! The layout is a Data Matrix's: 18 × 10 blocks of 8 × 8 pixels, 144 × 80 in all. The left and bottom
//! sides are black, the top and right sides alternate: that is the *finder*, which tells that there is a
//! code, and what black and white look like after coding. Inside are 16 × 8 bits, white for 1, row by row,
//! most significant bit first: 32 bits frame number, 64 bits microseconds, 32 bits CRC-32 of the 12 bytes
//! before. A code that is torn between two frames, or blurred until a block flips, reads as `None`.
//!
//! Blocks are of the size of H.264's larger transform and at an origin that is a multiple of 8 they lie on its
//! grid, so that each is one flat area to the encoder. [`ORIGIN`] is the place that Punktfunk's sources use.

use crate::picture::Size;

/// What a code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeCode {
    /// The frame's number, counted by the source.
    pub frame: u32,
    /// Microseconds since an instant that the source chooses.
    pub micros: u64,
}

/// The top left pixel of a code within its picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Pixels from the left edge.
    pub x: u32,
    /// Pixels from the top edge.
    pub y: u32,
}

/// One square of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Left edge in pixels, relative to the code's origin.
    pub x: u32,
    /// Top edge in pixels, relative to the code's origin.
    pub y: u32,
    /// Its colour.
    pub shade: Shade,
}

/// The two colours of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shade {
    /// All channels at 0: a bit that is 0.
    Black,
    /// All channels at 255: a bit that is 1.
    White,
}

/// The squares of `code`, all [`BLOCK_SIDE`] wide and high, for a program that draws with rectangles.
pub fn blocks(code: TimeCode) -> impl Iterator<Item = Block> {
    let bits = encode(code);
    (0..ROWS).flat_map(move |row| {
        (0..COLUMNS).map(move |column| Block {
            x: column * BLOCK_SIDE,
            y: row * BLOCK_SIDE,
            shade: cell(row, column).shade(bits),
        })
    })
}

/// Paints `code` into a picture of 32-bit pixels, rows `stride` bytes apart, and tells whether it had room.
///
/// Nothing is painted when the code would cross an edge of `size` or of the slice.
#[must_use]
pub fn paint(pixels: &mut [u8], stride: usize, size: Size, origin: Origin, code: TimeCode) -> bool {
    if !has_room(size, origin) || pixels.len() < end(stride, origin, 4) {
        return false;
    }
    for block in blocks(code) {
        let value = match block.shade {
            Shade::Black => 0,
            Shade::White => 255,
        };
        let left = (origin.x + block.x) as usize * 4;
        for y in 0..BLOCK_SIDE {
            let start = (origin.y + block.y + y) as usize * stride + left;
            pixels[start..start + BLOCK_SIDE as usize * 4].fill(value);
        }
    }
    true
}

/// Reads the code at `origin` of a luma plane, one byte a pixel, rows `stride` bytes apart.
///
/// Full and limited range both work: black and white are measured on the finder. `None` when there is no
/// whole code within the plane, or it is too damaged to be sure of.
pub fn read(luma: &[u8], stride: usize, size: Size, origin: Origin) -> Option<TimeCode> {
    if !has_room(size, origin) || luma.len() < end(stride, origin, 1) {
        return None;
    }
    let level = |row, column| block_level(luma, stride, origin, row, column);
    let threshold = finder_threshold(level)?;
    let mut bits = 0u128;
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            let white = level(row, column) > threshold;
            match cell(row, column) {
                Cell::Fixed(shade) if (shade == Shade::White) != white => return None,
                Cell::Fixed(_) => {}
                Cell::Bit(index) => bits |= u128::from(white) << index,
            }
        }
    }
    decode(bits)
}

/// Pixels per side of one square.
pub const BLOCK_SIDE: u32 = 8;

/// Width and height of a whole code.
pub const EXTENT: Size = Size::new(COLUMNS * BLOCK_SIDE, ROWS * BLOCK_SIDE);

/// Where Punktfunk's own sources paint their code; the smallest picture that has room is 160 × 96.
pub const ORIGIN: Origin = Origin { x: 16, y: 16 };

/// What belongs at one place of the layout.
enum Cell {
    /// Part of the finder.
    Fixed(Shade),
    /// The payload bit of this weight.
    Bit(u32),
}

impl Cell {
    fn shade(&self, bits: u128) -> Shade {
        match *self {
            Self::Fixed(shade) => shade,
            Self::Bit(index) if bits >> index & 1 == 1 => Shade::White,
            Self::Bit(_) => Shade::Black,
        }
    }
}

fn cell(row: u32, column: u32) -> Cell {
    let alternating = |position: u32| if position % 2 == 1 { Shade::White } else { Shade::Black };
    if column == 0 || row == ROWS - 1 {
        Cell::Fixed(Shade::Black)
    } else if row == 0 {
        Cell::Fixed(alternating(column))
    } else if column == COLUMNS - 1 {
        Cell::Fixed(alternating(row))
    } else {
        Cell::Bit(PAYLOAD_BITS - 1 - ((row - 1) * (COLUMNS - 2) + (column - 1)))
    }
}

fn encode(code: TimeCode) -> u128 {
    let payload = u128::from(code.frame) << 64 | u128::from(code.micros);
    payload << 32 | u128::from(checksum(payload))
}

fn decode(bits: u128) -> Option<TimeCode> {
    let payload = bits >> 32;
    (checksum(payload) == bits as u32)
        .then_some(TimeCode { frame: (payload >> 64) as u32, micros: payload as u64 })
}

/// CRC-32 (IEEE 802.3) of the payload's 12 bytes, most significant first.
fn checksum(payload: u128) -> u32 {
    let register = payload.to_be_bytes()[4..].iter().fold(u32::MAX, |register, &byte| {
        (0..8).fold(
            register ^ u32::from(byte),
            |r, _| if r & 1 == 1 { r >> 1 ^ CRC_POLYNOMIAL } else { r >> 1 },
        )
    });
    !register
}

fn has_room(size: Size, origin: Origin) -> bool {
    let fits = |from: u32, length: u32, limit: u32| from.checked_add(length).is_some_and(|to| to <= limit);
    fits(origin.x, EXTENT.width, size.width) && fits(origin.y, EXTENT.height, size.height)
}

/// The offset just past the code's last byte in a plane of `pixel` bytes a pixel.
fn end(stride: usize, origin: Origin, pixel: usize) -> usize {
    (origin.y + EXTENT.height - 1) as usize * stride + (origin.x + EXTENT.width) as usize * pixel
}

/// The mean of a block's inner quarter; its rim is where coding blurs neighbours into it.
fn block_level(luma: &[u8], stride: usize, origin: Origin, row: u32, column: u32) -> u32 {
    const RIM: u32 = BLOCK_SIDE / 4;
    const INNER: u32 = BLOCK_SIDE - 2 * RIM;
    let left = (origin.x + column * BLOCK_SIDE + RIM) as usize;
    let top = (origin.y + row * BLOCK_SIDE + RIM) as usize;
    let sum: u32 = (top..top + INNER as usize)
        .flat_map(|y| &luma[y * stride + left..][..INNER as usize])
        .map(|&value| u32::from(value))
        .sum();
    sum / (INNER * INNER)
}

/// Half way between the finder's mean black and mean white; `None` when they hardly differ.
fn finder_threshold(level: impl Fn(u32, u32) -> u32) -> Option<u32> {
    let (mut black, mut white) = (Mean::default(), Mean::default());
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            match cell(row, column) {
                Cell::Fixed(Shade::Black) => black.add(level(row, column)),
                Cell::Fixed(Shade::White) => white.add(level(row, column)),
                Cell::Bit(_) => {}
            }
        }
    }
    let (black, white) = (black.value(), white.value());
    (white >= black + MIN_CONTRAST).then_some(u32::midpoint(black, white))
}

#[derive(Default)]
struct Mean {
    sum: u32,
    count: u32,
}

impl Mean {
    fn add(&mut self, value: u32) {
        self.sum += value;
        self.count += 1;
    }

    fn value(&self) -> u32 {
        self.sum / self.count.max(1)
    }
}

/// Blocks per row: 16 bits and the finder's two sides.
const COLUMNS: u32 = 18;

/// Rows of blocks: 8 rows of bits and the finder's two sides.
const ROWS: u32 = 10;

const PAYLOAD_BITS: u32 = (COLUMNS - 2) * (ROWS - 2);

/// Luma steps between black and white below which a finder counts as noise; an intact code has 219 or more.
const MIN_CONTRAST: u32 = 64;

/// The reversed CRC-32 polynomial.
const CRC_POLYNOMIAL: u32 = 0xEDB8_8320;

const _: () = assert!(PAYLOAD_BITS == u128::BITS, "the payload fills the layout");

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(320, 180);
    const CODE: TimeCode = TimeCode { frame: 0x0123_4567, micros: 0x89AB_CDEF_5A5A_A5A5 };

    /// The luma plane of a grey picture with `code` painted at `origin`.
    fn luma(origin: Origin, code: TimeCode) -> Vec<u8> {
        let mut pixels = vec![0x80; (SIZE.width * SIZE.height * 4) as usize];
        assert!(paint(&mut pixels, SIZE.width as usize * 4, SIZE, origin, code));
        pixels.chunks_exact(4).map(|pixel| pixel[1]).collect()
    }

    fn read_at(luma: &[u8], origin: Origin) -> Option<TimeCode> {
        read(luma, SIZE.width as usize, SIZE, origin)
    }

    /// A small generator of reproducible noise (xorshift).
    fn noise(state: &mut u32) -> u32 {
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        *state
    }

    /// A box blur of the given radius.
    fn blurred(luma: &[u8], radius: usize) -> Vec<u8> {
        let (width, height) = (SIZE.width as usize, SIZE.height as usize);
        let pixel = |at: usize| {
            let (x, y) = (at % width, at / width);
            let rows = y.saturating_sub(radius)..(y + radius + 1).min(height);
            let columns = x.saturating_sub(radius)..(x + radius + 1).min(width);
            let count = rows.len() * columns.len();
            let sum: usize = rows
                .flat_map(|row| &luma[row * width..][columns.clone()])
                .map(|&value| usize::from(value))
                .sum();
            (sum / count) as u8
        };
        (0..luma.len()).map(pixel).collect()
    }

    #[test]
    fn what_was_painted_is_read() {
        for code in [CODE, TimeCode { frame: 0, micros: 0 }, TimeCode { frame: u32::MAX, micros: u64::MAX }] {
            for origin in [ORIGIN, Origin { x: 0, y: 0 }, Origin { x: 176, y: 100 }, Origin { x: 3, y: 7 }] {
                assert_eq!(read_at(&luma(origin, code), origin), Some(code));
            }
        }
    }

    /// The layout is an interface: programs that draw or read the code themselves use any CRC-32.
    #[test]
    fn the_checksum_is_the_crc_32_that_everyone_knows() {
        // Of the ASCII digits "123456789012", as zlib computes it.
        let payload = b"123456789012".iter().fold(0u128, |all, &byte| all << 8 | u128::from(byte));
        assert_eq!(checksum(payload), 0x5D34_EB96);
    }

    #[test]
    fn blocks_drawn_as_rectangles_are_the_painted_code() {
        let mut plane = vec![0x80; (SIZE.width * SIZE.height) as usize];
        for block in blocks(CODE) {
            for y in 0..BLOCK_SIDE {
                let start = ((ORIGIN.y + block.y + y) * SIZE.width + ORIGIN.x + block.x) as usize;
                let value = if block.shade == Shade::White { 255 } else { 0 };
                plane[start..start + BLOCK_SIDE as usize].fill(value);
            }
        }
        assert_eq!(plane, luma(ORIGIN, CODE));
    }

    #[test]
    fn limited_range_noise_and_slight_blur_do_no_harm() {
        let mut state = 0x1234_5678;
        let coded: Vec<u8> = blurred(&luma(ORIGIN, CODE), 3)
            .iter()
            .map(|&value| 16 + u32::from(value) * 219 / 255)
            .map(|value| (value + noise(&mut state) % 61).saturating_sub(30).min(255) as u8)
            .collect();
        assert_eq!(read_at(&coded, ORIGIN), Some(CODE));
    }

    /// Any single block, of payload, checksum or finder, that coding turned over.
    #[test]
    fn one_flipped_block_is_noticed() {
        let intact = luma(ORIGIN, CODE);
        for block in blocks(CODE) {
            let mut damaged = intact.clone();
            for y in 0..BLOCK_SIDE {
                let start = ((ORIGIN.y + block.y + y) * SIZE.width + ORIGIN.x + block.x) as usize;
                for value in &mut damaged[start..start + BLOCK_SIDE as usize] {
                    *value = 255 - *value;
                }
            }
            assert_eq!(read_at(&damaged, ORIGIN), None, "block at {},{}", block.x, block.y);
        }
    }

    /// The upper rows of one frame over the lower rows of the next.
    #[test]
    fn a_torn_code_is_noticed() {
        let first = luma(ORIGIN, CODE);
        let next = luma(ORIGIN, TimeCode { frame: CODE.frame + 1, micros: CODE.micros + 16_667 });
        for row in 1..ROWS {
            let tear = ((ORIGIN.y + row * BLOCK_SIDE) * SIZE.width) as usize;
            let torn = [&next[..tear], &first[tear..]].concat();
            let read = read_at(&torn, ORIGIN);
            // Rows that do not differ between the two frames leave one of them whole.
            assert!(read.is_none() || torn == first || torn == next, "torn at block row {row}: {read:?}");
        }
    }

    #[test]
    fn heavy_blur_noise_and_flat_pictures_are_no_code() {
        assert_eq!(read_at(&blurred(&luma(ORIGIN, CODE), 12), ORIGIN), None);
        let mut state = 0xDEAD_BEEF;
        let noisy: Vec<u8> = (0..SIZE.width * SIZE.height).map(|_| noise(&mut state) as u8).collect();
        assert_eq!(read_at(&noisy, ORIGIN), None);
        for flat in [0, 128, 255] {
            assert_eq!(read_at(&vec![flat; noisy.len()], ORIGIN), None);
        }
    }

    /// A picture that fades to the next shows both codes, one of them faintly.
    #[test]
    fn a_faint_code_is_no_code() {
        let faint = |contrast: u32| -> Vec<u8> {
            luma(ORIGIN, CODE).iter().map(|&value| (100 + u32::from(value) * contrast / 255) as u8).collect()
        };
        assert_eq!(read_at(&faint(MIN_CONTRAST), ORIGIN), Some(CODE));
        assert_eq!(read_at(&faint(MIN_CONTRAST - 1), ORIGIN), None);
    }

    #[test]
    fn a_code_that_is_not_where_it_should_be_is_none() {
        let plane = luma(ORIGIN, CODE);
        assert_eq!(read_at(&plane, Origin { x: ORIGIN.x + 8, y: ORIGIN.y }), None);
        assert_eq!(read_at(&plane, Origin { x: ORIGIN.x, y: ORIGIN.y + 8 }), None);
    }

    /// A picture or slice that is too small neither panics nor gets a part of a code.
    #[test]
    fn a_code_without_room_is_neither_painted_nor_read() {
        let stride = SIZE.width as usize * 4;
        let grey = vec![0x80; stride * SIZE.height as usize];
        for origin in [Origin { x: 177, y: 0 }, Origin { x: 0, y: 101 }, Origin { x: u32::MAX, y: u32::MAX }]
        {
            let mut pixels = grey.clone();
            assert!(!paint(&mut pixels, stride, SIZE, origin, CODE));
            assert_eq!(pixels, grey);
            assert_eq!(read_at(&grey, origin), None);
        }
        assert!(!paint(&mut grey.clone()[..stride * 95], stride, SIZE, ORIGIN, CODE));
        assert_eq!(read(&grey[..320 * 95], 320, SIZE, ORIGIN), None);
    }
}
