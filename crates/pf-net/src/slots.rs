//! How many of something there may be at once: in all, and from one address.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::address::Origin;

/// A bound on how many there are at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    /// In all.
    pub total: usize,
    /// From one IPv4 address or one /64 of IPv6.
    pub per_address: usize,
}

/// Counts what is taken of a [`Cap`].
#[derive(Debug)]
pub(crate) struct Slots {
    cap: Cap,
    taken: Mutex<Taken>,
}

/// One place of a [`Cap`]; dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    origin: Origin,
}

/// What becomes of a packet that wants to start a handshake.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The handshake may go on, and counts until the slot is dropped.
    Accept(Slot),
    /// The client must first show that it receives what is sent to its address. Nothing is kept of it meanwhile.
    Retry,
    /// There is no place.
    Refuse,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_origin: HashMap<Origin, usize>,
}

impl Slots {
    pub(crate) fn new(cap: Cap) -> Arc<Self> {
        Arc::new(Self { cap, taken: Mutex::default() })
    }

    /// Takes a place, where there is one.
    pub(crate) fn take(self: &Arc<Self>, origin: Origin) -> Option<Slot> {
        let mut taken = self.taken();
        if !taken.leaves_room(self.cap, origin) {
            return None;
        }
        taken.total += 1;
        *taken.by_origin.entry(origin).or_default() += 1;
        Some(Slot { slots: Arc::clone(self), origin })
    }

    /// Takes a place for a handshake of a client whose address may be made up.
    ///
    /// An address that nobody has shown to be theirs gets at most half of the places, in all and of its own. Else
    /// whoever writes other people's addresses on packets could fill those people's places, or everybody's.
    pub(crate) fn consider(self: &Arc<Self>, origin: Origin, address_validated: bool) -> Verdict {
        let half = Cap { total: self.cap.total / 2, per_address: self.cap.per_address / 2 };
        if !address_validated && !self.taken().leaves_room(half, origin) {
            return Verdict::Retry;
        }
        self.take(origin).map_or(Verdict::Refuse, Verdict::Accept)
    }

    /// How many are taken.
    pub(crate) fn count(&self) -> usize {
        self.taken().total
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // The counts are whole between any two statements, so a panic elsewhere leaves nothing to distrust.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn leaves_room(&self, cap: Cap, origin: Origin) -> bool {
        self.total < cap.total && self.by_origin.get(&origin).is_none_or(|&count| count < cap.per_address)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken();
        taken.total -= 1;
        if let Some(count) = taken.by_origin.get_mut(&self.origin) {
            *count -= 1;
            if *count == 0 {
                taken.by_origin.remove(&self.origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: Cap = Cap { total: 6, per_address: 4 };

    fn origin(last: u8) -> Origin {
        Origin::of(([192, 0, 2, last], 1).into())
    }

    /// One address must not take every place, and all together no more than there are.
    #[test]
    fn places_run_out_per_address_and_in_all() {
        let slots = Slots::new(CAP);
        let mut held: Vec<_> = (0..4).map(|_| slots.take(origin(1)).unwrap()).collect();
        assert!(slots.take(origin(1)).is_none());
        held.extend((0..2).map(|_| slots.take(origin(2)).unwrap()));
        assert!(slots.take(origin(3)).is_none());
        assert_eq!(slots.count(), 6);
    }

    /// A flood that is over must leave nothing behind, in memory neither.
    #[test]
    fn a_dropped_slot_is_free_again_and_forgotten() {
        let slots = Slots::new(CAP);
        let held: Vec<_> = (0..4).map(|_| slots.take(origin(1)).unwrap()).collect();
        drop(held);
        assert_eq!(slots.count(), 0);
        assert!(slots.taken().by_origin.is_empty());
        assert!(slots.take(origin(1)).is_some());
    }

    /// Packets with made-up sources must not lock the real owner of such an address out.
    #[test]
    fn unproven_addresses_get_half_of_the_places() {
        let slots = Slots::new(CAP);
        let accept = |last, validated| match slots.consider(origin(last), validated) {
            Verdict::Accept(slot) => Ok(slot),
            other => Err(other),
        };
        let _spoofed = (accept(1, false).unwrap(), accept(1, false).unwrap());
        assert!(matches!(accept(1, false), Err(Verdict::Retry)), "half of one address");
        let _owner = (accept(1, true).unwrap(), accept(1, true).unwrap());
        assert!(matches!(accept(1, true), Err(Verdict::Refuse)), "all of one address");
        assert!(matches!(accept(2, false), Err(Verdict::Retry)), "half in all");
        assert!(accept(2, true).is_ok());
    }
}
