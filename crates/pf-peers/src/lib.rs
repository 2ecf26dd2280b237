//! For tests and benches: TLS peers that are not ours, and present and believe what they like.
//!
//! A peer is made of [`Credentials`], which may hold a certificate without its key, and of a [`Gullible`] verifier, which
//! counts what it was shown. [`client_tls`] and [`host_tls`] put them together with rustls' own defaults otherwise,
//! tickets among them; a [`Wallet`] keeps these.
//!
//! Everything panics where it fails: who calls is a test, or a bench of a configuration that is known to be good.

#![expect(clippy::missing_panics_doc, reason = "said for all of them above")]

mod credentials;
mod gullible;
mod wallet;

use std::sync::Arc;

pub use credentials::Credentials;
pub use gullible::Gullible;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
pub use wallet::Wallet;

/// The TLS of a client that presents `credentials`, or nothing.
pub fn client_tls(
    alpn: &[u8],
    credentials: Option<&Credentials>,
    verifier: &Arc<Gullible>,
) -> rustls::ClientConfig {
    let builder = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider knows TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(verifier) as _);
    let mut config = match credentials {
        Some(credentials) => builder.with_client_cert_resolver(credentials.resolver()),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![alpn.to_vec()];
    config
}

/// The TLS of a host that presents `credentials`.
pub fn host_tls(
    alpns: &[&[u8]],
    credentials: &Credentials,
    verifier: &Arc<Gullible>,
) -> rustls::ServerConfig {
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider knows TLS 1.3")
        .with_client_cert_verifier(Arc::clone(verifier) as _)
        .with_cert_resolver(credentials.resolver());
    config.alpn_protocols = alpns.iter().map(|alpn| alpn.to_vec()).collect();
    config
}

/// QUIC with the TLS of a client.
pub fn quic_client(tls: rustls::ClientConfig) -> quinn::ClientConfig {
    quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).expect("it is TLS 1.3")))
}

/// QUIC with the TLS of a host.
pub fn quic_host(tls: rustls::ServerConfig) -> quinn::ServerConfig {
    quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).expect("it is TLS 1.3")))
}

/// The server name that our own clients use, so that tickets match.
pub const SERVER_NAME: &str = "punktfunk";

/// The key exchanges of the protocol, preferred first; rustls' defaults otherwise.
fn provider() -> Arc<CryptoProvider> {
    use aws_lc_rs::kx_group::{SECP256R1, X25519, X25519MLKEM768};
    let kx_groups = vec![X25519MLKEM768, X25519, SECP256R1];
    Arc::new(CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() })
}
