//! Files that are broken, gone, or open to others.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{Seek, SeekFrom, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use pf_e2e::{ClientInstall, Host};

/// A broken list that is silently replaced by an empty one: everybody is locked out, or everybody let in.
#[test]
fn inv_36_a_broken_store_stops_the_host_and_restore_brings_the_devices_back() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 4] = [
        ("empty", |file| fs::write(file, b"").unwrap()),
        ("cut short", |file| OpenOptions::new().write(true).open(file).unwrap().set_len(5000).unwrap()),
        ("overwritten", |file| {
            let mut file = OpenOptions::new().write(true).open(file).unwrap();
            file.seek(SeekFrom::Start(4096)).unwrap();
            file.write_all(&[0x5a; 8192]).unwrap();
        }),
        ("missing", |file| fs::remove_file(file).unwrap()),
    ];
    let mut host = Host::m3().start();
    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.pin());
    couch.expect_pictures(&host.address());
    for (how, damage) in damages {
        host.terminate();
        let setup = host.into_setup().without_args();
        let file = setup.path().join("host.sqlite");
        damage(&file);
        let before = fs::read(&file).ok();
        let error = setup.fail_to_start().expect_failure(21, "store_unreadable");
        assert!(error["message"].as_str().unwrap().contains(file.to_str().unwrap()), "{how}: {error}");
        assert!(error["hint"].as_str().unwrap().contains("--restore"), "{how}: {error}");
        assert_eq!(fs::read(&file).ok(), before, "{how}: nothing is touched until a person asks for it");

        host = setup.arg("--restore").start();
        assert_eq!(host.devices()[0]["fingerprint"], couch.fingerprint(), "{how}");
        couch.expect_pictures(&host.address());
    }
}

/// A lost key that is silently replaced: every client sees an impostor, and learns to click that away.
#[test]
fn inv_36_a_broken_identity_stops_either_program_and_restore_brings_it_back() {
    let mut host = Host::m3().start();
    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.pin());
    host.terminate();
    let setup = host.into_setup();
    let host_file = setup.path().join("identity.pem");
    let client_file = couch.file("identity.pem");
    for damage in
        [|file: &Path| fs::write(file, "garbage").unwrap(), |file: &Path| fs::remove_file(file).unwrap()]
    {
        damage(&host_file);
        damage(&client_file);
        let at_host = setup.fail_to_start().expect_failure(21, "store_unreadable");
        let at_client = couch.connect("127.0.0.1:9").expect_failure(21, "store_unreadable");
        for (error, file) in [(at_host, &host_file), (at_client, &client_file)] {
            assert!(error["message"].as_str().unwrap().contains(file.to_str().unwrap()), "{error}");
            assert!(error["hint"].as_str().unwrap().contains("--restore"), "{error}");
        }
        couch.run(&["hosts", "--restore"]).expect_success();
        let restored = setup.ctl(&["status"]);
        restored.expect_failure(3, "unreachable");
        fs::copy(setup.path().join("backup/identity.pem"), &host_file).unwrap();
        fs::set_permissions(&host_file, Permissions::from_mode(0o600)).unwrap();
    }
    let host = setup.start();
    couch.expect_pictures(&host.address());
}

/// The client's pins are gone, and the next host that answers is as good as any.
#[test]
fn inv_36_a_broken_client_store_stops_the_client_and_restore_brings_the_pins_back() {
    let host = Host::m3().start();
    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.pin());
    fs::write(couch.file("client.sqlite"), b"garbage").unwrap();
    let error = couch.connect(&host.address()).expect_failure(21, "store_unreadable");
    assert!(error["message"].as_str().unwrap().contains("client.sqlite"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("--restore"), "{error}");
    let connect = ["connect", &host.address(), "--headless", "--frames", "3", "--restore"];
    couch.run(&connect).expect_success();
    assert_eq!(couch.state_of(host.fingerprint()).as_deref(), Some("paired"));
}

/// Somebody else on the machine reads the key, or drives the host.
#[test]
fn inv_38_what_is_kept_is_the_owners_alone() {
    let mut host = Host::m3().start();
    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.pin());
    for directory in [host.data_dir(), couch.data_dir()] {
        assert_private(directory);
    }
    assert!(host.data_dir().join("ctl.sock").exists());
    host.terminate();
    let setup = host.into_setup();

    let wide: [(&str, u32, u32); 3] =
        [("identity.pem", 0o644, 0o600), ("host.sqlite", 0o640, 0o600), ("", 0o755, 0o700)];
    for (name, wide, narrow) in wide {
        let path = setup.path().join(name);
        fs::set_permissions(&path, Permissions::from_mode(wide)).unwrap();
        let error = setup.fail_to_start().expect_failure(21, "store_unreadable");
        assert!(error["hint"].as_str().unwrap().contains("chmod"), "{name}: {error}");
        fs::set_permissions(&path, Permissions::from_mode(narrow)).unwrap();
    }
    let key = couch.file("identity.pem");
    fs::set_permissions(&key, Permissions::from_mode(0o604)).unwrap();
    couch.run(&["identity"]).expect_failure(21, "store_unreadable");
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let host = setup.start();
    couch.expect_pictures(&host.address());
}

/// Two hosts on one store, of which each undoes what the other stored.
#[test]
fn two_hosts_do_not_share_a_directory() {
    let host = Host::serve().start();
    let second = Host::serve().data_dir(host.data_dir());
    let error = second.fail_to_start().expect_failure(21, "store_unreadable");
    assert!(error["message"].as_str().unwrap().contains("in use"), "{error}");
    host.ctl(&["status"]);
}

fn assert_private(directory: &Path) {
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(directory), 0o700, "{}", directory.display());
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_private(&path);
        } else {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
}
