//! The host's end of a request that waits: the check code, and the owner's answer.

use pf_proto::pair::{ClientMessage, HostMessage};
use pf_trust::{
    admission::{Effect, Event},
    ceremony::Channel,
    check_code::{HostAsk, NONCE_BYTES, Nonce},
};

use super::{Desk, End};

impl Desk {
    /// Exchanges nonces, shows the code to the owner, and waits for the answer for as long as the device does.
    pub(super) async fn exchange_code(
        &mut self,
        channel: Channel,
        commitment: [u8; NONCE_BYTES],
    ) -> Result<(), End> {
        let (waiting, nonce) = HostAsk::new(channel).answer(commitment, fresh_nonce());
        self.control.send(&HostMessage::CodeNonce { greeting: self.greeting(), nonce }).await?;
        let ClientMessage::CodeReveal(nonce) = self.receive().await?.message else {
            return Err(End::OutOfOrder);
        };
        let code = waiting.check(nonce).map_err(|_| End::OutOfOrder)?;
        self.line.tell(|connection| Event::Waiting { connection, code });
        match self.decision().await? {
            Effect::Parked { request, .. } => {
                self.control.send(&HostMessage::RequestParked { request: request.0 }).await?;
            }
            Effect::Approved { .. } => return self.say_last(HostMessage::RequestApproved).await,
            Effect::Refuse { code, retry_after, .. } => return self.turn_away(None, code, retry_after).await,
            _ => return Err(End::OutOfOrder),
        }
        self.wait_for_the_owner().await
    }

    async fn wait_for_the_owner(&mut self) -> Result<(), End> {
        let answer = tokio::select! {
            effect = self.line.decision() => effect,
            // A waiting device says nothing more: whatever comes, it is out of order.
            received = self.control.receive() => {
                received?;
                return Err(End::OutOfOrder);
            }
        };
        match answer {
            Effect::Approved { .. } => self.say_last(HostMessage::RequestApproved).await,
            Effect::Close { code, .. } | Effect::Refuse { code, .. } => {
                self.turn_away(None, code, None).await
            }
            _ => Err(End::OutOfOrder),
        }
    }
}

/// Our nonce for one check code.
///
/// # Panics
/// When the system has no randomness: then nothing here can be trusted.
fn fresh_nonce() -> Nonce {
    Nonce::draw(getrandom::fill).expect("the system has randomness")
}
