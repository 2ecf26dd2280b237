//! What is a share and what is not: one encoding of one kind of point.

use std::convert::Infallible;

use p256::{
    AffinePoint,
    elliptic_curve::{
        point::{AffineCoordinates, DecompressPoint},
        subtle::Choice,
    },
};
use pf_trust::spake2::{Context, Entropy, InvalidShare, PartyA, Password, SHARE_BYTES, Share};

fn share() -> [u8; SHARE_BYTES] {
    let context = Context { a: Vec::new(), b: Vec::new(), aad: Vec::new() };
    let entropy = Entropy::draw(|bytes| {
        bytes.fill(0x17);
        Ok::<_, Infallible>(())
    })
    .unwrap();
    *PartyA::start(context, Password::from_wide(&[7; 48]), entropy).1.as_bytes()
}

/// What every refusal below differs from.
#[test]
fn an_uncompressed_point_is_a_share() {
    assert_eq!(Share::parse(&share()).unwrap().as_bytes(), &share());
}

/// A point with two encodings has two transcripts; a peer that may choose can make sides disagree, or slip an
/// unchecked form past a decoder that knows many.
#[test]
fn inv_04_any_other_tag_is_refused() {
    for tag in (0..=u8::MAX).filter(|&tag| tag != 4) {
        let mut bytes = share();
        bytes[0] = tag;
        assert_eq!(Share::parse(&bytes), Err(InvalidShare::Tag(tag)));
    }
}

/// Also where that form is a good one of the very point: neutral, compressed even and odd, compact, hybrid.
#[test]
fn inv_04_the_other_forms_of_a_good_point_are_refused() {
    let share = share();
    let odd = share[64] & 1;
    let hybrid = [&[6 + odd], &share[1..]].concat();
    assert_eq!(Share::parse(&hybrid), Err(InvalidShare::Tag(6 + odd)));
    for compressed in [2 + odd, 5] {
        let bytes = [&[compressed], &share[1..33]].concat();
        assert_eq!(Share::parse(&bytes), Err(InvalidShare::Length(33)), "tag {compressed}");
    }
    assert_eq!(Share::parse(&[0]), Err(InvalidShare::Length(1)), "the neutral element");
}

/// A length that nobody checked reads past an end, or leaves bytes that one side binds and the other does not.
#[test]
fn inv_04_any_other_length_is_refused() {
    let long = [share().as_slice(), &share(), &share()].concat();
    for length in (0..long.len()).filter(|&length| length != SHARE_BYTES) {
        assert_eq!(Share::parse(&long[..length]), Err(InvalidShare::Length(length)));
    }
}

/// A point of another curve, where logarithms are easy, gives the exponent away bit by bit.
#[test]
fn inv_04_off_the_curve_is_refused() {
    for place in [32, 64] {
        let mut bytes = share();
        bytes[place] ^= 1;
        assert_eq!(Share::parse(&bytes), Err(InvalidShare::NotAPoint), "byte {place}");
    }
    let mut zero = [0; SHARE_BYTES];
    zero[0] = 4;
    assert_eq!(Share::parse(&zero), Err(InvalidShare::NotAPoint), "the neutral element in disguise");
}

/// A second name of the same point: x + p, where that still fits in 32 bytes.
#[test]
fn inv_04_a_coordinate_that_is_not_below_p_is_refused() {
    let point = (1..=u8::MAX).find_map(|x| point_with_x(small(x))).expect("half of all x have a point");
    let canonical = [&[4], point.x().as_slice(), point.y().as_slice()].concat();
    assert!(Share::parse(&canonical).is_ok());

    let x_plus_p = plus_p(point.x().into());
    let second_name = [&[4], x_plus_p.as_slice(), point.y().as_slice()].concat();
    assert_eq!(Share::parse(&second_name), Err(InvalidShare::NotAPoint));

    for (at, name) in [(1, "x"), (33, "y")] {
        for coordinate in [P, [0xff; 32]] {
            let mut bytes = share();
            bytes[at..at + 32].copy_from_slice(&coordinate);
            assert_eq!(Share::parse(&bytes), Err(InvalidShare::NotAPoint), "{name}");
        }
    }
}

fn point_with_x(x: [u8; 32]) -> Option<AffinePoint> {
    AffinePoint::decompress(&x.into(), Choice::from(0)).into_option()
}

fn small(x: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[31] = x;
    bytes
}

/// x + p as 32 big-endian bytes; x is small enough for that.
fn plus_p(x: [u8; 32]) -> [u8; 32] {
    let mut sum = [0; 32];
    let mut carry = 0;
    for place in (0..32).rev() {
        let digit = u16::from(x[place]) + u16::from(P[place]) + carry;
        sum[place] = digit.to_be_bytes()[1];
        carry = digit >> 8;
    }
    assert_eq!(carry, 0);
    sum
}

/// p = 2²⁵⁶ − 2²²⁴ + 2¹⁹² + 2⁹⁶ − 1.
const P: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
];
