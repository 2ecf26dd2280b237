//! What a certificate without its key is worth, and a ticket from better days.

use std::{net::SocketAddr, sync::Arc};

use pf_base::{Code, Identity};
use pf_e2e::{Attacker, ClientInstall, Host, Identities, soon};
use pf_net::Plane;
use pf_peers::{Credentials, SERVER_NAME, Wallet};
use pf_store::DataDir;
use quinn::{ConnectionError, Endpoint, EndpointConfig, TokioRuntime};
use rustls::client::Resumption;

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
    let credentials = Credentials::new(&[copied.certificate()], thief.key());
    let alpns = [Plane::Session, Plane::Pairing].map(Plane::alpn);
    let tls = pf_peers::host_tls(&alpns, &credentials, &Arc::default());
    let endpoint = Endpoint::server(pf_peers::quic_host(tls), address).unwrap();
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
    assert_eq!(wallet.tickets(), 0, "a host gives no ticket out");
}

fn identity_in(data_dir: &std::path::Path) -> Identity {
    pf_store::identity::load_or_create(&DataDir::open(data_dir).unwrap()).unwrap()
}

async fn dial(address: SocketAddr, tls: rustls::ClientConfig) -> Result<quinn::Connection, ConnectionError> {
    let socket = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let endpoint = Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime)).unwrap();
    let dialling = endpoint.connect_with(pf_peers::quic_client(tls), address, SERVER_NAME).unwrap();
    soon("a handshake", dialling).await
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

/// The TLS of a client with one certificate, and a key that need not be its own.
fn client_tls(
    plane: Plane,
    certificate: &[u8],
    identity: &Identity,
    resumption: Resumption,
) -> rustls::ClientConfig {
    let credentials = Credentials::new(&[certificate], identity.key());
    let mut config = pf_peers::client_tls(plane.alpn(), Some(&credentials), &Arc::default());
    config.resumption = resumption;
    config
}
