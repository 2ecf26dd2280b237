//! Getting to a host: dialling whichever of its addresses answers, and hearing what it says to strangers.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use pf_base::{Code, DeviceName, Fingerprint, PairPolicy, PinDigits};
use pf_net::{Connection, ControlStream, DialError, Expect, Plane};
use pf_proto::pair::{ClientMessage, Greeting, Hello, HelloPurpose, HostMessage};
use pf_trust::route::{Answer, Route};
use tokio::{task::JoinSet, time::timeout};

use crate::{Client, Failure, Found, client::keep_copy, clock};

/// How long one address may take to answer.
const DIAL_PATIENCE: Duration = Duration::from_secs(4);

/// How long an address is tried alone before the next one is tried as well (RFC 8305).
const HEAD_START: Duration = Duration::from_millis(250);

/// How long a host may take for its next message, where no person is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) type PairControl = ControlStream<ClientMessage, HostMessage>;

/// What a host that is not trusted yet said, in a handshake that proved its key.
#[derive(Debug)]
pub struct Heard {
    /// The key that it proved to hold.
    pub fingerprint: Fingerprint,
    /// Where it answered.
    pub address: SocketAddr,
    /// What it calls itself.
    pub name: DeviceName,
    /// What it asks of unpaired devices, if it said.
    pub policy: Option<PairPolicy>,
    /// How many digits its PIN has, or why it takes none now.
    pub pin: Result<PinDigits, Failure>,
}

impl Client {
    /// Asks a host what it offers, without a PIN and without leaving a request.
    ///
    /// It may be called whatever is known of the host: also where another key than the pinned one answers, or after it
    /// was forgotten, to know how many digits its PIN has. Of an answer in a pinned host's place nothing is noted.
    pub async fn look(&self, found: &Found) -> Result<Heard, Failure> {
        let connection = self.dial(found, Plane::Pairing, Expect::Anyone).await?;
        let (_, _, answer) = self.say_hello(&connection, HelloPurpose::Pin).await?;
        let (greeting, pin) = match answer {
            HostMessage::PinOffer { greeting, digits } => (Some(greeting), Ok(digits)),
            HostMessage::Unavailable { greeting, code, retry_after } => {
                (greeting, Err(Failure::Refused { code, retry_after }))
            }
            _ => return Err(Failure::Protocol),
        };
        connection.close(Code::Ended);
        let heard = Heard {
            fingerprint: connection.fingerprint(),
            address: connection.remote_address(),
            name: greeting
                .as_ref()
                .map_or_else(|| DeviceName::sanitise(found.text()), |greeting| greeting.host_name.clone()),
            policy: greeting.as_ref().map(|greeting| greeting.policy),
            pin,
        };
        if let Some(greeting) = &greeting {
            self.note_policy(found, &connection, greeting)?;
        }
        Ok(heard)
    }

    /// Remembers that a host required pairing: no advert can make trust on first use of it later.
    ///
    /// Not of who answers in the place of a host that was ever pinned: nothing but the PIN is open to it anyway, and a
    /// row of its own would list it beside that host.
    pub(crate) fn note_policy(
        &self,
        found: &Found,
        connection: &Connection,
        greeting: &Greeting,
    ) -> Result<(), Failure> {
        let answer =
            Answer { fingerprint: connection.fingerprint(), policy: Some(greeting.policy), refused: None };
        let is_in_anothers_place = matches!(self.route(found, Some(answer))?, Route::Alarm { .. });
        if greeting.policy == PairPolicy::Required && !is_in_anothers_place {
            let facts = found.facts(Some(&greeting.host_name), Some(connection.remote_address()));
            let mut store = self.store();
            store.seen_required(connection.fingerprint(), &facts, clock::now())?;
            keep_copy(&mut store);
        }
        Ok(())
    }

    /// Opens the pairing stream with the hello; the hello's own bytes, and the host's answer with its.
    pub(crate) async fn say_hello(
        &self,
        connection: &Connection,
        purpose: HelloPurpose,
    ) -> Result<(PairControl, Transcript, HostMessage), Failure> {
        let mut control: PairControl = connection.open_control().await?;
        let hello = Hello { versions: vec![pf_proto::VERSION], device_name: self.name.clone(), purpose };
        let m1 = control.send(&ClientMessage::Hello(hello)).await?;
        let answer = hear(&mut control).await?;
        Ok((control, Transcript { m1: m1.to_vec(), m2: answer.framed.to_vec() }, answer.message))
    }

    /// Connects to whichever of the host's addresses answers as expected; to a known host also where it has moved to.
    pub(crate) async fn dial(
        &self,
        found: &Found,
        plane: Plane,
        expect: Expect,
    ) -> Result<Connection, Failure> {
        match self.dial_at(found.addresses(), plane, expect).await {
            Err(Failure::Unreachable(addresses)) => match self.find_moved(found).await {
                Some(moved) => self.dial_at(moved.addresses(), plane, expect).await,
                None => Err(Failure::Unreachable(addresses)),
            },
            dialled => dialled,
        }
    }

    async fn dial_at(
        &self,
        addresses: &[SocketAddr],
        plane: Plane,
        expect: Expect,
    ) -> Result<Connection, Failure> {
        let mut attempts = JoinSet::new();
        let mut waiting = addresses.iter().copied();
        let mut worst: Option<DialError> = None;
        loop {
            if let Some(address) = waiting.next() {
                let (endpoint, identity) = (Arc::clone(&self.endpoint), Arc::clone(&self.identity));
                attempts.spawn(async move {
                    endpoint.dial(address, plane, &identity, expect, DIAL_PATIENCE).await
                });
            }
            let patience = if waiting.len() > 0 { HEAD_START } else { DIAL_PATIENCE * 2 };
            match timeout(patience, attempts.join_next()).await {
                Ok(Some(Ok(Ok(connection)))) => return Ok(connection),
                Ok(Some(Ok(Err(error)))) => worst = Some(worse(worst, error)),
                Ok(Some(Err(_)) | None) | Err(_) if waiting.len() == 0 && attempts.is_empty() => break,
                Ok(Some(Err(_)) | None) | Err(_) => {}
            }
        }
        match worst {
            None | Some(DialError::Unreachable | DialError::TimedOut) => {
                Err(Failure::Unreachable(addresses.to_vec()))
            }
            Some(error) => Err(error.into()),
        }
    }
}

/// The bytes of M1 and M2 as they were on the stream.
pub(crate) struct Transcript {
    pub(crate) m1: Vec<u8>,
    pub(crate) m2: Vec<u8>,
}

/// The host's next message, where no person is waited for.
pub(crate) async fn hear(control: &mut PairControl) -> Result<pf_net::Received<HostMessage>, Failure> {
    match timeout(PATIENCE, control.receive()).await {
        Ok(received) => Ok(received?),
        Err(_) => Err(Failure::Lost(pf_net::Closed::TimedOut)),
    }
}

/// Of two errors, the one that a person must hear: a changed key before all, silence last.
fn worse(before: Option<DialError>, error: DialError) -> DialError {
    let rank = |error: &DialError| match error {
        DialError::FingerprintChanged { .. } => 3,
        DialError::Unreachable | DialError::TimedOut => 1,
        _ => 2,
    };
    match before {
        Some(before) if rank(&before) >= rank(&error) => before,
        _ => error,
    }
}
