//! How a connection ends, and that the other side learns why.

use pf_base::{Code, DeviceName, PairPolicy};
use pf_net::{Closed, ControlError, ControlStream, DialError, Plane};
use pf_proto::{
    pair::{self, Greeting, Hello, HelloPurpose},
    session,
};

use crate::{Client, Host, control::hello, soon};

type SessionControl = ControlStream<session::ClientMessage, session::HostMessage>;

/// A refused device must learn why, each time: the person's way on depends on it. And a finished handshake alone must
/// not be shown as success.
#[tokio::test]
async fn inv_30_a_refusal_follows_the_handshake_and_arrives_as_its_code_200_times() {
    let host = Host::start();
    let client = Client::new();
    for round in 0..200 {
        let code = Code::ALL[round % Code::ALL.len()];
        let refuse = async { host.arrival().await.refuse(code) };
        let ask = async {
            let connection = host.dialled_by(&client, Plane::Session).await.expect("the handshake");
            let end = match connection.open_control().await {
                Ok(control) => first_answer(control).await,
                Err(closed) => closed,
            };
            assert_eq!(end, Closed::ByPeer(code), "round {round}");
            assert_eq!(connection.closed().await, end);
        };
        soon("a refusal", async { tokio::join!(refuse, ask) }).await;
    }
}

/// What a client meets that says hello to a host which is refusing it.
async fn first_answer(mut control: SessionControl) -> Closed {
    let result = match control.send(&hello("sofa")).await {
        Ok(_) => control.receive().await.map(|received| received.message),
        Err(error) => Err(error),
    };
    match result {
        Err(ControlError::Closed(closed)) => closed,
        other => panic!("{other:?} is no refusal"),
    }
}

/// On the pairing plane the details are in the last message, which the close must not overtake.
#[tokio::test]
async fn a_last_message_is_read_before_the_close_200_times() {
    let host = Host::start();
    let client = Client::new();
    for round in 0..200 {
        let last = pair::HostMessage::Unavailable {
            greeting: Some(Greeting {
                version: 1,
                host_name: DeviceName::sanitise("attic"),
                policy: PairPolicy::Required,
            }),
            code: Code::NotArmed,
            retry_after: None,
        };
        let turn_away = async {
            let connection = host.pairing().await;
            let mut control =
                connection.accept_control::<pair::HostMessage, pair::ClientMessage>().await.unwrap();
            control.receive().await.unwrap();
            control.send(&last).await.unwrap();
            control.finish().await.unwrap();
            connection.close(Code::NotArmed);
        };
        let pair = async {
            let connection = host.dialled_by(&client, Plane::Pairing).await.unwrap();
            let mut control =
                connection.open_control::<pair::ClientMessage, pair::HostMessage>().await.unwrap();
            let hello = pair::ClientMessage::Hello(Hello {
                versions: vec![1],
                device_name: DeviceName::sanitise("sofa"),
                purpose: HelloPurpose::Pin,
            });
            control.send(&hello).await.unwrap();
            // Late on purpose: the close is here already.
            assert_eq!(connection.closed().await, Closed::ByPeer(Code::NotArmed), "round {round}");
            assert_eq!(control.receive().await.unwrap().message, last, "round {round}");
        };
        soon("a last message", async { tokio::join!(turn_away, pair) }).await;
    }
}

#[tokio::test]
async fn a_dropped_host_says_that_the_session_is_over() {
    let host = Host::start();
    let (_at_host, at_client, _client) = host.session().await;
    drop(host);
    assert_eq!(soon("the end", at_client.closed()).await, Closed::ByPeer(Code::Ended));
}

#[tokio::test]
async fn a_host_that_shuts_down_tells_everyone_and_takes_nobody() {
    let host = Host::start();
    let (_at_host, at_client, client) = host.session().await;
    soon("the shutdown", host.endpoint.shutdown(Code::Busy)).await;
    assert_eq!(soon("the end", at_client.closed()).await, Closed::ByPeer(Code::Busy));
    assert!(soon("accept", host.endpoint.accept()).await.is_none());
    let late = host.dialled_by(&client, Plane::Session).await;
    assert_eq!(late.err(), Some(DialError::Refused(Code::Busy)));
}

#[tokio::test]
async fn a_client_that_shuts_down_tells_the_host() {
    let host = Host::start();
    let (at_host, _at_client, client) = host.session().await;
    soon("the shutdown", client.endpoint.shutdown(Code::Ended)).await;
    assert_eq!(soon("the end", at_host.closed()).await, Closed::ByPeer(Code::Ended));
    let late = host.dialled_by(&client, Plane::Session).await;
    assert_eq!(late.err(), Some(DialError::Stopped));
}

/// A device that is neither admitted nor refused, as when the host's task for it failed, is cut off all the same.
#[tokio::test]
async fn a_forgotten_arrival_is_closed() {
    let host = Host::start();
    let client = Client::new();
    let at_client = host.dialled_by(&client, Plane::Session).await.unwrap();
    drop(host.arrival().await);
    assert_eq!(soon("the end", at_client.closed()).await, Closed::ByPeerUnnamed(0));
}
