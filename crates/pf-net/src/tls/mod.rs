//! The TLS of both sides, made by hand.
//!
//! quinn's convenience constructors turn early data on and client authentication off, so none is used. Here: TLS 1.3
//! alone, the post-quantum hybrid first, both sides with a certificate, and nothing by which a handshake could be
//! skipped. rustls restores a client's certificate from a ticket without verifying it again; a removed device would
//! walk back in, so no ticket is sent and none is kept.

mod verify;

use std::sync::Arc;

use pf_base::{Fingerprint, Identity};
use quinn::crypto::rustls::{HandshakeData, NoInitialCipherSuite, QuicClientConfig, QuicServerConfig};
use rustls::{
    ClientConfig, Error, ServerConfig,
    client::Resumption,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::NoServerSessionStorage,
};

pub use verify::Expect;
pub(crate) use verify::HostVerifier;

use crate::Plane;

/// What a client needs for one dial, and the verifier that knows afterwards whom it met.
pub(crate) fn client(
    identity: &Identity,
    plane: Plane,
    expect: Expect,
) -> Result<(Arc<QuicClientConfig>, Arc<HostVerifier>), Error> {
    let verifier = HostVerifier::new(expect, provider().signature_verification_algorithms);
    let config = client_config(identity, plane, Arc::clone(&verifier))?;
    let config = QuicClientConfig::try_from(config).map_err(|error| no_initial_suite(&error))?;
    Ok((Arc::new(config), verifier))
}

/// What a host needs for all its connections.
pub(crate) fn host(identity: &Identity) -> Result<Arc<QuicServerConfig>, Error> {
    let config =
        QuicServerConfig::try_from(host_config(identity)?).map_err(|error| no_initial_suite(&error))?;
    Ok(Arc::new(config))
}

fn client_config(
    identity: &Identity,
    plane: Plane,
    verifier: Arc<HostVerifier>,
) -> Result<ClientConfig, Error> {
    let (certificate, key) = credentials(identity);
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![plane.alpn().to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    config.enable_sni = false;
    Ok(config)
}

fn host_config(identity: &Identity) -> Result<ServerConfig, Error> {
    let provider = provider();
    let verifier = verify::ClientVerifier::new(provider.signature_verification_algorithms);
    let (certificate, key) = credentials(identity);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![Plane::Session.alpn().to_vec(), Plane::Pairing.alpn().to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

/// Who is at the other end of a finished handshake, and what for.
///
/// `None` when the connection carries no such certificate or protocol name; then the handshake should have failed.
pub(crate) fn peer(connection: &quinn::Connection) -> Option<(Fingerprint, Plane)> {
    let certificates = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    let (certificate, intermediates) = certificates.split_first()?;
    let fingerprint = verify::fingerprint_of(certificate, intermediates).ok()?;
    let data = connection.handshake_data()?.downcast::<HandshakeData>().ok()?;
    Some((fingerprint, Plane::of_alpn(data.protocol.as_deref()?)?))
}

/// aws-lc-rs with the key exchanges that this protocol uses, the preferred one first.
///
/// The order is set here, and not by a feature of rustls that some other crate of the build may turn off.
fn provider() -> Arc<CryptoProvider> {
    use aws_lc_rs::kx_group::{SECP256R1, X25519, X25519MLKEM768};
    let kx_groups = vec![X25519MLKEM768, X25519, SECP256R1];
    Arc::new(CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() })
}

fn credentials(identity: &Identity) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let key = PrivatePkcs8KeyDer::from(identity.key().to_vec());
    (CertificateDer::from(identity.certificate().to_vec()), key.into())
}

/// QUIC protects its first packets with AES-128-GCM, which the provider above has.
fn no_initial_suite(error: &NoInitialCipherSuite) -> Error {
    Error::General(error.to_string())
}

#[cfg(test)]
mod tests;
