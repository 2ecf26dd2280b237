//! Parity shards, and the repair of lost data shards with them.
//!
//! The code is systematic: data shards are the access unit itself, and who loses none needs no parity. For each block
//! of an access unit (see [`pf_proto::media::blocks`]) with k data shards and m parity shards, any k of the k + m tell
//! all. All shards of a block are of one length; the last data shard is padded with zeros for the computation.
//!
//! - k = 1: each parity shard is a copy.
//! - m = 1: the parity shard is the exclusive or of all.
//! - Otherwise: Reed-Solomon over GF(2¹⁶) in the form of Leopard-RS, as `reed-solomon-simd` computes it, which takes
//!   n log n steps. A repair costs it 0.17 ms however small the block is, which is why the first two forms are
//!   computed otherwise: most frames of a desktop are of few shards.

use std::collections::BTreeMap;

use bytes::Bytes;
use pf_proto::media::{MAX_BLOCK, blocks, shard_len};
use reed_solomon_simd::{ReedSolomonDecoder, ReedSolomonEncoder};

/// Computes tables that the code needs, once in a program's life.
///
/// It takes some 20 ms, which the first repair or parity would else take in the middle of a stream.
pub fn warm_up() {
    let shards = [[0_u8; 64], [1; 64]];
    let _ = parity(&[&shards[0], &shards[1]], 64, 2);
}

/// The `count` parity shards of an access unit, of whose data shards each is `shard_len` bytes long but the last.
///
/// `data` is at most [`MAX_DATA_SHARDS`](pf_proto::media::MAX_DATA_SHARDS), `shard_len` even and not 0; else there is
/// no parity.
pub fn parity(data: &[&[u8]], shard_len: usize, count: u16) -> Vec<Vec<u8>> {
    let blocks = usize::from(blocks(data.len() as u16));
    let mut parity = vec![Vec::new(); usize::from(count)];
    for block in 0..blocks.min(parity.len()) {
        let of_block: Vec<&[u8]> = data.iter().skip(block).step_by(blocks).copied().collect();
        let places: Vec<usize> = (block..parity.len()).step_by(blocks).collect();
        for (place, shard) in places.iter().zip(block_parity(&of_block, shard_len, places.len())) {
            parity[*place] = shard;
        }
    }
    parity
}

fn block_parity(data: &[&[u8]], shard_len: usize, count: usize) -> Vec<Vec<u8>> {
    match (data, count) {
        ([only], _) => vec![padded(only, shard_len); count],
        (_, 1) => vec![exclusive_or(data.iter().copied(), shard_len)],
        _ => reed_solomon_parity(data, shard_len, count).unwrap_or_default(),
    }
}

fn reed_solomon_parity(
    data: &[&[u8]],
    shard_len: usize,
    count: usize,
) -> Result<Vec<Vec<u8>>, reed_solomon_simd::Error> {
    let mut encoder = ReedSolomonEncoder::new(data.len(), count, shard_len)?;
    for shard in data {
        if shard.len() == shard_len {
            encoder.add_original_shard(shard)?;
        } else {
            encoder.add_original_shard(padded(shard, shard_len))?;
        }
    }
    Ok(encoder.encode()?.recovery_iter().map(<[u8]>::to_vec).collect())
}

/// The access unit of `length` bytes in `data` data shards, of which `shards` came: as many of each block as it has
/// data shards, whether data or parity. `None` when they are fewer, or of a wrong length.
pub(crate) fn join(length: usize, data: u16, parity: u16, shards: &BTreeMap<u16, Bytes>) -> Option<Bytes> {
    if let Some(only) = shards.get(&0).filter(|_| data == 1) {
        return Some(only.clone());
    }
    let shard_len = shard_len(length, data);
    let mut unit = vec![0; usize::from(data) * shard_len];
    for (&index, shard) in shards.range(..data) {
        unit.get_mut(usize::from(index) * shard_len..)?.get_mut(..shard.len())?.copy_from_slice(shard);
    }
    if shards.range(..data).count() < usize::from(data) {
        let blocks = blocks(data);
        for number in 0..blocks {
            repair_block(&mut unit, shard_len, Block { data, parity, blocks, number }, shards)?;
        }
    }
    unit.truncate(length);
    Some(unit.into())
}

/// One block of an access unit.
#[derive(Clone, Copy)]
struct Block {
    data: u16,
    parity: u16,
    blocks: u16,
    number: u16,
}

impl Block {
    fn data_indices(self) -> impl Iterator<Item = u16> + Clone {
        (self.number..self.data).step_by(usize::from(self.blocks))
    }

    fn parity_indices(self) -> impl Iterator<Item = u16> + Clone {
        (self.number..self.parity).step_by(usize::from(self.blocks)).map(move |index| self.data + index)
    }
}

/// Computes the missing data shards of one block into their places in `unit`.
fn repair_block(
    unit: &mut [u8],
    shard_len: usize,
    block: Block,
    shards: &BTreeMap<u16, Bytes>,
) -> Option<()> {
    let missing: Vec<u16> = block.data_indices().filter(|index| !shards.contains_key(index)).collect();
    if missing.is_empty() {
        return Some(());
    }
    let place = |index: u16| usize::from(index) * shard_len..(usize::from(index) + 1) * shard_len;
    let data = block.data_indices().count();
    let parity = block.parity_indices().count();
    if let (&[lost], true) = (missing.as_slice(), data == 1 || parity == 1) {
        let (_, came) = block.parity_indices().find_map(|index| shards.get_key_value(&index))?;
        let others = block.data_indices().filter(|&index| index != lost).map(|index| &unit[place(index)]);
        let repaired = exclusive_or(others.chain([&came[..]]), shard_len);
        unit[place(lost)].copy_from_slice(&repaired);
        return Some(());
    }
    let mut decoder = ReedSolomonDecoder::new(data, parity, shard_len).ok()?;
    for (position, index) in block.data_indices().enumerate() {
        if shards.contains_key(&index) {
            decoder.add_original_shard(position, &unit[place(index)]).ok()?;
        }
    }
    let came = block.parity_indices().enumerate().filter_map(|(at, index)| Some((at, shards.get(&index)?)));
    for (position, shard) in came.take(missing.len()) {
        decoder.add_recovery_shard(position, shard).ok()?;
    }
    let repaired = decoder.decode().ok()?;
    for (position, index) in block.data_indices().enumerate() {
        if let Some(shard) = repaired.restored_original(position) {
            unit[place(index)].copy_from_slice(shard);
        }
    }
    Some(())
}

fn padded(shard: &[u8], len: usize) -> Vec<u8> {
    let mut padded = shard.to_vec();
    padded.resize(len, 0);
    padded
}

fn exclusive_or<'a>(shards: impl Iterator<Item = &'a [u8]>, len: usize) -> Vec<u8> {
    let mut sum = vec![0; len];
    for shard in shards {
        for (sum, byte) in sum.iter_mut().zip(shard) {
            *sum ^= byte;
        }
    }
    sum
}

const _: () = assert!(MAX_BLOCK as usize <= 32_768, "a block and as much parity is a code over GF(2¹⁶)");

#[cfg(test)]
mod tests {
    use pf_proto::media::max_parity;
    use proptest::prelude::*;

    use super::*;

    /// An access unit of `length` bytes, all different in some way, cut into `data` shards with `parity` more.
    fn coded(length: usize, data: u16, parity: u16) -> (Vec<u8>, Vec<Bytes>) {
        let unit: Vec<u8> = (0..length).map(|at| (at * 31 + (at >> 8) * 7) as u8).collect();
        let shard_len = shard_len(length, data);
        let shards: Vec<&[u8]> = unit.chunks(shard_len).collect();
        let parity = super::parity(&shards, shard_len, parity);
        let all = shards.iter().map(|shard| shard.to_vec()).chain(parity).map(Bytes::from).collect();
        (unit, all)
    }

    fn but(shards: &[Bytes], lost: &[u16]) -> BTreeMap<u16, Bytes> {
        (0..).zip(shards.iter().cloned()).filter(|(index, _)| !lost.contains(index)).collect()
    }

    /// The code is part of the protocol: another release of the library that computes another one would leave old and
    /// new programs unable to repair what the other sent.
    #[test]
    fn the_code_is_the_one_that_it_was() {
        let parity = |data: u16, count| -> Vec<Vec<u8>> {
            let (_, shards) = coded(usize::from(data) * 4 - 1, data, count);
            shards[data.into()..].iter().map(|shard| shard.to_vec()).collect()
        };
        assert_eq!(parity(1, 2), [[0_u8, 31, 62, 0]; 2], "copies, padded");
        assert_eq!(parity(3, 1), [[0x84_u8, 0x93, 0xb2, 0x84]], "exclusive or");
        assert_eq!(parity(3, 2), REED_SOLOMON_3_2);
    }

    #[test]
    fn the_length_is_known_to_who_lost_the_last_shard() {
        for length in [9, 10, 11, 12] {
            for parity in [1, 2] {
                let (unit, shards) = coded(length, 3, parity);
                assert_eq!(join(length, 3, parity, &but(&shards, &[2])).unwrap(), unit);
            }
        }
    }

    /// A burst of eight in a row takes no more than its share of each block.
    #[test]
    fn a_burst_is_spread_over_the_blocks() {
        let (unit, shards) = coded(1200, 600, 9);
        for start in [0, 1, 300, 591, 600] {
            let lost: Vec<u16> = (start..start + 8).collect();
            assert_eq!(join(1200, 600, 9, &but(&shards, &lost)).unwrap(), unit);
        }
        let of_one_block: Vec<u16> = (0..4).map(|n| n * 3).collect();
        assert_eq!(join(1200, 600, 9, &but(&shards, &of_one_block)), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn as_many_as_the_parity_of_its_block_may_be_lost_and_no_more(
            wanted in prop_oneof![1..5_u16, 1..60_u16, 250..600_u16],
            odd in 0..2_usize,
            parity in 0..20_u16,
            order in any::<u64>(),
        ) {
            let length = usize::from(wanted) * 6 - odd;
            let data = length.div_ceil(shard_len(length, wanted)) as u16;
            let parity = parity.min(max_parity(data));
            let (unit, shards) = coded(length, data, parity);
            let blocks = blocks(data);
            // Of each block as many as it has parity shards, chosen by a small generator.
            let mut noise = order | 1;
            let mut lost = Vec::new();
            for number in 0..blocks {
                let block = Block { data, parity, blocks, number };
                let mut indices: Vec<u16> = block.data_indices().chain(block.parity_indices()).collect();
                for _ in block.parity_indices() {
                    noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    lost.push(indices.swap_remove((noise >> 33) as usize % indices.len()));
                }
            }
            let joined = join(length, data, parity, &but(&shards, &lost));
            prop_assert_eq!(joined.as_deref(), Some(&unit[..]));
            let data_left = (0..data).find(|index| !lost.contains(index) && index % blocks == 0);
            if let Some(one_more) = data_left {
                lost.push(one_more);
                prop_assert_eq!(join(length, data, parity, &but(&shards, &lost)), None);
            }
        }
    }

    /// The parity of the shards 00 1f 3e 5d, 7c 9b ba d9 and f8 17 36 00.
    const REED_SOLOMON_3_2: [[u8; 4]; 2] = [[246, 113, 28, 177], [114, 226, 174, 53]];
}
