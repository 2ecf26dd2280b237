//! Random hosts, peers and disks against the invariants: whatever happens in whatever order, they hold.

use std::collections::BTreeSet;

use pf_base::PairPolicy;
use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;

/// One thing that happens. Connections and requests are picked from those that there are.
#[derive(Clone, Debug)]
enum Act {
    Arm {
        bound_to: Option<u8>,
        ttl: Option<u64>,
    },
    Disarm,
    Approve(Index),
    Deny(Index),
    Rename(u8),
    Remove(u8),
    EndSession(Index),
    Connect {
        device: u8,
        address: u8,
    },
    Hello {
        device: u8,
        address: u8,
        purpose: Purpose,
    },
    /// The next message that the protocol has for this connection.
    GoOn {
        connection: Index,
        right: bool,
    },
    /// Any message at all.
    Forge {
        connection: Index,
        message: u8,
        device: u8,
    },
    Close(Index),
    Wait(u64),
    Restart,
}

fn acts() -> impl Strategy<Value = Act> {
    let device = || 0..6_u8;
    let purpose = prop_oneof![3 => Just(Purpose::Pin), 2 => Just(Purpose::Ask), 1 => Just(Purpose::Knock)];
    prop_oneof![
        4 => (proptest::option::weighted(0.3, device()), proptest::option::of(1..400_u64))
            .prop_map(|(bound_to, ttl)| Act::Arm { bound_to, ttl }),
        1 => Just(Act::Disarm),
        2 => any::<Index>().prop_map(Act::Approve),
        1 => any::<Index>().prop_map(Act::Deny),
        1 => device().prop_map(Act::Rename),
        2 => device().prop_map(Act::Remove),
        2 => any::<Index>().prop_map(Act::EndSession),
        4 => (device(), 0..4_u8).prop_map(|(device, address)| Act::Connect { device, address }),
        8 => (device(), 0..8_u8, purpose)
            .prop_map(|(device, address, purpose)| Act::Hello { device, address, purpose }),
        16 => (any::<Index>(), any::<bool>())
            .prop_map(|(connection, right)| Act::GoOn { connection, right }),
        2 => (any::<Index>(), 0..7_u8, device())
            .prop_map(|(connection, message, device)| Act::Forge { connection, message, device }),
        2 => any::<Index>().prop_map(Act::Close),
        4 => prop_oneof![0..2_000_u64, 0..400_000_u64].prop_map(Act::Wait),
        1 => Just(Act::Restart),
    ]
}

/// Whether the disk takes what a step wants stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disk {
    Works,
    Full,
}

fn configs() -> impl Strategy<Value = Config> {
    let policy = prop_oneof![Just(PairPolicy::Required), Just(PairPolicy::Optional)];
    let arming = prop_oneof![3 => Just(Arming::ByOwner), 1 => Just(Arming::Always)];
    (policy, arming).prop_map(|(policy, arming)| Config {
        policy,
        arming,
        max_sessions: 5,
        ..Config::default()
    })
}

/// What a connection was told last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Offered,
    ShareMade,
    Evaluating,
    Exchanging,
    Waiting,
    In,
}

/// The host, and what an onlooker knows of it from its effects alone.
struct World {
    host: Host,
    open: BTreeMap<ConnectionId, (Peer, Told)>,
    evaluated: BTreeSet<u64>,
    /// Whether the store missed a step that took effect all the same.
    store_lags: bool,
}

impl World {
    fn new(config: Config) -> Self {
        let mut host = Host::with(config);
        host.stored = Stored::default();
        Self { host, open: BTreeMap::new(), evaluated: BTreeSet::new(), store_lags: false }
    }

    fn act(&mut self, act: &Act, disk: Disk) {
        match *act {
            Act::Wait(millis) => self.host.now = self.host.now + Duration::from_millis(millis),
            Act::Restart => return self.restart(),
            _ => {}
        }
        if let Some((event, peer)) = self.event(act) {
            self.run(event, peer, disk);
        }
    }

    /// The event that an act comes to, and the peer of the connection that it begins.
    fn event(&mut self, act: &Act) -> Option<(Event, Option<Peer>)> {
        let request = |index: &Index| {
            let listed = self.host.state.requests();
            if listed.is_empty() { RequestId(0) } else { index.get(listed).id }
        };
        Some(match act {
            Act::Arm { bound_to, ttl } => {
                let target =
                    bound_to.map_or(Target::Anyone, |number| Target::Device(device(number).fingerprint));
                let pin = pin(self.host.state.pin_digits(target, self.host.now).count());
                (Event::Arm { target, ttl: ttl.map(seconds), pin }, None)
            }
            Act::Disarm => (Event::Disarm, None),
            Act::Approve(index) => (Event::Approve { request: request(index), label: None }, None),
            Act::Deny(index) => (Event::Deny { request: request(index) }, None),
            Act::Rename(number) => {
                (Event::Rename { fingerprint: device(*number).fingerprint, label: name("new") }, None)
            }
            Act::Remove(number) => (Event::Remove { fingerprint: device(*number).fingerprint }, None),
            Act::EndSession(index) => (Event::EndSession { connection: self.pick(*index)?.0 }, None),
            Act::Connect { device, address } => {
                let (connection, peer) = (self.host.new_connection(), at(*device, *address));
                (Event::Connect { connection, peer }, Some(peer))
            }
            Act::Hello { device, address, purpose } => {
                let (connection, peer) = (self.host.new_connection(), at(*device, *address));
                let (name, purpose) = (name_of(peer), *purpose);
                (Event::Hello { connection, peer, name, purpose }, Some(peer))
            }
            Act::GoOn { connection, right } => (self.next_message(*connection, *right)?, None),
            Act::Forge { connection, message, device: number } => {
                let (connection, peer) = self.pick(*connection)?;
                let peer = if *number == 0 { peer } else { device(*number) };
                (forged(connection, peer, *message), None)
            }
            Act::Close(index) => (Event::Closed { connection: self.pick(*index)?.0 }, None),
            Act::Wait(_) | Act::Restart => (Event::Tick, None),
        })
    }

    fn pick(&self, index: Index) -> Option<(ConnectionId, Peer)> {
        let open: Vec<_> = self.open.iter().map(|(&connection, &(peer, _))| (connection, peer)).collect();
        (!open.is_empty()).then(|| *index.get(&open))
    }

    fn next_message(&self, index: Index, right: bool) -> Option<Event> {
        let (connection, peer) = self.pick(index)?;
        Some(match self.open[&connection].1 {
            Told::Offered => Event::Share { connection },
            Told::ShareMade => Event::Confirm { connection },
            Told::Evaluating if right => Event::Confirmed { connection, peer: proof_of(peer) },
            Told::Evaluating => Event::Mismatch { connection },
            Told::Exchanging => Event::Waiting { connection, code: code() },
            Told::Waiting | Told::In => return None,
        })
    }

    /// One step, as a driver takes it with this disk.
    fn run(&mut self, event: Event, peer: Option<Peer>, disk: Disk) {
        let before = self.host.state.clone();
        let said = format!("{event:?}");
        let closed = match event {
            Event::Closed { connection } => Some(connection),
            _ => None,
        };
        let now = self.host.now;
        let early_tick = matches!(event, Event::Tick) && before.next_deadline().is_none_or(|due| due > now);
        let done = step(&before, event, now);
        assert!(
            !early_tick
                || (done.effects.is_empty()
                    && done.later.is_empty()
                    && !done.state.changed_since(&before).any()),
            "something was due that no deadline told of: {done:?}"
        );
        let fails = disk == Disk::Full && !done.changes.is_empty();
        if let Some(connection) = closed {
            self.open.remove(&connection);
        }
        if fails && done.unsaved == Unsaved::Discard {
            let refused: Vec<_> = done.effects.iter().filter_map(Effect::connection).collect();
            return self.hang_up(refused);
        }
        if fails {
            self.store_lags = true;
        } else {
            self.host.stored.take(&done.changes, now);
        }
        self.host.stored.take(&done.later, now);
        self.host.state = done.state;
        let unevaluated = self.look_at(&before, &done.effects, peer, fails);
        self.check(&before, &said);
        self.hang_up(unevaluated);
    }

    /// The driver closes these connections by itself, and the host hears of it.
    fn hang_up(&mut self, connections: Vec<ConnectionId>) {
        for connection in connections {
            self.run(Event::Closed { connection }, None, Disk::Works);
        }
    }

    /// Follows the effects, and returns the attempts that the driver gives up because the disk is full.
    fn look_at(
        &mut self,
        before: &State,
        effects: &[Effect],
        peer: Option<Peer>,
        fails: bool,
    ) -> Vec<ConnectionId> {
        let mut unevaluated = Vec::new();
        for effect in effects {
            let tell = match *effect {
                Effect::Admit { connection, .. } => {
                    let fingerprint = peer.unwrap().fingerprint;
                    let tombstone = self.host.stored.removed.contains(&fingerprint);
                    assert!(!tombstone, "a removed device is admitted: {effect:?}");
                    (connection, Some(Told::In))
                }
                Effect::Offer { connection, .. } => (connection, Some(Told::Offered)),
                Effect::ExchangeCode { connection } => (connection, Some(Told::Exchanging)),
                Effect::UsePin { connection, .. } => {
                    self.assert_may_pair(before, connection);
                    (connection, Some(Told::ShareMade))
                }
                Effect::Evaluate { connection, ref taken } => {
                    self.assert_may_pair(before, connection);
                    assert_eq!(before.window().unwrap().generation(), taken.generation());
                    assert!(self.evaluated.insert(taken.generation()), "two guesses at one PIN: {effect:?}");
                    assert!(self.host.state.window().is_none(), "evaluated before it was taken");
                    if fails {
                        unevaluated.push(connection);
                    }
                    (connection, Some(Told::Evaluating))
                }
                Effect::Parked { connection, .. } => (connection, Some(Told::Waiting)),
                Effect::Refuse { connection, .. }
                | Effect::Close { connection, .. }
                | Effect::Paired { connection }
                | Effect::Left { connection }
                | Effect::Approved { connection } => (connection, None),
                Effect::Rearm { .. } => continue,
            };
            match tell {
                (connection, Some(told)) => {
                    let peer = self.open.get(&connection).map_or_else(|| peer.unwrap(), |open| open.0);
                    self.open.insert(connection, (peer, told));
                }
                (connection, None) => {
                    self.open.remove(&connection);
                }
            }
        }
        unevaluated
    }

    /// The window that this step found is open, and for this device.
    fn assert_may_pair(&self, before: &State, connection: ConnectionId) {
        let window = before.window().expect("no window is open");
        let now = self.host.now;
        assert!(window.opens_at() <= now, "not open yet");
        assert!(window.expires_at().is_none_or(|expires_at| now < expires_at), "expired");
        if let Target::Device(fingerprint) = window.target() {
            assert_eq!(fingerprint, self.open[&connection].0.fingerprint, "bound to another");
        }
    }

    fn check(&self, before: &State, said: &str) {
        let (state, stored) = (&self.host.state, &self.host.stored);
        for session in state.live() {
            let fingerprint = session.peer.fingerprint;
            let welcome = match session.role {
                Role::Paired => state.is_paired(fingerprint),
                Role::Guest => {
                    state.config().policy == PairPolicy::Optional && !stored.removed.contains(&fingerprint)
                }
            };
            assert!(welcome, "inv_32: {session:?} after {said}");
            assert_eq!(self.open.get(&session.connection).map(|open| open.1), Some(Told::In), "{said}");
        }
        let let_in = self.open.values().filter(|(_, told)| *told == Told::In).count();
        assert_eq!(let_in, state.live().count(), "a session was cut and not told, after {said}");
        assert!(let_in <= state.config().max_sessions);
        self.check_store();
        self.check_bounds();
        self.check_parked(before, said);
        assert!(state.next_deadline().is_none_or(|due| due > self.host.now), "{said}");
    }

    /// Memory is what was stored, or less where the disk failed to take a removal.
    fn check_store(&self) {
        let (state, stored) = (&self.host.state, &self.host.stored);
        let listed: Vec<_> = state.devices().collect();
        assert!(listed.iter().all(|device| stored.devices.contains_key(&device.fingerprint)));
        if !self.store_lags {
            assert_eq!(listed, stored.devices.values().collect::<Vec<_>>());
            assert_eq!(*state.counters(), stored.counters);
        }
    }

    fn check_bounds(&self) {
        let state = &self.host.state;
        let telling =
            |tellings: &[Told]| self.open.values().filter(|(_, told)| tellings.contains(told)).count();
        assert!(telling(&[Told::Offered, Told::ShareMade, Told::Evaluating]) <= limits::AT_ONCE);
        assert!(telling(&[Told::Exchanging]) <= limits::AT_ONCE);
        assert_eq!(
            telling(&[Told::Waiting]),
            state.requests().iter().filter(|request| request.parked.is_some()).count()
        );
        let keys: BTreeSet<_> = state.requests().iter().map(|request| request.peer.fingerprint).collect();
        assert_eq!(keys.len(), state.requests().len(), "one device is one entry");
        assert!(keys.iter().all(|&key| !state.is_paired(key)), "paired devices ask for nothing");
        for address in state.requests().iter().map(|request| request.peer.address) {
            let neighbours = state.requests().iter().filter(|request| request.peer.address == address);
            assert!(neighbours.count() <= limits::REQUESTS_PER_ADDRESS);
        }
    }

    /// Whoever waits goes on waiting until it hears something, or goes.
    fn check_parked(&self, before: &State, said: &str) {
        for parked in before.requests().iter().filter_map(|request| request.parked) {
            let waits = self.host.state.requests().iter().any(|request| request.parked == Some(parked));
            assert!(waits || !self.open.contains_key(&parked.connection), "{parked:?} after {said}");
        }
    }

    /// The process ends, with all its connections, and comes back from what was stored.
    fn restart(&mut self) {
        let generations_begin_anew = BTreeSet::new();
        (self.open, self.evaluated, self.store_lags) = (BTreeMap::new(), generations_begin_anew, false);
        self.host.restart();
        assert!(self.host.state.window().is_none());
    }
}

fn forged(connection: ConnectionId, peer: Peer, message: u8) -> Event {
    match message {
        0 => Event::Share { connection },
        1 => Event::Confirm { connection },
        2 => Event::Confirmed { connection, peer: proof_of(peer) },
        3 => Event::Mismatch { connection },
        4 => Event::Waiting { connection, code: code() },
        5 => Event::Connect { connection, peer },
        _ => Event::Hello { connection, peer, name: name_of(peer), purpose: Purpose::Pin },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Random owners, devices, forged messages, full disks and restarts.
    #[test]
    fn whatever_happens_the_invariants_hold(
        config in configs(),
        acts in vec((acts(), prop_oneof![9 => Just(Disk::Works), 1 => Just(Disk::Full)]), 1..120),
    ) {
        let mut world = World::new(config);
        for (act, disk) in &acts {
            world.act(act, *disk);
        }
    }
}
