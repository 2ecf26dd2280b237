//! A relay of UDP packets: another address for a client, and the network in between.
//!
//! Each direction has two threads: one takes packets in and decides what becomes of them, the other delivers each when
//! its time has come.

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use crate::{
    lane::{Lane, Passed, STOP_WITHIN, Shared},
    network::{Direction, Network},
};

/// A relay for one client at a time: the host sees it at another address.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Relay {
    /// A relay to `host`, which sees packets from `seen_from`, such as 127.0.0.2; a network without flaws.
    ///
    /// # Panics
    /// When there is no such address to send from.
    pub fn start(seen_from: impl Into<IpAddr>, host: SocketAddr) -> Self {
        let [front, back] = [IpAddr::from([127, 0, 0, 1]), seen_from.into()].map(|address| {
            let socket = UdpSocket::bind((address, 0)).expect("a port to relay by");
            socket.set_read_timeout(Some(STOP_WITHIN)).expect("a time to wait");
            Arc::new(socket)
        });
        back.connect(host).expect("a way to the host");
        let address = front.local_addr().expect("it is bound");
        let (shared, client) = (Arc::new(Shared::default()), Arc::new(Mutex::new(None)));
        // A packet that a busy or dead socket does not take is one that a network loses.
        let (to_host, deliver_to_host) = Lane::start(Direction::ToHost, &shared, HEADERS, {
            let back = Arc::clone(&back);
            move |packet| _ = back.send(packet)
        });
        let (to_client, deliver_to_client) = Lane::start(Direction::ToClient, &shared, HEADERS, {
            let (front, client) = (Arc::clone(&front), Arc::clone(&client));
            move |packet| {
                let client: Option<SocketAddr> = *client.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(client) = client {
                    _ = front.send_to(packet, client);
                }
            }
        });
        let heard = move |from| *client.lock().unwrap_or_else(PoisonError::into_inner) = Some(from);
        let threads = vec![
            take_in(front, &shared, to_host, heard),
            take_in(back, &shared, to_client, |_| {}),
            deliver_to_host,
            deliver_to_client,
        ];
        Self { address, shared, threads }
    }

    /// Makes the network another from the next packet on.
    pub fn set(&self, network: Network) {
        self.shared.set(network);
    }

    /// What has become of packets to the client so far.
    pub fn passed(&self) -> Passed {
        self.shared.passed()
    }

    /// What a client dials.
    pub fn socket_address(&self) -> SocketAddr {
        self.address
    }

    /// What a client dials, as a person types it.
    pub fn address(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.end();
        for thread in self.threads.drain(..) {
            // It panicked only where the test did.
            let _ = thread.join();
        }
    }
}

fn take_in(
    socket: Arc<UdpSocket>,
    shared: &Arc<Shared>,
    mut lane: Lane,
    heard_from: impl Fn(SocketAddr) + Send + 'static,
) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        let mut buffer = vec![0; usize::from(u16::MAX)];
        while !shared.is_over() {
            match socket.recv_from(&mut buffer) {
                Ok((length, from)) => {
                    heard_from(from);
                    lane.take(&buffer[..length]);
                }
                // Nothing came for a while; or an earlier packet met a closed port.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(error) => panic!("{error}"),
            }
        }
    })
}

/// What UDP and IPv4 add to a packet, in bytes.
const HEADERS: usize = 28;
