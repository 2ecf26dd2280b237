//! A receiver under a hostile host, from the datagram to the picture: reassembler and decoder, as a client has them.
//!
//! A genuine stream is cut into datagrams once. The input is a script of three bytes a step, of what happens to them: they
//! come, are lost, repeated, changed, cut off, and time passes.
#![no_main]

use std::{sync::LazyLock, time::Duration};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use pf_codec::{EncoderConfig, FrameKind, I420};
use pf_media::{
    packet::{AccessUnit, Packetiser},
    picture::{Bgrx, Size},
    reassembly::{Output, Reassembler},
    time::Micros,
};
use pf_proto::media::Stream;

const SIZE: Size = Size::new(96, 64);

/// Three times as many as a key frame comes; each takes a few datagrams, parity among them.
const PICTURES: u8 = 24;

/// So short that even these pictures take several.
const MAX_DATAGRAM: usize = 200;

static GENUINE: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
    let config = EncoderConfig { size: SIZE, fps: 60, bitrate: 2_000_000, threads: 1 };
    let mut encoder = pf_codec::encoder(config).unwrap();
    let mut packetiser = Packetiser::new(Stream::Video);
    let mut datagrams = Vec::new();
    let mut picture = I420::new(SIZE);
    for number in 0..PICTURES {
        let pixels: Vec<u8> = (0..SIZE.width * SIZE.height)
            .flat_map(|at| {
                let (x, y) = (at % SIZE.width, at / SIZE.width);
                [x as u8 ^ number, (y as u8).wrapping_mul(number), (x * y) as u8, 0]
            })
            .collect();
        picture.fill_from_bgrx(&Bgrx::new(SIZE, SIZE.width as usize * 4, &pixels).unwrap());
        let kind = if number % 8 == 0 { FrameKind::Key } else { FrameKind::Auto };
        let frame = encoder.encode(&picture, kind).unwrap();
        let captured = Micros(u64::from(number) * 16_667);
        let unit = AccessUnit { reference: frame.reference, captured, bytes: frame.access_unit };
        datagrams.extend(packetiser.packetise(unit, MAX_DATAGRAM, 2).unwrap());
    }
    datagrams
});

fuzz_target!(|script: &[u8]| {
    let mut reassembler = Reassembler::new();
    let mut decoder = pf_codec::decoder().unwrap();
    let mut now = Micros::ZERO;
    let mut next = 0;
    for &[what, place, value] in script.as_chunks().0 {
        let index = (next + usize::from(place) % 32) % GENUINE.len();
        let mut datagram = GENUINE[index].to_vec();
        let at = usize::from(place) % datagram.len();
        match what % 8 {
            // Comes, in its turn.
            0..=2 => datagram = GENUINE[next % GENUINE.len()].to_vec(),
            // Is lost.
            3 => {
                next += 1;
                continue;
            }
            // Comes before its turn, and again in it.
            4 => {}
            // Is changed: anywhere, and in its header.
            5 => datagram[at] ^= value,
            6 => datagram[usize::from(value) % 24] ^= place,
            // Is cut off, after a while.
            _ => {
                now = now + Duration::from_millis(value.into());
                datagram.truncate(at);
            }
        }
        next += usize::from(what % 8 <= 2);
        now = now + Duration::from_millis(1);
        let _ = reassembler.handle_datagram(now, &datagram);
        while let Some(output) = reassembler.poll(now) {
            if let Output::AccessUnit { frame, bytes, .. } = output
                && decoder.decode(&bytes).is_err()
            {
                reassembler.not_decoded(frame);
            }
        }
        let _ = reassembler.poll_feedback(now);
    }
});
