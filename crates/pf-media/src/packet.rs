//! Cuts access units into datagrams, and adds parity to them.

use std::iter::FusedIterator;

use bytes::{BufMut, Bytes, BytesMut};
pub use pf_proto::media::MAX_ACCESS_UNIT;
use pf_proto::media::{HEADER_LEN, Header, MAX_DATA_SHARDS, MAX_REFERENCE, Stream, max_parity, shard_len};
use thiserror::Error;

use crate::{fec, time::Micros};

/// One coded picture, as an encoder hands it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessUnit<'a> {
    /// What must have been decoded before it.
    pub reference: Reference,
    /// When the picture was captured, on this machine's media clock.
    pub captured: Micros,
    /// The coded bytes.
    pub bytes: &'a [u8],
}

/// What an access unit can be decoded after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// Nothing: it is a key frame.
    Nothing,
    /// The access unit before it.
    Previous,
    /// The access unit of this number: what came between may be lost.
    Frame(u32),
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
    /// It refers to a frame that is not among the [`MAX_REFERENCE`] before it.
    #[error("the frame {0} is not among the last {MAX_REFERENCE}")]
    TooFarBack(u32),
}

impl Packetiser {
    /// A packetiser whose first access unit gets the number 0.
    pub fn new(stream: Stream) -> Self {
        Self { stream, next_frame: 0 }
    }

    /// The number that the next access unit gets.
    pub fn next_frame(&self) -> u32 {
        self.next_frame
    }

    /// How many data shards an access unit of `len` bytes is cut into, where datagrams of `max_datagram` bytes are sent.
    pub fn data_shards(len: usize, max_datagram: usize) -> Result<u16, CannotPacketise> {
        if len == 0 {
            return Err(CannotPacketise::Empty);
        }
        if len > MAX_ACCESS_UNIT {
            return Err(CannotPacketise::TooLong(len));
        }
        let too_many = CannotPacketise::TooManyShards { len, max_datagram };
        // Parity needs shards of an even length.
        let room = max_datagram.saturating_sub(HEADER_LEN) & !1;
        let enough = len.checked_div(room).map(|_| len.div_ceil(room)).ok_or(too_many)?;
        let enough = u16::try_from(enough).ok().filter(|&data| data <= MAX_DATA_SHARDS).ok_or(too_many)?;
        Ok(len.div_ceil(shard_len(len, enough)) as u16)
    }

    /// Cuts `unit` into datagrams of at most `max_datagram` bytes, header included, and adds `parity` shards, or as many
    /// as the protocol allows.
    ///
    /// The path's limit moves while a session runs, so it is asked for each access unit. All shards have the same
    /// length but the last, which may be a little shorter: what is lost with any one of them is alike.
    pub fn packetise(
        &mut self,
        unit: AccessUnit<'_>,
        max_datagram: usize,
        parity: u16,
    ) -> Result<Datagrams, CannotPacketise> {
        let data = Self::data_shards(unit.bytes.len(), max_datagram)?;
        let frame = self.next_frame;
        let reference = match unit.reference {
            Reference::Nothing => 0,
            Reference::Previous => 1,
            Reference::Frame(referred) => u16::try_from(frame.wrapping_sub(referred))
                .ok()
                .filter(|distance| (1..=MAX_REFERENCE).contains(distance))
                .ok_or(CannotPacketise::TooFarBack(referred))?,
        };
        self.next_frame = frame.wrapping_add(1);
        let header = Header {
            stream: self.stream,
            length: unit.bytes.len() as u32,
            frame,
            reference,
            index: 0,
            data,
            parity: parity.min(max_parity(data)),
            captured: unit.captured.0,
        };
        let shards = unit.bytes.chunks(header.shard_len()).zip(0..);
        let data = shards.map(|(shard, index)| datagram(Header { index, ..header }, shard)).collect();
        Ok(Datagrams { header, data, parity: Vec::new() })
    }
}

/// The datagrams of one access unit, in the order in which they are sent: data shards first.
///
/// Parity is computed when the first parity shard is taken, so that nothing waits for it.
#[derive(Clone, Debug)]
pub struct Datagrams {
    /// The header of the shard that is next.
    header: Header,
    data: Vec<Bytes>,
    parity: Vec<Bytes>,
}

impl Datagrams {
    /// The number that the access unit got.
    pub fn frame(&self) -> u32 {
        self.header.frame
    }

    /// How many data shards there are.
    pub fn data(&self) -> u16 {
        self.header.data
    }

    /// How many parity shards there are.
    pub fn parity(&self) -> u16 {
        self.header.parity
    }

    /// The length of the datagram that is next; 0 when there is none.
    pub fn next_len(&self) -> usize {
        if self.len() == 0 { 0 } else { HEADER_LEN + self.header.own_len() }
    }

    /// The bytes of all datagrams that were not taken yet, or a little more: the last may be short.
    pub fn bytes_left(&self) -> usize {
        self.len() * (HEADER_LEN + self.header.shard_len())
    }

    fn compute_parity(&mut self) {
        let shards: Vec<&[u8]> = self.data.iter().map(|datagram| &datagram[HEADER_LEN..]).collect();
        let parity = fec::parity(&shards, self.header.shard_len(), self.header.parity);
        let first = self.header.data;
        let header = self.header;
        self.parity = parity
            .iter()
            .zip(first..)
            .map(|(shard, index)| datagram(Header { index, ..header }, shard))
            .collect();
    }
}

impl Iterator for Datagrams {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.header.is_parity() && self.parity.is_empty() && self.header.parity > 0 {
            self.compute_parity();
        }
        let index = usize::from(self.header.index);
        let datagram = self.data.get(index).or_else(|| self.parity.get(index - self.data.len()))?.clone();
        self.header.index += 1;
        Some(datagram)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::from(self.header.data + self.header.parity - self.header.index);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Datagrams {}

impl FusedIterator for Datagrams {}

fn datagram(header: Header, shard: &[u8]) -> Bytes {
    let mut datagram = BytesMut::with_capacity(HEADER_LEN + shard.len());
    datagram.put_slice(&header.encode());
    datagram.put_slice(shard);
    datagram.freeze()
}

#[cfg(test)]
mod tests {
    use pf_proto::media::decode;
    use proptest::prelude::*;

    use super::*;

    fn unit(bytes: &[u8]) -> AccessUnit<'_> {
        AccessUnit { reference: Reference::Previous, captured: Micros(7), bytes }
    }

    #[test]
    fn frame_numbers_count_up_and_wrap() {
        let mut packetiser = Packetiser { stream: Stream::Video, next_frame: u32::MAX };
        assert_eq!(packetiser.packetise(unit(b"a"), 1162, 0).unwrap().frame(), u32::MAX);
        assert_eq!(packetiser.packetise(unit(b"b"), 1162, 0).unwrap().frame(), 0);
    }

    #[test]
    fn what_cannot_be_sent_is_refused_and_uses_up_no_number() {
        let mut packetiser = Packetiser::new(Stream::Video);
        let long = vec![0; MAX_ACCESS_UNIT + 1];
        let mut refusal =
            |bytes, max_datagram| packetiser.packetise(unit(bytes), max_datagram, 0).unwrap_err();

        assert_eq!(refusal(&[], 1162), CannotPacketise::Empty);
        assert_eq!(refusal(&long, 1162), CannotPacketise::TooLong(MAX_ACCESS_UNIT + 1));
        for max_datagram in [0, HEADER_LEN, HEADER_LEN + 1] {
            assert_eq!(refusal(b"a", max_datagram), CannotPacketise::TooManyShards { len: 1, max_datagram });
        }
        let len = 2 * usize::from(MAX_DATA_SHARDS) + 1;
        assert_eq!(
            refusal(&long[..len], HEADER_LEN + 2),
            CannotPacketise::TooManyShards { len, max_datagram: HEADER_LEN + 2 }
        );
        assert_eq!(packetiser.packetise(unit(b"a"), HEADER_LEN + 2, 0).unwrap().frame(), 0);
    }

    /// A sender that names a frame which no receiver remembers would send what nobody takes.
    #[test]
    fn a_reference_is_to_one_of_the_last_frames() {
        let mut packetiser = Packetiser { stream: Stream::Video, next_frame: 3 };
        let mut reference = |referred| {
            let unit = AccessUnit { reference: Reference::Frame(referred), ..unit(b"a") };
            packetiser.packetise(unit, 1162, 0).map(|datagrams| datagrams.header.reference)
        };
        assert_eq!(reference(3), Err(CannotPacketise::TooFarBack(3)), "itself");
        assert_eq!(reference(4), Err(CannotPacketise::TooFarBack(4)), "a later one");
        let last = 3_u32.wrapping_sub(MAX_REFERENCE.into());
        assert_eq!(reference(last.wrapping_sub(1)), Err(CannotPacketise::TooFarBack(last.wrapping_sub(1))));
        assert_eq!(reference(last), Ok(MAX_REFERENCE), "across the wrap");
        assert_eq!(reference(3), Ok(1), "the refused ones used up no number");
    }

    /// The datagram size of a connection that has not looked for a larger one yet must carry the longest access unit.
    #[test]
    fn the_longest_access_unit_fits_the_smallest_datagrams_of_quic() {
        let long = vec![0; MAX_ACCESS_UNIT];
        let datagrams = Packetiser::new(Stream::Video).packetise(unit(&long), 1162, 0).unwrap();
        assert!(datagrams.len() <= usize::from(MAX_DATA_SHARDS));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn datagrams_fit_are_alike_in_length_and_carry_the_access_unit(
            bytes in prop::collection::vec(any::<u8>(), 1..5000),
            max_datagram in HEADER_LEN + 2..1500_usize,
            key in any::<bool>(),
            parity in 0..9_u16,
        ) {
            let reference = if key { Reference::Nothing } else { Reference::Previous };
            let unit = AccessUnit { reference, captured: Micros(99), bytes: &bytes };
            let mut datagrams = Packetiser::new(Stream::Video).packetise(unit, max_datagram, parity).unwrap();
            let (data, parity) = (datagrams.data(), datagrams.parity());
            let mut joined = Vec::new();
            for index in 0..data + parity {
                prop_assert_eq!(datagrams.len(), usize::from(data + parity - index));
                let announced = datagrams.next_len();
                let datagram = datagrams.next().unwrap();
                prop_assert_eq!(datagram.len(), announced);
                let (header, shard) = decode(&datagram).unwrap();
                prop_assert_eq!(header, Header {
                    stream: Stream::Video,
                    length: bytes.len() as u32,
                    frame: 0,
                    reference: u16::from(!key),
                    index,
                    data,
                    parity,
                    captured: 99,
                });
                prop_assert!(datagram.len() <= max_datagram);
                if !header.is_parity() {
                    joined.extend_from_slice(shard);
                }
            }
            prop_assert_eq!((datagrams.next(), datagrams.next_len()), (None, 0));
            prop_assert_eq!(joined, bytes);
        }
    }
}
