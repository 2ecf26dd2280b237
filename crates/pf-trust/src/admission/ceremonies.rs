//! What runs on the pairing connections: PIN ceremonies and check-code exchanges, each on its slot.
//!
//! A PIN ceremony goes `Offered` → `Shared` → `Evaluating` and is gone; whatever comes out of that order is fatal to
//! it. Before `Evaluating` it has learned nothing and costs its peer the rate limit alone; from there on its PIN is
//! spent, and however it ends it ends as paired or as wrong PIN.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use pf_base::{Code, DeviceName, Fingerprint, Timestamp};

use crate::{
    proof::ConfirmedPeer,
    record::{AuditKind, Change, PairedBy},
};

use super::{
    ConnectionId, Effect, Peer, Target, Turn,
    limits::{self, A_SECOND, AT_ONCE, CEREMONY_TIMEOUT, EXCHANGE_TIMEOUT},
    window::{Admittance, Ending, Taken},
};

/// One ceremony or exchange.
#[derive(Clone, Debug)]
pub(super) struct Ceremony {
    pub(super) peer: Peer,
    pub(super) name: DeviceName,
    stage: Stage,
    deadline: Timestamp,
}

/// How far a ceremony is.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The check-code exchange runs.
    Exchanging,
    /// M2 is sent for this generation.
    Offered { generation: u64 },
    /// M4 is made with this generation's PIN.
    Shared { generation: u64 },
    /// The PIN was taken.
    Evaluating { taken: Taken, taken_at: Timestamp },
}

impl Ceremony {
    /// Whether it makes place for a newer one of this peer: its own, as long as it has not taken a PIN.
    ///
    /// A device whose connection broke unheard would else wait for its own time-out.
    fn yields_to(&self, peer: Peer) -> bool {
        self.peer.fingerprint == peer.fingerprint && !matches!(self.stage, Stage::Evaluating { .. })
    }
}

/// Which of the two pools of slots a ceremony takes its slot from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Pin,
    Exchange,
}

impl Stage {
    fn kind(self) -> Kind {
        match self {
            Self::Exchanging => Kind::Exchange,
            Self::Offered { .. } | Self::Shared { .. } | Self::Evaluating { .. } => Kind::Pin,
        }
    }

    fn awaits_pin(self) -> bool {
        matches!(self, Self::Offered { .. } | Self::Shared { .. })
    }
}

/// Everything that runs, and what began within the last second.
#[derive(Clone, Debug, Default)]
pub(super) struct Ceremonies {
    running: BTreeMap<ConnectionId, Ceremony>,
    pin_starts: VecDeque<Timestamp>,
    exchange_starts: VecDeque<Timestamp>,
}

impl Ceremonies {
    pub(super) fn contains(&self, connection: ConnectionId) -> bool {
        self.running.contains_key(&connection)
    }

    pub(super) fn is_evaluating(&self) -> bool {
        self.running.values().any(|ceremony| matches!(ceremony.stage, Stage::Evaluating { .. }))
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.running.values().map(|ceremony| ceremony.deadline).min()
    }

    /// Whether a slot is free for this peer; else, after how long one may be.
    fn slot_for(&self, kind: Kind, peer: Peer, now: Timestamp) -> Result<(), Duration> {
        let starts = self.starts(kind);
        if let Some(&earliest) = starts.front()
            && starts.len() >= A_SECOND
            && now.since(earliest) < SECOND
        {
            return Err((earliest + SECOND).since(now));
        }
        let others = || {
            let in_use = |ceremony: &&Ceremony| ceremony.stage.kind() == kind && !ceremony.yields_to(peer);
            self.running.values().filter(in_use)
        };
        let in_the_way = others().find(|ceremony| {
            ceremony.peer.fingerprint == peer.fingerprint
                || limits::source(ceremony.peer.address) == limits::source(peer.address)
        });
        if let Some(ceremony) = in_the_way {
            return Err(ceremony.deadline.since(now));
        }
        if others().count() >= AT_ONCE {
            let earliest = others().map(|ceremony| ceremony.deadline).min().unwrap_or(now);
            return Err(earliest.since(now));
        }
        Ok(())
    }

    fn begin(
        &mut self,
        connection: ConnectionId,
        peer: Peer,
        name: DeviceName,
        stage: Stage,
        now: Timestamp,
    ) {
        let timeout = match stage.kind() {
            Kind::Pin => CEREMONY_TIMEOUT,
            Kind::Exchange => EXCHANGE_TIMEOUT,
        };
        self.running.insert(connection, Ceremony { peer, name, stage, deadline: now + timeout });
        let starts = match stage.kind() {
            Kind::Pin => &mut self.pin_starts,
            Kind::Exchange => &mut self.exchange_starts,
        };
        if starts.len() >= A_SECOND {
            starts.pop_front();
        }
        starts.push_back(now);
    }

    fn starts(&self, kind: Kind) -> &VecDeque<Timestamp> {
        match kind {
            Kind::Pin => &self.pin_starts,
            Kind::Exchange => &self.exchange_starts,
        }
    }

    /// Takes out every ceremony that `gone` is true of.
    fn take_if(&mut self, gone: impl Fn(&Ceremony) -> bool) -> Vec<(ConnectionId, Ceremony)> {
        self.running.extract_if(.., |_, ceremony| gone(ceremony)).collect()
    }
}

impl Turn {
    /// M1 of the PIN ceremony: the limits first, then the window.
    pub(super) fn begin_pin(&mut self, connection: ConnectionId, peer: Peer, name: DeviceName) {
        if let Err(wait) = self.state.ceremonies.slot_for(Kind::Pin, peer, self.now) {
            return self.refuse_for(connection, Code::RateLimited, wait);
        }
        match self.state.slot.admits(peer.fingerprint, self.now) {
            Admittance::Closed => self.refuse(connection, Code::NotArmed),
            Admittance::ForAnother => self.refuse(connection, Code::ArmedForAnother),
            Admittance::NotYet { opens_at } => {
                self.refuse_for(connection, Code::RateLimited, opens_at.since(self.now));
            }
            Admittance::Open { generation, digits } => {
                self.begin(connection, peer, name, Stage::Offered { generation });
                self.effects.push(Effect::Offer { connection, digits });
            }
        }
    }

    /// The first message of one who asks: a slot for the exchange, where its request will find room.
    pub(super) fn begin_exchange(&mut self, connection: ConnectionId, peer: Peer, name: DeviceName) {
        if let Err(wait) = self.state.ceremonies.slot_for(Kind::Exchange, peer, self.now) {
            return self.refuse_for(connection, Code::RateLimited, wait);
        }
        if !self.state.is_paired(peer.fingerprint)
            && let Err(full) = self.state.requests.room_for(peer)
        {
            return self.refuse_full(connection, full);
        }
        self.begin(connection, peer, name, Stage::Exchanging);
        self.effects.push(Effect::ExchangeCode { connection });
    }

    /// Begins on a slot that is free, or held by an older one of the same peer.
    fn begin(&mut self, connection: ConnectionId, peer: Peer, name: DeviceName, stage: Stage) {
        let kind = stage.kind();
        let older = |ceremony: &Ceremony| ceremony.stage.kind() == kind && ceremony.yields_to(peer);
        let gone = self.state.ceremonies.take_if(older);
        self.close_ceremonies(gone, Code::RateLimited);
        self.state.ceremonies.begin(connection, peer, name, stage, self.now);
    }

    /// M3: M4 may be made, while the window that was offered is open.
    pub(super) fn share(&mut self, connection: ConnectionId) {
        let Some(ceremony) = self.state.ceremonies.running.get_mut(&connection) else {
            return self.refuse(connection, Code::NotArmed);
        };
        let Stage::Offered { generation } = ceremony.stage else { return self.break_off(connection) };
        let Some(pin) = self.state.slot.pin(generation, self.now) else {
            self.state.ceremonies.running.remove(&connection);
            return self.refuse(connection, Code::NotArmed);
        };
        ceremony.stage = Stage::Shared { generation };
        let pin = pin.clone();
        self.effects.push(Effect::UsePin { connection, pin });
    }

    /// M5: the PIN is taken, and only then may it be evaluated. Whoever raced for the same PIN is turned away.
    pub(super) fn confirm(&mut self, connection: ConnectionId) {
        let Some(ceremony) = self.state.ceremonies.running.get(&connection) else {
            return self.refuse(connection, Code::NotArmed);
        };
        let Stage::Shared { generation } = ceremony.stage else { return self.break_off(connection) };
        let (peer, name) = (ceremony.peer, ceremony.name.clone());
        let Some(taken) = self.take_pin(connection, generation) else {
            self.state.ceremonies.running.remove(&connection);
            return self.refuse(connection, Code::NotArmed);
        };
        self.record(AuditKind::Attempt, Some(peer.fingerprint), Some(peer.address), Some(name));
        if let Some(ceremony) = self.state.ceremonies.running.get_mut(&connection) {
            ceremony.stage = Stage::Evaluating { taken, taken_at: self.now };
        }
        self.close_waiting_ceremonies();
    }

    /// The guess was right: the device is stored, and only then hears of it.
    pub(super) fn confirmed(&mut self, connection: ConnectionId, proof: ConfirmedPeer) {
        let Some(ceremony) = self.state.ceremonies.running.get(&connection) else {
            return self.refuse(connection, Code::NotArmed);
        };
        let Stage::Evaluating { taken, taken_at } = ceremony.stage else {
            return self.break_off(connection);
        };
        if ceremony.peer.fingerprint != proof.fingerprint() {
            return self.break_off(connection);
        }
        let peer = ceremony.peer;
        self.state.ceremonies.running.remove(&connection);
        let name = proof.name().clone();
        self.state.allow(peer.fingerprint, &name, PairedBy::Pin, self.now);
        self.changes.push(Change::Pair(proof));
        if taken.target == Target::Anyone {
            self.state.counters.succeeded(taken_at);
            self.keep_counters();
        }
        self.record(AuditKind::Paired, Some(peer.fingerprint), Some(peer.address), Some(name.clone()));
        self.end_window(taken, Ending::Paired { peer, name });
        self.effects.push(Effect::Paired { connection });
        self.answer_request_of(peer.fingerprint);
    }

    /// The guess was wrong.
    pub(super) fn mismatch(&mut self, connection: ConnectionId) {
        match self.state.ceremonies.running.get(&connection).map(|ceremony| ceremony.stage) {
            None => self.refuse(connection, Code::NotArmed),
            Some(Stage::Evaluating { .. }) => {
                self.drop_ceremony(connection);
                self.refuse(connection, Code::WrongPin);
            }
            Some(_) => self.break_off(connection),
        }
    }

    /// Takes an exchange off its slot, once it is done.
    pub(super) fn finish_exchange(&mut self, connection: ConnectionId) -> Option<Ceremony> {
        let Some(ceremony) = self.state.ceremonies.running.get(&connection) else {
            self.refuse(connection, Code::RequestExpired);
            return None;
        };
        if !matches!(ceremony.stage, Stage::Exchanging) {
            self.break_off(connection);
            return None;
        }
        self.state.ceremonies.running.remove(&connection)
    }

    /// A message out of order: fatal to its ceremony.
    pub(super) fn break_off(&mut self, connection: ConnectionId) {
        self.drop_ceremony(connection);
        self.refuse(connection, Code::ProtocolError);
    }

    /// Ends a ceremony that will not be finished; its PIN, where it took one, was a wrong one. Whether there was one.
    pub(super) fn drop_ceremony(&mut self, connection: ConnectionId) -> bool {
        let Some(ceremony) = self.state.ceremonies.running.remove(&connection) else { return false };
        self.bury(ceremony);
        true
    }

    /// Closes the ceremonies of a device that is removed.
    pub(super) fn close_ceremonies_of(&mut self, fingerprint: Fingerprint) {
        let gone = self.state.ceremonies.take_if(|ceremony| ceremony.peer.fingerprint == fingerprint);
        self.close_ceremonies(gone, Code::Removed);
    }

    /// Closes the ceremonies that wait for the PIN of a window that is gone, so that they hold no slot of the next.
    pub(super) fn close_waiting_ceremonies(&mut self) {
        let gone = self.state.ceremonies.take_if(|ceremony| ceremony.stage.awaits_pin());
        self.close_ceremonies(gone, Code::NotArmed);
    }

    /// Closes the ceremonies that ran out of time.
    pub(super) fn expire_ceremonies(&mut self) {
        let now = self.now;
        let gone = self.state.ceremonies.take_if(|ceremony| ceremony.deadline <= now);
        self.close_ceremonies(gone, Code::Unreachable);
    }

    fn close_ceremonies(&mut self, gone: Vec<(ConnectionId, Ceremony)>, code: Code) {
        for (connection, ceremony) in gone {
            self.bury(ceremony);
            self.effects.push(Effect::Close { connection, code });
        }
    }

    fn bury(&mut self, ceremony: Ceremony) {
        if let Ceremony { peer, name, stage: Stage::Evaluating { taken, .. }, .. } = ceremony {
            self.note(AuditKind::WrongPin, Some(peer.fingerprint), Some(peer.address), Some(name.clone()));
            self.end_window(taken, Ending::WrongPin { peer, name });
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
