//! Where browsers find the console: the addresses that are worth showing to a person.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use pf_console::Reach;

/// Interfaces that programs make for themselves: no other machine is behind them.
const INSIDE: [&str; 6] = ["docker", "br-", "veth", "virbr", "lxc", "podman"];

/// The address that other machines reach a console by that listens on `listening`, as a URL has it. Where there is none
/// at which they are let in, it is this machine's own, for itself.
pub(super) fn authority(listening: SocketAddr, reach: Reach) -> SocketAddr {
    let address = if listening.ip().is_unspecified() {
        this_machine(reach).unwrap_or(LOOPBACK)
    } else {
        listening.ip()
    };
    SocketAddr::new(address, listening.port())
}

/// The URL under which networks know a machine that say names by themselves.
pub(super) fn by_name(machine: &str, port: u16) -> String {
    let name = machine.split('.').next().unwrap_or_default().to_lowercase();
    format!("https://{name}.local:{port}/")
}

/// The IPv4 address of this machine that others are the most likely to reach it by.
fn this_machine(reach: Reach) -> Option<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let addresses = interfaces.iter().filter_map(|interface| match interface.ip() {
        IpAddr::V4(address) => Some((interface.name.as_str(), address)),
        IpAddr::V6(_) => None,
    });
    best(addresses, reach).map(IpAddr::V4)
}

/// The best of some interfaces' addresses: a private one first, and one that leads out of the machine. Whoever shares a
/// network with one that is not private comes from one that is not, and is let in only where the owner said so.
fn best<'a>(addresses: impl Iterator<Item = (&'a str, Ipv4Addr)>, reach: Reach) -> Option<Ipv4Addr> {
    addresses
        .filter(|(_, address)| !address.is_loopback() && !address.is_link_local())
        .filter(|(_, address)| reach.admits((*address).into()))
        .min_by_key(|(name, address)| {
            let stays_inside = INSIDE.iter().any(|inside| name.starts_with(inside));
            (stays_inside, !address.is_private())
        })
        .map(|(_, address)| address)
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[cfg(test)]
mod tests {
    use super::*;

    fn best_of(addresses: &[(&'static str, [u8; 4])], reach: Reach) -> Option<Ipv4Addr> {
        best(addresses.iter().map(|(name, octets)| (*name, Ipv4Addr::from(*octets))), reach)
    }

    /// An address that no other machine reaches is of no use on another screen.
    #[test]
    fn the_address_is_the_one_that_others_reach() {
        let lo = ("lo", [127, 0, 0, 1]);
        let wired = ("enp3s0", [192, 168, 1, 20]);
        let docker = ("docker0", [172, 17, 0, 1]);
        let public = ("ens4", [203, 0, 113, 9]);
        let no_lease = ("wlan0", [169, 254, 7, 7]);
        for reach in [Reach::Local, Reach::Public] {
            assert_eq!(best_of(&[lo, docker, wired], reach), Some([192, 168, 1, 20].into()));
            assert_eq!(best_of(&[wired, docker], reach), Some([192, 168, 1, 20].into()));
            assert_eq!(best_of(&[public, wired], reach), Some([192, 168, 1, 20].into()));
            assert_eq!(best_of(&[lo, docker], reach), Some([172, 17, 0, 1].into()));
            assert_eq!(best_of(&[lo, no_lease], reach), None);
        }
        assert_eq!(best_of(&[lo, public, no_lease], Reach::Public), Some([203, 0, 113, 9].into()));
    }

    /// The only link that a person has leads to an address where nobody is let in.
    #[test]
    fn an_address_where_nobody_is_let_in_is_not_shown() {
        let machine = [("lo", [127, 0, 0, 1]), ("ens4", [203, 0, 113, 9])];
        assert_eq!(best_of(&machine, Reach::Local), None);
    }

    #[test]
    fn a_chosen_address_is_shown_as_it_is() {
        for shown in ["192.168.1.4:9777", "[::1]:9777"] {
            let shown = shown.parse().unwrap();
            assert_eq!(authority(shown, Reach::Local), shown);
        }
    }
}
