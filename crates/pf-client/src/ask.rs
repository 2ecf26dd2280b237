//! Asking a host's owner for access: waiting with a check code, or leaving a request.

use pf_base::{CheckCode, Code, DeviceName, Fingerprint};
use pf_net::{Connection, Expect, Plane};
use pf_proto::pair::{ClientMessage, HelloPurpose, HostMessage};
use pf_store::PinError;
use pf_trust::{
    check_code::{ClientAsk, Nonce},
    proof::Comparison,
    route::{Answer, Route},
};

use crate::{
    Client, Failure, Found,
    approach::{PairControl, hear},
    client::keep_copy,
    clock,
    pair::refusal,
};

/// A request that is in the host's list, and waits.
#[derive(Debug)]
pub struct Asking {
    connection: Connection,
    control: PairControl,
    found: Found,
    /// What both machines show. The owner compares.
    pub code: CheckCode,
    /// What the host calls itself.
    pub host_name: DeviceName,
    /// The number by which the owner sees the request.
    pub request: u32,
}

/// How asking began.
#[derive(Debug)]
pub enum Answered {
    /// The request is in the list; the owner's answer comes with [`Client::wait`].
    Waiting(Box<Asking>),
    /// The host knows this device already; nothing needs to be asked.
    Known {
        /// Its key.
        fingerprint: Fingerprint,
    },
}

impl Asking {
    /// The key of the host that is asked.
    pub fn fingerprint(&self) -> Fingerprint {
        self.connection.fingerprint()
    }
}

impl Client {
    /// Asks for access, up to the check code.
    pub async fn ask(&self, found: &Found) -> Result<Answered, Failure> {
        let connection = self.dial(found, Plane::Pairing, Expect::Anyone).await?;
        self.may_ask(found, connection.fingerprint())?;
        let asking = ClientAsk::new(self.channel(&connection)?);
        let nonce =
            Nonce::draw(getrandom::fill).map_err(|error| Failure::machine("no randomness", &error))?;
        let (waiting, commitment) = asking.commit(nonce);
        let (mut control, _, answer) = self.say_hello(&connection, HelloPurpose::Ask { commitment }).await?;
        let (greeting, nonce) = match answer {
            HostMessage::CodeNonce { greeting, nonce } => (greeting, nonce),
            HostMessage::RequestApproved => {
                return Ok(Answered::Known { fingerprint: connection.fingerprint() });
            }
            other => return Err(refusal(&other)),
        };
        self.note_policy(found, &connection, &greeting)?;
        self.note_asked(found, &connection, &greeting.host_name)?;
        let (nonce, code) = waiting.reveal(nonce);
        control.send(&ClientMessage::CodeReveal(nonce)).await?;
        match hear(&mut control).await?.message {
            HostMessage::RequestParked { request } => Ok(Answered::Waiting(Box::new(Asking {
                connection,
                control,
                found: found.clone(),
                code,
                host_name: greeting.host_name,
                request,
            }))),
            HostMessage::RequestApproved => Ok(Answered::Known { fingerprint: connection.fingerprint() }),
            other => Err(refusal(&other)),
        }
    }

    /// Waits for the owner's answer; on *yes* the host is pinned. Cancel by dropping: the request goes with it.
    ///
    /// `compared` says, once it is approved, whether this machine's person saw the same code at the host.
    pub async fn wait(
        &self,
        asking: Asking,
        compared: impl FnOnce() -> Comparison,
    ) -> Result<Fingerprint, Failure> {
        let Asking { connection, mut control, found, host_name, .. } = asking;
        match control.receive().await?.message {
            HostMessage::RequestApproved => {}
            other => return Err(refusal(&other)),
        }
        let fingerprint = connection.fingerprint();
        let facts = found.facts(Some(&host_name), Some(connection.remote_address()));
        let mut store = self.store();
        store.pin_approved(fingerprint, compared(), &facts, clock::now()).map_err(not_pinned)?;
        keep_copy(&mut store);
        connection.close(Code::Ended);
        Ok(fingerprint)
    }

    /// Leaves a request without waiting, and remembers whom it was left with.
    pub async fn knock(&self, found: &Found) -> Result<(), Failure> {
        let connection = self.dial(found, Plane::Pairing, Expect::Anyone).await?;
        self.may_ask(found, connection.fingerprint())?;
        let (_, _, answer) = self.say_hello(&connection, HelloPurpose::Knock).await?;
        let HostMessage::RequestLeft { greeting } = answer else { return Err(refusal(&answer)) };
        self.note_policy(found, &connection, &greeting)?;
        self.note_asked(found, &connection, &greeting.host_name)?;
        connection.close(Code::Ended);
        Ok(())
    }

    /// Whether the key that answered may be asked: not where it should have been another's.
    fn may_ask(&self, found: &Found, fingerprint: Fingerprint) -> Result<(), Failure> {
        match self.route(found, Some(Answer { fingerprint, policy: None, refused: None }))? {
            Route::Alarm { old, new } => Err(Failure::FingerprintChanged { old, new }),
            Route::PinOnly => Err(Failure::PinOnly),
            Route::Connect { .. } | Route::Repair { .. } | Route::Choose { .. } => Ok(()),
        }
    }

    fn note_asked(&self, found: &Found, connection: &Connection, name: &DeviceName) -> Result<(), Failure> {
        let facts = found.facts(Some(name), Some(connection.remote_address()));
        let mut store = self.store();
        store.asked(connection.fingerprint(), &facts, clock::now())?;
        keep_copy(&mut store);
        Ok(())
    }
}

/// Why a host could not be pinned without a PIN.
pub(crate) fn not_pinned(error: PinError) -> Failure {
    match error {
        PinError::Store(error) => error.into(),
        PinError::PinnedOtherwise { .. } | PinError::Forgotten { .. } => Failure::PinOnly,
        PinError::PairingRequired { .. } => Failure::TofuNotOffered,
    }
}
