//! The client's store: pins, marks that stay, and spent PINs.

use std::{fs, net::SocketAddr, thread};

use pf_base::Timestamp;
use pf_store::{
    ClientStore, DatabaseFault, HostFacts, HostState, HostStore, PinError, SpendError, StoreError,
};
use pf_trust::{
    proof::Comparison,
    route::{Advert, Known, Named, PinnedBy, Route, route},
};
use rusqlite::Connection;

use crate::common::{Home, at, confirmed, key, mode, name};

fn open(home: &Home) -> ClientStore {
    ClientStore::open(&home.dir).unwrap()
}

fn address(last: u8) -> SocketAddr {
    ([192, 0, 2, last], 9777).into()
}

/// A host that was picked from the discovered ones.
fn discovered(id: &str, host_name: &str) -> HostFacts {
    HostFacts {
        named: Named::Discovered,
        meant: None,
        label: name(host_name),
        advert_id: Some(id.to_owned()),
        host_name: Some(host_name.to_owned()),
        address: Some(address(1)),
    }
}

/// A host whose address was typed.
fn typed(last: u8) -> HostFacts {
    HostFacts {
        named: Named::ByHand,
        meant: None,
        label: name("typed"),
        advert_id: None,
        host_name: None,
        address: Some(address(last)),
    }
}

fn state(store: &ClientStore, host: u8) -> HostState {
    store.hosts().unwrap().into_iter().find(|known| known.fingerprint == key(host)).unwrap().state
}

fn pinned(how: PinnedBy, millis: u64) -> HostState {
    HostState::Pinned { how, at: at(millis) }
}

/// Whether any way but the PIN is offered for a host that claims the most that an advert can.
fn offers_more_than_pin(store: &ClientStore, facts: &HostFacts) -> bool {
    let known = store.known(facts, None).unwrap();
    match route(known, facts.named, Advert::Optional, None) {
        Route::Choose { ask, first_use } => ask || first_use,
        Route::Connect { .. } | Route::Repair { .. } | Route::Alarm { .. } | Route::PinOnly => false,
    }
}

#[test]
fn what_was_pinned_is_there_after_a_restart() {
    let home = Home::new();
    let mut store = open(&home);
    let facts = discovered("id-1", "Tower.Local.");
    store.pin(confirmed(1, "tower"), &facts, at(10)).unwrap();
    store.pin_approved(key(2), Comparison::CodeShown, &discovered("id-2", "two"), at(20)).unwrap();
    store.pin_approved(key(3), Comparison::NothingToCompare, &discovered("id-3", "three"), at(30)).unwrap();
    store.pin_first_use(key(4), &discovered("id-4", "four"), at(40)).unwrap();
    store.used(key(1), &typed(9), at(50)).unwrap();
    let before = store.hosts().unwrap();
    drop(store);

    let store = open(&home);
    let hosts = store.hosts().unwrap();
    assert_eq!(hosts, before);
    let states: Vec<_> = hosts.iter().map(|host| host.state).collect();
    assert_eq!(
        states,
        [
            pinned(PinnedBy::Pin, 10),
            pinned(PinnedBy::Approval(Comparison::CodeShown), 20),
            pinned(PinnedBy::Approval(Comparison::NothingToCompare), 30),
            pinned(PinnedBy::FirstUse, 40),
        ]
    );
    let tower = &hosts[0];
    assert_eq!((tower.fingerprint, &tower.label), (key(1), &name("Tower.Local.")));
    assert_eq!(
        (tower.advert_ids.as_slice(), tower.host_names.as_slice()),
        (&["id-1".into()][..], &["tower.local".into()][..])
    );
    assert_eq!(tower.addresses.first(), Some(&address(9)), "the last one first");
    assert_eq!(tower.last_used, Some(at(50)));
}

/// The record of a trust on first use passes for more than it was.
#[test]
fn inv_43_a_first_use_says_so_until_something_was_checked() {
    let home = Home::new();
    let mut store = open(&home);
    let facts = discovered("id", "tower");
    store.pin_first_use(key(1), &facts, at(1)).unwrap();
    assert_eq!(state(&store, 1), pinned(PinnedBy::FirstUse, 1));
    store.pin_approved(key(1), Comparison::CodeShown, &facts, at(2)).unwrap();
    assert_eq!(state(&store, 1), pinned(PinnedBy::Approval(Comparison::CodeShown), 2));
    store.pin(confirmed(1, "tower"), &facts, at(3)).unwrap();
    assert_eq!(state(&store, 1), pinned(PinnedBy::Pin, 3));
    store.pin_approved(key(1), Comparison::CodeShown, &facts, at(4)).unwrap();
    store.pin_first_use(key(1), &facts, at(5)).unwrap();
    assert_eq!(state(&store, 1), pinned(PinnedBy::Pin, 3), "less does not take its place");
}

/// An impostor under a pinned host's id, name or typed address gets pinned in its place by anything but the PIN.
#[test]
fn inv_41_the_old_pin_stays_until_the_pin_ceremony_succeeded() {
    for impostor in [discovered("id", "other"), discovered("other", "TOWER"), {
        HostFacts { named: Named::ByHand, ..discovered("other", "other") }
    }] {
        let home = Home::new();
        let mut store = open(&home);
        store.pin(confirmed(1, "tower"), &discovered("id", "tower"), at(1)).unwrap();
        let refusals = [
            store.pin_approved(key(2), Comparison::CodeShown, &impostor, at(2)).unwrap_err(),
            store.pin_first_use(key(2), &impostor, at(2)).unwrap_err(),
        ];
        for refusal in refusals {
            assert!(
                matches!(refusal, PinError::PinnedOtherwise { pinned, .. } if pinned == key(1)),
                "{refusal}"
            );
        }
        store.asked(key(2), &impostor, at(3)).unwrap();
        store.seen_required(key(2), &impostor, at(4)).unwrap();
        assert_eq!(state(&store, 1), pinned(PinnedBy::Pin, 1));
        let known = store.known(&impostor, Some(key(2))).unwrap();
        assert_eq!(known, Known::Pinned { fingerprint: key(1), how: PinnedBy::Pin }, "{impostor:?}");

        store.pin(confirmed(2, "tower"), &impostor, at(5)).unwrap();
        assert_eq!(state(&store, 2), pinned(PinnedBy::Pin, 5));
        let known = store.known(&impostor, None).unwrap();
        assert_eq!(known, Known::Pinned { fingerprint: key(2), how: PinnedBy::Pin }, "{impostor:?}");
    }
}

/// After the person paired with a host's new key, the old one connects as silently as before.
#[test]
fn inv_41_a_key_that_was_replaced_is_forgotten() {
    let home = Home::new();
    let mut store = open(&home);
    let facts = discovered("id", "tower");
    store.pin(confirmed(1, "tower"), &facts, at(1)).unwrap();
    store.pin(confirmed(2, "tower"), &facts, at(2)).unwrap();
    assert_eq!(state(&store, 1), HostState::Forgotten { at: at(2) });
    let known = store.known(&facts, Some(key(1))).unwrap();
    assert_eq!(known, Known::Pinned { fingerprint: key(2), how: PinnedBy::Pin });
    store.pin_approved(key(2), Comparison::CodeShown, &facts, at(3)).unwrap();
    assert_eq!(state(&store, 2), pinned(PinnedBy::Pin, 2), "asking the pinned key again is no loosening");
}

/// A host is forgotten to get rid of the alarm, and an impostor is trusted on first use.
#[test]
fn inv_39_forgetting_leaves_a_mark_that_only_the_pin_lifts() {
    let home = Home::new();
    let mut store = open(&home);
    let facts = discovered("id", "tower");
    store.pin(confirmed(1, "tower"), &facts, at(1)).unwrap();
    assert!(store.forget(key(1), at(2)).unwrap());
    assert!(!store.forget(key(1), at(3)).unwrap(), "it is no longer pinned");
    drop(store);

    let mut store = open(&home);
    assert_eq!(state(&store, 1), HostState::Forgotten { at: at(2) });
    for (host, again) in [(1, facts.clone()), (1, discovered("new id", "new name")), (2, facts.clone())] {
        assert!(matches!(store.pin_first_use(key(host), &again, at(4)), Err(PinError::Forgotten { .. })));
        assert!(matches!(
            store.pin_approved(key(host), Comparison::CodeShown, &again, at(4)),
            Err(PinError::Forgotten { .. })
        ));
    }
    store.asked(key(1), &facts, at(5)).unwrap();
    store.seen_required(key(1), &facts, at(5)).unwrap();
    assert_eq!(state(&store, 1), HostState::Forgotten { at: at(2) });
    assert!(!offers_more_than_pin(&store, &facts));
    store.pin(confirmed(1, "tower"), &facts, at(6)).unwrap();
    assert_eq!(state(&store, 1), pinned(PinnedBy::Pin, 6));
}

/// The store is edited, or a bug deletes a row, and the host is new again.
#[test]
fn a_once_pinned_host_cannot_be_deleted() {
    let home = Home::new();
    let mut store = open(&home);
    store.pin_first_use(key(1), &discovered("id", "tower"), at(1)).unwrap();
    store.forget(key(1), at(2)).unwrap();
    let by_hand = Connection::open(home.file("client.sqlite")).unwrap();
    for sql in [
        "DELETE FROM hosts",
        "UPDATE hosts SET pinned_at = NULL, pinned_by = NULL, forgotten_at = NULL, asked_at = 1",
        "UPDATE hosts SET fingerprint = zeroblob(32)",
    ] {
        let error = by_hand.execute(sql, []).unwrap_err().to_string();
        assert_eq!(error, "a host that was once pinned leaves a mark", "{sql}");
    }
}

/// A spoofed `pair=optional` for a host that itself once required pairing.
#[test]
fn inv_39_a_host_that_required_pairing_is_never_trusted_on_first_use() {
    let home = Home::new();
    let mut store = open(&home);
    let (seen, asked) = (discovered("id-1", "one"), discovered("id-2", "two"));
    store.seen_required(key(1), &seen, at(1)).unwrap();
    store.asked(key(2), &asked, at(1)).unwrap();
    assert_eq!(store.known(&seen, None).unwrap(), Known::SeenRequired);
    assert_eq!(store.known(&asked, None).unwrap(), Known::Asked { fingerprint: key(2) });
    for (host, facts) in [(1, &seen), (9, &seen), (2, &asked), (9, &asked)] {
        let refused = store.pin_first_use(key(host), facts, at(2));
        assert!(matches!(refused, Err(PinError::PairingRequired { .. })), "{refused:?}");
    }
    store.pin_approved(key(2), Comparison::CodeShown, &asked, at(3)).unwrap();
    assert_eq!(state(&store, 2), pinned(PinnedBy::Approval(Comparison::CodeShown), 3));
}

/// A paired machine answers in another paired machine's place.
#[test]
fn a_pinned_host_in_another_ones_place_is_not_that_one() {
    let home = Home::new();
    let mut store = open(&home);
    let (tower, friend) = (discovered("id-1", "tower"), discovered("id-2", "friend"));
    store.pin(confirmed(1, "tower"), &tower, at(1)).unwrap();
    store.pin(confirmed(2, "friend"), &friend, at(2)).unwrap();
    let known = store.known(&tower, Some(key(2))).unwrap();
    let answer = pf_trust::route::Answer { fingerprint: key(2), policy: None, refused: None };
    let route = route(known, Named::Discovered, Advert::Required, Some(answer));
    assert_eq!(route, Route::Alarm { old: key(1), new: key(2) });
    let unnamed = discovered("id-3", "unknown");
    assert_eq!(store.known(&unnamed, None).unwrap(), Known::Never);
    let known = store.known(&unnamed, Some(key(2))).unwrap();
    assert_eq!(
        known,
        Known::Pinned { fingerprint: key(2), how: PinnedBy::Pin },
        "by its key, under a new name"
    );

    store.forget(key(1), at(3)).unwrap();
    let known = store.known(&tower, Some(key(2))).unwrap();
    assert_eq!(known, Known::Forgotten { fingerprint: Some(key(1)) }, "nor is it once that one is forgotten");
}

/// An advert for a pinned host gives it another name, and the first one is free for an impostor.
#[test]
fn inv_39_a_new_name_does_not_make_a_client_lose_sight_of_the_first_one() {
    let home = Home::new();
    let mut store = open(&home);
    let facts = discovered("id", "tower");
    store.pin(confirmed(1, "tower"), &facts, at(1)).unwrap();
    for other in 0..50 {
        let spoofed = discovered(&format!("id-{other}"), &format!("name-{other}"));
        store.used(key(1), &spoofed, at(2)).unwrap();
    }
    assert!(!offers_more_than_pin(&store, &discovered("id", "impostor")));
    assert!(!offers_more_than_pin(&store, &discovered("impostor", "tower")));
    let host = &store.hosts().unwrap()[0];
    assert_eq!((host.advert_ids.len(), host.host_names.len()), (16, 16), "and what is kept is bounded");
}

#[test]
fn an_address_is_the_pinned_hosts_that_proved_itself_there_last() {
    let home = Home::new();
    let mut store = open(&home);
    store.pin(confirmed(1, "a"), &typed(1), at(1)).unwrap();
    store.pin(confirmed(2, "b"), &typed(2), at(2)).unwrap();
    store.used(key(2), &typed(1), at(3)).unwrap();
    assert_eq!(
        store.known(&typed(1), None).unwrap(),
        Known::Pinned { fingerprint: key(2), how: PinnedBy::Pin }
    );
    store.seen_required(key(3), &typed(1), at(4)).unwrap();
    assert_eq!(
        store.known(&typed(1), Some(key(3))).unwrap(),
        Known::Pinned { fingerprint: key(2), how: PinnedBy::Pin },
        "one that is not pinned takes it from nobody"
    );
    let at_the_same_address = HostFacts { address: Some(address(1)), ..discovered("id-9", "nine") };
    assert_eq!(store.known(&at_the_same_address, None).unwrap(), Known::Never, "addresses change hands");
}

#[test]
fn a_host_is_found_by_whatever_a_person_may_call_it() {
    let home = Home::new();
    let mut store = open(&home);
    let facts = HostFacts { label: name("Büro PC"), ..discovered("id-1", "tower.local") };
    store.pin(confirmed(1, "Büro PC"), &facts, at(1)).unwrap();
    store
        .pin(
            confirmed(2, "two"),
            &HostFacts { address: Some(address(2)), ..discovered("id-2", "two") },
            at(1),
        )
        .unwrap();
    let found = |text: &str| -> Vec<_> {
        store.find(text).unwrap().into_iter().map(|host| host.fingerprint).collect()
    };
    let (hex, eye) = (key(1).hex(), key(1).for_the_eye().to_lowercase());
    for text in [
        "büro pc",
        "BÜRO PC",
        "Tower.Local.",
        "id-1",
        "192.0.2.1",
        "192.0.2.1:9777",
        &key(1).to_string(),
        &hex,
        &eye,
    ] {
        assert_eq!(found(text), [key(1)], "{text}");
    }
    for text in ["", "tower", "192.0.2", "192.0.2.1:1", &hex[..63]] {
        assert_eq!(found(text), [], "{text}");
    }
}

/// The client is restarted between two tries of one PIN, which would give an impostor a second guess.
#[test]
fn inv_13_a_spent_pin_stays_spent_for_a_day() {
    const HOUR: u64 = 60 * 60 * 1000;
    let home = Home::new();
    let mut store = open(&home);
    store.mark_pin_spent([1; 32], at(HOUR)).unwrap();
    drop(store);
    let mut store = open(&home);
    for again in [HOUR, 2 * HOUR, 25 * HOUR] {
        let spent = store.mark_pin_spent([1; 32], at(again));
        assert!(matches!(spent, Err(SpendError::AlreadySpent)), "{again}: {spent:?}");
    }
    store.mark_pin_spent([2; 32], at(2 * HOUR)).unwrap();
    store.mark_pin_spent([1; 32], at(25 * HOUR + 1)).unwrap();
    let left: u32 = Connection::open(home.file("client.sqlite"))
        .unwrap()
        .query_row("SELECT count(*) FROM spent_pins", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 2, "what is older than a day is gone from the disk");
}

#[test]
fn two_clients_at_once_see_what_the_other_stored() {
    let home = Home::new();
    thread::scope(|scope| {
        for client in 0..4_u8 {
            let home = &home;
            scope.spawn(move || {
                let mut store = open(home);
                for step in 0..5 {
                    let host = 1 + client * 5 + step;
                    let facts = discovered(&format!("id-{host}"), &format!("name-{host}"));
                    store.pin(confirmed(host, "host"), &facts, at(host.into())).unwrap();
                    store.keep_copy().unwrap();
                }
            });
        }
    });
    let (mut one, two) = (open(&home), open(&home));
    assert_eq!(two.hosts().unwrap().len(), 20);
    one.forget(key(1), at(100)).unwrap();
    assert_eq!(state(&two, 1), HostState::Forgotten { at: at(100) });
    assert_eq!(home.names("backup").len(), 4, "three copies, and the identity's");
}

#[test]
fn it_goes_back_to_a_copy_like_the_host_but_not_while_in_use() {
    let home = Home::new();
    let mut store = open(&home);
    store.pin(confirmed(1, "tower"), &discovered("id", "tower"), at(100)).unwrap();
    store.forget(key(1), at(200)).unwrap();
    store.keep_copy().unwrap();
    let error = ClientStore::restore(&home.dir, at(300)).unwrap_err();
    assert!(matches!(error, StoreError::InUse { program: "punktfunk", .. }), "{error}");
    let before = store.hosts().unwrap();
    drop(store);

    assert_eq!(ClientStore::restore(&home.dir, at(300)).unwrap(), None);
    fs::write(home.file("client.sqlite"), "").unwrap();
    let error = ClientStore::open(&home.dir).unwrap_err();
    assert!(
        matches!(error, StoreError::Corrupt { fault: DatabaseFault::CutShort, copy: Some(_), .. }),
        "{error}"
    );
    assert_eq!(ClientStore::restore(&home.dir, at(300)).unwrap().unwrap().from, at(200));
    assert_eq!(open(&home).hosts().unwrap(), before);
    assert_eq!(mode(&home.file("client.sqlite")), 0o600);
}

/// Host and client keep their things in one directory: neither is the other's.
#[test]
fn host_and_client_do_not_mind_each_other() {
    let home = Home::new();
    let _client = open(&home);
    let (_host, loaded) = home.host();
    assert_eq!(loaded.devices, []);
    assert_eq!(home.names("backup"), ["client-0.sqlite", "host-0.sqlite", "identity.pem"]);
    assert_eq!(
        HostStore::restore(&home.dir, Timestamp::EPOCH).map_err(|e| e.to_string()).ok(),
        None,
        "in use"
    );
}
