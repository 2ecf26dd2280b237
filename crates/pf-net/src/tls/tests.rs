//! Both sides' TLS against each other in memory, without QUIC.

use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};
use rustls::{
    DigitallySignedStruct, HandshakeKind, NamedGroup, PeerIncompatible, ProtocolVersion,
    client::danger::ServerCertVerifier,
    internal::msgs::codec::Codec,
    quic,
    server::{ServerSessionMemoryCache, danger::ClientCertVerifier},
};

use super::{verify::CertificateFault, *};
use crate::testing::{fingerprint_of, identity, identity_of};

/// Runs a handshake between the two configurations to its end.
fn handshake(host: &Arc<ServerConfig>, client: &Arc<ClientConfig>) -> (quic::Connection, quic::Connection) {
    let (host, client) = (Arc::clone(host), Arc::clone(client));
    let mut host: quic::Connection =
        quic::ServerConnection::new(host, quic::Version::V1, b"host".to_vec()).unwrap().into();
    let name = "punktfunk".try_into().unwrap();
    let mut client: quic::Connection =
        quic::ClientConnection::new(client, quic::Version::V1, name, b"client".to_vec()).unwrap().into();
    for _ in 0..6 {
        pass(&mut client, &mut host);
        pass(&mut host, &mut client);
    }
    assert!(!host.is_handshaking() && !client.is_handshaking());
    (host, client)
}

fn pass(from: &mut quic::Connection, to: &mut quic::Connection) {
    // Each call writes up to where the keys change, and what is read must end there too.
    loop {
        let mut bytes = Vec::new();
        let change = from.write_hs(&mut bytes);
        to.read_hs(&bytes).unwrap();
        if change.is_none() {
            return;
        }
    }
}

fn client_of(host: &Identity) -> Arc<ClientConfig> {
    let expect = Expect::Exactly(host.fingerprint());
    let verifier = HostVerifier::new(expect, provider().signature_verification_algorithms);
    Arc::new(client_config(&identity(), Plane::Session, verifier).unwrap())
}

/// Traffic that is recorded today must not be readable to a quantum computer of later.
#[test]
fn inv_29_the_post_quantum_hybrid_is_negotiated_by_default() {
    let host = identity();
    let (host, client) = handshake(&Arc::new(host_config(&host).unwrap()), &client_of(&host));
    for side in [&host, &client] {
        let group = side.negotiated_key_exchange_group().unwrap().name();
        assert_eq!(group, NamedGroup::X25519MLKEM768);
        assert_eq!(side.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        assert_eq!(side.handshake_kind(), Some(HandshakeKind::Full));
    }
}

/// A client that kept tickets would take a host for the one it met, without seeing its key again.
#[test]
fn inv_26_a_client_keeps_no_ticket() {
    let host = identity();
    let client = client_of(&host);
    let mut generous = host_config(&host).unwrap();
    generous.session_storage = ServerSessionMemoryCache::new(8);
    generous.send_tls13_tickets = 2;
    let generous = Arc::new(generous);
    for round in 0..2 {
        let (_, client) = handshake(&generous, &client);
        assert_eq!(client.handshake_kind(), Some(HandshakeKind::Full), "round {round}");
    }
}

/// An old version would bring its renegotiation, its tickets and signatures that are not bound to a curve.
#[test]
fn inv_27_a_hello_of_tls_1_2_is_refused() {
    let config = Arc::new(host_config(&identity()).unwrap());
    let mut host = quic::ServerConnection::new(config, quic::Version::V1, Vec::new()).unwrap();
    let refusal = PeerIncompatible::Tls13RequiredForQuic;
    assert_eq!(host.read_hs(TLS12_CLIENT_HELLO), Err(Error::PeerIncompatible(refusal)));
}

/// In TLS 1.2 a signature is not bound to its curve; neither side has a way to take one.
#[test]
fn inv_27_no_signature_of_tls_1_2_is_valid() {
    let algorithms = provider().signature_verification_algorithms;
    let host = HostVerifier::new(Expect::Anyone, algorithms);
    let client = verify::ClientVerifier::new(algorithms);
    let certificate = certificate(&KeyPair::generate().unwrap());
    let signature = DigitallySignedStruct::read_bytes(&[0x04, 0x03, 0x00, 0x01, 0x00]).unwrap();
    assert!(host.verify_tls12_signature(b"", &certificate, &signature).is_err());
    assert!(client.verify_tls12_signature(b"", &certificate, &signature).is_err());
}

/// A `ClientHello` as a TLS 1.2 client sends it (RFC 5246, 7.4.1.2).
#[rustfmt::skip]
const TLS12_CLIENT_HELLO: &[u8] = &[
    0x01, 0x00, 0x00, 0x3F, // ClientHello, 63 bytes
    0x03, 0x03, // TLS 1.2
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, // random
    16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
    0x00, // no session
    0x00, 0x02, 0xC0, 0x2B, // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
    0x01, 0x00, // no compression
    0x00, 0x14, // extensions, 20 bytes
    0x00, 0x0A, 0x00, 0x04, 0x00, 0x02, 0x00, 0x17, // supported_groups: secp256r1
    0x00, 0x0D, 0x00, 0x04, 0x00, 0x02, 0x04, 0x03, // signature_algorithms: ecdsa_secp256r1_sha256
    0x00, 0x17, 0x00, 0x00, // extended_master_secret
];

fn certificate(key: &KeyPair) -> CertificateDer<'static> {
    CertificateParams::new(Vec::new()).unwrap().self_signed(key).unwrap().der().clone()
}

/// A key that phones cannot hold, or that has more than one fingerprint, must not get onto a list.
#[test]
fn inv_25_only_a_p256_key_has_a_fingerprint() {
    let others: [&SignatureAlgorithm; 4] = [
        &rcgen::PKCS_ED25519,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ECDSA_P521_SHA512,
        &rcgen::PKCS_RSA_SHA256,
    ];
    for algorithm in others {
        let certificate = certificate(&KeyPair::generate_for(algorithm).unwrap());
        let fingerprint = verify::fingerprint_of(&certificate, &[]);
        assert_eq!(fingerprint, Err(CertificateFault::NotP256), "{algorithm:?}");
    }
    let key = KeyPair::generate().unwrap();
    assert_eq!(verify::fingerprint_of(&certificate(&key), &[]), Ok(fingerprint_of(&key)));
}

/// Whoever trusts a chain would trust what a paired device signs for others.
#[test]
fn inv_24_a_certificate_in_company_has_no_fingerprint() {
    let key = KeyPair::generate().unwrap();
    let (alone, other) = (certificate(&key), certificate(&KeyPair::generate().unwrap()));
    for company in [&alone, &other] {
        let fingerprint = verify::fingerprint_of(&alone, std::slice::from_ref(company));
        assert_eq!(fingerprint, Err(CertificateFault::NotAlone));
    }
}

#[test]
fn what_is_no_certificate_is_refused() {
    let whole = certificate(&KeyPair::generate().unwrap());
    for bytes in [&[][..], b"no certificate", &whole[..whole.len() - 1]] {
        let fingerprint = verify::fingerprint_of(&CertificateDer::from(bytes), &[]);
        assert!(matches!(fingerprint, Err(CertificateFault::Unreadable(_))), "{fingerprint:?}");
    }
}

/// A device that renews its certificate, also long after the old one's date, stays paired.
#[test]
fn a_fingerprint_is_of_the_key_and_not_of_the_certificate() {
    let key = KeyPair::generate().unwrap();
    let mut old = CertificateParams::new(vec!["an.old.name".into()]).unwrap();
    old.not_before = rcgen::date_time_ymd(1999, 1, 1);
    old.not_after = rcgen::date_time_ymd(2000, 1, 1);
    let old = old.self_signed(&key).unwrap();
    assert_eq!(verify::fingerprint_of(old.der(), &[]), Ok(identity_of(&key).fingerprint()));
}
