//! What a datagram of sound holds: a frame, and copies of those before it.
//!
//! Sound is small beside a picture, so what is lost is repaired in the cheapest way for latency: a packet also carries
//! the payloads of the one or two frames before its own. A lost frame is there again 5 to 20 ms later, bit for bit, so
//! that the decoder's state stays whole. `docs/decisions` has what was measured against it: Opus' own forward error
//! correction repairs nothing in the mode that carries music.
//!
//! All numbers are big-endian.
//!
//! | offset | bytes | field | range |
//! | --- | --- | --- | --- |
//! | 0 | 1 | flags | bits 0 and 1: copies, 0 to [`MAX_COPIES`]; bit 2: frames last 5 ms, else 10; others: 0 |
//! | 1 | 4 | sequence | counts up by one for each frame and wraps |
//! | 5 | 8 | capture time | µs on the sender's media clock: when the frame's first sample was heard |
//! | 13 | 2… | copies | for each its length, 1 to [`MAX_PAYLOAD`], and its bytes; the frame before first |
//! | … | 1… | payload | 1 to [`MAX_PAYLOAD`] bytes, to the end |
//!
//! Whatever differs from this is [`Malformed`].

use std::collections::VecDeque;

use pf_media::time::Micros;
use thiserror::Error;

use crate::{frame::FrameLength, opus::MAX_PAYLOAD};

/// One packet, borrowed from its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioPacket<'a> {
    /// The number of the frame; wraps.
    pub sequence: u32,
    /// When the frame's first sample was heard, on the sender's media clock.
    pub captured: Micros,
    /// How long each of the frames lasts.
    pub length: FrameLength,
    /// The frame itself.
    pub payload: &'a [u8],
    /// Copies of the frames before it, the latest first: the first `None` ends them.
    pub copies: [Option<&'a [u8]>; MAX_COPIES],
}

impl<'a> AudioPacket<'a> {
    /// Reads a packet.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (header, mut rest) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(Malformed::Short)?;
        let [flags, s0, s1, s2, s3, time @ ..] = *header;
        let count = usize::from(flags & COPIES_MASK);
        if flags & !(COPIES_MASK | SHORT_FRAMES) != 0 || count > MAX_COPIES {
            return Err(Malformed::Flags(flags));
        }
        let mut copies = [None; MAX_COPIES];
        for copy in &mut copies[..count] {
            let (&length, after) = rest.split_first_chunk().ok_or(Malformed::Short)?;
            let (payload, after) =
                after.split_at_checked(u16::from_be_bytes(length).into()).ok_or(Malformed::Short)?;
            *copy = Some(checked(payload)?);
            rest = after;
        }
        Ok(Self {
            sequence: u32::from_be_bytes([s0, s1, s2, s3]),
            captured: Micros(u64::from_be_bytes(time)),
            length: if flags & SHORT_FRAMES == 0 { FrameLength::Ms10 } else { FrameLength::Ms5 },
            payload: checked(rest)?,
            copies,
        })
    }

    /// Appends the packet to `bytes`. Copies and payload are as long as [`MAX_PAYLOAD`] at most.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        let copies = self.copies.iter().map_while(|&copy| copy);
        let short = if self.length == FrameLength::Ms5 { SHORT_FRAMES } else { 0 };
        bytes.push(copies.clone().count() as u8 | short);
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.captured.0.to_be_bytes());
        for copy in copies {
            bytes.extend_from_slice(&(copy.len() as u16).to_be_bytes());
            bytes.extend_from_slice(copy);
        }
        bytes.extend_from_slice(self.payload);
    }
}

fn checked(payload: &[u8]) -> Result<&[u8], Malformed> {
    if (1..=MAX_PAYLOAD).contains(&payload.len()) {
        Ok(payload)
    } else {
        Err(Malformed::Payload(payload.len()))
    }
}

/// Why bytes are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// It ends before it should.
    #[error("a packet of sound ends too early")]
    Short,
    /// It announces three copies, or something that this version does not know.
    #[error("a packet of sound has unknown flags {0:#04x}")]
    Flags(u8),
    /// A payload is empty or longer than [`MAX_PAYLOAD`].
    #[error("a packet of sound holds a payload of {0} bytes")]
    Payload(usize),
}

/// How many frames before its own a packet carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Redundancy {
    /// The one before: all but 1 in 1000 frames are heard at 3 % loss.
    #[default]
    One,
    /// The two before: all but 1 in 1000 frames are heard at 10 % loss.
    Two,
}

impl Redundancy {
    /// What a link that loses `lost` out of 1 needs.
    ///
    /// There is always one copy: the first loss comes unannounced, and a copy costs 1 % of what a picture does.
    pub fn for_loss(lost: f32) -> Self {
        if lost > ONE_COPY_LOSS { Self::Two } else { Self::One }
    }

    const fn copies(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }
}

/// The sender's side: numbers frames and puts copies of the last ones behind them.
#[derive(Clone, Debug)]
pub struct Packetiser {
    length: FrameLength,
    next: u32,
    /// The payloads of the frames before, the latest first.
    before: VecDeque<Vec<u8>>,
    /// When the next frame is expected to begin.
    expected: Option<Micros>,
}

impl Packetiser {
    /// A sender of frames of `length`.
    pub fn new(length: FrameLength) -> Self {
        Self { length, next: 0, before: VecDeque::with_capacity(MAX_COPIES + 1), expected: None }
    }

    /// The same for the stream that follows `earlier` others to the same receiver.
    ///
    /// Its numbers begin far from all of theirs, so that the receiver knows at once that the sender has started anew: by
    /// numbers that it has heard already it would wait until they are new to it, which takes seconds.
    #[must_use]
    pub fn after(self, earlier: u32) -> Self {
        Self { next: earlier.wrapping_mul(APART), ..self }
    }

    /// Appends to `bytes` the packet of the next frame.
    ///
    /// Where sound was missing before it the frames before go uncopied, since a copy's capture time is taken to be a
    /// frame's length before.
    pub fn pack(&mut self, captured: Micros, payload: &[u8], redundancy: Redundancy, bytes: &mut Vec<u8>) {
        let contiguous = self.expected.is_some_and(|expected| {
            captured.since(expected).max(expected.since(captured)) < self.length.duration()
        });
        if !contiguous {
            self.before.clear();
        }
        let mut copies = [None; MAX_COPIES];
        for (copy, before) in copies[..redundancy.copies()].iter_mut().zip(&self.before) {
            *copy = Some(before.as_slice());
        }
        AudioPacket { sequence: self.next, captured, length: self.length, payload, copies }.encode(bytes);
        self.next = self.next.wrapping_add(1);
        self.expected = Some(captured + self.length.duration());
        self.before.truncate(MAX_COPIES - 1);
        self.before.push_front(payload.to_vec());
    }
}

/// The most frames that a packet carries beside its own.
pub const MAX_COPIES: usize = 2;

/// The longest packet, in bytes. It fits the smallest datagram that QUIC carries.
pub const MAX_PACKET: usize = HEADER_LEN + MAX_COPIES * (2 + MAX_PAYLOAD) + MAX_PAYLOAD;

const HEADER_LEN: usize = 13;

const COPIES_MASK: u8 = 0b011;

const SHORT_FRAMES: u8 = 0b100;

/// How many numbers lie between the beginnings of two streams to one receiver: 23 hours of the shorter frames, so that
/// what begins anew in the middle of another never meets it.
const APART: u32 = 1 << 24;

/// Up to this much loss one copy leaves less than 1 frame in 2000 unheard, where losses are independent.
const ONE_COPY_LOSS: f32 = 0.02;

const _: () = assert!(MAX_PACKET <= 1100, "a packet fits a datagram right after connect");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn payload() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 1..=MAX_PAYLOAD)
    }

    proptest! {
        #[test]
        fn what_was_packed_is_read(
            sequence: u32,
            captured: u64,
            short: bool,
            payload in payload(),
            copies in prop::collection::vec(payload(), 0..=MAX_COPIES),
        ) {
            let mut borrowed = [None; MAX_COPIES];
            for (borrowed, copy) in borrowed.iter_mut().zip(&copies) {
                *borrowed = Some(copy.as_slice());
            }
            let length = if short { FrameLength::Ms5 } else { FrameLength::Ms10 };
            let packet =
                AudioPacket { sequence, captured: Micros(captured), length, payload: &payload, copies: borrowed };
            let mut bytes = Vec::new();
            packet.encode(&mut bytes);
            prop_assert!(bytes.len() <= MAX_PACKET);
            prop_assert_eq!(AudioPacket::decode(&bytes), Ok(packet));
        }

        /// There is one way to write a packet: nothing can hide in another.
        #[test]
        fn whatever_is_read_is_written_the_same(bytes in prop::collection::vec(any::<u8>(), 0..800), flags in 0_u8..8) {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() {
                *first = flags;
            }
            // Short copies, so that random bytes get through at all.
            if let Some(length) = bytes.get_mut(HEADER_LEN..HEADER_LEN + 2) {
                length[0] = 0;
            }
            if let Ok(packet) = AudioPacket::decode(&bytes) {
                let mut again = Vec::new();
                packet.encode(&mut again);
                prop_assert_eq!(again, bytes);
            }
        }
    }

    #[test]
    fn the_layout_is_as_documented() {
        let packet = AudioPacket {
            sequence: 0x0102_0304,
            captured: Micros(0x1112_1314_1516_1718),
            length: FrameLength::Ms5,
            payload: &[0xAA, 0xBB],
            copies: [Some(&[0xCC]), None],
        };
        let mut bytes = Vec::new();
        packet.encode(&mut bytes);
        let expected =
            [5, 1, 2, 3, 4, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0, 1, 0xCC, 0xAA, 0xBB];
        assert_eq!(bytes, expected);
    }

    #[test]
    fn every_way_to_be_no_packet_is_found() {
        let with = |flags: u8, rest: &[u8]| [&[flags][..], &[0; 12], rest].concat();
        let too_long = [1; MAX_PAYLOAD + 1];
        for (bytes, error) in [
            (vec![], Malformed::Short),
            (vec![0; HEADER_LEN - 1], Malformed::Short),
            (with(0, &[]), Malformed::Payload(0)),
            (with(0, &too_long), Malformed::Payload(MAX_PAYLOAD + 1)),
            (with(3, &[0, 1, 1, 0, 1, 1, 0, 1, 1, 1]), Malformed::Flags(3)),
            (with(8, &[1]), Malformed::Flags(8)),
            (with(1, &[0]), Malformed::Short),
            (with(1, &[0, 2, 1]), Malformed::Short),
            (with(1, &[0, 0, 1]), Malformed::Payload(0)),
            (with(1, &[0, 1, 1]), Malformed::Payload(0)),
            (with(1, &[&[1, 97][..], &too_long, &[1]].concat()), Malformed::Payload(MAX_PAYLOAD + 1)),
        ] {
            assert_eq!(AudioPacket::decode(&bytes), Err(error), "{bytes:?}");
        }
    }

    #[test]
    fn a_packet_carries_the_frames_before_it() {
        let mut packetiser = Packetiser::new(FrameLength::Ms10);
        let mut pack = |captured: u64, payload: u8, redundancy| {
            let mut bytes = Vec::new();
            packetiser.pack(Micros(captured), &[payload], redundancy, &mut bytes);
            let packet = AudioPacket::decode(&bytes).unwrap();
            (packet.sequence, packet.copies.map(|copy| copy.map(|copy| copy[0])))
        };
        assert_eq!(pack(1_000, 10, Redundancy::Two), (0, [None, None]));
        assert_eq!(pack(11_100, 11, Redundancy::Two), (1, [Some(10), None]));
        assert_eq!(pack(20_900, 12, Redundancy::Two), (2, [Some(11), Some(10)]));
        assert_eq!(pack(31_000, 13, Redundancy::One), (3, [Some(12), None]));
        assert_eq!(pack(91_000, 14, Redundancy::Two), (4, [None, None]), "sound was missing");
        assert_eq!(pack(101_000, 15, Redundancy::Two), (5, [Some(14), None]));
    }

    #[test]
    fn redundancy_follows_loss() {
        assert_eq!(Redundancy::for_loss(0.0), Redundancy::One);
        assert_eq!(Redundancy::for_loss(0.01), Redundancy::One);
        assert_eq!(Redundancy::for_loss(0.05), Redundancy::Two);
        assert_eq!(Redundancy::for_loss(f32::NAN), Redundancy::One);
    }
}
