//! The long-lived key and certificate of one install.

use std::fmt;

use zeroize::Zeroizing;

use crate::Fingerprint;

/// The key and self-signed certificate that one install makes on first start and keeps.
///
/// `Debug` shows the fingerprint only; the key is wiped from memory on drop.
#[derive(Clone)]
pub struct Identity {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    fingerprint: Fingerprint,
}

impl Identity {
    /// An identity of a DER certificate, its PKCS#8 DER key, and the fingerprint of that key.
    ///
    /// The caller answers for the three belonging together; a TLS stack given a wrong pair refuses it.
    pub fn new(certificate: Vec<u8>, key: Zeroizing<Vec<u8>>, fingerprint: Fingerprint) -> Self {
        Self { certificate, key, fingerprint }
    }

    /// The self-signed certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The private key, PKCS#8 DER. Never log it.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// What the other side pins.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}
