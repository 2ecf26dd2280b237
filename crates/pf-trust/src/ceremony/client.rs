//! The client's side of the PIN ceremony: [`ClientCeremony`], [`ClientAwaitShare`], [`ClientAwaitVerdict`].

use pf_base::{DeviceName, Fingerprint, Pin};

use crate::{
    proof::ConfirmedPeer,
    spake2::{ConfirmA, Entropy, MAC_BYTES, Mismatch, PartyA, SHARE_BYTES, Share},
};

use super::{
    BeforeShares, Channel, ShareRefused,
    transcript::{Role, context, password},
};

/// A client that got M2 and whose person types the PIN.
#[derive(Debug)]
#[must_use]
pub struct ClientCeremony {
    channel: Channel,
    host_name: DeviceName,
    before: BeforeShares,
}

impl ClientCeremony {
    /// The ceremony on this connection, with the host that calls itself so in M2.
    pub fn new(channel: Channel, host_name: DeviceName, before: BeforeShares) -> Self {
        Self { channel, host_name, before }
    }

    /// M3. The PIN is spent, whatever comes of it: who is at the other end may be guessing too.
    ///
    /// ```compile_fail,E0382
    /// # use pf_base::Pin;
    /// # use pf_trust::ceremony::{ClientCeremony, Entropy};
    /// # fn again(first: ClientCeremony, second: ClientCeremony, pin: Pin, e: Entropy, f: Entropy) {
    /// let _ = first.share(pin, e);
    /// let _ = second.share(pin, f); // the PIN was moved
    /// # }
    /// ```
    pub fn share(self, pin: Pin, entropy: Entropy) -> (ClientAwaitShare, [u8; SHARE_BYTES]) {
        let context = context(Role::Client, &self.channel, self.before);
        let (party, own) = PartyA::start(context, password(&pin), entropy);
        drop(pin);
        let host = Host { fingerprint: self.channel.peer(), name: self.host_name };
        (ClientAwaitShare { party, own, host }, *own.as_bytes())
    }
}

/// A client that sent M3 and waits for M4.
#[derive(Debug)]
#[must_use]
pub struct ClientAwaitShare {
    party: PartyA,
    own: Share,
    host: Host,
}

impl ClientAwaitShare {
    /// M4 came: gives M5.
    ///
    /// Our own share, sent back, is refused like one that is none.
    pub fn confirm(self, p_b: &[u8]) -> Result<(ClientAwaitVerdict, [u8; MAC_BYTES]), ShareRefused> {
        let p_b = Share::parse(p_b).map_err(|_| ShareRefused)?;
        if p_b == self.own {
            return Err(ShareRefused);
        }
        let (confirm, c_a) = self.party.finish(&p_b).map_err(|Mismatch| ShareRefused)?;
        Ok((ClientAwaitVerdict { confirm, host: self.host }, c_a))
    }
}

/// A client that sent M5 and waits for M6.
#[derive(Debug)]
#[must_use]
pub struct ClientAwaitVerdict {
    confirm: ConfirmA,
    host: Host,
}

impl ClientAwaitVerdict {
    /// M6 came with cB: only a right one makes the host one that can be pinned.
    pub fn verify(self, c_b: &[u8]) -> Result<ConfirmedPeer, Mismatch> {
        self.confirm.verify(c_b)?;
        Ok(ConfirmedPeer::new(self.host.fingerprint, self.host.name))
    }
}

/// Whom the client is about to trust.
#[derive(Debug)]
struct Host {
    fingerprint: Fingerprint,
    name: DeviceName,
}
