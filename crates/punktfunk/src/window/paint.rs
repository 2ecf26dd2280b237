//! Painting: where a picture goes in a window, and what its pixels are there.

use pf_media::picture::Size;

/// Paints a picture into a canvas as large as its aspect lets it be, in the middle of black.
pub(super) fn paint(canvas: &mut [u32], canvas_size: Size, pixels: &[u8], size: Size) {
    let shown = fit(size, canvas_size);
    let left = ((canvas_size.width - shown.width) / 2) as usize;
    let top = ((canvas_size.height - shown.height) / 2) as usize;
    let columns: Vec<usize> = (0..shown.width).map(|x| scaled(x, shown.width, size.width)).collect();
    let picture_rows = pixels.chunks_exact(size.width as usize * 4);
    let picture_rows: Vec<&[u8]> = picture_rows.collect();
    for (y, line) in canvas.chunks_exact_mut(canvas_size.width as usize).enumerate() {
        let inside = y.checked_sub(top).filter(|y| *y < shown.height as usize);
        let Some(row) = inside.and_then(|y| picture_rows.get(scaled(y as u32, shown.height, size.height)))
        else {
            line.fill(0);
            continue;
        };
        line[..left].fill(0);
        line[left + columns.len()..].fill(0);
        for (pixel, column) in line[left..].iter_mut().zip(&columns) {
            let at = column * 4;
            *pixel = u32::from_le_bytes([row[at], row[at + 1], row[at + 2], 0]);
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

/// Where a pixel of `of` shown ones lies in a picture of `pixels`.
fn scaled(at: u32, of: u32, pixels: u32) -> usize {
    (u64::from(at) * u64::from(pixels) / u64::from(of)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_keeps_its_aspect_in_any_window() {
        let wide = Size::new(1280, 720);
        assert_eq!(fit(wide, Size::new(1280, 720)), wide);
        assert_eq!(fit(wide, Size::new(1920, 1200)), Size::new(1920, 1080));
        assert_eq!(fit(wide, Size::new(640, 1000)), Size::new(640, 360));
        assert_eq!(fit(wide, Size::new(1, 1)), Size::new(1, 1));
        assert_eq!(fit(Size::new(1, 4096), Size::new(100, 100)), Size::new(1, 100));
    }

    #[test]
    fn a_picture_stands_in_the_middle_of_black() {
        // One red pixel, one blue one, in a window that is twice as wide as high and three times as high as they are.
        let pixels = [0, 0, 255, 9, 255, 0, 0, 9];
        let mut canvas = [7; 4 * 4];
        paint(&mut canvas, Size::new(4, 4), &pixels, Size::new(2, 1));
        let (red, blue) = (0x00ff_0000, 0x0000_00ff);
        assert_eq!(canvas[..4], [0; 4]);
        assert_eq!(canvas[4..8], [red, red, blue, blue]);
        assert_eq!(canvas[8..12], [red, red, blue, blue]);
        assert_eq!(canvas[12..], [0; 4]);
    }
}
