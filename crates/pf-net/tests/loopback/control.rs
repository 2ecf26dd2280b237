//! Messages on the control stream.

use std::time::Duration;

use pf_base::{Code, DeviceName};
use pf_net::{Closed, ControlError, ControlStream, Plane};
use pf_proto::{
    Malformed, frame,
    session::{ClientMessage, HostMessage, SessionHello, StreamWishes},
};
use tokio::select;

use crate::{
    Client, Host,
    peers::{self, Credentials, client_tls},
    soon,
    testing::identity,
};

type HostControl = ControlStream<HostMessage, ClientMessage>;
type ClientControl = ControlStream<ClientMessage, HostMessage>;

pub(crate) fn hello(name: &str) -> ClientMessage {
    ClientMessage::Hello(SessionHello {
        versions: vec![1],
        device_name: DeviceName::sanitise(name),
        wishes: StreamWishes { width: 1280, height: 720, frames_per_second: 60, ..StreamWishes::default() },
    })
}

pub(crate) fn pong(sent: u64) -> HostMessage {
    HostMessage::ClockPong { ping_sent: sent, received: 2, sent: 3 }
}

fn ping(sent: u64) -> ClientMessage {
    ClientMessage::ClockPing { sent }
}

/// A transcript is made of bytes: both sides must hash the same, whatever a re-encoding would give.
#[tokio::test]
async fn a_message_arrives_with_the_bytes_that_it_was_sent_as() {
    let host = Host::start();
    let (at_host, at_client, _client) = host.session().await;
    let mut to_host: ClientControl = at_client.open_control().await.unwrap();
    let sent = to_host.send(&hello("sofa")).await.unwrap();
    assert_eq!(sent, frame::encode(&hello("sofa")));
    let mut to_client: HostControl = soon("a stream", at_host.accept_control()).await.unwrap();
    let received = soon("a message", to_client.receive()).await.unwrap();
    assert_eq!(received.message, hello("sofa"));
    assert_eq!(received.framed, sent);

    let sent = to_client.send(&pong(1)).await.unwrap();
    let received = soon("an answer", to_host.receive()).await.unwrap();
    assert_eq!((received.message, received.framed), (pong(1), sent));
}

#[tokio::test]
async fn halves_work_on_their_own_and_end_on_their_own() {
    let host = Host::start();
    let (at_host, at_client, _client) = host.session().await;
    let to_host: ClientControl = at_client.open_control().await.unwrap();
    let (mut sender, mut receiver) = to_host.split();
    let client = tokio::spawn(async move {
        for sent in 0..50 {
            sender.send(&ping(sent)).await.unwrap();
        }
        sender.finish().await.unwrap();
    });
    let mut to_client: HostControl = soon("a stream", at_host.accept_control()).await.unwrap();
    for sent in 0..50 {
        assert_eq!(soon("a ping", to_client.receive()).await.unwrap().message, ping(sent));
    }
    assert_eq!(soon("the end", to_client.receive()).await, Err(ControlError::Ended));
    soon("the client", client).await.unwrap();
    to_client.send(&pong(1)).await.unwrap();
    assert_eq!(soon("a pong", receiver.receive()).await.unwrap().message, pong(1));
}

/// A client of which every byte is ours to choose, and the host's end of its control stream.
async fn raw_stream(host: &Host) -> (quinn::Connection, quinn::SendStream, HostControl) {
    let (tls, _) = client_tls(Plane::Session.alpn(), Some(&Credentials::of(&identity())));
    let connection = peers::dial(host.address(), tls).await;
    let at_host = host.arrival().await.admit();
    let (mut send, _receive) = connection.open_bi().await.unwrap();
    // A stream is only seen with its first byte: that of a length below 256.
    send.write_all(&[0]).await.unwrap();
    let control = soon("a stream", at_host.accept_control()).await.unwrap();
    (connection, send, control)
}

/// A select loop drops the call whenever something else happens first; the half of a message that was there then must
/// not be taken for the beginning of the next.
#[tokio::test]
async fn a_cancelled_receive_loses_nothing() {
    let host = Host::start();
    let (_connection, mut send, mut control) = raw_stream(&host).await;
    let framed = frame::encode(&hello("sofa"));
    for byte in &framed[1..] {
        select! {
            biased;
            message = control.receive() => panic!("{message:?} is not whole"),
            () = tokio::time::sleep(Duration::from_micros(100)) => {}
        }
        send.write_all(&[*byte]).await.unwrap();
    }
    assert_eq!(soon("a message", control.receive()).await.unwrap().message, hello("sofa"));
}

/// The same for sending: the other side must not find the next message in the middle of this one.
#[tokio::test]
async fn a_cancelled_send_is_made_good_by_the_next() {
    let host = Host::start();
    let (at_host, at_client, _client) = host.session().await;
    let mut to_host: ClientControl = at_client.open_control().await.unwrap();
    // Nobody reads, so that the window fills up and a send is stuck.
    let mut sent = 0;
    loop {
        let message = ping(sent);
        select! {
            biased;
            result = to_host.send(&message) => { result.unwrap(); }
            () = tokio::time::sleep(Duration::from_millis(20)) => break,
        }
        sent += 1;
    }
    let mut to_client: HostControl = soon("a stream", at_host.accept_control()).await.unwrap();
    let read = async {
        for expected in 0..=sent + 1 {
            assert_eq!(to_client.receive().await.unwrap().message, ping(expected));
        }
    };
    let write = async { to_host.send(&ping(sent + 1)).await.unwrap() };
    soon("every message", async { tokio::join!(read, write) }).await;
}

/// A length is a promise of how much to keep in memory, by somebody who may be lying.
#[tokio::test]
async fn inv_50_a_message_that_is_too_long_is_refused_by_its_length() {
    let host = Host::start();
    let (tls, _) = client_tls(Plane::Session.alpn(), Some(&Credentials::of(&identity())));
    let connection = peers::dial(host.address(), tls).await;
    let at_host = host.arrival().await.admit();
    let (mut send, _receive) = connection.open_bi().await.unwrap();
    send.write_all(&1025_u16.to_be_bytes()).await.unwrap();
    let mut control: HostControl = soon("a stream", at_host.accept_control()).await.unwrap();
    let too_long = ControlError::Malformed(Malformed::TooLong);
    assert_eq!(soon("the length", control.receive()).await, Err(too_long));
    assert_eq!(soon("the same", control.receive()).await, Err(too_long), "there is no next message");
}

/// Whatever a peer writes, the reader gets an error that says what was wrong, and no panic.
#[tokio::test]
async fn inv_50_what_is_no_message_is_malformed() {
    let host = Host::start();
    let cases: [(&[u8], Malformed); 3] = [
        (&[0], Malformed::UnknownKind),
        (&[1, 0xFF], Malformed::Encoding),
        (&[2, 0xF8, 0x01], Malformed::Encoding),
    ];
    for (rest, malformed) in cases {
        let (_connection, mut send, mut control) = raw_stream(&host).await;
        send.write_all(rest).await.unwrap();
        let result = soon("the bytes", control.receive()).await;
        assert_eq!(result, Err(ControlError::Malformed(malformed)), "{rest:?}");
    }
}

#[tokio::test]
async fn a_stream_that_ends_inside_of_a_message_is_broken() {
    let host = Host::start();
    let (_connection, mut send, mut control) = raw_stream(&host).await;
    send.finish().unwrap();
    assert_eq!(soon("the end", control.receive()).await, Err(ControlError::Broken));

    let (_connection, mut send, mut control) = raw_stream(&host).await;
    send.reset(7_u32.into()).unwrap();
    assert_eq!(soon("the reset", control.receive()).await, Err(ControlError::Broken));
}

/// What is awaited on a stream when the connection ends must say why it ended.
#[tokio::test]
async fn a_close_reaches_whoever_waits_on_the_stream() {
    let host = Host::start();
    let client = Client::new();
    let at_client = host.dialled_by(&client, Plane::Session).await.unwrap();
    let at_host = host.arrival().await.admit();
    let mut control: ClientControl = at_client.open_control().await.unwrap();
    control.send(&hello("sofa")).await.unwrap();
    let closer = at_host.closer();
    let (received, ()) = tokio::join!(control.receive(), async { closer.close(Code::Removed) });
    assert_eq!(received, Err(ControlError::Closed(Closed::ByPeer(Code::Removed))));
    assert_eq!(control.send(&ping(1)).await, Err(ControlError::Closed(Closed::ByPeer(Code::Removed))));
    assert_eq!(at_host.close_reason(), Some(Closed::Here));
}
