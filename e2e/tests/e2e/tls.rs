//! What a certificate without its key is worth, and a ticket from better days.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use pf_base::{Code, Identity};
use pf_e2e::{Attacker, ClientInstall, Host, Identities, soon};
use pf_net::Plane;
use pf_store::DataDir;
use quinn::{
    ConnectionError, Endpoint, EndpointConfig, TokioRuntime,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, NamedGroup, SignatureScheme,
    client::{
        ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
        Tls13ClientSessionValue,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
};

/// A certificate is public: whoever saw a paired device's can present it.
#[tokio::test(flavor = "multi_thread")]
async fn inv_23_a_paired_devices_certificate_without_its_key_opens_nothing() {
    let host = Host::m3().start();
    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.pin());
    let copied = identity_in(couch.data_dir());
    let thief = Identities::new().fresh();
    for plane in [Plane::Session, Plane::Pairing] {
        let tls = client_tls(plane, copied.certificate(), &thief, Resumption::disabled());
        let end = end_of_a_session(host.socket_address(), tls).await;
        let ConnectionError::ConnectionClosed(close) = &end else { panic!("{end}") };
        assert!(u64::from(close.error_code) >= 0x100, "TLS itself refuses: {end}");
    }
    assert!(host.sessions().is_empty());
    couch.expect_pictures(&host.address());
}

/// A machine that takes a host's address and shows its certificate, which anyone can fetch.
#[tokio::test(flavor = "multi_thread")]
async fn inv_23_a_hosts_certificate_without_its_key_is_no_host() {
    let mut host = Host::m3().start();
    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.pin());
    let (address, copied) = (host.socket_address(), identity_in(host.data_dir()));
    host.terminate();

    let thief = Identities::new().fresh();
    let config = quinn::ServerConfig::with_crypto(host_tls(copied.certificate(), &thief));
    let endpoint = Endpoint::server(config, address).unwrap();
    let accepting = tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            assert!(incoming.await.is_err(), "the client finished a handshake with the thief");
        }
    });
    couch.connect(&address.to_string()).expect_failure(23, "protocol_error");
    couch.run(&["pair", &address.to_string(), "--pin", "0417"]).expect_failure(23, "protocol_error");
    assert!(!accepting.is_finished());
    accepting.abort();
}

/// A removed device resumes the session that it was admitted to.
#[tokio::test(flavor = "multi_thread")]
async fn inv_26_a_removed_device_with_every_ticket_that_it_was_given_stays_out() {
    let host = Host::m3().start();
    let address = host.socket_address();
    let laptop = Attacker::new();
    laptop.pair(address, "laptop", &host.pin()).await;
    let wallet = Arc::new(Wallet::default());
    let connect = || {
        let identity = laptop.identity();
        let mut tls =
            client_tls(Plane::Session, identity.certificate(), identity, Resumption::store(wallet.clone()));
        tls.enable_early_data = true;
        tls
    };
    let visit = dial(address, connect()).await.unwrap();
    host.await_session_of(&laptop.fingerprint().hex());
    host.ctl(&["remove", &laptop.fingerprint().hex()]);
    let end = soon("the cut", visit.closed()).await;
    assert_eq!(code(&end), Some(Code::Removed), "{end}");

    let end = end_of_a_session(address, connect()).await;
    assert_eq!(code(&end), Some(Code::Removed), "{end}");
    assert_eq!(wallet.tickets.load(Ordering::SeqCst), 0, "a host gives no ticket out");
}

fn identity_in(data_dir: &std::path::Path) -> Identity {
    pf_store::identity::load_or_create(&DataDir::open(data_dir).unwrap()).unwrap()
}

async fn dial(address: SocketAddr, tls: rustls::ClientConfig) -> Result<quinn::Connection, ConnectionError> {
    let socket = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let endpoint = Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime)).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    soon("a handshake", endpoint.connect_with(config, address, "punktfunk").unwrap()).await
}

/// How the host ends what the client takes for a session.
async fn end_of_a_session(address: SocketAddr, tls: rustls::ClientConfig) -> ConnectionError {
    match dial(address, tls).await {
        Ok(connection) => soon("the host's refusal", connection.closed()).await,
        Err(error) => error,
    }
}

fn code(end: &ConnectionError) -> Option<Code> {
    match end {
        ConnectionError::ApplicationClosed(close) => Code::from_number(close.error_code.into_inner()),
        _ => None,
    }
}

/// One certificate, and a key that need not be its own.
fn resolver(certificate: &[u8], identity: &Identity) -> Arc<SingleCertAndKey> {
    let key = PrivateKeyDer::Pkcs8(identity.key().to_vec().into());
    let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
    Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![certificate.to_vec().into()], key)))
}

fn client_tls(
    plane: Plane,
    certificate: &[u8],
    identity: &Identity,
    resumption: Resumption,
) -> rustls::ClientConfig {
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible))
        .with_client_cert_resolver(resolver(certificate, identity));
    config.alpn_protocols = vec![plane.alpn().to_vec()];
    config.resumption = resumption;
    config
}

fn host_tls(certificate: &[u8], identity: &Identity) -> Arc<QuicServerConfig> {
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(Arc::new(Gullible))
        .with_cert_resolver(resolver(certificate, identity));
    config.alpn_protocols = [Plane::Session, Plane::Pairing].map(|plane| plane.alpn().to_vec()).into();
    Arc::new(QuicServerConfig::try_from(config).unwrap())
}

/// Believes everything.
#[derive(Debug)]
struct Gullible;

impl ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
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
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
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
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

/// Keeps every ticket, as rustls does by default, and counts them.
#[derive(Debug)]
struct Wallet {
    tickets: AtomicUsize,
    cache: ClientSessionMemoryCache,
}

impl Default for Wallet {
    fn default() -> Self {
        Self { tickets: AtomicUsize::new(0), cache: ClientSessionMemoryCache::new(8) }
    }
}

impl ClientSessionStore for Wallet {
    fn set_kx_hint(&self, server: ServerName<'static>, group: NamedGroup) {
        self.cache.set_kx_hint(server, group);
    }

    fn kx_hint(&self, server: &ServerName<'_>) -> Option<NamedGroup> {
        self.cache.kx_hint(server)
    }

    fn set_tls12_session(&self, server: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.cache.set_tls12_session(server, value);
    }

    fn tls12_session(&self, server: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.cache.tls12_session(server)
    }

    fn remove_tls12_session(&self, server: &ServerName<'static>) {
        self.cache.remove_tls12_session(server);
    }

    fn insert_tls13_ticket(&self, server: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.tickets.fetch_add(1, Ordering::SeqCst);
        self.cache.insert_tls13_ticket(server, value);
    }

    fn take_tls13_ticket(&self, server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.cache.take_tls13_ticket(server)
    }
}
