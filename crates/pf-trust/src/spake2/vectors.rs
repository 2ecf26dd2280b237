//! The RFC's test vectors, every field of them, and whatever others are laid beside them.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
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
    k_e: Hex,
    #[serde(rename = "Ka")]
    k_a: Hex,
    #[serde(rename = "KcA")]
    kc_a: Hex,
    #[serde(rename = "KcB")]
    kc_b: Hex,
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
        HEXLOWER.decode(text.trim_start_matches("0x").as_bytes()).map(Self)
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
}

/// The entropy that makes this very scalar.
fn entropy_of(scalar: &Hex) -> Entropy {
    Entropy::draw(|bytes| {
        bytes[32..].copy_from_slice(&scalar.0);
        Ok::<_, std::convert::Infallible>(())
    })
    .unwrap()
}

fn same(field: &str, ours: impl AsRef<[u8]>, theirs: &Hex) {
    assert_eq!(HEXLOWER.encode(ours.as_ref()), HEXLOWER.encode(&theirs.0), "{field}");
}

/// Every field, step by step, and then once more through the types that a caller has.
fn check(vector: &Vector) {
    let (context, password) = (vector.context(), vector.password());
    let (a, p_a) = PartyA::start(context.clone(), password.clone(), entropy_of(&vector.x));
    let (b, p_b) = PartyB::start(context.clone(), password.clone(), entropy_of(&vector.y));
    same("w", password.0.to_bytes(), &vector.w);
    same("x", a.x.to_bytes(), &vector.x);
    same("y", b.y.to_bytes(), &vector.y);
    same("pA", p_a.as_bytes(), &vector.p_a);
    same("pB", p_b.as_bytes(), &vector.p_b);

    let k_of = |share: &Share, blind: ProjectivePoint, secret: Scalar| {
        *Share::of(&((share.point() - blind * password.0) * secret)).as_bytes()
    };
    let k = k_of(&p_b, n(), a.x);
    same("K of A", k, &vector.k);
    same("K of B", k_of(&p_a, m(), b.y), &vector.k);

    let tt = transcript(&context, &p_a, &p_b, &k, &password.0);
    same("TT", &tt, &vector.tt);
    same("Hash(TT)", Sha256::digest(&tt), &vector.hash);
    let [k_e, k_a] = transcript_keys(&tt);
    same("Ke", k_e.as_slice(), &vector.k_e);
    same("Ka", k_a.as_slice(), &vector.k_a);
    let [kc_a, kc_b] = confirmation_keys(&k_a, &context.aad);
    same("KcA", kc_a.as_slice(), &vector.kc_a);
    same("KcB", kc_b.as_slice(), &vector.kc_b);
    same("A conf", mac(&kc_a, &tt), &vector.c_a);
    same("B conf", mac(&kc_b, &tt), &vector.c_b);

    let (a, c_a) = a.finish(&Share::parse(&vector.p_b.0).unwrap()).unwrap();
    let c_b = b.finish(&Share::parse(&vector.p_a.0).unwrap()).unwrap().verify(&c_a).unwrap();
    a.verify(&c_b).unwrap();
    same("cA as sent", c_a, &vector.c_a);
    same("cB as sent", c_b, &vector.c_b);
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
            println!("{}[{index}]", file.display());
            check(vector);
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
