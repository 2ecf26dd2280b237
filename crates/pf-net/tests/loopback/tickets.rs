//! No way around a full handshake: tickets and early data.

use std::sync::Arc;

use pf_proto::{SESSION_ALPN, session};
use rustls::client::Resumption;

use crate::{
    Host,
    control::{hello, pong},
    peers::{self, Credentials, Gullible, SERVER_NAME, Wallet, client_tls, host_tls, quic_client},
    soon,
    testing::identity,
};

/// A client that would use every ticket and send early data, and who it says it is.
struct Hoarder {
    wallet: Arc<Wallet>,
    tls: rustls::ClientConfig,
    hosts: Arc<Gullible>,
    identity: pf_base::Identity,
}

impl Hoarder {
    fn new() -> Self {
        let (wallet, identity) = (Arc::new(Wallet::default()), identity());
        let (mut tls, hosts) = client_tls(SESSION_ALPN, Some(&Credentials::of(&identity)));
        tls.resumption = Resumption::store(wallet.clone());
        tls.enable_early_data = true;
        Self { wallet, tls, hosts, identity }
    }

    /// Fills the wallet at a host with the identity of `host` that gives tickets out and takes early data.
    async fn collect_tickets(&self, host: &Host) {
        let (mut tls, _) = host_tls(SESSION_ALPN, &Credentials::of(&host.identity));
        tls.max_early_data_size = u32::MAX;
        let (endpoint, address) = peers::host(tls);
        let serve = async {
            let connection = endpoint.accept().await.unwrap().await.unwrap();
            // What comes after the tickets shows that they came.
            connection.open_uni().await.unwrap().write_all(b"done").await.unwrap();
            connection.closed().await;
        };
        let collect = async {
            let connection = peers::dial(address, self.tls.clone()).await;
            connection.accept_uni().await.unwrap().read_to_end(4).await.unwrap();
        };
        soon("collecting tickets", async { tokio::join!(serve, collect) }).await;
        assert!(self.wallet.tickets() > 1, "that host gives tickets out");
    }

    /// Connects to `host` and stays until everything has come that it sends by itself.
    async fn meet(&self, host: &Host) -> quinn::Connection {
        let at_client = peers::dial(host.address(), self.tls.clone()).await;
        let arrival = host.arrival().await;
        assert_eq!(arrival.fingerprint(), self.identity.fingerprint());
        let at_host = arrival.admit();
        // Tickets are sent when the handshake is done, before any answer to what the client says then.
        let (mut send, mut receive) = at_client.open_bi().await.unwrap();
        send.write_all(&pf_proto::frame::encode(&hello("hoarder"))).await.unwrap();
        let mut control =
            at_host.accept_control::<session::HostMessage, session::ClientMessage>().await.unwrap();
        control.receive().await.unwrap();
        control.send(&pong(1)).await.unwrap();
        control.finish().await.unwrap();
        soon("the answer", receive.read_to_end(1024)).await.unwrap();
        at_client
    }
}

/// A removed device must not come back with what it was given while it was paired.
#[tokio::test]
async fn inv_26_a_host_gives_no_ticket() {
    let host = Host::start();
    let hoarder = Hoarder::new();
    let _connection = hoarder.meet(&host).await;
    assert_eq!(hoarder.wallet.tickets(), 0);
}

/// Tickets change nothing, neither what this host gave out before nor those of another with its key: each time the
/// host asks for the certificate and its key.
#[tokio::test]
async fn inv_26_a_saved_ticket_does_not_shorten_the_handshake() {
    let host = Host::start();
    let hoarder = Hoarder::new();
    hoarder.collect_tickets(&host).await;
    for round in 0..2 {
        let seen = hoarder.hosts.seen();
        let _connection = hoarder.meet(&host).await;
        assert_eq!(hoarder.hosts.seen(), seen + 1, "round {round}: the host showed its certificate");
    }
}

/// Early data can be replayed by whoever recorded it, and is read before the client has proved its key.
#[tokio::test]
async fn inv_27_early_data_is_not_taken() {
    let host = Host::start();
    let hoarder = Hoarder::new();
    hoarder.collect_tickets(&host).await;
    drop(hoarder.meet(&host).await);

    let endpoint = peers::client_socket([127, 0, 0, 1]);
    let connecting =
        endpoint.connect_with(quic_client(hoarder.tls.clone()), host.address(), SERVER_NAME).unwrap();
    let (early, taken) = connecting.into_0rtt().unwrap_or_else(|_| panic!("the client tries"));
    early.send_datagram(b"replay me"[..].into()).unwrap();
    assert!(!soon("the handshake", taken).await, "early data is refused");

    let at_host = host.arrival().await.admit();
    early.send_datagram(b"now"[..].into()).unwrap();
    assert_eq!(soon("a datagram", at_host.read_datagram()).await.unwrap(), &b"now"[..]);
}
