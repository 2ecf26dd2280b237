//! What a known host is called, by what it is woken, and a store of version 1, which knew of neither.

use std::{fs, os::unix::fs::PermissionsExt};

use pf_base::{Fingerprint, HardwareAddress};
use pf_store::{ClientStore, HostFacts, HostState, KnownHost, PinError};
use pf_trust::{
    proof::Comparison,
    route::{Known, Named, PinnedBy},
};

use crate::common::{Home, at, confirmed, key, name};

fn open(home: &Home) -> ClientStore {
    ClientStore::open(&home.dir).unwrap()
}

fn facts(advert_id: Option<&str>, host_name: Option<&str>, label: &str) -> HostFacts {
    HostFacts {
        named: Named::Discovered,
        meant: None,
        label: name(label),
        advert_id: advert_id.map(str::to_owned),
        host_name: host_name.map(str::to_owned),
        address: Some(([192, 0, 2, 1], 9777).into()),
    }
}

fn host(store: &ClientStore, fingerprint: Fingerprint) -> KnownHost {
    store.hosts().unwrap().into_iter().find(|host| host.fingerprint == fingerprint).unwrap()
}

fn card(last: u8) -> HardwareAddress {
    HardwareAddress::new([0x02, 0, 0, 0, 0, last]).unwrap()
}

#[test]
fn a_name_that_a_person_gave_outlasts_what_the_host_calls_itself() {
    let home = Home::new();
    let mut store = open(&home);
    store.pin(confirmed(1, "tower"), &facts(Some("id"), Some("tower"), "tower"), at(1)).unwrap();
    assert!(store.rename(key(1), &name("Büro"), at(2)).unwrap());
    assert!(!store.rename(key(9), &name("nobody"), at(2)).unwrap());
    let renamed_itself = facts(Some("id"), Some("cellar"), "cellar");
    store.used(key(1), &renamed_itself, at(3)).unwrap();
    store.pin(confirmed(1, "cellar"), &renamed_itself, at(4)).unwrap();
    drop(store);

    let store = open(&home);
    let tower = host(&store, key(1));
    assert_eq!((tower.label, tower.own_name), (name("Büro"), name("tower")));
    for text in ["büro", "Tower", "cellar"] {
        assert_eq!(store.find(text).unwrap().len(), 1, "{text}");
    }
}

/// An impostor advertises itself by the name that the person gave a host, or that the host had before, and is new under it.
#[test]
fn r1_a_host_is_found_under_every_name_that_it_is_called_by() {
    let home = Home::new();
    let mut store = open(&home);
    // Paired by its address: nothing was advertised, and its name is only what it said itself.
    store.pin(confirmed(1, "Tower"), &facts(None, None, "Tower"), at(1)).unwrap();
    store.rename(key(1), &name("Wohnzimmer Ü"), at(2)).unwrap();
    for taken in ["tower", "TOWER.", "wohnzimmer ü", "Wohnzimmer Ü"] {
        let impostor = facts(Some("other"), Some(taken), "impostor");
        let known = store.known(&impostor, Some(key(2))).unwrap();
        assert_eq!(known, Known::Pinned { fingerprint: key(1), how: PinnedBy::Pin }, "{taken}");
        let refused = store.pin_first_use(key(2), &impostor, at(3));
        assert!(matches!(refused, Err(PinError::PinnedOtherwise { .. })), "{taken}: {refused:?}");
    }
    assert_eq!(store.known(&facts(None, Some("other"), "other"), None).unwrap(), Known::Never);
}

/// Of two machines of one name, one is taken for the other, or pairing with one again takes the other's pin away.
#[test]
fn r7_a_host_that_was_meant_is_that_one_however_many_share_its_name() {
    let home = Home::new();
    let mut store = open(&home);
    let desk = facts(None, None, "desk");
    for number in 1..=2 {
        store.pin(confirmed(number, "desk"), &desk, at(number.into())).unwrap();
    }
    let advertised = |meant| HostFacts { meant: Some(key(meant)), ..facts(None, Some("desk"), "desk") };
    for number in 1..=2 {
        let pinned = Known::Pinned { fingerprint: key(number), how: PinnedBy::Pin };
        assert_eq!(store.known(&advertised(number), None).unwrap(), pinned);
        store.pin_approved(key(number), Comparison::CodeShown, &advertised(number), at(3)).unwrap();
        store.pin(confirmed(number, "desk"), &advertised(number), at(4)).unwrap();
    }
    assert!(store.hosts().unwrap().iter().all(KnownHost::is_pinned));

    // The first one was installed anew: now its old key is replaced, and nothing of the other's.
    let anew = HostFacts { meant: Some(key(1)), ..desk };
    assert!(store.pin_approved(key(3), Comparison::CodeShown, &anew, at(5)).is_err());
    store.pin(confirmed(3, "desk"), &anew, at(6)).unwrap();
    let pinned: Vec<_> = store.hosts().unwrap().iter().map(KnownHost::is_pinned).collect();
    assert_eq!(pinned, [false, true, true]);
}

/// An advert that claims a known host's key calls it otherwise, and it is new again.
#[test]
fn r1_what_an_advert_calls_a_known_host_does_not_take_the_place_of_what_is_known() {
    let home = Home::new();
    let mut store = open(&home);
    store.seen_required(key(1), &facts(Some("id-1"), Some("tower"), "tower"), at(1)).unwrap();
    let renamed = HostFacts { meant: Some(key(1)), ..facts(Some("id-9"), Some("cellar"), "cellar") };
    assert_eq!(store.known(&renamed, None).unwrap(), Known::SeenRequired);
    assert_eq!(store.known(&renamed, Some(key(9))).unwrap(), Known::SeenRequired);
    let refused = store.pin_first_use(key(9), &renamed, at(2));
    assert!(matches!(refused, Err(PinError::PairingRequired { .. })), "{refused:?}");
}

/// A machine that was never trusted, or is not any more, has a client send packets for it.
#[test]
fn hardware_addresses_are_kept_of_pinned_hosts_alone() {
    let home = Home::new();
    let mut store = open(&home);
    let tower = facts(Some("id"), Some("tower"), "tower");
    store.asked(key(2), &facts(Some("id-2"), Some("asked"), "asked"), at(1)).unwrap();
    store.note_hardware(key(2), &[card(1)]).unwrap();
    store.note_hardware(key(9), &[card(1)]).unwrap();
    assert_eq!(host(&store, key(2)).hardware, []);

    store.pin(confirmed(1, "tower"), &tower, at(2)).unwrap();
    store.note_hardware(key(1), &[card(1), card(2), card(1)]).unwrap();
    assert_eq!(host(&store, key(1)).hardware, [card(1), card(2)]);
    store.note_hardware(key(1), &[card(3)]).unwrap();
    assert_eq!(
        host(&store, key(1)).hardware,
        [card(3)],
        "what it says now takes the place of what it said before"
    );
    let many: Vec<_> = (1..=9).map(card).collect();
    store.note_hardware(key(1), &many).unwrap();
    assert_eq!(host(&store, key(1)).hardware, many[..4]);

    store.forget(key(1), at(3)).unwrap();
    assert_eq!(host(&store, key(1)).hardware, []);
    store.note_hardware(key(1), &[card(1)]).unwrap();
    assert_eq!(host(&store, key(1)).hardware, [], "nor does it come back");
}

/// A key that another took the place of keeps its hardware addresses.
#[test]
fn a_replaced_key_loses_its_hardware_addresses_with_its_pin() {
    let home = Home::new();
    let mut store = open(&home);
    let tower = facts(Some("id"), Some("tower"), "tower");
    store.pin(confirmed(1, "tower"), &tower, at(1)).unwrap();
    store.note_hardware(key(1), &[card(1)]).unwrap();
    store.pin(confirmed(2, "tower"), &tower, at(2)).unwrap();
    assert_eq!(host(&store, key(1)).hardware, []);
}

/// After an update a client has lost its pins, or what it forgot is new again.
#[test]
fn a_store_of_version_1_is_read_with_all_that_is_in_it() {
    let home = Home::new();
    let path = home.file("client.sqlite");
    fs::write(&path, OF_VERSION_1).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();

    let mut store = open(&home);
    let [tower, cellar] = <[KnownHost; 2]>::try_from(store.hosts().unwrap()).unwrap();
    assert_eq!(tower.fingerprint.for_the_eye(), "JMFQ-QDIS-EVBF-WXZ7");
    assert_eq!(tower.state, HostState::Pinned { how: PinnedBy::Pin, at: at(1_795_409_189_407) });
    assert_eq!((&tower.label, &tower.own_name), (&name("tower"), &name("tower")));
    assert_eq!(tower.addresses, ["127.0.0.1:9871".parse().unwrap()]);
    assert_eq!((tower.last_used, tower.hardware), (Some(at(1_795_409_189_567)), Vec::new()));
    assert_eq!(cellar.state, HostState::Forgotten { at: at(1_795_409_194_579) });

    store.rename(tower.fingerprint, &name("Büro"), at(1_795_409_200_000)).unwrap();
    store.note_hardware(tower.fingerprint, &[card(1)]).unwrap();
    drop(store);
    let tower = host(&open(&home), tower.fingerprint);
    assert_eq!((tower.label, tower.hardware), (name("Büro"), vec![card(1)]));
}

/// A store that the program of version 1 wrote: it paired with two hosts by PIN, streamed from the first, and forgot the
/// second.
const OF_VERSION_1: &[u8] = include_bytes!("client-v1.sqlite");
