//! The QUIC driver: endpoints, pinning verifiers, framing, media datagrams.
//!
//! Sockets, tasks and timers of the native protocol live here; nothing here decides who is trusted. A host gets from
//! [`HostEndpoint`] whoever finished a handshake, with a fingerprint that the TLS handshake proved, and says yes or
//! no itself. A client says to [`ClientEndpoint`] whom it expects.
//!
//! ```text
//! host    HostEndpoint::bind → accept → Accepted::Session(Arrival) → admit ──→ Connection
//!                                     │                            └ refuse(code)
//!                                     └ Accepted::Pairing(Connection)
//! client  ClientEndpoint::new → dial ────────────────────────────────────────→ Connection
//!
//! Connection → open_control / accept_control → ControlStream    (messages of pf-proto)
//!            → send_datagram / read_datagram                    (media, on an admitted session)
//! ```
//!
//! What must hold here, whatever else changes:
//! - There is no connection without a fingerprint, and no fingerprint without a signature by its key.
//! - There is no ticket, no early data and no TLS below 1.3, so each connection proves its keys anew.
//! - A client sends nothing to a host other than the one that it expects, not even its own certificate.
//! - What a peer can make a host keep before the host admitted it is bounded by constants in this crate.

#![forbid(unsafe_code)]

mod address;
mod client;
mod congestion;
mod connection;
mod control;
mod host;
mod slots;
mod socket;
#[cfg(test)]
mod testing;
mod tls;
pub mod transport;

pub use client::{ClientEndpoint, DialError};
pub use connection::{Arrival, Closed, Closer, Connection, ConnectionId, DatagramError, Figures};
pub use control::{ControlError, ControlReceiver, ControlSender, ControlStream, Received};
pub use host::{Accepted, BindError, HostEndpoint, Limits, Listen};
pub use slots::Cap;
pub use tls::Expect;

/// What a connection is for; told apart by ALPN, so that it is settled when the handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Plane {
    /// A session of a device that the host admits.
    Session,
    /// Pairing and asking for access: all that an unpaired device can reach.
    Pairing,
}

impl Plane {
    /// The protocol name that the handshake carries.
    pub const fn alpn(self) -> &'static [u8] {
        match self {
            Self::Session => pf_proto::SESSION_ALPN,
            Self::Pairing => pf_proto::PAIR_ALPN,
        }
    }

    fn of_alpn(alpn: &[u8]) -> Option<Self> {
        [Self::Session, Self::Pairing].into_iter().find(|plane| plane.alpn() == alpn)
    }
}
