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
        for block in 0..blocks {
            repair_block(&mut unit, shard_len, Block { data, parity, blocks, block }, shards)?;
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
    block: u16,
}

impl Block {
    fn data_indices(self) -> impl Iterator<Item = u16> + Clone {
        (self.block..self.data).step_by(usize::from(self.blocks))
    }

    fn parity_indices(self) -> impl Iterator<Item = u16> + Clone {
        (self.block..self.parity).step_by(usize::from(self.blocks)).map(move |index| self.data + index)
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
