//! A machine that answers in a host's place, and keeps to no rule but the test's.

use std::net::SocketAddr;

use pf_base::{DeviceName, Fingerprint, Identity, PairPolicy, Pin, PinDigits};
use pf_net::{Accepted, Connection, ControlStream, HostEndpoint, Limits, Listen, Plane};
use pf_proto::pair::{ClientMessage, Greeting, HostMessage};
use pf_trust::ceremony::{BeforeShares, Channel, EXPORTER_LABEL, Entropy, HostAwaitConfirm, HostCeremony};

use crate::{Identities, soon};

/// A machine that answers in a host's place, with an identity of its own. Its methods must be called inside of a tokio
/// runtime of several threads.
#[derive(Debug)]
pub struct Impostor {
    endpoint: HostEndpoint,
    own: Fingerprint,
}

impl Impostor {
    /// One on any port.
    pub fn start() -> Self {
        Self::with(&Identities::new().fresh(), 0)
    }

    /// One with this identity, on this port.
    pub fn with(identity: &Identity, port: u16) -> Self {
        let listen = Listen::On(([127, 0, 0, 1], port).into());
        let endpoint = HostEndpoint::bind(identity, listen, Limits::default()).unwrap();
        Self { endpoint, own: identity.fingerprint() }
    }

    /// Where it listens, as a person types it.
    pub fn address(&self) -> String {
        self.socket_address().to_string()
    }

    /// Where it listens.
    pub fn socket_address(&self) -> SocketAddr {
        self.endpoint.local_addr()
    }

    /// The next client that comes to pair or to ask, with its first message.
    pub async fn client(&self) -> Caught {
        let connection = loop {
            match soon("a client", self.endpoint.accept()).await {
                Some(Accepted::Pairing(connection)) => break connection,
                Some(Accepted::Session(arrival)) => arrival.refuse(pf_base::Code::PairingRequired),
                None => panic!("the impostor was closed"),
            }
        };
        let mut control = connection.accept_control().await.unwrap();
        let received = soon("the first message", control.receive()).await.unwrap();
        Caught { own: self.own, connection, control, first: received.message, m1: received.framed.to_vec() }
    }
}

/// A client on the impostor's pairing stream, after its first message.
#[derive(Debug)]
pub struct Caught {
    own: Fingerprint,
    /// The connection.
    pub connection: Connection,
    /// The stream.
    pub control: ControlStream<HostMessage, ClientMessage>,
    /// What the client said first.
    pub first: ClientMessage,
    m1: Vec<u8>,
}

impl Caught {
    /// What ties a ceremony to this connection.
    pub fn channel(&self) -> Channel {
        let exporter = self.connection.export_keying_material(EXPORTER_LABEL, b"");
        Channel::new(self.own, self.connection.fingerprint(), Plane::Pairing.alpn(), exporter).unwrap()
    }

    /// Says something; that the client has hung up meanwhile is heard next.
    pub async fn say(&mut self, message: &HostMessage) {
        let _ = self.control.send(message).await;
    }

    /// What the client says next; nothing when it hangs up.
    pub async fn hear(&mut self) -> Option<ClientMessage> {
        soon("an answer", self.control.receive()).await.ok().map(|received| received.message)
    }

    /// Sends M2, and hears M3.
    pub async fn share(&mut self) -> (HostCeremony, [u8; 65]) {
        let name = DeviceName::sanitise("victim");
        let offer = HostMessage::PinOffer { greeting: greeting(), digits: PinDigits::DEFAULT };
        let m2 = self.control.send(&offer).await.unwrap();
        let ceremony = HostCeremony::new(self.channel(), name, BeforeShares::of(&self.m1, &m2));
        match self.hear().await {
            Some(ClientMessage::PinShare(p_a)) => (ceremony, p_a),
            other => panic!("{other:?} in the place of M3"),
        }
    }

    /// Sends M2 to M4 with a guess, and hears M5.
    pub async fn confirmation(&mut self, guess: &str) -> (HostAwaitConfirm, [u8; 32]) {
        let (ceremony, p_a) = self.share().await;
        let entropy = Entropy::draw(getrandom::fill).unwrap();
        let (waiting, p_b) = ceremony.share(&Pin::parse(guess).unwrap(), &p_a, entropy).unwrap();
        self.say(&HostMessage::PinShare(p_b)).await;
        match self.hear().await {
            Some(ClientMessage::PinConfirmation(c_a)) => (waiting, c_a),
            other => panic!("{other:?} in the place of M5"),
        }
    }
}

/// What an impostor says of itself: that it is a host like any.
pub fn greeting() -> Greeting {
    Greeting {
        version: pf_proto::VERSION,
        host_name: DeviceName::sanitise("desk"),
        policy: PairPolicy::Required,
    }
}
