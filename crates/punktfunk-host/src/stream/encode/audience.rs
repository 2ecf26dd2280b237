//! What the next frame of an encoder is to be, by how it stands with each of the sessions that share it.

use pf_codec::FrameKind;
use pf_media::recovery::Wanted;

/// How it stands with one session. Frames have the encoder's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::stream) struct Standing {
    /// Which of the lanes that it was in one after the other it is in.
    pub(in crate::stream) stay: u64,
    pub(in crate::stream) room: Room,
    /// What its path takes, in bits a second of an encoder.
    pub(in crate::stream) rate: u64,
    /// What it needs, if not a frame that refers to the one before.
    pub(in crate::stream) wanted: Option<Wanted>,
    /// The newest frame that it has decoded, as far as is known.
    pub(in crate::stream) decoded: Option<u32>,
}

/// Whether a session can be sent another frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::stream) enum Room {
    /// What it was sent before is all but gone.
    Free,
    /// Another frame would wait a little. It is sent one that is made for others, but none is made for it.
    Little,
    /// Another frame would only make a queue longer.
    None,
}

/// What the next frame is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) kind: FrameKind,
    /// In bits a second.
    pub(super) rate: u64,
    /// The newest frame that everybody has decoded.
    pub(super) decoded: Option<u32>,
}

/// Whom the rate of an encoder is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::stream) enum Measure {
    /// Those whose paths take nearly as much as the fastest. Who is much slower misses frames, and is moved to a slower
    /// encoder soon.
    TheFast,
    /// The slowest of all: there is no slower encoder.
    TheSlowest,
}

/// What to make next, where the newest frame was `newest`; nothing while nobody has room.
///
/// The first that has room gets its picture: nobody waits for another. A frame is made for all: so it refers to what all
/// have that said they lost something.
pub(super) fn plan(standings: &[Standing], newest: u32, measure: Measure) -> Option<Plan> {
    let age = |frame: u32| newest.wrapping_sub(frame);
    let mut kind = None;
    for standing in standings.iter().filter(|standing| standing.room == Room::Free) {
        kind = Some(match (kind.unwrap_or(FrameKind::Auto), standing.wanted) {
            (FrameKind::Key, _) | (_, Some(Wanted::Key)) => FrameKind::Key,
            (FrameKind::After(one), Some(Wanted::After(other))) if age(one) > age(other) => {
                FrameKind::After(one)
            }
            (_, Some(Wanted::After(frame))) => FrameKind::After(frame),
            (kind, None) => kind,
        });
    }
    let rates = || standings.iter().map(|standing| standing.rate);
    let enough = match measure {
        Measure::TheFast => rates().max()? / NEAR.0 * NEAR.1,
        Measure::TheSlowest => 0,
    };
    let decoded = standings.iter().map(|standing| standing.decoded).collect::<Option<Vec<_>>>();
    Some(Plan {
        kind: kind?,
        rate: rates().filter(|rate| *rate >= enough).min()?,
        decoded: decoded.and_then(|frames| frames.into_iter().max_by_key(|frame| age(*frame))),
    })
}

/// Paths are near each other while the slower takes 2 for 3 of the faster.
///
/// It must be nearer than the part of its rate that a stream has to use for the rate to grow (60 %): the rate of a path
/// that is held down by another one's would never grow so far that the two are told apart.
const NEAR: (u64, u64) = (3, 2);

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: Standing =
        Standing { stay: 0, room: Room::Free, rate: 6_000_000, wanted: None, decoded: Some(90) };

    fn kind(standings: &[Standing]) -> Option<FrameKind> {
        plan(standings, 99, Measure::TheFast).map(|plan| plan.kind)
    }

    /// One that waits for its queue must not hold back the picture of another.
    #[test]
    fn the_first_that_has_room_gets_its_picture() {
        let [little, none] = [Room::Little, Room::None].map(|room| Standing { room, ..FREE });
        assert_eq!(kind(&[none, FREE, little]), Some(FrameKind::Auto));
        assert_eq!(kind(&[none, little]), None);
        assert_eq!(kind(&[]), None);
    }

    /// A recovery that refers to what one of them lost too helps only the other.
    #[test]
    fn a_recovery_refers_to_what_all_who_lost_something_have() {
        let after = |frame| Standing { wanted: Some(Wanted::After(frame)), ..FREE };
        assert_eq!(kind(&[after(95), FREE, after(92), after(94)]), Some(FrameKind::After(92)));
        let key = Standing { wanted: Some(Wanted::Key), ..FREE };
        assert_eq!(kind(&[after(95), key, after(92)]), Some(FrameKind::Key));
        // Frame numbers wrap.
        let wrapped = plan(&[after(u32::MAX), after(1)], 3, Measure::TheFast).unwrap();
        assert_eq!(wrapped.kind, FrameKind::After(u32::MAX));
    }

    /// What it could not be sent now would be wasted on the others.
    #[test]
    fn who_has_no_room_has_no_wishes() {
        let stuck = Standing { room: Room::None, wanted: Some(Wanted::Key), ..FREE };
        assert_eq!(kind(&[stuck, FREE]), Some(FrameKind::Auto));
    }

    /// An encoder that builds on a frame which one of them lost shows that one nothing.
    #[test]
    fn decoded_is_what_everybody_decoded() {
        let decoded = |frames: [Option<u32>; 3]| {
            let standings = frames.map(|decoded| Standing { decoded, room: Room::Free, ..FREE });
            plan(&standings, 99, Measure::TheFast).unwrap().decoded
        };
        assert_eq!(decoded([Some(97), Some(90), Some(98)]), Some(90));
        assert_eq!(decoded([Some(97), None, Some(98)]), None);
    }

    /// One weak link would make the picture of all as poor as its own.
    #[test]
    fn the_rate_is_the_least_of_those_who_are_near_the_fastest() {
        let rate = |rates: [u64; 3], measure| {
            plan(&rates.map(|rate| Standing { rate, ..FREE }), 99, measure).unwrap().rate
        };
        assert_eq!(rate([9_000_000, 7_000_000, 1_000_000], Measure::TheFast), 7_000_000);
        assert_eq!(rate([9_000_000, 7_000_000, 1_000_000], Measure::TheSlowest), 1_000_000);
        assert_eq!(rate([9_000_000, 6_000_000, 5_999_999], Measure::TheFast), 6_000_000);
    }
}
