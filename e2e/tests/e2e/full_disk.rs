//! The disk is full: nothing is half done, the owner hears of it, and all is well again once there is space.
//!
//! On a small file system of its own, for which these tests must run as root.

use pf_e2e::{ClientInstall, Host, SmallDisk};

/// A device that was told *paired* and is not on the list, or the other way round.
#[test]
fn inv_36_a_host_without_space_pairs_nobody() {
    let disk = SmallDisk::mount();
    let host = Host::serve().long_pins().data_dir(disk.path().join("host")).start();
    let [couch, tablet] = ["couch", "tablet"].map(ClientInstall::new);
    couch.pair(&host.address(), &host.arm(&[]));
    let pin = host.arm(&["--for", &tablet.fingerprint()]);
    disk.fill();

    let refused = tablet.run(&["pair", &host.address(), "--pin", &pin]);
    refused.expect_failure(21, "store_unreadable");
    assert!(!tablet.has_pin());
    assert_eq!(host.devices().len(), 1);
    assert!(host.ctl(&["status"])["window"].is_null(), "the PIN that was tried is spent");
    host.try_ctl(&["arm"]).expect_failure(21, "store_unreadable");
    couch.expect_pictures(&host.address());

    disk.free();
    let pin = host.arm(&["--for", &tablet.fingerprint()]);
    tablet.pair(&host.address(), &pin);
    tablet.expect_pictures(&host.address());
    let host = host.killed_and_started_again();
    couch.expect_pictures(&host.address());
    tablet.expect_pictures(&host.address());
}

/// An approval that the disk did not take: the device is told *no*, and neither it nor the owner believes otherwise.
#[test]
fn inv_36_a_host_without_space_approves_nobody() {
    let disk = SmallDisk::mount();
    let host = Host::serve().data_dir(disk.path().join("host")).start();
    let couch = ClientInstall::new("couch");
    let asking = couch.spawn(&["request", &host.address()]);
    let request = host.await_request("the couch's request", |request| request["waiting"] == true);
    disk.fill();
    let id = request["id"].to_string();
    host.try_ctl(&["approve", &id]).expect_failure(21, "store_unreadable");
    assert!(host.devices().is_empty());
    assert_eq!(host.requests().len(), 1, "the device goes on waiting");

    disk.free();
    host.ctl(&["approve", &id]);
    asking.finish().expect_success();
    couch.expect_pictures(&host.address());
}

/// A device is removed on a full disk, and is back after the next power cut.
#[test]
fn inv_35_a_removal_that_finds_no_space_holds_at_once_and_is_stored_when_there_is_some() {
    let disk = SmallDisk::mount();
    let host = Host::m3().data_dir(disk.path().join("host")).start();
    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.pin());
    let fingerprint = couch.fingerprint();
    let watching = couch.spawn(&["connect", &host.address(), "--headless", "--seconds", "600"]);
    host.await_session_of(&fingerprint);
    disk.fill();

    let error = host.try_ctl(&["remove", &fingerprint]).expect_failure(21, "store_unreadable");
    assert!(error["message"].as_str().unwrap().contains("in force"), "what holds now is said: {error}");
    watching.finish().expect_failure(18, "removed");
    couch.connect(&host.address()).expect_failure(18, "removed");

    disk.free();
    pf_e2e::until("the stored removal", || (host.count_events("removed") == 1).then_some(()));
    let host = host.killed_and_started_again();
    assert!(host.devices().is_empty());
    couch.connect(&host.address()).expect_failure(18, "removed");
}

/// A client that offers a PIN and cannot remember that it did.
#[test]
fn inv_13_a_client_without_space_offers_no_pin() {
    let disk = SmallDisk::mount();
    let host = Host::serve().start();
    let pin = host.arm(&[]);
    let couch = ClientInstall::new("couch").at(disk.path().join("client"));
    couch.fingerprint();
    disk.fill();
    couch.run(&["pair", &host.address(), "--pin", &pin]).expect_failure(21, "store_unreadable");
    assert_eq!(host.count_events("attempt"), 0);

    disk.free();
    couch.run_when_let(&["pair", &host.address(), "--pin", &pin]).expect_success();
    couch.expect_pictures(&host.address());
}
