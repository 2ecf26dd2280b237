//! A directory to keep things in, and proofs made the only way there is: by pairing.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use pf_base::{DeviceName, Fingerprint, Pin, Timestamp};
use pf_store::{DataDir, HostStore, Loaded};
use pf_trust::{
    admission::{Config, ConnectionId, Effect, Event, Peer, Purpose, RequestId, State, Step, Target, step},
    ceremony::{BeforeShares, Channel, ClientCeremony, Entropy, HostCeremony},
    proof::ConfirmedPeer,
    record::{AuditEvent, AuditKind, BurnCounters, Change},
};
use tempfile::TempDir;

/// A data directory that is gone when the test is over.
pub(crate) struct Home {
    _temp: TempDir,
    pub(crate) dir: DataDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let temp = TempDir::new().unwrap();
        let dir = DataDir::open(temp.path().join("data")).unwrap();
        Self { _temp: temp, dir }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The names in the directory, or one below it, in order.
    pub(crate) fn names(&self, below: &str) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.file(below))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Everything that is stored, but for what SQLite makes of it while it looks.
    pub(crate) fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let mut contents = BTreeMap::new();
        for below in ["", "backup"].into_iter().filter(|below| self.file(below).exists()) {
            for name in self.names(below) {
                let path = self.file(below).join(&name);
                if path.is_file() && !name.ends_with("-shm") {
                    contents.insert(format!("{below}/{name}"), fs::read(&path).unwrap());
                }
            }
        }
        contents.retain(|name, bytes| !(name.ends_with("-wal") && bytes.is_empty()));
        contents
    }

    pub(crate) fn host(&self) -> (HostStore, Loaded) {
        HostStore::open(&self.dir).unwrap()
    }
}

pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn key(number: u8) -> Fingerprint {
    Fingerprint::from_bytes([number; 32])
}

pub(crate) fn name(text: &str) -> DeviceName {
    DeviceName::sanitise(text)
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// An audit line of a kind that is kept for good.
pub(crate) fn note(kind: AuditKind) -> Change {
    Change::Audit(AuditEvent { kind, fingerprint: None, address: None, name: None })
}

/// The change that puts a device on the allow-list, from a ceremony between it and a host.
pub(crate) fn pair(device: u8, device_name: &str) -> Change {
    Change::Pair(ceremony(key(device), device_name, key(0xff), "host").0)
}

/// What a client that paired with this host holds.
pub(crate) fn confirmed(host: u8, host_name: &str) -> ConfirmedPeer {
    ceremony(key(0xff), "client", key(host), host_name).1
}

/// The change that puts a device on the allow-list because the owner said yes, with nothing to compare.
pub(crate) fn approve(device: u8, device_name: &str) -> Change {
    let knock = Event::Hello {
        connection: ConnectionId(1),
        peer: peer(key(device)),
        name: name(device_name),
        purpose: Purpose::Knock,
    };
    let asked = step(&fresh(), knock, at(1)).state;
    let request: RequestId = asked.requests()[0].id;
    let approved = step(&asked, Event::Approve { request, label: None }, at(2));
    approved.changes.into_iter().find(|change| matches!(change, Change::Approve(_))).unwrap()
}

/// Both ends of a whole ceremony with the right PIN: what the host proved of the device, and the device of the host.
fn ceremony(
    device: Fingerprint,
    device_name: &str,
    host: Fingerprint,
    host_name: &str,
) -> (ConfirmedPeer, ConfirmedPeer) {
    const ALPN: &[u8] = b"punktfunk-pair/1";
    let (connection, peer) = (ConnectionId(1), peer(device));
    let pin = || Pin::parse("0420").unwrap();
    let before = || BeforeShares::of(b"M1", b"M2");
    let entropy = |byte| {
        Entropy::draw(|bytes| {
            bytes.fill(byte);
            Ok::<_, ()>(())
        })
        .unwrap()
    };

    let armed = step(&fresh(), Event::Arm { target: Target::Anyone, ttl: None, pin: pin() }, at(1)).state;
    let hello = Event::Hello { connection, peer, name: name(device_name), purpose: Purpose::Pin };
    let offered = step(&armed, hello, at(2)).state;

    let client_side = Channel::new(device, host, ALPN, [7; 32]).unwrap();
    let (client, p_a) = ClientCeremony::new(client_side, name(host_name), before()).share(pin(), entropy(1));
    let shared = step(&offered, Event::Share { connection }, at(3)).state;
    let host_side = Channel::new(host, device, ALPN, [7; 32]).unwrap();
    let (host, p_b) =
        HostCeremony::new(host_side, name(device_name), before()).share(&pin(), &p_a, entropy(2)).unwrap();

    let (client, c_a) = client.confirm(&p_b).unwrap();
    let Step { effects, .. } = step(&shared, Event::Confirm { connection }, at(4));
    let taken = effects.into_iter().find_map(|effect| match effect {
        Effect::Evaluate { taken, .. } => Some(taken),
        _ => None,
    });
    let (of_device, c_b) = host.evaluate(taken.unwrap(), &c_a).unwrap();
    (of_device, client.verify(&c_b).unwrap())
}

fn fresh() -> State {
    State::new(Config::default(), [], [], BurnCounters::default())
}

fn peer(fingerprint: Fingerprint) -> Peer {
    Peer { fingerprint, address: [192, 0, 2, 1].into() }
}
