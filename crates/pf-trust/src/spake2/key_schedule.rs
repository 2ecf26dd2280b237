//! From the transcript to the confirmation MACs: RFC 9382, §3.3 and §4.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use p256::Scalar;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Context, MAC_BYTES, SHARE_BYTES, Share};

/// Half a SHA-256: the length of `Ke`, `Ka`, `KcA` and `KcB`.
const KEY_BYTES: usize = 16;

/// cA and cB.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Confirmations {
    pub(super) a: [u8; MAC_BYTES],
    pub(super) b: [u8; MAC_BYTES],
}

/// TT: everything that the two parties did and must agree on, the AAD excepted.
pub(super) fn transcript(
    context: &Context,
    p_a: &Share,
    p_b: &Share,
    k: &[u8; SHARE_BYTES],
    w: &Scalar,
) -> Zeroizing<Vec<u8>> {
    let w = Zeroizing::new(<[u8; 32]>::from(w.to_bytes()));
    let parts: [&[u8]; 6] = [&context.a, &context.b, p_a.as_bytes(), p_b.as_bytes(), k, w.as_slice()];
    // All of it at once: a vector that grows would leave copies of K and w behind.
    let mut tt = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| 8 + part.len()).sum()));
    for part in parts {
        tt.extend_from_slice(&(part.len() as u64).to_le_bytes());
        tt.extend_from_slice(part);
    }
    tt
}

/// cA and cB of a transcript.
pub(super) fn confirmations(tt: &[u8], aad: &[u8]) -> Confirmations {
    let [_ke, ka] = transcript_keys(tt);
    let [key_a, key_b] = confirmation_keys(&ka, aad);
    Confirmations { a: mac(&key_a, tt), b: mac(&key_b, tt) }
}

/// `Ke` and `Ka`.
pub(super) fn transcript_keys(tt: &[u8]) -> [Zeroizing<[u8; KEY_BYTES]>; 2] {
    halves(&Zeroizing::new(Sha256::digest(tt).into()))
}

/// `KcA` and `KcB`.
pub(super) fn confirmation_keys(ka: &[u8; KEY_BYTES], aad: &[u8]) -> [Zeroizing<[u8; KEY_BYTES]>; 2] {
    let mut keys = Zeroizing::new([0; 2 * KEY_BYTES]);
    Hkdf::<Sha256>::new(None, ka)
        .expand_multi_info(&[b"ConfirmationKeys", aad], keys.as_mut_slice())
        .expect("32 bytes are within what HKDF can give");
    halves(&keys)
}

/// `cA` or `cB`.
pub(super) fn mac(key: &[u8; KEY_BYTES], tt: &[u8]) -> [u8; MAC_BYTES] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(tt);
    mac.finalize().into_bytes().into()
}

fn halves(both: &[u8; 2 * KEY_BYTES]) -> [Zeroizing<[u8; KEY_BYTES]>; 2] {
    let mut halves = [Zeroizing::new([0; KEY_BYTES]), Zeroizing::new([0; KEY_BYTES])];
    halves[0].copy_from_slice(&both[..KEY_BYTES]);
    halves[1].copy_from_slice(&both[KEY_BYTES..]);
    halves
}
