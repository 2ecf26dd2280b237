//! Pictures to encode, and how near two pictures are.

#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test file is a crate of its own and uses some of these"
)]

use pf_codec::{EncoderConfig, I420, I420View, VideoEncoder};
use pf_media::picture::{Bgrx, Size};

/// A desktop-like picture, a window moving across it with `time`: fine grey texture on a colour gradient.
pub(crate) fn desktop(size: Size, time: u32) -> I420 {
    picture(size, |x, y| {
        let (left, top) = (time * 3 % (size.width / 2).max(1), time * 2 % (size.height / 2).max(1));
        let in_window =
            (left..left + size.width / 3).contains(&x) && (top..top + size.height / 3).contains(&y);
        if in_window {
            let shade = (((x - left) * 5) ^ ((y - top) * 3)) as u8;
            [shade, shade, shade]
        } else if ((x / 3) ^ (y / 5)) % 7 == 0 {
            [40, 40, 40]
        } else {
            [(x * 200 / size.width) as u8, (y * 200 / size.height) as u8, 128]
        }
    })
}

/// Noise, another for each `time`: the hardest there is to encode.
pub(crate) fn noise(size: Size, time: u32) -> I420 {
    let mut state = time.wrapping_mul(0x9e37_79b9) | 1;
    picture(size, |_, _| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let [blue, green, red, _] = state.to_le_bytes();
        [blue, green, red]
    })
}

/// A picture of one colour, in blue, green, red.
pub(crate) fn plain(size: Size, colour: [u8; 3]) -> I420 {
    picture(size, |_, _| colour)
}

/// The picture whose pixel at (x, y) has the given blue, green and red.
pub(crate) fn picture(size: Size, mut pixel: impl FnMut(u32, u32) -> [u8; 3]) -> I420 {
    let mut bytes = Vec::with_capacity(size.width as usize * size.height as usize * 4);
    for y in 0..size.height {
        for x in 0..size.width {
            bytes.extend_from_slice(&pixel(x, y));
            bytes.push(0);
        }
    }
    let mut picture = I420::new(size);
    let pixels = Bgrx::new(size, size.width as usize * 4, &bytes).expect("the bytes hold the picture");
    picture.fill_from_bgrx(&pixels);
    picture
}

/// The picture as pixels of blue, green, red and one unused byte.
pub(crate) fn pixels(picture: &I420View<'_>) -> Vec<[u8; 4]> {
    let Size { width, height } = picture.size();
    let mut bytes = vec![0; width as usize * height as usize * 4];
    picture.to_bgrx(&mut bytes, width as usize * 4);
    bytes.as_chunks().0.to_vec()
}

/// How near the brightness of `b` is to that of `a`, as a peak signal-to-noise ratio in decibels.
pub(crate) fn psnr(a: &I420View<'_>, b: &I420View<'_>) -> f64 {
    assert_eq!(a.size(), b.size());
    let Size { width, height } = a.size();
    let rows = |picture: &I420View<'_>| {
        let luma = picture.planes()[0];
        let rows = luma.samples.chunks(luma.stride).take(height as usize);
        rows.flat_map(|row| row[..width as usize].to_vec()).collect::<Vec<_>>()
    };
    let squares = rows(a).iter().zip(rows(b)).map(|(&a, b)| f64::from(a.abs_diff(b)).powi(2)).sum::<f64>();
    let error = squares / (f64::from(width) * f64::from(height));
    10.0 * (255.0 * 255.0 / error).log10()
}

/// An encoder of the default backend, which is x264 where it is built in, at 60 pictures a second. On one thread, so that
/// its output is the same each time.
pub(crate) fn encoder(size: Size, bitrate: u32) -> Box<dyn VideoEncoder> {
    pf_codec::encoder(EncoderConfig { size, fps: 60, bitrate, threads: 1 }).expect("the size is usual")
}
