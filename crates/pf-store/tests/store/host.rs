//! The host's store: what is committed is there after a restart, and nothing else.

use std::{fs, net::IpAddr};

use pf_base::Fingerprint;
use pf_store::{AuditQuery, AuditRow, HostStore, Loaded, StoreError};
use pf_trust::{
    proof::Comparison,
    record::{AuditEvent, AuditKind, BurnCounters, Change, Device, PairedBy},
};
use rusqlite::Connection;

use crate::common::{Home, approve, at, key, mode, name, note, pair, set_mode};

const ALL: AuditQuery = AuditQuery { before: None, kind: None, fingerprint: None, limit: 100 };

fn keys(loaded: &Loaded) -> Vec<Fingerprint> {
    loaded.devices.iter().map(|device| device.fingerprint).collect()
}

fn remove(device: u8) -> Change {
    Change::Remove { fingerprint: key(device) }
}

#[test]
fn a_new_store_is_empty() {
    let home = Home::new();
    let (_store, loaded) = home.host();
    let nothing = Loaded { devices: vec![], removed: vec![], counters: BurnCounters::default() };
    assert_eq!(loaded, nothing);
}

#[test]
fn what_was_committed_is_there_after_a_restart() {
    let home = Home::new();
    let (mut store, _) = home.host();
    store.commit(&[pair(1, "Deck")], at(100)).unwrap();
    store.commit(&[approve(2, "Laptop")], at(200)).unwrap();
    let label = name("Living room");
    store.commit(&[Change::Rename { fingerprint: key(2), label: label.clone() }], at(300)).unwrap();
    store.commit(&[Change::Seen { fingerprint: key(1) }], at(400)).unwrap();
    let before = store.load().unwrap();
    drop(store);

    let devices = [
        Device {
            fingerprint: key(1),
            label: name("Deck"),
            paired_at: at(100),
            paired_by: PairedBy::Pin,
            last_seen: Some(at(400)),
        },
        Device {
            fingerprint: key(2),
            label,
            paired_at: at(200),
            paired_by: PairedBy::Approval(Comparison::NothingToCompare),
            last_seen: None,
        },
    ];
    let (_store, loaded) = home.host();
    assert_eq!(loaded.devices, devices);
    assert_eq!(loaded, before);
}

/// A removed device is back because the host restarted.
#[test]
fn inv_35_removed_then_restarted_is_still_removed() {
    let home = Home::new();
    let (mut store, _) = home.host();
    store.commit(&[pair(1, "a"), pair(2, "b")], at(1)).unwrap();
    store.commit(&[remove(1)], at(2)).unwrap();
    drop(store);
    let (_store, loaded) = home.host();
    assert_eq!((keys(&loaded), loaded.removed), (vec![key(2)], vec![key(1)]));
}

/// Pairing one device lets another one back in that was removed.
#[test]
fn inv_35_remove_all_then_pair_one_leaves_only_that_one() {
    let home = Home::new();
    let (mut store, _) = home.host();
    store.commit(&[pair(1, "a"), approve(2, "b"), pair(3, "c")], at(1)).unwrap();
    store.commit(&[remove(1), remove(2), remove(3)], at(2)).unwrap();
    store.commit(&[pair(2, "b again")], at(3)).unwrap();
    drop(store);
    let (_store, loaded) = home.host();
    assert_eq!((keys(&loaded), loaded.removed), (vec![key(2)], vec![key(1), key(3)]));
    assert_eq!(loaded.devices[0].label, name("b again"), "nothing is left of what it was before");
}

/// The store is written to by hand: a device that was removed is inserted again beside its tombstone.
#[test]
fn a_device_is_never_both_paired_and_removed() {
    let home = Home::new();
    let (mut store, _) = home.host();
    store.commit(&[pair(1, "a"), pair(2, "b"), remove(1)], at(1)).unwrap();
    drop(store);
    let by_hand = Connection::open(home.file("host.sqlite")).unwrap();
    for sql in [
        "INSERT INTO devices (fingerprint, label, paired_at, paired_by)
         SELECT fingerprint, 'x', 0, 'pin' FROM tombstones",
        "INSERT INTO tombstones (fingerprint, removed_at) SELECT fingerprint, 0 FROM devices",
    ] {
        by_hand.execute(sql, []).unwrap_err();
    }
}

/// A paired device pairs again to get a name, or a history, that the owner never gave it.
#[test]
fn inv_37_pairing_again_says_only_when_and_how() {
    let home = Home::new();
    let (mut store, _) = home.host();
    store.commit(&[pair(1, "first")], at(1)).unwrap();
    let label = name("the owner's name for it");
    store.commit(&[Change::Rename { fingerprint: key(1), label: label.clone() }], at(2)).unwrap();
    store.commit(&[Change::Seen { fingerprint: key(1) }], at(3)).unwrap();
    for (again, paired_by) in [
        (approve(1, "second"), PairedBy::Approval(Comparison::NothingToCompare)),
        (pair(1, "third"), PairedBy::Pin),
    ] {
        store.commit(&[again], at(4)).unwrap();
        let expected = Device {
            fingerprint: key(1),
            label: label.clone(),
            paired_at: at(4),
            paired_by,
            last_seen: Some(at(3)),
        };
        assert_eq!(store.load().unwrap().devices, [expected]);
    }
}

/// The host is restarted between guesses to make it forget how many there were.
#[test]
fn inv_20_burn_counters_survive_a_restart() {
    let home = Home::new();
    let (mut store, _) = home.host();
    let burned = BurnCounters {
        in_a_row: 3,
        cool_down_until: Some(at(5000)),
        within_a_day: vec![at(10), at(10), at(20)],
    };
    store.commit(&[Change::Counters(burned.clone())], at(20)).unwrap();
    drop(store);
    let (mut store, loaded) = home.host();
    assert_eq!(loaded.counters, burned);
    store.commit(&[Change::Counters(BurnCounters::default())], at(30)).unwrap();
    assert_eq!(store.load().unwrap().counters, BurnCounters::default());
}

/// Half of a step is stored: a device without its audit line, a PIN spent without its counter.
#[test]
fn inv_36_a_step_that_fails_stores_nothing_of_it() {
    let home = Home::new();
    let (mut store, _) = home.host();
    store.commit(&[pair(1, "a")], at(1)).unwrap();
    let before = store.load().unwrap();
    let unknown = Change::Rename { fingerprint: key(9), label: name("x") };
    let step = [note(AuditKind::Paired), pair(2, "b"), remove(1), unknown];
    let error = store.commit(&step, at(2)).unwrap_err();
    assert!(matches!(error, StoreError::UnknownDevice(fingerprint) if fingerprint == key(9)), "{error}");
    assert_eq!(store.load().unwrap(), before);
    assert_eq!(store.audit(&ALL).unwrap(), []);
    store.commit(&[pair(2, "b")], at(3)).unwrap();
}

/// A session's "last seen" comes after its device was removed, and must neither fail nor bring it back.
#[test]
fn a_late_last_seen_of_a_removed_device_is_nothing() {
    let home = Home::new();
    let (mut store, _) = home.host();
    store.commit(&[pair(1, "a"), remove(1)], at(1)).unwrap();
    store.commit(&[Change::Seen { fingerprint: key(1) }], at(2)).unwrap();
    assert_eq!(store.load().unwrap().devices, []);
}

#[test]
fn the_audit_log_reads_back_in_pages_newest_first() {
    let home = Home::new();
    let (mut store, _) = home.host();
    let address: IpAddr = "fe80::1".parse().unwrap();
    let wrong_pin = AuditEvent {
        kind: AuditKind::WrongPin,
        fingerprint: Some(key(3)),
        address: Some(address),
        name: Some(name("guesser")),
    };
    let events = [
        note(AuditKind::Armed),
        note(AuditKind::Refused),
        Change::Audit(wrong_pin.clone()),
        note(AuditKind::RefusedMore(41)),
        note(AuditKind::Armed),
    ];
    let mut told = Vec::new();
    for (time, event) in (1..).zip(&events) {
        told.extend(store.commit(std::slice::from_ref(event), at(time)).unwrap());
    }
    let all = store.audit(&ALL).unwrap();
    assert!(all.iter().rev().eq(&told), "whoever watches hears what is stored");
    let as_read: Vec<_> =
        all.iter().rev().map(|row| (row.id, row.at, Change::Audit(row.event.clone()))).collect();
    let as_written: Vec<_> = (1..).zip(events).map(|(id, event)| (id, at(id), event)).collect();
    assert_eq!(as_read, as_written);
    assert_eq!(all[2].event, wrong_pin);

    let ids = |query: AuditQuery| -> Vec<u64> {
        store.audit(&query).unwrap().iter().map(|row: &AuditRow| row.id).collect()
    };
    assert_eq!(ids(AuditQuery { limit: 2, ..ALL }), [5, 4]);
    assert_eq!(ids(AuditQuery { limit: 2, before: Some(4), ..ALL }), [3, 2]);
    assert_eq!(ids(AuditQuery { limit: 2, before: Some(2), ..ALL }), [1]);
    assert_eq!(ids(AuditQuery { kind: Some(AuditKind::Armed), ..ALL }), [5, 1]);
    assert_eq!(ids(AuditQuery { kind: Some(AuditKind::RefusedMore(0)), ..ALL }), [4]);
    assert_eq!(ids(AuditQuery { fingerprint: Some(key(3)), ..ALL }), [3]);
    assert_eq!(ids(AuditQuery { fingerprint: Some(key(3)), before: Some(3), ..ALL }), [0; 0]);
}

/// A watcher that lost the thread must hear all that it missed, in order and once: a guess among it above all.
#[test]
fn the_audit_log_is_read_on_from_any_line() {
    let home = Home::new();
    let (mut store, _) = home.host();
    // Lines for good and of strangers, mixed; what is no line has no number.
    let step = [
        note(AuditKind::Armed),
        note(AuditKind::Requested),
        pair(1, "a"),
        note(AuditKind::ConsoleSignInFailed),
        note(AuditKind::ConsoleSignIn),
    ];
    let told = store.commit(&step, at(7)).unwrap();
    assert_eq!(
        told.iter().map(|row| (row.id, row.at)).collect::<Vec<_>>(),
        [1, 2, 3, 4].map(|id| (id, at(7)))
    );
    assert_eq!(store.commit(&[remove(1)], at(8)).unwrap(), []);
    for seen in 0..=4 {
        assert_eq!(store.audit_after(seen, 100).unwrap(), told[seen as usize..], "after {seen}");
    }
    assert_eq!(store.audit_after(1, 2).unwrap(), told[1..3], "no more than it can take at once");
    assert_eq!(store.audit_after(u64::MAX, 100).unwrap(), []);
}

/// Whoever got at the database rewrites what happened.
#[test]
fn the_audit_log_is_append_only() {
    let home = Home::new();
    let (mut store, _) = home.host();
    store.commit(&[note(AuditKind::Armed), note(AuditKind::WrongPin)], at(1)).unwrap();
    let before = store.audit(&ALL).unwrap();
    let by_hand = Connection::open(home.file("host.sqlite")).unwrap();
    for sql in [
        "UPDATE audit SET kind = 'paired'",
        "UPDATE audit SET id = 7 WHERE id = 1",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE id = 2",
        "INSERT OR REPLACE INTO audit (id, at, kind) VALUES (1, 1, 'paired')",
        "INSERT INTO audit (id, at, kind) VALUES (-1, 1, 'paired')",
    ] {
        let error = by_hand.execute(sql, []).unwrap_err().to_string();
        assert_eq!(error, "the audit log is append-only", "{sql}");
    }
    assert_eq!(store.audit(&ALL).unwrap(), before);
}

/// A stranger knocks without end, to fill the disk or to push its own failed guess out of the log.
#[test]
fn strangers_can_neither_fill_the_log_nor_push_anything_out_of_it() {
    let home = Home::new();
    let (mut store, _) = home.host();
    store.commit(&[note(AuditKind::WrongPin), note(AuditKind::Requested)], at(1)).unwrap();
    let flood: Vec<_> = (0..10_500).map(|_| note(AuditKind::Refused)).collect();
    store.commit(&flood, at(2)).unwrap();
    store.commit(&[note(AuditKind::Paired)], at(3)).unwrap();
    let guesses: Vec<_> = (0..10_500).map(|_| note(AuditKind::ConsoleSignInFailed)).collect();
    store.commit(&guesses, at(4)).unwrap();

    let every = AuditQuery { limit: 30_000, ..ALL };
    let mut rows = store.audit(&every).unwrap();
    let guesses = rows.extract_if(.., |row| row.event.kind == AuditKind::ConsoleSignInFailed);
    assert_eq!(guesses.count(), 10_000);
    let kept: Vec<_> =
        rows.iter().filter(|row| row.event.kind == AuditKind::Refused).map(|row| row.id).collect();
    assert_eq!(kept, (503..10_503).rev().collect::<Vec<u64>>(), "the newest, in order");
    let others: Vec<_> =
        rows.iter().filter(|row| row.event.kind != AuditKind::Refused).map(|row| row.id).collect();
    assert_eq!(others, [10_503, 2, 1]);
}

/// Two hosts on one store would each overwrite, and not know, what the other was told.
#[test]
fn a_second_process_is_turned_away() {
    let home = Home::new();
    let (store, _) = home.host();
    let error = HostStore::open(&home.dir).unwrap_err();
    let path = home.dir.path().display();
    assert_eq!(error.to_string(), format!("{path} is already in use by another punktfunk-host"));
    let error = HostStore::restore(&home.dir, at(1)).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    drop(store);
    home.host();
}

/// Another user of the machine reads who is paired, or adds a device.
#[test]
fn inv_38_every_file_is_for_its_owner_alone() {
    let home = Home::new();
    let (mut store, _) = home.host();
    store.commit(&[pair(1, "a")], at(1)).unwrap();
    store.keep_copy().unwrap();
    store.commit(&[pair(2, "b")], at(2)).unwrap();
    for file in ["host.sqlite", "host.sqlite-wal", "host.sqlite-shm", "host.lock", "setup.lock"] {
        assert_eq!(mode(&home.file(file)), 0o600, "{file}");
    }
    assert_eq!(home.names("backup").len(), 3);
    for copy in home.names("backup") {
        assert_eq!(mode(&home.file("backup").join(&copy)), 0o600, "{copy}");
    }
}

#[test]
fn inv_38_a_start_with_wider_modes_is_refused() {
    let home = Home::new();
    drop(home.host());
    let copy = format!("backup/{}", home.names("backup")[0]);
    fs::write(home.file("host.sqlite-wal"), "").unwrap();
    for (file, narrow) in
        [("host.sqlite", 0o600), ("host.sqlite-wal", 0o600), (copy.as_str(), 0o600), ("backup", 0o700)]
    {
        for open_to_others in [0o640, 0o604, 0o666] {
            set_mode(&home.file(file), open_to_others | narrow & 0o100);
            let error = HostStore::open(&home.dir).map(drop).unwrap_err();
            assert!(
                matches!(&error, StoreError::TooOpen { path, .. } if *path == home.file(file)),
                "{error}"
            );
            assert!(error.hint().contains(&format!("chmod {narrow:o}")), "{}", error.hint());
        }
        set_mode(&home.file(file), narrow);
    }
    home.host();
}
