//! Each dialog as its person meets it: what it says, what it offers, by keyboard alone, and how it looks.

use crate::support::{Person, fingerprint};
use egui::Key;
use pf_app::{Stage, VisitNews, Wish};
use pf_base::{CheckCode, Code, PinDigits};
use pf_client::Failure;

/// R3, *new host, pair=required*: by its PIN, or by asking; never on first use.
#[test]
fn r3_a_new_host_is_paired_by_pin_or_asked() {
    let mut person = Person::visiting("Studio");
    person.hear(VisitNews::Choice { ask: true, first_use: None, pin: PinDigits::new(4) });
    assert_eq!(person.title(), "Pair with Studio – Punktfunk");
    person.sees("Type the PIN that the host shows.");
    assert_eq!(person.buttons(), ["Pair with PIN", "Cancel", "Ask for access"]);
    person.looks_like("new_host");
}

/// R3, *new host, pair=optional*: trust on first use stands beside the PIN, marked as the weaker way.
#[test]
fn r3_trust_on_first_use_is_the_weaker_of_two_ways() {
    let mut person = Person::visiting("Studio");
    person.hear(VisitNews::Choice { ask: false, first_use: Some(fingerprint(7)), pin: PinDigits::new(4) });
    assert_eq!(person.buttons(), ["Pair with PIN", "Cancel", "Trust on first use (weaker)…"]);
    person.looks_like("new_open_host");
}

/// R6: the fingerprint is shown whole and for the eye, and what it cannot do is said; *Pair with PIN* is what Enter does.
#[test]
fn r6_first_use_shows_the_whole_fingerprint_and_its_default_is_the_pin() {
    let mut person = Person::visiting("Studio");
    person.hear(VisitNews::Choice { ask: false, first_use: Some(fingerprint(7)), pin: PinDigits::new(4) });
    person.clicks("Trust on first use (weaker)…");
    person.sees(&fingerprint(7).for_the_eye());
    for group in fingerprint(7).to_string().split(' ') {
        person.sees_in_part(group);
    }
    person.sees_in_part("cannot detect an impostor");
    person.looks_like("first_use");
    person.presses(Key::Enter);
    assert!(matches!(person.stage(), Stage::Pair(_)), "Enter is for the default button");
    assert!(person.wishes().is_empty());

    person.clicks("Trust on first use (weaker)…");
    person.clicks("Trust and connect");
    assert!(matches!(person.wishes()[..], [Wish::TrustFirstUse]));
}

/// R3, *pinned host, changed fingerprint*: old and new side by side, and no way on but the PIN.
#[test]
fn r3_a_changed_identity_is_an_alarm_whose_only_ways_are_pair_again_and_cancel() {
    let mut person = Person::visiting("Studio");
    person.hear(VisitNews::Failed(Failure::FingerprintChanged { old: fingerprint(1), new: fingerprint(2) }));
    assert_eq!(person.title(), "STOP: Studio has changed – Punktfunk");
    person.sees(&fingerprint(1).for_the_eye());
    person.sees(&fingerprint(2).for_the_eye());
    assert_eq!(person.buttons(), ["Cancel", "Pair again"]);
    person.looks_like("changed");

    person.clicks("Pair again");
    assert!(matches!(person.wishes()[..], [Wish::LookForPin]));
    assert_eq!(person.buttons(), ["Pair with PIN", "Cancel"], "neither asking nor first use");
    person.looks_like("changed_pair_again");
}

/// Enter on the alarm, out of habit, must not lead on.
#[test]
fn r3_enter_on_the_alarm_cancels() {
    let mut person = Person::visiting("Studio");
    person.hear(VisitNews::Failed(Failure::FingerprintChanged { old: fingerprint(1), new: fingerprint(2) }));
    person.presses(Key::Enter);
    assert!(matches!(person.wishes()[..], [Wish::Leave]));
}

/// R3, *pinned host that refuses this client*: pair again, or ask.
#[test]
fn r3_a_removed_device_may_pair_again_or_ask() {
    let mut person = Person::visiting("Studio");
    person.hear(VisitNews::Refused(Code::Removed));
    person.sees_in_part("removed this device");
    assert_eq!(person.buttons(), ["Pair with PIN", "Cancel", "Ask for access"]);
    person.looks_like("removed");
}

/// R3, *forgetting leaves a mark*: the PIN, and nothing else.
#[test]
fn r3_a_forgotten_host_is_paired_by_pin_alone() {
    let mut person = Person::visiting("Studio");
    person.hear(VisitNews::Failed(Failure::PinOnly));
    person.hear(VisitNews::PinOffer(None));
    person.sees_in_part("was forgotten here");
    person.sees_in_part("shows no PIN now");
    assert_eq!(person.buttons(), ["Pair with PIN", "Cancel"]);
    person.looks_like("forgotten");
}

/// R4, by keyboard alone: digits advance, letters are nothing, Enter pairs once all are there.
#[test]
fn r4_a_pin_is_typed_and_paired_with_by_keyboard_alone() {
    let mut person = Person::visiting("Studio");
    person.hear(VisitNews::Choice { ask: true, first_use: None, pin: PinDigits::new(4) });
    person.types("04x1");
    person.presses(Key::Enter);
    assert!(person.wishes().is_empty(), "three digits are no PIN");
    person.presses(Key::Backspace);
    person.types("27");
    person.looks_like("pin_typed");
    person.presses(Key::Enter);
    let wishes = person.wishes();
    let [Wish::Pair(pin)] = &wishes[..] else { panic!("{wishes:?}") };
    assert_eq!(pin.reveal(), "0427");
    person.sees("Pairing…");
    person.presses(Key::Enter);
    assert!(person.wishes().is_empty(), "a second Enter offers no PIN twice");
}

/// R4: a pasted PIN counts, with whatever stands around its digits.
#[test]
fn r4_a_pin_can_be_pasted() {
    let mut person = Person::visiting("Studio");
    person.hear(VisitNews::Choice { ask: true, first_use: None, pin: PinDigits::new(6) });
    person.pastes("PIN: 123 456\n");
    person.presses(Key::Enter);
    let wishes = person.wishes();
    let [Wish::Pair(pin)] = &wishes[..] else { panic!("{wishes:?}") };
    assert_eq!(pin.reveal(), "123456");
}

/// R4: a wrong PIN is never called a success, is gone from the field, and a fresh one can be typed at once.
#[test]
fn r4_a_wrong_pin_is_said_to_be_wrong_and_spent() {
    let mut person = Person::visiting("Studio");
    person.hear(VisitNews::Choice { ask: true, first_use: None, pin: PinDigits::new(4) });
    person.types("1111");
    person.presses(Key::Enter);
    person.wishes();
    person.hear(VisitNews::Failed(Failure::WrongPin));
    person.sees_in_part("was not right. It is spent now");
    person.looks_like("wrong_pin");
    person.types("2222");
    person.presses(Key::Enter);
    assert!(matches!(person.wishes()[..], [Wish::Pair(_)]));
}

/// Every answer that a host gives to a PIN leaves its person on the page, with a sentence and a field that works.
#[test]
fn r4_whatever_became_of_a_pin_the_next_can_be_typed() {
    for (failure, said) in [
        (Failure::PinUsed, "a PIN works once"),
        (Failure::PinLength { expected: 6 }, "has 6 digits"),
        (refused(Code::NotArmed), "shows no PIN now"),
        (refused(Code::ArmedForAnother), "for another device"),
        (refused(Code::RateLimited), "too many tries"),
        (refused(Code::StoreUnreadable), "could not store it"),
        (Failure::Unreachable(Vec::new()), "does not answer"),
    ] {
        let mut person = Person::visiting("Studio");
        person.hear(VisitNews::Choice { ask: true, first_use: None, pin: PinDigits::new(4) });
        person.types("1111");
        person.presses(Key::Enter);
        person.wishes();
        person.hear(VisitNews::Failed(failure));
        person.sees_in_part(said);
        person.types("222222");
        person.presses(Key::Enter);
        assert!(matches!(person.wishes()[..], [Wish::Pair(_)]), "{said}");
    }
}

/// R5: the code is large, what to do with it is said, and approval leads on by itself.
#[test]
fn r5_asking_shows_the_code_waits_and_goes_on_by_itself() {
    let mut person = Person::visiting("Studio");
    person.hear(VisitNews::Choice { ask: true, first_use: None, pin: PinDigits::new(4) });
    person.clicks("Ask for access");
    assert!(matches!(person.wishes()[..], [Wish::Ask]));
    person.hear(VisitNews::CheckCode(CheckCode::new(42_107)));
    person.sees("042 107");
    person.sees_in_part("If the codes differ");
    assert_eq!(person.buttons(), ["Stop waiting"]);
    person.looks_like("waiting");
    person.hear(VisitNews::Trusted);
    assert!(matches!(person.stage(), Stage::Opening));
    person.hear(VisitNews::Picture);
    assert!(person.shows_picture());
}

/// R5: *denied* says what now.
#[test]
fn r5_a_request_that_was_denied_can_be_made_again_or_the_pin_typed() {
    asks_again_after(Code::Denied, "denied");
}

/// R5: *expired* says what now.
#[test]
fn r5_a_request_that_expired_can_be_made_again_or_the_pin_typed() {
    asks_again_after(Code::RequestExpired, "expired");
}

fn asks_again_after(code: Code, look: &str) {
    let mut person = Person::visiting("Studio");
    person.hear(VisitNews::Choice { ask: true, first_use: None, pin: PinDigits::new(4) });
    person.clicks("Ask for access");
    person.hear(VisitNews::CheckCode(CheckCode::new(42_107)));
    person.wishes();
    person.hear(VisitNews::Failed(refused(code)));
    assert_eq!(person.buttons(), ["Ask again", "Pair with PIN", "Close"]);
    person.looks_like(look);
    person.clicks("Ask again");
    assert!(matches!(person.wishes()[..], [Wish::Ask]));
}

/// Escape leaves every page, and ends what goes on there: a request goes from the host's list with it.
#[test]
fn escape_leaves_whatever_is_open() {
    let news = [
        None,
        Some(VisitNews::Choice { ask: true, first_use: None, pin: PinDigits::new(4) }),
        Some(VisitNews::CheckCode(CheckCode::new(1))),
        Some(VisitNews::Failed(Failure::FingerprintChanged { old: fingerprint(1), new: fingerprint(2) })),
        Some(VisitNews::Failed(Failure::Unreachable(Vec::new()))),
        Some(VisitNews::Trusted),
    ];
    for news in news {
        let mut person = Person::visiting("Studio");
        if let Some(news) = news {
            person.hear(news);
        }
        person.presses(Key::Escape);
        assert!(matches!(person.wishes()[..], [Wish::Leave]));
        assert_eq!(person.title(), "Punktfunk");
    }
}

/// What comes late from a visit that was left must not open a page, nor a picture.
#[test]
fn news_of_a_visit_that_was_left_is_no_news() {
    let mut person = Person::visiting("Studio");
    person.presses(Key::Escape);
    person.hear(VisitNews::Choice { ask: true, first_use: None, pin: None });
    person.hear(VisitNews::Picture);
    assert_eq!(person.title(), "Punktfunk");
    assert!(!person.shows_picture());
}

/// A host that is off is no dead end.
#[test]
fn a_host_that_does_not_answer_can_be_tried_again() {
    let mut person = Person::visiting("Studio");
    person.hear(VisitNews::Failed(Failure::Unreachable(Vec::new())));
    person.looks_like("unreachable");
    person.presses(Key::Enter);
    assert!(matches!(person.wishes()[..], [Wish::Again]));
}

fn refused(code: Code) -> Failure {
    Failure::Refused { code, retry_after: None }
}
