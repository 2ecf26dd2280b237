//! What the console shows a browser: the host's own certificate, or the owner's.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use data_encoding::HEXUPPER;
use pf_base::Identity;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
    version::TLS13,
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The certificate that the console shows.
#[derive(Clone, Debug)]
pub enum Certificate {
    /// The host's own: self-signed, so a browser asks the owner whether it is the one.
    Own(Identity),
    /// The owner's, from PEM files.
    Files {
        /// The certificate, then those above it.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("The file {} cannot be read: {source}.", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no certificate in the file.
    #[error("The file {} holds no certificate in PEM form.", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// There is no key in the file.
    #[error("The file {} holds no private key in PEM form.", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The key is of another certificate.
    #[error("The private key does not belong to the certificate.")]
    Mismatch,
    /// Something else is wrong with them.
    #[error("The certificate or its key cannot be used: {0}.")]
    Unusable(rustls::Error),
}

impl CertificateError {
    /// What to do, as a sentence.
    pub fn way_on(&self) -> String {
        match self {
            Self::Unreadable { path, .. } => {
                format!("Check the path, and that the host may read {}.", path.display())
            }
            Self::NoCertificate { .. } => {
                "Give --console-cert the file with the certificate, such as fullchain.pem.".to_owned()
            }
            Self::NoKey { .. } => "Give --console-key the file with the key, not encrypted.".to_owned(),
            Self::Mismatch => {
                "Give --console-cert and --console-key the two files of one certificate.".to_owned()
            }
            Self::Unusable(_) => {
                "Use an ECDSA or RSA certificate, or leave out --console-cert and --console-key.".to_owned()
            }
        }
    }
}

/// How to do TLS with a certificate, and the certificate's SHA-256 as browsers show it.
pub(super) fn configure(certificate: &Certificate) -> Result<(ServerConfig, String), CertificateError> {
    let (chain, key) = match certificate {
        Certificate::Own(identity) => (
            vec![CertificateDer::from(identity.certificate().to_vec())],
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key().to_vec())),
        ),
        Certificate::Files { certificate, key } => (read_chain(certificate)?, read_key(key)?),
    };
    let shown = sha256(&chain[0]);
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .expect("the provider knows TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => CertificateError::Mismatch,
            error => CertificateError::Unusable(error),
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((config, shown))
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    fs::read(path)
        .map(Zeroizing::new)
        .map_err(|source| CertificateError::Unreadable { path: path.to_owned(), source })
}

/// One certificate at least.
fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let pem = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    chain
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or_else(|| CertificateError::NoCertificate { path: path.to_owned() })
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let pem = read(path)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| CertificateError::NoKey { path: path.to_owned() })
}

/// A certificate's SHA-256 as browsers show it: pairs of digits with colons between.
fn sha256(certificate: &CertificateDer<'_>) -> String {
    let pairs: Vec<_> = Sha256::digest(certificate).iter().map(|byte| HEXUPPER.encode(&[*byte])).collect();
    pairs.join(":")
}
