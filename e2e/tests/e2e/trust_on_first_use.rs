//! Trust on first use: where the owner opted in, and nowhere else.

use pf_base::Code;
use pf_e2e::{Attacker, ClientInstall, Host};

/// A guest on a host whose owner opted in to nothing.
#[tokio::test(flavor = "multi_thread")]
async fn inv_31_inv_42_the_session_plane_lets_no_unpaired_device_in_by_default() {
    for setup in
        [Host::serve(), Host::m3(), Host::m3().arg("--require-pairing"), Host::m3().arg("--allow-pairing")]
    {
        let host = setup.start();
        let stranger = Attacker::new();
        assert_eq!(stranger.enter(host.socket_address()).await.err(), Some(Code::PairingRequired));
        assert!(host.sessions().is_empty());
        assert_eq!(host.ctl(&["status"])["policy"], "required");
        assert_eq!(host.requests().len(), 1, "it leaves a request");
    }
}

/// A guest who is a device of the house from then on.
#[tokio::test(flavor = "multi_thread")]
async fn r6_a_guest_is_let_in_where_the_owner_opted_in_and_is_on_no_list() {
    for setup in [Host::serve().arg("--open"), Host::m3().arg("--allow-tofu")] {
        let host = setup.start();
        assert_eq!(host.ctl(&["status"])["policy"], "optional");
        assert!(host.stdout().contains("trust on first use is ON"), "{}", host.stdout());
        let guest = Attacker::new();
        let visit = guest.enter(host.socket_address()).await.unwrap();
        assert_eq!(host.sessions()[0]["admitted_as"], "guest");
        assert!(host.devices().is_empty() && host.requests().is_empty());
        assert!(host.events().contains(&"admitted_as_guest".to_owned()));
        drop(visit);

        let mut host = host;
        host.kill9();
        let host = host.into_setup().without_args().start();
        assert_eq!(guest.enter(host.socket_address()).await.err(), Some(Code::PairingRequired));
        assert!(host.devices().is_empty());
    }
}

/// An address in a link or a chat message is no place to trust on first use.
#[test]
fn r6_a_host_that_was_typed_by_hand_is_never_trusted_on_first_use() {
    for setup in [Host::m3().arg("--allow-tofu"), Host::serve()] {
        let host = setup.start();
        let couch = ClientInstall::new("couch");
        let refused =
            couch.run(&["connect", &host.address(), "--headless", "--frames", "3", "--trust-first-use"]);
        refused.expect_failure(22, "tofu_not_offered");
        assert!(!couch.has_pin());
        assert!(host.sessions().is_empty());
        couch.connect(&host.address()).expect_failure(10, "pairing_required");
        assert!(!couch.has_pin());
    }
}

/// A removed device comes back as a guest.
#[test]
fn r7_an_open_host_keeps_a_removed_device_out() {
    let host = Host::m3().arg("--allow-tofu").start();
    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.pin());
    host.ctl(&["remove", &couch.fingerprint()]);
    couch.connect(&host.address()).expect_failure(18, "removed");
    assert!(host.sessions().is_empty());
}

/// Two options of which each undoes the other.
#[test]
fn r6_opting_in_and_requiring_pairing_is_refused() {
    let setup = Host::m3().arg("--allow-tofu").arg("--require-pairing");
    setup.fail_to_start().expect_failure(2, "usage");
}
