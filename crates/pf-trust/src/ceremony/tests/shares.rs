//! What the two sides take for a share, and what they can tell from it.

use super::*;

const PIN: &str = "0417";

fn honest_p_a() -> [u8; SHARE_BYTES] {
    View::honest().client().share(pin(PIN), entropy("x")).1
}

/// x = 0: the share is w'·M alone, and the guess w' all that is in it.
fn share_of_m_alone(guess: &str) -> [u8; SHARE_BYTES] {
    let zero = Entropy::draw(|_| Ok::<_, Infallible>(())).unwrap();
    View::honest().client().share(pin(guess), zero).1
}

fn bad_shares() -> Vec<Vec<u8>> {
    let good = honest_p_a();
    let tags = [0, 2, 3, 5, 6, 7].map(|tag| [&[tag], &good[1..]].concat());
    let off_curve = [&good[..64], &[good[64] ^ 1]].concat();
    let above_p = [&good[..1], &[0xff; 32], &good[33..]].concat();
    let lengths = [vec![], vec![0], good[..64].to_vec(), [good.as_slice(), &[0]].concat()];
    tags.into_iter().chain([off_curve, above_p]).chain(lengths).collect()
}

/// Malformed shares end the ceremony where they come in; at the host that is before the PIN is taken.
#[test]
fn inv_04_both_roles_refuse_what_is_no_share() {
    for bad in bad_shares() {
        let host = View::honest().host().share(&pin(PIN), &bad, entropy("y"));
        assert_eq!(host.err(), Some(ShareRefused), "{bad:02x?}");
        let (client, _) = View::honest().client().share(pin(PIN), entropy("x"));
        assert_eq!(client.confirm(&bad).err(), Some(ShareRefused), "{bad:02x?}");
    }
}

/// A guesser whose K is neutral exactly when his guess is right looks for any difference before the PIN is taken. There
/// is none: same answer, same length, and afterwards the same mismatch.
#[test]
fn inv_05_a_share_of_m_alone_behaves_alike_for_a_right_and_a_wrong_guess() {
    let answers = [PIN, "9999"].map(|guess| {
        let p_a = share_of_m_alone(guess);
        let answer =
            || View::honest().host().share(&pin(PIN), &p_a, entropy("y")).expect("a share like any other");
        for c_a in [[0; MAC_BYTES], random("made up")[..32].try_into().unwrap()] {
            assert_eq!(answer().0.evaluate(taken(), &c_a), Err(Mismatch), "guess {guess}");
        }
        answer().1
    });
    assert_eq!(answers[0], answers[1], "pB does not depend on pA");
}

/// The client, too, ends with the same error for a neutral K as for any share that is none.
#[test]
fn inv_05_a_share_of_n_alone_is_refused_by_the_client() {
    let zero = Entropy::draw(|_| Ok::<_, Infallible>(())).unwrap();
    let (_, w_n) = View::honest().host().share(&pin(PIN), &honest_p_a(), zero).unwrap();
    let (client, _) = View::honest().client().share(pin(PIN), entropy("x"));
    assert_eq!(client.confirm(&w_n).err(), Some(ShareRefused));
}

/// A pB that came back for the same PIN would let a client that leaves after M4 compare windows.
#[test]
fn r4_p_b_is_blinded_afresh_every_time() {
    let p_a = honest_p_a();
    let of = |y: &str| View::honest().host().share(&pin(PIN), &p_a, entropy(y)).unwrap().1;
    assert_ne!(of("y"), of("another y"));
}

/// An impostor that knows nothing sends back the client's own share.
#[test]
fn inv_07_a_reflected_p_a_is_refused() {
    let (client, p_a) = View::honest().client().share(pin(PIN), entropy("x"));
    assert_eq!(client.confirm(&p_a).err(), Some(ShareRefused));
}

/// A peer with our own key is our reflection, or holds our secret: neither is somebody to pair with.
#[test]
fn inv_07_the_own_fingerprint_is_refused() {
    let channel = Channel::new(key("one"), key("one"), b"punktfunk-pair/1", [0; 32]);
    assert_eq!(channel.err(), Some(SameFingerprint));
}
