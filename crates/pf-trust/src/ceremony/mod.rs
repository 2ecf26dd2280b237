//! The PIN ceremony: two people at two machines make trust out of four digits, once.
//!
//! # Goals
//!
//! 1. Who does not know the PIN gets one online guess per arming, and nothing to work on offline.
//! 2. A machine in the middle fails even when both people typed the right PIN: each side confirms the very
//!    connection, keys, names and versions that it sees.
//! 3. Neither side stores the other before the other proved that it knows the PIN.
//! 4. Nothing that depends on the PIN can be checked by the client before the host has taken the PIN out of use.
//!
//! # The flow
//!
//! On a fresh TLS 1.3 connection with the ALPN `punktfunk-pair/1`, both certificates presented; framing and protobuf
//! are elsewhere, here are the values that the messages carry.
//!
//! ```text
//!      client = A                                            host = B
//!
//!      Channel::new                                          Channel::new      (equal fingerprints refused)
//!      ── M1  versions, device name ───────────────────▶
//!      ◀── M2  version, host name, policy, PIN length ──     a window is open; no crypto state yet
//!      ClientCeremony::new                                   HostCeremony::new
//!      .share(pin)      pA: the typed PIN is spent
//!      ── M3  pA ──────────────────────────────────────▶     .share(&pin)      encoding and curve only
//!      ◀── M4  pB ──────────────────────────────────────     HostAwaitConfirm
//!      ClientAwaitShare.confirm    K, cA
//!      ── M5  cA ──────────────────────────────────────▶     the PIN is taken: PinTaken
//!      ClientAwaitVerdict                                    .evaluate(taken)  K, compare cA: ConfirmedPeer
//!                                                            the device is stored
//!      ◀── M6  cB ──────────────────────────────────────
//!      .verify          compare cB: ConfirmedPeer
//!      the host is pinned
//!      ── M7  acknowledged ────────────────────────────▶
//! ```
//!
//! # What is bound
//!
//! SPAKE2 ([`crate::spake2`], RFC 9382) runs with
//!
//! ```text
//! A   = "punktfunk/pair/v1/client" 00 fp(client)
//! B   = "punktfunk/pair/v1/host" 00 fp(host)
//! w   = OS2IP(HKDF-SHA256(ikm PIN, salt "punktfunk/pair/v1/w", no info, 48 bytes)) mod n
//! AAD = lp("punktfunk/pair/v1") lp("SPAKE2-P256-SHA256-HKDF-SHA256-HMAC-SHA256") lp(ALPN)
//!       TLS-exporter(32) SHA-256(M1 M2)
//! ```
//!
//! `lp(x)` is the length of x in 8 bytes, little-endian, as in the RFC's TT, and then x. M1 and M2 are the bytes of the
//! stream, length prefixes included: they carry the versions, both names, the policy and the PIN's length. The
//! exporter is RFC 8446 §7.5's, with [`EXPORTER_LABEL`], an empty context and 32 bytes.
//!
//! # Why so
//!
//! - *The PIN is taken before K is computed.* A share of the form w'·M makes K the neutral element exactly when the
//!   guess w' is right, so whoever computed K first and called that malformed would answer a guess for free. Up to M5
//!   such a share is like any other; after it, "malformed" costs the PIN as a wrong guess does.
//!   [`HostAwaitConfirm::evaluate`] therefore wants the [`PinTaken`](crate::proof::PinTaken) itself.
//! - *Aborts before M5 cost no PIN.* pB is uniform whatever the PIN is, so a client that leaves has learned nothing.
//! - *The client confirms first.* The host is the side that a stranger can reach; it sends nothing that proves its
//!   knowledge to whom has not proved his own.
//! - *The client's PIN is spent by its share.* A host that is an impostor has one guess too, and no second one.
//!   [`ClientCeremony::share`] takes the [`Pin`](pf_base::Pin) by value.
//! - *Fingerprints are the identities*, so the password proves keys, not names or addresses; *the exporter* ties it to
//!   this connection, so nothing of it is of use on another one; *roles are in the identities, and M ≠ N*, so nothing
//!   that a side sent is an answer to it.
//! - *K is not used as a key.* TLS has keys; the ceremony only proves that its two ends are these two.

mod channel;
mod client;
mod host;
#[cfg(test)]
mod tests;
mod transcript;

pub use channel::{Channel, SameFingerprint};
pub use client::{ClientAwaitShare, ClientAwaitVerdict, ClientCeremony};
pub use host::{HostAwaitConfirm, HostCeremony};
pub use transcript::BeforeShares;

pub use crate::spake2::{Entropy, MAC_BYTES, Mismatch, SHARE_BYTES};

/// The label of the TLS exporter (RFC 5705 §4, RFC 8446 §7.5); its context is empty, its length 32 bytes.
pub const EXPORTER_LABEL: &[u8] = b"EXPERIMENTAL punktfunk/pair/v1";

/// The share is not one that an honest peer sends.
///
/// What is wrong with it is not said: on the client it may be that K came out neutral, which only a host that guesses
/// can bring about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the other side sent a share that no honest peer sends")]
pub struct ShareRefused;
