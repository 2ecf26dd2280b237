//! What is remembered of a PIN once it was offered: enough to never offer it again, and nothing to find it by.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use pf_base::{Identity, Pin};
use sha2::Sha256;

const LABEL: &[u8] = b"punktfunk/client/v1/spent pins";

/// A tag of a PIN, keyed with this install's own secret: who reads the store cannot try all PINs against it.
pub(crate) fn tag(identity: &Identity, pin: &Pin) -> [u8; 32] {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(None, identity.key())
        .expand(LABEL, &mut key)
        .expect("32 bytes are within what HKDF can give");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length");
    mac.update(pin.reveal().as_bytes());
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use pf_base::Fingerprint;
    use zeroize::Zeroizing;

    use super::*;

    fn identity(key: u8) -> Identity {
        Identity::new(Vec::new(), Zeroizing::new(vec![key; 32]), Fingerprint::from_bytes([key; 32]))
    }

    /// A thief of the store tries ten thousand PINs against an unkeyed hash.
    #[test]
    fn inv_22_a_tag_is_keyed_by_this_install() {
        let pin = Pin::parse("0417").unwrap();
        assert_eq!(tag(&identity(1), &pin), tag(&identity(1), &pin));
        assert_ne!(tag(&identity(1), &pin), tag(&identity(2), &pin));
        assert_ne!(tag(&identity(1), &pin), tag(&identity(1), &Pin::parse("0418").unwrap()));
    }
}
