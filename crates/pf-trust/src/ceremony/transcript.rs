//! How the ceremony's values become the bytes that SPAKE2 binds. The formats stand in [the module above](super).

use hkdf::Hkdf;
use pf_base::{Fingerprint, Pin};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::spake2::{Context, Password};

use super::Channel;

const LABEL: &[u8] = b"punktfunk/pair/v1";
const SUITE: &[u8] = b"SPAKE2-P256-SHA256-HKDF-SHA256-HMAC-SHA256";
const CLIENT: &[u8] = b"punktfunk/pair/v1/client";
const HOST: &[u8] = b"punktfunk/pair/v1/host";
const PASSWORD_SALT: &[u8] = b"punktfunk/pair/v1/w";

/// The hash of every byte of the ceremony before pA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeforeShares([u8; 32]);

impl BeforeShares {
    /// Of M1 and M2 as they went over the stream, length prefixes included, each side hashing what it sent or received.
    ///
    /// The prefixes make the sequence unambiguous: where one message ends is part of what is hashed.
    pub fn of(m1: &[u8], m2: &[u8]) -> Self {
        Self(Sha256::new().chain_update(m1).chain_update(m2).finalize().into())
    }
}

/// Which side of the ceremony this is.
#[derive(Clone, Copy)]
pub(super) enum Role {
    Client,
    Host,
}

/// Everything that both sides must see alike.
pub(super) fn context(role: Role, channel: &Channel, before: BeforeShares) -> Context {
    let (client, host) = match role {
        Role::Client => (channel.own(), channel.peer()),
        Role::Host => (channel.peer(), channel.own()),
    };
    Context { a: identity(CLIENT, client), b: identity(HOST, host), aad: aad(channel, before) }
}

fn identity(role: &[u8], fingerprint: Fingerprint) -> Vec<u8> {
    [role, &[0], fingerprint.as_bytes()].concat()
}

fn aad(channel: &Channel, BeforeShares(before): BeforeShares) -> Vec<u8> {
    let (label, suite, alpn) = (lp(LABEL), lp(SUITE), lp(channel.alpn()));
    [label.as_slice(), &suite, &alpn, channel.exporter(), &before].concat()
}

fn lp(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_le_bytes(), bytes].concat()
}

/// w. No slow hash: against a guesser who is online and has one try it buys nothing, and offline there is nothing to try.
pub(super) fn password(pin: &Pin) -> Password {
    let mut wide = Zeroizing::new([0; 48]);
    Hkdf::<Sha256>::new(Some(PASSWORD_SALT), pin.reveal().as_bytes())
        .expand(&[], wide.as_mut_slice())
        .expect("48 bytes are within what HKDF can give");
    Password::from_wide(&wide)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever writes a client in another language starts from these bytes, so they never change within v1.
    #[test]
    fn the_bound_bytes_are_these() {
        let [client, host] = [0xc1, 0x40].map(|byte| Fingerprint::from_bytes([byte; 32]));
        let channel = Channel::new(client, host, b"punktfunk-pair/1", [0xee; 32]).unwrap();
        let before = BeforeShares::of(b"\x03one", b"\x03two");
        let context = context(Role::Client, &channel, before);

        assert_eq!(context.a, [b"punktfunk/pair/v1/client\0".as_slice(), &[0xc1; 32]].concat());
        assert_eq!(context.b, [b"punktfunk/pair/v1/host\0".as_slice(), &[0x40; 32]].concat());
        let expected = [
            b"\x11\0\0\0\0\0\0\0punktfunk/pair/v1".as_slice(),
            b"\x2a\0\0\0\0\0\0\0SPAKE2-P256-SHA256-HKDF-SHA256-HMAC-SHA256",
            b"\x10\0\0\0\0\0\0\0punktfunk-pair/1",
            &[0xee; 32],
            &Sha256::digest(b"\x03one\x03two"),
        ];
        assert_eq!(context.aad, expected.concat());
    }
}
