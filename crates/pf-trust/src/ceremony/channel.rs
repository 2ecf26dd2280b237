//! The TLS connection that trust is made over, as one side sees it.

use std::fmt;

use pf_base::Fingerprint;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A connection on the pairing ALPN after its handshake: both keys proved, and what ties a proof to it.
///
/// Two honest ends make the same one with [`own`](Channel::own) and [`peer`](Channel::peer) exchanged. A machine in
/// the middle has a connection with each of them, and those differ in a fingerprint and in the exporter.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Channel {
    #[zeroize(skip)]
    own: Fingerprint,
    #[zeroize(skip)]
    peer: Fingerprint,
    alpn: Vec<u8>,
    exporter: [u8; 32],
}

impl Channel {
    /// A connection between these two keys, with the ALPN that was negotiated and the exporter of
    /// [`EXPORTER_LABEL`](super::EXPORTER_LABEL).
    ///
    /// A peer that presents our own key is refused here, before any message: it can only be a reflection of
    /// ourselves, or a thief of the key.
    pub fn new(
        own: Fingerprint,
        peer: Fingerprint,
        alpn: &[u8],
        exporter: [u8; 32],
    ) -> Result<Self, SameFingerprint> {
        if own == peer {
            return Err(SameFingerprint);
        }
        Ok(Self { own, peer, alpn: alpn.to_vec(), exporter })
    }

    /// The key of this side.
    pub fn own(&self) -> Fingerprint {
        self.own
    }

    /// The key of the other side.
    pub fn peer(&self) -> Fingerprint {
        self.peer
    }

    pub(crate) fn alpn(&self) -> &[u8] {
        &self.alpn
    }

    pub(crate) fn exporter(&self) -> &[u8; 32] {
        &self.exporter
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("own", &self.own).field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// Both ends present the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the other side presents this side's own key")]
pub struct SameFingerprint;
