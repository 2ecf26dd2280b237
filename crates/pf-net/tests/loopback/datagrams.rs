//! Datagrams, and what a connection may do before and after it is admitted.

use std::{future::Future, pin::pin, task::Context, task::Poll, task::Waker};

use bytes::Bytes;
use pf_base::Code;
use pf_net::{Closed, DatagramError, Plane, transport};
use pf_proto::session::{ClientMessage, HostMessage};

use crate::{
    Client, Host,
    control::hello,
    peers::{self, Credentials, client_tls},
    soon,
    testing::identity,
    until,
};

fn is_pending<T>(future: impl Future<Output = T>) -> bool {
    matches!(pin!(future).poll(&mut Context::from_waker(Waker::noop())), Poll::Pending)
}

#[tokio::test]
async fn datagrams_go_both_ways_up_to_the_size_that_is_asked_for() {
    let host = Host::start();
    let (at_host, at_client, _client) = host.session().await;
    for (from, to) in [(&at_host, &at_client), (&at_client, &at_host)] {
        let longest = Bytes::from(vec![7; from.max_datagram()]);
        assert!(longest.len() >= 1162, "{}", longest.len());
        from.send_datagram(longest.clone()).unwrap();
        assert_eq!(soon("a datagram", to.read_datagram()).await.unwrap(), longest);
        // The size grows meanwhile, as the path's is found out.
        let too_long = Bytes::from(vec![7; usize::from(transport::LARGEST_UDP_PAYLOAD)]);
        assert_eq!(from.send_datagram(too_long), Err(DatagramError::TooLong));
    }
    let figures = at_client.figures();
    assert!(figures.sent_datagrams >= 1 && figures.received_datagrams >= 1, "{figures:?}");
    assert!(figures.sent_bytes > 0 && figures.received_bytes > 0 && figures.congestion_window > 0);
}

/// The size that is asked for each frame must follow the path to what Ethernet takes.
#[tokio::test]
async fn datagrams_grow_to_the_size_of_an_ethernet_frame() {
    let host = Host::start();
    let (at_host, _at_client, _client) = host.session().await;
    until("the path's size", || at_host.figures().mtu > 1400).await;
    assert!(at_host.max_datagram() > 1370, "{}", at_host.max_datagram());
    assert!(at_host.figures().mtu <= transport::LARGEST_UDP_PAYLOAD);
}

/// Frames are produced on plain threads, which must never wait for the network.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_outside_of_the_runtime_sends() {
    let host = Host::start();
    let (at_host, at_client, _client) = host.session().await;
    let producer = std::thread::spawn(move || {
        for number in 0..100_u8 {
            at_host.send_datagram(Bytes::from(vec![number; 1000])).unwrap();
        }
        at_host
    });
    for number in 0..100 {
        assert_eq!(soon("a datagram", at_client.read_datagram()).await.unwrap()[0], number);
    }
    producer.join().unwrap();
}

/// Who asks before encoding must get an answer that says what waits.
#[tokio::test]
async fn the_space_that_is_left_falls_with_what_waits_and_comes_back() {
    let host = Host::start();
    let (at_host, at_client, _client) = host.session().await;
    let empty = at_host.datagram_send_buffer_space();
    assert!(empty <= transport::DATAGRAM_SEND_BUFFER && empty > transport::DATAGRAM_SEND_BUFFER - 100);
    // Nothing runs between these: one thread, and no await.
    for _ in 0..10 {
        at_host.send_datagram(Bytes::from(vec![0; 1000])).unwrap();
    }
    assert!(at_host.datagram_send_buffer_space() <= empty - 10_000);
    for _ in 0..10 {
        soon("a datagram", at_client.read_datagram()).await.unwrap();
    }
    until("the buffer is empty", || at_host.datagram_send_buffer_space() == empty).await;
}

/// Two controls of one stream starve each other: the window must be what the stream says, and of this connection alone.
#[tokio::test]
async fn the_window_of_one_connection_follows_the_pace_of_its_stream() {
    let host = Host::start();
    let (at_host, at_client, _client) = host.session().await;
    let (other, at_other_client, _other_client) = host.session().await;
    let windows = async |pace| {
        at_host.follow_pace(pace);
        for (from, to) in [(&at_host, &at_client), (&other, &at_other_client)] {
            // It is the acknowledgement of the first that counts, and the second may come before it.
            for _ in 0..20 {
                from.send_datagram(Bytes::from_static(b"picture")).unwrap();
                soon("a datagram", to.read_datagram()).await.unwrap();
            }
        }
        [&at_host, &other].map(|connection| connection.figures().congestion_window)
    };
    let [own, _] = windows(None).await;
    assert!(own < 500_000, "{own}");
    // In 150 ms at least.
    let least = 80_000_000 / 8 * 150 / 1000;
    let [followed, others] = windows(Some(80_000_000)).await;
    assert!(followed >= least && followed < 2 * least, "{followed}");
    assert!(others < 500_000, "{others}");
    let [again, _] = windows(None).await;
    assert!(again < 500_000, "{again}");
}

#[tokio::test]
async fn a_closed_connection_takes_and_gives_no_datagram() {
    let host = Host::start();
    let (at_host, at_client, _client) = host.session().await;
    at_host.close(Code::Removed);
    assert_eq!(soon("the end", at_client.read_datagram()).await, Err(Closed::ByPeer(Code::Removed)));
    let closed = DatagramError::Closed(Closed::ByPeer(Code::Removed));
    assert_eq!(at_client.send_datagram(Bytes::from_static(b"late")), Err(closed));
}

/// What strangers can make a host keep must stay small: one stream, nothing else.
#[tokio::test]
async fn inv_50_before_admission_a_client_has_one_stream_and_after_it_more() {
    let host = Host::start();
    let client = Client::new();
    let at_client = host.dialled_by(&client, Plane::Session).await.unwrap();
    let arrival = host.arrival().await;
    let mut first = at_client.open_control::<ClientMessage, HostMessage>().await.unwrap();
    first.send(&hello("sofa")).await.unwrap();
    assert!(is_pending(at_client.open_control::<ClientMessage, HostMessage>()));
    let _at_host = arrival.admit();
    soon("a second stream", at_client.open_control::<ClientMessage, HostMessage>()).await.unwrap();
}

/// The same with a client that keeps to no rule of ours: the limits are the host's.
#[tokio::test]
async fn inv_50_a_stranger_can_neither_open_other_streams_nor_fill_the_one_that_it_has() {
    let host = Host::start();
    let (tls, _) = client_tls(Plane::Pairing.alpn(), Some(&Credentials::of(&identity())));
    let stranger = peers::dial(host.address(), tls).await;
    let _at_host = host.pairing().await;
    assert!(is_pending(stranger.open_uni()));
    let (mut send, _receive) = stranger.open_bi().await.unwrap();
    assert!(is_pending(stranger.open_bi()));
    let mut taken = 0;
    while let Poll::Ready(written) =
        pin!(send.write(&[0; 1024])).poll(&mut Context::from_waker(Waker::noop()))
    {
        taken += written.unwrap();
    }
    assert_eq!(taken, transport::STREAM_WINDOW as usize, "nobody reads, so no more is taken");
}

/// A host that turned bad must not fill its clients up either.
#[tokio::test]
async fn inv_50_a_client_lets_its_host_open_no_stream() {
    let host = Host::start();
    let (at_host, _at_client, _client) = host.session().await;
    assert!(is_pending(at_host.open_control::<HostMessage, ClientMessage>()));
}

/// A datagram of somebody who is not in yet must not be found by the code that runs once somebody is.
#[tokio::test]
async fn what_came_as_datagrams_before_admission_is_gone() {
    let host = Host::start();
    let client = Client::new();
    let at_client = host.dialled_by(&client, Plane::Session).await.unwrap();
    let arrival = host.arrival().await;
    at_client.send_datagram(Bytes::from_static(b"early")).unwrap();
    // The stream's message is sent after the datagram, and the host has it when it is acknowledged.
    let mut control = at_client.open_control::<ClientMessage, HostMessage>().await.unwrap();
    control.send(&hello("sofa")).await.unwrap();
    soon("the acknowledgement", control.finish()).await.unwrap();

    let at_host = arrival.admit();
    at_client.send_datagram(Bytes::from_static(b"now")).unwrap();
    assert_eq!(soon("a datagram", at_host.read_datagram()).await.unwrap(), &b"now"[..]);
    assert_eq!(at_host.figures().received_datagrams, 2);
}
