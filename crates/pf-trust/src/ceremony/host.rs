//! The host's side of the PIN ceremony: [`HostCeremony`], [`HostAwaitConfirm`].

use pf_base::{DeviceName, Fingerprint, Pin};

use crate::{
    proof::{ConfirmedPeer, PinTaken},
    spake2::{Entropy, MAC_BYTES, Mismatch, PartyB, SHARE_BYTES, Share},
};

use super::{
    BeforeShares, Channel, ShareRefused,
    transcript::{Role, context, password},
};

/// A host that sent M2 and waits for M3.
#[derive(Debug)]
#[must_use]
pub struct HostCeremony {
    channel: Channel,
    client_name: DeviceName,
    before: BeforeShares,
}

impl HostCeremony {
    /// The ceremony on this connection, with the client that calls itself so in M1.
    pub fn new(channel: Channel, client_name: DeviceName, before: BeforeShares) -> Self {
        Self { channel, client_name, before }
    }

    /// M3 came: gives M4. Only the encoding of pA and the curve are checked; K is not computed.
    ///
    /// The PIN stays in use: a client that leaves now has learned nothing.
    pub fn share(
        self,
        pin: &Pin,
        p_a: &[u8],
        entropy: Entropy,
    ) -> Result<(HostAwaitConfirm, [u8; SHARE_BYTES]), ShareRefused> {
        let p_a = Share::parse(p_a).map_err(|_| ShareRefused)?;
        let context = context(Role::Host, &self.channel, self.before);
        let (party, p_b) = PartyB::start(context, password(pin), entropy);
        let client = Client { fingerprint: self.channel.peer(), name: self.client_name };
        Ok((HostAwaitConfirm { party, p_a, client }, *p_b.as_bytes()))
    }
}

/// A host that sent M4 and waits for M5. It holds what follows from the PIN, and has compared nothing.
#[derive(Debug)]
#[must_use]
pub struct HostAwaitConfirm {
    party: PartyB,
    p_a: Share,
    client: Client,
}

impl HostAwaitConfirm {
    /// M5 came and the PIN is out of use: computes K, compares cA, and gives cB for M6.
    ///
    /// cB is for sending once the device is stored. Whatever cA is, one [`PinTaken`] pays for it:
    ///
    /// ```compile_fail,E0382
    /// # use pf_trust::{ceremony::HostAwaitConfirm, proof::PinTaken};
    /// # fn again(first: HostAwaitConfirm, second: HostAwaitConfirm, taken: PinTaken, c_a: &[u8]) {
    /// let _ = first.evaluate(taken, c_a);
    /// let _ = second.evaluate(taken, c_a); // the proof was moved
    /// # }
    /// ```
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the proof pays for one evaluation and is gone with it"
    )]
    pub fn evaluate(self, taken: PinTaken, c_a: &[u8]) -> Result<(ConfirmedPeer, [u8; MAC_BYTES]), Mismatch> {
        let PinTaken { .. } = taken;
        let c_b = self.party.finish(&self.p_a)?.verify(c_a)?;
        Ok((ConfirmedPeer::new(self.client.fingerprint, self.client.name), c_b))
    }
}

/// Whom the host is about to admit.
#[derive(Debug)]
struct Client {
    fingerprint: Fingerprint,
    name: DeviceName,
}
