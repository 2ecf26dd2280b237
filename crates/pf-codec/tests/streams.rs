//! What holds for every stream: one in and one out, key frames on request alone, sizes and colours that survive.

#![expect(clippy::similar_names, reason = "an encoder and a decoder are called just that")]

mod common;

use common::{desktop, encoder, noise, picture, pixels, plain, psnr};
use pf_codec::{DecodeError, EncodeError, EncoderConfig, FrameKind, I420, MAX_BITRATE, decoder};
use pf_media::picture::Size;

const SIZE: Size = Size::new(320, 192);
const RATE: u32 = 4_000_000;

#[test]
fn a_moving_picture_comes_back_as_it_went_in() {
    let size = Size::new(640, 368);
    for threads in [1, 2] {
        let config = EncoderConfig { size, fps: 60, bitrate: 8_000_000, threads };
        let (mut encoder, mut decoder) = (pf_codec::encoder(config).unwrap(), decoder().unwrap());
        for time in 0..60 {
            let picture = desktop(size, time);
            let frame = encoder.encode(&picture, FrameKind::Auto).unwrap();
            let decoded = decoder.decode(frame.access_unit).unwrap().unwrap();
            let psnr = psnr(&picture.view(), &decoded);
            assert!(psnr > 32.0, "picture {time} on {threads} threads: {psnr:.1} dB");
        }
    }
}

/// Two seconds, half of it standing still: neither a still picture nor anything else may be skipped or held back.
#[test]
fn each_picture_gives_one_access_unit_and_each_access_unit_one_picture() {
    let (mut encoder, mut decoder) = (encoder(SIZE, RATE), decoder().unwrap());
    for time in 0..120_u32 {
        // The shade of the picture numbers it.
        let shade = (time / 2 * 2) as u8 + 60;
        let frame = encoder.encode(&plain(SIZE, [shade; 3]), FrameKind::Auto).unwrap();
        assert!(!frame.access_unit.is_empty());
        let decoded = decoder.decode(frame.access_unit).unwrap().expect("a picture for each access unit");
        let [blue, ..] = pixels(&decoded)[0];
        assert!(blue.abs_diff(shade) <= 2, "picture {time}: shade {shade} came out as {blue}");
    }
}

#[test]
fn only_the_first_picture_and_those_asked_for_become_key_frames() {
    let mut encoder = encoder(SIZE, RATE);
    for time in 0..150 {
        let asked = [40, 41, 100].contains(&time);
        // A cut to another scene is what encoders like to make a key frame of.
        let picture = if time / 25 % 2 == 0 { desktop(SIZE, time) } else { noise(SIZE, time) };
        let kind = if asked { FrameKind::Key } else { FrameKind::Auto };
        let frame = encoder.encode(&picture, kind).unwrap();
        assert_eq!(frame.is_key(), asked || time == 0, "picture {time}");
    }
}

#[test]
fn a_decoder_can_start_at_any_key_frame_and_at_no_other() {
    let mut encoder = encoder(SIZE, RATE);
    for time in 0..30 {
        let picture = desktop(SIZE, time);
        let kind = if time % 7 == 0 { FrameKind::Key } else { FrameKind::Auto };
        let frame = encoder.encode(&picture, kind).unwrap();
        let mut decoder = decoder().unwrap();
        let decoded = decoder.decode(frame.access_unit);
        if frame.is_key() {
            assert!(psnr(&picture.view(), &decoded.unwrap().unwrap()) > 28.0);
        } else {
            assert_eq!(decoded.unwrap_err(), DecodeError::KeyFrameNeeded);
        }
    }
}

/// Motion leaves a picture coarse; once it stands still it must not stay so, or text stays unreadable.
#[test]
fn a_picture_that_stands_still_grows_sharp() {
    let (mut encoder, mut decoder) = (encoder(SIZE, 2_000_000), decoder().unwrap());
    let mut quality = 0.0;
    for time in 0..120 {
        let picture = if time < 10 { noise(SIZE, time) } else { desktop(SIZE, 0) };
        let frame = encoder.encode(&picture, FrameKind::Auto).unwrap();
        quality = psnr(&picture.view(), &decoder.decode(frame.access_unit).unwrap().unwrap());
    }
    assert!(quality > 42.0, "{quality:.1} dB after standing still");
}

/// A cut from a still picture, coded finely, to the hardest there is: too large for the library, which then fails.
#[test]
fn the_hardest_cut_still_gives_an_access_unit() {
    let (blackest, whitest) = (16, 240);
    for (threads, bitrate) in [(1, RATE), (2, RATE), (1, MAX_BITRATE), (2, MAX_BITRATE)] {
        let config = EncoderConfig { size: SIZE, fps: 60, bitrate, threads };
        let (mut encoder, mut decoder) = (pf_codec::encoder(config).unwrap(), decoder().unwrap());
        for time in 0..40 {
            let mut state = 0x9e37_79b9_u32 ^ time;
            let extremes = picture(SIZE, |_, _| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                [0, 8, 16].map(|bit| if state >> bit & 1 == 0 { blackest } else { whitest })
            });
            let picture = if time < 30 { desktop(SIZE, 0) } else { extremes };
            let frame = encoder.encode(&picture, FrameKind::Auto);
            let frame = frame
                .unwrap_or_else(|error| panic!("picture {time} at {bitrate}, {threads} threads: {error}"));
            assert!(decoder.decode(frame.access_unit).unwrap().is_some());
        }
    }
}

#[test]
fn hard_content_keeps_to_the_rate_and_to_a_new_one() {
    for fps in [60, 120] {
        let config = EncoderConfig { size: SIZE, fps, bitrate: 12_000_000, threads: 1 };
        let mut encoder = pf_codec::encoder(config).unwrap();
        for (bitrate, start) in [(12_000_000, 0), (6_000_000, 100), (12_000_000, 200)] {
            encoder.set_bitrate(bitrate);
            // The rate control gets half a second to see what it deals with.
            let settle = fps / 2;
            let mut bytes = 0;
            for time in 0..settle + 60 {
                let frame = encoder.encode(&noise(SIZE, start + time), FrameKind::Auto).unwrap();
                if time >= settle {
                    bytes += frame.access_unit.len();
                }
            }
            let ratio = bytes as f64 * 8.0 * f64::from(fps) / 60.0 / f64::from(bitrate);
            assert!((0.6..1.4).contains(&ratio), "{fps} fps: {ratio:.2} of {bitrate} bits per second");
        }
    }
}

/// The rate follows the link several times a second; a key frame each time would be the end of it.
#[test]
fn a_new_rate_makes_no_key_frame() {
    let mut encoder = encoder(SIZE, RATE);
    for time in 0..120 {
        encoder.set_bitrate(if time % 3 == 0 { 500_000 } else { 300_000 * (time % 40) });
        let frame = encoder.encode(&desktop(SIZE, time), FrameKind::Auto).unwrap();
        assert_eq!(frame.is_key(), time == 0, "picture {time}");
    }
}

/// A cut from a desktop to the hardest picture there is: nobody waits a second for it.
#[test]
fn a_cut_takes_no_more_than_a_few_pictures_worth() {
    let (rate, before) = (8_000_000, 60);
    let mut encoder = encoder(SIZE, rate);
    let share = f64::from(rate) / 60.0 / 8.0;
    let mut lengths = Vec::new();
    for time in 0..before + 30 {
        let picture = if time < before { desktop(SIZE, 0) } else { noise(SIZE, time) };
        let frame = encoder.encode(&picture, FrameKind::Auto).unwrap();
        lengths.push(frame.access_unit.len() as f64 / share);
    }
    let cut = &lengths[before as usize..];
    assert!(cut.iter().all(|length| *length < 4.0), "{cut:.1?}");
    for window in cut.windows(15) {
        assert!(window.iter().sum::<f64>() < 1.25 * 15.0, "{window:.1?}");
    }
}

/// Desktops come in any size: each pixel must come back where it was, and the added ones must not show.
#[test]
fn odd_and_tiny_sizes_come_back_whole() {
    let sizes =
        [(1, 1), (15, 17), (16, 16), (17, 33), (101, 77), (321, 191), (1366, 769), (33, 500), (500, 33)];
    for (width, height) in sizes {
        let size = Size::new(width, height);
        // Bright lines along all four edges: a picture that is shifted or cut off loses one.
        let edged =
            |x, y| if x == 0 || y == 0 || x == width - 1 || y == height - 1 { [230; 3] } else { [90; 3] };
        let original = picture(size, edged);
        let config = EncoderConfig { size, fps: 60, bitrate: 30_000_000, threads: 2 };
        let (mut encoder, mut decoder) = (pf_codec::encoder(config).unwrap(), decoder().unwrap());
        for time in 0..8 {
            let frame = encoder.encode(&original, FrameKind::Auto).unwrap();
            let coded = decoder.decode(frame.access_unit).unwrap().unwrap();
            assert!(coded.size().width >= width && coded.size().height >= height);
            let decoded = coded.cropped(size);
            assert_eq!(decoded.size(), size);
            let quality = psnr(&original.view(), &decoded);
            assert!(quality > 36.0, "{size}, picture {time}: {quality:.1} dB");
            let sent = pixels(&original.view());
            let far = pixels(&decoded).iter().zip(sent).filter(|(a, b)| a[1].abs_diff(b[1]) > 40).count();
            assert_eq!(far, 0, "{size}, picture {time}: pixels far from what was sent");
        }
    }
}

#[test]
fn sizes_that_the_codec_cannot_carry_are_refused() {
    for (width, height) in [(0, 100), (100, 0), (4097, 100), (100, 4097), (4096, 4096), (4080, 2305)] {
        let size = Size::new(width, height);
        let config = EncoderConfig { size, fps: 60, bitrate: RATE, threads: 2 };
        assert_eq!(pf_codec::encoder(config).err(), Some(EncodeError::UnsupportedSize(size)));
    }
    let largest = Size::new(4096, 2304);
    let config = EncoderConfig { size: largest, fps: 60, bitrate: RATE, threads: 2 };
    let mut encoder = pf_codec::encoder(config).unwrap();
    let frame = encoder.encode(&I420::new(largest), FrameKind::Auto).unwrap();
    assert_eq!(decoder().unwrap().decode(frame.access_unit).unwrap().unwrap().size(), largest);
}

#[test]
fn a_picture_of_another_size_is_the_callers_mistake_and_costs_nothing() {
    let mut encoder = encoder(SIZE, RATE);
    assert!(encoder.encode(&desktop(SIZE, 0), FrameKind::Auto).unwrap().is_key());
    let other = Size::new(64, 64);
    let refused = encoder.encode(&desktop(other, 0), FrameKind::Auto).unwrap_err();
    assert_eq!(refused, EncodeError::SizeChanged { expected: SIZE, found: other });
    assert!(!encoder.encode(&desktop(SIZE, 1), FrameKind::Auto).unwrap().is_key());
}

/// A mirrored desktop changes its size: the host makes a new encoder, the client's decoder must follow.
#[test]
fn a_decoder_follows_a_change_of_size() {
    let mut decoder = decoder().unwrap();
    for (width, height) in [(320, 192), (640, 368), (96, 400), (320, 192)] {
        let size = Size::new(width, height);
        let mut encoder = encoder(size, RATE);
        for time in 0..5 {
            let picture = desktop(size, time);
            let frame = encoder.encode(&picture, FrameKind::Auto).unwrap();
            let decoded = decoder.decode(frame.access_unit).unwrap().unwrap();
            assert_eq!(decoded.size(), size);
            let quality = psnr(&picture.view(), &decoded);
            assert!(quality > 26.0, "{size}, picture {time}: {quality:.1} dB");
        }
    }
}

#[test]
fn colours_come_back_as_they_went_in() {
    let (mut encoder, mut decoder) = (encoder(SIZE, RATE), decoder().unwrap());
    let (blue, green, red, white, black) = ([255, 0, 0], [0, 255, 0], [0, 0, 255], [255; 3], [0; 3]);
    for colour in [blue, green, red, white, black, [20, 120, 220], [200, 60, 130]] {
        let frame = encoder.encode(&plain(SIZE, colour), FrameKind::Auto).unwrap();
        let decoded = decoder.decode(frame.access_unit).unwrap().unwrap();
        for pixel in pixels(&decoded) {
            let near = pixel.iter().zip(colour).all(|(&is, was)| is.abs_diff(was) <= 4);
            assert!(near, "{colour:?} came back as {pixel:?}");
        }
    }
}
