//! The identity file: made once, whole, and never again.

use std::{fs, sync::Barrier, thread};

use pf_base::Fingerprint;
use pf_store::{IdentityFault, StoreError, identity};
use rcgen::{KeyPair, PublicKeyData};

use crate::common::{Home, at, mode, set_mode};

fn fault(home: &Home) -> IdentityFault {
    match identity::load_or_create(&home.dir) {
        Err(StoreError::IdentityBroken { path, fault, copy: true }) => {
            assert_eq!(path, home.file("identity.pem"));
            fault
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_stays_the_same_and_is_that_of_its_key() {
    let home = Home::new();
    let first = identity::load_or_create(&home.dir).unwrap();
    let again = identity::load_or_create(&home.dir).unwrap();
    assert_eq!(first.fingerprint(), again.fingerprint());
    assert_eq!((first.certificate(), first.key()), (again.certificate(), again.key()));

    let key = KeyPair::try_from(first.key()).unwrap();
    assert_eq!(key.algorithm(), &rcgen::PKCS_ECDSA_P256_SHA256);
    assert_eq!(first.fingerprint(), Fingerprint::of_spki(&key.subject_public_key_info()));
    let other = Home::new();
    assert_ne!(identity::load_or_create(&other.dir).unwrap().fingerprint(), first.fingerprint());
}

/// Two programs start at once, each makes a key, and one of them goes on with a key that is not on the disk.
#[test]
fn racing_starts_end_with_one() {
    let home = Home::new();
    let barrier = Barrier::new(8);
    let start = || {
        barrier.wait();
        identity::load_or_create(&home.dir).unwrap().fingerprint()
    };
    let all: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let kept = identity::load_or_create(&home.dir).unwrap().fingerprint();
    assert!(all.iter().all(|fingerprint| *fingerprint == kept), "{all:?}");
    assert_eq!(home.names(""), ["backup", "identity.pem", "setup.lock"]);
}

#[test]
fn inv_38_it_is_for_its_owner_alone() {
    let home = Home::new();
    identity::load_or_create(&home.dir).unwrap();
    let file = home.file("identity.pem");
    assert_eq!((mode(&file), mode(&home.file("backup/identity.pem"))), (0o600, 0o600));
    assert_eq!(mode(&home.file("backup")), 0o700);
    for open_to_others in [0o640, 0o604, 0o660] {
        set_mode(&file, open_to_others);
        let error = identity::load_or_create(&home.dir).unwrap_err();
        assert!(matches!(&error, StoreError::TooOpen { path, .. } if *path == file), "{error}");
        assert!(error.hint().ends_with(&format!("chmod 600 {}", file.display())), "{}", error.hint());
    }
    set_mode(&file, 0o400);
    identity::load_or_create(&home.dir).unwrap();
}

/// A full disk or a crash cuts the file, and a new key would make the host a stranger to everyone.
#[test]
fn a_truncated_one_is_refused_and_kept() {
    let home = Home::new();
    let whole = identity::load_or_create(&home.dir).unwrap().fingerprint();
    let file = home.file("identity.pem");
    let bytes = fs::read(&file).unwrap();
    for length in 0..bytes.len() {
        fs::write(&file, &bytes[..length]).unwrap();
        match identity::load_or_create(&home.dir) {
            Ok(identity) => {
                assert_eq!(identity.fingerprint(), whole);
                assert_eq!(bytes[length..].trim_ascii(), b"", "only the end of the last line may be missing");
            }
            Err(StoreError::IdentityBroken { .. }) => {}
            Err(other) => panic!("{length}: {other}"),
        }
        assert_eq!(fs::read(&file).unwrap(), &bytes[..length]);
    }
}

/// A bit flips on the disk: the key is another one, or the certificate no longer of this key.
#[test]
fn an_altered_one_is_refused_or_has_the_same_key() {
    let home = Home::new();
    let whole = identity::load_or_create(&home.dir).unwrap();
    let file = home.file("identity.pem");
    let bytes = fs::read(&file).unwrap();
    let mut refused = 0;
    for place in (0..bytes.len()).step_by(3) {
        let mut altered = bytes.clone();
        altered[place] ^= 1 << (place % 7);
        fs::write(&file, &altered).unwrap();
        match identity::load_or_create(&home.dir) {
            Ok(identity) => {
                assert_eq!(identity.fingerprint(), whole.fingerprint());
                let public = |der| KeyPair::try_from(der).unwrap().subject_public_key_info();
                assert_eq!(public(identity.key()), public(whole.key()));
            }
            Err(StoreError::IdentityBroken { .. }) => refused += 1,
            Err(other) => panic!("{place}: {other}"),
        }
    }
    assert!(refused > bytes.len() / 6, "only {refused} were refused");
}

#[test]
fn each_way_to_be_wrong_is_said() {
    let home = Home::new();
    identity::load_or_create(&home.dir).unwrap();
    let other = Home::new();
    identity::load_or_create(&other.dir).unwrap();
    let sections = |home: &Home| -> [String; 2] {
        let text = fs::read_to_string(home.file("identity.pem")).unwrap();
        let end = text.find("-----BEGIN CERTIFICATE").unwrap();
        [text[..end].to_owned(), text[end..].to_owned()]
    };
    let ([key, certificate], [_, other_certificate]) = (sections(&home), sections(&other));
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let p384 = pem::encode(&pem::Pem::new("PRIVATE KEY", p384.serialize_der()));
    let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (text, expected) in [
        (String::new(), IdentityFault::Incomplete),
        ("\u{0}\u{1}".repeat(100), IdentityFault::Incomplete),
        (key.clone(), IdentityFault::Incomplete),
        (certificate.clone(), IdentityFault::Incomplete),
        (format!("{certificate}{key}"), IdentityFault::Incomplete),
        (format!("{key}{certificate}{certificate}"), IdentityFault::Incomplete),
        (format!("{no_key}{certificate}"), IdentityFault::Key),
        (format!("{p384}{certificate}"), IdentityFault::Algorithm),
        (format!("{key}{no_certificate}"), IdentityFault::Certificate),
        (format!("{key}{other_certificate}"), IdentityFault::Mismatch),
    ] {
        fs::write(home.file("identity.pem"), &text).unwrap();
        assert_eq!(fault(&home), expected, "{text}");
    }
}

/// The file is lost, the devices are not: a new key would look to all of them like an impostor's.
#[test]
fn it_is_not_made_anew_where_a_store_says_that_there_was_one() {
    for left in ["host.sqlite", "client.sqlite", "backup/host-1.sqlite"] {
        let home = Home::new();
        fs::create_dir_all(home.file("backup")).unwrap();
        set_mode(&home.file("backup"), 0o700);
        fs::write(home.file(left), "").unwrap();
        let error = identity::load_or_create(&home.dir).unwrap_err();
        assert!(
            matches!(&error, StoreError::IdentityMissing { witness, copy: false, .. } if *witness == home.file(left)),
            "{error}"
        );
        assert!(!home.file("identity.pem").exists());
    }
}

/// A client lists its hosts before it ever needed a key, and is then told that its key was lost.
#[test]
fn there_is_one_before_there_is_a_store() {
    let home = Home::new();
    drop(home.host());
    let before = fs::read(home.file("identity.pem")).unwrap();
    identity::load_or_create(&home.dir).unwrap();
    assert_eq!(fs::read(home.file("identity.pem")).unwrap(), before);
}

#[test]
fn it_comes_back_from_its_copy_and_what_was_broken_is_kept() {
    let home = Home::new();
    let identity = identity::load_or_create(&home.dir).unwrap();
    assert_eq!(identity::restore(&home.dir, at(9)).unwrap(), None, "what is whole is left alone");

    fs::write(home.file("identity.pem"), "half").unwrap();
    assert_eq!(fault(&home), IdentityFault::Incomplete);
    let restored = identity::restore(&home.dir, at(9)).unwrap().unwrap();
    assert_eq!(restored.set_aside, [home.file("identity.pem.broken-9")]);
    assert_eq!(fs::read(&restored.set_aside[0]).unwrap(), b"half");
    assert_eq!(identity::load_or_create(&home.dir).unwrap().fingerprint(), identity.fingerprint());

    fs::remove_file(home.file("identity.pem")).unwrap();
    let error = identity::load_or_create(&home.dir).unwrap_err();
    assert!(matches!(error, StoreError::IdentityMissing { copy: true, .. }), "{error}");
    assert!(error.hint().contains("--restore"));
    assert!(identity::restore(&home.dir, at(10)).unwrap().unwrap().set_aside.is_empty());
    assert_eq!(identity::load_or_create(&home.dir).unwrap().fingerprint(), identity.fingerprint());
    assert_eq!(mode(&home.file("identity.pem")), 0o600);
}

#[test]
fn restoring_without_a_copy_says_so_and_changes_nothing() {
    let home = Home::new();
    assert_eq!(identity::restore(&home.dir, at(9)).unwrap(), None, "there never was one");
    identity::load_or_create(&home.dir).unwrap();
    fs::write(home.file("identity.pem"), "half").unwrap();
    fs::write(home.file("backup/identity.pem"), "half").unwrap();
    let error = identity::restore(&home.dir, at(9)).unwrap_err();
    assert!(matches!(error, StoreError::NoCopy { .. }), "{error}");
    assert_eq!(fs::read(home.file("identity.pem")).unwrap(), b"half");
}

/// A key lies about in a half-made file after a crash.
#[test]
fn what_a_crash_left_half_made_goes() {
    let home = Home::new();
    fs::write(home.file("identity.pem.new"), "half").unwrap();
    identity::load_or_create(&home.dir).unwrap();
    assert_eq!(home.names(""), ["backup", "identity.pem", "setup.lock"]);
}
