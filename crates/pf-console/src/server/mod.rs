//! The listener: who may connect, TLS, and how much of the console anybody can take.
//!
//! ```text
//! accept → from where? → how many has it? → TLS handshake (5 s) → first request (10 s) → requests
//! ```
//!
//! Who is turned away before TLS gets no byte. What is open when the host stops is finished within a second.

mod connection;
mod seats;
mod tls;

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time};
use tokio_rustls::TlsAcceptor;

pub use self::tls::{Certificate, CertificateError};
use self::{connection::Service, seats::Seats};
use crate::{HostNames, Reach, app, control::HostControl, sign_in::SignIns};

/// Where and how the console is served.
#[derive(Debug)]
pub struct Config {
    /// Where it listens.
    pub listen: Listen,
    /// Who may connect.
    pub reach: Reach,
    /// What it shows a browser.
    pub certificate: Certificate,
    /// What this machine is called.
    pub machine: String,
    /// Under which further names it may be asked for.
    pub names: Vec<String>,
}

/// Where the console listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// On all addresses of this machine, of IPv6 where there is such a thing.
    Anywhere(u16),
    /// On one.
    On(SocketAddr),
}

/// Why the console cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The socket cannot be had.
    #[error("The console cannot listen on TCP {address}: {source}.")]
    Socket {
        /// Where it was to listen.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl ServeError {
    /// What to do, as a sentence.
    pub fn way_on(&self) -> String {
        match self {
            Self::Socket { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                "Another program has this port. Stop it, name another port with --console-bind, or leave the console \
                 out with --no-console."
                    .to_owned()
            }
            Self::Socket { source, .. } if source.kind() == io::ErrorKind::AddrNotAvailable => {
                "Name one of this machine's own addresses with --console-bind.".to_owned()
            }
            Self::Socket { .. } => {
                "Name another address and port with --console-bind, or leave the console out with --no-console."
                    .to_owned()
            }
            Self::Certificate(error) => error.way_on(),
        }
    }
}

/// A console whose port is taken, and that answers nobody yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: TlsAcceptor,
    certificate_sha256: String,
    reach: Reach,
    names: HostNames,
}

impl Server {
    /// Takes the port and reads the certificate. To be called within a tokio runtime.
    pub fn bind(config: Config) -> Result<Self, ServeError> {
        let Config { listen: place, reach, certificate, machine, names } = config;
        let (tls, certificate_sha256) = tls::configure(&certificate)?;
        let listener = match place {
            Listen::Anywhere(port) => listen((Ipv6Addr::UNSPECIFIED, port).into()).or_else(|error| {
                // No IPv6 here, or the port is taken; then IPv4 says so too.
                tracing::debug!(%error, "no socket for both families");
                listen((Ipv4Addr::UNSPECIFIED, port).into())
            }),
            Listen::On(address) => listen(address),
        }?;
        let address = listener
            .local_addr()
            .map_err(|source| ServeError::Socket { address: place.address(), source })?;
        Ok(Self {
            listener,
            address,
            tls: TlsAcceptor::from(Arc::new(tls)),
            certificate_sha256,
            reach,
            names: HostNames::new(&machine, &names, address.port()),
        })
    }

    /// Where it listens; the port is never 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The SHA-256 of the certificate, as browsers show it: pairs of digits with colons between.
    pub fn certificate_sha256(&self) -> &str {
        &self.certificate_sha256
    }

    /// Answers until `stop` ends; then finishes what is open, for a second at most.
    pub async fn run(self, host: Arc<dyn HostControl>, sign_ins: SignIns, stop: impl Future<Output = ()>) {
        let (stopping, stopping_seen) = watch::channel(false);
        let app = app(host, sign_ins, self.names, stopping_seen.clone());
        let service = Service { tls: self.tls, app, stopping: stopping_seen };
        let seats = Seats::default();
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) if self.reach.admits(peer.ip()) => {
                        if let Some(seat) = seats.take(peer.ip()) {
                            connections.spawn(service.clone().serve(stream, peer, seat));
                        }
                    }
                    Ok((_, peer)) => tracing::debug!(%peer, "no connections to the console from there"),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection to the console");
                        time::sleep(ACCEPT_AGAIN).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
        drop(self.listener);
        stopping.send_replace(true);
        let finished = async { while connections.join_next().await.is_some() {} };
        if time::timeout(TIME_TO_FINISH, finished).await.is_err() {
            tracing::debug!("connections to the console were cut");
        }
    }
}

impl Listen {
    fn address(self) -> SocketAddr {
        match self {
            Self::Anywhere(port) => (Ipv6Addr::UNSPECIFIED, port).into(),
            Self::On(address) => address,
        }
    }
}

/// Waits until the host stops.
pub(crate) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Where nobody is left to say so, it has stopped.
    drop(stopping.wait_for(|stopping| *stopping).await);
}

fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    open(address).map_err(|source| ServeError::Socket { address, source })
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // Connections of a host that stopped a moment ago do not keep the next one from the port.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 128;
/// How long not to accept after that failed: it fails when there are too many files, which passes.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// How long what is open may take to finish when the host stops.
const TIME_TO_FINISH: Duration = Duration::from_secs(1);
