//! The check code: equal between two machines that talk to each other, and out of reach for one in between.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::convert::Infallible;

use pf_base::{CheckCode, Fingerprint};
use pf_trust::{
    ceremony::Channel,
    check_code::{ClientAsk, ClientAwaitNonce, HostAsk, NONCE_BYTES, Nonce, NotAsCommitted},
};
use sha2::{Digest, Sha256};

fn bytes(label: &str, run: u32) -> [u8; 32] {
    Sha256::new().chain_update(label).chain_update(run.to_be_bytes()).finalize().into()
}

fn nonce(bytes: [u8; NONCE_BYTES]) -> Nonce {
    Nonce::draw(|out| {
        out.copy_from_slice(&bytes);
        Ok::<_, Infallible>(())
    })
    .unwrap()
}

fn key(whose: &str) -> Fingerprint {
    Fingerprint::of_spki(whose.as_bytes())
}

/// Both ends of one connection: the client's first.
fn connection(client: &str, host: &str, exporter: [u8; 32]) -> [Channel; 2] {
    [(client, host), (host, client)]
        .map(|(own, peer)| Channel::new(key(own), key(peer), b"punktfunk-pair/1", exporter).unwrap())
}

/// The codes that the two ends of one connection show.
fn codes([client, host]: [Channel; 2], client_nonce: [u8; 32], host_nonce: [u8; 32]) -> [CheckCode; 2] {
    let (client, commitment) = ClientAsk::new(client).commit(nonce(client_nonce));
    let (host, host_nonce) = HostAsk::new(host).answer(commitment, nonce(host_nonce));
    let (client_nonce, shown_by_client) = client.reveal(host_nonce);
    [shown_by_client, host.check(client_nonce).unwrap()]
}

/// A person who compares needs the same six digits, every time.
#[test]
fn r5_both_sides_show_the_same_code() {
    for run in 0..1000 {
        let ends = connection("client", "host", bytes("exporter", run));
        let [client, host] = codes(ends, bytes("nC", run), bytes("nH", run));
        assert_eq!(client, host, "run {run}");
    }
}

/// A code with favourites is one that a machine in the middle hits more often.
#[test]
fn r5_codes_are_spread_over_all_six_digits() {
    let mut by_first_digit = [0_u32; 10];
    for run in 0..10_000 {
        let ends = connection("client", "host", bytes("exporter", run));
        let code = codes(ends, bytes("nC", run), bytes("nH", run))[0].to_string();
        by_first_digit[usize::from(code.as_bytes()[0] - b'0')] += 1;
    }
    // 1000 each; the standard deviation is 30.
    assert!(by_first_digit.iter().all(|times| (850..1150).contains(times)), "{by_first_digit:?}");
}

/// A machine in the middle passes both nonces on: its two connections have other exporters and keys.
#[test]
fn inv_47_the_code_differs_under_a_machine_in_the_middle() {
    for run in 0..10_000 {
        let towards_client = connection("client", "middle", bytes("client leg", run));
        let towards_host = connection("middle", "host", bytes("host leg", run));
        let (client_nonce, host_nonce) = (bytes("nC", run), bytes("nH", run));
        let [shown_by_client, _] = codes(towards_client, client_nonce, host_nonce);
        let [_, shown_by_host] = codes(towards_host, client_nonce, host_nonce);
        assert_ne!(shown_by_client, shown_by_host, "run {run}");
    }
}

/// Each thing that the code is made of matters by itself.
#[test]
fn inv_47_the_code_depends_on_keys_roles_exporter_and_nonces() {
    let (exporter, client, host) = (bytes("exporter", 0), bytes("nC", 0), bytes("nH", 0));
    let another = bytes("another", 0);
    let honest = codes(connection("client", "host", exporter), client, host)[0];
    for (what, other) in [
        ("exporter", codes(connection("client", "host", another), client, host)),
        ("client's key", codes(connection("middle", "host", exporter), client, host)),
        ("host's key", codes(connection("client", "middle", exporter), client, host)),
        ("roles", codes(connection("host", "client", exporter), client, host)),
        ("client's nonce", codes(connection("client", "host", exporter), another, host)),
        ("host's nonce", codes(connection("client", "host", exporter), client, another)),
        ("nonces exchanged", codes(connection("client", "host", exporter), host, client)),
    ] {
        assert_ne!(honest, other[0], "{what}");
    }
}

/// A machine in the middle that is done with the client searches for a nonce that makes the host show the client's
/// code. Searching is easy (shown here for the last three digits); the commitment is what forbids to use the find.
#[test]
fn inv_47_a_nonce_found_after_the_commitment_is_refused() {
    let [towards_client, as_host] = connection("client", "middle", bytes("client leg", 0));
    let [as_client, towards_host] = connection("middle", "host", bytes("host leg", 0));

    // It commits towards the host first and gets nH; only then can it finish with the client.
    let (_, committed) = ClientAsk::new(as_client.clone()).commit(nonce(bytes("committed", 0)));
    let (host, host_nonce) = HostAsk::new(towards_host).answer(committed, nonce(bytes("nH", 0)));
    let (client, client_commitment) = ClientAsk::new(towards_client).commit(nonce(bytes("nC", 0)));
    let (_, passed_on) = HostAsk::new(as_host).answer(client_commitment, nonce(host_nonce));
    let (_, shown_by_client) = client.reveal(passed_on);

    let code_with = |candidate: [u8; 32]| {
        ClientAsk::new(as_client.clone()).commit(nonce(candidate)).0.reveal(host_nonce).1
    };
    let last_three = |code: CheckCode| code.to_string()[3..].to_owned();
    let found = (0..100_000)
        .map(|candidate| bytes("candidate", candidate))
        .find(|&candidate| last_three(code_with(candidate)) == last_three(shown_by_client))
        .expect("one in a thousand fits");
    assert_eq!(host.check(found), Err(NotAsCommitted));
}

/// Any other opening than the one that was committed to, however near.
#[test]
fn inv_47_only_the_committed_nonce_opens_the_commitment() {
    let committed = bytes("nC", 0);
    let ask = || {
        let [client, host] = connection("client", "host", bytes("exporter", 0));
        let (_, commitment) = ClientAsk::new(client).commit(nonce(committed));
        HostAsk::new(host).answer(commitment, nonce(bytes("nH", 0)))
    };
    for bit in 0..8 * NONCE_BYTES {
        let mut other = committed;
        other[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(ask().0.check(other), Err(NotAsCommitted), "bit {bit}");
    }
    let (host, host_nonce) = ask();
    assert_eq!(host.check(host_nonce), Err(NotAsCommitted), "our own nonce, reflected");
    assert!(ask().0.check(committed).is_ok());
}

/// A commitment is good on the connection's own two keys alone: one that is passed on from another leg cannot be opened.
#[test]
fn inv_47_a_commitment_passed_on_cannot_be_opened() {
    let [client, _] = connection("client", "middle", bytes("client leg", 0));
    let [_, host] = connection("middle", "host", bytes("host leg", 0));
    let (_, commitment) = ClientAsk::new(client).commit(nonce(bytes("nC", 0)));
    let (host, _) = HostAsk::new(host).answer(commitment, nonce(bytes("nH", 0)));
    assert_eq!(host.check(bytes("nC", 0)), Err(NotAsCommitted));
}

/// The nonce comes out of one call, which takes the host's nonce and the state itself: never earlier, never twice.
#[test]
fn inv_47_the_nonce_is_revealed_only_after_the_hosts() {
    let reveal: fn(ClientAwaitNonce, [u8; NONCE_BYTES]) -> ([u8; NONCE_BYTES], CheckCode) =
        ClientAwaitNonce::reveal;
    let [client, _] = connection("client", "host", bytes("exporter", 0));
    let (client, commitment) = ClientAsk::new(client).commit(nonce(bytes("nC", 0)));
    assert_ne!(commitment, bytes("nC", 0));
    let shown = format!("{client:?}");
    assert!(!shown.contains(&format!("{:?}", &bytes("nC", 0)[..3]).replace(['[', ']'], "")), "{shown}");
    assert_eq!(reveal(client, bytes("nH", 0)).0, bytes("nC", 0));
}
