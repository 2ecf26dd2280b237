//! Addresses as people and caps count them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The address as it is known everywhere else: IPv4 as IPv4, also when it came through a dual-stack socket.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(v4) => SocketAddr::from((v4, address.port())),
        // Keeps the scope, without which a link-local address leads nowhere.
        IpAddr::V6(_) => address,
    }
}

/// Whoever is behind one address, for counting: a whole IPv4 address, or a /64 of IPv6.
///
/// A single machine usually owns a whole /64, so counting single IPv6 addresses would count nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin(IpAddr);

impl Origin {
    pub(crate) fn of(address: SocketAddr) -> Self {
        match address.ip().to_canonical() {
            IpAddr::V6(v6) => Self(Ipv6Addr::from_bits(v6.to_bits() & NETWORK_64).into()),
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

/// The upper half of an IPv6 address.
const NETWORK_64: u128 = !0 << 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::of(text.parse().unwrap())
    }

    #[test]
    fn an_ipv4_address_is_the_same_through_either_kind_of_socket() {
        assert_eq!(origin("[::ffff:192.0.2.7]:5"), origin("192.0.2.7:6"));
        assert_ne!(origin("192.0.2.7:5"), origin("192.0.2.8:5"));
        let mapped = "[::ffff:192.0.2.7]:5".parse().unwrap();
        assert_eq!(canonical(mapped), "192.0.2.7:5".parse().unwrap());
    }

    /// One machine with a /64 of its own must not count as 2^64 machines.
    #[test]
    fn a_64_of_ipv6_is_one_origin() {
        assert_eq!(origin("[2001:db8::1]:5"), origin("[2001:db8::ffff:1:2:3]:5"));
        assert_ne!(origin("[2001:db8::1]:5"), origin("[2001:db8:0:1::1]:5"));
    }

    #[test]
    fn a_link_local_address_keeps_its_scope() {
        let link_local = std::net::SocketAddrV6::new("fe80::1".parse().unwrap(), 5, 0, 3).into();
        assert_eq!(canonical(link_local), link_local);
    }
}
