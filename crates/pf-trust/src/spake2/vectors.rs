//! The RFC's test vectors, every field of them, and whatever others are laid beside them.

#![expect(
    clippy::disallowed_methods,
    reason = "vectors are files, and one folder of them is the tester's own"
)]

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use p256::Scalar;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{
    Context, Entropy, PartyA, PartyB, Password, ProjectivePoint, Share,
    key_schedule::{confirmation_keys, mac, transcript, transcript_keys},
    m, n,
};

/// One vector as the files have it: identities are text, the rest is hex, the AAD is empty where it is left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    #[serde(rename = "A")]
    a: String,
    #[serde(rename = "B")]
    b: String,
    #[serde(rename = "AAD", default)]
    aad: Hex,
    w: Hex,
    x: Hex,
    #[serde(rename = "pA")]
    p_a: Hex,
    y: Hex,
    #[serde(rename = "pB")]
    p_b: Hex,
    #[serde(rename = "K")]
    k: Hex,
    #[serde(rename = "TT")]
    tt: Hex,
    #[serde(rename = "Hash(TT)")]
    hash: Hex,
    #[serde(rename = "Ke")]
    ke: Hex,
    #[serde(rename = "Ka")]
    ka: Hex,
    #[serde(rename = "KcA")]
    key_a: Hex,
    #[serde(rename = "KcB")]
    key_b: Hex,
    #[serde(rename = "A conf")]
    c_a: Hex,
    #[serde(rename = "B conf")]
    c_b: Hex,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "String")]
struct Hex(Vec<u8>);

impl TryFrom<String> for Hex {
    type Error = data_encoding::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        HEXLOWER_PERMISSIVE.decode(text.trim_start_matches("0x").as_bytes()).map(Self)
    }
}

impl Vector {
    fn context(&self) -> Context {
        Context { a: self.a.clone().into(), b: self.b.clone().into(), aad: self.aad.0.clone() }
    }

    fn password(&self) -> Password {
        let mut wide = [0; 48];
        wide[16..].copy_from_slice(&self.w.0);
        Password::from_wide(&wide)
    }

    /// Every field, step by step, and then once more through the types that a caller has.
    fn check(&self, which: &str) {
        let same = |field: &str, ours: &[u8], theirs: &Hex| {
            assert_eq!(HEXLOWER.encode(ours), HEXLOWER.encode(&theirs.0), "{field} of {which}");
        };
        let (context, password) = (self.context(), self.password());
        let (a, p_a) = PartyA::start(context.clone(), password.clone(), entropy_of(&self.x));
        let (b, p_b) = PartyB::start(context.clone(), password.clone(), entropy_of(&self.y));
        same("w", &password.0.to_bytes(), &self.w);
        same("x", &a.x.to_bytes(), &self.x);
        same("y", &b.y.to_bytes(), &self.y);
        same("pA", p_a.as_bytes(), &self.p_a);
        same("pB", p_b.as_bytes(), &self.p_b);

        let k_of = |share: &Share, blind: ProjectivePoint, secret: Scalar| {
            *Share::of(&((share.point() - blind * password.0) * secret)).as_bytes()
        };
        let k = k_of(&p_b, n(), a.x);
        same("K of A", &k, &self.k);
        same("K of B", &k_of(&p_a, m(), b.y), &self.k);

        let tt = transcript(&context, &p_a, &p_b, &k, &password.0);
        same("TT", &tt, &self.tt);
        same("Hash(TT)", &Sha256::digest(&tt), &self.hash);
        let [ke, ka] = transcript_keys(&tt);
        same("Ke", ke.as_slice(), &self.ke);
        same("Ka", ka.as_slice(), &self.ka);
        let [key_a, key_b] = confirmation_keys(&ka, &context.aad);
        same("KcA", key_a.as_slice(), &self.key_a);
        same("KcB", key_b.as_slice(), &self.key_b);
        same("A conf", &mac(&key_a, &tt), &self.c_a);
        same("B conf", &mac(&key_b, &tt), &self.c_b);

        let (a, c_a) = a.finish(&Share::parse(&self.p_b.0).unwrap()).unwrap();
        let c_b = b.finish(&Share::parse(&self.p_a.0).unwrap()).unwrap().verify(&c_a).unwrap();
        a.verify(&c_b).unwrap();
        same("cA as sent", &c_a, &self.c_a);
        same("cB as sent", &c_b, &self.c_b);
    }
}

/// The entropy that makes this very scalar.
fn entropy_of(scalar: &Hex) -> Entropy {
    Entropy::draw(|bytes| {
        bytes[32..].copy_from_slice(&scalar.0);
        Ok::<_, std::convert::Infallible>(())
    })
    .unwrap()
}

/// Every `*.json` of a folder; a folder without one vector proves nothing, and fails.
fn check_folder(folder: &Path) {
    let mut checked = 0;
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    for file in files {
        let vectors: Vec<Vector> = serde_json::from_slice(&fs::read(&file).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for (index, vector) in vectors.iter().enumerate() {
            vector.check(&format!("{}[{index}]", file.display()));
            checked += 1;
        }
    }
    assert!(checked > 0, "{} holds no vector", folder.display());
}

/// An implementation that agrees with nobody else's has a flaw that its own tests share.
///
/// Reads this crate's `vectors/`, and the folder that `PUNKTFUNK_EXTRA_VECTORS` names, if it names one.
#[test]
fn inv_01_rfc9382_p256_vectors() {
    check_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors"));
    if let Some(folder) = env::var_os("PUNKTFUNK_EXTRA_VECTORS") {
        check_folder(Path::new(&folder));
    }
}

/// Who knew the logarithm of M or N could try many passwords in one attempt: §6 derives both from a seed.
#[test]
fn inv_01_m_and_n_are_the_points_of_their_seeds() {
    for (point, name) in [(m(), 'M'), (n(), 'N')] {
        let seed = format!("1.2.840.10045.3.1.7 point generation seed ({name})");
        assert_eq!(point, point_of_seed(seed.as_bytes()), "{name}");
    }
}

/// RFC 9382, appendix A: the first of the seed's iterated hashes that is a compressed point.
fn point_of_seed(seed: &[u8]) -> ProjectivePoint {
    use p256::elliptic_curve::{point::DecompressPoint, subtle::Choice};

    let mut hash = Sha256::digest(seed);
    loop {
        let next = Sha256::digest(hash);
        let mut x = [0; 32];
        x[..31].copy_from_slice(&hash[1..]);
        x[31] = next[0];
        let point = p256::AffinePoint::decompress(&x.into(), Choice::from(hash[0] & 1));
        if let Some(point) = point.into_option() {
            return point.into();
        }
        hash = next;
    }
}
