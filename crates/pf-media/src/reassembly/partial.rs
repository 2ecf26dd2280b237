//! One access unit of which some shards have come.

use std::collections::BTreeMap;

use bytes::Bytes;
use pf_proto::media::{Header, blocks};

use super::Malformed;
use crate::{fec, time::Micros};

/// The shards of one access unit so far, and what they agree on.
#[derive(Debug)]
pub(super) struct Partial {
    /// The header of the first shard that came; the others differ in their index alone.
    header: Header,
    shards: BTreeMap<u16, Bytes>,
    /// How many shards each block still needs, of whichever kind.
    needed: Vec<u16>,
    /// The bytes of all shards.
    len: usize,
    last_shard: Micros,
    completed: Option<Micros>,
}

/// What became of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    New,
    Duplicate,
    /// Its block needs no more.
    Surplus,
}

impl Partial {
    /// An access unit of which `header` is known, and no shard.
    pub(super) fn new(header: &Header, now: Micros) -> Self {
        let blocks = blocks(header.data);
        let needed = (0..blocks).map(|block| (header.data - block).div_ceil(blocks)).collect();
        Self { header: *header, shards: BTreeMap::new(), needed, len: 0, last_shard: now, completed: None }
    }

    /// Whether a shard can be of this access unit.
    pub(super) fn check(&self, header: &Header) -> Result<(), Malformed> {
        let same_index = Header { index: self.header.index, ..*header };
        if same_index == self.header { Ok(()) } else { Err(Malformed::Disagrees) }
    }

    /// What would become of a shard; [`add`](Self::add) takes in a new one only.
    pub(super) fn fate(&self, header: &Header) -> Added {
        if self.shards.contains_key(&header.index) {
            Added::Duplicate
        } else if self.needed.get(usize::from(header.block())) == Some(&0) {
            Added::Surplus
        } else {
            Added::New
        }
    }

    /// Whether this shard is the last that is needed and then some are to be repaired: how many blocks.
    pub(super) fn repairs_with(&self, header: &Header) -> usize {
        let completes = self.needed.iter().map(|&needed| u32::from(needed)).sum::<u32>() == 1;
        let has_parity = header.is_parity() || self.shards.range(self.header.data..).next().is_some();
        if completes && has_parity { self.needed.len() } else { 0 }
    }

    /// Takes in a shard that passed [`check`](Self::check), and says what became of it.
    pub(super) fn add(&mut self, header: &Header, shard: &[u8], now: Micros) -> Added {
        let fate = self.fate(header);
        if fate == Added::New {
            self.shards.insert(header.index, Bytes::copy_from_slice(shard));
            self.len += shard.len();
            self.last_shard = now;
            if let Some(needed) = self.needed.get_mut(usize::from(header.block())) {
                *needed -= 1;
            }
            if self.needed.iter().all(|&needed| needed == 0) {
                self.completed = Some(now);
            }
        }
        fate
    }

    pub(super) fn is_key(&self) -> bool {
        self.header.is_key()
    }

    /// How far before this one the frame is that must have been decoded; 0 for a key frame.
    pub(super) fn reference(&self) -> u64 {
        self.header.reference.into()
    }

    pub(super) fn captured(&self) -> Micros {
        Micros(self.header.captured)
    }

    /// When the last shard came that was of use.
    pub(super) fn last_shard(&self) -> Micros {
        self.last_shard
    }

    /// When the last shard came that was needed.
    pub(super) fn completed(&self) -> Option<Micros> {
        self.completed
    }

    /// What the shards cost in memory.
    pub(super) fn cost(&self) -> usize {
        self.len + self.shards.len() * SHARD_OVERHEAD
    }

    /// How many data shards are to be computed.
    pub(super) fn missing(&self) -> u64 {
        u64::from(self.header.data) - self.shards.range(..self.header.data).count() as u64
    }

    /// The access unit, repaired where that is needed. `None` while shards are needed.
    pub(super) fn into_bytes(self) -> Option<Bytes> {
        fec::join(self.header.length as usize, self.header.data, self.header.parity, &self.shards)
    }
}

/// What one shard costs in memory.
pub(super) fn cost(shard: &[u8]) -> usize {
    shard.len() + SHARD_OVERHEAD
}

/// What keeping one shard costs beside its bytes: its place in the map, its counters, and the allocator's own, rounded
/// up. Without it shards of one byte would fill the memory many times over.
const SHARD_OVERHEAD: usize = 96;
