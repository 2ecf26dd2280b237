//! From a buffer as a compositor fills it to a picture as a person sees it.

use std::ops::Range;

use pf_media::picture::Size;
use wayland_client::protocol::wl_output::Transform;
use wayland_client::protocol::wl_shm::Format;

use super::output::is_on_its_side;

/// How pixels lie in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// As they lie there, turned or not.
    pub(super) size: Size,
    /// Bytes from one row to the next.
    pub(super) stride: u32,
    pub(super) order: Order,
}

/// In which order the bytes of a pixel lie in memory; the fourth is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Blue, green, red.
    Bgr(Format),
    /// Red, green, blue, as some graphics drivers have it.
    Rgb(Format),
}

/// How the picture lies in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pose {
    pub(super) transform: Transform,
    /// Whether the lowest row comes first, on top of that.
    pub(super) is_inverted: bool,
}

impl Shape {
    /// How many bytes such a buffer has; `None` when its rows do not fit their stride or nobody could stream it.
    pub(super) fn byte_count(self) -> Option<usize> {
        let fits = self.size.is_streamable() && (self.size.width * 4..=MOST_STRIDE).contains(&self.stride);
        fits.then_some(self.stride as usize * self.size.height as usize)
    }
}

impl Order {
    /// The order of a format; `None` for those that are not eight bits a colour.
    pub(super) fn of(format: Format) -> Option<Self> {
        match format {
            Format::Xrgb8888 | Format::Argb8888 => Some(Self::Bgr(format)),
            Format::Xbgr8888 | Format::Abgr8888 => Some(Self::Rgb(format)),
            _ => None,
        }
    }

    /// What the compositor calls it.
    pub(super) fn format(self) -> Format {
        match self {
            Self::Bgr(format) | Self::Rgb(format) => format,
        }
    }
}

impl Pose {
    /// As people see it.
    pub(super) const UPRIGHT: Self = Self { transform: Transform::Normal, is_inverted: false };

    /// The size of the picture in a buffer of this size.
    pub(super) fn upright(self, buffer: Size) -> Size {
        if is_on_its_side(self.transform) { Size::new(buffer.height, buffer.width) } else { buffer }
    }

    /// Where in a buffer of this size the pixel (x, y) of the picture is.
    ///
    /// Source: `wl_output.transform`, which turns counterclockwise, after it has flipped around the upright axis.
    fn place(self, buffer: Size, (x, y): (i64, i64)) -> (i64, i64) {
        let Size { width, height } = self.upright(buffer);
        let (right, bottom) = (i64::from(width) - 1, i64::from(height) - 1);
        let (column, row) = match self.transform {
            Transform::_90 => (y, right - x),
            Transform::_180 => (right - x, bottom - y),
            Transform::_270 => (bottom - y, x),
            Transform::Flipped => (right - x, y),
            Transform::Flipped90 => (y, x),
            Transform::Flipped180 => (x, bottom - y),
            Transform::Flipped270 => (bottom - y, right - x),
            _ => (x, y),
        };
        (column, if self.is_inverted { i64::from(buffer.height) - 1 - row } else { row })
    }
}

/// Brings rows of the picture in `buffer` to `picture`, which is `BGRx` without gaps between rows.
pub(super) fn set_upright(buffer: &[u8], shape: Shape, pose: Pose, rows: Range<u32>, picture: &mut [u8]) {
    let index = |pixel| {
        let (column, row) = pose.place(shape.size, pixel);
        row * i64::from(shape.stride) + column * 4
    };
    // Every pose is a straight walk through the buffer: so far for each column, so far for each row.
    let origin = index((0, 0));
    let (across, down) = (index((1, 0)) - origin, index((0, 1)) - origin);
    let width = pose.upright(shape.size).width as usize;
    let lines = picture.chunks_exact_mut(width * 4).skip(rows.start as usize);
    for (y, line) in rows.zip(lines) {
        let mut at = origin + down * i64::from(y);
        for pixel in line.as_chunks_mut::<4>().0 {
            // What lies outside, which nothing does, stays as it is.
            if let Some(&[first, green, third, _]) =
                buffer.get(at as usize..).and_then(<[u8]>::first_chunk::<4>)
            {
                *pixel = match shape.order {
                    Order::Bgr(_) => [first, green, third, 0],
                    Order::Rgb(_) => [third, green, first, 0],
                };
            }
            at += across;
        }
    }
}

/// Four times what the widest picture needs.
const MOST_STRIDE: u32 = Size::MAX_SIDE * 16;

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Transform; 8] = [
        Transform::Normal,
        Transform::_90,
        Transform::_180,
        Transform::_270,
        Transform::Flipped,
        Transform::Flipped90,
        Transform::Flipped180,
        Transform::Flipped270,
    ];

    fn shape(width: u32, height: u32, order: Order) -> Shape {
        Shape { size: Size::new(width, height), stride: width * 4 + 8, order }
    }

    /// A buffer of 3 × 2 pixels whose blue is the pixel's number, and the picture that it holds.
    fn upright(pose: Pose) -> Vec<u8> {
        let shape = shape(3, 2, Order::Bgr(Format::Xrgb8888));
        let mut buffer = vec![0xEE; shape.byte_count().unwrap()];
        for number in 0..6 {
            let at = number / 3 * shape.stride as usize + number % 3 * 4;
            buffer[at..at + 4].copy_from_slice(&[number as u8, 7, 9, 0xFF]);
        }
        let mut picture = vec![0xDD; 3 * 2 * 4];
        let rows = 0..pose.upright(shape.size).height;
        set_upright(&buffer, shape, pose, rows, &mut picture);
        assert!(picture.chunks_exact(4).all(|pixel| pixel[1..] == [7, 9, 0]));
        picture.chunks_exact(4).map(|pixel| pixel[0]).collect()
    }

    /// A screen that stands on its side, or hangs from the ceiling, must not be streamed so.
    #[test]
    fn every_transform_is_undone() {
        let pose = |transform| Pose { transform, is_inverted: false };
        let pictures = ALL.map(|transform| upright(pose(transform)));
        let expected: [[u8; 6]; 8] = [
            [0, 1, 2, 3, 4, 5],
            [3, 0, 4, 1, 5, 2],
            [5, 4, 3, 2, 1, 0],
            [2, 5, 1, 4, 0, 3],
            [2, 1, 0, 5, 4, 3],
            [0, 3, 1, 4, 2, 5],
            [3, 4, 5, 0, 1, 2],
            [5, 2, 4, 1, 3, 0],
        ];
        assert_eq!(pictures.each_ref().map(Vec::as_slice), expected.each_ref().map(<[u8; 6]>::as_slice));
    }

    #[test]
    fn rows_from_below_are_turned_over() {
        assert_eq!(upright(Pose { transform: Transform::Normal, is_inverted: true }), [3, 4, 5, 0, 1, 2]);
    }

    #[test]
    fn red_and_blue_change_places_where_they_must_and_other_rows_stay() {
        let shape = shape(1, 3, Order::of(Format::Xbgr8888).unwrap());
        let mut buffer = vec![0; shape.byte_count().unwrap()];
        buffer[12..15].copy_from_slice(&[1, 2, 3]);
        let mut picture = vec![0xDD; 12];
        set_upright(&buffer, shape, Pose::UPRIGHT, 1..2, &mut picture);
        assert_eq!(picture, [0xDD, 0xDD, 0xDD, 0xDD, 3, 2, 1, 0, 0xDD, 0xDD, 0xDD, 0xDD]);
    }

    /// A compositor that is wrong about its buffers must not bring the host down.
    #[test]
    fn a_buffer_that_is_too_short_costs_pixels_only() {
        for transform in ALL {
            let shape = shape(3, 2, Order::Bgr(Format::Xrgb8888));
            let mut picture = vec![0; 24];
            let pose = Pose { transform, is_inverted: true };
            set_upright(&[1; 10], shape, pose, 0..9, &mut picture);
            assert!(picture.iter().filter(|&&byte| byte != 0).count() <= 6);
        }
        assert_eq!(Shape { stride: 11, ..shape(3, 2, Order::Bgr(Format::Xrgb8888)) }.byte_count(), None);
        assert_eq!(Shape { stride: 1 << 31, ..shape(3, 2, Order::Bgr(Format::Xrgb8888)) }.byte_count(), None);
        assert_eq!(shape(5000, 2, Order::Bgr(Format::Xrgb8888)).byte_count(), None);
    }

    #[test]
    fn formats_that_are_not_eight_bits_a_colour_are_refused() {
        assert_eq!(Order::of(Format::Xrgb2101010), None);
        assert_eq!(Order::of(Format::Rgb565), None);
    }
}
