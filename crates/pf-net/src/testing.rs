//! Identities for tests.

use pf_base::{Fingerprint, Identity};
use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use zeroize::Zeroizing;

/// A fresh identity.
pub(crate) fn identity() -> Identity {
    identity_of(&KeyPair::generate().unwrap())
}

/// An identity of a P-256 key, with a self-signed certificate that is as good as any.
pub(crate) fn identity_of(key: &KeyPair) -> Identity {
    let certificate = CertificateParams::new(Vec::new()).unwrap().self_signed(key).unwrap();
    Identity::new(certificate.der().to_vec(), Zeroizing::new(key.serialize_der()), fingerprint_of(key))
}

/// The fingerprint of a key, by way of its own encoding and not of a certificate.
pub(crate) fn fingerprint_of(key: &KeyPair) -> Fingerprint {
    Fingerprint::of_spki(&key.subject_public_key_info())
}
