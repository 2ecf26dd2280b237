//! The pages around the dialogs: the grid of hosts, settings, and what lies over a picture.

use std::{net::SocketAddr, time::Duration};

use crate::support::{Person, TODAY, fingerprint};
use egui::Key;
use pf_app::{GrabKeyboard, News, Settings, Stage, StreamSize, Target, VisitNews, Wish};
use pf_base::{DeviceName, Timestamp};
use pf_client::{Failure, Neighbourhood};
use pf_discovery::{Advert, Sighting};
use pf_store::{HostState, KnownHost};
use pf_trust::route::PinnedBy;

/// Somebody who sees a pinned host, one that was trusted on first use and is off, a new one, and one in a pinned one's name.
fn among_hosts() -> Person {
    let mut around = Neighbourhood::default();
    around.know(vec![known("Studio", 1, PinnedBy::Pin), known("Attic", 2, PinnedBy::FirstUse)]);
    for (name, key, pair) in [("Studio", 1, "required"), ("Kitchen", 3, "optional"), ("Attic", 4, "optional")]
    {
        around.see(Sighting::Seen(advert(name, key, pair)));
    }
    let mut person = Person::at(pf_app::App::new(Settings::default()));
    person.hear_of(News::Hosts(around.list()));
    person
}

fn known(name: &str, key: u8, how: PinnedBy) -> KnownHost {
    KnownHost {
        fingerprint: fingerprint(key),
        label: DeviceName::sanitise(name),
        state: HostState::Pinned { how, at: Timestamp::EPOCH },
        advert_ids: Vec::new(),
        own_name: DeviceName::sanitise(name),
        host_names: vec![name.to_owned()],
        addresses: vec![address(key)],
        hardware: Vec::new(),
        last_used: Some(TODAY),
    }
}

fn advert(name: &str, key: u8, pair: &'static str) -> Advert {
    let claimed = fingerprint(key).hex();
    let txt = |wanted: &str| match wanted {
        "fp" => Some(claimed.as_str()),
        "pair" => Some(pair),
        _ => None,
    };
    Advert::read(name, txt, [address(key)])
}

fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, number], 9777))
}

#[test]
fn every_host_is_there_with_how_far_it_is_trusted() {
    let mut person = among_hosts();
    for line in ["Studio", "Paired", "Attic", "Trusted on first use", "Kitchen", "New", "Lets guests in"] {
        person.sees(line);
    }
    person.looks_like("hosts");
}

/// An advert in a pinned host's name with another key must not stand there as a second, clean one.
#[test]
fn r1_who_claims_a_pinned_hosts_name_is_shown_with_it_and_as_a_dispute() {
    let person = among_hosts();
    person.sees("Name disputed");
    assert_eq!(person.buttons().iter().filter(|name| name.starts_with("Connect to Attic")).count(), 1);
}

#[test]
fn nobody_around_says_what_to_do() {
    let mut person = Person::at(pf_app::App::new(Settings::default()));
    person.sees_in_part("Looking for hosts");
    person.looks_like("no_hosts");
}

/// A click on a card, or Enter on it, visits that host and no other.
#[test]
fn a_host_is_visited_with_one_activation() {
    let mut person = among_hosts();
    person.clicks("Connect to Kitchen, New, on the network now");
    let wishes = person.wishes();
    let [Wish::Visit(_, Target::Listed(host))] = &wishes[..] else { panic!("{wishes:?}") };
    assert_eq!(host.name.as_str(), "Kitchen");
    assert_eq!(person.title(), "Reaching Kitchen – Punktfunk");
}

/// By keyboard alone, from nothing: Tab to a card, Enter.
#[test]
fn a_host_is_visited_by_keyboard_alone() {
    let mut person = among_hosts();
    for _ in 0..8 {
        person.presses(Key::Tab);
        if person.focused().starts_with("Connect to Studio") {
            person.presses(Key::Enter);
            assert_eq!(person.title(), "Reaching Studio – Punktfunk");
            return;
        }
    }
    panic!("no Tab leads to the card");
}

#[test]
fn a_host_is_added_by_its_address() {
    let mut person = among_hosts();
    person.clicks("Add a host…");
    person.types(" 192.0.2.9:5 ");
    person.looks_like("add");
    person.presses(Key::Enter);
    let wishes = person.wishes();
    let [Wish::Visit(_, Target::Typed(text))] = &wishes[..] else { panic!("{wishes:?}") };
    assert_eq!(text, "192.0.2.9:5");
}

/// R3, *forgetting*: what it means is said before, and the default is to keep it.
#[test]
fn r3_forgetting_says_what_it_means_and_its_default_is_to_keep() {
    let mut person = among_hosts();
    person.clicks("More about Studio");
    person.clicks("Forget…");
    person.sees_in_part("must be paired with by PIN");
    person.looks_like("forget");
    person.presses(Key::Enter);
    assert!(person.wishes().is_empty());
    person.clicks("More about Studio");
    person.clicks("Forget…");
    person.clicks("Forget");
    let wishes = person.wishes();
    assert!(matches!(wishes[..], [Wish::Forget(key)] if key == fingerprint(1)), "{wishes:?}");
}

#[test]
fn a_host_is_renamed() {
    let mut person = among_hosts();
    person.clicks("More about Studio");
    person.clicks("Rename…");
    person.types(" 2");
    person.presses(Key::Enter);
    let wishes = person.wishes();
    let [Wish::Rename(key, name)] = &wishes[..] else { panic!("{wishes:?}") };
    assert_eq!((*key, name.as_str()), (fingerprint(1), "Studio 2"));
}

#[test]
fn a_choice_in_the_settings_is_kept_at_once() {
    let mut person = among_hosts();
    person.clicks("Settings");
    person.looks_like("settings");
    person.chooses("Picture size", "1920 × 1080");
    let wishes = person.wishes();
    let [Wish::Keep(settings)] = &wishes[..] else { panic!("{wishes:?}") };
    assert!(matches!(settings.size, StreamSize::Fixed(size) if size.width == 1920));
    person.chooses("Alt+Tab and the like", "to the host always");
    let wishes = person.wishes();
    let [Wish::Keep(settings)] = &wishes[..] else { panic!("{wishes:?}") };
    assert_eq!(settings.grab_keyboard, GrabKeyboard::Always);
}

/// A lost session is tried again at once and then ever more rarely, says so, and stops when its person does.
#[test]
fn a_lost_session_is_taken_up_again_until_its_person_stops() {
    let mut person = Person::visiting("Studio");
    person.hear(VisitNews::Trusted);
    person.hear(VisitNews::Picture);
    person.hear(VisitNews::Failed(Failure::Unreachable(Vec::new())));
    person.waits(Duration::ZERO);
    assert!(matches!(person.wishes()[..], [Wish::Again]));
    person.sees_in_part("Reconnecting to Studio");
    person.hear(VisitNews::Failed(Failure::Unreachable(Vec::new())));
    assert!(person.wishes().is_empty(), "not before a second is over");
    person.looks_like("reconnecting");
    person.waits(Duration::from_secs(1));
    assert!(matches!(person.wishes()[..], [Wish::Again]));
    person.hear(VisitNews::Trusted);
    assert!(
        matches!(person.stage(), Stage::Reconnecting(_)),
        "the old picture stays until there is a new one"
    );
    person.hear(VisitNews::Picture);
    assert!(matches!(person.stage(), Stage::Picture));

    person.hear(VisitNews::Failed(Failure::Unreachable(Vec::new())));
    person.presses(Key::Escape);
    assert!(person.wishes().iter().any(|wish| matches!(wish, Wish::Leave)));
    assert_eq!(person.title(), "Punktfunk");
}

/// R3: what the host says at a reconnect is an alarm as ever, and not one more try.
#[test]
fn r3_an_impostor_at_a_reconnect_is_an_alarm() {
    let mut person = Person::visiting("Studio");
    person.hear(VisitNews::Trusted);
    person.hear(VisitNews::Picture);
    person.hear(VisitNews::Failed(Failure::Unreachable(Vec::new())));
    person.hear(VisitNews::Failed(Failure::FingerprintChanged { old: fingerprint(1), new: fingerprint(2) }));
    assert_eq!(person.title(), "STOP: Studio has changed – Punktfunk");
    assert!(!person.shows_picture());
}

/// The keys that lead back from the picture are shown as it opens, and not for ever.
#[test]
fn the_ways_back_are_shown_as_a_session_opens() {
    let mut person = Person::visiting("Studio");
    person.hear(VisitNews::Trusted);
    person.hear(VisitNews::Picture);
    person.sees_in_part("Ctrl+Alt+Shift");
    person.does_not_see("Alt+Tab");
    person.waits(Duration::from_secs(6));
    person.does_not_see("Ctrl+Alt+Shift");
}

/// Whoever presses Alt+Tab and sees nothing of it here must have been told where it goes, while it goes there.
#[test]
fn a_person_is_told_when_the_desktops_own_keys_go_to_the_host() {
    let mut person = Person::visiting("Studio");
    person.hear(VisitNews::Trusted);
    person.hear_of(News::AllKeys(true));
    person.hear(VisitNews::Picture);
    person.sees_in_part("All other keys go to the host now, Alt+Tab");
    person.looks_like("entry");
    person.hear_of(News::AllKeys(false));
    person.sees_in_part("Ctrl+Alt+Shift");
    person.does_not_see("Alt+Tab");
}

#[test]
fn the_menu_over_a_picture_changes_the_stream_and_leaves() {
    let mut person = Person::visiting("Studio");
    person.hear(VisitNews::Trusted);
    person.hear(VisitNews::Picture);
    person.opens_the_menu();
    person.looks_like("menu");
    person.chooses("Bitrate at most", "10 Mbit/s");
    let wishes = person.wishes();
    let [Wish::Keep(settings)] = &wishes[..] else { panic!("{wishes:?}") };
    assert_eq!(settings.bitrate, Some(10));
    person.clicks("Leave");
    assert!(matches!(person.wishes()[..], [Wish::Leave]));
    assert_eq!(person.title(), "Punktfunk");
}

/// From 1× to 3× every dialog can be read and pressed: at 3×, by scrolling.
#[test]
fn a_dialog_fits_a_small_window_at_three_times_the_size() {
    let mut person = Person::visiting("Studio");
    person.hear(VisitNews::Failed(Failure::FingerprintChanged { old: fingerprint(1), new: fingerprint(2) }));
    person.looks_at_scale(3.0);
    person.looks_like("changed_3x");
    person.presses(Key::Enter);
    assert!(matches!(person.wishes()[..], [Wish::Leave]), "the keyboard reaches what is out of sight");
}

/// A store that cannot be read must be told where its person looks, and that is not a terminal.
#[test]
fn an_app_that_cannot_begin_says_why_and_closes() {
    let why = pf_app::Sentence::new("The store is broken.", "Run punktfunk --restore hosts.");
    let mut person = Person::at(pf_app::App::stopped(why));
    person.sees("The store is broken.");
    person.sees("Run punktfunk --restore hosts.");
    assert_eq!(person.buttons(), ["Close"]);
    person.presses(Key::Enter);
    assert!(matches!(person.wishes()[..], [Wish::Quit]));
}

/// What went wrong beside a visit stands over the hosts, which can be used all the same, until it is dismissed.
#[test]
fn a_problem_stands_over_the_hosts_until_it_is_dismissed() {
    let mut person = among_hosts();
    person.hear_of(News::Problem(pf_app::Sentence::new("It could not be woken.", "Wake it by hand.")));
    person.sees("It could not be woken.");
    person.sees("Studio");
    person.looks_like("problem");
    person.clicks("OK");
    person.does_not_see("It could not be woken.");
}
