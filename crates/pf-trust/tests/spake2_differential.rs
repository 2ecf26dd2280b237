//! The same protocol by other hands: `pakery-spake2` at the one end, ours at the other.
//!
//! The arithmetic below both is `p256`'s; that it is right is for the RFC's vectors to say.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::convert::Infallible;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac as _};
use p256::{
    AffinePoint, FieldBytes, ProjectivePoint, Scalar,
    elliptic_curve::{
        ff::FromUniformBytes,
        group::GroupEncoding,
        point::AffineCoordinates,
        rand_core::{CryptoRng, TryCryptoRng, TryRng},
    },
};
use pakery_core::{
    crypto::{CpaceGroup, Hash, Kdf, Mac},
    error::PakeError,
};
use pakery_spake2::Spake2Ciphersuite;
use pf_trust::spake2::{Context, Entropy, PartyA, PartyB, Password, Share};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Runs in each role, ten thousand in all. What differs from run to run is the password, both scalars, and both
/// identities and the AAD with their lengths.
const RUNS: u64 = 5_000;

/// A flaw that both of our roles share would never show between them.
#[test]
fn inv_03_as_a_we_agree_with_an_independent_b() {
    for run in 0..RUNS {
        let mut rng = Seeded::new("as A", run);
        let (context, wide) = (random_context(&mut rng), rng.array());

        let (a, p_a) = PartyA::start(context.clone(), Password::from_wide(&wide), random_entropy(&mut rng));
        let (p_b, b) = pakery_spake2::PartyB::<Suite>::start(
            &scalar(&wide),
            &context.a,
            &context.b,
            &context.aad,
            &mut rng,
        )
        .unwrap();

        let (a, c_a) = a.finish(&Share::parse(&p_b).unwrap()).unwrap();
        let b = b.finish(p_a.as_bytes()).unwrap();
        assert!(b.verify_peer_confirmation(&c_a).is_ok(), "cA of run {run}");
        assert_eq!(a.verify(&b.confirmation_mac), Ok(()), "cB of run {run}");
    }
}

/// The same with the roles exchanged.
#[test]
fn inv_03_as_b_we_agree_with_an_independent_a() {
    for run in 0..RUNS {
        let mut rng = Seeded::new("as B", run);
        let (context, wide) = (random_context(&mut rng), rng.array());

        let (p_a, a) = pakery_spake2::PartyA::<Suite>::start(
            &scalar(&wide),
            &context.a,
            &context.b,
            &context.aad,
            &mut rng,
        )
        .unwrap();
        let (b, p_b) = PartyB::start(context.clone(), Password::from_wide(&wide), random_entropy(&mut rng));

        let a = a.finish(p_b.as_bytes()).unwrap();
        let b = b.finish(&Share::parse(&p_a).unwrap()).unwrap();
        let c_b = b.verify(&a.confirmation_mac).unwrap_or_else(|_| panic!("cA of run {run}"));
        assert!(a.verify_peer_confirmation(&c_b).is_ok(), "cB of run {run}");
    }
}

fn random_context(rng: &mut Seeded) -> Context {
    Context { a: rng.bytes(80), b: rng.bytes(80), aad: rng.bytes(200) }
}

fn random_entropy(rng: &mut Seeded) -> Entropy {
    Entropy::draw(|bytes| rng.try_fill_bytes(bytes)).unwrap()
}

/// OS2IP(wide) mod n, by their interface.
fn scalar(wide: &[u8; 48]) -> Scalar {
    Group::scalar_from_wide_bytes(&[&[0; 16], wide.as_slice()].concat()).unwrap()
}

/// SHA-256 in counter mode: the run's number is all that is needed to see it again.
struct Seeded {
    seed: [u8; 32],
    counter: u64,
}

impl Seeded {
    fn new(what: &str, run: u64) -> Self {
        let seed = Sha256::new().chain_update(what).chain_update(run.to_be_bytes()).finalize().into();
        Self { seed, counter: 0 }
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let Ok(()) = self.try_fill_bytes(&mut bytes);
        bytes
    }

    /// Up to `most` bytes, none included.
    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let mut bytes = vec![0; usize::from(u16::from_be_bytes(self.array())) % (most + 1)];
        let Ok(()) = self.try_fill_bytes(&mut bytes);
        bytes
    }
}

impl TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_be_bytes(self.array()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_be_bytes(self.array()))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(32) {
            let block =
                Sha256::new().chain_update(self.seed).chain_update(self.counter.to_be_bytes()).finalize();
            chunk.copy_from_slice(&block[..chunk.len()]);
            self.counter += 1;
        }
        Ok(())
    }
}

impl TryCryptoRng for Seeded {}

/// The primitives that `pakery-spake2` leaves to its caller.
struct Suite;

impl Spake2Ciphersuite for Suite {
    type Group = Group;
    type Hash = Sha;
    type Kdf = HkdfSha256;
    type Mac = HmacSha256;

    const NH: usize = 32;
    const M_BYTES: &'static [u8] =
        b"\x02\x88\x6e\x2f\x97\xac\xe4\x6e\x55\xba\x9d\xd7\x24\x25\x79\xf2\x99\x3b\x64\xe1\x6e\xf3\xdc\xab\x95\xaf\xd4\x97\x33\x3d\x8f\xa1\x2f";
    const N_BYTES: &'static [u8] =
        b"\x03\xd8\xbb\xd6\xc6\x39\xc6\x29\x37\xb0\x4d\x99\x7f\x38\xc3\x77\x07\x19\xc6\x29\xd7\x01\x4d\x49\xa2\x4b\x4f\x98\xba\xa1\x29\x2b\x49";
}

#[derive(Clone, PartialEq)]
struct Group(ProjectivePoint);

impl CpaceGroup for Group {
    type Scalar = Scalar;

    fn scalar_mul(&self, scalar: &Scalar) -> Self {
        Self(self.0 * scalar)
    }

    fn is_identity(&self) -> bool {
        self.0 == ProjectivePoint::IDENTITY
    }

    fn to_bytes(&self) -> Vec<u8> {
        let point = self.0.to_affine();
        [&[4], point.x().as_slice(), point.y().as_slice()].concat()
    }

    /// Compressed for the constants, uncompressed for the shares.
    fn from_bytes(bytes: &[u8]) -> Result<Self, PakeError> {
        let point = if bytes.len() == 33 {
            AffinePoint::from_bytes(bytes.try_into().unwrap())
        } else {
            let coordinate = |at: usize| FieldBytes::try_from(&bytes[at..at + 32]).unwrap();
            AffinePoint::from_coordinates(&coordinate(1), &coordinate(33))
        };
        point.into_option().map(|point| Self(point.into())).ok_or(PakeError::InvalidPoint)
    }

    fn from_uniform_bytes(_: &[u8]) -> Result<Self, PakeError> {
        unreachable!("SPAKE2 maps nothing onto the curve")
    }

    fn random_scalar(rng: &mut impl CryptoRng) -> Scalar {
        let mut wide = [0; 64];
        rng.fill_bytes(&mut wide);
        Scalar::from_uniform_bytes(&wide)
    }

    fn add(&self, other: &Self) -> Self {
        Self(self.0 + other.0)
    }

    fn negate(&self) -> Self {
        Self(-self.0)
    }

    fn basepoint_mul(scalar: &Scalar) -> Self {
        Self(ProjectivePoint::GENERATOR * scalar)
    }

    fn scalar_from_wide_bytes(bytes: &[u8]) -> Result<Scalar, PakeError> {
        let wide = bytes.try_into().map_err(|_| PakeError::InvalidInput("64 bytes"))?;
        Ok(Scalar::from_uniform_bytes(wide))
    }

    fn scalar_to_bytes(scalar: &Scalar) -> Vec<u8> {
        scalar.to_bytes().to_vec()
    }
}

#[derive(Clone)]
struct Sha(Sha256);

impl Hash for Sha {
    const OUTPUT_SIZE: usize = 32;

    fn new() -> Self {
        Self(<Sha256 as Digest>::new())
    }

    fn update(&mut self, data: &[u8]) {
        Digest::update(&mut self.0, data);
    }

    fn finalize(self) -> Vec<u8> {
        Digest::finalize(self.0).to_vec()
    }
}

struct HkdfSha256;

impl Kdf for HkdfSha256 {
    const EXTRACT_SIZE: usize = 32;

    fn extract(salt: &[u8], ikm: &[u8]) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(Hkdf::<Sha256>::extract(Some(salt), ikm).0.to_vec())
    }

    fn expand(prk: &[u8], info: &[u8], len: usize) -> Result<Zeroizing<Vec<u8>>, PakeError> {
        let mut out = Zeroizing::new(vec![0; len]);
        Hkdf::<Sha256>::from_prk(prk).unwrap().expand(info, &mut out).unwrap();
        Ok(out)
    }
}

struct HmacSha256;

impl Mac for HmacSha256 {
    const OUTPUT_SIZE: usize = 32;

    fn mac(key: &[u8], message: &[u8]) -> Result<Vec<u8>, PakeError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(message);
        Ok(mac.finalize().into_bytes().to_vec())
    }
}
