//! The two verifiers: what a certificate must be, and that its key signed this very handshake.
//!
//! Names, dates, issuers and extensions mean nothing here. What counts is the key, so a certificate is taken when
//!
//! 1. it comes alone: an intermediate could only matter to somebody who trusts chains;
//! 2. its key is ECDSA P-256, in the one encoding that DER has for an uncompressed point, so that a key has one
//!    fingerprint;
//! 3. that key signed the transcript of this handshake (RFC 8446, 4.4.3). The public certificate goes to everyone
//!    who dials, so comparing it with a pin shows nothing without this.
//!
//! The client's verifier compares the pin **after** the signature, in the callback that rustls calls for it. That is
//! before rustls takes the server's Finished, thus before the client's own certificate or any byte of the
//! application leaves: a wrong host gets a TLS alert and nothing else. And the fingerprint that the client then
//! reports as *changed* belongs to a key that was shown to be there, not to a certificate that somebody copied.

use std::sync::{Arc, OnceLock};

use pf_base::Fingerprint;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, PeerIncompatible,
    PeerMisbehaved, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::{
        ParsedCertificate,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

/// Whom a client expects at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The holder of the key with this fingerprint; anyone else ends the handshake.
    Exactly(Fingerprint),
    /// Whoever answers. The caller looks at the connection's fingerprint itself.
    Anyone,
}

/// Why a certificate is not taken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum CertificateFault {
    /// It is not X.509, or more than rustls understands.
    #[error("{0}")]
    Unreadable(Error),
    /// It came with others.
    #[error("a certificate must come alone, without intermediates")]
    NotAlone,
    /// Its key is of another kind.
    #[error("a certificate's key must be ECDSA P-256")]
    NotP256,
    /// It is not the certificate of whom the client expects.
    #[error("another key than the expected one")]
    Unexpected,
}

/// The fingerprint of a certificate that meets 1 and 2 of the module's list.
pub(crate) fn fingerprint_of(
    certificate: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> Result<Fingerprint, CertificateFault> {
    if !intermediates.is_empty() {
        return Err(CertificateFault::NotAlone);
    }
    let parsed = ParsedCertificate::try_from(certificate).map_err(CertificateFault::Unreadable)?;
    let spki = parsed.subject_public_key_info();
    if spki.len() != P256_SPKI_BYTES || !spki.starts_with(&P256_SPKI_PREFIX) {
        return Err(CertificateFault::NotP256);
    }
    Ok(Fingerprint::of_spki(&spki))
}

/// Point 3 of the module's list.
fn verify_possession(
    algorithms: &WebPkiSupportedAlgorithms,
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    if signature.scheme != SCHEME {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    }
    verify_tls13_signature(message, certificate, signature, algorithms)
}

/// What a client asks of a host; one for each dial.
#[derive(Debug)]
pub(crate) struct HostVerifier {
    expect: Expect,
    unexpected: OnceLock<Fingerprint>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl HostVerifier {
    pub(crate) fn new(expect: Expect, algorithms: WebPkiSupportedAlgorithms) -> Arc<Self> {
        Arc::new(Self { expect, unexpected: OnceLock::new(), algorithms })
    }

    /// The fingerprint of a peer that proved its key, when that ended the handshake for not being the expected one.
    pub(crate) fn unexpected(&self) -> Option<Fingerprint> {
        self.unexpected.get().copied()
    }
}

impl ServerCertVerifier for HostVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        fingerprint_of(end_entity, intermediates)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let valid = verify_possession(&self.algorithms, message, cert, dss)?;
        let presented = fingerprint_of(cert, &[])?;
        match self.expect {
            Expect::Exactly(expected) if expected != presented => {
                // Empty until now: one verifier sees one handshake.
                let _ = self.unexpected.set(presented);
                Err(CertificateFault::Unexpected.into())
            }
            Expect::Exactly(_) | Expect::Anyone => Ok(valid),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SCHEME]
    }
}

/// What a host asks of a client: a key, whosever it is. The allow-list is the caller's.
#[derive(Debug)]
pub(crate) struct ClientVerifier {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientVerifier {
    pub(crate) fn new(algorithms: WebPkiSupportedAlgorithms) -> Arc<Self> {
        Arc::new(Self { algorithms })
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        fingerprint_of(end_entity, intermediates)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_possession(&self.algorithms, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SCHEME]
    }
}

impl From<CertificateFault> for Error {
    fn from(fault: CertificateFault) -> Self {
        match fault {
            CertificateFault::Unreadable(error) => error,
            fault => CertificateError::Other(OtherError(Arc::new(fault))).into(),
        }
    }
}

/// The one signature scheme that either side takes.
const SCHEME: SignatureScheme = SignatureScheme::ECDSA_NISTP256_SHA256;

/// How an uncompressed P-256 key begins in DER (RFC 5480, 2): the algorithm, the curve, the tag of the point.
const P256_SPKI_PREFIX: [u8; 27] = [
    0x30, 0x59, // SubjectPublicKeyInfo
    0x30, 0x13, // AlgorithmIdentifier
    0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, // id-ecPublicKey
    0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, // secp256r1
    0x03, 0x42, 0x00, 0x04, // BIT STRING of an uncompressed point
];

/// The prefix and both coordinates.
const P256_SPKI_BYTES: usize = P256_SPKI_PREFIX.len() + 64;
