//! The client's end: dials a host.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use pf_base::{Code, Fingerprint, Identity};
use quinn::{
    ConnectError, ConnectionError, EndpointConfig, TokioRuntime, TransportConfig, TransportErrorCode,
};
use rustls::AlertDescription;
use thiserror::Error;
use tracing::debug;

use crate::{
    Connection, ConnectionId, Expect, Plane,
    connection::wire_code,
    socket,
    tls::{self, HostVerifier},
    transport,
};

/// A UDP socket from which hosts are dialled.
///
/// Dropping it leaves its connections alone; [`shutdown`](Self::shutdown) ends them.
#[derive(Debug)]
pub struct ClientEndpoint {
    quinn: quinn::Endpoint,
    transport: Arc<TransportConfig>,
    next_id: AtomicU64,
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum DialError {
    /// There is no way to that address from here.
    #[error("there is no way to the host's address")]
    Unreachable,
    /// Nobody answered in time.
    #[error("nobody answered in time")]
    TimedOut,
    /// Somebody else than expected answered, and proved the key. They learned nothing of this client.
    #[error("the host proved another key than the expected one")]
    FingerprintChanged {
        /// Whom the caller expects.
        expected: Fingerprint,
        /// Whose key it was.
        presented: Fingerprint,
    },
    /// The host takes no connection now. On a session every other refusal comes after the handshake.
    #[error("the host refused: {}", .0.word())]
    Refused(Code),
    /// The host speaks neither this QUIC nor this plane's protocol.
    #[error("the host speaks no protocol in common")]
    VersionMismatch,
    /// The handshake broke off; the text is for a log.
    #[error("the handshake broke off: {0}")]
    Protocol(String),
    /// This client's own certificate and key are no pair that TLS takes.
    #[error("this client's own identity is unusable: {0}")]
    Identity(rustls::Error),
    /// The endpoint was shut down.
    #[error("this endpoint was shut down")]
    Stopped,
}

impl ClientEndpoint {
    /// A socket on a port that the system chooses, for IPv6 and IPv4.
    ///
    /// Must be called inside of a tokio runtime.
    pub fn new() -> io::Result<Self> {
        let quinn = quinn::Endpoint::new(
            EndpointConfig::default(),
            None,
            socket::bind_any(0)?,
            Arc::new(TokioRuntime),
        )?;
        Ok(Self { quinn, transport: transport::client(), next_id: AtomicU64::new(0) })
    }

    /// Connects to a host, and proves who it is.
    ///
    /// A connection says that the host finished the handshake and is whom `expect` names, **not** that it lets this
    /// client in: a client is done with its part of a handshake before the host has looked at the client's
    /// certificate. On [`Plane::Session`] success is the host's `Admitted` message; a refusal comes as
    /// [`Closed::ByPeer`](crate::Closed::ByPeer) from whatever is awaited then.
    ///
    /// Cancel-safe: dropping the call drops the attempt.
    pub async fn dial(
        &self,
        address: SocketAddr,
        plane: Plane,
        identity: &Identity,
        expect: Expect,
        timeout: Duration,
    ) -> Result<Connection, DialError> {
        if !socket::has_route(address) {
            return Err(DialError::Unreachable);
        }
        let (crypto, verifier) = tls::client(identity, plane, expect).map_err(DialError::Identity)?;
        let mut config = quinn::ClientConfig::new(crypto);
        config.transport_config(Arc::clone(&self.transport));
        let connecting = self.quinn.connect_with(config, address, SERVER_NAME)?;
        let quinn = tokio::time::timeout(timeout, connecting)
            .await
            .map_err(|_| DialError::TimedOut)?
            .map_err(|error| refusal(error, expect, &verifier))?;
        let (fingerprint, negotiated) =
            tls::peer(&quinn).ok_or_else(|| DialError::Protocol("no certificate or protocol name".into()))?;
        debug_assert_eq!(negotiated, plane, "one protocol was offered");
        let id = ConnectionId(self.next_id.fetch_add(1, Ordering::Relaxed));
        debug!(%id, ?plane, ?fingerprint, %address, "connected");
        Ok(Connection::new(quinn, id, fingerprint, plane, None))
    }

    /// Ends every connection with `code` and waits until the hosts were told, or a moment has passed.
    pub async fn shutdown(&self, code: Code) {
        self.quinn.close(wire_code(code), &[]);
        // A host that is gone acknowledges nothing.
        let _ = tokio::time::timeout(transport::FAREWELL, self.quinn.wait_idle()).await;
    }
}

impl DialError {
    /// The code of a command that ends so.
    pub fn code(&self) -> Code {
        match self {
            Self::Unreachable | Self::TimedOut => Code::Unreachable,
            Self::FingerprintChanged { .. } => Code::FingerprintChanged,
            Self::Refused(code) => *code,
            Self::VersionMismatch => Code::VersionMismatch,
            Self::Protocol(_) => Code::ProtocolError,
            Self::Identity(_) => Code::StoreUnreadable,
            Self::Stopped => Code::Ended,
        }
    }
}

impl From<ConnectError> for DialError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::EndpointStopping => Self::Stopped,
            ConnectError::InvalidRemoteAddress(_) => Self::Unreachable,
            other => Self::Protocol(other.to_string()),
        }
    }
}

/// What it means that a handshake ended with `error`.
fn refusal(error: ConnectionError, expect: Expect, verifier: &HostVerifier) -> DialError {
    if let (Expect::Exactly(expected), Some(presented)) = (expect, verifier.unexpected()) {
        return DialError::FingerprintChanged { expected, presented };
    }
    match error {
        ConnectionError::TimedOut => DialError::TimedOut,
        ConnectionError::VersionMismatch => DialError::VersionMismatch,
        ConnectionError::LocallyClosed => DialError::Stopped,
        ConnectionError::ConnectionClosed(ref close) if close.error_code == no_common_alpn() => {
            DialError::VersionMismatch
        }
        ConnectionError::ConnectionClosed(ref close)
            if close.error_code == TransportErrorCode::CONNECTION_REFUSED =>
        {
            DialError::Refused(Code::Busy)
        }
        // A code of ours among these is not to be believed: before the end of the handshake anyone on the path can
        // write a close, and quinn takes an application's close there too.
        other => DialError::Protocol(other.to_string()),
    }
}

/// TLS's answer to a protocol name that the host does not have.
fn no_common_alpn() -> TransportErrorCode {
    TransportErrorCode::crypto(AlertDescription::NoApplicationProtocol.into())
}

/// rustls wants a name; it is neither sent nor looked at.
const SERVER_NAME: &str = "punktfunk";

#[cfg(test)]
mod tests {
    use quinn::{ApplicationClose, ConnectionClose, VarInt};

    use super::*;

    fn meaning(error: ConnectionError) -> DialError {
        let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        refusal(error, Expect::Anyone, &HostVerifier::new(Expect::Anyone, algorithms))
    }

    fn transport_close(error_code: TransportErrorCode) -> ConnectionError {
        ConnectionError::ConnectionClosed(ConnectionClose { error_code, frame_type: None, reason: "".into() })
    }

    /// Someone on the path writes "this device was removed" into an unprotected first packet, so that the person
    /// pairs again, with them.
    #[test]
    fn an_application_code_before_the_end_of_the_handshake_is_not_believed() {
        for code in Code::ALL {
            let forged = ConnectionError::ApplicationClosed(ApplicationClose {
                error_code: VarInt::from_u32(code.number().into()),
                reason: "".into(),
            });
            assert!(matches!(meaning(forged), DialError::Protocol(_)), "{code:?}");
        }
    }

    #[test]
    fn endings_of_a_handshake_have_their_words() {
        assert_eq!(meaning(transport_close(no_common_alpn())), DialError::VersionMismatch);
        assert_eq!(
            meaning(transport_close(TransportErrorCode::CONNECTION_REFUSED)),
            DialError::Refused(Code::Busy)
        );
        assert_eq!(meaning(ConnectionError::TimedOut), DialError::TimedOut);
        assert_eq!(meaning(ConnectionError::VersionMismatch), DialError::VersionMismatch);
        assert!(matches!(meaning(ConnectionError::Reset), DialError::Protocol(_)));
    }
}
