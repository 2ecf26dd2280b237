//! Every combination of what a client can know, see and hear, against what must never happen.

use pf_base::{Code, Fingerprint, PairPolicy};
use pf_trust::{
    proof::Comparison,
    route::{Advert, Answer, Known, Named, PinnedBy, Route, route},
};

const ONE: Fingerprint = Fingerprint::from_bytes([1; 32]);
const OTHER: Fingerprint = Fingerprint::from_bytes([2; 32]);

const ADVERTS: [Advert; 3] = [Advert::Optional, Advert::Unknown, Advert::Required];

#[derive(Clone, Copy, Debug)]
struct Case {
    known: Known,
    named: Named,
    advert: Advert,
    answer: Option<Answer>,
}

impl Case {
    fn route(self) -> Route {
        route(self.known, self.named, self.advert, self.answer)
    }
}

fn cases() -> Vec<Case> {
    let hows = [
        PinnedBy::Pin,
        PinnedBy::FirstUse,
        PinnedBy::Approval(Comparison::CodeShown),
        PinnedBy::Approval(Comparison::NothingToCompare),
    ];
    let pinned = hows.map(|how| Known::Pinned { fingerprint: ONE, how });
    let others = [
        Known::Never,
        Known::SeenRequired,
        Known::Asked { fingerprint: ONE },
        Known::Forgotten { fingerprint: None },
        Known::Forgotten { fingerprint: Some(ONE) },
    ];
    let mut cases = Vec::new();
    for known in pinned.into_iter().chain(others) {
        for named in [Named::Discovered, Named::ByHand] {
            for advert in ADVERTS {
                cases.extend(answers().map(|answer| Case { known, named, advert, answer }));
            }
        }
    }
    cases
}

fn answers() -> impl Iterator<Item = Option<Answer>> {
    let policies = || [None, Some(PairPolicy::Required), Some(PairPolicy::Optional)];
    let refusals = || Code::ALL.into_iter().map(Some).chain([None]);
    let said = [ONE, OTHER].into_iter().flat_map(move |fingerprint| {
        policies().into_iter().flat_map(move |policy| {
            refusals().map(move |refused| Some(Answer { fingerprint, policy, refused }))
        })
    });
    said.chain([None])
}

fn refuses_trust(answer: Option<Answer>) -> bool {
    let refused = answer.and_then(|answer| answer.refused);
    matches!(refused, Some(Code::PairingRequired | Code::Removed | Code::Denied))
}

/// No question is skipped but for a key that the store holds and that nobody else has answered with.
#[test]
fn r3_connecting_takes_a_key_from_the_store_that_no_other_answered_for() {
    for case in cases() {
        let Route::Connect { expect } = case.route() else { continue };
        let (Known::Pinned { fingerprint, .. } | Known::Asked { fingerprint }) = case.known else {
            panic!("connects to a host that nothing is stored of: {case:?}")
        };
        assert_eq!(expect, fingerprint, "{case:?}");
        assert!(case.answer.is_none_or(|answer| answer.fingerprint == expect), "{case:?}");
        assert!(!refuses_trust(case.answer), "connects again and again: {case:?}");
    }
}

/// Trust on first use is offered only where every one of its conditions holds, and then it is.
#[test]
fn r3_first_use_is_offered_exactly_where_it_may_be() {
    for case in cases() {
        let said = case.answer.and_then(|answer| answer.policy);
        let may = case.known == Known::Never
            && case.named == Named::Discovered
            && case.advert == Advert::Optional
            && said != Some(PairPolicy::Required)
            && !refuses_trust(case.answer);
        let offered = matches!(case.route(), Route::Choose { first_use: true, .. });
        assert_eq!(offered, may, "{case:?}");
    }
}

/// The alarm is raised for a changed key of a host that was ever pinned, for all of those, and shows both keys.
#[test]
fn inv_41_the_alarm_is_raised_exactly_for_changed_keys() {
    for case in cases() {
        let once_pinned = match case.known {
            Known::Pinned { fingerprint, .. } | Known::Forgotten { fingerprint: Some(fingerprint) } => {
                Some(fingerprint)
            }
            _ => None,
        };
        let changed = once_pinned
            .zip(case.answer)
            .filter(|(pinned, answer)| answer.fingerprint != *pinned)
            .map(|(old, answer)| Route::Alarm { old, new: answer.fingerprint });
        let alarm = Some(case.route()).filter(|route| matches!(route, Route::Alarm { .. }));
        assert_eq!(alarm, changed, "{case:?}");
    }
}

/// Asking for access is never a way around the PIN where the PIN is the only way.
#[test]
fn r3_once_pinned_hosts_are_never_asked() {
    for case in cases() {
        if let Known::Forgotten { .. } = case.known {
            assert!(matches!(case.route(), Route::PinOnly | Route::Alarm { .. }), "{case:?}");
        }
        if let Known::Pinned { fingerprint, .. } = case.known {
            match case.route() {
                Route::Repair { expect } | Route::Connect { expect } => assert_eq!(expect, fingerprint),
                other => assert!(matches!(other, Route::Alarm { .. }), "{case:?}"),
            }
        }
    }
}

/// An advert can only take offers away: with a stricter one there is never more on offer, and nothing else changes.
#[test]
fn r1_an_advert_only_ever_makes_a_client_stricter() {
    for case in cases() {
        for stricter in ADVERTS.into_iter().filter(|&advert| advert > case.advert) {
            let (before, after) = (case.route(), Case { advert: stricter, ..case }.route());
            let first_use_withdrawn = matches!(
                (before, after),
                (Route::Choose { first_use: true, .. }, Route::Choose { first_use: false, .. })
            );
            assert!(before == after || first_use_withdrawn, "{case:?}: {before:?} then {after:?}");
        }
    }
}

/// How a pin was made is for people to see: a weak one must not make the client act otherwise.
#[test]
fn inv_43_no_decision_depends_on_how_a_host_was_pinned() {
    for case in cases() {
        if let Known::Pinned { fingerprint, .. } = case.known {
            let known = Known::Pinned { fingerprint, how: PinnedBy::FirstUse };
            assert_eq!(case.route(), Case { known, ..case }.route());
        }
    }
}

/// Two weak ways side by side would let an impostor's wish decide which one is taken.
#[test]
fn r3_a_new_host_has_one_other_way_beside_the_pin() {
    for case in cases() {
        if let Route::Choose { ask, first_use } = case.route() {
            assert!(ask != first_use, "one other way beside the PIN: {case:?}");
        }
    }
    assert_eq!(cases().len(), 9 * 2 * 3 * (2 * 3 * 19 + 1));
}
