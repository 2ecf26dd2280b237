//! From where a browser connects: which addresses may, and which of them count as one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses that one neighbour can have: an IPv4 address, or a /64 of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network(IpAddr);

impl Network {
    /// The network of an address; an IPv4 address that is written as IPv6 is that IPv4 address.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => Self(Ipv6Addr::from_bits(v6.to_bits() & NETWORK_64).into()),
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

/// Who may connect at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This machine and private and link-local networks.
    Local,
    /// Whoever gets through: the owner asked for it.
    Public,
}

impl Reach {
    /// Whether a peer may connect.
    pub fn admits(self, peer: IpAddr) -> bool {
        self == Self::Public
            || match peer.to_canonical() {
                IpAddr::V4(v4) => is_local_v4(v4),
                IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
            }
    }
}

fn is_local_v4(address: Ipv4Addr) -> bool {
    address.is_loopback() || address.is_private() || address.is_link_local()
}

const NETWORK_64: u128 = !0 << 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// A port forward that nobody remembers puts the console on the Internet.
    #[test]
    fn r8_only_local_peers_may_connect_unless_the_owner_says_so() {
        let table = [
            ("127.0.0.1", true),
            ("127.255.0.3", true),
            ("10.0.0.1", true),
            ("10.255.255.255", true),
            ("11.0.0.1", false),
            ("172.15.255.255", false),
            ("172.16.0.1", true),
            ("172.31.255.255", true),
            ("172.32.0.1", false),
            ("192.168.0.1", true),
            ("192.169.0.1", false),
            ("169.254.10.10", true),
            ("100.64.0.1", false),
            ("203.0.113.9", false),
            ("0.0.0.0", false),
            ("224.0.0.251", false),
            ("255.255.255.255", false),
            ("::1", true),
            ("::", false),
            ("fc00::1", true),
            ("fdff:ffff::1", true),
            ("fe00::1", false),
            ("fe80::1", true),
            ("febf::1", true),
            ("fec0::1", false),
            ("2001:db8::1", false),
            ("ff02::1", false),
            ("::ffff:192.168.1.4", true),
            ("::ffff:127.0.0.1", true),
            ("::ffff:203.0.113.9", false),
            // Not a mapped address, whatever it looks like.
            ("::192.168.1.4", false),
            ("64:ff9b::192.168.1.4", false),
        ];
        for (peer, expected) in table {
            let peer = peer.parse().unwrap();
            assert_eq!(Reach::Local.admits(peer), expected, "{peer}");
            assert!(Reach::Public.admits(peer), "{peer}");
        }
    }

    #[test]
    fn a_mapped_address_is_the_address_that_it_maps() {
        let of = |address: &str| Network::of(address.parse().unwrap());
        assert_eq!(of("::ffff:192.168.1.4"), of("192.168.1.4"));
        assert_ne!(of("::ffff:192.168.1.4"), of("::ffff:192.168.1.5"));
        assert_eq!(of("fe80::1"), of("fe80::ffff:1"));
    }
}
