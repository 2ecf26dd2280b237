//! SPAKE2-P256-SHA256-HKDF-HMAC: two parties that know the same password find out, and nobody else learns it.
//!
//! [RFC 9382](https://www.rfc-editor.org/rfc/rfc9382), its P-256 ciphersuite with key confirmation. This module knows
//! no PIN, fingerprint or connection; [`crate::ceremony`] decides what goes in.
//!
//! ```text
//! A                                                B
//! x random, pA = x·G + w·M   ── pA, 65 bytes ──▶
//!                            ◀── pB, 65 bytes ──   y random, pB = y·G + w·N
//! K = x·(pB − w·N)                                 K = y·(pA − w·M)
//!
//! TT      = len(A) A  len(B) B  len(pA) pA  len(pB) pB  len(K) K  len(w) w     (§3.3; len is 8 bytes, little-endian)
//! Ke Ka   = SHA-256(TT), 16 bytes each                                         (§4)
//! KcA KcB = HKDF-SHA256(Ka, no salt, "ConfirmationKeys" AAD), 16 bytes each    (§4)
//! cA = HMAC-SHA256(KcA, TT)     cB = HMAC-SHA256(KcB, TT)                      (§4)
//!
//!                            ── cA, 32 bytes ──▶   compare, and only then
//! compare                    ◀── cB, 32 bytes ──
//! ```
//!
//! Each party is one struct per step, used up by the step, so an ephemeral scalar makes one share and one key:
//! [`PartyA`] then [`ConfirmA`], [`PartyB`] then [`ConfirmB`]. `Ke` is not kept: the parties already share a
//! connection, and confirm that it is the same one by what they put into [`Context::aad`].
//!
//! Secrets are wiped on drop and no `Debug` shows them. Scalar multiplication, and the comparison of a MAC, take the
//! same time whatever the secret is.

mod key_schedule;
mod share;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

use std::fmt;

use p256::{
    AffinePoint, ProjectivePoint, Scalar, U256,
    elliptic_curve::{ff::FromUniformBytes, point::DecompressPoint, subtle::Choice},
};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use key_schedule::{Confirmations, confirmations, transcript};
pub use share::{InvalidShare, SHARE_BYTES, Share};

/// The length of a confirmation MAC.
pub const MAC_BYTES: usize = 32;

/// What both parties must agree on besides the password; a difference in any bit of it breaks both MACs.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Context {
    /// Who A is.
    pub a: Vec<u8>,
    /// Who B is.
    pub b: Vec<u8>,
    /// Whatever else both must see alike; it reaches the confirmation keys.
    pub aad: Vec<u8>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Context(…)")
    }
}

/// The password as the protocol uses it: the scalar w.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Password(Scalar);

impl Password {
    /// The password of 48 bytes that were derived from it, read as a big-endian number and reduced.
    ///
    /// 128 bits more than the order has make the bias of the reduction negligible (§3.2 asks for 64).
    pub fn from_wide(bytes: &[u8; 48]) -> Self {
        let mut wide = Zeroizing::new([0; 64]);
        wide[16..].copy_from_slice(bytes);
        Self(Scalar::from_uniform_bytes(&wide))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The randomness of one ephemeral scalar: 64 fresh, uniform, secret bytes. A share whose scalar can be guessed, or is
/// used twice, gives its password away offline.
///
/// It is neither `Clone` nor `Copy`, so one draw makes one scalar:
///
/// ```compile_fail,E0382
/// # use pf_trust::spake2::{Context, Entropy, PartyA, Password};
/// # fn twice(context: Context, password: Password, entropy: Entropy) {
/// let first = PartyA::start(context.clone(), password.clone(), entropy);
/// let again = PartyA::start(context, password, entropy);
/// # }
/// ```
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Entropy([u8; 64]);

impl Entropy {
    /// Has `fill` write the bytes: the operating system's generator, say.
    pub fn draw<E>(fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut entropy = Self([0; 64]);
        fill(&mut entropy.0)?;
        Ok(entropy)
    }

    /// A scalar that is uniform but for a bias of 2⁻²⁵⁶.
    fn into_scalar(self) -> Zeroizing<Scalar> {
        Zeroizing::new(Scalar::from_uniform_bytes(&self.0))
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(…)")
    }
}

/// The peer did not prove that it knows the password and sees the same [`Context`]: nothing more can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer did not prove that it knows the password")]
pub struct Mismatch;

/// Party A, which sent its share and waits for B's.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct PartyA {
    context: Context,
    password: Password,
    x: Scalar,
    #[zeroize(skip)]
    own: Share,
}

impl PartyA {
    /// Makes pA.
    pub fn start(context: Context, password: Password, entropy: Entropy) -> (Self, Share) {
        let x = entropy.into_scalar();
        let own = Share::of(&(ProjectivePoint::GENERATOR * *x + m() * password.0));
        (Self { context, password, x: *x, own }, own)
    }

    /// Computes K from B's share, and with it cA.
    pub fn finish(self, peer: &Share) -> Result<(ConfirmA, [u8; MAC_BYTES]), Mismatch> {
        let k = Zeroizing::new((peer.point() - n() * self.password.0) * self.x);
        let macs = confirm(&self.context, &self.password, &self.own, peer, &k)?;
        Ok((ConfirmA { expected: macs.b }, macs.a))
    }
}

/// Party A, which sent cA and waits for cB.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ConfirmA {
    expected: [u8; MAC_BYTES],
}

impl ConfirmA {
    /// Compares cB, in constant time.
    pub fn verify(self, c_b: &[u8]) -> Result<(), Mismatch> {
        compare(&self.expected, c_b)
    }
}

/// Party B, which sent its share and waits until it may compute K.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct PartyB {
    context: Context,
    password: Password,
    y: Scalar,
    #[zeroize(skip)]
    own: Share,
}

impl PartyB {
    /// Makes pB.
    pub fn start(context: Context, password: Password, entropy: Entropy) -> (Self, Share) {
        let y = entropy.into_scalar();
        let own = Share::of(&(ProjectivePoint::GENERATOR * *y + n() * password.0));
        (Self { context, password, y: *y, own }, own)
    }

    /// Computes K from A's share.
    pub fn finish(self, peer: &Share) -> Result<ConfirmB, Mismatch> {
        let k = Zeroizing::new((peer.point() - m() * self.password.0) * self.y);
        let macs = confirm(&self.context, &self.password, peer, &self.own, &k)?;
        Ok(ConfirmB { expected: macs.a, own: macs.b })
    }
}

/// Party B, which knows K and what cA has to be.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ConfirmB {
    expected: [u8; MAC_BYTES],
    own: [u8; MAC_BYTES],
}

impl ConfirmB {
    /// Compares cA, in constant time, and gives out cB only when it was right.
    pub fn verify(self, c_a: &[u8]) -> Result<[u8; MAC_BYTES], Mismatch> {
        compare(&self.expected, c_a)?;
        Ok(self.own)
    }
}

macro_rules! redacted_debug {
    ($($step:ident),+) => {$(
        impl fmt::Debug for $step {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($step), "(…)"))
            }
        }
    )+};
}
redacted_debug!(PartyA, ConfirmA, PartyB, ConfirmB);

/// Both MACs, unless K is the neutral element.
///
/// K is neutral exactly when the peer's share was w·M (or w·N) with the right w and no exponent of its own. No honest
/// party sends that, and it is a guess like any other: a mismatch, and nothing that is told apart from one.
fn confirm(
    context: &Context,
    password: &Password,
    p_a: &Share,
    p_b: &Share,
    k: &ProjectivePoint,
) -> Result<Confirmations, Mismatch> {
    if *k == ProjectivePoint::IDENTITY {
        return Err(Mismatch);
    }
    let k = Zeroizing::new(*Share::of(k).as_bytes());
    let tt = transcript(context, p_a, p_b, &k, &password.0);
    Ok(confirmations(&tt, &context.aad))
}

fn compare(expected: &[u8; MAC_BYTES], given: &[u8]) -> Result<(), Mismatch> {
    if bool::from(expected.as_slice().ct_eq(given)) { Ok(()) } else { Err(Mismatch) }
}

/// M of §6: nobody knows its discrete logarithm.
fn m() -> ProjectivePoint {
    fixed_point(M_X, 0)
}

/// N of §6: nobody knows its discrete logarithm.
fn n() -> ProjectivePoint {
    fixed_point(N_X, 1)
}

fn fixed_point(x: U256, y_is_odd: u8) -> ProjectivePoint {
    AffinePoint::decompress(&x.to_be_bytes().into(), Choice::from(y_is_odd))
        .expect("the constants of the RFC are on the curve")
        .into()
}

/// M without its tag, 02.
const M_X: U256 = U256::from_be_hex("886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f");

/// N without its tag, 03.
const N_X: U256 = U256::from_be_hex("d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49");
