//! What SPAKE2 binds: a bit of difference in anything, on either side, and neither side is confirmed.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::convert::Infallible;

use p256::{AffinePoint, FieldBytes, elliptic_curve::point::AffineCoordinates};
use pf_trust::spake2::{Context, Entropy, MAC_BYTES, Mismatch, PartyA, PartyB, Password, Share};
use sha2::{Digest, Sha512};

fn entropy(label: &str) -> Entropy {
    Entropy::draw(|bytes| {
        bytes.copy_from_slice(&Sha512::digest(label));
        Ok::<_, Infallible>(())
    })
    .unwrap()
}

fn context() -> Context {
    Context { a: b"the client, key 1".to_vec(), b: b"the host, key 2".to_vec(), aad: (0..48).collect() }
}

fn a(context: &Context) -> (PartyA, Share) {
    PartyA::start(context.clone(), Password::from_wide(&[7; 48]), entropy("x"))
}

fn b(context: &Context) -> (PartyB, Share) {
    PartyB::start(context.clone(), Password::from_wide(&[7; 48]), entropy("y"))
}

/// What two parties with one context send.
struct Honest {
    p_a: Share,
    p_b: Share,
    c_a: [u8; MAC_BYTES],
    c_b: [u8; MAC_BYTES],
}

impl Honest {
    fn run() -> Self {
        let ((a, p_a), (b, p_b)) = (a(&context()), b(&context()));
        let (a, c_a) = a.finish(&p_b).unwrap();
        let c_b = b.finish(&p_a).unwrap().verify(&c_a).unwrap();
        a.verify(&c_b).unwrap();
        Self { p_a, p_b, c_a, c_b }
    }

    /// An A that sees another context gets nowhere with a B that sees the honest one: B refuses its MAC, and it refuses
    /// the MAC that B gives to an A that sees what B sees.
    fn neither_is_confirmed(&self, of_a: &Context, what: &str) {
        let (confirm_a, c_a) = a(of_a).0.finish(&self.p_b).unwrap();
        let confirm_b = b(&context()).0.finish(&self.p_a).unwrap();
        assert_eq!(confirm_b.verify(&c_a), Err(Mismatch), "cA: {what}");
        assert_eq!(confirm_a.verify(&self.c_b), Err(Mismatch), "cB: {what}");
    }
}

/// A machine in the middle that may change one bit of what either side sees of the other, the connection or the
/// versions gets a wrong PIN for it.
#[test]
fn inv_02_any_bit_of_aad_or_of_an_identity_breaks_both_macs() {
    type Part = fn(&mut Context) -> &mut Vec<u8>;
    let honest = Honest::run();
    let parts: [(&str, Part); 3] = [("A", |c| &mut c.a), ("B", |c| &mut c.b), ("AAD", |c| &mut c.aad)];
    for (name, part) in parts {
        for bit in 0..8 * part(&mut context()).len() {
            let mut other = context();
            part(&mut other)[bit / 8] ^= 1 << (bit % 8);
            honest.neither_is_confirmed(&other, &format!("bit {bit} of {name}"));
        }
    }
}

/// The same for what is added or missing at an end, or moved from one part to the next.
#[test]
fn inv_02_parts_have_definite_ends() {
    let cut = |mut c: Context| (c.aad.pop(), c).1;
    let longer = |mut c: Context| (c.aad.push(0), c).1;
    let moved = |mut c: Context| {
        let first = c.b.remove(0);
        c.a.push(first);
        c
    };
    for (name, other) in [("cut", cut(context())), ("longer", longer(context())), ("moved", moved(context()))]
    {
        Honest::run().neither_is_confirmed(&other, name);
    }
}

/// A bit of a share flipped on the way leaves no share at all: the point is off the curve, or the form another one.
#[test]
fn inv_02_any_bit_of_a_share_flipped_is_no_share() {
    for share in [a(&context()).1, b(&context()).1] {
        for bit in 0..8 * share.as_bytes().len() {
            let mut bytes = *share.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Share::parse(&bytes).is_err(), "bit {bit}");
        }
    }
}

/// A machine in the middle puts another good share, even one made with the right password, in the place of pA.
#[test]
fn inv_02_another_share_in_the_place_of_p_a_breaks_both_macs() {
    let honest = Honest::run();
    let (other, p_a) = PartyA::start(context(), Password::from_wide(&[7; 48]), entropy("other"));

    assert_eq!(b(&context()).0.finish(&p_a).unwrap().verify(&honest.c_a), Err(Mismatch));

    let (_, c_a) = other.finish(&honest.p_b).unwrap();
    let c_b = b(&context()).0.finish(&p_a).unwrap().verify(&c_a).unwrap();
    assert_eq!(a(&context()).0.finish(&honest.p_b).unwrap().0.verify(&c_b), Err(Mismatch));
}

/// The same in the place of pB.
#[test]
fn inv_02_another_share_in_the_place_of_p_b_breaks_both_macs() {
    let honest = Honest::run();
    let (_, p_b) = PartyB::start(context(), Password::from_wide(&[7; 48]), entropy("other"));

    let (confirm_a, c_a) = a(&context()).0.finish(&p_b).unwrap();
    assert_eq!(b(&context()).0.finish(&honest.p_a).unwrap().verify(&c_a), Err(Mismatch));
    assert_eq!(confirm_a.verify(&honest.c_b), Err(Mismatch));
}

/// The mirror image of a share is a point too, and no more an answer than any other.
#[test]
fn inv_02_a_mirrored_share_is_a_mismatch() {
    let honest = Honest::run();
    let confirm_b = b(&context()).0.finish(&mirrored(&honest.p_a)).unwrap();
    assert_eq!(confirm_b.verify(&honest.c_a), Err(Mismatch));
    let (confirm_a, _) = a(&context()).0.finish(&mirrored(&honest.p_b)).unwrap();
    assert_eq!(confirm_a.verify(&honest.c_b), Err(Mismatch));
}

/// The point with the other y: p − y.
fn mirrored(share: &Share) -> Share {
    let bytes = share.as_bytes();
    let coordinate = |at: usize| FieldBytes::try_from(&bytes[at..at + 32]).unwrap();
    let point = -AffinePoint::from_coordinates(&coordinate(1), &coordinate(33)).unwrap();
    Share::parse(&[&[4], point.x().as_slice(), point.y().as_slice()].concat()).unwrap()
}
