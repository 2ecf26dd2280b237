//! The disk is full: said so, nothing lost, and all well again once there is space.
//!
//! On a small file system of its own, for which these tests must run as root.

use std::{
    fs::File,
    io::{ErrorKind, Write},
    path::Path,
    process::Command,
};

use pf_store::{DataDir, HostStore, StoreError, identity};
use pf_trust::record::{AuditKind, Change};
use tempfile::TempDir;

use crate::common::{at, key, note, pair};

/// A mounted file system of one megabyte.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new() -> Self {
        let temp = TempDir::new().unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=1m,mode=0700", "punktfunk-test"];
        let status = Command::new("mount").args(mount).arg(temp.path()).status().unwrap();
        assert!(status.success(), "this test runs as root, where it may mount a file system");
        Self(temp)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves no space at all.
    fn fill(&self) {
        let mut filler = File::create(self.path().join("filler")).unwrap();
        loop {
            match filler.write_all(&[0; 4096]) {
                Ok(()) => {}
                Err(e) if e.kind() == ErrorKind::StorageFull => return,
                Err(e) => panic!("{e}"),
            }
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the store under test may still have files open when a test failed.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

/// The log fills the disk, and then a removal is told to be done and is not, or the store is ruined.
#[test]
fn inv_36_a_commit_that_finds_no_space_changes_nothing() {
    let disk = SmallDisk::new();
    let dir = DataDir::open(disk.path()).unwrap();
    let (mut store, _) = HostStore::open(&dir).unwrap();
    store.commit(&[pair(1, "a"), pair(2, "b")], at(1)).unwrap();
    store.keep_copy().unwrap();
    store.commit(&[pair(3, "c")], at(2)).unwrap();

    disk.fill();
    let before = store.load().unwrap();
    let remove = Change::Remove { fingerprint: key(1) };
    let big_step = || {
        let mut step: Vec<_> = (0..500).map(|_| note(AuditKind::Armed)).collect();
        step.push(Change::Remove { fingerprint: key(1) });
        step
    };
    let error = store.commit(&big_step(), at(3)).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert_eq!(store.load().unwrap(), before);
    let error = store.keep_copy().unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert!(!dir.path().join("backup/host.sqlite.new").exists(), "half a copy takes no space");
    drop(store);

    let (mut store, loaded) = HostStore::open(&dir).unwrap();
    assert_eq!(loaded, before, "a restart on the full disk finds all of it");
    disk.free();
    store.commit(&[remove], at(4)).unwrap();
    store.keep_copy().unwrap();
    drop(store);
    let (_store, loaded) = HostStore::open(&dir).unwrap();
    assert_eq!(loaded.removed, [key(1)]);
}

#[test]
fn a_first_start_that_finds_no_space_leaves_nothing_in_the_way() {
    let disk = SmallDisk::new();
    let dir = DataDir::open(disk.path()).unwrap();
    disk.fill();
    let error = identity::load_or_create(&dir).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    let error = HostStore::open(&dir).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    disk.free();
    identity::load_or_create(&dir).unwrap();
    HostStore::open(&dir).unwrap();
}
