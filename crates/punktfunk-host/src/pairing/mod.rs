//! The pairing plane: what an unpaired device can reach, one stream a connection.
//!
//! The driver reads and writes messages; who may do what, and when a PIN is spent, the gate decides.

mod ask;
mod pin;

use std::{future::Future, sync::Arc, time::Duration};

use pf_base::{Code, DeviceName, Fingerprint, PairPolicy};
use pf_net::{Connection, ControlError, ControlStream, Plane, Received};
use pf_proto::pair::{ClientMessage, Greeting, Hello, HelloPurpose, HostMessage};
use pf_trust::{
    admission::{Effect, Event, Peer, Purpose},
    ceremony::{Channel, EXPORTER_LABEL},
};
use tokio::time::timeout;

use crate::gate::{Gate, Line};

/// How long a device may take for its next message. A person types the PIN before the ceremony begins.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long the last message may take to arrive.
const FAREWELL: Duration = Duration::from_secs(3);

/// What a host says of itself to those whom it does not know.
pub(crate) struct Host {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) name: DeviceName,
    pub(crate) policy: PairPolicy,
}

/// Serves one connection to its end.
pub(crate) async fn serve(connection: Connection, gate: Gate, host: Arc<Host>) {
    let line = gate.line();
    let code = match timeout(PATIENCE, connection.accept_control()).await {
        Ok(Ok(control)) => {
            let mut desk = Desk { connection: connection.clone(), control, line, host };
            let code = match desk.attend().await {
                Ok(()) => Code::Ended,
                Err(end) => {
                    tracing::debug!(?end, "a pairing connection ended early");
                    end.code()
                }
            };
            // Before the desk goes, and its stream with it: the device would hear of an end without a reason first.
            return connection.close(code);
        }
        Ok(Err(_)) | Err(_) => Code::ProtocolError,
    };
    connection.close(code);
}

/// One connection, and all that is needed to answer it.
struct Desk {
    connection: Connection,
    control: ControlStream<HostMessage, ClientMessage>,
    line: Line,
    host: Arc<Host>,
}

/// Why a connection ended before its messages did.
#[derive(Debug)]
enum End {
    /// The stream broke, or its messages did.
    Control(ControlError),
    /// The device took too long.
    Silent,
    /// A message came out of its order, or said what it may not.
    OutOfOrder,
    /// The gate cut the connection.
    Cut(Code),
}

impl End {
    fn code(&self) -> Code {
        match self {
            Self::Cut(code) => *code,
            Self::Control(_) | Self::Silent | Self::OutOfOrder => Code::ProtocolError,
        }
    }
}

impl From<ControlError> for End {
    fn from(error: ControlError) -> Self {
        Self::Control(error)
    }
}

impl Desk {
    /// From the first message to the last.
    async fn attend(&mut self) -> Result<(), End> {
        let first = self.receive().await?;
        let ClientMessage::Hello(hello) = first.message else { return Err(End::OutOfOrder) };
        if pf_proto::common_version(&hello.versions).is_none() {
            return self.turn_away(Some(self.greeting()), Code::VersionMismatch, None).await;
        }
        // Our own key at the other end is a reflection of ourselves: nobody is asked about that.
        let channel = Channel::new(
            self.host.fingerprint,
            self.connection.fingerprint(),
            Plane::Pairing.alpn(),
            self.connection.export_keying_material(EXPORTER_LABEL, b""),
        )
        .map_err(|_| End::OutOfOrder)?;
        let Hello { device_name, purpose, .. } = hello;
        let peer = Peer {
            fingerprint: self.connection.fingerprint(),
            address: self.connection.remote_address().ip(),
        };
        let name = device_name.clone();
        self.line.tell(|connection| Event::Hello { connection, peer, name, purpose: kind(purpose) });
        match (self.decision().await?, purpose) {
            (Effect::Offer { digits, .. }, HelloPurpose::Pin) => {
                self.run_ceremony(channel, device_name, &first.framed, digits).await
            }
            (Effect::ExchangeCode { .. }, HelloPurpose::Ask { commitment }) => {
                self.exchange_code(channel, commitment).await
            }
            (Effect::Left { .. }, _) => {
                self.say_last(HostMessage::RequestLeft { greeting: self.greeting() }).await
            }
            (Effect::Approved { .. }, _) => self.say_last(HostMessage::RequestApproved).await,
            (Effect::Refuse { code, retry_after, .. }, _) => {
                self.turn_away(Some(self.greeting()), code, retry_after).await
            }
            _ => Err(End::OutOfOrder),
        }
    }

    fn greeting(&self) -> Greeting {
        Greeting { version: pf_proto::VERSION, host_name: self.host.name.clone(), policy: self.host.policy }
    }

    /// The device's next message, unless it takes too long or the gate cuts the connection first.
    async fn receive(&mut self) -> Result<Received<ClientMessage>, End> {
        let Self { control, line, .. } = self;
        tokio::select! {
            biased;
            effect = line.decision() => Err(cut(&effect)),
            received = timeout(PATIENCE, control.receive()) => Ok(received.map_err(|_| End::Silent)??),
        }
    }

    /// The gate's answer to what it was told.
    async fn decision(&mut self) -> Result<Effect, End> {
        match self.line.decision().await {
            Effect::Close { code, .. } => Err(End::Cut(code)),
            effect => Ok(effect),
        }
    }

    async fn turn_away(
        &mut self,
        greeting: Option<Greeting>,
        code: Code,
        retry_after: Option<Duration>,
    ) -> Result<(), End> {
        self.say_last(HostMessage::Unavailable { greeting, code, retry_after }).await
    }

    /// Sends the last message, and waits until it is there.
    async fn say_last(&mut self, message: HostMessage) -> Result<(), End> {
        self.control.send(&message).await?;
        within(FAREWELL, self.control.finish()).await
    }
}

fn kind(purpose: HelloPurpose) -> Purpose {
    match purpose {
        HelloPurpose::Pin => Purpose::Pin,
        HelloPurpose::Ask { .. } => Purpose::Ask,
        HelloPurpose::Knock => Purpose::Knock,
    }
}

/// What an effect means that comes while the device's message is waited for.
fn cut(effect: &Effect) -> End {
    match effect {
        Effect::Close { code, .. } | Effect::Refuse { code, .. } => End::Cut(*code),
        _ => End::OutOfOrder,
    }
}

async fn within(patience: Duration, work: impl Future<Output = Result<(), ControlError>>) -> Result<(), End> {
    Ok(timeout(patience, work).await.map_err(|_| End::Silent)??)
}
