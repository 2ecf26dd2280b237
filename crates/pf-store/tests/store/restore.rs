//! Copies, and going back to them.

use std::fs;

use pf_base::Timestamp;
use pf_store::{HostStore, Restored, StoreError};
use pf_trust::record::{AuditKind, Change};

use crate::common::{Home, at, key, mode, note, pair};

fn restore(home: &Home, now: u64) -> Option<Restored> {
    HostStore::restore(&home.dir, at(now)).unwrap()
}

/// The names of the copies of the store.
fn copies(home: &Home) -> Vec<String> {
    let mut names = home.names("backup");
    names.retain(|name| name.starts_with("host-"));
    names
}

#[test]
fn a_copy_is_made_for_each_change_of_trust_and_three_are_kept() {
    let home = Home::new();
    let (mut store, _) = home.host();
    assert_eq!(copies(&home), ["host-0.sqlite"], "from the first start on");
    for time in [100, 200, 300, 400] {
        store.commit(&[pair(1, "a")], at(time)).unwrap();
        store.keep_copy().unwrap();
    }
    assert_eq!(copies(&home), ["host-200.sqlite", "host-300.sqlite", "host-400.sqlite"]);

    store.commit(&[note(AuditKind::Armed), Change::Seen { fingerprint: key(1) }], at(500)).unwrap();
    store.keep_copy().unwrap();
    drop(store);
    let (mut store, _) = home.host();
    store.keep_copy().unwrap();
    assert_eq!(
        copies(&home),
        ["host-200.sqlite", "host-300.sqlite", "host-400.sqlite"],
        "nothing new to keep"
    );
}

/// The clock was set back: what is newest must still be what was stored last.
#[test]
fn the_newest_copy_is_the_last_one_whatever_the_clock_says() {
    let home = Home::new();
    let (mut store, _) = home.host();
    store.commit(&[pair(1, "a")], at(1000)).unwrap();
    store.keep_copy().unwrap();
    store.commit(&[Change::Remove { fingerprint: key(1) }], at(10)).unwrap();
    store.keep_copy().unwrap();
    drop(store);
    assert_eq!(copies(&home).last().unwrap(), "host-1001.sqlite");
    fs::write(home.file("host.sqlite"), "").unwrap();
    restore(&home, 2000).unwrap();
    assert_eq!(home.host().1.removed, [key(1)]);
}

/// A crash came between a commit and its copy: the next start makes it.
#[test]
fn a_copy_that_is_due_is_made_by_the_next_start() {
    let home = Home::new();
    let (mut store, _) = home.host();
    store.commit(&[pair(1, "a")], at(100)).unwrap();
    drop(store);
    let (mut store, _) = home.host();
    store.keep_copy().unwrap();
    assert_eq!(copies(&home), ["host-0.sqlite", "host-100.sqlite"]);
}

/// The store is broken, and going back must not bring a removed device with it.
#[test]
fn inv_35_a_damaged_store_goes_back_to_its_copy_and_is_kept() {
    let home = Home::new();
    let (mut store, _) = home.host();
    store.commit(&[pair(1, "a"), pair(2, "b")], at(100)).unwrap();
    store.keep_copy().unwrap();
    store.commit(&[Change::Remove { fingerprint: key(1) }], at(200)).unwrap();
    store.keep_copy().unwrap();
    let before = store.load().unwrap();
    drop(store);
    fs::write(home.file("host.sqlite"), "broken").unwrap();
    fs::write(home.file("host.sqlite-wal"), "log").unwrap();
    for private in ["host.sqlite", "host.sqlite-wal"] {
        crate::common::set_mode(&home.file(private), 0o600);
    }
    fs::write(home.file("host.sqlite.broken-999"), "from another time").unwrap();

    let restored = restore(&home, 999).unwrap();
    let aside = ["host.sqlite.broken-1000", "host.sqlite.broken-1000-wal"].map(|name| home.file(name));
    assert_eq!(restored, Restored { from: at(200), set_aside: aside.to_vec() });
    assert_eq!(fs::read(&aside[0]).unwrap(), b"broken");
    assert_eq!(fs::read(&aside[1]).unwrap(), b"log");
    assert_eq!(fs::read(home.file("host.sqlite.broken-999")).unwrap(), b"from another time");
    assert_eq!(mode(&home.file("host.sqlite")), 0o600);

    let (mut store, loaded) = home.host();
    assert_eq!(loaded, before);
    store.commit(&[pair(3, "c")], at(2000)).unwrap();
    store.keep_copy().unwrap();
    assert_eq!(copies(&home).last().unwrap(), "host-2000.sqlite");
}

#[test]
fn a_missing_store_comes_back() {
    let home = Home::new();
    let (mut store, _) = home.host();
    store.commit(&[pair(1, "a")], at(100)).unwrap();
    store.keep_copy().unwrap();
    drop(store);
    fs::remove_file(home.file("host.sqlite")).unwrap();
    assert_eq!(restore(&home, 200), Some(Restored { from: at(100), set_aside: vec![] }));
    assert_eq!(home.host().1.devices.len(), 1);
}

/// The same failing disk broke the newest copy too.
#[test]
fn a_copy_that_cannot_be_believed_is_passed_over_and_set_aside() {
    let home = Home::new();
    let (mut store, _) = home.host();
    for time in [100, 200] {
        store.commit(&[pair(time as u8, "a")], at(time)).unwrap();
        store.keep_copy().unwrap();
    }
    drop(store);
    let newest = home.file("backup/host-200.sqlite");
    let mut bytes = fs::read(&newest).unwrap();
    let place = bytes.windows(32).position(|window| window == [200; 32]).unwrap();
    bytes[place] ^= 1;
    fs::write(&newest, bytes).unwrap();
    fs::write(home.file("host.sqlite"), "broken").unwrap();

    let restored = restore(&home, 300).unwrap();
    assert_eq!(restored.from, at(100));
    assert!(restored.set_aside.contains(&home.file("backup/host-200.sqlite.broken")), "{restored:?}");
    let (_store, loaded) = home.host();
    assert_eq!(loaded.devices.iter().map(|device| device.fingerprint).collect::<Vec<_>>(), [key(100)]);
}

/// `--restore` is left in a start script: each start would go back.
#[test]
fn a_store_that_can_be_used_is_left_alone() {
    let home = Home::new();
    assert_eq!(restore(&home, 1), None, "there never was one");
    let (mut store, _) = home.host();
    store.commit(&[pair(1, "a")], at(100)).unwrap();
    drop(store);
    let before = home.contents();
    assert_eq!(restore(&home, 200), None);
    assert_eq!(home.contents(), before);
    assert_eq!(home.host().1.devices.len(), 1, "with what no copy has yet");
}

#[test]
fn without_a_copy_nothing_is_done() {
    let home = Home::new();
    drop(home.host());
    for name in copies(&home) {
        fs::remove_file(home.file("backup").join(name)).unwrap();
    }
    fs::write(home.file("host.sqlite"), "broken").unwrap();
    let before = home.contents();
    let error = HostStore::restore(&home.dir, Timestamp::EPOCH).unwrap_err();
    assert!(matches!(error, StoreError::NoCopy { .. }), "{error}");
    assert_eq!(home.contents(), before);
}
