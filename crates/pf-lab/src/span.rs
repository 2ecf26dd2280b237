//! Two machines and the link between them, for whole programs: everything that they send each other goes through it.
//!
//! Each machine has one interface, which is a file to this process. As in a [`crate::Relay`], a thread for each direction
//! takes packets in and decides what becomes of them, another delivers each when its time has come. The kernel's own
//! emulation (netem) is not needed.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read as _, Write as _},
    net::Ipv4Addr,
    os::fd::AsFd as _,
    path::Path,
    sync::Arc,
    thread::{self, JoinHandle},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{
    Namespace,
    lane::{Lane, Passed, STOP_WITHIN, Shared},
    network::{Direction, Network},
    tun,
};

/// A host and a client, each a machine of its own, with nothing but a link between them.
#[derive(Debug)]
pub struct Span {
    host: Namespace,
    client: Namespace,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Span {
    /// Where the host is.
    pub const HOST: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 1);
    /// Where the client is.
    pub const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 2);

    /// Two machines and a link without flaws. Needs root, network namespaces and `/dev/net/tun`.
    pub fn new() -> io::Result<Self> {
        let (host, client) = (Namespace::new("host")?, Namespace::new("client")?);
        let host_end = Arc::new(plug_in(&host, Self::HOST, Self::CLIENT)?);
        let client_end = Arc::new(plug_in(&client, Self::CLIENT, Self::HOST)?);
        let shared = Arc::new(Shared::default());
        let mut threads = Vec::new();
        for (direction, from, to) in
            [(Direction::ToHost, &client_end, &host_end), (Direction::ToClient, &host_end, &client_end)]
        {
            let (from, to) = (Arc::clone(from), Arc::clone(to));
            // A packet that the other machine does not take is one that a network loses.
            let (lane, deliver) = Lane::start(direction, &shared, 0, move |packet| _ = (&*to).write(packet));
            threads.extend([take_in(from, &shared, lane), deliver]);
        }
        Ok(Self { host, client, shared, threads })
    }

    /// The machine of the host.
    pub fn host(&self) -> &Namespace {
        &self.host
    }

    /// The machine of the client.
    pub fn client(&self) -> &Namespace {
        &self.client
    }

    /// Makes the network another from the next packet on.
    pub fn set(&self, network: Network) {
        self.shared.set(network);
    }

    /// What has become of packets to the client so far.
    pub fn passed(&self) -> Passed {
        self.shared.passed()
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        self.shared.end();
        for thread in self.threads.drain(..) {
            // It panicked only where the test did.
            let _ = thread.join();
        }
    }
}

/// Gives a machine its end of the link.
fn plug_in(machine: &Namespace, own: Ipv4Addr, other: Ipv4Addr) -> io::Result<File> {
    let device = machine.run(|| {
        let device = tun::open(INTERFACE)?;
        // A kernel with IPv6 says something on a new link by itself; one without has no such file.
        if Path::new(NO_IPV6).exists() {
            fs::write(NO_IPV6, "1")?;
        }
        io::Result::Ok(device)
    })?;
    machine.ip(&format!("addr add {own} peer {other} dev {INTERFACE}"))?;
    machine.ip(&format!("link set {INTERFACE} up"))?;
    Ok(device)
}

fn take_in(device: Arc<File>, shared: &Arc<Shared>, mut lane: Lane) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    let patience = Timespec::try_from(STOP_WITHIN).expect("it is short");
    thread::spawn(move || {
        let mut buffer = vec![0; usize::from(u16::MAX)];
        while !shared.is_over() {
            let mut wait = [PollFd::from_borrowed_fd(device.as_fd(), PollFlags::IN)];
            match poll(&mut wait, Some(&patience)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => continue,
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
            match (&*device).read(&mut buffer) {
                Ok(length) => lane.take(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("{error}"),
            }
        }
    })
}

/// The one interface of a machine.
const INTERFACE: &str = "link0";

/// Where it is told to do without IPv6, within its machine.
const NO_IPV6: &str = "/proc/sys/net/ipv6/conf/link0/disable_ipv6";

#[cfg(test)]
mod tests {
    use std::{
        net::UdpSocket,
        time::{Duration, Instant},
    };

    use super::*;

    /// A socket on each machine, connected to the other.
    fn sockets(span: &Span) -> [UdpSocket; 2] {
        let host = span.host().run(|| UdpSocket::bind((Span::HOST, 0))).unwrap();
        let client = span.client().run(|| UdpSocket::bind((Span::CLIENT, 0))).unwrap();
        host.connect(client.local_addr().unwrap()).unwrap();
        client.connect(host.local_addr().unwrap()).unwrap();
        for socket in [&host, &client] {
            socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        }
        [host, client]
    }

    /// Needs root, as every test of whole machines does.
    #[test]
    fn what_one_machine_sends_the_other_gets_late_by_the_delay() {
        let span = Span::new().unwrap();
        let delay = Duration::from_millis(20);
        span.set(Network { delay, ..Network::default() });
        let [host, client] = sockets(&span);
        let (sent, mut buffer) = (Instant::now(), [0; 16]);
        host.send(b"there").unwrap();
        assert_eq!(client.recv(&mut buffer).unwrap(), 5);
        client.send(b"back").unwrap();
        assert_eq!(host.recv(&mut buffer).unwrap(), 4);
        assert!(sent.elapsed() >= 2 * delay);
        let passed = span.passed();
        assert_eq!((passed.delivered, passed.bytes), (1, 5 + 28));
    }

    #[test]
    fn what_the_network_loses_does_not_arrive() {
        let span = Span::new().unwrap();
        let [host, client] = sockets(&span);
        span.set(Network { loss: 1.0, ..Network::default() });
        host.send(b"lost").unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while span.passed().lost == 0 {
            assert!(Instant::now() < deadline, "the packet never came to the link");
            thread::sleep(Duration::from_millis(5));
        }
        span.set(Network::default());
        host.send(b"kept").unwrap();
        let mut buffer = [0; 16];
        let length = client.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"kept");
    }
}
