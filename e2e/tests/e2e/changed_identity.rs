//! A host that is not who it was: PIN pairing, and no other way on.

use pf_e2e::{ClientInstall, Host, another_pin};

/// A machine that takes the host's address, and the person who clicks everything away.
#[test]
fn inv_41_a_changed_identity_leaves_pin_pairing_and_nothing_else() {
    let mut host = Host::serve().long_pins().start();
    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.arm(&[]));
    couch.expect_pictures(&host.address());
    let old = host.fingerprint().to_owned();
    host.terminate();
    let host = host.into_setup().installed_anew().start();
    let (address, new) = (host.address(), host.fingerprint());
    assert_ne!(old, new);

    let connect = ["connect", &address, "--headless", "--frames", "3"];
    let ways: [&[&str]; 4] = [
        &connect,
        &[&connect[..], &["--trust-first-use"]].concat(),
        &[&connect[..], &["--wait"]].concat(),
        &["request", &address],
    ];
    let assert_all_stop = |when: &str| {
        for way in ways {
            let error = couch.run(way).expect_failure(15, "fingerprint_changed");
            let message = error["message"].as_str().unwrap().replace(' ', "");
            assert!(message.contains(&old) && message.contains(new), "{when}: {way:?} shows both: {message}");
            assert!(error["hint"].as_str().unwrap().contains("punktfunk pair"), "{when}: {error}");
        }
        assert_eq!(
            couch.state_of(new),
            None,
            "{when}: it is not listed beside the host whose place it takes"
        );
        assert!(host.requests().is_empty(), "{when}: nothing was asked of the other one");
    };
    // To be told whether there is a PIN is no step towards trusting who says so.
    couch.run(&["pair", &address]).expect_failure(12, "not_armed");
    assert_all_stop("pinned");

    // A wrong PIN leaves the old pin where it was.
    let fingerprint = couch.fingerprint();
    let pin = host.arm(&["--for", &fingerprint]);
    couch.run(&["pair", &address, "--pin", &another_pin(&pin)]).expect_failure(11, "wrong_pin");
    assert_eq!(couch.state_of(&old).as_deref(), Some("paired"));
    assert_all_stop("after a wrong PIN");

    couch.run(&["forget", &address]).expect_success();
    assert_all_stop("forgotten");

    couch.pair(&address, &host.arm(&["--for", &fingerprint]));
    couch.expect_pictures(&address);
    assert_eq!(couch.state_of(new).as_deref(), Some("paired"));
}

/// *Forget and trust* as two clicks in place of one.
#[test]
fn r3_a_forgotten_host_comes_back_by_pin_alone() {
    let host = Host::m3().arg("--allow-tofu").long_pins().start();
    let address = host.address();
    let couch = ClientInstall::new("couch");
    couch.pair(&address, &host.await_pin(1));
    couch.run(&["forget", &address]).expect_success();
    assert_eq!(couch.state_of(host.fingerprint()).as_deref(), Some("forgotten"));

    let connect = ["connect", &address, "--headless", "--frames", "3"];
    for way in [&connect[..], &[&connect[..], &["--wait"]].concat(), &["request", &address]] {
        let error = couch.run(way).expect_failure(10, "pairing_required");
        assert!(error["message"].as_str().unwrap().contains("forgotten"), "{way:?}: {error}");
        assert!(!couch.has_pin());
    }
    let way = [&connect[..], &["--trust-first-use"]].concat();
    assert_ne!(couch.run(&way).exit, 0);
    assert!(!couch.has_pin());
    assert!(host.sessions().is_empty());

    couch.pair(&address, &host.await_pin(2));
    couch.expect_pictures(&address);
}

/// A host that lost its list teaches people to click an alarm away, when it is no alarm.
#[test]
fn r3_a_pinned_host_that_does_not_know_this_client_any_more_offers_both_ways() {
    let host = Host::m3().start();
    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.pin());
    host.ctl(&["remove", &couch.fingerprint()]);
    let error = couch.connect(&host.address()).expect_failure(18, "removed");
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.contains("punktfunk pair") && hint.contains("punktfunk request"), "{hint}");

    let asking = couch.spawn(&["request", &host.address()]);
    let request = host.await_request("the couch's request", |request| request["waiting"] == true);
    host.ctl(&["approve", &request["id"].to_string()]);
    asking.finish().expect_success();
    couch.expect_pictures(&host.address());
    assert_eq!(couch.state_of(host.fingerprint()).as_deref(), Some("paired"), "the stronger pin stays");
}
