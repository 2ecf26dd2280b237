//! Waking a host that sleeps: a magic packet to the hardware addresses that it told of itself.
//!
//! A magic packet is six bytes ff and sixteen times the address; a network card that was told to listen wakes its
//! machine on it. Nothing secret is in it and nothing answers. It goes to everybody on the networks of this machine, never
//! to an address that a host named: a host that lied of itself can have other machines of this network woken, and no more.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use if_addrs::IfAddr;
use pf_base::{Fingerprint, HardwareAddress};
use pf_store::KnownHost;
use tokio::{net::UdpSocket, time::sleep};

use crate::{Client, Failure};

/// By which way a machine is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WakeBy {
    /// By broadcasts on every network of this machine.
    Broadcast,
    /// By packets to this address: the broadcast address of a network that this machine is not on.
    Address(SocketAddr),
}

/// What was sent to wake a host. Whether it wakes, only it can tell.
#[derive(Clone, Debug)]
pub struct Woken {
    /// The host.
    pub host: KnownHost,
    /// Where packets were sent.
    pub sent_to: Vec<SocketAddr>,
}

impl Client {
    /// Sends magic packets for a known host that told its hardware addresses while it was pinned.
    pub async fn wake(&self, fingerprint: Fingerprint, by: WakeBy) -> Result<Woken, Failure> {
        let host = self.known_host(fingerprint)?;
        if host.hardware.is_empty() {
            return Err(Failure::NotWakeable(host.label));
        }
        let ways = match by {
            WakeBy::Address(address) => vec![Way { from: unspecified(address), to: address }],
            WakeBy::Broadcast => {
                let interfaces = if_addrs::get_if_addrs().map_err(|error| not_sent(&error))?;
                broadcasts(interfaces.into_iter().map(|interface| interface.addr))
            }
        };
        let mut sent_to = Vec::new();
        let mut last_error = None;
        for repeat in 0..REPEATS {
            if repeat > 0 {
                sleep(PAUSE).await;
            }
            for way in &ways {
                match way.send(&host.hardware).await {
                    Ok(()) if sent_to.contains(&way.to) => {}
                    Ok(()) => sent_to.push(way.to),
                    Err(error) => last_error = Some(error),
                }
            }
        }
        match last_error {
            Some(error) if sent_to.is_empty() => Err(not_sent(&error)),
            _ => Ok(Woken { host, sent_to }),
        }
    }
}

/// From which of this machine's addresses to where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    from: IpAddr,
    to: SocketAddr,
}

impl Way {
    async fn send(self, addresses: &[HardwareAddress]) -> io::Result<()> {
        let socket = UdpSocket::bind((self.from, 0)).await?;
        socket.set_broadcast(self.to.is_ipv4())?;
        for address in addresses {
            socket.send_to(&magic_packet(*address), self.to).await?;
        }
        Ok(())
    }
}

/// Everywhere that a broadcast of this machine reaches: the network of the default route, and that of each interface.
fn broadcasts(interfaces: impl IntoIterator<Item = IfAddr>) -> Vec<Way> {
    let limited = Way { from: Ipv4Addr::UNSPECIFIED.into(), to: (Ipv4Addr::BROADCAST, PORT).into() };
    let directed = interfaces.into_iter().filter_map(|interface| match interface {
        IfAddr::V4(v4) if !v4.ip.is_loopback() => {
            let to = v4.broadcast.filter(|to| !to.is_unspecified() && *to != v4.ip)?;
            Some(Way { from: v4.ip.into(), to: (to, PORT).into() })
        }
        IfAddr::V4(_) | IfAddr::V6(_) => None,
    });
    std::iter::once(limited).chain(directed).take(MAX_WAYS).collect()
}

/// See AMD's white paper 20213, "Magic Packet Technology".
fn magic_packet(address: HardwareAddress) -> [u8; 102] {
    let mut packet = [0xff; 102];
    for copy in packet[6..].chunks_exact_mut(6) {
        copy.copy_from_slice(&address.bytes());
    }
    packet
}

fn unspecified(like: SocketAddr) -> IpAddr {
    if like.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

fn not_sent(error: &io::Error) -> Failure {
    Failure::machine("no magic packet could be sent", error)
}

/// The port of the discard service, which magic packets are sent to by custom.
const PORT: u16 = 9;

/// How often each packet is sent, since nobody says whether one came.
const REPEATS: u32 = 3;

/// How long between two rounds.
const PAUSE: Duration = Duration::from_millis(100);

/// To how many networks packets are sent; a machine with more has bridges of its own making.
const MAX_WAYS: usize = 32;

#[cfg(test)]
mod tests {
    use if_addrs::{Ifv4Addr, Ifv6Addr};

    use super::*;

    #[test]
    fn a_magic_packet_is_six_ff_and_sixteen_times_the_address() {
        let packet = magic_packet(HardwareAddress::parse("02:1b:9c:00:10:ff").unwrap());
        assert_eq!(packet[..6], [0xff; 6]);
        let copies: Vec<_> = packet[6..].chunks(6).collect();
        assert_eq!(copies, [[0x02, 0x1b, 0x9c, 0, 0x10, 0xff]; 16]);
    }

    fn v4(ip: [u8; 4], broadcast: Option<[u8; 4]>) -> IfAddr {
        let (netmask, prefixlen) = (Ipv4Addr::new(255, 255, 255, 0), 24);
        IfAddr::V4(Ifv4Addr { ip: ip.into(), netmask, prefixlen, broadcast: broadcast.map(Into::into) })
    }

    /// A machine with a cable and a radio calls into one of the two networks only, and the host sleeps in the other.
    #[test]
    fn every_network_of_this_machine_is_called_into_and_no_other() {
        let ways = broadcasts([
            v4([127, 0, 0, 1], Some([127, 255, 255, 255])),
            v4([192, 0, 2, 7], Some([192, 0, 2, 255])),
            v4([198, 51, 100, 7], Some([198, 51, 100, 255])),
            v4([203, 0, 113, 1], None),
            IfAddr::V6(Ifv6Addr {
                ip: "2001:db8::7".parse().unwrap(),
                netmask: "ffff:ffff:ffff:ffff::".parse().unwrap(),
                prefixlen: 64,
                broadcast: None,
            }),
        ]);
        let shown: Vec<_> = ways.iter().map(|way| format!("{} {}", way.from, way.to)).collect();
        assert_eq!(
            shown,
            ["0.0.0.0 255.255.255.255:9", "192.0.2.7 192.0.2.255:9", "198.51.100.7 198.51.100.255:9"]
        );
    }
}
