//! Clients and hosts that are not ours: they present what they like, and believe everything.

use std::{net::SocketAddr, sync::Arc};

pub(crate) use pf_peers::{Credentials, Gullible, SERVER_NAME, Wallet, quic_client};
use quinn::{ConnectionError, Endpoint, EndpointConfig, TokioRuntime};

/// The TLS of a client that presents `credentials`, or nothing.
pub(crate) fn client_tls(
    alpn: &[u8],
    credentials: Option<&Credentials>,
) -> (rustls::ClientConfig, Arc<Gullible>) {
    let gullible = Arc::default();
    (pf_peers::client_tls(alpn, credentials, &gullible), gullible)
}

/// The TLS of a host that presents `credentials`; it gives tickets out.
pub(crate) fn host_tls(alpn: &[u8], credentials: &Credentials) -> (rustls::ServerConfig, Arc<Gullible>) {
    let gullible = Arc::default();
    (pf_peers::host_tls(&[alpn], credentials, &gullible), gullible)
}

/// A client socket on one address.
pub(crate) fn client_socket(from: [u8; 4]) -> Endpoint {
    let socket = std::net::UdpSocket::bind(SocketAddr::from((from, 0))).unwrap();
    Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime)).unwrap()
}

/// Connects to `host` with `tls`. The name is the one that our own clients use, so that tickets match.
pub(crate) async fn dial(host: SocketAddr, tls: rustls::ClientConfig) -> quinn::Connection {
    let endpoint = client_socket([127, 0, 0, 1]);
    let connecting = endpoint.connect_with(quic_client(tls), host, SERVER_NAME).unwrap();
    crate::soon("dial", connecting).await.unwrap()
}

/// A host that is not ours.
pub(crate) fn host(tls: rustls::ServerConfig) -> (Endpoint, SocketAddr) {
    let endpoint = Endpoint::server(pf_peers::quic_host(tls), ([127, 0, 0, 1], 0).into()).unwrap();
    let address = endpoint.local_addr().unwrap();
    (endpoint, address)
}

/// Whether TLS ended the connection with the alert of this number.
pub(crate) fn alerted(error: &ConnectionError, alert: rustls::AlertDescription) -> bool {
    let code = quinn::TransportErrorCode::crypto(alert.into());
    matches!(error, ConnectionError::ConnectionClosed(close) if close.error_code == code)
}

/// Whether TLS ended the connection at all.
pub(crate) fn is_tls_error(error: &ConnectionError) -> bool {
    matches!(error, ConnectionError::ConnectionClosed(close) if (0x100..0x200).contains(&u64::from(close.error_code)))
}
