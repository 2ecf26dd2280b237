//! Pairing by PIN: one window, one guess.

use pf_base::Code;
use pf_e2e::{Attacker, ClientInstall, Host, Impostor, Relay, another_pin};
use pf_proto::pair::{ClientMessage, HostMessage};

/// A guesser who is told *wrong*, and goes on guessing at the same PIN.
#[test]
fn r4_a_wrong_pin_burns_the_window_and_stores_nothing() {
    let host = Host::serve().start();
    let pin = host.arm(&[]);
    let guesser = ClientInstall::new("guesser");
    let wrong = guesser.run(&["pair", &host.address(), "--pin", &another_pin(&pin)]);
    wrong.expect_failure(11, "wrong_pin");

    let status = host.ctl(&["status"]);
    assert!(status["window"].is_null(), "{status}");
    assert_eq!(status["last_window"]["outcome"], "wrong_pin");
    assert_eq!(status["last_window"]["name"], "guesser");
    assert_eq!(status["last_window"]["address"], "127.0.0.1");
    assert_eq!(status["last_window"]["fingerprint"], guesser.fingerprint());

    guesser.run(&["pair", &host.address(), "--pin", &pin]).expect_failure(12, "not_armed");
    let owner = ClientInstall::new("owner");
    owner.run(&["pair", &host.address(), "--pin", &pin]).expect_failure(12, "not_armed");
    assert!(host.devices().is_empty());
    assert!(!guesser.has_pin() && !owner.has_pin());
}

/// The test host is armed at all times: a guesser must not have all those windows at once.
#[test]
fn r4_the_test_host_shows_a_fresh_pin_after_each_use_and_waits_after_a_wrong_one() {
    let host = Host::m3().start();
    let first = host.await_pin(1);
    let guesser = ClientInstall::new("guesser");
    guesser.run(&["pair", &host.address(), "--pin", &another_pin(&first)]).expect_failure(11, "wrong_pin");

    let second = host.await_pin(2);
    let couch = ClientInstall::new("couch");
    let limited = couch.run(&["pair", &host.address(), "--pin", &second]);
    let error = limited.expect_failure(14, "rate_limited");
    assert!(error["hint"].as_str().unwrap().contains(" s."), "says when: {error}");

    couch.run_when_let(&["pair", &host.address(), "--pin", &second]).expect_success();
    host.await_pin(3);
    assert_eq!(host.devices().len(), 1);
}

/// A host that pairs by default, or by an option that somebody once put in a unit file.
#[test]
fn r4_no_flag_arms_serve() {
    let host = Host::serve().start();
    assert!(host.ctl(&["status"])["window"].is_null());
    let couch = ClientInstall::new("couch");
    couch.run(&["pair", &host.address(), "--pin", "0000"]).expect_failure(12, "not_armed");
    assert!(!host.stdout().lines().any(|line| line.starts_with("PIN ")), "{}", host.stdout());

    for flag in ["--allow-pairing", "--arm", "--pin=0000", "--armed", "--allow-tofu"] {
        Host::serve().arg(flag).fail_to_start().expect_failure(2, "usage");
    }
    // That nothing was armed did not spend what was typed.
    let pin = host.arm(&[]);
    couch.pair(&host.address(), &pin);
    couch.expect_pictures(&host.address());
}

/// A client that retries by itself gives an impostor a second guess at what its person typed.
#[test]
fn inv_13_a_client_offers_a_pin_once() {
    let host = Host::serve().start();
    let typed = another_pin(&host.arm(&[]));
    let couch = ClientInstall::new("couch");
    couch.run(&["pair", &host.address(), "--pin", &typed]).expect_failure(11, "wrong_pin");
    host.arm(&["--for", &couch.fingerprint()]);
    assert_eq!(host.count_events("attempt"), 1);

    let again = couch.run(&["pair", &host.address(), "--pin", &typed]).expect_failure(11, "wrong_pin");
    assert!(again["message"].as_str().unwrap().contains("offered from here before"), "{again}");
    assert_eq!(host.count_events("attempt"), 1, "the host heard of no second attempt");
    assert!(host.ctl(&["status"])["window"]["pin"].is_string(), "and its window is still open");
}

/// A stranger who breaks off ceremonies until the owner gives up.
#[tokio::test(flavor = "multi_thread")]
async fn inv_11_breaking_off_before_the_confirmation_costs_the_stranger_alone() {
    let host = Host::serve().start();
    let pin = host.arm(&[]);
    let stranger = Attacker::new();
    drop(stranger.open(host.socket_address()).await);
    drop(stranger.offered(host.socket_address(), "stranger").await);
    drop(stranger.offered(host.socket_address(), "stranger").await.share("0000").await.unwrap());
    let mut refused = stranger.offered(host.socket_address(), "stranger").await;
    refused.line.say(&ClientMessage::PinShare([0; 65])).await;
    assert_eq!(refused.line.hear().await, Err(Code::ProtocolError));
    assert_eq!(host.count_events("attempt"), 0);

    let couch = ClientInstall::new("couch");
    couch.run_when_let(&["pair", &host.address(), "--pin", &pin]).expect_success();
}

/// A guesser who learns from the answer to a broken confirmation, free of charge.
#[tokio::test(flavor = "multi_thread")]
async fn inv_11_whatever_comes_in_the_place_of_the_confirmation_burns_the_pin() {
    for message in [ClientMessage::PinAcknowledged, ClientMessage::CodeReveal([7; 32])] {
        let host = Host::serve().start();
        let pin = host.arm(&[]);
        let guesser = Attacker::new();
        let mut shared = guesser.offered(host.socket_address(), "guesser").await.share(&pin).await.unwrap();
        shared.line.say(&message).await;
        let Ok(HostMessage::Unavailable { code: Code::WrongPin, .. }) = shared.line.hear().await else {
            panic!("{message:?} was taken for something else than a wrong PIN");
        };
        assert_eq!(host.ctl(&["status"])["last_window"]["outcome"], "wrong_pin");
        let couch = ClientInstall::new("couch");
        couch.run(&["pair", &host.address(), "--pin", &pin]).expect_failure(12, "not_armed");
        assert!(host.devices().is_empty());
    }
}

/// A host that does not know the PIN sends back what the client sent, and is believed.
#[tokio::test(flavor = "multi_thread")]
async fn inv_07_a_client_refuses_its_own_share_and_its_own_confirmation() {
    let impostor = Impostor::start();
    let couch = ClientInstall::new("couch");
    let pairing = couch.spawn(&["pair", &impostor.address(), "--pin", "0417"]);
    let mut caught = impostor.client().await;
    let (_, p_a) = caught.share().await;
    caught.say(&HostMessage::PinShare(p_a)).await;
    assert_eq!(caught.hear().await, None, "the client goes on with its own share");
    pairing.finish().expect_failure(11, "wrong_pin");

    let pairing = couch.spawn(&["pair", &impostor.address(), "--pin", "0418"]);
    let mut caught = impostor.client().await;
    let (_, c_a) = caught.confirmation("9999").await;
    caught.say(&HostMessage::PinConfirmation(c_a)).await;
    pairing.finish().expect_failure(11, "wrong_pin");
    assert!(!couch.has_pin());
}

/// Somebody else's guess burns the window that the owner opened for one device.
#[test]
fn r4_a_window_for_one_device_is_out_of_reach_for_others() {
    let host = Host::serve().start();
    let [couch, stranger] = ["couch", "stranger"].map(ClientInstall::new);
    couch.connect(&host.address()).expect_failure(10, "pairing_required");
    let request = host.await_request("the couch's request", |request| request["name"] == "couch");

    let pin = host.arm(&["--for", &request["id"].to_string()]);
    for guess in [&pin, &another_pin(&pin)] {
        let refused = stranger.run(&["pair", &host.address(), "--pin", guess]);
        refused.expect_failure(13, "armed_for_another");
    }
    assert_eq!(host.count_events("attempt"), 0);
    couch.pair(&host.address(), &pin);

    let pin = host.arm(&["--for", &stranger.fingerprint()]);
    couch.run(&["pair", &host.address(), "--pin", &pin]).expect_failure(13, "armed_for_another");
    stranger.pair(&host.address(), &pin);
    assert_eq!(host.devices().len(), 2);
}

/// One machine takes all the places at which PINs are tried.
#[tokio::test(flavor = "multi_thread")]
async fn r4_one_address_tries_once_at_a_time() {
    let host = Host::serve().start();
    let pin = host.arm(&[]);
    let stranger = Attacker::new();
    let held = stranger.offered(host.socket_address(), "stranger").await;

    let neighbour = ClientInstall::new("neighbour");
    let refused = neighbour.run(&["pair", &host.address(), "--pin", &pin]);
    refused.expect_failure(14, "rate_limited");
    let elsewhere = Relay::start([127, 0, 0, 2], host.socket_address());
    neighbour.pair(&elsewhere.address(), &pin);
    drop(held);
}

/// A restart as a way to guess without waiting, or to find yesterday's PIN still open.
#[test]
fn inv_20_cool_downs_survive_a_restart_and_pins_do_not() {
    let host = Host::serve().start();
    let pin = host.arm(&[]);
    let guesser = ClientInstall::new("guesser");
    guesser.run(&["pair", &host.address(), "--pin", &another_pin(&pin)]).expect_failure(11, "wrong_pin");

    let host = host.killed_and_started_again();
    assert!(host.ctl(&["status"])["window"].is_null());
    let window = host.ctl(&["arm"]);
    assert!(window["opens_in_s"].as_u64() > Some(0), "{window}");
    let pin = window["pin"].as_str().unwrap();
    let early = ClientInstall::new("early");
    early.run(&["pair", &host.address(), "--pin", pin]).expect_failure(14, "rate_limited");

    let host = host.killed_and_started_again();
    let late = ClientInstall::new("late");
    late.run(&["pair", &host.address(), "--pin", pin]).expect_failure(12, "not_armed");
}

/// A window that the owner closed, or forgot, and that still lets somebody in.
#[test]
fn inv_18_a_closed_or_expired_window_pairs_nobody() {
    let host = Host::serve().start();
    let closed = host.arm(&[]);
    host.ctl(&["disarm"]);
    let late = ClientInstall::new("late");
    late.run(&["pair", &host.address(), "--pin", &closed]).expect_failure(12, "not_armed");

    let older = host.arm(&[]);
    host.arm(&["--ttl", "300"]);
    // The newer arming may have drawn the same digits, and then they are its PIN.
    if host.ctl(&["status"])["window"]["pin"] != older.as_str() {
        late.run(&["pair", &host.address(), "--pin", &older]).expect_failure(11, "wrong_pin");
    }

    let expired = host.arm(&["--ttl", "1", "--for", &late.fingerprint()]);
    pf_e2e::until("the window's end", || host.ctl(&["status"])["window"].is_null().then_some(()));
    assert_eq!(host.ctl(&["status"])["last_window"]["outcome"], "expired");
    let fresh = ClientInstall::new("fresh");
    fresh.run(&["pair", &host.address(), "--pin", &expired]).expect_failure(12, "not_armed");
    assert!(host.devices().is_empty());
}
