//! What a client does with the hosts that it knows: rename, wake, forget.

use std::{fs, net::UdpSocket, time::Duration};

use pf_e2e::{ClientInstall, Host};
use serde_json::{Value, json};

/// What the client knows of its one host.
fn known(couch: &ClientInstall) -> Value {
    let [host] = <[Value; 1]>::try_from(couch.hosts()).unwrap();
    host
}

/// A name that was given is lost at the next handshake, or the host cannot be reached by it.
#[test]
fn a_renamed_host_keeps_the_name_that_its_person_gave_it() {
    let host = Host::m3().start();
    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.pin());
    let renamed = couch.run(&["rename", "desk", "Arbeitszimmer"]).expect_success();
    assert_eq!((&renamed["name"], &renamed["name_before"]), (&json!("Arbeitszimmer"), &json!("desk")));
    assert_eq!(renamed["fingerprint"], host.fingerprint());

    couch.expect_pictures("arbeitszimmer");
    couch.expect_pictures(&host.address());
    let after = known(&couch);
    assert_eq!((&after["name"], &after["own_name"]), (&json!("Arbeitszimmer"), &json!("desk")));

    couch.run(&["rename", host.fingerprint(), "attic"]).expect_success();
    assert_eq!(known(&couch)["name"], "attic");
    couch.run(&["rename", "nowhere", "attic"]).expect_failure(3, "unreachable");
    couch.run(&["rename", "attic", "\u{200b}"]).expect_failure(2, "usage");
}

/// Packets for machines that nobody asked for are sent, or none for the one that was.
#[test]
fn a_host_is_woken_by_what_it_told_in_a_session_and_only_while_it_is_pinned() {
    let host = Host::m3().start();
    let couch = ClientInstall::new("couch");
    let listener = UdpSocket::bind("127.0.0.1:0").unwrap();
    listener.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let to = listener.local_addr().unwrap().to_string();
    let wake = |couch: &ClientInstall| couch.run(&["wake", "desk", "--to", &to]);

    couch.pair(&host.address(), &host.pin());
    assert_eq!(known(&couch)["hardware_addresses"], json!([]), "pairing tells nothing of it");
    wake(&couch).expect_failure(3, "unreachable");
    couch.expect_pictures(&host.address());

    let told = known(&couch)["hardware_addresses"].as_array().unwrap().clone();
    if told.is_empty() {
        let interfaces = fs::read_dir("/sys/class/net").unwrap();
        let real = interfaces.filter(|entry| entry.as_ref().unwrap().path().join("device").exists());
        assert_eq!(real.count(), 0, "this machine has a network card, and does not tell its address");
        return;
    }
    let woken = wake(&couch).expect_success();
    assert_eq!((&woken["hardware_addresses"], &woken["sent_to"]), (&json!(told), &json!([to])));
    let mut heard = Vec::new();
    for _ in &told {
        let mut packet = [0; 200];
        let (length, from) = listener.recv_from(&mut packet).unwrap();
        assert!(from.ip().is_loopback());
        assert_eq!((length, &packet[..6]), (102, &[0xff; 6][..]));
        let address: Vec<_> = packet[6..12].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(packet[6..102], packet[6..12].repeat(16));
        heard.push(json!(address.join(":")));
    }
    assert_eq!(heard, told);

    couch.run(&["forget", "desk"]).expect_success();
    assert_eq!(known(&couch)["hardware_addresses"], json!([]));
    wake(&couch).expect_failure(3, "unreachable");
}
