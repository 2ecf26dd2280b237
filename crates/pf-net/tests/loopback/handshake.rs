//! What a finished handshake gives, and what an unfinished one says.

use std::time::Duration;

use pf_base::Code;
use pf_net::{BindError, DialError, Expect, HostEndpoint, Limits, Listen, Plane};
use rustls::AlertDescription;

use crate::{
    Client, Host,
    peers::{self, Credentials, client_tls, host_tls},
    soon,
    testing::identity,
};

#[tokio::test]
async fn each_plane_arrives_as_itself() {
    let host = Host::start();
    let client = Client::new();
    let session = host.dialled_by(&client, Plane::Session).await.unwrap();
    assert_eq!(session.plane(), Plane::Session);
    assert_eq!(session.fingerprint(), host.identity.fingerprint());
    let arrival = host.arrival().await;
    assert_eq!(arrival.fingerprint(), client.identity.fingerprint());

    let pairing = host.dialled_by(&client, Plane::Pairing).await.unwrap();
    assert_eq!(pairing.plane(), Plane::Pairing);
    let at_host = host.pairing().await;
    assert_eq!(at_host.plane(), Plane::Pairing);
    assert_eq!(at_host.fingerprint(), client.identity.fingerprint());

    assert_ne!(arrival.id(), at_host.id());
    assert_ne!(session.id(), pairing.id());
}

/// Who expects nobody in particular still learns who it was.
#[tokio::test]
async fn anyone_is_named_by_the_key_that_they_proved() {
    let host = Host::start();
    let client = Client::new();
    let connection = client.dial(host.address(), Plane::Pairing, Expect::Anyone).await.unwrap();
    assert_eq!(connection.fingerprint(), host.identity.fingerprint());
}

/// What pairing binds itself to must be known to these two alone, and differ each time, or an old transcript fits.
#[tokio::test]
async fn both_ends_export_the_same_secret_and_no_two_connections_do() {
    let host = Host::start();
    let (at_host, at_client, client) = host.session().await;
    let secret = at_client.export_keying_material(b"label", b"context");
    assert_eq!(at_host.export_keying_material(b"label", b"context"), secret);
    assert_ne!(at_host.export_keying_material(b"label", b"other"), secret);
    assert_ne!(at_host.export_keying_material(b"other", b"context"), secret);

    let again = host.dialled_by(&client, Plane::Session).await.unwrap();
    assert_ne!(again.export_keying_material(b"label", b"context"), secret);
}

/// A client that came by IPv4 must be counted, logged and compared by its IPv4 address.
#[tokio::test]
async fn an_ipv4_address_is_one_through_a_dual_stack_socket() {
    let identity = identity();
    let host = HostEndpoint::bind(&identity, Listen::Anywhere(0), Limits::default()).unwrap();
    let to = ([127, 0, 0, 1], host.local_addr().port()).into();
    let client = Client::new();
    let at_client = client.dial(to, Plane::Pairing, Expect::Anyone).await.unwrap();
    assert_eq!(at_client.remote_address(), to);
    let Some(pf_net::Accepted::Pairing(at_host)) = soon("accept", host.accept()).await else {
        panic!("a pairing connection");
    };
    assert!(at_host.remote_address().is_ipv4(), "{}", at_host.remote_address());
}

/// The way for a host's next version to be told from a broken one.
#[tokio::test]
async fn no_protocol_in_common_is_a_version_mismatch() {
    let (tls, _) = host_tls(b"punktfunk/9", &Credentials::of(&identity()));
    let (endpoint, address) = peers::host(tls);
    let serve = async { endpoint.accept().await.unwrap().await };
    let client = Client::new();
    let (dialled, _served) =
        tokio::join!(client.dial(address, Plane::Session, Expect::Anyone), soon("the handshake", serve));
    assert_eq!(dialled.err(), Some(DialError::VersionMismatch));
}

#[tokio::test]
async fn a_client_of_another_protocol_is_told_so_by_the_host() {
    let host = Host::start();
    let endpoint = peers::client_socket([127, 0, 0, 1]);
    for alpn in [&b"punktfunk/9"[..], b"h3"] {
        let (tls, _) = client_tls(alpn, Some(&Credentials::of(&identity())));
        let connecting =
            endpoint.connect_with(peers::quic_client(tls), host.address(), peers::SERVER_NAME).unwrap();
        let error = soon("the refusal", connecting).await.expect_err("no protocol in common");
        assert!(peers::alerted(&error, AlertDescription::NoApplicationProtocol), "{error}");
    }
}

/// Without a protocol name a client could mean either plane.
#[tokio::test]
async fn a_client_without_a_protocol_name_is_refused() {
    let host = Host::start();
    let (mut tls, _) = client_tls(b"", Some(&Credentials::of(&identity())));
    tls.alpn_protocols.clear();
    let endpoint = peers::client_socket([127, 0, 0, 1]);
    let connecting =
        endpoint.connect_with(peers::quic_client(tls), host.address(), peers::SERVER_NAME).unwrap();
    let error = soon("the refusal", connecting).await.expect_err("no protocol");
    assert!(peers::alerted(&error, AlertDescription::NoApplicationProtocol), "{error}");
}

#[tokio::test]
async fn a_dial_into_silence_ends_in_time() {
    let silent = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let client = Client::new();
    let dialled = client
        .endpoint
        .dial(
            silent.local_addr().unwrap(),
            Plane::Session,
            &client.identity,
            Expect::Anyone,
            Duration::from_millis(100),
        )
        .await;
    assert_eq!(dialled.err(), Some(DialError::TimedOut));
}

#[tokio::test]
async fn a_dial_to_no_address_is_unreachable() {
    let client = Client::new();
    for nowhere in ["127.0.0.1:0", "0.0.0.0:9777", "[::]:9777"] {
        let dialled = client.dial(nowhere.parse().unwrap(), Plane::Session, Expect::Anyone).await;
        let error = dialled.expect_err(nowhere);
        assert_eq!(error, DialError::Unreachable, "{nowhere}");
        assert_eq!(error.code(), Code::Unreachable);
    }
}

/// Certificate and key from two different files: the owner must hear it from the host, not from every client.
#[tokio::test]
async fn an_identity_whose_key_is_another_ones_does_not_listen() {
    let (mine, other) = (identity(), identity());
    let mixed =
        pf_base::Identity::new(mine.certificate().to_vec(), other.key().to_vec().into(), mine.fingerprint());
    let bound = HostEndpoint::bind(&mixed, Listen::On(([127, 0, 0, 1], 0).into()), Limits::default());
    assert!(matches!(bound, Err(BindError::Identity(_))), "{bound:?}");
    let client = Client { identity: mixed, ..Client::new() };
    let dialled = client.dial(([127, 0, 0, 1], 9).into(), Plane::Session, Expect::Anyone).await;
    assert!(matches!(dialled, Err(DialError::Identity(_))), "{dialled:?}");
}
