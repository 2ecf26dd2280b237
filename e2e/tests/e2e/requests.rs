//! Asking for access: what the owner sees, and whom a *yes* lets in.

use std::net::Ipv4Addr;

use pf_base::Code;
use pf_e2e::{Attacker, ClientInstall, Host, Relay, until};

/// The check code among what a waiting client says.
pub(crate) fn check_code(said: &str) -> Option<String> {
    said.lines()
        .find_map(|line| line.trim_start().strip_prefix("Check code"))
        .map(|code| code.trim().to_owned())
}

/// An owner who approves a name, without being told that there was nothing to compare.
#[test]
fn r5_a_refused_connect_leaves_a_request_and_goes_through_once_approved() {
    let host = Host::serve().start();
    let couch = ClientInstall::new("couch");
    couch.connect(&host.address()).expect_failure(10, "pairing_required");
    let request = host.await_request("the couch's request", |request| request["name"] == "couch");
    assert_eq!(request["address"], "127.0.0.1");
    assert_eq!(request["fingerprint"], couch.fingerprint());
    assert!(request["check_code"].is_null());
    assert_eq!(request["waiting"], false);
    assert_eq!(couch.state_of(host.fingerprint()).as_deref(), Some("asked"));

    couch.connect(&host.address()).expect_failure(10, "pairing_required");
    assert_eq!(host.requests().len(), 1, "one device is one entry");

    let id = host.requests()[0]["id"].to_string();
    let approved = host.ctl(&["approve", &id, "--label", "Sofa"]);
    assert_eq!(approved["compared"], false);
    assert_eq!(approved["label"], "Sofa");
    couch.expect_pictures(&host.address());
    assert_eq!(couch.state_of(host.fingerprint()).as_deref(), Some("approved_not_compared"));
    assert_eq!(host.devices()[0]["paired_by"], "approved_not_compared");
    host.try_ctl(&["approve", &id]).expect_failure(17, "request_expired");
}

/// Codes that differ teach people to approve without looking.
#[test]
fn r5_both_machines_show_one_code_and_the_approved_one_connects() {
    let host = Host::serve().start();
    let couch = ClientInstall::new("couch");
    let asking = couch.spawn(&["request", &host.address()]);
    let shown = asking.hear_stderr("the check code", check_code);
    assert!(shown.len() == 6 && shown.bytes().all(|byte| byte.is_ascii_digit()), "{shown}");
    let request = host.await_request("the couch's request", |request| request["waiting"] == true);
    assert_eq!(request["check_code"], shown.as_str());

    let approved = host.ctl(&["approve", &request["id"].to_string()]);
    assert_eq!(approved["compared"], true);
    let data = asking.finish().expect_success();
    assert_eq!(data["fingerprint"], host.fingerprint());
    assert_eq!(data["check_code"], shown.as_str());
    assert_eq!(host.devices()[0]["paired_by"], "approved");
    assert!(host.requests().is_empty());
    couch.expect_pictures(&host.address());
}

/// *Connects without another click* is a promise.
#[test]
fn r5_a_connect_that_waits_goes_on_to_the_picture() {
    let host = Host::serve().start();
    let couch = ClientInstall::new("couch");
    let waiting = couch.spawn(&["connect", &host.address(), "--headless", "--frames", "3", "--wait"]);
    let request = host.await_request("the couch's request", |request| request["waiting"] == true);
    host.ctl(&["approve", &request["id"].to_string()]);
    let report = waiting.finish().expect_success();
    assert!(report["frames"].as_u64() >= Some(3), "{report}");
    assert_eq!(report["check_code"], request["check_code"]);
}

/// A *no* that lets in, or one that lasts for ever.
#[test]
fn r5_deny_dismisses_and_blocks_nobody() {
    let host = Host::serve().start();
    let couch = ClientInstall::new("couch");
    for _ in 0..2 {
        let asking = couch.spawn(&["request", &host.address()]);
        let request = host.await_request("the couch's request", |request| request["waiting"] == true);
        host.ctl(&["deny", &request["id"].to_string()]);
        asking.finish().expect_failure(16, "denied");
        assert!(host.requests().is_empty());
        assert!(!couch.has_pin());
    }
    couch.connect(&host.address()).expect_failure(10, "pairing_required");
}

/// The owner approves what they saw, and another connection of the same device is let in for it.
#[test]
fn inv_46_a_newer_request_replaces_the_older_one() {
    let host = Host::serve().start();
    let couch = ClientInstall::new("couch");
    let older = couch.spawn(&["request", &host.address()]);
    let seen = host.await_request("the older request", |request| request["waiting"] == true);
    let newer = couch.spawn(&["request", &host.address()]);
    older.finish().expect_failure(17, "request_expired");

    host.try_ctl(&["approve", &seen["id"].to_string()]).expect_failure(17, "request_expired");
    assert!(host.devices().is_empty(), "a replaced request lets nobody in");
    let request = host.await_request("the newer request", |request| request["waiting"] == true);
    assert_eq!(host.requests().len(), 1);
    host.ctl(&["approve", &request["id"].to_string()]);
    newer.finish().expect_success();
}

/// A stranger with as many keys and addresses as they like pushes the genuine device out of the list.
#[tokio::test(flavor = "multi_thread")]
async fn inv_45_a_waiting_request_survives_a_flood() {
    let host = Host::serve().start();
    let couch = ClientInstall::new("couch");
    let asking = couch.spawn(&["request", &host.address()]);
    let genuine = host.await_request("the couch's request", |request| request["waiting"] == true);

    let (mut waiting, mut refused) = (Vec::new(), 0);
    for last in 2..12 {
        let relay = Relay::start(Ipv4Addr::new(127, 0, 0, last), host.socket_address());
        for _ in 0..5 {
            let stranger = Attacker::new();
            match stranger.knock(relay.socket_address(), "couch").await {
                Ok(()) => {}
                Err(Code::RateLimited | Code::Busy) => refused += 1,
                Err(code) => panic!("{code:?}"),
            }
        }
        let stranger = Attacker::new();
        match stranger.ask(relay.socket_address(), "couch").await {
            Ok((line, _)) => waiting.push((stranger, relay, line)),
            Err(Code::RateLimited | Code::Busy) => refused += 1,
            Err(code) => panic!("{code:?}"),
        }
    }
    let requests = host.requests();
    assert!(requests.len() <= 32, "{} are listed", requests.len());
    let listed =
        requests.iter().find(|request| request["id"] == genuine["id"]).expect("the genuine one is listed");
    assert_eq!(listed["check_code"], genuine["check_code"]);
    assert!(waiting.len() + refused > 0, "the flood was one");

    host.ctl(&["approve", &genuine["id"].to_string()]);
    asking.finish().expect_success();
    assert_eq!(host.devices().len(), 1);
    assert_eq!(host.devices()[0]["fingerprint"], couch.fingerprint());
}

/// A client that hangs for ever, or a *yes* that outlives the host that was asked.
#[test]
fn r5_a_host_that_stops_lets_its_waiting_devices_go() {
    let mut host = Host::serve().start();
    let couch = ClientInstall::new("couch");
    let asking = couch.spawn(&["request", &host.address()]);
    let request = host.await_request("the couch's request", |request| request["waiting"] == true);
    host.terminate();
    asking.finish().expect_failure(25, "ended");

    let host = host.into_setup().start();
    assert!(host.requests().is_empty());
    host.try_ctl(&["approve", &request["id"].to_string()]).expect_failure(17, "request_expired");

    let asking = couch.spawn(&["request", &host.address()]);
    host.await_request("the couch's request", |request| request["waiting"] == true);
    let host = host.killed_and_started_again();
    asking.finish().expect_failure(3, "unreachable");
    let asking = couch.spawn(&["request", &host.address()]);
    let request = host.await_request("the couch's request", |request| request["waiting"] == true);
    host.ctl(&["approve", &request["id"].to_string()]);
    asking.finish().expect_success();
}

/// A device that went away is approved by the code that it showed, though nobody is there to compare any more.
#[test]
fn r5_a_device_that_stops_waiting_has_no_code_any_more() {
    let host = Host::serve().start();
    let couch = ClientInstall::new("couch");
    let mut asking = couch.spawn(&["request", &host.address()]);
    let parked = host.await_request("the couch's request", |request| request["waiting"] == true);
    asking.kill9();
    let left = until("the end of the wait", || {
        host.requests().into_iter().find(|request| request["waiting"] == false)
    });
    assert!(left["check_code"].is_null());
    assert_ne!(left["id"], parked["id"]);
    host.try_ctl(&["approve", &parked["id"].to_string()]).expect_failure(17, "request_expired");
    assert!(host.devices().is_empty());
}
