//! Both roles against each other, and what a machine in the middle, a guesser and a thief get out of it.
//!
//! These stand inside the crate because they hand out [`PinTaken`] themselves, which nobody outside can.

mod binding;
mod confirmation;
mod shares;

use std::convert::Infallible;

use pf_base::{DeviceName, Fingerprint, Pin};
use sha2::{Digest, Sha512};

use super::*;
use crate::proof::{ConfirmedPeer, PinTaken};

/// Everything that one side sees of a connection and of what went over it before the shares.
#[derive(Clone, Debug)]
struct View {
    client: Fingerprint,
    host: Fingerprint,
    alpn: Vec<u8>,
    exporter: [u8; 32],
    m1: Vec<u8>,
    m2: Vec<u8>,
}

impl View {
    /// What both see when nobody is in between.
    fn honest() -> Self {
        Self {
            client: key("client"),
            host: key("host"),
            alpn: b"punktfunk-pair/1".to_vec(),
            exporter: random("exporter")[..32].try_into().unwrap(),
            m1: b"\x0d\x00\x00\x00versions, deck".to_vec(),
            m2: b"\x12\x00\x00\x00version, tower, 4".to_vec(),
        }
    }

    fn before(&self) -> BeforeShares {
        BeforeShares::of(&self.m1, &self.m2)
    }

    fn client(&self) -> ClientCeremony {
        let channel = Channel::new(self.client, self.host, &self.alpn, self.exporter).unwrap();
        ClientCeremony::new(channel, DeviceName::sanitise("tower"), self.before())
    }

    fn host(&self) -> HostCeremony {
        let channel = Channel::new(self.host, self.client, &self.alpn, self.exporter).unwrap();
        HostCeremony::new(channel, DeviceName::sanitise("deck"), self.before())
    }
}

fn key(whose: &str) -> Fingerprint {
    Fingerprint::of_spki(whose.as_bytes())
}

fn random(label: &str) -> [u8; 64] {
    Sha512::digest(label).into()
}

fn entropy(label: &str) -> Entropy {
    Entropy::draw(|bytes| {
        bytes.copy_from_slice(&random(label));
        Ok::<_, Infallible>(())
    })
    .unwrap()
}

fn pin(digits: &str) -> Pin {
    Pin::parse(digits).unwrap()
}

fn taken() -> PinTaken {
    PinTaken::new(1)
}

/// A client after M5 and a host before it evaluates, whose shares were passed on unchanged.
struct AfterShares {
    client: ClientAwaitVerdict,
    host: HostAwaitConfirm,
    c_a: [u8; MAC_BYTES],
}

/// The same scalars every time, so that runs differ in what the test makes differ and in nothing else.
fn up_to_m5(client: (&View, &str), host: (&View, &str)) -> AfterShares {
    let (await_share, p_a) = client.0.client().share(pin(client.1), entropy("x"));
    let (host, p_b) = host.0.host().share(&pin(host.1), &p_a, entropy("y")).unwrap();
    let (client, c_a) = await_share.confirm(&p_b).unwrap();
    AfterShares { client, host, c_a }
}

/// A client and a host that differ in what they see, or in the PIN: the host refuses the client, and the client
/// refuses even the cB that this host gives to a client that sees what it sees.
#[track_caller]
fn neither_is_confirmed(client: (&View, &str), host: (&View, &str), what: &str) {
    let apart = up_to_m5(client, host);
    assert_eq!(apart.host.evaluate(taken(), &apart.c_a), Err(Mismatch), "the host stores nobody: {what}");

    let agreed = up_to_m5(host, host);
    let (_, c_b) = agreed.host.evaluate(taken(), &agreed.c_a).expect("the host's view holds together");
    assert_eq!(apart.client.verify(&c_b), Err(Mismatch), "the client pins nobody: {what}");
}

#[test]
fn both_sides_confirm_each_other_by_key_and_name() {
    let view = View::honest();
    let AfterShares { client, host, c_a } = up_to_m5((&view, "0417"), (&view, "0417"));
    let (stored, c_b) = host.evaluate(taken(), &c_a).unwrap();
    assert_eq!(stored, ConfirmedPeer::new(key("client"), DeviceName::sanitise("deck")));
    let pinned = client.verify(&c_b).unwrap();
    assert_eq!(pinned, ConfirmedPeer::new(key("host"), DeviceName::sanitise("tower")));
}

/// A guess; also one that only a comparison as numbers would take for right.
#[test]
fn r4_a_wrong_pin_confirms_neither_side() {
    let view = View::honest();
    for (typed, shown) in [("0418", "0417"), ("00417", "0417"), ("0417", "04170"), ("1417", "0417")] {
        neither_is_confirmed((&view, typed), (&view, shown), typed);
    }
}

/// A PIN that is offered twice gives an impostor two guesses at it.
#[test]
fn inv_13_the_typed_pin_is_moved_into_its_share() {
    let share: fn(ClientCeremony, Pin, Entropy) -> (ClientAwaitShare, [u8; SHARE_BYTES]) =
        ClientCeremony::share;
    let (_, p_a) = share(View::honest().client(), pin("0417"), entropy("x"));
    assert_eq!(p_a.len(), SHARE_BYTES);
}

/// A log line that shows a step of the ceremony must not show what it works with.
#[test]
fn inv_06_debug_shows_neither_pin_nor_exporter_nor_mac() {
    let view = View { exporter: [0xab; 32], ..View::honest() };
    let shown = [format!("{:?} {:?}", view.client(), view.host())];
    let AfterShares { client, host, c_a } = up_to_m5((&view, "9876543210"), (&view, "9876543210"));
    let shown = [shown.concat(), format!("{client:?} {host:?}")].concat();
    assert!(!shown.contains("9876") && !shown.contains("57, 56, 55"), "PIN in {shown}");
    assert!(!shown.contains("171, 171") && !shown.to_lowercase().contains("abab"), "exporter in {shown}");
    assert!(!shown.contains(&format!("{:?}", &c_a[..4]).replace(['[', ']'], "")), "MAC in {shown}");
}
