//! Who a peer is: the certificate that it presents, and the key that it has.

use pf_base::Identity;
use pf_net::{DialError, Expect, Plane};
use pf_proto::SESSION_ALPN;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SerialNumber, SignatureAlgorithm};
use rustls::AlertDescription;

use crate::{
    Client, Host,
    peers::{self, Credentials, client_tls, host_tls, is_tls_error},
    soon,
    testing::{fingerprint_of, identity, identity_of},
};

/// Dials `host` as a client with these credentials, which must fail, and shows that the host hands out nobody for it:
/// the next one that it does is an honest client.
async fn assert_host_refuses(host: &Host, credentials: &Credentials) {
    let (tls, _) = client_tls(SESSION_ALPN, Some(credentials));
    let connection = peers::dial(host.address(), tls).await;
    let end = soon("the host's refusal", connection.closed()).await;
    assert!(is_tls_error(&end), "{end}");

    let honest = Client::new();
    let _connection = host.dialled_by(&honest, Plane::Session).await.unwrap();
    assert_eq!(host.arrival().await.fingerprint(), honest.identity.fingerprint());
}

/// What our client says of a host with these credentials.
async fn dial_host_with(credentials: &Credentials, expect: Expect) -> DialError {
    let (tls, clients) = host_tls(SESSION_ALPN, credentials);
    let (endpoint, address) = peers::host(tls);
    let serve = async {
        let end = endpoint.accept().await.unwrap().await.expect_err("our client is gone");
        assert!(is_tls_error(&end), "{end}");
    };
    let client = Client::new();
    let (dialled, ()) =
        tokio::join!(client.dial(address, Plane::Session, expect), soon("the client's refusal", serve));
    assert_eq!(clients.seen(), 0, "the client kept its certificate to itself");
    dialled.expect_err("a wrong host")
}

fn assert_broken_off(error: &DialError) {
    assert!(matches!(error, DialError::Protocol(_)), "{error}");
}

/// A copied certificate of a paired device must not open the host: everyone who was ever dialled has it.
#[tokio::test]
async fn inv_23_a_client_with_a_copied_certificate_is_refused() {
    let host = Host::start();
    let (paired, thief) = (identity(), KeyPair::generate().unwrap());
    assert_host_refuses(&host, &Credentials::new(&[paired.certificate()], &thief.serialize_der())).await;
}

/// A copied certificate of a pinned host must not get a client's picture, nor its PIN.
#[tokio::test]
async fn inv_23_a_host_with_a_copied_certificate_is_refused() {
    let (pinned, thief) = (identity(), KeyPair::generate().unwrap());
    let credentials = Credentials::new(&[pinned.certificate()], &thief.serialize_der());
    for expect in [Expect::Exactly(pinned.fingerprint()), Expect::Anyone] {
        assert_broken_off(&dial_host_with(&credentials, expect).await);
    }
}

/// A thief that presents some other host's certificate must not make the client say that it met that host.
#[tokio::test]
async fn inv_23_a_copied_certificate_is_not_reported_as_a_changed_fingerprint() {
    let (pinned, copied, thief) = (identity(), identity(), KeyPair::generate().unwrap());
    let credentials = Credentials::new(&[copied.certificate()], &thief.serialize_der());
    assert_broken_off(&dial_host_with(&credentials, Expect::Exactly(pinned.fingerprint())).await);
}

/// A host that is not the pinned one is named by what it proved, and learns nothing of the client: not even its
/// certificate, by which it could follow the device around.
#[tokio::test]
async fn a_wrong_host_is_named_and_sees_no_client_certificate() {
    let (pinned, other) = (identity(), identity());
    let error = dial_host_with(&Credentials::of(&other), Expect::Exactly(pinned.fingerprint())).await;
    let (expected, presented) = (pinned.fingerprint(), other.fingerprint());
    assert_eq!(error, DialError::FingerprintChanged { expected, presented });
}

/// A certificate for `key` that `issuer` signed, and the issuer's own as an authority.
fn issued(key: &KeyPair, issuer: &KeyPair) -> [Vec<u8>; 2] {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let own = authority.self_signed(issuer).unwrap();
    let leaf = CertificateParams::new(vec!["a.device".into()]).unwrap();
    let leaf = leaf.signed_by(key, &Issuer::from_params(&authority, issuer)).unwrap();
    [leaf.der().to_vec(), own.der().to_vec()]
}

/// Whoever gets a paired device to sign a certificate, once, must not be in for good.
#[tokio::test]
async fn inv_24_a_certificate_with_an_intermediate_is_refused_in_both_directions() {
    let (key, paired) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let [leaf, authority] = issued(&key, &paired);
    let paired = identity_of(&paired);
    let host = Host::start();
    for chain in [[&leaf[..], &authority[..]], [&leaf, paired.certificate()], [&leaf, &leaf]] {
        let credentials = Credentials::new(&chain, &key.serialize_der());
        assert_host_refuses(&host, &credentials).await;
        for expect in [Expect::Exactly(paired.fingerprint()), Expect::Anyone] {
            assert_broken_off(&dial_host_with(&credentials, expect).await);
        }
    }
}

/// The same without sending the intermediate along: who signed it gives a certificate no standing.
#[tokio::test]
async fn inv_24_a_certificate_issued_by_a_paired_key_is_its_own_key_only() {
    let (key, paired) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let [leaf, _] = issued(&key, &paired);
    let credentials = Credentials::new(&[&leaf], &key.serialize_der());

    let error = dial_host_with(&credentials, Expect::Exactly(fingerprint_of(&paired))).await;
    let (expected, presented) = (fingerprint_of(&paired), fingerprint_of(&key));
    assert_eq!(error, DialError::FingerprintChanged { expected, presented });

    let host = Host::start();
    let (tls, _) = client_tls(SESSION_ALPN, Some(&credentials));
    let _connection = peers::dial(host.address(), tls).await;
    assert_eq!(host.arrival().await.fingerprint(), fingerprint_of(&key));
}

fn certificate_with_serial(key: &KeyPair, serial: u64) -> Vec<u8> {
    let mut params = CertificateParams::new(vec!["living-room".into()]).unwrap();
    params.serial_number = Some(SerialNumber::from(serial));
    params.self_signed(key).unwrap().der().to_vec()
}

/// All that a certificate says about itself can be copied.
#[tokio::test]
async fn inv_25_the_same_name_date_and_serial_with_another_key_is_another_peer() {
    let (pinned, imitator) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let _original = certificate_with_serial(&pinned, 7);
    let imitation = certificate_with_serial(&imitator, 7);
    let credentials = Credentials::new(&[&imitation], &imitator.serialize_der());
    let error = dial_host_with(&credentials, Expect::Exactly(fingerprint_of(&pinned))).await;
    let (expected, presented) = (fingerprint_of(&pinned), fingerprint_of(&imitator));
    assert_eq!(error, DialError::FingerprintChanged { expected, presented });
}

/// A key that a verifier handles otherwise is a way around what was thought through for one.
#[tokio::test]
async fn inv_25_a_key_of_another_algorithm_is_refused_in_both_directions() {
    let others: [&SignatureAlgorithm; 3] =
        [&rcgen::PKCS_ED25519, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_RSA_SHA256];
    let host = Host::start();
    for algorithm in others {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
        let credentials = Credentials::new(&[certificate.der()], &key.serialize_der());
        assert_host_refuses(&host, &credentials).await;
        for expect in [Expect::Exactly(fingerprint_of(&key)), Expect::Anyone] {
            assert_broken_off(&dial_host_with(&credentials, expect).await);
        }
    }
}

/// A client that says nothing about itself could be anyone, and all that it sends would be parsed for anyone.
#[tokio::test]
async fn inv_28_without_a_client_certificate_nothing_is_handed_out() {
    let host = Host::start();
    let (tls, _) = client_tls(SESSION_ALPN, None);
    let nobody = peers::dial(host.address(), tls).await;
    // Everything that a client may send before the host has answered.
    let (mut send, _receive) = nobody.open_bi().await.unwrap();
    send.write_all(b"\0\x04parse me").await.unwrap();
    nobody.send_datagram(b"parse me"[..].into()).unwrap();
    let end = soon("the host's refusal", nobody.closed()).await;
    assert!(peers::alerted(&end, AlertDescription::CertificateRequired), "{end}");

    let honest = Client::new();
    let _connection = host.dialled_by(&honest, Plane::Session).await.unwrap();
    assert_eq!(host.arrival().await.fingerprint(), honest.identity.fingerprint());
}

/// A renewed certificate of the same key is the same host.
#[tokio::test]
async fn a_renewed_certificate_keeps_its_pin() {
    let key = KeyPair::generate().unwrap();
    let pinned: Identity = identity_of(&key);
    let mut renewed = CertificateParams::new(vec!["renewed".into()]).unwrap();
    renewed.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let renewed = renewed.self_signed(&key).unwrap();
    let (tls, _) = host_tls(SESSION_ALPN, &Credentials::new(&[renewed.der()], &key.serialize_der()));
    let (endpoint, address) = peers::host(tls);
    let client = Client::new();
    let expect = Expect::Exactly(pinned.fingerprint());
    let (connection, served) = tokio::join!(
        client.dial(address, Plane::Session, expect),
        soon("the handshake", async { endpoint.accept().await.unwrap().await })
    );
    assert_eq!(connection.unwrap().fingerprint(), pinned.fingerprint());
    assert!(served.is_ok());
}
