//! What a decoder makes of damaged streams: errors, and nothing worse, until the next key frame.

mod common;

use std::sync::LazyLock;

use common::{desktop, pixels};
use pf_codec::{Backend, DecodeError, EncoderConfig, FrameKind, MAX_ACCESS_UNIT, VideoDecoder, decoder};
use pf_media::picture::Size;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

const SIZE: Size = Size::new(160, 128);

/// A stream of three runs of [`RUN`] access units, each run beginning with a key frame.
static STREAM: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let config = EncoderConfig { size: SIZE, fps: 60, bitrate: 3_000_000, threads: 1 };
    let mut encoder = Backend::OpenH264.encoder(config).expect("the size is usual");
    let frames = (0..3 * RUN).map(|time| {
        let kind = if time % RUN == 0 { FrameKind::Key } else { FrameKind::Auto };
        let frame = encoder.encode(&desktop(SIZE, time as u32), kind).expect("the picture is usual");
        frame.access_unit.to_vec()
    });
    frames.collect()
});

const RUN: usize = 6;

/// What the network or a hostile sender does to an access unit.
#[derive(Clone, Debug)]
enum Damage {
    CutShort(Index),
    Flip(Vec<(Index, u8)>),
    Overwrite(Index, Vec<u8>),
    Replace(Vec<u8>),
    Twice,
    Empty,
}

impl Damage {
    fn apply(&self, unit: &[u8]) -> Vec<u8> {
        let mut unit = unit.to_vec();
        match self {
            Self::CutShort(length) => unit.truncate(length.index(unit.len())),
            Self::Flip(flips) => {
                for (at, bit) in flips {
                    let at = at.index(unit.len());
                    unit[at] ^= 1 << bit;
                }
            }
            Self::Overwrite(at, bytes) => {
                let at = at.index(unit.len());
                unit.iter_mut().skip(at).zip(bytes).for_each(|(old, new)| *old = *new);
            }
            Self::Replace(bytes) => unit.clone_from(bytes),
            Self::Twice => unit.extend_from_within(..),
            Self::Empty => unit.clear(),
        }
        unit
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        any::<Index>().prop_map(Damage::CutShort),
        vec((any::<Index>(), 0..8_u8), 1..20).prop_map(Damage::Flip),
        (any::<Index>(), vec(any::<u8>(), 1..200)).prop_map(|(at, bytes)| Damage::Overwrite(at, bytes)),
        vec(any::<u8>(), 0..400).prop_map(Damage::Replace),
        // Random bytes that pass for a slice, a key frame's slice or a parameter set.
        (prop::sample::select(vec![0x41, 0x65, 0x67, 0x68, 0x06]), vec(any::<u8>(), 0..400))
            .prop_map(|(header, bytes)| Damage::Replace([vec![0, 0, 0, 1, header], bytes].concat())),
        Just(Damage::Twice),
        Just(Damage::Empty),
    ]
}

fn decode(decoder: &mut dyn VideoDecoder, unit: &[u8]) -> Result<Option<Vec<[u8; 4]>>, DecodeError> {
    decoder.decode(unit).map(|picture| picture.map(|picture| pixels(&picture)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes, the decoder neither crashes nor shows anything between an error and the next key frame, and
    /// from that one on it shows just what it would have shown without the damage.
    #[test]
    fn a_decoder_recovers_from_any_damage_at_the_next_key_frame(
        damage in vec(prop::option::weighted(0.4, damage()), 2 * RUN),
    ) {
        let mut decoder = decoder().unwrap();
        let mut broken = true;
        for (unit, damage) in STREAM.iter().zip(&damage) {
            let damaged = damage.as_ref().map_or_else(|| unit.clone(), |damage| damage.apply(unit));
            let is_key = damaged.windows(4).any(|bytes| bytes == [0, 0, 1, 0x65]);
            let decoded = decode(&mut *decoder, &damaged);
            if damage.is_none() && broken && !is_key {
                prop_assert_eq!(decoded.clone(), Err(DecodeError::KeyFrameNeeded));
            }
            broken = decoded.is_err();
        }
        let mut undamaged = pf_codec::decoder().unwrap();
        for unit in &STREAM[2 * RUN..] {
            let expected = decode(&mut *undamaged, unit);
            prop_assert!(matches!(expected, Ok(Some(_))));
            prop_assert_eq!(decode(&mut *decoder, unit), expected);
        }
    }

    #[test]
    fn random_bytes_are_refused(bytes in vec(any::<u8>(), 0..2000)) {
        prop_assert!(decoder().unwrap().decode(&bytes).is_err());
    }
}

/// A picture that never arrived must not go unnoticed: what follows is predicted from it, and says so. (What x264 makes
/// does not say so. There the transport alone keeps a frame away from who does not have what it refers to.)
#[test]
fn a_missing_access_unit_is_noticed_at_the_next_one() {
    let mut decoder = decoder().unwrap();
    assert!(decoder.decode(&STREAM[0]).is_ok());
    assert!(decoder.decode(&STREAM[1]).is_ok());
    assert!(matches!(decoder.decode(&STREAM[3]), Err(DecodeError::Corrupt { .. })));
    assert_eq!(decoder.decode(&STREAM[4]).unwrap_err(), DecodeError::KeyFrameNeeded);
    assert!(decoder.decode(&STREAM[RUN]).unwrap().is_some());
}

/// Half a picture is no picture. The library takes it without an error and waits for the rest; left to itself it
/// would then refuse even an intact key frame.
#[test]
fn a_missing_slice_is_noticed_and_the_next_key_frame_taken() {
    let size = Size::new(320, 256);
    let config = EncoderConfig { size, fps: 60, bitrate: 3_000_000, threads: 2 };
    let mut encoder = Backend::OpenH264.encoder(config).unwrap();
    let [key, predicted, next_key] = [(0, FrameKind::Key), (1, FrameKind::Auto), (2, FrameKind::Key)]
        .map(|(time, kind)| encoder.encode(&desktop(size, time), kind).unwrap().access_unit.to_vec());
    for halved in [&key, &predicted] {
        let mut decoder = decoder().unwrap();
        if halved == &predicted {
            assert!(decoder.decode(&key).is_ok());
        }
        let last_slice = halved.windows(4).rposition(|bytes| bytes == [0, 0, 0, 1]).unwrap();
        assert!(matches!(decoder.decode(&halved[..last_slice]), Err(DecodeError::Corrupt { .. })));
        assert!(decoder.decode(&next_key).unwrap().is_some());
    }
}

#[test]
fn parameter_sets_alone_are_no_error_and_no_picture() {
    let key = &STREAM[0];
    let slice = key.windows(5).position(|bytes| bytes == [0, 0, 0, 1, 0x65]).unwrap();
    let mut decoder = decoder().unwrap();
    assert_eq!(decoder.decode(&key[..slice]).unwrap_err(), DecodeError::KeyFrameNeeded);
    assert!(decoder.decode(key).unwrap().is_some());
    assert!(decoder.decode(&key[..slice]).unwrap().is_none());
    assert!(decoder.decode(&STREAM[1]).unwrap().is_some());
}

#[test]
fn an_access_unit_beyond_every_limit_is_refused_unread() {
    let mut endless = STREAM[0].clone();
    endless.resize(MAX_ACCESS_UNIT + 1, 0xa5);
    let mut decoder = decoder().unwrap();
    let refused = decoder.decode(&endless).unwrap_err();
    assert_eq!(refused, DecodeError::TooLong { length: MAX_ACCESS_UNIT + 1 });
    assert!(decoder.decode(&STREAM[0]).unwrap().is_some());
}
