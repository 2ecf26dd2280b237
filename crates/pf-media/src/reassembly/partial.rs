//! One access unit of which some shards have come.

use std::collections::BTreeMap;

use bytes::Bytes;
use pf_proto::media::Header;

use super::Malformed;
use crate::{packet::MAX_ACCESS_UNIT, time::Micros};

/// The shards of one access unit so far, and what they agree on.
#[derive(Debug)]
pub(super) struct Partial {
    /// The header of the first shard that came; the others differ in their index alone.
    header: Header,
    shards: BTreeMap<u16, Box<[u8]>>,
    /// The bytes of all shards.
    len: usize,
    last_shard: Micros,
    completed: Option<Micros>,
}

/// What became of a shard.
pub(super) enum Added {
    New,
    Duplicate,
}

impl Partial {
    /// An access unit of which `header` is known, and no shard.
    pub(super) fn new(header: &Header, now: Micros) -> Self {
        Self { header: *header, shards: BTreeMap::new(), len: 0, last_shard: now, completed: None }
    }

    /// Whether a shard can be of this access unit.
    pub(super) fn check(&self, header: &Header, shard: &[u8]) -> Result<(), Malformed> {
        let same_index = Header { index: self.header.index, ..*header };
        if same_index != self.header {
            return Err(Malformed::Disagrees);
        }
        if header.is_parity() || self.shards.contains_key(&header.index) {
            return Ok(());
        }
        if !self.fits_length(header.index, shard.len()) {
            return Err(Malformed::Disagrees);
        }
        if self.len + shard.len() > MAX_ACCESS_UNIT {
            return Err(Malformed::TooLong);
        }
        Ok(())
    }

    /// Takes in a data shard that passed [`check`](Self::check).
    pub(super) fn add(&mut self, index: u16, shard: &[u8], now: Micros) -> Added {
        if self.shards.contains_key(&index) {
            return Added::Duplicate;
        }
        self.shards.insert(index, shard.into());
        self.len += shard.len();
        self.last_shard = now;
        if self.shards.len() == usize::from(self.header.data) {
            self.completed = Some(now);
        }
        Added::New
    }

    pub(super) fn is_key(&self) -> bool {
        self.header.key
    }

    pub(super) fn captured(&self) -> Micros {
        Micros(self.header.captured)
    }

    /// When the last shard came that was new.
    pub(super) fn last_shard(&self) -> Micros {
        self.last_shard
    }

    /// When the last of all data shards came.
    pub(super) fn completed(&self) -> Option<Micros> {
        self.completed
    }

    /// What the shards cost in memory.
    pub(super) fn cost(&self) -> usize {
        self.len + self.shards.len() * SHARD_OVERHEAD
    }

    /// The shards, end to end.
    pub(super) fn into_bytes(mut self) -> Bytes {
        if self.shards.len() == 1
            && let Some((_, only)) = self.shards.pop_first()
        {
            return Bytes::from(only);
        }
        let mut bytes = Vec::with_capacity(self.len);
        for shard in self.shards.values() {
            bytes.extend_from_slice(shard);
        }
        Bytes::from(bytes)
    }

    /// Whether a shard of this length fits those that came: all but the last are of one length, the last not longer.
    fn fits_length(&self, index: u16, len: usize) -> bool {
        let last = self.header.data - 1;
        let of_last = self.shards.get(&last).map(|shard| shard.len());
        let of_others =
            self.shards.first_key_value().filter(|&(&index, _)| index < last).map(|(_, shard)| shard.len());
        if index == last {
            of_others.is_none_or(|others| len <= others)
        } else {
            of_others.is_none_or(|others| len == others) && of_last.is_none_or(|of_last| len >= of_last)
        }
    }
}

/// What one shard costs in memory.
pub(super) fn cost(shard: &[u8]) -> usize {
    shard.len() + SHARD_OVERHEAD
}

/// What keeping one shard costs beside its bytes: its place in the map and the allocator's own, rounded up. Without it
/// shards of one byte would fill the memory many times over.
const SHARD_OVERHEAD: usize = 64;
