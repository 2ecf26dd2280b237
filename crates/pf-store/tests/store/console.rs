//! The console's store: nobody is signed in who was signed out, and no lost file makes a new password.

use std::{fs, net::IpAddr};

use pf_base::Timestamp;
use pf_store::{
    ConsoleLoaded, ConsoleStore, DatabaseFault, NewSignIn, PasswordHash, SignInRow, SignedInBy, StoreError,
};
use rusqlite::Connection;

use crate::common::{Home, at, mode, name};

fn open(home: &Home) -> (ConsoleStore, ConsoleLoaded) {
    ConsoleStore::open(&home.dir).unwrap()
}

fn password(text: &str, set_at: u64) -> PasswordHash {
    PasswordHash { phc: format!("$argon2id${text}"), set_at: at(set_at) }
}

fn sign_in(number: u8, time: u64) -> NewSignIn {
    NewSignIn {
        token_hash: [number; 32],
        browser: name("Firefox on Linux"),
        address: [192, 0, 2, number].into(),
        by: SignedInBy::Password,
        at: at(time),
    }
}

fn ids(loaded: &ConsoleLoaded) -> Vec<u64> {
    loaded.sign_ins.iter().map(|row| row.id).collect()
}

/// A closed store with a password and three sign-ins, and a copy of it. The sign-ins' numbers are returned.
fn home() -> (Home, Vec<u64>) {
    let home = Home::new();
    let (mut store, _) = open(&home);
    store.set_password(&password("first", 100), None).unwrap();
    let ids: Vec<u64> = (101..=103).map(|number| store.sign_in(&sign_in(number, 200)).unwrap()).collect();
    store.set_password(&password("second", 300), None).unwrap();
    let again: Vec<u64> = (101..=103).map(|number| store.sign_in(&sign_in(number, 400)).unwrap()).collect();
    assert!(again.iter().all(|id| !ids.contains(id)), "a number is used once");
    store.end(&[again[2]], at(500)).unwrap();
    store.keep_copy().unwrap();
    (home, again)
}

fn fault(home: &Home) -> DatabaseFault {
    let before = home.contents();
    let error = ConsoleStore::open(&home.dir).map(drop).unwrap_err();
    assert_eq!(home.contents(), before, "{error}");
    assert!(error.hint().contains("--restore"), "{}", error.hint());
    match error {
        StoreError::Corrupt { path, fault, .. } if path == home.file("console.sqlite") => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn r8_what_was_stored_is_there_after_a_restart() {
    let home = Home::new();
    let (mut store, loaded) = open(&home);
    assert_eq!(loaded, ConsoleLoaded { password: None, sign_ins: vec![] });
    let hash = password("first", 100);
    store.set_password(&hash, None).unwrap();
    let by_link = NewSignIn { by: SignedInBy::Link, ..sign_in(1, 200) };
    let first = store.sign_in(&by_link).unwrap();
    let second = store.sign_in(&sign_in(2, 300)).unwrap();
    let address: IpAddr = "fe80::1".parse().unwrap();
    store.used(second, at(400), address).unwrap();
    store.proved(second, at(500)).unwrap();
    drop(store);

    let row = |id, new: &NewSignIn| SignInRow {
        id,
        token_hash: new.token_hash,
        browser: new.browser.clone(),
        address: new.address,
        by: new.by,
        signed_in_at: new.at,
        last_used_at: new.at,
        proved_at: new.at,
    };
    let used =
        SignInRow { address, last_used_at: at(400), proved_at: at(500), ..row(second, &sign_in(2, 300)) };
    let expected = ConsoleLoaded { password: Some(hash), sign_ins: vec![row(first, &by_link), used] };
    assert_eq!(open(&home).1, expected);
}

/// The host is killed right after somebody signed out: a dropped store writes nothing that a killed one would not.
#[test]
fn r8_an_ended_sign_in_stays_ended() {
    let (home, ids_before) = home();
    let (mut store, loaded) = open(&home);
    assert_eq!(ids(&loaded), ids_before[..2]);
    assert_eq!(store.end(&[ids_before[0], ids_before[2], 999], at(600)).unwrap(), 1);
    // What comes late of one that is over must not open it again.
    store.used(ids_before[0], at(700), [192, 0, 2, 9].into()).unwrap();
    store.proved(ids_before[0], at(700)).unwrap();
    // As a kill leaves it: the database and its log as they are, read in another place.
    let killed = Home::new();
    drop(open(&killed));
    for file in ["console.sqlite", "console.sqlite-wal"] {
        fs::copy(home.file(file), killed.file(file)).unwrap();
    }
    assert_eq!(ids(&open(&killed).1), [ids_before[1]]);
    drop(store);
    assert_eq!(ids(&open(&home).1), [ids_before[1]]);
}

/// Somebody else knows the password and is signed in with it: the new one shuts them out, at once and for good.
#[test]
fn r8_a_new_password_ends_every_sign_in_but_the_one_that_set_it() {
    let (home, before) = home();
    let (mut store, _) = open(&home);
    store.set_password(&password("third", 600), Some(before[1])).unwrap();
    drop(store);
    let (mut store, loaded) = open(&home);
    assert_eq!((loaded.password, loaded.sign_ins.len()), (Some(password("third", 600)), 1));
    assert_eq!(loaded.sign_ins[0].id, before[1]);
    store.set_password(&password("fourth", 700), None).unwrap();
    assert_eq!(store.load().unwrap().sign_ins, []);
}

/// Half of a password change is the old password with nobody signed in, or the new one with everybody.
#[test]
fn r8_a_password_change_that_fails_changes_nothing() {
    let (home, _) = home();
    let (mut store, before) = open(&home);
    let too_long = PasswordHash { phc: "x".repeat(257), set_at: at(600) };
    store.set_password(&too_long, None).unwrap_err();
    assert_eq!(store.load().unwrap(), before);
    let trigger = "CREATE TRIGGER fails BEFORE DELETE ON sign_ins BEGIN SELECT RAISE(ABORT, 'no'); END";
    Connection::open(home.file("console.sqlite")).unwrap().execute_batch(trigger).unwrap();
    store.set_password(&password("third", 600), None).unwrap_err();
    assert_eq!(store.load().unwrap(), before, "the hash was written first, and is undone");
}

/// The file is lost, and the host makes and shows a new password.
#[test]
fn r8_a_missing_store_is_not_made_anew() {
    let home = Home::new();
    drop(open(&home));
    fs::remove_file(home.file("console.sqlite")).unwrap();
    let error = ConsoleStore::open(&home.dir).map(drop).unwrap_err();
    assert!(
        matches!(&error, StoreError::Missing { path, copy: Some(_), .. } if *path == home.file("console.sqlite"))
    );
    assert!(error.hint().contains("--restore"), "{}", error.hint());
    assert!(!home.file("console.sqlite").exists());
}

#[test]
fn r8_a_store_cut_at_any_length_is_refused() {
    let (home, _) = home();
    let whole = fs::read(home.file("console.sqlite")).unwrap();
    for length in [0, 1, 100, 511, 512, 4096, whole.len() / 2, whole.len() - 1] {
        fs::write(home.file("console.sqlite"), &whole[..length]).unwrap();
        assert_eq!(fault(&home), DatabaseFault::CutShort, "{length}");
    }
    fs::write(home.file("console.sqlite"), "not a database ".repeat(100)).unwrap();
    assert_eq!(fault(&home), DatabaseFault::NotADatabase);
}

/// A bit flips in a hash, and the owner's password is wrong from now on.
#[test]
fn r8_a_flipped_bit_in_a_hash_is_refused() {
    let (home, _) = home();
    let whole = fs::read(home.file("console.sqlite")).unwrap();
    for wanted in [b"$argon2id$second".as_slice(), &[101; 32]] {
        let places: Vec<_> = (0..whole.len()).filter(|&place| whole[place..].starts_with(wanted)).collect();
        assert!(places.len() >= 2, "in its table and in an index");
        for place in places {
            let mut altered = whole.clone();
            altered[place + 7] ^= 0x04;
            fs::write(home.file("console.sqlite"), altered).unwrap();
            let refused = ConsoleStore::open(&home.dir).map(|(_, loaded)| loaded);
            // Pages keep what was deleted: a bit in that is nobody's.
            let harmless = refused.as_ref().is_ok_and(|loaded| {
                loaded.password == Some(password("second", 300))
                    && loaded.sign_ins.iter().any(|row| row.token_hash == [101; 32])
            });
            assert!(harmless || matches!(refused, Err(StoreError::Corrupt { .. })), "{place}: {refused:?}");
        }
    }
}

/// An old file is put back: the password that leaked is good again, and who was shut out is in.
#[test]
fn r8_a_store_older_than_its_copy_is_refused() {
    let (home, before) = home();
    let old = fs::read(home.file("console.sqlite")).unwrap();
    for change in [
        |store: &mut ConsoleStore, _| store.set_password(&password("third", 600), None),
        |store: &mut ConsoleStore, id| store.end(&[id], at(600)).map(drop),
    ] {
        fs::write(home.file("console.sqlite"), &old).unwrap();
        for copy in home.names("backup").iter().filter(|name| *name == "console-600.sqlite") {
            fs::remove_file(home.file("backup").join(copy)).unwrap();
        }
        let (mut store, _) = open(&home);
        change(&mut store, before[0]).unwrap();
        store.keep_copy().unwrap();
        drop(store);
        fs::write(home.file("console.sqlite"), &old).unwrap();
        assert_eq!(fault(&home), DatabaseFault::RolledBack);
    }
}

/// Going back to a copy must not bring back sign-ins that were ended after it was made.
#[test]
fn r8_a_restored_store_has_the_password_and_no_sign_in() {
    let (home, before) = home();
    let (mut store, _) = open(&home);
    store.end(&[before[0]], at(600)).unwrap();
    drop(store);
    fs::write(home.file("console.sqlite"), "broken").unwrap();
    let restored = ConsoleStore::restore(&home.dir, at(999)).unwrap().unwrap();
    assert_eq!((restored.from, restored.set_aside.len()), (at(500), 1));
    assert_eq!(mode(&home.file("console.sqlite")), 0o600);
    assert!(!home.names("").iter().any(|name| name.contains(".new")), "{:?}", home.names(""));
    let (mut store, loaded) = open(&home);
    assert_eq!(loaded, ConsoleLoaded { password: Some(password("second", 300)), sign_ins: vec![] });
    store.sign_in(&sign_in(9, 1000)).unwrap();
    drop(store);
    assert_eq!(ConsoleStore::restore(&home.dir, at(1001)).unwrap(), None, "what can be used is left alone");
    assert_eq!(open(&home).1.sign_ins.len(), 1);
}

/// A host that was set up before there was a console gets one, and its own store is what it was.
#[test]
fn a_host_that_had_no_console_gets_its_store() {
    let home = Home::new();
    drop(home.host());
    assert_eq!(ConsoleStore::restore(&home.dir, Timestamp::EPOCH).unwrap(), None, "there never was one");
    let (mut store, loaded) = open(&home);
    assert_eq!(loaded.password, None);
    store.set_password(&password("first", 100), None).unwrap();
    let (_host, _) = home.host();
    let error = ConsoleStore::open(&home.dir).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "one process at a time: {error}");
}

/// Another user of the machine guesses at the hash in peace.
#[test]
fn inv_38_the_consoles_files_are_for_their_owner_alone() {
    let (home, _) = home();
    let (_store, _) = open(&home);
    for file in ["console.sqlite", "console.sqlite-wal", "console.sqlite-shm", "console.lock"] {
        assert_eq!(mode(&home.file(file)), 0o600, "{file}");
    }
}

#[test]
fn no_hash_is_shown_by_debug() {
    let (home, _) = home();
    let (_store, loaded) = open(&home);
    let shown = format!("{loaded:?} {:?}", sign_in(101, 1));
    assert!(shown.contains("Firefox on Linux"), "{shown}");
    assert!(!shown.contains("argon2") && !shown.contains("101, 101"), "{shown}");
}
