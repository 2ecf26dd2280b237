//! A store that cannot be believed: refused with the file, the reason and the way on, and left as it is.

use std::fs;

use pf_store::{DatabaseFault, HostStore, Loaded, StoreError};
use pf_trust::record::Change;
use rusqlite::Connection;

use crate::common::{Home, approve, at, key, name, pair};

/// A closed store with some devices, and a copy of it.
fn home() -> (Home, Loaded) {
    let home = Home::new();
    let (mut store, _) = home.host();
    let rename = Change::Rename { fingerprint: key(102), label: name("Living room") };
    store.commit(&[pair(101, "Deck"), approve(102, "b"), pair(103, "c"), rename], at(DAY)).unwrap();
    store.commit(&[Change::Remove { fingerprint: key(103) }], at(DAY + 1)).unwrap();
    store.keep_copy().unwrap();
    let loaded = store.load().unwrap();
    (home, loaded)
}

fn refusal(home: &Home) -> StoreError {
    let before = home.contents();
    let error = HostStore::open(&home.dir).map(drop).unwrap_err();
    assert_eq!(home.contents(), before, "{error}");
    error
}

fn fault(home: &Home) -> DatabaseFault {
    match refusal(home) {
        StoreError::Corrupt { path, fault, .. } if path == home.file("host.sqlite") => fault,
        other => panic!("{other:?}"),
    }
}

fn by_hand(home: &Home, sql: &str) {
    Connection::open(home.file("host.sqlite")).unwrap().execute_batch(sql).unwrap();
}

/// A crash or a failing disk leaves a part of the file, and the host goes on with whom it still finds in it, or nobody.
#[test]
fn inv_36_a_store_cut_at_any_length_is_refused() {
    let (home, _) = home();
    let file = home.file("host.sqlite");
    let whole = fs::read(&file).unwrap();
    let lengths = (0..=600).step_by(50).chain((600..whole.len()).step_by(1500)).chain([whole.len() - 1]);
    for length in lengths {
        fs::write(&file, &whole[..length]).unwrap();
        assert_eq!(fault(&home), DatabaseFault::CutShort, "{length}");
    }
}

/// A bit flips where SQLite looks first.
#[test]
fn inv_36_any_flipped_header_byte_is_refused_or_harmless() {
    let (home, loaded) = home();
    let file = home.file("host.sqlite");
    let whole = fs::read(&file).unwrap();
    let mut refused = 0;
    for place in 0..100 {
        for flip in [0x01, 0x80, 0xff] {
            let mut altered = whole.clone();
            altered[place] ^= flip;
            fs::write(&file, &altered).unwrap();
            match HostStore::open(&home.dir) {
                Ok((_, read)) => assert_eq!(read, loaded, "byte {place}"),
                Err(StoreError::Corrupt { .. } | StoreError::Newer { .. }) => {
                    refused += 1;
                    assert_eq!(fs::read(&file).unwrap(), altered, "byte {place}");
                }
                Err(other) => panic!("byte {place}: {other:?}"),
            }
            for left in ["host.sqlite-wal", "host.sqlite-shm"] {
                let _ = fs::remove_file(home.file(left));
            }
        }
    }
    assert!(refused > 120, "only {refused} of 300 were refused");
}

/// A bit flips in a fingerprint, and another key than the paired one is let in.
#[test]
fn inv_36_no_flipped_byte_changes_who_is_paired_or_removed() {
    let (home, loaded) = home();
    let file = home.file("host.sqlite");
    let whole = fs::read(&file).unwrap();
    let keys = |loaded: &Loaded| {
        let paired: Vec<_> = loaded.devices.iter().map(|device| device.fingerprint).collect();
        (paired, loaded.removed.clone())
    };
    let runs_of = |number: u8| {
        whole.windows(32).enumerate().filter(move |(_, run)| *run == [number; 32]).map(|(place, _)| place + 7)
    };
    let in_keys: Vec<_> = (101..=103).flat_map(runs_of).collect();
    let elsewhere = (100..whole.len()).step_by(97);
    let mut refused = 0;
    for place in in_keys.iter().copied().chain(elsewhere) {
        let mut altered = whole.clone();
        altered[place] ^= 0x04;
        fs::write(&file, &altered).unwrap();
        match HostStore::open(&home.dir) {
            Ok((_, read)) => assert_eq!(keys(&read), keys(&loaded), "byte {place}"),
            Err(_) => refused += usize::from(in_keys.contains(&place)),
        }
    }
    assert_eq!(refused, 6, "each key is in its table and in an index; what else there is was deleted");
}

#[test]
fn what_is_wrong_is_said_and_how_to_go_on() {
    let (home, _) = home();
    let file = home.file("host.sqlite");
    let path = file.display();
    fs::write(&file, "").unwrap();
    let error = refusal(&home);
    assert_eq!(error.to_string(), format!("the store {path} is damaged: it is cut short"));
    assert_eq!(error.hint(), "run again with --restore to go back to the copy from 1970-01-02 00:00 UTC");

    fs::write(&file, "not a database ".repeat(100)).unwrap();
    assert_eq!(fault(&home), DatabaseFault::NotADatabase);

    for copy in home.names("backup").iter().filter(|name| name.starts_with("host-")) {
        fs::write(home.file("backup").join(copy), "").unwrap();
    }
    let hint = refusal(&home).hint();
    assert!(hint.starts_with(&format!("no copy of it can be used: put {path} back")), "{hint}");
}

/// A newer host wrote things that this one does not know how to keep.
#[test]
fn one_of_a_newer_version_is_refused() {
    let (home, _) = home();
    by_hand(&home, "PRAGMA user_version = 2");
    let error = refusal(&home);
    assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }), "{error:?}");
    assert!(error.hint().contains("newer program"), "{}", error.hint());
    let error = HostStore::restore(&home.dir, at(1)).unwrap_err();
    assert!(matches!(error, StoreError::Newer { .. }), "nor is an older copy put in its place: {error:?}");
}

/// Looking at a store that was not closed writes its log into it, and so changes what is then refused.
#[test]
fn a_log_is_left_alone_until_the_store_is_believed() {
    let (home, _) = home();
    let newer = Home::new();
    drop(newer.host());
    let writer = Connection::open(home.file("host.sqlite")).unwrap();
    writer.execute_batch("PRAGMA user_version = 2").unwrap();
    for file in ["host.sqlite", "host.sqlite-wal"] {
        fs::copy(home.file(file), newer.file(file)).unwrap();
    }
    assert_ne!(fs::metadata(newer.file("host.sqlite-wal")).unwrap().len(), 0);
    let error = refusal(&newer);
    assert!(matches!(error, StoreError::Newer { found: 2, .. }), "the log counts: {error:?}");
}

/// Some other program's database, or a hand-made one, becomes an allow-list.
#[test]
fn one_of_something_else_is_refused() {
    let (home, _) = home();
    by_hand(&home, "PRAGMA application_id = 0");
    assert_eq!(fault(&home), DatabaseFault::OtherApplication(0));
    by_hand(&home, "PRAGMA application_id = 0x7066636c");
    assert_eq!(fault(&home), DatabaseFault::OtherApplication(u32::from_be_bytes(*b"pfcl")));
}

#[test]
fn one_that_says_it_has_no_version_is_refused() {
    let (home, _) = home();
    by_hand(&home, "PRAGMA user_version = 0");
    assert_eq!(fault(&home), DatabaseFault::Value("version 0"));
}

#[test]
fn a_value_that_cannot_be_is_refused() {
    let (home, _) = home();
    by_hand(&home, "PRAGMA ignore_check_constraints = on; UPDATE devices SET paired_by = 'magic'");
    assert!(matches!(fault(&home), DatabaseFault::Check(_)));
}

/// The file is deleted, and the host starts with nobody paired and no burned PINs.
#[test]
fn inv_36_a_missing_store_is_not_made_anew() {
    let (home, _) = home();
    fs::remove_file(home.file("host.sqlite")).unwrap();
    let error = refusal(&home);
    assert!(matches!(error, StoreError::Missing { copy: Some(_), .. }), "{error:?}");
    assert!(error.hint().contains("--restore"), "{}", error.hint());

    fs::remove_dir_all(home.file("backup")).unwrap();
    fs::write(home.file("host.sqlite-wal"), "log").unwrap();
    let error = refusal(&home);
    assert!(
        matches!(&error, StoreError::Missing { witness, copy: None, .. } if *witness == home.file("host.sqlite-wal")),
        "{error:?}"
    );
}

/// The write-ahead log is lost, or an old file is put back: SQLite sees nothing wrong, and a removed device is back.
#[test]
fn inv_36_a_store_older_than_its_copy_is_refused() {
    let home = Home::new();
    let (mut store, _) = home.host();
    store.commit(&[pair(1, "a")], at(1)).unwrap();
    store.keep_copy().unwrap();
    drop(store);
    let old = fs::read(home.file("host.sqlite")).unwrap();
    let (mut store, _) = home.host();
    store.commit(&[Change::Remove { fingerprint: key(1) }], at(2)).unwrap();
    store.keep_copy().unwrap();
    drop(store);

    fs::write(home.file("host.sqlite"), old).unwrap();
    assert_eq!(fault(&home), DatabaseFault::RolledBack);
    HostStore::restore(&home.dir, at(3)).unwrap().unwrap();
    let (_store, loaded) = home.host();
    assert_eq!((loaded.devices, loaded.removed), (vec![], vec![key(1)]));
}

/// One day after the epoch: what the texts say is easy to know.
const DAY: u64 = 24 * 60 * 60 * 1000;
