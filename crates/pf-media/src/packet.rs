//! Cuts access units into datagrams.

use std::iter::FusedIterator;

use bytes::{BufMut, Bytes, BytesMut};
use pf_proto::media::{HEADER_LEN, Header, MAX_DATA_SHARDS, Stream};
use thiserror::Error;

use crate::time::Micros;

/// One coded picture, as an encoder hands it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessUnit<'a> {
    /// Whether it can be decoded without any before it.
    pub key: bool,
    /// When the picture was captured, on this machine's media clock.
    pub captured: Micros,
    /// The coded bytes.
    pub bytes: &'a [u8],
}

/// Numbers access units and cuts each into datagrams of one stream.
#[derive(Debug)]
pub struct Packetiser {
    stream: Stream,
    next_frame: u32,
}

/// Why an access unit cannot be sent. No frame number was used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CannotPacketise {
    /// There is nothing to send.
    #[error("the access unit is empty")]
    Empty,
    /// It is longer than [`MAX_ACCESS_UNIT`], and any receiver would refuse it.
    #[error("an access unit of {0} bytes is longer than {MAX_ACCESS_UNIT}")]
    TooLong(usize),
    /// It would take more than [`MAX_DATA_SHARDS`] datagrams of this size.
    #[error("an access unit of {len} bytes does not fit {MAX_DATA_SHARDS} datagrams of {max_datagram}")]
    TooManyShards {
        /// The length of the access unit in bytes.
        len: usize,
        /// The largest datagram that the path takes, in bytes.
        max_datagram: usize,
    },
}

impl Packetiser {
    /// A packetiser whose first access unit gets the number 0.
    pub fn new(stream: Stream) -> Self {
        Self { stream, next_frame: 0 }
    }

    /// Cuts `unit` into datagrams of at most `max_datagram` bytes, header included.
    ///
    /// The path's limit moves while a session runs, so it is asked for each access unit. All shards have the same
    /// length but the last, which may be a little shorter: what is lost with any one of them is alike, and parity can
    /// be computed over them as they are. Each byte is copied once, when its datagram is taken from the iterator.
    pub fn packetise<'a>(
        &mut self,
        unit: AccessUnit<'a>,
        max_datagram: usize,
    ) -> Result<Datagrams<'a>, CannotPacketise> {
        let len = unit.bytes.len();
        if len == 0 {
            return Err(CannotPacketise::Empty);
        }
        if len > MAX_ACCESS_UNIT {
            return Err(CannotPacketise::TooLong(len));
        }
        let too_many = CannotPacketise::TooManyShards { len, max_datagram };
        let room = max_datagram.checked_sub(HEADER_LEN).filter(|&room| room > 0).ok_or(too_many)?;
        let data =
            u16::try_from(len.div_ceil(room)).ok().filter(|&data| data <= MAX_DATA_SHARDS).ok_or(too_many)?;
        let shard_len = len.div_ceil(usize::from(data));

        let frame = self.next_frame;
        self.next_frame = frame.wrapping_add(1);
        let header = Header {
            stream: self.stream,
            key: unit.key,
            frame,
            index: 0,
            data,
            parity: 0,
            captured: unit.captured.0,
        };
        Ok(Datagrams { header, shards: unit.bytes.chunks(shard_len) })
    }
}

/// The datagrams of one access unit, in the order in which they are sent.
#[derive(Clone, Debug)]
pub struct Datagrams<'a> {
    header: Header,
    shards: std::slice::Chunks<'a, u8>,
}

impl Datagrams<'_> {
    /// The number that the access unit got.
    pub fn frame(&self) -> u32 {
        self.header.frame
    }
}

impl Iterator for Datagrams<'_> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let shard = self.shards.next()?;
        let mut datagram = BytesMut::with_capacity(HEADER_LEN + shard.len());
        datagram.put_slice(&self.header.encode());
        datagram.put_slice(shard);
        self.header.index += 1;
        Some(datagram.freeze())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.shards.size_hint()
    }
}

impl ExactSizeIterator for Datagrams<'_> {}

impl FusedIterator for Datagrams<'_> {}

/// The longest access unit that is sent or put together, in bytes.
///
/// A key frame at 4096 × 4096 and a quality that nobody asks of a live picture stays below it; what an encoder makes
/// beyond it would hold the link for seconds, and is an error rather than a frame.
pub const MAX_ACCESS_UNIT: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use pf_proto::media::decode;
    use proptest::prelude::*;

    use super::*;

    fn unit(bytes: &[u8]) -> AccessUnit<'_> {
        AccessUnit { key: false, captured: Micros(7), bytes }
    }

    #[test]
    fn frame_numbers_count_up_and_wrap() {
        let mut packetiser = Packetiser { stream: Stream::Video, next_frame: u32::MAX };
        assert_eq!(packetiser.packetise(unit(b"a"), 1162).unwrap().frame(), u32::MAX);
        assert_eq!(packetiser.packetise(unit(b"b"), 1162).unwrap().frame(), 0);
    }

    #[test]
    fn what_cannot_be_sent_is_refused_and_uses_up_no_number() {
        let mut packetiser = Packetiser::new(Stream::Video);
        let long = vec![0; MAX_ACCESS_UNIT + 1];
        let mut refusal = |bytes, max_datagram| packetiser.packetise(unit(bytes), max_datagram).unwrap_err();

        assert_eq!(refusal(&[], 1162), CannotPacketise::Empty);
        assert_eq!(refusal(&long, 1162), CannotPacketise::TooLong(MAX_ACCESS_UNIT + 1));
        for max_datagram in [0, HEADER_LEN] {
            assert_eq!(refusal(b"a", max_datagram), CannotPacketise::TooManyShards { len: 1, max_datagram });
        }
        let len = usize::from(MAX_DATA_SHARDS) + 1;
        assert_eq!(
            refusal(&long[..len], HEADER_LEN + 1),
            CannotPacketise::TooManyShards { len, max_datagram: HEADER_LEN + 1 }
        );
        assert_eq!(packetiser.packetise(unit(b"a"), HEADER_LEN + 1).unwrap().frame(), 0);
    }

    /// The datagram size of a connection that has not looked for a larger one yet must carry the longest access unit.
    #[test]
    fn the_longest_access_unit_fits_the_smallest_datagrams_of_quic() {
        let long = vec![0; MAX_ACCESS_UNIT];
        let datagrams = Packetiser::new(Stream::Video).packetise(unit(&long), 1162).unwrap();
        assert!(datagrams.len() <= usize::from(MAX_DATA_SHARDS));
    }

    proptest! {
        #[test]
        fn datagrams_fit_are_alike_in_length_and_carry_the_access_unit(
            bytes in prop::collection::vec(any::<u8>(), 1..5000),
            max_datagram in HEADER_LEN + 2..1500_usize,
            key in any::<bool>(),
        ) {
            let unit = AccessUnit { key, captured: Micros(99), bytes: &bytes };
            let datagrams = Packetiser::new(Stream::Video).packetise(unit, max_datagram).unwrap();
            let announced = datagrams.len();
            let datagrams: Vec<Bytes> = datagrams.collect();
            prop_assert_eq!(announced, datagrams.len());

            let mut joined = Vec::new();
            for (index, datagram) in datagrams.iter().enumerate() {
                let (header, shard) = decode(datagram).unwrap();
                prop_assert_eq!(header, Header {
                    stream: Stream::Video,
                    key,
                    frame: 0,
                    index: index as u16,
                    data: datagrams.len() as u16,
                    parity: 0,
                    captured: 99,
                });
                prop_assert!(datagram.len() <= max_datagram);
                let last = index + 1 == datagrams.len();
                prop_assert!(last || datagram.len() == datagrams[0].len());
                prop_assert!(datagram.len() <= datagrams[0].len());
                joined.extend_from_slice(shard);
            }
            prop_assert_eq!(joined, bytes);
        }
    }
}
