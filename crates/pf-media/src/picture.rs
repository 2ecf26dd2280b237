//! Pictures as sources hand them over: a size, and a borrowed view of packed pixels.

use std::fmt;

/// Width and height of a picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Size {
    /// The largest width and height that Punktfunk streams, in pixels: what H.264 level 5.2 can carry.
    pub const MAX_SIDE: u32 = 4096;

    /// A size of `width` by `height` pixels.
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Whether both sides are between 1 and [`Self::MAX_SIDE`].
    pub const fn is_streamable(self) -> bool {
        self.width >= 1 && self.height >= 1 && self.width <= Self::MAX_SIDE && self.height <= Self::MAX_SIDE
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A borrowed picture of 32-bit pixels, bytes in memory order blue, green, red, unused; rows top-down.
///
/// This is what an X server hands out at depth 24 on a little-endian machine.
#[derive(Clone, Copy)]
pub struct Bgrx<'a> {
    size: Size,
    stride: usize,
    bytes: &'a [u8],
}

impl<'a> Bgrx<'a> {
    /// A view of `bytes`, whose rows start `stride` bytes apart.
    ///
    /// `None` when a row does not fit its stride or `bytes` is too short for the size.
    pub fn new(size: Size, stride: usize, bytes: &'a [u8]) -> Option<Self> {
        let row = size.width as usize * 4;
        let needed = stride.checked_mul((size.height as usize).checked_sub(1)?)?.checked_add(row)?;
        (row > 0 && row <= stride && bytes.len() >= needed).then_some(Self { size, stride, bytes })
    }

    /// Width and height.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Bytes from the start of one row to the start of the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// The pixels, from the first row's first byte.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}
