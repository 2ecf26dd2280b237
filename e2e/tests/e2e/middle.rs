//! A machine in the middle: it ends TLS on both sides, and passes everything on.

use pf_e2e::{Attacker, ClientInstall, Host, Impostor};
use pf_proto::pair::{ClientMessage, HelloPurpose, HostMessage};
use pf_trust::check_code::{HostAsk, Nonce};

/// The person types the right PIN, and every message reaches the other side as it was sent.
#[tokio::test(flavor = "multi_thread")]
async fn inv_15_a_machine_in_the_middle_gains_nothing_from_the_right_pin() {
    let host = Host::serve().start();
    let pin = host.arm(&[]);
    let (middle, towards_host) = (Impostor::start(), Attacker::new());
    let couch = ClientInstall::new("couch");
    let pairing = couch.spawn(&["pair", &middle.address(), "--pin", &pin]);

    let mut client = middle.client().await;
    let mut line = towards_host.open(host.socket_address()).await;
    let mut passed_on = 0;
    line.say(&client.first).await;
    while let Ok(message) = line.hear().await {
        client.say(&message).await;
        passed_on += 1;
        let Some(message) = client.hear().await else { break };
        line.say(&message).await;
    }
    assert_eq!(passed_on, 3, "an offer, a share, and a refusal went through");
    pairing.finish().expect_failure(11, "wrong_pin");
    assert!(!couch.has_pin());
    assert!(host.devices().is_empty());
    assert_eq!(host.ctl(&["status"])["last_window"]["outcome"], "wrong_pin");
}

/// The one in the middle answers the client by itself, and so needs the PIN that only the host and the person know.
#[tokio::test(flavor = "multi_thread")]
async fn inv_14_a_client_pins_nobody_who_does_not_know_the_pin() {
    let impostor = Impostor::start();
    let couch = ClientInstall::new("couch");
    let pairing = couch.spawn(&["pair", &impostor.address(), "--pin", "0417"]);
    let mut caught = impostor.client().await;
    let (_, _) = caught.confirmation("0418").await;
    caught.say(&HostMessage::PinConfirmation([0; 32])).await;
    pairing.finish().expect_failure(11, "wrong_pin");
    assert!(!couch.has_pin());
}

/// The owner approves what looks like their own device, and is somebody in between.
#[tokio::test(flavor = "multi_thread")]
async fn inv_47_a_machine_in_the_middle_shows_the_two_people_different_codes() {
    let host = Host::serve().start();
    let (middle, towards_host) = (Impostor::start(), Attacker::new());
    let couch = ClientInstall::new("couch");
    let asking = couch.spawn(&["request", &middle.address()]);

    let mut client = middle.client().await;
    let ClientMessage::Hello(hello) = client.first.clone() else { panic!("no hello: {:?}", client.first) };
    let HelloPurpose::Ask { commitment } = hello.purpose else { panic!("not asking: {hello:?}") };
    let (_line, code_of_middle) = towards_host.ask(host.socket_address(), "couch").await.unwrap();

    let nonce = Nonce::draw(getrandom::fill).unwrap();
    let (waiting, nonce) = HostAsk::new(client.channel()).answer(commitment, nonce);
    client.say(&HostMessage::CodeNonce { greeting: pf_e2e::greeting(), nonce }).await;
    let Some(ClientMessage::CodeReveal(revealed)) = client.hear().await else { panic!("no nonce") };
    let code_of_couch = waiting.check(revealed).unwrap().to_string();
    client.say(&HostMessage::RequestParked { request: 1 }).await;

    let shown = asking.hear_stderr("the check code", crate::requests::check_code);
    assert_eq!(shown, code_of_couch);
    let request = host.await_request("the request", |request| request["waiting"] == true);
    assert_eq!(request["check_code"], code_of_middle);
    assert_ne!(request["check_code"], shown.as_str(), "one in a million, or no protection at all");
}

/// The one in the middle passes the exchange on as it is, so that both sides would come to one code.
#[tokio::test(flavor = "multi_thread")]
async fn inv_47_an_exchange_that_is_passed_on_ends_in_no_code() {
    let host = Host::serve().start();
    let (middle, towards_host) = (Impostor::start(), Attacker::new());
    let couch = ClientInstall::new("couch");
    let asking = couch.spawn(&["request", &middle.address()]);

    let mut client = middle.client().await;
    let mut line = towards_host.open(host.socket_address()).await;
    line.say(&client.first).await;
    let nonce = line.hear().await.unwrap();
    client.say(&nonce).await;
    let revealed = client.hear().await.unwrap();
    line.say(&revealed).await;
    assert_eq!(line.hear().await, Err(pf_base::Code::ProtocolError), "the commitment was to other ends");
    drop(client);
    assert_ne!(asking.finish().exit, 0);
    assert!(host.requests().iter().all(|request| request["waiting"] == false));
    assert!(!couch.has_pin());
}
