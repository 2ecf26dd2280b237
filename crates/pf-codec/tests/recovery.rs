//! Recoveries without a key frame: what a receiver that lost frames can go on with, and what that costs.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

mod common;

use std::collections::VecDeque;

use common::{desktop, encoder, pixels, plain};
use pf_codec::{
    Backend, EncodedFrame, EncoderConfig, FrameKind, MAX_REFERENCE, VideoDecoder, VideoEncoder, decoder,
};
use pf_media::{packet::Reference, picture::Size};

const SIZE: Size = Size::new(320, 256);
const RATE: u32 = 4_000_000;

/// A receiver, and the numbers of what it decoded.
struct Receiver {
    decoder: Box<dyn VideoDecoder>,
    decoded: Vec<u32>,
    picture: Vec<[u8; 4]>,
}

impl Receiver {
    fn new() -> Self {
        Self { decoder: decoder().unwrap(), decoded: Vec::new(), picture: Vec::new() }
    }

    /// Decodes `frame` if the transport would hand it over: if what it refers to was decoded.
    fn take(&mut self, frame: &EncodedFrame<'_>) -> bool {
        let needed = match frame.reference {
            Reference::Nothing => None,
            Reference::Previous => Some(frame.number.wrapping_sub(1)),
            Reference::Frame(number) => Some(number),
        };
        if needed.is_some_and(|needed| !self.decoded.contains(&needed)) {
            return false;
        }
        let picture = self.decoder.decode(frame.access_unit).expect("what it refers to was decoded");
        self.picture = pixels(&picture.expect("a picture"));
        self.decoded.push(frame.number);
        true
    }

    fn newest(&self) -> Option<u32> {
        self.decoded.last().copied()
    }
}

fn random(state: &mut u32, below: u32) -> u32 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    *state % below
}

/// Two receivers of one stream, each losing frames of its own, reports that come late: whatever a frame says that it
/// refers to must be true, or a receiver shows a broken picture and does not know.
#[test]
fn who_decoded_what_a_frame_refers_to_decodes_it_to_the_same_picture() {
    let backend = Backend::default();
    let after = |receiver: &Receiver| receiver.newest().map_or(FrameKind::Key, FrameKind::After);
    for (seed, threads) in [(1, 1), (2, 2), (3, 2), (4, 1)] {
        let config = EncoderConfig { size: SIZE, fps: 60, bitrate: RATE, threads };
        let mut encoder = pf_codec::encoder(config).unwrap();
        let (mut whole, mut receivers) = (Receiver::new(), [Receiver::new(), Receiver::new()]);
        let (mut state, mut reports, mut recoveries, mut losing) = (seed, VecDeque::new(), 0_u32, [0_u32; 2]);
        for time in 0..600 {
            let mut kind = FrameKind::Auto;
            reports.push_back(receivers.each_ref().map(Receiver::newest));
            let report = if reports.len() > DELAY { reports.pop_front() } else { None };
            match report {
                Some([Some(one), Some(other)]) => {
                    let behind = one.min(other);
                    encoder.acknowledge(behind);
                    if random(&mut state, 6) == 0 {
                        kind = FrameKind::After(behind);
                    }
                }
                Some(_) => kind = FrameKind::Key,
                None => {}
            }
            if random(&mut state, 200) == 0 {
                kind = FrameKind::Key;
            }
            let frame = encoder.encode(&desktop(SIZE, time), kind).unwrap();
            assert!(whole.take(&frame), "what was never lost");
            if let Reference::Frame(known) = frame.reference {
                recoveries += 1;
                // x264 listens to the one who asks alone.
                let who_asked =
                    |receiver: &&Receiver| backend == Backend::OpenH264 || kind == after(receiver);
                for receiver in receivers.iter().filter(who_asked) {
                    assert!(
                        receiver.decoded.contains(&known),
                        "seed {seed}, picture {time}: {known} was lost"
                    );
                }
            }
            for (receiver, losing) in receivers.iter_mut().zip(&mut losing) {
                if *losing == 0 && random(&mut state, 30) == 0 {
                    *losing = 1 + random(&mut state, 6);
                }
                *losing = losing.saturating_sub(1);
                if *losing == 0 && receiver.take(&frame) {
                    assert_eq!(receiver.picture, whole.picture, "seed {seed}, picture {time}");
                }
            }
        }
        assert!(recoveries > 20, "seed {seed}: {recoveries} recoveries");
    }
}

/// How many frames later a report comes.
const DELAY: usize = 4;

/// Encodes pictures, all of which the receiver gets and acknowledges at once.
fn stream(encoder: &mut dyn VideoEncoder, receiver: &mut Receiver, times: std::ops::Range<u32>) {
    for time in times {
        let frame = encoder.encode(&desktop(SIZE, time), FrameKind::Auto).unwrap();
        assert!(receiver.take(&frame));
        let decoded = frame.number;
        encoder.acknowledge(decoded);
    }
}

/// What all this is for: a key frame takes many times as long to leave, and more is lost behind it.
#[test]
fn a_recovery_costs_a_fraction_of_a_key_frame() {
    let size_of = |kind: fn(u32) -> FrameKind| {
        let (mut encoder, mut receiver) = (encoder(SIZE, RATE), Receiver::new());
        stream(&mut *encoder, &mut receiver, 0..60);
        for time in 60..66 {
            encoder.encode(&desktop(SIZE, time), FrameKind::Auto).unwrap();
        }
        let frame = encoder.encode(&desktop(SIZE, 66), kind(59)).unwrap();
        assert!(receiver.take(&frame));
        (frame.reference, frame.access_unit.len())
    };
    let (reference, recovery) = size_of(FrameKind::After);
    let (_, key) = size_of(|_| FrameKind::Key);
    assert!(matches!(reference, Reference::Frame(50..=59)), "{reference:?}");
    assert!(recovery * 2 < key, "{recovery} bytes against {key} of a key frame");
}

#[test]
fn a_recovery_of_who_missed_nothing_is_a_usual_frame() {
    let (mut encoder, mut receiver) = (encoder(SIZE, RATE), Receiver::new());
    stream(&mut *encoder, &mut receiver, 0..10);
    let frame = encoder.encode(&desktop(SIZE, 10), FrameKind::After(9)).unwrap();
    assert_eq!(frame.reference, Reference::Previous);
}

/// A frame that the encoder has never made, or made before a key frame, helps nobody.
#[test]
fn nothing_to_build_on_gives_a_key_frame() {
    let (mut encoder, mut receiver) = (encoder(SIZE, RATE), Receiver::new());
    let first = encoder.encode(&desktop(SIZE, 0), FrameKind::After(0)).unwrap();
    assert_eq!((first.number, first.reference), (0, Reference::Nothing));
    assert!(receiver.take(&first));
    stream(&mut *encoder, &mut receiver, 1..10);
    for (time, after) in [(10, 4_000), (11, u32::MAX)] {
        let frame = encoder.encode(&desktop(SIZE, time), FrameKind::After(after)).unwrap();
        assert_eq!(frame.reference, Reference::Nothing, "after {after}");
        assert!(receiver.take(&frame));
    }
    stream(&mut *encoder, &mut receiver, 12..20);
    let frame = encoder.encode(&desktop(SIZE, 20), FrameKind::After(9)).unwrap();
    assert_eq!(frame.reference, Reference::Nothing, "from before the key frame");
}

/// Receivers may be silent for long. What they had is still there, as far as the protocol can say so, or the library
/// keeps it.
#[test]
fn what_is_too_far_back_gives_a_key_frame() {
    let size = Size::new(64, 64);
    let furthest = |backend| if backend == Backend::OpenH264 { MAX_REFERENCE } else { 16 };
    let cases = Backend::ALL
        .iter()
        .flat_map(|backend| [(backend, furthest(*backend), false), (backend, furthest(*backend) + 1, true)]);
    for (backend, distance, is_key) in cases {
        let config = EncoderConfig { size, fps: 60, bitrate: RATE, threads: 1 };
        let mut encoder = backend.encoder(config).unwrap();
        for _ in 0..distance {
            encoder.encode(&plain(size, [90; 3]), FrameKind::Auto).unwrap();
        }
        let frame = encoder.encode(&plain(size, [90; 3]), FrameKind::After(0)).unwrap();
        assert_eq!(frame.is_key(), is_key, "{} frames back with {}", distance, backend.name());
    }
}

/// The library numbers pictures with 15 bits and compares those numbers in many places. An hour at 60 a second goes
/// round six times.
#[test]
fn a_recovery_holds_where_the_librarys_numbers_wrap() {
    let size = Size::new(32, 32);
    let (mut encoder, mut whole, mut receiver) = (encoder(size, RATE), Receiver::new(), Receiver::new());
    for time in 0..33_200_u32 {
        let near_wrap = time > 32_700;
        let is_lost = near_wrap && (time % 20 >= 15);
        let kind = match receiver.newest() {
            Some(newest) if near_wrap && time % 20 == 0 => FrameKind::After(newest),
            _ => FrameKind::Auto,
        };
        let frame = encoder.encode(&plain(size, [(time % 200) as u8; 3]), kind).unwrap();
        assert_eq!(frame.is_key(), time == 0, "picture {time}");
        whole.take(&frame);
        if !is_lost {
            assert!(receiver.take(&frame), "picture {time}");
            assert_eq!(receiver.picture, whole.picture, "picture {time}");
        }
        if time >= 4 && !(near_wrap && time % 20 >= 15) {
            encoder.acknowledge(time - 4);
        }
        receiver.decoded.drain(..receiver.decoded.len().saturating_sub(100));
        whole.decoded.drain(..whole.decoded.len().saturating_sub(100));
    }
}
