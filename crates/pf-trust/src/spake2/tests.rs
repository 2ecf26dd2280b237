//! What only this module can see: that its secrets are wiped, hidden, and never twice the same.

use std::{collections::HashSet, convert::Infallible};

use sha2::{Digest, Sha512};

use super::*;

fn entropy(number: u64) -> Entropy {
    Entropy::draw(|bytes| {
        bytes.copy_from_slice(&Sha512::digest(number.to_be_bytes()));
        Ok::<_, Infallible>(())
    })
    .unwrap()
}

fn context() -> Context {
    Context { a: b"a".to_vec(), b: b"b".to_vec(), aad: b"aad".to_vec() }
}

fn password() -> Password {
    Password::from_wide(&[0x5a; 48])
}

/// Two shares of one x differ by a known multiple of M, which a guess can be checked against offline.
#[test]
fn inv_06_x_and_y_never_repeat() {
    let mut scalars = HashSet::new();
    let mut shares = HashSet::new();
    for run in 0..500 {
        let (a, p_a) = PartyA::start(context(), password(), entropy(2 * run));
        let (b, p_b) = PartyB::start(context(), password(), entropy(2 * run + 1));
        assert!(scalars.insert(a.x.to_bytes()) && scalars.insert(b.y.to_bytes()), "run {run}");
        assert!(shares.insert(*p_a.as_bytes()) && shares.insert(*p_b.as_bytes()), "run {run}");
    }
}

/// A PIN or a key that reached a log is known to whoever reads the log.
#[test]
fn inv_06_debug_shows_no_secret() {
    let (a, p_a) = PartyA::start(context(), password(), entropy(1));
    let (b, p_b) = PartyB::start(context(), password(), entropy(2));
    let shown = format!("{:?} {:?} {:?} {a:?} {b:?}", context(), password(), entropy(1));
    assert_eq!(shown, "Context(…) Password(…) Entropy(…) PartyA(…) PartyB(…)");
    let (a, _) = a.finish(&p_b).unwrap();
    assert_eq!(format!("{a:?} {:?}", b.finish(&p_a).unwrap()), "ConfirmA(…) ConfirmB(…)");
}

/// Memory that is not wiped can be read later: from a core dump, a swap file, another bug.
#[test]
fn inv_06_wiping_leaves_no_secret() {
    fn wiped_on_drop<T: ZeroizeOnDrop>() {}
    wiped_on_drop::<Context>();
    wiped_on_drop::<Password>();
    wiped_on_drop::<Entropy>();
    wiped_on_drop::<PartyA>();
    wiped_on_drop::<PartyB>();
    wiped_on_drop::<ConfirmA>();
    wiped_on_drop::<ConfirmB>();
    wiped_on_drop::<Confirmations>();

    let mut random = entropy(1);
    random.zeroize();
    assert_eq!(random.0, [0; 64]);

    let (mut a, p_a) = PartyA::start(context(), password(), entropy(1));
    let (mut b, p_b) = PartyB::start(context(), password(), entropy(2));
    let (mut confirm_a, _) = PartyA::start(context(), password(), entropy(1)).0.finish(&p_b).unwrap();
    let mut confirm_b = PartyB::start(context(), password(), entropy(2)).0.finish(&p_a).unwrap();
    assert_ne!((a.x, b.y), (Scalar::ZERO, Scalar::ZERO));

    a.zeroize();
    b.zeroize();
    confirm_a.zeroize();
    confirm_b.zeroize();
    assert_eq!([a.x, a.password.0, b.y, b.password.0], [Scalar::ZERO; 4]);
    assert!([&a.context, &b.context].iter().all(|c| c.a.is_empty() && c.b.is_empty() && c.aad.is_empty()));
    assert_eq!([confirm_a.expected, confirm_b.expected, confirm_b.own], [[0; MAC_BYTES]; 3]);
}

/// A share w'·M makes K neutral for the right w' alone: nothing may differ before K is computed, and then nobody who
/// sent one may be confirmed, whatever it takes the neutral element's encoding to be.
#[test]
fn inv_05_a_share_of_m_alone_is_a_mismatch_at_evaluation() {
    for guess in [password(), Password::from_wide(&[0xa5; 48])] {
        let right = guess.0 == password().0;
        let share = Share::parse(Share::of(&(m() * guess.0)).as_bytes()).expect("a share like any other");
        let (b, p_b) = PartyB::start(context(), password(), entropy(7));

        // What an attacker who hopes for a neutral K would send: the MAC over the two ways to write it down.
        for neutral in [[0; SHARE_BYTES], *Share::of(&ProjectivePoint::IDENTITY).as_bytes()] {
            let tt = transcript(&context(), &share, &p_b, &neutral, &guess.0);
            let c_a = confirmations(&tt, &context().aad).a;
            let (b, _) = PartyB::start(context(), password(), entropy(7));
            assert_eq!(b.finish(&share).and_then(|b| b.verify(&c_a)), Err(Mismatch), "right guess: {right}");
        }
        assert_eq!(b.finish(&share).is_err(), right, "K is neutral for the right guess alone");
    }
}

/// The same from the other side: a host that sends w'·N.
#[test]
fn inv_05_a_share_of_n_alone_is_a_mismatch_for_a() {
    let (a, _) = PartyA::start(context(), password(), entropy(7));
    assert!(matches!(a.finish(&Share::of(&(n() * password().0))), Err(Mismatch)));
}
