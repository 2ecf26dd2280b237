//! A relay of UDP packets, which gives a client another address.

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// A relay for one client at a time: the host sees it at another loopback address.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Relay {
    /// A relay to `host`, which sees packets from `seen_from`, such as 127.0.0.2.
    pub fn start(seen_from: impl Into<IpAddr>, host: SocketAddr) -> Self {
        let front = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let back = UdpSocket::bind((seen_from.into(), 0)).unwrap();
        back.connect(host).unwrap();
        for socket in [&front, &back] {
            socket.set_read_timeout(Some(STOP_WITHIN)).unwrap();
        }
        let address = front.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let client = Arc::new(Mutex::new(None));
        let (front_out, back_out) = (front.try_clone().unwrap(), back.try_clone().unwrap());
        let to_host = {
            let client = Arc::clone(&client);
            forward(front, Arc::clone(&stop), move |packet, from| {
                *client.lock().unwrap() = Some(from);
                // A packet that a busy or dead socket loses is one that a network loses.
                let _ = back_out.send(packet);
            })
        };
        let to_client = forward(back, Arc::clone(&stop), move |packet, _| {
            if let Some(client) = *client.lock().unwrap() {
                let _ = front_out.send_to(packet, client);
            }
        });
        Self { address, stop, threads: vec![to_host, to_client] }
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
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It panicked only where the test did.
            let _ = thread.join();
        }
    }
}

fn forward(
    socket: UdpSocket,
    stop: Arc<AtomicBool>,
    mut pass_on: impl FnMut(&[u8], SocketAddr) + Send + 'static,
) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut packet = vec![0; usize::from(u16::MAX)];
        while !stop.load(Ordering::Relaxed) {
            match socket.recv_from(&mut packet) {
                Ok((length, from)) => pass_on(&packet[..length], from),
                // Nothing came for a while; or an earlier packet met a closed port.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(error) => panic!("{error}"),
            }
        }
    })
}

/// How often a relay looks whether it is to end.
const STOP_WITHIN: Duration = Duration::from_millis(50);
