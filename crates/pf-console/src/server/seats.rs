//! How many connections there may be, in all and from one address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use crate::network::Network;

/// The connections that are open; clones count the same ones.
#[derive(Clone, Default)]
pub(super) struct Seats(Arc<Mutex<HashMap<Network, usize>>>);

/// One connection's place, until it is dropped.
pub(super) struct Seat {
    seats: Seats,
    network: Network,
}

impl Seats {
    /// A place for one more from an address, where there is one.
    pub(super) fn take(&self, from: IpAddr) -> Option<Seat> {
        let network = Network::of(from);
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let there = taken.get(&network).copied().unwrap_or_default();
        if all >= MAX_IN_ALL || there >= MAX_FROM_ONE {
            return None;
        }
        taken.insert(network, there + 1);
        Some(Seat { seats: self.clone(), network })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = taken.get_mut(&self.network) {
            *there -= 1;
            if *there == 0 {
                taken.remove(&self.network);
            }
        }
    }
}

/// Connections in all: some ten browsers with a few tabs each, and as many scripts.
const MAX_IN_ALL: usize = 256;
/// Connections from one address: nobody can have all of them.
const MAX_FROM_ONE: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [192, 168, 1, last].into()
    }

    /// One machine on the network opens connections until nobody else gets one.
    #[test]
    fn inv_50_one_address_cannot_have_all_connections() {
        let seats = Seats::default();
        let mut taken: Vec<_> = (0..32).map(|_| seats.take(address(1)).unwrap()).collect();
        assert!(seats.take(address(1)).is_none());
        assert!(seats.take(address(2)).is_some());
        taken.pop();
        assert!(seats.take(address(1)).is_some());
    }

    /// Many machines, or one with many addresses, open connections until the host has no memory left.
    #[test]
    fn inv_50_there_are_only_so_many_connections() {
        let seats = Seats::default();
        let taken: Vec<_> = (0..256).map(|number| seats.take(address(number as u8)).unwrap()).collect();
        assert!(seats.take("fd00::1".parse().unwrap()).is_none());
        drop(taken);
        assert!(seats.take("fd00::1".parse().unwrap()).is_some());
        assert!(seats.0.lock().unwrap().is_empty(), "nothing is kept of those who left");
    }
}
