//! Who may enter the data directory.

use std::{fs, os::unix::fs::chown};

use pf_store::{DataDir, StoreError};
use tempfile::TempDir;

use crate::common::{mode, set_mode};

/// Another user of the machine reads the key, or plants one.
#[test]
fn it_is_made_for_its_owner_alone_parents_too() {
    let temp = TempDir::new().unwrap();
    let path = temp.path().join("share/punktfunk-host");
    let dir = DataDir::open(&path).unwrap();
    assert_eq!(dir.path(), path);
    assert_eq!((mode(&path), mode(&temp.path().join("share"))), (0o700, 0o700));
    DataDir::open(&path).unwrap();
}

#[test]
fn inv_38_one_that_others_may_enter_is_refused() {
    let temp = TempDir::new().unwrap();
    for open_to_others in [0o750, 0o705, 0o777, 0o710, 0o701] {
        set_mode(temp.path(), open_to_others);
        let error = DataDir::open(temp.path()).unwrap_err();
        assert!(matches!(error, StoreError::TooOpen { mode, .. } if mode == open_to_others), "{error}");
        assert!(error.hint().ends_with(&format!("chmod 700 {}", temp.path().display())), "{}", error.hint());
        assert_eq!(mode(temp.path()), open_to_others, "it is not put right in silence");
    }
}

/// The program runs as another user than last time, as root perhaps, and would trust what that user put there.
#[test]
fn one_of_another_user_is_refused() {
    let temp = TempDir::new().unwrap();
    let path = temp.path().join("theirs");
    drop(DataDir::open(&path).unwrap());
    chown(&path, Some(12345), None).expect("this test runs as root");
    let error = DataDir::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::NotOurs { owner: 12345, .. }), "{error}");
}

#[test]
fn a_file_in_its_place_is_said_to_be_one() {
    let temp = TempDir::new().unwrap();
    let path = temp.path().join("file");
    fs::write(&path, "mine").unwrap();
    for path in [path.clone(), path.join("below")] {
        let error = DataDir::open(&path).unwrap_err();
        assert!(matches!(error, StoreError::NotADirectory { .. }), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), b"mine");
}
