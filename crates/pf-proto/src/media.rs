//! The header of a media datagram: which frame a shard belongs to, and where in it.
//!
//! Media travels as QUIC datagrams on the session's connection, so that who sent a datagram and that it is whole is
//! already settled. A datagram is this header and one *shard* behind it. An access unit (one coded picture) is cut
//! into `data` shards of equal length, of which only the last may be shorter; put end to end in the order of their
//! index they are the access unit again. Indices from `data` on are *parity* shards. A sender that adds none says
//! `parity = 0`; a receiver that cannot repair takes the data shards and passes over the parity shards.
//!
//! All numbers are big-endian.
//!
//! | offset | bytes | field | range |
//! | --- | --- | --- | --- |
//! | 0 | 1 | stream | 0: video |
//! | 1 | 1 | flags | bit 0: key frame; all others zero |
//! | 2 | 4 | frame number | counts up by one for each access unit and wraps |
//! | 6 | 2 | shard index | below data + parity |
//! | 8 | 2 | data shards | 1 to [`MAX_DATA_SHARDS`] |
//! | 10 | 2 | parity shards | 0 to [`MAX_PARITY_SHARDS`] |
//! | 12 | 8 | capture time | µs on the sender's media clock, whose origin is arbitrary |
//! | 20 | 1… | the shard | not empty |
//!
//! Whatever differs from this is [`Malformed`], reserved flags included: a change of this layout is a change of the
//! protocol version, which both sides agreed on before the first datagram.

use thiserror::Error;

/// The length of the header in bytes.
pub const HEADER_LEN: usize = 20;

/// The most data shards that one access unit may have.
///
/// At 1142 bytes a shard, which is what fits right after connect, this carries 4.6 MB: more than a lossless picture of
/// desktop size costs. It bounds what one frame can make a receiver keep.
pub const MAX_DATA_SHARDS: u16 = 4096;

/// The most parity shards that one access unit may have: as many as data shards.
pub const MAX_PARITY_SHARDS: u16 = MAX_DATA_SHARDS;

/// What a datagram belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// The host's picture.
    Video,
}

/// What stands before a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the shard belongs to.
    pub stream: Stream,
    /// Whether the access unit can be decoded without any before it.
    pub key: bool,
    /// The number of the access unit; wraps.
    pub frame: u32,
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
    /// It names a stream that this version does not have.
    #[error("there is no media stream {0}")]
    UnknownStream(u8),
    /// It sets flags that mean nothing in this version.
    #[error("media flags {0:#04x} are reserved")]
    ReservedFlags(u8),
    /// It claims no data shards, or more than [`MAX_DATA_SHARDS`].
    #[error("an access unit of {0} data shards is outside of 1 to {MAX_DATA_SHARDS}")]
    DataCount(u16),
    /// It claims more than [`MAX_PARITY_SHARDS`] parity shards.
    #[error("{0} parity shards are more than {MAX_PARITY_SHARDS}")]
    ParityCount(u16),
    /// Its index is not that of a data shard or a parity shard.
    #[error("shard {index} of an access unit that has {shards}")]
    Index {
        /// The index that it claims.
        index: u16,
        /// How many shards it says there are, parity included.
        shards: u16,
    },
}

impl Header {
    /// The header as it goes before the shard.
    ///
    /// The fields must be in the ranges that [`decode`] insists on, else the other side refuses the datagram.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0] = self.stream.number();
        bytes[1] = if self.key { KEY_FRAME } else { 0 };
        bytes[2..6].copy_from_slice(&self.frame.to_be_bytes());
        bytes[6..8].copy_from_slice(&self.index.to_be_bytes());
        bytes[8..10].copy_from_slice(&self.data.to_be_bytes());
        bytes[10..12].copy_from_slice(&self.parity.to_be_bytes());
        bytes[12..20].copy_from_slice(&self.captured.to_be_bytes());
        bytes
    }

    /// Whether the shard is one that was added for repair.
    pub fn is_parity(&self) -> bool {
        self.index >= self.data
    }

    fn check_counts(&self) -> Result<(), Malformed> {
        if !(1..=MAX_DATA_SHARDS).contains(&self.data) {
            return Err(Malformed::DataCount(self.data));
        }
        if self.parity > MAX_PARITY_SHARDS {
            return Err(Malformed::ParityCount(self.parity));
        }
        let shards = self.data + self.parity;
        if self.index >= shards {
            return Err(Malformed::Index { index: self.index, shards });
        }
        Ok(())
    }
}

/// The header of a datagram and the shard behind it.
pub fn decode(datagram: &[u8]) -> Result<(Header, &[u8]), Malformed> {
    let Some((header, shard)) =
        datagram.split_first_chunk::<HEADER_LEN>().filter(|(_, shard)| !shard.is_empty())
    else {
        return Err(Malformed::Truncated(datagram.len()));
    };
    let [stream, flags, f0, f1, f2, f3, i0, i1, d0, d1, p0, p1, captured @ ..] = *header;
    let header = Header {
        stream: Stream::from_number(stream)?,
        key: key_frame(flags)?,
        frame: u32::from_be_bytes([f0, f1, f2, f3]),
        index: u16::from_be_bytes([i0, i1]),
        data: u16::from_be_bytes([d0, d1]),
        parity: u16::from_be_bytes([p0, p1]),
        captured: u64::from_be_bytes(captured),
    };
    header.check_counts()?;
    Ok((header, shard))
}

impl Stream {
    fn number(self) -> u8 {
        match self {
            Self::Video => 0,
        }
    }

    fn from_number(number: u8) -> Result<Self, Malformed> {
        match number {
            0 => Ok(Self::Video),
            _ => Err(Malformed::UnknownStream(number)),
        }
    }
}

fn key_frame(flags: u8) -> Result<bool, Malformed> {
    match flags {
        0 => Ok(false),
        KEY_FRAME => Ok(true),
        _ => Err(Malformed::ReservedFlags(flags)),
    }
}

/// The flag of an access unit that needs none before it.
const KEY_FRAME: u8 = 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One datagram, written out by hand from the table at the top of the file.
    const SAMPLE: [u8; 22] = [
        0, 1, // stream, flags
        0xDE, 0xAD, 0xBE, 0xEF, // frame number
        0x01, 0x02, // shard index
        0x03, 0x04, // data shards
        0x05, 0x06, // parity shards
        0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, // capture time
        0xAA, 0xBB, // the shard
    ];

    #[test]
    fn the_layout_is_the_documented_one() {
        let header = Header {
            stream: Stream::Video,
            key: true,
            frame: 0xDEAD_BEEF,
            index: 0x0102,
            data: 0x0304,
            parity: 0x0506,
            captured: 0x0001_0203_0405_0607,
        };
        assert_eq!(decode(&SAMPLE), Ok((header, &[0xAA, 0xBB][..])));
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
        use Malformed::{DataCount, Index, ParityCount, ReservedFlags, UnknownStream};
        let refusal = |changes: &[(usize, u8)]| {
            let mut bytes = SAMPLE;
            for &(at, value) in changes {
                bytes[at] = value;
            }
            decode(&bytes).err()
        };
        assert_eq!(refusal(&[(0, 1)]), Some(UnknownStream(1)));
        assert_eq!(refusal(&[(0, 0xFF)]), Some(UnknownStream(0xFF)));
        assert_eq!(refusal(&[(1, 0)]), None);
        assert_eq!(refusal(&[(1, 2)]), Some(ReservedFlags(2)));
        assert_eq!(refusal(&[(1, 3)]), Some(ReservedFlags(3)));
        assert_eq!(refusal(&[(1, 0x80)]), Some(ReservedFlags(0x80)));
        assert_eq!(refusal(&[(8, 0), (9, 0)]), Some(DataCount(0)));
        assert_eq!(refusal(&[(8, 0x10), (9, 0)]), None);
        assert_eq!(refusal(&[(8, 0x10), (9, 1)]), Some(DataCount(4097)));
        assert_eq!(refusal(&[(8, 0xFF), (9, 0xFF)]), Some(DataCount(u16::MAX)));
        assert_eq!(refusal(&[(10, 0x10), (11, 0)]), None);
        assert_eq!(refusal(&[(10, 0x10), (11, 1)]), Some(ParityCount(4097)));
        assert_eq!(refusal(&[(6, 8), (7, 9)]), None);
        assert_eq!(refusal(&[(6, 8), (7, 10)]), Some(Index { index: 0x080A, shards: 0x080A }));
        assert_eq!(refusal(&[(6, 0xFF), (7, 0xFF)]), Some(Index { index: u16::MAX, shards: 0x080A }));
    }

    #[test]
    fn a_shard_is_parity_from_the_data_count_on() {
        let mut header = decode(&SAMPLE).unwrap().0;
        header.index = header.data - 1;
        assert!(!header.is_parity());
        header.index = header.data;
        assert!(header.is_parity());
    }

    /// Every header that a sender may make.
    fn headers() -> impl Strategy<Value = Header> {
        (1..=MAX_DATA_SHARDS, 0..=MAX_PARITY_SHARDS).prop_flat_map(|(data, parity)| {
            (any::<bool>(), any::<u32>(), 0..data + parity, any::<u64>()).prop_map(
                move |(key, frame, index, captured)| Header {
                    stream: Stream::Video,
                    key,
                    frame,
                    index,
                    data,
                    parity,
                    captured,
                },
            )
        })
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_what_is_decoded(header in headers(), shard in prop::collection::vec(any::<u8>(), 1..40)) {
            let mut datagram = header.encode().to_vec();
            datagram.extend_from_slice(&shard);
            prop_assert_eq!(decode(&datagram), Ok((header, &shard[..])));
        }

        /// Bytes from the network never panic, and there is one encoding of everything: what is accepted is written
        /// back byte for byte.
        #[test]
        fn bytes_are_refused_or_have_exactly_one_reading(mut bytes in prop::collection::vec(any::<u8>(), 0..64), small in any::<bool>()) {
            if small {
                // Random bytes rarely pass the checks; clearing the high bytes gets half of them through.
                for at in [0, 1, 6, 8, 10] {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte &= 1;
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
