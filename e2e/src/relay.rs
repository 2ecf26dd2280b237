//! A relay of UDP packets: another address for a client, and the network in between.
//!
//! Each direction has two threads: one takes packets in and decides what becomes of them, the other delivers each when
//! its time has come. What a seed decides is decided alike in every run, as far as the packets are the same.

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// A relay for one client at a time: the host sees it at another address.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What a network does to packets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Network {
    /// The share of packets that are lost by themselves, either way, 0 to 1.
    pub loss: f64,
    /// Packets to the client that are lost in a row, now and then.
    pub bursts: Option<Bursts>,
    /// How long a packet takes, either way.
    pub delay: Duration,
    /// What the link to the client takes.
    pub bottleneck: Option<Bottleneck>,
}

/// Losses in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bursts {
    /// Of so many packets
    pub every: u64,
    /// the last ones are lost, so many; fewer than `every`.
    pub length: u64,
}

/// A link with a queue in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bottleneck {
    /// In bits a second, UDP's and IPv4's headers counted.
    pub rate: u64,
    /// A packet that would wait for longer is dropped.
    pub queue: Duration,
}

/// What has become of packets to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Passed on.
    pub delivered: u64,
    /// Lost by themselves or in a burst.
    pub lost: u64,
    /// Found the bottleneck's queue full.
    pub dropped: u64,
}

#[derive(Debug, Default)]
struct Shared {
    network: Mutex<Network>,
    is_over: AtomicBool,
    client: Mutex<Option<SocketAddr>>,
    delivered: AtomicU64,
    lost: AtomicU64,
    dropped: AtomicU64,
}

/// A packet, and when it is to arrive.
type Packet = (Instant, Vec<u8>);

impl Relay {
    /// A relay to `host`, which sees packets from `seen_from`, such as 127.0.0.2; a network without flaws.
    pub fn start(seen_from: impl Into<IpAddr>, host: SocketAddr) -> Self {
        let [front, back] = [("127.0.0.1".parse().unwrap(), 0), (seen_from.into(), 0)]
            .map(|address: (IpAddr, u16)| Arc::new(UdpSocket::bind(address).unwrap()));
        back.connect(host).unwrap();
        let address = front.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let (to_host, from_client) = mpsc::channel();
        let (to_client, from_host) = mpsc::channel();
        let threads = vec![
            take_in(&front, &shared, to_host, Direction::ToHost),
            take_in(&back, &shared, to_client, Direction::ToClient),
            // A packet that a busy or dead socket does not take is one that a network loses.
            deliver(from_client, move |packet| _ = back.send(packet)),
            deliver(from_host, {
                let shared = Arc::clone(&shared);
                move |packet| {
                    let client = *shared.client.lock().unwrap();
                    if let Some(client) = client {
                        _ = front.send_to(packet, client);
                    }
                }
            }),
        ];
        Self { address, shared, threads }
    }

    /// Makes the network another from the next packet on.
    pub fn set(&self, network: Network) {
        *self.shared.network.lock().unwrap() = network;
    }

    /// What has become of packets to the client so far.
    pub fn passed(&self) -> Passed {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Passed {
            delivered: count(&self.shared.delivered),
            lost: count(&self.shared.lost),
            dropped: count(&self.shared.dropped),
        }
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
        self.shared.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It panicked only where the test did.
            let _ = thread.join();
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToHost,
    ToClient,
}

/// What decides about the packets of one direction.
struct Fate {
    direction: Direction,
    random: u64,
    packets: u64,
    /// Until when the bottleneck is busy with what it took.
    busy_until: Instant,
}

enum Verdict {
    ArrivesAt(Instant),
    Lost,
    Dropped,
}

impl Fate {
    fn of(direction: Direction) -> Self {
        let random = match direction {
            Direction::ToHost => 1,
            Direction::ToClient => 2,
        };
        Self { direction, random, packets: 0, busy_until: Instant::now() }
    }

    fn decide(&mut self, network: &Network, length: usize) -> Verdict {
        let now = Instant::now();
        let to_client = self.direction == Direction::ToClient;
        self.packets += 1;
        let in_burst =
            network.bursts.is_some_and(|bursts| self.packets % bursts.every >= bursts.every - bursts.length);
        if self.random() < network.loss || (to_client && in_burst) {
            return Verdict::Lost;
        }
        let mut leaves = now;
        if let Some(bottleneck) = network.bottleneck.filter(|_| to_client) {
            let begins = self.busy_until.max(now);
            if begins - now > bottleneck.queue {
                return Verdict::Dropped;
            }
            let bits = (length + HEADERS) as f64 * 8.0;
            leaves = begins + Duration::from_secs_f64(bits / bottleneck.rate as f64);
            self.busy_until = leaves;
        }
        Verdict::ArrivesAt(leaves + network.delay)
    }

    /// From 0 to 1. Knuth's MMIX generator; its upper bits are good enough to spread losses.
    fn random(&mut self) -> f64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) as f64 / f64::from(1_u32 << 31)
    }
}

fn take_in(
    socket: &Arc<UdpSocket>,
    shared: &Arc<Shared>,
    line: Sender<Packet>,
    direction: Direction,
) -> JoinHandle<()> {
    socket.set_read_timeout(Some(STOP_WITHIN)).unwrap();
    let (socket, shared) = (Arc::clone(socket), Arc::clone(shared));
    thread::spawn(move || {
        let mut buffer = vec![0; usize::from(u16::MAX)];
        let mut fate = Fate::of(direction);
        while !shared.is_over.load(Ordering::Relaxed) {
            let (length, from) = match socket.recv_from(&mut buffer) {
                Ok(received) => received,
                // Nothing came for a while; or an earlier packet met a closed port.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => continue,
                Err(error) => panic!("{error}"),
            };
            if direction == Direction::ToHost {
                *shared.client.lock().unwrap() = Some(from);
            }
            let network = *shared.network.lock().unwrap();
            let counter = match fate.decide(&network, length) {
                Verdict::ArrivesAt(due) => {
                    // Who delivers ends after us.
                    let _ = line.send((due, buffer[..length].to_vec()));
                    &shared.delivered
                }
                Verdict::Lost => &shared.lost,
                Verdict::Dropped => &shared.dropped,
            };
            if direction == Direction::ToClient {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        }
    })
}

fn deliver(line: Receiver<Packet>, send: impl Fn(&[u8]) + Send + 'static) -> JoinHandle<()> {
    thread::spawn(move || {
        for (due, packet) in line {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            send(&packet);
        }
    })
}

/// How often a relay looks whether it is to end.
const STOP_WITHIN: Duration = Duration::from_millis(50);

/// What UDP and IPv4 add to a packet, in bytes.
const HEADERS: usize = 28;
