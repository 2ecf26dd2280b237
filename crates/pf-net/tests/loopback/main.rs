//! Both ends over real sockets on loopback, and peers that break the rules.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics, and says where")]

mod control;
mod datagrams;
mod door;
mod endings;
mod handshake;
mod identity;
mod loss;
mod peers;
mod relay;
#[path = "../../src/testing.rs"]
mod testing;
mod tickets;

use std::{future::Future, net::SocketAddr, time::Duration};

use pf_base::Identity;
use pf_net::{
    Accepted, Arrival, ClientEndpoint, Connection, DialError, Expect, HostEndpoint, Limits, Listen, Plane,
};

use testing::identity;

/// Long beyond what anything here takes: a test that waits in vain ends, and says where. Yet shorter than the idle
/// time-out, which would clear away in the end what should have been cleared away at once.
const LONG: Duration = Duration::from_secs(8);

/// What `future` comes to, or a panic when it never does.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let Ok(value) = tokio::time::timeout(LONG, future).await else { panic!("{what}: nothing happened") };
    value
}

/// Waits until `condition` holds.
async fn until(what: &str, condition: impl Fn() -> bool) {
    soon(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// A host on loopback, and who it is.
struct Host {
    endpoint: HostEndpoint,
    identity: Identity,
}

impl Host {
    fn start() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let identity = identity();
        let anywhere = Listen::On(([127, 0, 0, 1], 0).into());
        Self { endpoint: HostEndpoint::bind(&identity, anywhere, limits).unwrap(), identity }
    }

    fn address(&self) -> SocketAddr {
        self.endpoint.local_addr()
    }

    /// The dial of a client that has pinned this host.
    async fn dialled_by(&self, client: &Client, plane: Plane) -> Result<Connection, DialError> {
        client.dial(self.address(), plane, Expect::Exactly(self.identity.fingerprint())).await
    }

    async fn arrival(&self) -> Arrival {
        match soon("accept", self.endpoint.accept()).await {
            Some(Accepted::Session(arrival)) => arrival,
            other => panic!("{other:?} came for a session"),
        }
    }

    async fn pairing(&self) -> Connection {
        match soon("accept", self.endpoint.accept()).await {
            Some(Accepted::Pairing(connection)) => connection,
            other => panic!("{other:?} came to pair"),
        }
    }

    /// Both ends of an admitted session with a new client.
    async fn session(&self) -> (Connection, Connection, Client) {
        let client = Client::new();
        let at_client = self.dialled_by(&client, Plane::Session).await.unwrap();
        let at_host = self.arrival().await.admit();
        assert_eq!(at_host.fingerprint(), client.identity.fingerprint());
        (at_host, at_client, client)
    }
}

/// A client, and who it is.
struct Client {
    endpoint: ClientEndpoint,
    identity: Identity,
}

impl Client {
    fn new() -> Self {
        Self { endpoint: ClientEndpoint::new().unwrap(), identity: identity() }
    }

    async fn dial(&self, address: SocketAddr, plane: Plane, expect: Expect) -> Result<Connection, DialError> {
        self.endpoint.dial(address, plane, &self.identity, expect, LONG).await
    }
}
