//! The header of a media datagram: which frame a shard belongs to, and where in it.
//!
//! The first byte of a host's datagram says which [`Stream`] it is of. What follows is about pictures; a datagram of
//! sound holds a packet instead, see [`sound`].
//!
//! Media travels as QUIC datagrams on the session's connection, so that who sent a datagram and that it is whole is
//! already settled. A datagram is this header and one *shard* behind it. An access unit (one coded picture) is cut
//! into `data` shards; put end to end in the order of their index they are the access unit again. Indices from `data`
//! on are *parity* shards, from which lost ones are computed.
//!
//! All numbers are big-endian.
//!
//! | offset | bytes | field | range |
//! | --- | --- | --- | --- |
//! | 0 | 1 | stream | 0: video |
//! | 1 | 3 | length of the access unit | 1 to [`MAX_ACCESS_UNIT`] |
//! | 4 | 4 | frame number | counts up by one for each access unit and wraps |
//! | 8 | 2 | reference | 0: key frame; n: can be decoded after the frame n before it, n up to [`MAX_REFERENCE`] |
//! | 10 | 2 | shard index | below data + parity |
//! | 12 | 2 | data shards | 1 to [`MAX_DATA_SHARDS`], and as many as the length takes |
//! | 14 | 2 | parity shards | 0 to [`max_parity`] of the data shards |
//! | 16 | 8 | capture time | µs on the sender's media clock, whose origin is arbitrary |
//! | 24 | 1… | the shard | as long as length and data shards say |
//!
//! A shard is ⌈length ÷ data⌉ bytes long, rounded up to an even number, which the parity code needs. Only the last
//! data shard may be shorter. So each datagram tells the length of all others: a receiver that lost the last data shard
//! knows where the access unit ends.
//!
//! The code works on *blocks*, see [`blocks`]: what is in one block repairs what is lost of it.
//!
//! Whatever differs from this is [`Malformed`]: a change of this layout is a change of the protocol version, which both
//! sides agreed on before the first datagram.

use thiserror::Error;

/// The length of the header in bytes.
pub const HEADER_LEN: usize = 24;

/// The longest access unit that is sent or put together, in bytes.
///
/// A key frame at 4096 × 4096 and a quality that nobody asks of a live picture stays below it; what an encoder makes
/// beyond it would hold the link for seconds, and is an error rather than a frame.
pub const MAX_ACCESS_UNIT: usize = 4 << 20;

/// The most data shards that one access unit may have.
///
/// At 1138 bytes a shard, which is what fits right after connect, this carries 4.6 MB: more than the longest access
/// unit. It bounds what one frame can make a receiver keep.
pub const MAX_DATA_SHARDS: u16 = 4096;

/// The most data shards of one block.
///
/// A larger block repairs more with the same share of parity, and costs more at a time: a repair of 256 shards takes
/// half a millisecond, and of the work that does not depend on the size it saves a receiver all but one part.
pub const MAX_BLOCK: u16 = 256;

/// How far before a frame the one may be that it can be decoded after: 17 s at 60 fps.
///
/// It bounds what a receiver remembers of what it has decoded.
pub const MAX_REFERENCE: u16 = 1024;

/// The most parity shards that go with `data` data shards: as many again, and [`LEAST_MAX_PARITY`] for the smallest.
pub const fn max_parity(data: u16) -> u16 {
    if data < LEAST_MAX_PARITY { LEAST_MAX_PARITY } else { data }
}

/// How many parity shards the smallest access unit may have.
///
/// It is how long a burst of loss may be that takes a whole access unit and is repaired all the same.
pub const LEAST_MAX_PARITY: u16 = 16;

/// How many blocks `data` data shards are spread over.
///
/// Data shard i and parity shard j (which has the index `data` + j) are of the blocks i mod n and j mod n. So what is
/// lost in a row is lost of all blocks evenly.
pub const fn blocks(data: u16) -> u16 {
    data.div_ceil(MAX_BLOCK)
}

/// What a datagram belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// The host's picture, in shards.
    Video,
    /// The host's sound, in packets.
    Sound,
}

/// What stands before a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the shard belongs to.
    pub stream: Stream,
    /// The length of the whole access unit in bytes.
    pub length: u32,
    /// The number of the access unit; wraps.
    pub frame: u32,
    /// How many numbers before this one the frame is that must have been decoded; 0 for a key frame, which needs none.
    pub reference: u16,
    /// Which shard of the access unit this is: data shards first, parity shards after them.
    pub index: u16,
    /// How many shards the access unit itself is cut into.
    pub data: u16,
    /// How many shards were added for repair.
    pub parity: u16,
    /// When the picture was captured, in µs on the sender's media clock.
    pub captured: u64,
}

/// Why a datagram is not a media datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// It ends before, or right after, the header.
    #[error("{0} bytes are too few for a media datagram")]
    Truncated(usize),
    /// It names a stream that has no shards, or that this version does not have.
    #[error("media stream {0} is none of pictures")]
    NoPictures(u8),
    /// It claims an access unit without a byte, or one longer than [`MAX_ACCESS_UNIT`].
    #[error("an access unit of {0} bytes is outside of 1 to {MAX_ACCESS_UNIT}")]
    Length(u32),
    /// It refers to a frame further back than [`MAX_REFERENCE`].
    #[error("a frame that refers to the one {0} before it")]
    Reference(u16),
    /// It claims no data shards, more than [`MAX_DATA_SHARDS`], or not as many as its length takes.
    #[error("an access unit of {length} bytes in {data} data shards")]
    DataCount {
        /// The length that it claims.
        length: u32,
        /// The data shards that it claims.
        data: u16,
    },
    /// It claims more than [`max_parity`] parity shards.
    #[error("{0} parity shards are too many")]
    ParityCount(u16),
    /// Its index is not that of a data shard or a parity shard.
    #[error("shard {index} of an access unit that has {shards}")]
    Index {
        /// The index that it claims.
        index: u16,
        /// How many shards it says there are, parity included.
        shards: u16,
    },
    /// Its shard is not as long as the header says.
    #[error("a shard of {0} bytes is not of the length that its header says")]
    ShardLength(usize),
}

impl Header {
    /// The header as it goes before the shard.
    ///
    /// The fields must be in the ranges that [`decode`] insists on, else the other side refuses the datagram.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0..4].copy_from_slice(&self.length.to_be_bytes());
        bytes[0] = self.stream.number();
        bytes[4..8].copy_from_slice(&self.frame.to_be_bytes());
        bytes[8..10].copy_from_slice(&self.reference.to_be_bytes());
        bytes[10..12].copy_from_slice(&self.index.to_be_bytes());
        bytes[12..14].copy_from_slice(&self.data.to_be_bytes());
        bytes[14..16].copy_from_slice(&self.parity.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.captured.to_be_bytes());
        bytes
    }

    /// Whether the access unit can be decoded without any before it.
    pub fn is_key(&self) -> bool {
        self.reference == 0
    }

    /// Whether the shard is one that was added for repair.
    pub fn is_parity(&self) -> bool {
        self.index >= self.data
    }

    /// The length of each shard but the last data shard, in bytes: an even number.
    pub fn shard_len(&self) -> usize {
        shard_len(self.length as usize, self.data)
    }

    /// The length of this shard in bytes.
    pub fn own_len(&self) -> usize {
        let full = self.shard_len();
        if self.index + 1 == self.data {
            self.length as usize - full * usize::from(self.data - 1)
        } else {
            full
        }
    }

    /// The block that the shard is of.
    pub fn block(&self) -> u16 {
        self.index.checked_sub(self.data).unwrap_or(self.index) % blocks(self.data)
    }

    fn check(&self) -> Result<(), Malformed> {
        if self.length == 0 || self.length as usize > MAX_ACCESS_UNIT {
            return Err(Malformed::Length(self.length));
        }
        if self.reference > MAX_REFERENCE {
            return Err(Malformed::Reference(self.reference));
        }
        let fits = (1..=MAX_DATA_SHARDS).contains(&self.data)
            && usize::from(self.data - 1) * self.shard_len() < self.length as usize;
        if !fits {
            return Err(Malformed::DataCount { length: self.length, data: self.data });
        }
        if self.parity > max_parity(self.data) {
            return Err(Malformed::ParityCount(self.parity));
        }
        let shards = self.data + self.parity;
        if self.index >= shards {
            return Err(Malformed::Index { index: self.index, shards });
        }
        Ok(())
    }
}

/// The length of each shard but the last of an access unit of `length` bytes that is cut into `data`.
pub const fn shard_len(length: usize, data: u16) -> usize {
    length.div_ceil(data as usize).next_multiple_of(2)
}

/// The header of a datagram and the shard behind it.
pub fn decode(datagram: &[u8]) -> Result<(Header, &[u8]), Malformed> {
    let Some((header, shard)) =
        datagram.split_first_chunk::<HEADER_LEN>().filter(|(_, shard)| !shard.is_empty())
    else {
        return Err(Malformed::Truncated(datagram.len()));
    };
    let [stream, l0, l1, l2, f0, f1, f2, f3, r0, r1, i0, i1, d0, d1, p0, p1, captured @ ..] = *header;
    let header = Header {
        stream: Stream::of_pictures(stream)?,
        length: u32::from_be_bytes([0, l0, l1, l2]),
        frame: u32::from_be_bytes([f0, f1, f2, f3]),
        reference: u16::from_be_bytes([r0, r1]),
        index: u16::from_be_bytes([i0, i1]),
        data: u16::from_be_bytes([d0, d1]),
        parity: u16::from_be_bytes([p0, p1]),
        captured: u64::from_be_bytes(captured),
    };
    header.check()?;
    if shard.len() != header.own_len() {
        return Err(Malformed::ShardLength(shard.len()));
    }
    Ok((header, shard))
}

/// The packet in a datagram of sound; `None` for a datagram of anything else.
///
/// What is in a packet stands at the top of `pf-audio`'s module `packet`: here it is bytes.
pub fn sound(datagram: &[u8]) -> Option<&[u8]> {
    datagram.split_first().filter(|(number, _)| **number == Stream::Sound.number()).map(|(_, packet)| packet)
}

impl Stream {
    /// The first byte of each of its datagrams.
    pub const fn number(self) -> u8 {
        match self {
            Self::Video => 0,
            Self::Sound => 1,
        }
    }

    fn of_pictures(number: u8) -> Result<Self, Malformed> {
        if number == Self::Video.number() { Ok(Self::Video) } else { Err(Malformed::NoPictures(number)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One datagram, written out by hand from the table at the top of the file: the last of three shards of 5 bytes.
    const SAMPLE: [u8; 25] = [
        0, // stream
        0, 0, 5, // length
        0xDE, 0xAD, 0xBE, 0xEF, // frame number
        0x01, 0x02, // reference
        0, 2, // shard index
        0, 3, // data shards
        0, 2, // parity shards
        0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, // capture time
        0xAA, // the shard
    ];

    #[test]
    fn the_layout_is_the_documented_one() {
        let header = Header {
            stream: Stream::Video,
            length: 5,
            frame: 0xDEAD_BEEF,
            reference: 0x0102,
            index: 2,
            data: 3,
            parity: 2,
            captured: 0x0001_0203_0405_0607,
        };
        assert_eq!(decode(&SAMPLE), Ok((header, &[0xAA][..])));
        assert_eq!(header.encode(), SAMPLE[..HEADER_LEN]);
    }

    /// A peer that sends half a header must not be able to make the decoder read past its end.
    #[test]
    fn what_ends_before_the_first_byte_of_a_shard_is_truncated() {
        for len in 0..=HEADER_LEN {
            assert_eq!(decode(&SAMPLE[..len]), Err(Malformed::Truncated(len)));
        }
        assert!(decode(&SAMPLE[..=HEADER_LEN]).is_ok());
    }

    /// Each field at the edges of its range; what lies beyond must not reach the reassembler, which counts on the
    /// ranges.
    #[test]
    fn each_field_is_refused_beyond_its_range_and_taken_at_its_edge() {
        use Malformed::{DataCount, Index, Length, NoPictures, ParityCount, Reference, ShardLength};
        let refusal = |changes: &[(usize, u8)]| {
            let mut bytes = SAMPLE;
            for &(at, value) in changes {
                bytes[at] = value;
            }
            decode(&bytes).err()
        };
        assert_eq!(refusal(&[(0, 1)]), Some(NoPictures(1)));
        assert_eq!(refusal(&[(0, 0xFF)]), Some(NoPictures(0xFF)));
        assert_eq!(refusal(&[(3, 0)]), Some(Length(0)));
        assert_eq!(refusal(&[(1, 0x40), (3, 1)]), Some(Length(0x40_0001)));
        assert_eq!(refusal(&[(1, 0x40), (3, 0)]), Some(ShardLength(1)));
        assert_eq!(refusal(&[(8, 0), (9, 0)]), None);
        assert_eq!(refusal(&[(8, 4), (9, 0)]), None);
        assert_eq!(refusal(&[(8, 4), (9, 1)]), Some(Reference(1025)));
        assert_eq!(refusal(&[(13, 0)]), Some(DataCount { length: 5, data: 0 }));
        assert_eq!(refusal(&[(13, 4)]), Some(DataCount { length: 5, data: 4 }));
        assert_eq!(refusal(&[(1, 1), (12, 0x10), (13, 1)]), Some(DataCount { length: 0x1_0005, data: 4097 }));
        assert_eq!(refusal(&[(15, 16)]), None);
        assert_eq!(refusal(&[(15, 17)]), Some(ParityCount(17)));
        assert_eq!(refusal(&[(14, 0xFF), (15, 0xFF)]), Some(ParityCount(u16::MAX)));
        assert_eq!(refusal(&[(11, 5)]), Some(Index { index: 5, shards: 5 }));
        assert_eq!(refusal(&[(10, 0xFF), (11, 0xFF)]), Some(Index { index: u16::MAX, shards: 5 }));
        assert_eq!(refusal(&[(11, 4)]), Some(ShardLength(1)), "parity is as long as a full shard");
        assert_eq!(refusal(&[(11, 0)]), Some(ShardLength(1)));
    }

    /// Sound that is taken for a picture, or the other way round, would be noise in the one and a loss in the other.
    #[test]
    fn a_datagram_is_of_sound_or_of_pictures_and_never_of_both() {
        for number in 0..=u8::MAX {
            let mut datagram = SAMPLE;
            datagram[0] = number;
            assert_eq!(decode(&datagram).is_ok(), number == 0);
            assert_eq!(sound(&datagram), (number == 1).then_some(&SAMPLE[1..]));
        }
        assert_eq!(sound(&[]), None);
        assert_eq!(sound(&[1]), Some(&[][..]));
    }

    #[test]
    fn a_shard_is_parity_from_the_data_count_on() {
        let mut header = decode(&SAMPLE).unwrap().0;
        assert!(!header.is_parity());
        header.index = header.data;
        assert!(header.is_parity());
    }

    /// A burst of loss hits one block as hard as the others, and a block is never too large to repair.
    #[test]
    fn shards_in_a_row_are_of_blocks_in_turn() {
        let header = |data: u16, index| Header { index, data, ..decode(&SAMPLE).unwrap().0 };
        assert_eq!([1, 256, 257, 4096].map(blocks), [1, 1, 2, 16]);
        assert_eq!([0, 1, 2, 3].map(|index| header(600, index).block()), [0, 1, 2, 0]);
        assert_eq!([600, 601, 602, 603].map(|index| header(600, index).block()), [0, 1, 2, 0]);
    }

    /// Every header that a sender may make.
    fn headers() -> impl Strategy<Value = Header> {
        (1..=MAX_ACCESS_UNIT, 1..=MAX_DATA_SHARDS, any::<prop::sample::Index>()).prop_flat_map(
            |(length, wanted, parity)| {
                let data = length.div_ceil(shard_len(length, wanted)) as u16;
                let parity = parity.index(usize::from(max_parity(data)) + 1) as u16;
                (0..=MAX_REFERENCE, any::<u32>(), 0..data + parity, any::<u64>()).prop_map(
                    move |(reference, frame, index, captured)| Header {
                        stream: Stream::Video,
                        length: length as u32,
                        frame,
                        reference,
                        index,
                        data,
                        parity,
                        captured,
                    },
                )
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_was_encoded_is_what_is_decoded(header in headers(), byte in any::<u8>()) {
            let mut datagram = header.encode().to_vec();
            datagram.resize(HEADER_LEN + header.own_len(), byte);
            prop_assert_eq!(decode(&datagram), Ok((header, &datagram[HEADER_LEN..])));
            datagram.push(byte);
            prop_assert!(decode(&datagram).is_err());
        }

        /// Bytes from the network never panic, and there is one encoding of everything: what is accepted is written
        /// back byte for byte.
        #[test]
        fn bytes_are_refused_or_have_exactly_one_reading(mut bytes in prop::collection::vec(any::<u8>(), 0..64), small in any::<bool>()) {
            if small {
                // Random bytes rarely pass the checks; small numbers of one shard get some of them through.
                for (at, value) in [(0, 0), (1, 0), (2, 0), (3, bytes.len().saturating_sub(HEADER_LEN) as u8), (8, 1), (10, 0), (11, 0), (12, 0), (13, 1), (14, 0), (15, 3)] {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = value;
                    }
                }
            }
            if let Ok((header, shard)) = decode(&bytes) {
                let mut again = header.encode().to_vec();
                again.extend_from_slice(shard);
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
