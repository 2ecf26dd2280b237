//! Removal: out at once, and out for good.

use pf_base::Code;
use pf_e2e::{Attacker, ClientInstall, Host, soon, until};

/// A stolen laptop that goes on watching, or is back after the next power cut.
#[test]
fn inv_33_inv_35_removal_cuts_the_session_and_survives_a_restart() {
    let host = Host::m3().long_pins().start();
    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.pin());
    let watching = couch.spawn(&["connect", &host.address(), "--headless", "--seconds", "600"]);
    let fingerprint = couch.fingerprint();
    host.await_session_of(&fingerprint);

    host.ctl(&["remove", &fingerprint[..8]]);
    assert!(host.sessions().is_empty(), "no session is live once the owner has the answer");
    watching.finish().expect_failure(18, "removed");
    assert!(host.devices().is_empty());
    couch.connect(&host.address()).expect_failure(18, "removed");

    let host = host.killed_and_started_again();
    couch.connect(&host.address()).expect_failure(18, "removed");
    let host = host.stopped_and_started_again();
    couch.connect(&host.address()).expect_failure(18, "removed");

    couch.pair(&host.address(), &host.pin());
    couch.expect_pictures(&host.address());
}

/// A device connects in the very instant in which it is removed.
#[tokio::test(flavor = "multi_thread")]
async fn inv_34_a_removal_that_races_an_admission_leaves_no_session() {
    let host = Host::m3().start();
    let address = host.socket_address();
    for round in 1..=6 {
        let laptop = Attacker::new();
        laptop.pair(address, "laptop", &host.await_pin(round)).await;
        let fingerprint = laptop.fingerprint().hex();
        let entering = tokio::spawn(async move { laptop.enter(address).await });
        host.ctl(&["remove", &fingerprint]);
        match soon("the entry", entering).await.unwrap() {
            Ok(visit) => {
                assert_eq!(soon("the cut", visit.connection.closed()).await.code(), Code::Removed);
            }
            Err(code) => assert_eq!(code, Code::Removed),
        }
        assert!(host.sessions().is_empty());
    }
}

/// A tombstone that is lifted by somebody else's pairing.
#[tokio::test(flavor = "multi_thread")]
async fn inv_35_remove_all_and_pair_one_lets_that_one_in_alone() {
    let host = Host::m3().start();
    let address = host.socket_address();
    let mut removed = Vec::new();
    for number in 1..=3 {
        let laptop = Attacker::new();
        laptop.pair(address, "laptop", &host.await_pin(number)).await;
        removed.push(laptop);
    }
    for laptop in &removed {
        host.ctl(&["remove", &laptop.fingerprint().hex()]);
    }
    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.await_pin(4));

    let host = host.killed_and_started_again();
    for laptop in &removed {
        assert_eq!(laptop.enter(address).await.err(), Some(Code::Removed));
    }
    couch.expect_pictures(&host.address());
    assert_eq!(host.devices().len(), 1);
}

/// A list in which nobody can tell which device is which, or which is in use.
#[test]
fn r7_devices_are_named_and_show_when_they_were_seen() {
    let host = Host::m3().long_pins().start();
    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.pin());
    let device = &host.devices()[0];
    assert!(device["last_seen"].is_null());
    assert_eq!(device["connected"], false);
    let fingerprint = couch.fingerprint();
    host.ctl(&["rename", &fingerprint, "Living room"]);

    let watching = couch.spawn(&["connect", &host.address(), "--headless", "--seconds", "600"]);
    host.await_session_of(&fingerprint);
    let device = &host.devices()[0];
    assert_eq!(device["label"], "Living room");
    assert_eq!(device["connected"], true);
    let seen = device["last_seen"].clone();
    assert!(seen.is_string());
    assert_eq!(host.sessions()[0]["name"], "Living room");
    drop(watching);

    let host = host.killed_and_started_again();
    let device = &host.devices()[0];
    assert_eq!(device["label"], "Living room");
    assert_eq!(device["last_seen"], seen);
    assert_eq!(device["connected"], false);

    couch.pair(&host.address(), &host.pin());
    assert_eq!(host.devices()[0]["label"], "Living room", "pairing again keeps the owner's name for it");
    for unknown in ["00000000", &fingerprint[..7]] {
        host.try_ctl(&["remove", unknown]).expect_failure(2, "usage");
        host.try_ctl(&["rename", unknown, "x"]).expect_failure(2, "usage");
    }
    assert_eq!(host.devices().len(), 1);
}

/// An intruder of whom the log says nothing.
#[test]
fn r7_every_trust_event_is_in_the_audit_log() {
    let host = Host::serve().start();
    let address = host.address();
    let [couch, tablet, guesser] = ["couch", "tablet", "guesser"].map(ClientInstall::new);

    host.arm(&[]);
    host.ctl(&["disarm"]);
    host.arm(&["--ttl", "1"]);
    until("the window's end", || (host.count_events("window_expired") == 1).then_some(()));
    let pin = host.arm(&["--for", &guesser.fingerprint()]);
    guesser.run(&["pair", &address, "--pin", &pf_e2e::another_pin(&pin)]).expect_failure(11, "wrong_pin");
    let pin = host.arm(&["--for", &couch.fingerprint()]);
    couch.pair(&address, &pin);
    couch.expect_pictures(&address);
    until("the session's end", || (host.count_events("session_ended") == 1).then_some(()));

    let asking = tablet.spawn(&["request", &address]);
    let request = host.await_request("the tablet's request", |request| request["waiting"] == true);
    host.ctl(&["deny", &request["id"].to_string()]);
    asking.finish().expect_failure(16, "denied");
    let asking = tablet.spawn(&["request", &address]);
    let request = host.await_request("the tablet's request", |request| request["waiting"] == true);
    host.ctl(&["approve", &request["id"].to_string()]);
    asking.finish().expect_success();
    host.ctl(&["rename", &tablet.fingerprint(), "Tablet"]);
    host.ctl(&["remove", &tablet.fingerprint()]);
    tablet.connect(&address).expect_failure(18, "removed");
    guesser.connect(&address).expect_failure(10, "pairing_required");
    let request = host.await_request("the guesser's request", |request| request["name"] == "guesser");
    host.ctl(&["approve", &request["id"].to_string()]);

    let expected = [
        "armed",
        "disarmed",
        "armed",
        "window_expired",
        "armed",
        "attempt",
        "wrong_pin",
        "armed",
        "attempt",
        "paired",
        "admitted",
        "session_ended",
        "requested",
        "denied",
        "requested",
        "approved",
        "renamed",
        "removed",
        "refused",
        "requested",
        "approved_not_compared",
    ];
    let told: Vec<_> = host.events();
    let mut rest = told.iter();
    for word in expected {
        assert!(rest.any(|event| event == word), "{word} is missing, or out of order, in {told:?}");
    }
    let host = host.killed_and_started_again();
    assert_eq!(host.events()[..told.len()], told, "the log only grows");

    let audit = host.ctl(&["audit", "--limit", "3"]);
    let ids: Vec<_> =
        audit["entries"].as_array().unwrap().iter().map(|e| e["id"].as_u64().unwrap()).collect();
    assert!(ids.is_sorted_by(|newer, older| newer > older) && ids.len() == 3, "{audit}");
    let before = host.ctl(&["audit", "--limit", "1", "--before", &ids[2].to_string()]);
    assert!(before["entries"][0]["id"].as_u64() < Some(ids[2]), "{before}");
}
