//! The host's end of the PIN ceremony, from M2 on.

use pf_base::{Code, DeviceName, PinDigits};
use pf_net::ControlError;
use pf_proto::pair::{ClientMessage, HostMessage};
use pf_trust::{
    admission::{Effect, Event},
    ceremony::{BeforeShares, Channel, Entropy, HostCeremony},
};

use super::{Desk, End, FAREWELL, within};

impl Desk {
    /// M2 to M7. `m1` is the hello as it was on the stream.
    ///
    /// The gate takes the PIN out of use before anything is compared: whatever comes in the place of M5 is told to
    /// it first and looked at then.
    pub(super) async fn run_ceremony(
        &mut self,
        channel: Channel,
        client_name: DeviceName,
        m1: &[u8],
        digits: PinDigits,
    ) -> Result<(), End> {
        let m2 = self.control.send(&HostMessage::PinOffer { greeting: self.greeting(), digits }).await?;
        let ceremony = HostCeremony::new(channel, client_name, BeforeShares::of(m1, &m2));

        let ClientMessage::PinShare(p_a) = self.receive().await?.message else { return Err(End::OutOfOrder) };
        self.line.tell(|connection| Event::Share { connection });
        let pin = match self.decision().await? {
            Effect::UsePin { pin, .. } => pin,
            effect => return self.refuse(&effect).await,
        };
        // A share that none would send is an abort: nothing has left yet that depends on the PIN.
        let (waiting, p_b) = ceremony.share(&pin, &p_a, entropy()).map_err(|_| End::OutOfOrder)?;
        drop(pin);
        self.control.send(&HostMessage::PinShare(p_b)).await?;

        let c_a = match self.receive().await {
            Ok(received) => match received.message {
                ClientMessage::PinConfirmation(c_a) => Some(c_a),
                _ => None,
            },
            // Something else in the place of M5 costs the PIN like any wrong guess.
            Err(End::Control(ControlError::Malformed(_))) => None,
            Err(end) => return Err(end),
        };
        self.line.tell(|connection| Event::Confirm { connection });
        let taken = match self.decision().await? {
            Effect::Evaluate { taken, .. } => taken,
            effect => return self.refuse(&effect).await,
        };
        let evaluated = waiting.evaluate(taken, c_a.as_ref().map_or(&[], |c_a| c_a.as_slice()));
        let Ok((peer, c_b)) = evaluated else {
            self.line.tell(|connection| Event::Mismatch { connection });
            let effect = self.decision().await?;
            return self.refuse(&effect).await;
        };
        self.line.tell(|connection| Event::Confirmed { connection, peer });
        match self.decision().await? {
            Effect::Paired { .. } => {}
            effect => return self.refuse(&effect).await,
        }
        self.control.send(&HostMessage::PinConfirmation(c_b)).await?;
        // The device is stored. Its acknowledgement says that it stored us too, and changes nothing here.
        within(FAREWELL, async { self.control.receive().await.map(|_| ()) }).await
    }

    /// Tells the device why the ceremony is over.
    async fn refuse(&mut self, effect: &Effect) -> Result<(), End> {
        match effect {
            Effect::Refuse { code, retry_after, .. } => self.turn_away(None, *code, *retry_after).await,
            _ => self.turn_away(None, Code::ProtocolError, None).await,
        }
    }
}

/// Fresh randomness for one ceremony.
///
/// # Panics
/// When the system has none: then nothing here can be trusted.
fn entropy() -> Entropy {
    Entropy::draw(getrandom::fill).expect("the system has randomness")
}
