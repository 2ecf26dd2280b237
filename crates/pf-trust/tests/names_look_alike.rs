//! Names that could be taken for another device's.

use pf_base::{DeviceName, Fingerprint, Timestamp};
use pf_trust::{
    look_alike::resembles,
    record::{Device, PairedBy},
};

fn device(label: &str) -> Device {
    Device {
        fingerprint: Fingerprint::from_bytes([1; 32]),
        label: DeviceName::sanitise(label),
        paired_at: Timestamp::EPOCH,
        paired_by: PairedBy::Pin,
        last_seen: None,
    }
}

fn alike(one: &str, other: &str) -> bool {
    resembles(&DeviceName::sanitise(one), &[device(other)]).is_some()
}

/// A stranger asks under a name that the owner reads as that of a device of their own.
#[test]
fn inv_48_look_alikes_are_found() {
    for (asks, paired) in [
        ("Steam Deck", "Steam Deck"),
        ("steam deck", "Steam Deck"),
        ("STEAM DECK", "steam deck"),
        ("Stеаm Dеck", "Steam Deck"),   // Cyrillic е and а
        ("Ѕteam Deck", "steam deck"),   // Cyrillic capital Ѕ
        ("Ｓteam Ｄeck", "Steam Deck"), // full width
        ("𝐒𝐭𝐞𝐚𝐦 Deck", "Steam Deck"),   // mathematical bold
        ("Iaptop", "laptop"),           // capital i
        ("1aptop", "laptop"),
        ("PIXEL", "pixel"),
        ("Pixe1", "pixel"),
        ("rnac", "mac"),
        ("RNAC", "rnac"),
        ("mac", "MAC"),
        ("O2", "02"),
        ("ﬁre tv", "fire tv"), // a ligature
        ("TV²", "TV2"),
        ("ﾃﾚﾋﾞ", "テレビ"), // half width
    ] {
        assert!(alike(asks, paired), "{asks} for {paired}");
        assert!(alike(paired, asks), "{paired} for {asks}");
    }
}

/// A warning about every name is read by nobody.
#[test]
fn inv_48_other_names_are_left_alone() {
    for (asks, paired) in [
        ("Steam Deck", "Steam Deck 2"),
        ("laptop", "desktop"),
        ("居間のテレビ", "台所のテレビ"),
        ("Anna's phone", "Anne's phone"),
        ("", ""),
    ] {
        assert!(!alike(asks, paired), "{asks} for {paired}");
    }
}

#[test]
fn inv_48_the_device_that_it_looks_like_is_named() {
    let devices =
        [device("laptop"), Device { fingerprint: Fingerprint::from_bytes([2; 32]), ..device("Deck") }];
    let found = resembles(&DeviceName::sanitise("Dеck"), &devices);
    assert_eq!(found, Some(&devices[1]));
}
