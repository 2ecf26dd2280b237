//! A UDP relay between a client and a host that delays and loses packets, by a seed.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::UdpSocket,
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// What the relay does to each packet, either way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    /// How long it takes one way.
    pub(crate) delay: Duration,
    /// How many of 10 000 packets are lost.
    pub(crate) loss: u64,
    /// Which ones.
    pub(crate) seed: u64,
}

/// Forwards between one client and `host` for as long as it lives.
pub(crate) struct Relay {
    /// Where the client dials.
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Relay {
    pub(crate) async fn start(host: SocketAddr, path: Path) -> Self {
        let front = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let back = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        back.connect(host).await.unwrap();
        let address = front.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        let (to_host, from_client) = mpsc::unbounded_channel();
        let (to_client, from_host) = mpsc::unbounded_channel();
        tasks.spawn(take_in_first(Arc::clone(&front), Arc::clone(&back), path, to_host, to_client));
        tasks.spawn(deliver(Arc::clone(&back), from_client));
        tasks.spawn(deliver(front, from_host));
        Self { address, _tasks: tasks }
    }
}

type Line = mpsc::UnboundedSender<(Instant, Vec<u8>)>;

/// Learns from the first packet where the client is, then takes in packets of both sides.
async fn take_in_first(
    front: Arc<UdpSocket>,
    back: Arc<UdpSocket>,
    path: Path,
    to_host: Line,
    to_client: Line,
) {
    let mut buffer = [0; 2048];
    let (_, client) = front.peek_from(&mut buffer).await.unwrap();
    front.connect(client).await.unwrap();
    tokio::join!(
        take_in(&front, path, to_host),
        take_in(&back, Path { seed: !path.seed, ..path }, to_client)
    );
}

async fn take_in(socket: &UdpSocket, path: Path, line: Line) {
    let mut dice = Dice(path.seed);
    let mut buffer = [0; 2048];
    loop {
        // An error is an answer of the system to an earlier packet: nobody listens there any more.
        let Ok(len) = socket.recv(&mut buffer).await else { continue };
        if dice.roll() % 10_000 >= path.loss {
            let _ = line.send((Instant::now() + path.delay, buffer[..len].to_vec()));
        }
    }
}

async fn deliver(socket: Arc<UdpSocket>, mut line: mpsc::UnboundedReceiver<(Instant, Vec<u8>)>) {
    while let Some((due, packet)) = line.recv().await {
        sleep_until(due).await;
        let _ = socket.send(&packet).await;
    }
}

/// `SplitMix64`: enough to spread losses, and the same for one seed everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
