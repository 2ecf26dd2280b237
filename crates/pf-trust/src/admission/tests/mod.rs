//! Admission, topic by topic: a host whose store is a list of changes, whose clock stands still until it is told to
//! move, and whose peers say what the test says.

mod attempts;
mod cool_downs;
mod machine;
mod removal;
mod requests;
mod sessions;
mod strangers;
mod topics;
mod windows;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use pf_base::{CheckCode, Code, DeviceName, Fingerprint, Pin, Timestamp};

use crate::{
    proof::ConfirmedPeer,
    record::{AuditEvent, AuditKind, BurnCounters, Change, Device, PairedBy},
};

use super::{
    ConnectionId, Effect, Event, OwnerError, Peer, Purpose, Reply, RequestId, Role, State, Step, Target,
    Topics, Unsaved, step,
};
// What a host is made of, under the names that the topics use.
use super::{Arming, Config, Ending, limits};

const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// A host as its driver runs it: each step is stored, adopted and carried out at once.
struct Host {
    config: Config,
    state: State,
    now: Timestamp,
    stored: Stored,
    connections: u64,
}

/// What the changes of all steps come to.
#[derive(Clone, Debug, Default)]
struct Stored {
    devices: BTreeMap<Fingerprint, Device>,
    removed: BTreeSet<Fingerprint>,
    counters: BurnCounters,
    audit: Vec<AuditEvent>,
}

/// What a step did, but for the state.
#[derive(Debug)]
struct Done {
    changes: Vec<Change>,
    effects: Vec<Effect>,
    later: Vec<Change>,
    reply: Reply,
    unsaved: Unsaved,
}

impl Host {
    /// A host that requires pairing, is armed by its owner, and knows nobody.
    fn fresh() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        let state = State::new(config.clone(), [], [], BurnCounters::default());
        Self { config, state, now: START, stored: Stored::default(), connections: 0 }
    }

    /// The process ends at this moment, and another starts from what was stored.
    fn restart(&mut self) {
        let Stored { devices, removed, counters, .. } = self.stored.clone();
        self.state = State::new(self.config.clone(), devices.into_values(), removed, counters);
    }

    fn does(&mut self, event: Event) -> Done {
        let Step { state, changes, effects, later, reply, unsaved } = step(&self.state, event, self.now);
        self.state = state;
        self.stored.take(&changes, self.now);
        self.stored.take(&later, self.now);
        Done { changes, effects, later, reply, unsaved }
    }

    fn wait(&mut self, time: Duration) -> Done {
        self.now = self.now + time;
        self.does(Event::Tick)
    }

    fn arm(&mut self, target: Target) -> Done {
        let digits = self.state.pin_digits(target, self.now);
        self.does(Event::Arm { target, ttl: None, pin: pin(digits.count()) })
    }

    fn new_connection(&mut self) -> ConnectionId {
        self.connections += 1;
        ConnectionId(self.connections)
    }

    fn connect(&mut self, peer: Peer) -> (ConnectionId, Done) {
        let connection = self.new_connection();
        (connection, self.does(Event::Connect { connection, peer }))
    }

    fn hello(&mut self, peer: Peer, purpose: Purpose) -> (ConnectionId, Done) {
        let connection = self.new_connection();
        (connection, self.does(Event::Hello { connection, peer, name: name_of(peer), purpose }))
    }

    /// A ceremony up to M4.
    fn share(&mut self, peer: Peer) -> ConnectionId {
        let (connection, done) = self.hello(peer, Purpose::Pin);
        assert!(matches!(done.effects[..], [Effect::Offer { .. }]), "{done:?}");
        let done = self.does(Event::Share { connection });
        assert!(matches!(done.effects[..], [Effect::UsePin { .. }]), "{done:?}");
        connection
    }

    /// A ceremony up to M5.
    fn confirm(&mut self, peer: Peer) -> ConnectionId {
        let connection = self.share(peer);
        let done = self.does(Event::Confirm { connection });
        assert!(matches!(done.effects[0], Effect::Evaluate { .. }), "{done:?}");
        connection
    }

    /// An attempt with a wrong PIN.
    fn guess_wrong(&mut self, peer: Peer) -> Done {
        let connection = self.confirm(peer);
        self.does(Event::Mismatch { connection })
    }

    /// An attempt with the right PIN.
    fn guess_right(&mut self, peer: Peer) -> Done {
        let connection = self.confirm(peer);
        self.does(Event::Confirmed { connection, peer: proof_of(peer) })
    }

    fn pair(&mut self, peer: Peer) {
        self.arm(Target::Anyone);
        self.guess_right(peer);
        assert!(self.state.is_paired(peer.fingerprint));
    }

    /// A device asks and waits.
    fn park(&mut self, peer: Peer) -> (ConnectionId, RequestId) {
        let (connection, done) = self.hello(peer, Purpose::Ask);
        assert_eq!(done.effects, [Effect::ExchangeCode { connection }]);
        let done = self.does(Event::Waiting { connection, code: code() });
        let Some(&Effect::Parked { request, .. }) = done.effects.last() else { panic!("{done:?}") };
        (connection, request)
    }

    fn request_of(&self, peer: Peer) -> Option<&super::Request> {
        self.state.requests().iter().find(|request| request.peer.fingerprint == peer.fingerprint)
    }

    fn audit_kinds(&self) -> Vec<AuditKind> {
        self.stored.audit.iter().map(|line| line.kind).collect()
    }
}

impl Stored {
    fn take(&mut self, changes: &[Change], now: Timestamp) {
        for change in changes {
            match change {
                Change::Pair(peer) => self.allow(peer.fingerprint(), peer.name(), PairedBy::Pin, now),
                Change::Approve(approval) => {
                    let by = PairedBy::Approval(approval.compared());
                    self.allow(approval.fingerprint(), approval.label(), by, now);
                }
                Change::Rename { fingerprint, label } => {
                    self.devices.get_mut(fingerprint).unwrap().label = label.clone();
                }
                Change::Remove { fingerprint } => {
                    self.devices.remove(fingerprint).unwrap();
                    self.removed.insert(*fingerprint);
                }
                Change::Seen { fingerprint } => {
                    if let Some(device) = self.devices.get_mut(fingerprint) {
                        device.last_seen = Some(now);
                    }
                }
                Change::Counters(counters) => self.counters = counters.clone(),
                Change::Audit(line) => self.audit.push(line.clone()),
            }
        }
    }

    fn allow(&mut self, fingerprint: Fingerprint, name: &DeviceName, paired_by: PairedBy, now: Timestamp) {
        self.removed.remove(&fingerprint);
        let earlier = self.devices.get(&fingerprint);
        let label = earlier.map_or_else(|| name.clone(), |device| device.label.clone());
        let last_seen = earlier.and_then(|device| device.last_seen);
        let device = Device { fingerprint, label, paired_at: now, paired_by, last_seen };
        self.devices.insert(fingerprint, device);
    }
}

impl Done {
    /// The one refusal that the step consists of.
    fn refusal(&self) -> Code {
        let [Effect::Refuse { code, .. }] = self.effects[..] else { panic!("no refusal: {self:?}") };
        code
    }

    /// How long the one who was refused is told to wait.
    fn retry_after(&self) -> Duration {
        let [Effect::Refuse { retry_after: Some(wait), .. }] = self.effects[..] else {
            panic!("nothing to wait for: {self:?}")
        };
        wait
    }

    fn audit(&self) -> Vec<AuditKind> {
        self.changes
            .iter()
            .chain(&self.later)
            .filter_map(|change| match change {
                Change::Audit(line) => Some(line.kind),
                _ => None,
            })
            .collect()
    }
}

/// The device number `number`, at an address of its own.
fn device(number: u8) -> Peer {
    at(number, number)
}

/// The device number `number`, at the address number `address`.
fn at(number: u8, address: u8) -> Peer {
    Peer { fingerprint: Fingerprint::from_bytes([number; 32]), address: [192, 0, 2, address].into() }
}

fn name_of(peer: Peer) -> DeviceName {
    name(&format!("device {}", peer.fingerprint.as_bytes()[0]))
}

fn name(text: &str) -> DeviceName {
    DeviceName::sanitise(text)
}

fn proof_of(peer: Peer) -> ConfirmedPeer {
    ConfirmedPeer::new(peer.fingerprint, name_of(peer))
}

fn pin(digits: u8) -> Pin {
    Pin::parse(&"0417041704"[..usize::from(digits)]).unwrap()
}

fn code() -> CheckCode {
    CheckCode::new(271_828)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
