//! How many may come at once, and what becomes of the others.

use std::{net::Ipv4Addr, time::Duration};

use pf_base::Code;
use pf_net::{Cap, Closed, DialError, Limits, Plane};
use pf_proto::pair;
use tokio::net::UdpSocket;

use crate::{
    Client, Host, LONG,
    peers::{self, Credentials, client_socket, client_tls, quic_client},
    soon,
    testing::identity,
    until,
};

const ROOMY: Cap = Cap { total: 100, per_address: 100 };

fn handshakes(total: usize, per_address: usize) -> Limits {
    Limits { handshakes: Cap { total, per_address }, pairings: ROOMY, handshake_timeout: LONG }
}

/// Begins a handshake that nobody goes on with, and returns the first byte of the host's answer.
///
/// Its packets are those of an honest client, which was let dial into nowhere.
async fn begin(host: &Host) -> u8 {
    let nowhere = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (tls, _) = client_tls(Plane::Session.alpn(), Some(&Credentials::of(&identity())));
    let client = client_socket([127, 0, 0, 1]);
    let _dial =
        client.connect_with(quic_client(tls), nowhere.local_addr().unwrap(), peers::SERVER_NAME).unwrap();
    let liar = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut buffer = [0; 2048];
    // A post-quantum hello takes two packets.
    for _ in 0..2 {
        let (len, _) = soon("a first packet", nowhere.recv_from(&mut buffer)).await.unwrap();
        liar.send_to(&buffer[..len], host.address()).await.unwrap();
    }
    soon("an answer", liar.recv_from(&mut buffer)).await.unwrap();
    buffer[0]
}

/// Whether a QUIC packet that begins so asks for address validation (RFC 9000, 17.2.5).
fn is_retry(first: u8) -> bool {
    first & 0xB0 == 0xB0
}

/// Packets that begin handshakes under made-up addresses must not take the places of those who are there.
#[tokio::test]
async fn inv_50_under_load_an_address_must_be_proven_and_honest_clients_get_through() {
    let host = Host::with(handshakes(8, 8));
    for number in 0..4 {
        assert!(!is_retry(begin(&host).await), "handshake {number} is answered");
    }
    assert_eq!(host.endpoint.pending_handshakes(), 4);
    for number in 4..12 {
        assert!(is_retry(begin(&host).await), "handshake {number} must prove its address");
    }
    assert_eq!(host.endpoint.pending_handshakes(), 4, "who was asked to is not kept");

    let honest = Client::new();
    let _connection = host.dialled_by(&honest, Plane::Session).await.unwrap();
    assert_eq!(host.arrival().await.fingerprint(), honest.identity.fingerprint());
}

/// A flood that is over must leave a host as it was.
#[tokio::test]
async fn inv_50_places_come_back_after_a_flood() {
    let host = Host::with(Limits { handshake_timeout: Duration::from_millis(200), ..handshakes(8, 8) });
    for _ in 0..20 {
        begin(&host).await;
    }
    until("every place is free", || host.endpoint.pending_handshakes() == 0).await;
    assert!(!is_retry(begin(&host).await), "nobody has to prove anything");
}

/// A handshake that fails must free its place at once, or a broken client locks its whole address out.
#[tokio::test]
async fn a_failed_handshake_frees_its_place() {
    let host = Host::with(handshakes(4, 4));
    for _ in 0..20 {
        let (tls, _) = client_tls(Plane::Session.alpn(), None);
        let nobody = peers::dial(host.address(), tls).await;
        soon("the refusal", nobody.closed()).await;
    }
    until("every place is free", || host.endpoint.pending_handshakes() == 0).await;
}

/// Who is through but not admitted yet counts too: else a thousand finished handshakes would cost nothing.
#[tokio::test]
async fn inv_50_who_waits_to_be_admitted_counts_until_it_is() {
    let host = Host::with(handshakes(4, 4));
    let client = Client::new();
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let at_client = host.dialled_by(&client, Plane::Session).await.unwrap();
        waiting.push((at_client, host.arrival().await));
    }
    let busy = Some(DialError::Refused(Code::Busy));
    assert_eq!(host.dialled_by(&client, Plane::Session).await.err(), busy);

    let (_at_client, arrival) = waiting.pop().unwrap();
    let _at_host = arrival.admit();
    let (at_client, arrival) =
        (host.dialled_by(&client, Plane::Session).await.unwrap(), host.arrival().await);
    assert_eq!(host.dialled_by(&client, Plane::Session).await.err(), busy, "every place is taken again");
    arrival.refuse(Code::PairingRequired);
    assert_eq!(soon("the end", at_client.closed()).await, Closed::ByPeer(Code::PairingRequired));
    host.dialled_by(&client, Plane::Session).await.unwrap();
}

/// Dials from another address of loopback than the others.
async fn dial_from(last: u8, host: &Host, plane: Plane) -> quinn::Connection {
    let (tls, _) = client_tls(plane.alpn(), Some(&Credentials::of(&identity())));
    let endpoint = client_socket([127, 0, 0, last]);
    let connecting = endpoint.connect_with(quic_client(tls), host.address(), peers::SERVER_NAME).unwrap();
    soon("dial", connecting).await.unwrap()
}

/// One machine must not be able to keep all others out.
#[tokio::test]
async fn inv_50_one_address_cannot_take_every_place() {
    let host = Host::with(handshakes(100, 2));
    let client = Client::new();
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push((host.dialled_by(&client, Plane::Session).await.unwrap(), host.arrival().await));
    }
    let refused = host.dialled_by(&client, Plane::Session).await.err();
    assert_eq!(refused, Some(DialError::Refused(Code::Busy)));
    let _other = dial_from(2, &host, Plane::Session).await;
    assert_eq!(host.arrival().await.remote_address().ip(), Ipv4Addr::new(127, 0, 0, 2));
}

fn pairings(total: usize, per_address: usize) -> Limits {
    Limits { handshakes: ROOMY, pairings: Cap { total, per_address }, handshake_timeout: LONG }
}

async fn ended_as(connection: &quinn::Connection) -> Closed {
    soon("the end", connection.closed()).await.into()
}

/// Connections on which nobody ever pairs must not pile up, and must not keep sessions from being made.
#[tokio::test]
async fn inv_50_open_pairing_connections_are_bounded_and_their_places_come_back() {
    let host = Host::with(pairings(3, 2));
    let _first = dial_from(1, &host, Plane::Pairing).await;
    let first = host.pairing().await;
    let _second = dial_from(1, &host, Plane::Pairing).await;
    let _second_at_host = host.pairing().await;
    let third = dial_from(1, &host, Plane::Pairing).await;
    assert_eq!(ended_as(&third).await, Closed::ByPeer(Code::Busy), "two from one address");
    let _other = dial_from(2, &host, Plane::Pairing).await;
    let _other_at_host = host.pairing().await;
    let another = dial_from(3, &host, Plane::Pairing).await;
    assert_eq!(ended_as(&another).await, Closed::ByPeer(Code::Busy), "three in all");
    assert_eq!(host.endpoint.open_pairings(), 3);

    let client = Client::new();
    let _session = host.dialled_by(&client, Plane::Session).await.unwrap();
    let _arrival = host.arrival().await;

    drop(first);
    let _late = dial_from(1, &host, Plane::Pairing).await;
    host.pairing().await;
}

/// A task that keeps only the stream of a pairing connection keeps its place, too.
#[tokio::test]
async fn a_pairing_connection_counts_for_as_long_as_its_stream_is_held() {
    let host = Host::with(pairings(1, 1));
    let client = Client::new();
    let at_client = host.dialled_by(&client, Plane::Pairing).await.unwrap();
    let at_host = host.pairing().await;
    let mut to_host = at_client.open_control::<pair::ClientMessage, pair::HostMessage>().await.unwrap();
    to_host.send(&pair::ClientMessage::PinAcknowledged).await.unwrap();
    let control = at_host.accept_control::<pair::HostMessage, pair::ClientMessage>().await.unwrap();
    drop(at_host);
    let (sender, receiver) = control.split();
    drop(sender);
    assert_eq!(host.endpoint.open_pairings(), 1);
    drop(receiver);
    assert_eq!(host.endpoint.open_pairings(), 0);
}
