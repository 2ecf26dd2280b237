//! The six-digit check code of a device that asks for access: two people compare it, so nobody is in between.
//!
//! # Goals
//!
//! 1. Both machines show the same six digits when they talk to each other, and different ones (but for one chance in a
//!    million per request) when each of them talks to a machine in the middle.
//! 2. The machine in the middle cannot search for a request that comes out equal.
//!
//! # The flow
//!
//! ```text
//!      client                                             host
//!      ClientAsk::new        nC random
//!      ── H(nC) ──────────────────────────────────▶       HostAsk::new
//!      ClientAwaitNonce                                   .answer      nH random
//!      ◀── nH ──────────────────────────────────────      HostAwaitReveal
//!      .reveal               shows the code
//!      ── nC ──────────────────────────────────────▶      .check       H(nC) as committed? shows the code
//!
//! H(nC) = SHA-256("punktfunk/ask/v1/commitment" 00 fp(client) fp(host) nC)
//! code  = HKDF-SHA256(ikm TLS-exporter(32), salt "punktfunk/ask/v1/code",
//!                     info fp(client) fp(host) nC nH, 16 bytes), as a big-endian number, mod 10⁶
//! ```
//!
//! Fingerprints and nonces are 32 bytes each, so nothing needs a length. The exporter is that of the
//! [`Channel`], the same as the PIN ceremony's; the salts keep their uses apart.
//!
//! # Why so
//!
//! Six digits of the exporter alone could be searched: a machine in the middle opens connections to the host until one
//! shows what the client shows. Here whatever it does, the last thing that goes into one of the two codes is a nonce
//! that it does not know yet when its own part of that code is fixed. To the client it is the host, and must send nH
//! before nC is opened. To the host it is the client, and must commit to its nC before it sees nH. So whichever of the
//! two exchanges it finishes last is one blind draw out of a million, and the owner sees it miss.
//!
//! This is the short authentication string of [ZRTP, RFC 6189 §4.4.1.1](https://www.rfc-editor.org/rfc/rfc6189) and
//! of Bluetooth's numeric comparison, with the committing side being the one that asks.

use std::fmt;

use hkdf::Hkdf;
use pf_base::{CheckCode, Fingerprint};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::ceremony::Channel;

const COMMITMENT_LABEL: &[u8] = b"punktfunk/ask/v1/commitment\0";
const CODE_SALT: &[u8] = b"punktfunk/ask/v1/code";

/// The length of a nonce and of a commitment.
pub const NONCE_BYTES: usize = 32;

/// 32 fresh, uniform bytes that go into one code; secret until they are sent.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Nonce([u8; NONCE_BYTES]);

impl Nonce {
    /// Has `fill` write the bytes: the operating system's generator, say.
    pub fn draw<E>(fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut nonce = Self([0; NONCE_BYTES]);
        fill(&mut nonce.0)?;
        Ok(nonce)
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(…)")
    }
}

/// A client that is about to ask: it opens the exchange.
#[derive(Debug)]
#[must_use]
pub struct ClientAsk {
    channel: Channel,
}

impl ClientAsk {
    /// Asks on this connection.
    pub fn new(channel: Channel) -> Self {
        Self { channel }
    }

    /// The first message: the commitment to our nonce, which stays secret.
    pub fn commit(self, nonce: Nonce) -> (ClientAwaitNonce, [u8; NONCE_BYTES]) {
        let commitment = commitment(Parties::of_client(&self.channel), &nonce.0);
        (ClientAwaitNonce { channel: self.channel, nonce }, commitment)
    }
}

/// A client that committed to its nonce and waits for the host's.
#[derive(Debug)]
#[must_use]
pub struct ClientAwaitNonce {
    channel: Channel,
    nonce: Nonce,
}

impl ClientAwaitNonce {
    /// The host's nonce came: gives ours, which opens the commitment, and the code to show.
    ///
    /// There is no other way to our nonce, so nobody has it before their own is fixed.
    pub fn reveal(self, host_nonce: [u8; NONCE_BYTES]) -> ([u8; NONCE_BYTES], CheckCode) {
        let code = code(&self.channel, Parties::of_client(&self.channel), &self.nonce.0, &host_nonce);
        (self.nonce.0, code)
    }
}

/// A host that waits for a client's commitment.
#[derive(Debug)]
#[must_use]
pub struct HostAsk {
    channel: Channel,
}

impl HostAsk {
    /// Is asked on this connection.
    pub fn new(channel: Channel) -> Self {
        Self { channel }
    }

    /// The commitment came: gives our nonce to send.
    pub fn answer(self, commitment: [u8; NONCE_BYTES], nonce: Nonce) -> (HostAwaitReveal, [u8; NONCE_BYTES]) {
        let sent = nonce.0;
        (HostAwaitReveal { channel: self.channel, commitment, nonce }, sent)
    }
}

/// A host that sent its nonce and waits for the client to open its commitment.
#[derive(Debug)]
#[must_use]
pub struct HostAwaitReveal {
    channel: Channel,
    commitment: [u8; NONCE_BYTES],
    nonce: Nonce,
}

impl HostAwaitReveal {
    /// The client's nonce came: gives the code to show, if it is the nonce that was committed to.
    pub fn check(self, client_nonce: [u8; NONCE_BYTES]) -> Result<CheckCode, NotAsCommitted> {
        let parties = Parties::of_host(&self.channel);
        if !bool::from(commitment(parties, &client_nonce).ct_eq(&self.commitment)) {
            return Err(NotAsCommitted);
        }
        Ok(code(&self.channel, parties, &client_nonce, &self.nonce.0))
    }
}

/// The client opened its commitment to something else: it saw our nonce and changed its mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the other side revealed another nonce than it committed to")]
pub struct NotAsCommitted;

/// The two keys, by role.
#[derive(Clone, Copy)]
struct Parties {
    client: Fingerprint,
    host: Fingerprint,
}

impl Parties {
    fn of_client(channel: &Channel) -> Self {
        Self { client: channel.own(), host: channel.peer() }
    }

    fn of_host(channel: &Channel) -> Self {
        Self { client: channel.peer(), host: channel.own() }
    }
}

fn commitment(parties: Parties, nonce: &[u8; NONCE_BYTES]) -> [u8; NONCE_BYTES] {
    Sha256::new()
        .chain_update(COMMITMENT_LABEL)
        .chain_update(parties.client.as_bytes())
        .chain_update(parties.host.as_bytes())
        .chain_update(nonce)
        .finalize()
        .into()
}

fn code(
    channel: &Channel,
    parties: Parties,
    client_nonce: &[u8; NONCE_BYTES],
    host_nonce: &[u8; NONCE_BYTES],
) -> CheckCode {
    let info: [&[u8]; 4] = [parties.client.as_bytes(), parties.host.as_bytes(), client_nonce, host_nonce];
    let mut number = Zeroizing::new([0; 16]);
    Hkdf::<Sha256>::new(Some(CODE_SALT), channel.exporter())
        .expand_multi_info(&info, number.as_mut_slice())
        .expect("16 bytes are within what HKDF can give");
    // 108 bits more than the range has: no code is favoured by more than one part in 2¹⁰⁸.
    CheckCode::new((u128::from_be_bytes(*number) % u128::from(CheckCode::RANGE)) as u32)
}
