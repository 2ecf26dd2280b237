//! A client that keeps to no rule but the test's: it speaks the pairing protocol step by step, and can stop, skip and
//! alter at each.

use std::net::SocketAddr;

use pf_base::{Code, DeviceName, Fingerprint, Identity, Pin};
use pf_net::{ClientEndpoint, Connection, ControlError, ControlStream, DialError, Expect, Plane};
use pf_proto::{
    pair::{ClientMessage, Hello, HelloPurpose, HostMessage},
    session,
};
use pf_store::DataDir;
use pf_trust::{
    ceremony::{
        BeforeShares, Channel, ClientAwaitShare, ClientAwaitVerdict, ClientCeremony, EXPORTER_LABEL, Entropy,
    },
    check_code::{ClientAsk, Nonce},
};
use tempfile::TempDir;

use crate::{PATIENCE, soon};

/// Makes identities as the programs do, each with its own file.
#[derive(Debug)]
pub struct Identities(TempDir);

impl Identities {
    /// None yet.
    pub fn new() -> Self {
        Self(tempfile::Builder::new().prefix("pf-e2e-keys-").tempdir().unwrap())
    }

    /// A fresh one.
    pub fn fresh(&self) -> Identity {
        let place = tempfile::Builder::new().prefix("key-").tempdir_in(self.0.path()).unwrap();
        pf_store::identity::load_or_create(&DataDir::open(place.path().join("data")).unwrap()).unwrap()
    }
}

impl Default for Identities {
    fn default() -> Self {
        Self::new()
    }
}

/// A machine that speaks the protocol by itself. Its methods must be called inside of a tokio runtime of several
/// threads, for tests also wait for processes.
#[derive(Debug)]
pub struct Attacker {
    identity: Identity,
    endpoint: ClientEndpoint,
}

impl Attacker {
    /// One with an identity of its own.
    pub fn new() -> Self {
        Self::with(Identities::new().fresh())
    }

    /// One with this identity.
    pub fn with(identity: Identity) -> Self {
        Self { identity, endpoint: ClientEndpoint::new().unwrap() }
    }

    /// The key that hosts know it by.
    pub fn fingerprint(&self) -> Fingerprint {
        self.identity.fingerprint()
    }

    /// Its identity.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Dials a host, whoever it is.
    pub async fn try_dial(&self, address: SocketAddr, plane: Plane) -> Result<Connection, DialError> {
        self.endpoint.dial(address, plane, &self.identity, Expect::Anyone, PATIENCE).await
    }

    /// Dials a host that answers.
    pub async fn dial(&self, address: SocketAddr, plane: Plane) -> Connection {
        self.try_dial(address, plane).await.unwrap()
    }

    /// Opens the pairing stream, and says nothing yet.
    pub async fn open(&self, address: SocketAddr) -> Line {
        let connection = self.dial(address, Plane::Pairing).await;
        let control = connection.open_control().await.unwrap();
        Line { own: self.fingerprint(), connection, control }
    }

    /// Goes through M1 and M2, for which a window must be open; again and again while the host says that it is too
    /// early.
    pub async fn offered(&self, address: SocketAddr, name: &str) -> Offered {
        soon("a host that takes tries", async {
            loop {
                match self.try_offered(address, name).await {
                    Ok(offered) => return offered,
                    Err(Code::RateLimited) => tokio::time::sleep(AGAIN).await,
                    Err(code) => panic!("refused: {code:?}"),
                }
            }
        })
        .await
    }

    /// Pairs as an honest client does.
    pub async fn pair(&self, address: SocketAddr, name: &str, pin: &str) {
        self.offered(address, name).await.share(pin).await.unwrap().finish().await.unwrap();
    }

    /// Goes through M1 and M2, or hears why not.
    pub async fn try_offered(&self, address: SocketAddr, name: &str) -> Result<Offered, Code> {
        let mut line = self.open(address).await;
        let hello = ClientMessage::Hello(hello(name, HelloPurpose::Pin));
        let m1 = line.control.send(&hello).await.unwrap();
        let received = soon("M2", line.control.receive()).await.map_err(|error| line.ending(error))?;
        match received.message {
            HostMessage::PinOffer { greeting, .. } => {
                let before = BeforeShares::of(&m1, &received.framed);
                Ok(Offered { line, before, host_name: greeting.host_name })
            }
            HostMessage::Unavailable { code, .. } => Err(code),
            other => panic!("{other:?} in the place of M2"),
        }
    }

    /// Asks for access, up to the check code: the line on which the answer comes, and the code.
    pub async fn ask(&self, address: SocketAddr, name: &str) -> Result<(Line, String), Code> {
        let mut line = self.open(address).await;
        let asking = ClientAsk::new(line.channel());
        let (waiting, commitment) = asking.commit(Nonce::draw(getrandom::fill).unwrap());
        line.say(&ClientMessage::Hello(hello(name, HelloPurpose::Ask { commitment }))).await;
        let nonce = match line.hear().await? {
            HostMessage::CodeNonce { nonce, .. } => nonce,
            HostMessage::Unavailable { code, .. } => return Err(code),
            other => panic!("{other:?} in the place of a nonce"),
        };
        let (nonce, code) = waiting.reveal(nonce);
        line.say(&ClientMessage::CodeReveal(nonce)).await;
        match line.hear().await? {
            HostMessage::RequestParked { .. } => Ok((line, code.to_string())),
            HostMessage::Unavailable { code, .. } => Err(code),
            other => panic!("{other:?} in the place of the request's number"),
        }
    }

    /// Leaves a request without waiting.
    pub async fn knock(&self, address: SocketAddr, name: &str) -> Result<(), Code> {
        let mut line = self.open(address).await;
        line.say(&ClientMessage::Hello(hello(name, HelloPurpose::Knock))).await;
        match line.hear().await? {
            HostMessage::RequestLeft { .. } => Ok(()),
            HostMessage::Unavailable { code, .. } => Err(code),
            other => panic!("{other:?} in the place of the answer to a knock"),
        }
    }

    /// Asks for a session: the admitted one, or the code with which the host ends it.
    pub async fn enter(&self, address: SocketAddr) -> Result<Visit, Code> {
        self.enter_wishing(address, session::StreamWishes::default()).await
    }

    /// The same, for a stream that is wished so.
    pub async fn enter_wishing(
        &self,
        address: SocketAddr,
        wishes: session::StreamWishes,
    ) -> Result<Visit, Code> {
        let connection = self.dial(address, Plane::Session).await;
        let mut control: SessionControl = connection.open_control().await.map_err(pf_net::Closed::code)?;
        let hello = session::ClientMessage::Hello(session::SessionHello {
            versions: vec![pf_proto::VERSION],
            device_name: DeviceName::sanitise("attacker"),
            wishes,
        });
        let heard = async {
            control.send(&hello).await?;
            control.receive().await
        };
        match soon("Admitted", heard).await {
            Ok(received) => match received.message {
                session::HostMessage::Admitted(_) => Ok(Visit { connection, control }),
                other => panic!("{other:?} in the place of Admitted"),
            },
            Err(_) => Err(soon("the reason", connection.closed()).await.code()),
        }
    }
}

impl Default for Attacker {
    fn default() -> Self {
        Self::new()
    }
}

/// An admitted session.
#[derive(Debug)]
pub struct Visit {
    /// The connection.
    pub connection: Connection,
    /// A client whose stream ends has left.
    control: SessionControl,
}

impl Visit {
    /// Asks for a key frame, as a client does that lost a picture.
    pub async fn ask_for_key_frame(&mut self) {
        self.say(&session::ClientMessage::KeyFrameRequest { last_frame: 0 }).await;
    }

    /// What the host says next.
    pub async fn hear(&mut self) -> session::HostMessage {
        self.control.receive().await.unwrap().message
    }

    /// Says whatever a client may say.
    pub async fn say(&mut self, message: &session::ClientMessage) {
        self.control.send(message).await.unwrap();
    }
}

type SessionControl = ControlStream<session::ClientMessage, session::HostMessage>;

/// An open pairing stream.
#[derive(Debug)]
pub struct Line {
    own: Fingerprint,
    /// The connection.
    pub connection: Connection,
    /// The stream.
    pub control: ControlStream<ClientMessage, HostMessage>,
}

impl Line {
    /// Says something; that the host has hung up meanwhile is heard next.
    pub async fn say(&mut self, message: &ClientMessage) {
        let _ = self.control.send(message).await;
    }

    /// What the host says next, or the code with which it hangs up.
    pub async fn hear(&mut self) -> Result<HostMessage, Code> {
        match soon("an answer", self.control.receive()).await {
            Ok(received) => Ok(received.message),
            Err(error) => Err(self.ending(error)),
        }
    }

    /// What ties a ceremony to this connection.
    pub fn channel(&self) -> Channel {
        let exporter = self.connection.export_keying_material(EXPORTER_LABEL, b"");
        Channel::new(self.own, self.connection.fingerprint(), Plane::Pairing.alpn(), exporter).unwrap()
    }

    /// The reason of an end is the connection's, whatever the stream broke with.
    fn ending(&self, error: ControlError) -> Code {
        match (self.connection.close_reason(), error) {
            (Some(closed), _) | (None, ControlError::Closed(closed)) => closed.code(),
            (None, _) => Code::ProtocolError,
        }
    }
}

/// After M2: the host waits for a share.
#[derive(Debug)]
pub struct Offered {
    /// The line.
    pub line: Line,
    before: BeforeShares,
    host_name: DeviceName,
}

impl Offered {
    /// The honest client's share for a guess, and what comes after it. Nothing is sent.
    pub fn compute_share(&self, guess: &str) -> (ClientAwaitShare, [u8; 65]) {
        let ceremony = ClientCeremony::new(self.line.channel(), self.host_name.clone(), self.before);
        ceremony.share(Pin::parse(guess).unwrap(), Entropy::draw(getrandom::fill).unwrap())
    }

    /// M3 and M4 with a guess, or the code with which the host refuses.
    pub async fn share(mut self, guess: &str) -> Result<Shared, Code> {
        let (waiting, p_a) = self.compute_share(guess);
        self.line.say(&ClientMessage::PinShare(p_a)).await;
        match self.line.hear().await? {
            HostMessage::PinShare(p_b) => {
                let (verdict, c_a) = waiting.confirm(&p_b).unwrap();
                Ok(Shared { line: self.line, verdict, c_a, p_a, p_b })
            }
            HostMessage::Unavailable { code, .. } => Err(code),
            other => panic!("{other:?} in the place of M4"),
        }
    }
}

/// After M4: the host waits for the confirmation.
#[derive(Debug)]
pub struct Shared {
    /// The line.
    pub line: Line,
    verdict: ClientAwaitVerdict,
    /// The confirmation that the guess makes.
    pub c_a: [u8; 32],
    /// What was sent as M3.
    pub p_a: [u8; 65],
    /// What came as M4.
    pub p_b: [u8; 65],
}

impl Shared {
    /// Sends M5, and hears nothing.
    pub async fn confirm(&mut self) {
        self.line.say(&ClientMessage::PinConfirmation(self.c_a)).await;
    }

    /// M5 to M7 as the honest client does it; an error is the code with which the host refused.
    pub async fn finish(mut self) -> Result<(), Code> {
        self.confirm().await;
        self.verdict().await
    }

    /// M6 and M7, after M5 was sent.
    pub async fn verdict(mut self) -> Result<(), Code> {
        match self.line.hear().await? {
            HostMessage::PinConfirmation(c_b) => {
                let host = self.verdict.verify(&c_b).expect("the host knows the PIN that it accepted");
                assert_eq!(host.fingerprint(), self.line.connection.fingerprint());
                self.line.say(&ClientMessage::PinAcknowledged).await;
                Ok(())
            }
            HostMessage::Unavailable { code, .. } => Err(code),
            other => panic!("{other:?} in the place of M6"),
        }
    }
}

fn hello(name: &str, purpose: HelloPurpose) -> Hello {
    Hello { versions: vec![pf_proto::VERSION], device_name: DeviceName::sanitise(name), purpose }
}

/// How long to wait before a host is tried again that said it was too early.
const AGAIN: std::time::Duration = std::time::Duration::from_millis(50);
