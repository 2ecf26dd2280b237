//! Rule R3, row by row: what a client does about a host.

use pf_base::{Code, Fingerprint, PairPolicy};
use pf_trust::{
    proof::Comparison,
    route::{Advert, Answer, Known, Named, PinnedBy, Route, route},
};

const OLD: Fingerprint = Fingerprint::from_bytes([1; 32]);
const NEW: Fingerprint = Fingerprint::from_bytes([2; 32]);

const PINNED: Known = Known::Pinned { fingerprint: OLD, how: PinnedBy::Pin };
const ASKED: Known = Known::Asked { fingerprint: OLD };
const FORGOTTEN: Known = Known::Forgotten { fingerprint: Some(OLD) };

const PIN_OR_ASK: Route = Route::Choose { ask: true, first_use: false };
const PIN_OR_FIRST_USE: Route = Route::Choose { ask: false, first_use: true };

const ADVERTS: [Advert; 3] = [Advert::Optional, Advert::Unknown, Advert::Required];
const NAMINGS: [Named; 2] = [Named::Discovered, Named::ByHand];

fn answers(fingerprint: Fingerprint) -> Answer {
    Answer { fingerprint, policy: None, refused: None }
}

fn states(policy: PairPolicy) -> Answer {
    Answer { policy: Some(policy), ..answers(NEW) }
}

fn refuses(fingerprint: Fingerprint, code: Code) -> Answer {
    Answer { refused: Some(code), ..answers(fingerprint) }
}

/// A pinned host must not be made to ask questions by what anyone advertises about it.
#[test]
fn r3_pinned_and_same_fingerprint_connects_silently_whatever_the_advert_says() {
    for advert in ADVERTS {
        for named in NAMINGS {
            for answer in [None, Some(answers(OLD))] {
                assert_eq!(route(PINNED, named, advert, answer), Route::Connect { expect: OLD });
            }
        }
    }
}

/// An impostor answers at a pinned host's address.
#[test]
fn r3_pinned_and_changed_fingerprint_stops_and_shows_both() {
    let alarm = Route::Alarm { old: OLD, new: NEW };
    for answer in [answers(NEW), states(PairPolicy::Optional), refuses(NEW, Code::PairingRequired)] {
        assert_eq!(route(PINNED, Named::Discovered, Advert::Optional, Some(answer)), alarm);
    }
}

/// The person takes the way around the alarm: forget the host, then trust it as a new one.
#[test]
fn r3_forgetting_leaves_a_mark_and_pin_is_the_only_way_back() {
    for answer in [None, Some(answers(OLD))] {
        assert_eq!(route(FORGOTTEN, Named::Discovered, Advert::Optional, answer), Route::PinOnly);
    }
    let changed = route(FORGOTTEN, Named::Discovered, Advert::Optional, Some(states(PairPolicy::Optional)));
    assert_eq!(changed, Route::Alarm { old: OLD, new: NEW });
    let unknown = Known::Forgotten { fingerprint: None };
    let answer = Some(states(PairPolicy::Optional));
    assert_eq!(route(unknown, Named::Discovered, Advert::Optional, answer), Route::PinOnly);
}

#[test]
fn r3_pinned_host_that_refuses_on_trust_grounds_offers_repair() {
    for code in [Code::PairingRequired, Code::Removed, Code::Denied] {
        let answer = Some(refuses(OLD, code));
        let repair = Route::Repair { expect: OLD };
        assert_eq!(route(PINNED, Named::Discovered, Advert::Optional, answer), repair, "{code:?}");
    }
}

/// A host that is merely busy must not make its client throw its pin away.
#[test]
fn r3_pinned_host_that_refuses_on_other_grounds_stays_pinned() {
    for code in [Code::Busy, Code::VersionMismatch, Code::RateLimited, Code::StoreUnreadable, Code::Ended] {
        let answer = Some(refuses(OLD, code));
        let connect = Route::Connect { expect: OLD };
        assert_eq!(route(PINNED, Named::Discovered, Advert::Required, answer), connect, "{code:?}");
    }
}

#[test]
fn r3_new_discovered_optional_offers_first_use_beside_pin() {
    for answer in [None, Some(answers(NEW)), Some(states(PairPolicy::Optional))] {
        assert_eq!(route(Known::Never, Named::Discovered, Advert::Optional, answer), PIN_OR_FIRST_USE);
    }
}

#[test]
fn r3_new_discovered_required_is_pin_or_ask() {
    assert_eq!(route(Known::Never, Named::Discovered, Advert::Required, None), PIN_OR_ASK);
    let answer = Some(states(PairPolicy::Optional));
    assert_eq!(route(Known::Never, Named::Discovered, Advert::Required, answer), PIN_OR_ASK);
}

/// A link or a command line leads to an attacker's host, which says that it is open.
#[test]
fn r3_typed_by_hand_is_pin_or_ask_and_never_first_use() {
    for advert in ADVERTS {
        for answer in [None, Some(answers(NEW)), Some(states(PairPolicy::Optional))] {
            assert_eq!(route(Known::Never, Named::ByHand, advert, answer), PIN_OR_ASK);
        }
    }
}

/// An advert of another version, or a mangled one, must not count as an open one.
#[test]
fn r3_no_or_unknown_policy_is_pin_or_ask() {
    for keys in [vec![], vec![None], vec![Some("maybe")], vec![Some("Optional")], vec![Some("")]] {
        let advert = Advert::of_all(keys);
        assert_eq!(advert, Advert::Unknown);
        let answer = Some(states(PairPolicy::Optional));
        assert_eq!(route(Known::Never, Named::Discovered, advert, answer), PIN_OR_ASK);
    }
}

/// An attacker adds its own advert to that of a host which requires pairing.
#[test]
fn r3_of_two_adverts_that_disagree_the_stricter_counts() {
    let (optional, required, unknown) = (Some("optional"), Some("required"), None);
    for keys in [[optional, required], [required, optional], [unknown, required], [required, unknown]] {
        assert_eq!(Advert::of_all(keys), Advert::Required, "{keys:?}");
    }
    for keys in [[optional, unknown], [unknown, optional]] {
        assert_eq!(Advert::of_all(keys), Advert::Unknown, "{keys:?}");
    }
    assert_eq!(Advert::of_all([optional, optional]), Advert::Optional);
}

/// A spoofed advert makes a known host look open.
#[test]
fn inv_39_a_spoofed_optional_never_yields_first_use_for_a_known_host() {
    for known in [PINNED, ASKED, Known::SeenRequired, FORGOTTEN, Known::Forgotten { fingerprint: None }] {
        for answer in [None, Some(answers(OLD)), Some(answers(NEW)), Some(states(PairPolicy::Optional))] {
            let taken = route(known, Named::Discovered, Advert::Optional, answer);
            assert!(
                !matches!(taken, Route::Choose { first_use: true, .. }),
                "{known:?} {answer:?}: {taken:?}"
            );
        }
    }
}

/// The advert says open, and the host itself says that it is not.
#[test]
fn inv_40_advert_optional_but_the_host_says_required_is_pin() {
    for answer in [states(PairPolicy::Required), refuses(NEW, Code::PairingRequired)] {
        assert_eq!(route(Known::Never, Named::Discovered, Advert::Optional, Some(answer)), PIN_OR_ASK);
    }
}

/// However the pin was made, a changed key raises the alarm.
#[test]
fn inv_41_a_changed_key_leaves_pin_pairing_alone_however_it_was_pinned() {
    let compared = [Comparison::CodeShown, Comparison::NothingToCompare];
    let hows = [PinnedBy::Pin, PinnedBy::FirstUse].into_iter().chain(compared.map(PinnedBy::Approval));
    for how in hows {
        let known = Known::Pinned { fingerprint: OLD, how };
        let alarm = Route::Alarm { old: OLD, new: NEW };
        assert_eq!(route(known, Named::Discovered, Advert::Optional, Some(answers(NEW))), alarm, "{how:?}");
    }
}

/// A device that left a request connects once it is approved, and to nobody but the host that it asked.
#[test]
fn r5_an_asked_host_is_connected_to_if_it_is_the_one_that_was_asked() {
    let connect = Route::Connect { expect: OLD };
    assert_eq!(route(ASKED, Named::ByHand, Advert::Unknown, None), connect);
    assert_eq!(route(ASKED, Named::ByHand, Advert::Unknown, Some(answers(OLD))), connect);
    let not_yet = Some(refuses(OLD, Code::PairingRequired));
    assert_eq!(route(ASKED, Named::Discovered, Advert::Optional, not_yet), PIN_OR_ASK);
    assert_eq!(route(ASKED, Named::Discovered, Advert::Optional, Some(answers(NEW))), PIN_OR_ASK);
}
