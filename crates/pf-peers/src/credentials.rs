//! What a peer presents.

use std::sync::Arc;

use pf_base::Identity;
use rustls::{
    SignatureAlgorithm, SignatureScheme,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey},
};

/// Certificates, and a key to sign with that need not be theirs.
pub struct Credentials {
    chain: Vec<CertificateDer<'static>>,
    key: PrivatePkcs8KeyDer<'static>,
}

impl Credentials {
    /// Certificates in DER, and a key in PKCS #8.
    pub fn new(chain: &[&[u8]], key: &[u8]) -> Self {
        let chain = chain.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
        Self { chain, key: key.to_vec().into() }
    }

    /// What an honest peer presents.
    pub fn of(identity: &Identity) -> Self {
        Self::new(&[identity.certificate()], identity.key())
    }

    pub(crate) fn resolver(&self) -> Arc<SingleCertAndKey> {
        let key = PrivateKeyDer::from(self.key.clone_key());
        let key = aws_lc_rs::sign::any_supported_type(&key).expect("a key that can sign");
        let key = CertifiedKey::new(self.chain.clone(), Arc::new(Stubborn(key)));
        Arc::new(SingleCertAndKey::from(key))
    }
}

/// Signs in its own way, whatever schemes the other side offered.
#[derive(Debug)]
struct Stubborn(Arc<dyn SigningKey>);

impl SigningKey for Stubborn {
    fn choose_scheme(&self, _offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        self.0.choose_scheme(&[
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ED25519,
            SignatureScheme::RSA_PSS_SHA256,
        ])
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}
