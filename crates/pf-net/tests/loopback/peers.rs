//! Clients and hosts that are not ours: they present what they like, and believe everything.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use pf_base::Identity;
use quinn::{
    ConnectionError, Endpoint, EndpointConfig, TokioRuntime,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use rcgen::KeyPair;
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, SignatureAlgorithm, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
    sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey},
};

/// Certificates, and a key to sign with that need not be theirs.
pub(crate) struct Credentials {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivatePkcs8KeyDer<'static>,
}

impl Credentials {
    pub(crate) fn new(chain: &[&[u8]], key: &KeyPair) -> Self {
        let chain = chain.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
        Self { chain, key: key.serialize_der().into() }
    }

    /// What an honest peer presents.
    pub(crate) fn of(identity: &Identity) -> Self {
        Self { chain: vec![identity.certificate().to_vec().into()], key: identity.key().to_vec().into() }
    }

    fn resolver(&self) -> Arc<SingleCertAndKey> {
        let key = PrivateKeyDer::from(self.key.clone_key());
        let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
        let key = CertifiedKey::new(self.chain.clone(), Arc::new(Stubborn(key)));
        Arc::new(SingleCertAndKey::from(key))
    }
}

/// Signs in its own way, whatever schemes the other side offered.
#[derive(Debug)]
struct Stubborn(Arc<dyn SigningKey>);

impl SigningKey for Stubborn {
    fn choose_scheme(&self, _offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        self.0.choose_scheme(&[
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ED25519,
            SignatureScheme::RSA_PSS_SHA256,
        ])
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

/// Believes everything, and counts how often it was asked.
#[derive(Debug, Default)]
pub(crate) struct Gullible {
    pub(crate) certificates_seen: AtomicUsize,
}

impl Gullible {
    pub(crate) fn seen(&self) -> usize {
        self.certificates_seen.load(Ordering::SeqCst)
    }

    fn see(&self) {
        self.certificates_seen.fetch_add(1, Ordering::SeqCst);
    }
}

fn every_scheme() -> Vec<SignatureScheme> {
    aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
}

impl ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.see();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        every_scheme()
    }
}

impl ClientCertVerifier for Gullible {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.see();
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        every_scheme()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The TLS of a client that presents `credentials`, or nothing; with rustls' own defaults otherwise.
pub(crate) fn client_tls(
    alpn: &[u8],
    credentials: Option<&Credentials>,
) -> (rustls::ClientConfig, Arc<Gullible>) {
    let gullible = Arc::new(Gullible::default());
    let builder = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(gullible.clone());
    let mut config = match credentials {
        Some(credentials) => builder.with_client_cert_resolver(credentials.resolver()),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![alpn.to_vec()];
    (config, gullible)
}

/// The TLS of a host that presents `credentials`; with rustls' own defaults otherwise, tickets among them.
pub(crate) fn host_tls(alpn: &[u8], credentials: &Credentials) -> (rustls::ServerConfig, Arc<Gullible>) {
    let gullible = Arc::new(Gullible::default());
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(gullible.clone())
        .with_cert_resolver(credentials.resolver());
    config.alpn_protocols = vec![alpn.to_vec()];
    (config, gullible)
}

/// A client socket on one address.
pub(crate) fn client_socket(from: [u8; 4]) -> Endpoint {
    let socket = std::net::UdpSocket::bind(SocketAddr::from((from, 0))).unwrap();
    Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime)).unwrap()
}

pub(crate) fn quic_client(tls: rustls::ClientConfig) -> quinn::ClientConfig {
    quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()))
}

/// Connects to `host` with `tls`. The name is the one that our own clients use, so that tickets match.
pub(crate) async fn dial(host: SocketAddr, tls: rustls::ClientConfig) -> quinn::Connection {
    let endpoint = client_socket([127, 0, 0, 1]);
    let connecting = endpoint.connect_with(quic_client(tls), host, NAME).unwrap();
    crate::soon("dial", connecting).await.unwrap()
}

/// A host that is not ours.
pub(crate) fn host(tls: rustls::ServerConfig) -> (Endpoint, SocketAddr) {
    let config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()));
    let endpoint = Endpoint::server(config, ([127, 0, 0, 1], 0).into()).unwrap();
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

/// The server name of every connection here.
pub(crate) const NAME: &str = "punktfunk";
