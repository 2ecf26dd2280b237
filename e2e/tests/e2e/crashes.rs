//! Programs that end at the worst moment.

use pf_base::Code;
use pf_e2e::{Attacker, ClientInstall, Host, Impostor, another_pin};
use pf_net::Plane;
use pf_proto::pair::HostMessage;

/// Where a host is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Armed,
    Offered,
    Shared,
    Confirming,
    Confirmed,
}

/// A crash that pairs half, that loses a device that was told *paired*, or that leaves a PIN to be tried again.
#[tokio::test(flavor = "multi_thread")]
async fn inv_17_a_host_killed_at_any_step_has_paired_or_has_not() {
    for step in [Step::Armed, Step::Offered, Step::Shared, Step::Confirming, Step::Confirmed] {
        let host = Host::serve().start();
        let pin = host.arm(&[]);
        let couch = Attacker::new();
        let mut has_heard = false;
        if step != Step::Armed {
            let offered = couch.offered(host.socket_address(), "couch").await;
            if step != Step::Offered {
                let mut shared = offered.share(&pin).await.unwrap();
                match step {
                    Step::Confirming => shared.confirm().await,
                    Step::Confirmed => {
                        shared.confirm().await;
                        has_heard = matches!(shared.line.hear().await, Ok(HostMessage::PinConfirmation(_)));
                        assert!(has_heard);
                    }
                    _ => {}
                }
            }
        }
        let host = host.killed_and_started_again();

        assert!(host.ctl(&["status"])["window"].is_null(), "{step:?}");
        let is_listed = host.devices().iter().any(|d| d["fingerprint"] == couch.fingerprint().hex());
        if step != Step::Confirming {
            assert_eq!(is_listed, has_heard, "{step:?}");
        }
        match couch.enter(host.socket_address()).await {
            Ok(_) => assert!(is_listed, "{step:?}"),
            Err(code) => assert!(!is_listed && code == Code::PairingRequired, "{step:?}: {code:?}"),
        }
        assert_eq!(host.count_events("paired"), usize::from(is_listed), "{step:?}: the log says so, too");
        let late = ClientInstall::new("late");
        late.run(&["pair", &host.address(), "--pin", &pin]).expect_failure(12, "not_armed");
        let pin = host.arm(&["--for", &late.fingerprint()]);
        late.pair(&host.address(), &pin);
    }
}

/// A client that is killed and forgets that it offered a PIN, or that has half a pin.
#[tokio::test(flavor = "multi_thread")]
async fn inv_13_a_client_killed_at_any_step_knows_which_pin_it_offered() {
    let impostor = Impostor::start();
    for step in [Step::Offered, Step::Shared, Step::Confirming] {
        let couch = ClientInstall::new("couch");
        let mut pairing = couch.spawn(&["pair", &impostor.address(), "--pin", "0417"]);
        let mut caught = impostor.client().await;
        match step {
            Step::Shared => drop(caught.share().await),
            Step::Confirming => drop(caught.confirmation("0418").await),
            _ => {}
        }
        pairing.kill9();

        assert!(!couch.has_pin(), "{step:?}");
        let again = couch.spawn(&["pair", &impostor.address(), "--pin", "0417"]);
        let mut caught = impostor.client().await;
        if step == Step::Offered {
            // It had sent nothing that depends on the PIN.
            drop(caught.share().await);
        } else {
            let offer =
                HostMessage::PinOffer { greeting: pf_e2e::greeting(), digits: pf_base::PinDigits::DEFAULT };
            caught.say(&offer).await;
            assert_eq!(caught.hear().await, None, "{step:?}: the PIN is offered again");
            let error = again.finish().expect_failure(11, "wrong_pin");
            assert!(error["message"].as_str().unwrap().contains("offered from here before"), "{error}");
        }
    }
}

/// A client that dies in the middle of a session keeps its place for ever, or cannot come back.
#[test]
fn a_client_killed_while_it_streams_can_come_back() {
    let host = Host::m3().start();
    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.pin());
    let mut watching = couch.spawn(&["connect", &host.address(), "--headless", "--seconds", "600"]);
    host.await_session_of(&couch.fingerprint());
    watching.kill9();
    couch.expect_pictures(&host.address());
    pf_e2e::until("the dead session's end", || host.sessions().is_empty().then_some(()));
}

/// A host that is stopped for an update leaves its clients guessing, or its socket lying about.
#[test]
fn a_host_that_is_stopped_says_so_and_leaves_nothing_behind() {
    let mut host = Host::m3().start();
    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.pin());
    let watching = couch.spawn(&["connect", &host.address(), "--headless", "--seconds", "600"]);
    host.await_session_of(&couch.fingerprint());
    host.terminate();
    watching.finish().expect_failure(25, "ended");
    assert!(!host.data_dir().join("ctl.sock").exists());

    let host = host.into_setup().start();
    couch.expect_pictures(&host.address());
    assert_eq!(host.devices()[0]["connected"], false);
}

/// A host that is gone without a word: the client must notice by itself.
#[test]
fn a_client_notices_that_its_host_was_killed() {
    let mut host = Host::m3().start();
    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.pin());
    let watching = couch.spawn(&["connect", &host.address(), "--headless", "--seconds", "600"]);
    host.await_session_of(&couch.fingerprint());
    host.kill9();
    watching.finish().expect_failure(3, "unreachable");
    let host = host.into_setup().start();
    couch.expect_pictures(&host.address());
}

/// Strangers whose connections stay half open must not be in the way of the next start.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_stops_while_strangers_hold_on_to_it() {
    let mut host = Host::serve().start();
    let pin = host.arm(&[]);
    let stranger = Attacker::new();
    let silent = stranger.dial(host.socket_address(), Plane::Pairing).await;
    let shared =
        stranger.offered(host.socket_address(), "stranger").await.share(&another_pin(&pin)).await.unwrap();
    host.terminate();
    drop((silent, shared));
    host.into_setup().start();
}
