//! The client's end of the PIN ceremony.

use pf_base::{Code, DeviceName, Fingerprint, Pin};
use pf_net::{Connection, Expect, Plane};
use pf_proto::pair::{ClientMessage, HelloPurpose, HostMessage};
use pf_store::SpendError;
use pf_trust::ceremony::{BeforeShares, Channel, ClientCeremony, EXPORTER_LABEL, Entropy};

use crate::{
    Client, Failure, Found,
    approach::{PairControl, hear},
    client::keep_copy,
    clock, spent,
};

/// A host that is pinned now, because it knew the PIN.
#[derive(Clone, Debug)]
pub struct Paired {
    /// Its key.
    pub fingerprint: Fingerprint,
    /// What it calls itself.
    pub name: DeviceName,
}

impl Client {
    /// Pairs by PIN. The PIN is spent as soon as anything that depends on it leaves, whatever comes of it.
    pub async fn pair(&self, found: &Found, pin: Pin) -> Result<Paired, Failure> {
        let connection = self.dial(found, Plane::Pairing, Expect::Anyone).await?;
        let paired = self.run_ceremony(found, &connection, pin).await;
        connection.close(if paired.is_ok() { Code::Ended } else { Code::ProtocolError });
        paired
    }

    async fn run_ceremony(
        &self,
        found: &Found,
        connection: &Connection,
        pin: Pin,
    ) -> Result<Paired, Failure> {
        let channel = self.channel(connection)?;
        let (mut control, transcript, answer) = self.say_hello(connection, HelloPurpose::Pin).await?;
        let greeting = match answer {
            HostMessage::PinOffer { greeting, digits } if digits == pin.len() => greeting,
            HostMessage::PinOffer { digits, .. } => {
                return Err(Failure::PinLength { expected: digits.count() });
            }
            other => return Err(refusal(&other)),
        };
        let before = BeforeShares::of(&transcript.m1, &transcript.m2);
        let ceremony = ClientCeremony::new(channel, greeting.host_name.clone(), before);

        self.store().mark_pin_spent(spent::tag(&self.identity, &pin), clock::now()).map_err(|error| {
            match error {
                SpendError::AlreadySpent => Failure::PinUsed,
                SpendError::Store(error) => error.into(),
            }
        })?;
        let entropy =
            Entropy::draw(getrandom::fill).map_err(|error| Failure::machine("no randomness", &error))?;
        let (waiting, p_a) = ceremony.share(pin, entropy);
        control.send(&ClientMessage::PinShare(p_a)).await?;

        let p_b = match hear(&mut control).await?.message {
            HostMessage::PinShare(p_b) => p_b,
            other => return Err(refusal(&other)),
        };
        let (waiting, c_a) = waiting.confirm(&p_b).map_err(|_| Failure::WrongPin)?;
        control.send(&ClientMessage::PinConfirmation(c_a)).await?;

        let c_b = match hear(&mut control).await?.message {
            HostMessage::PinConfirmation(c_b) => c_b,
            other => return Err(refusal(&other)),
        };
        let peer = waiting.verify(&c_b).map_err(|_| Failure::WrongPin)?;
        let paired = Paired { fingerprint: peer.fingerprint(), name: peer.name().clone() };
        let facts = found.facts(Some(peer.name()), Some(connection.remote_address()));
        {
            let mut store = self.store();
            store.pin(peer, &facts, clock::now())?;
            keep_copy(&mut store);
        }
        acknowledge(&mut control).await;
        Ok(paired)
    }

    /// What ties a ceremony or a check code to this connection.
    pub(crate) fn channel(&self, connection: &Connection) -> Result<Channel, Failure> {
        Channel::new(
            self.fingerprint(),
            connection.fingerprint(),
            Plane::Pairing.alpn(),
            connection.export_keying_material(EXPORTER_LABEL, b""),
        )
        .map_err(|_| Failure::OwnIdentity)
    }
}

/// Tells the host that we are done. Both sides have stored each other: nothing depends on its arrival.
async fn acknowledge(control: &mut PairControl) {
    if control.send(&ClientMessage::PinAcknowledged).await.is_ok() {
        let _ = tokio::time::timeout(crate::approach::PATIENCE, control.finish()).await;
    }
}

/// What an answer that is not the hoped-for one says.
pub(crate) fn refusal(answer: &HostMessage) -> Failure {
    match answer {
        HostMessage::Unavailable { code: Code::WrongPin, .. } => Failure::WrongPin,
        HostMessage::Unavailable { code, retry_after, .. } => {
            Failure::Refused { code: *code, retry_after: *retry_after }
        }
        _ => Failure::Protocol,
    }
}
