//! The host's end: takes handshakes, as many as it can afford, and hands out who finished one.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use pf_base::{Code, Identity};
use quinn::{EndpointConfig, Incoming, ServerConfig, TokioRuntime, ValidationTokenConfig};
use thiserror::Error;
use tokio::{
    sync::{Mutex, mpsc},
    task::{AbortHandle, JoinSet},
};
use tracing::debug;

use crate::{
    Arrival, Connection, ConnectionId, Plane,
    address::{Origin, canonical},
    connection::wire_code,
    slots::{Cap, Slot, Slots, Verdict},
    socket, tls, transport,
};

/// A UDP socket that devices connect to.
///
/// Handshakes run by themselves and side by side from [`bind`](Self::bind) on; [`accept`](Self::accept) hands out who
/// is through. Dropping it ends every connection, with [`Code::Ended`].
#[derive(Debug)]
pub struct HostEndpoint {
    quinn: quinn::Endpoint,
    address: SocketAddr,
    accepted: Mutex<mpsc::UnboundedReceiver<Accepted>>,
    handshakes: Arc<Slots>,
    pairings: Arc<Slots>,
    door: AbortHandle,
}

/// Where a host listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// On every address of the machine; IPv6 and IPv4 where there are both. Port 0 lets the system choose.
    Anywhere(u16),
    /// On one address.
    On(SocketAddr),
}

/// What strangers may take of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Handshakes that run, and devices that wait to be admitted to a session.
    ///
    /// When half of either number is in use, a client must first show that it receives at its address (QUIC Retry);
    /// when all is, it is refused as busy.
    pub handshakes: Cap,
    /// Open connections of the pairing plane. What is over is closed as busy.
    pub pairings: Cap,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
}

/// Who finished a handshake, by what they came for.
#[derive(Debug)]
pub enum Accepted {
    /// A device that wants a session. Admit it or refuse it.
    Session(Arrival),
    /// A device that wants to pair or to ask. Its limits stay low for as long as it is connected. How long it may be
    /// silent is up to the caller: by itself it may stay, and hold its place, for as long as it likes.
    Pairing(Connection),
}

/// Why a host cannot listen.
#[derive(Debug, Error)]
pub enum BindError {
    /// The socket cannot be had.
    #[error("cannot listen: {0}")]
    Socket(#[from] io::Error),
    /// The host's own certificate and key are no pair that TLS takes.
    #[error("the host's own identity is unusable: {0}")]
    Identity(#[from] rustls::Error),
}

/// What the tasks of handshakes share.
#[derive(Debug)]
struct Door {
    handshakes: Arc<Slots>,
    pairings: Arc<Slots>,
    handshake_timeout: Duration,
    next_id: AtomicU64,
    accepted: mpsc::UnboundedSender<Accepted>,
}

impl HostEndpoint {
    /// Listens. Must be called inside of a tokio runtime.
    pub fn bind(identity: &Identity, listen: Listen, limits: Limits) -> Result<Self, BindError> {
        let config = server_config(identity)?;
        let socket = match listen {
            Listen::Anywhere(port) => socket::bind_any(port)?,
            Listen::On(address) => socket::bind(address)?,
        };
        let address = socket.local_addr()?;
        let quinn =
            quinn::Endpoint::new(EndpointConfig::default(), Some(config), socket, Arc::new(TokioRuntime))?;
        // What waits in the channel holds a slot, which bounds it.
        let (sender, accepted) = mpsc::unbounded_channel();
        let handshakes = Slots::new(limits.handshakes);
        let pairings = Slots::new(limits.pairings);
        let door = Arc::new(Door {
            handshakes: Arc::clone(&handshakes),
            pairings: Arc::clone(&pairings),
            handshake_timeout: limits.handshake_timeout,
            next_id: AtomicU64::new(0),
            accepted: sender,
        });
        let door = tokio::spawn(door.keep(quinn.clone())).abort_handle();
        Ok(Self { quinn, address, accepted: Mutex::new(accepted), handshakes, pairings, door })
    }

    /// Where it listens; the port is never 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The next device that finished a handshake; `None` after the endpoint was closed.
    ///
    /// Cancel-safe.
    pub async fn accept(&self) -> Option<Accepted> {
        self.accepted.lock().await.recv().await
    }

    /// How many handshakes run now, with the devices that wait to be admitted.
    pub fn pending_handshakes(&self) -> usize {
        self.handshakes.count()
    }

    /// How many connections of the pairing plane are open now.
    pub fn open_pairings(&self) -> usize {
        self.pairings.count()
    }

    /// Takes no more devices, and ends every connection with `code`.
    pub fn close(&self, code: Code) {
        self.quinn.close(wire_code(code), &[]);
    }

    /// Closes, and waits until the devices were told, or a moment has passed. What a program does before it ends.
    pub async fn shutdown(&self, code: Code) {
        self.close(code);
        // A device that is gone acknowledges nothing.
        let _ = tokio::time::timeout(transport::FAREWELL, self.quinn.wait_idle()).await;
    }
}

impl Drop for HostEndpoint {
    fn drop(&mut self) {
        self.door.abort();
        self.close(Code::Ended);
    }
}

impl Door {
    /// Takes who knocks, until the endpoint is closed.
    async fn keep(self: Arc<Self>, endpoint: quinn::Endpoint) {
        let mut handshakes = JoinSet::new();
        loop {
            tokio::select! {
                incoming = endpoint.accept() => match incoming {
                    Some(incoming) => self.answer(incoming, &mut handshakes),
                    None => break,
                },
                Some(_) = handshakes.join_next() => {}
            }
        }
    }

    fn answer(self: &Arc<Self>, incoming: Incoming, handshakes: &mut JoinSet<()>) {
        let origin = Origin::of(incoming.remote_address());
        match self.handshakes.consider(origin, incoming.remote_address_validated()) {
            Verdict::Accept(slot) => {
                handshakes.spawn(Arc::clone(self).shake(incoming, origin, slot));
            }
            Verdict::Retry => {
                debug!(?origin, "asking for address validation");
                // An address that is not validated may always be asked to.
                let _ = incoming.retry();
            }
            Verdict::Refuse => {
                debug!(?origin, "refusing a handshake");
                incoming.refuse();
            }
        }
    }

    /// Sees one handshake through. Whatever happens, the slot is free at the end or in the arrival.
    async fn shake(self: Arc<Self>, incoming: Incoming, origin: Origin, slot: Slot) {
        let address = canonical(incoming.remote_address());
        let outcome = tokio::time::timeout(self.handshake_timeout, incoming.into_future()).await;
        let quinn = match outcome {
            Ok(Ok(quinn)) => quinn,
            Ok(Err(error)) => return debug!(%address, %error, "a handshake failed"),
            Err(_) => return debug!(%address, "a handshake took too long"),
        };
        let Some((fingerprint, plane)) = tls::peer(&quinn) else {
            return quinn.close(wire_code(Code::ProtocolError), &[]);
        };
        let id = ConnectionId(self.next_id.fetch_add(1, Ordering::Relaxed));
        debug!(%id, ?plane, ?fingerprint, %address, "a device finished its handshake");
        let accepted = match plane {
            Plane::Session => {
                let connection = Connection::new(quinn, id, fingerprint, plane, None);
                Accepted::Session(Arrival::new(connection, slot))
            }
            Plane::Pairing => match self.pairings.take(origin) {
                Some(slot) => Accepted::Pairing(Connection::new(quinn, id, fingerprint, plane, Some(slot))),
                None => return quinn.close(wire_code(Code::Busy), &[]),
            },
        };
        // Without a receiver the endpoint is gone, and so is what is dropped here.
        let _ = self.accepted.send(accepted);
    }
}

impl Default for Limits {
    /// 64 handshakes of 5 s and 64 pairing connections, 8 of each from one address.
    fn default() -> Self {
        let cap = Cap { total: 64, per_address: 8 };
        Self { handshakes: cap, pairings: cap, handshake_timeout: Duration::from_secs(5) }
    }
}

fn server_config(identity: &Identity) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::with_crypto(tls::host(identity)?);
    let mut tokens = ValidationTokenConfig::default();
    // An address is validated by a retry, under load; nothing is remembered from one connection to the next.
    tokens.sent(0);
    config
        .transport_config(transport::host())
        .validation_token_config(tokens)
        .max_incoming(UNANSWERED_HANDSHAKES)
        .incoming_buffer_size(UNANSWERED_BYTES)
        .incoming_buffer_size_total(UNANSWERED_HANDSHAKES as u64 * UNANSWERED_BYTES);
    Ok(config)
}

/// How many first packets may wait for the door's task, which answers each at once.
const UNANSWERED_HANDSHAKES: usize = 256;

/// How many further bytes of one client may wait with its first packet: a post-quantum hello takes two packets.
const UNANSWERED_BYTES: u64 = 8 << 10;
