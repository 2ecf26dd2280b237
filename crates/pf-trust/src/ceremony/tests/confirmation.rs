//! Nobody is trusted before the right MAC: forged, cut, flipped and reflected ones.

use super::*;

const PIN: &str = "0417";

fn run() -> AfterShares {
    let view = View::honest();
    up_to_m5((&view, PIN), (&view, PIN))
}

/// The two MACs of [`run`].
fn macs() -> [[u8; MAC_BYTES]; 2] {
    let AfterShares { host, c_a, .. } = run();
    [c_a, host.evaluate(taken(), &c_a).unwrap().1]
}

/// Everything that is near a right MAC, or that an attacker has without knowing the PIN.
fn wrong(right: [u8; MAC_BYTES], other: [u8; MAC_BYTES]) -> Vec<(String, Vec<u8>)> {
    let flipped = (0..8 * MAC_BYTES).map(|bit| {
        let mut mac = right.to_vec();
        mac[bit / 8] ^= 1 << (bit % 8);
        (format!("bit {bit} flipped"), mac)
    });
    let cut = (0..MAC_BYTES).map(|length| (format!("{length} bytes"), right[..length].to_vec()));
    let rest = [
        ("a byte more".to_owned(), [right.as_slice(), &[0]].concat()),
        ("twice".to_owned(), [right, right].concat()),
        ("reversed".to_owned(), right.iter().rev().copied().collect()),
        ("zeros".to_owned(), vec![0; MAC_BYTES]),
        ("made up".to_owned(), random("made up")[..MAC_BYTES].to_vec()),
        ("the other side's".to_owned(), other.to_vec()),
    ];
    flipped.chain(cut).chain(rest).collect()
}

/// A guesser sends something else than cA: the host has no peer to store, and cB does not leave it.
#[test]
fn inv_14_the_host_confirms_only_for_a_right_c_a() {
    let [c_a, c_b] = macs();
    for (what, mac) in wrong(c_a, c_b) {
        assert_eq!(run().host.evaluate(taken(), &mac), Err(Mismatch), "{what}");
    }
    assert!(run().host.evaluate(taken(), &c_a).is_ok());
}

/// An impostor answers without knowing the PIN: the client has no peer to pin.
#[test]
fn inv_14_the_client_pins_only_for_a_right_c_b() {
    let [c_a, c_b] = macs();
    for (what, mac) in wrong(c_b, c_a) {
        assert_eq!(run().client.verify(&mac), Err(Mismatch), "{what}");
    }
    assert!(run().client.verify(&c_b).is_ok());
}

/// An impostor sends back what the client just proved itself with.
#[test]
fn inv_07_a_reflected_c_a_is_refused() {
    let AfterShares { client, c_a, .. } = run();
    assert_eq!(client.verify(&c_a), Err(Mismatch));
}
