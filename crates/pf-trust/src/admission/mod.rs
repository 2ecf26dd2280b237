//! Who a host lets in: pairing windows, requests for access, sessions and removals, as one pure function.
//!
//! [`step`] takes the state, one event and the time, and returns the next state with what is to be done for it, as
//! [`Step`] describes. It is the only place where admission is decided: the host, the property tests and the console
//! all go through it, one event at a time, so that no two of them ever race.
//!
//! A bird's eye view of what a device goes through:
//!
//! ```text
//! Connect ── on the allow-list ──────────────────────────────▶ Admit        (sessions)
//!    ├────── removed ────────────────────────────────────────▶ Refuse
//!    └────── unknown ─ required: Refuse, and a request is left │ optional: Admit as a guest
//! Hello{Pin} ─▶ Offer ─ Share ─▶ UsePin ─ Confirm ─▶ PIN taken, Evaluate    (ceremonies, window)
//!                                    Confirmed ─▶ stored, Paired │ Mismatch, Closed ─▶ wrong PIN
//! Hello{Ask} ─▶ ExchangeCode ─ Waiting ─▶ Parked ─ Approve ─▶ Approved      (requests)
//! Hello{Knock} ─▶ Left                           └ Deny, time, a newer ask ─▶ Close
//! ```
//!
//! Every step first lets everything happen that is due by `now`: windows, ceremonies and requests that ran out are
//! gone before the event is looked at, however late the [`Event::Tick`] for them is.

mod audit;
mod burns;
mod ceremonies;
mod event;
pub mod limits;
mod requests;
mod sessions;
mod topics;
mod window;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use pf_base::{Code, DeviceName, Fingerprint, PairPolicy, PinDigits, Timestamp};

use crate::{
    look_alike,
    record::{BurnCounters, Change, Device},
};

pub use event::{
    ConnectionId, Effect, Event, OwnerError, Peer, Purpose, Reply, RequestId, Role, Step, Target, Unsaved,
};
pub use requests::{Parked, Request};
pub use sessions::Session;
pub use topics::Topics;
pub use window::{Ending, Window, WindowOutcome};

use audit::Meter;
use ceremonies::Ceremonies;
use requests::Requests;
use sessions::Live;
use window::WindowSlot;

/// What the owner set, for one run of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What becomes of devices that are not paired.
    pub policy: PairPolicy,
    /// How pairing windows come to be opened.
    pub arming: Arming,
    /// How many digits a PIN has at least.
    pub pin_digits: PinDigits,
    /// The number of the first request, so that numbers are not used again after a restart.
    pub first_request: u32,
    /// How many sessions there may be at once.
    pub max_sessions: usize,
}

impl Default for Config {
    /// The strict host: pairing is required, and armed by the owner alone.
    fn default() -> Self {
        Self {
            policy: PairPolicy::Required,
            arming: Arming::ByOwner,
            pin_digits: PinDigits::DEFAULT,
            first_request: 1,
            max_sessions: 8,
        }
    }
}

/// How a host's pairing windows come to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arming {
    /// By the owner, for a while: the production host.
    ByOwner,
    /// By the host itself, always: the test host. A window stays open until its PIN is used.
    Always,
}

/// Everything that admission decides by.
///
/// The allow-list, the tombstones and the burn counters are the store's, read at start and changed by
/// [`Step::changes`]; the rest lives as long as the process. Strangers can make none of it grow past [`limits`].
#[derive(Clone, Debug)]
pub struct State {
    config: Config,
    devices: BTreeMap<Fingerprint, Device>,
    removed: BTreeSet<Fingerprint>,
    counters: BurnCounters,
    slot: WindowSlot,
    outcome: Option<WindowOutcome>,
    rearm_asked_at: Option<Timestamp>,
    ceremonies: Ceremonies,
    requests: Requests,
    live: Live,
    meter: Meter,
}

impl State {
    /// The state at start, from what the store kept: no window is open, whatever was open before.
    ///
    /// A device that is on the allow-list and removed as well counts as removed.
    pub fn new(
        config: Config,
        devices: impl IntoIterator<Item = Device>,
        removed: impl IntoIterator<Item = Fingerprint>,
        counters: BurnCounters,
    ) -> Self {
        let removed: BTreeSet<_> = removed.into_iter().collect();
        let devices = devices
            .into_iter()
            .filter(|device| !removed.contains(&device.fingerprint))
            .map(|device| (device.fingerprint, device))
            .collect();
        let requests = Requests::new(config.first_request);
        Self {
            config,
            devices,
            removed,
            counters,
            slot: WindowSlot::default(),
            outcome: None,
            rearm_asked_at: None,
            ceremonies: Ceremonies::default(),
            requests,
            live: Live::new(),
            meter: Meter::default(),
        }
    }

    /// What the host was started with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The pairing window that is open, or will be when the cool-down is over.
    pub fn window(&self) -> Option<&Window> {
        self.slot.window()
    }

    /// How the last window ended, in this run of the host.
    pub fn last_window(&self) -> Option<&WindowOutcome> {
        self.outcome.as_ref()
    }

    /// The burn counters, as the store keeps them.
    pub fn counters(&self) -> &BurnCounters {
        &self.counters
    }

    /// How many digits the PIN of a window armed now has at least.
    pub fn pin_digits(&self, target: Target, now: Timestamp) -> PinDigits {
        if target == Target::Anyone && self.counters.are_too_many(now) {
            self.config.pin_digits.max(PinDigits::AFTER_TOO_MANY_BURNED)
        } else {
            self.config.pin_digits
        }
    }

    /// Who waits for approval, in the order in which they asked last.
    pub fn requests(&self) -> &[Request] {
        self.requests.list()
    }

    /// The paired device that a request's name could be taken for, to warn the owner with.
    pub fn look_alike(&self, request: &Request) -> Option<&Device> {
        look_alike::resembles(&request.name, self.devices())
    }

    /// The allow-list, in the order of fingerprints.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.devices.values()
    }

    /// Whether a device is on the allow-list.
    pub fn is_paired(&self, fingerprint: Fingerprint) -> bool {
        self.devices.contains_key(&fingerprint)
    }

    /// The sessions that are let in, in the order in which they came.
    pub fn live(&self) -> impl Iterator<Item = &Session> {
        self.live.values()
    }

    /// What a paired device is called.
    pub fn label(&self, fingerprint: Fingerprint) -> Option<&DeviceName> {
        self.devices.get(&fingerprint).map(|device| &device.label)
    }

    /// When something is due: a [`Event::Tick`] comes no later. At once, where that is in the past.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        [
            self.slot.window().and_then(Window::expires_at),
            self.ceremonies.next_deadline(),
            self.requests.next_deadline(),
            self.meter.next_deadline(),
            self.rearm_due(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The connection of a message that does not belong where its connection is: a first message on one that is known
    /// already, or a ceremony's message on a session or a waiting device's.
    fn out_of_place(&self, event: &Event) -> Option<ConnectionId> {
        let is_let_in =
            |connection| self.live.contains_key(connection) || self.requests.is_parked(*connection);
        match event {
            Event::Connect { connection, .. } | Event::Hello { connection, .. } => {
                (is_let_in(connection) || self.ceremonies.contains(*connection)).then_some(*connection)
            }
            Event::Share { connection }
            | Event::Confirm { connection }
            | Event::Confirmed { connection, .. }
            | Event::Mismatch { connection }
            | Event::Waiting { connection, .. } => is_let_in(connection).then_some(*connection),
            _ => None,
        }
    }
}

/// Decides what one event at one time changes.
pub fn step(state: &State, event: Event, now: Timestamp) -> Step {
    let mut turn = Turn::new(state.clone(), now);
    turn.let_due_things_happen();
    turn.take(event);
    turn.keep_armed();
    turn.finish()
}

/// One step in the making. Each room of this module adds what it decides.
struct Turn {
    state: State,
    now: Timestamp,
    changes: Vec<Change>,
    effects: Vec<Effect>,
    later: Vec<Change>,
    reply: Reply,
    unsaved: Unsaved,
}

impl Turn {
    fn new(state: State, now: Timestamp) -> Self {
        Self {
            state,
            now,
            changes: Vec::new(),
            effects: Vec::new(),
            later: Vec::new(),
            reply: Reply::None,
            unsaved: Unsaved::Discard,
        }
    }

    fn let_due_things_happen(&mut self) {
        self.sum_up_strangers();
        self.expire_window();
        self.expire_ceremonies();
        self.expire_requests();
    }

    fn take(&mut self, event: Event) {
        if let Some(connection) = self.state.out_of_place(&event) {
            self.closed(connection);
            return self.refuse(connection, Code::ProtocolError);
        }
        match event {
            Event::Arm { target, ttl, pin } => self.arm(target, ttl, pin),
            Event::Disarm => self.disarm(),
            Event::Approve { request, label } => self.approve(request, label),
            Event::Deny { request } => self.deny(request),
            Event::Rename { fingerprint, label } => self.rename(fingerprint, label),
            Event::Remove { fingerprint } => self.remove(fingerprint),
            Event::EndSession { connection } => self.cut_session(connection),
            Event::Connect { connection, peer } => self.connect(connection, peer),
            Event::Hello { connection, peer, name, purpose } => match purpose {
                Purpose::Pin => self.begin_pin(connection, peer, name),
                Purpose::Ask => self.begin_exchange(connection, peer, name),
                Purpose::Knock => self.knock(connection, peer, name),
            },
            Event::Share { connection } => self.share(connection),
            Event::Confirm { connection } => self.confirm(connection),
            Event::Confirmed { connection, peer } => self.confirmed(connection, peer),
            Event::Mismatch { connection } => self.mismatch(connection),
            Event::Waiting { connection, code } => self.park(connection, code),
            Event::Closed { connection } => self.closed(connection),
            Event::Tick => {}
        }
    }

    /// A connection is gone, whatever it was for: a session, a ceremony, a waiting device, or nothing any more.
    fn closed(&mut self, connection: ConnectionId) {
        let _ = self.end_session(connection) || self.drop_ceremony(connection) || self.unpark(connection);
    }

    fn refuse(&mut self, connection: ConnectionId, code: Code) {
        self.effects.push(Effect::Refuse { connection, code, retry_after: None });
    }

    fn refuse_for(&mut self, connection: ConnectionId, code: Code, wait: Duration) {
        self.effects.push(Effect::Refuse { connection, code, retry_after: Some(wait) });
    }

    fn refuse_owner(&mut self, error: OwnerError) {
        self.reply = Reply::Refused(error);
    }

    /// What the owner knows a device as: its label, or what it calls itself in its request.
    fn name_of(&self, fingerprint: Fingerprint) -> Option<DeviceName> {
        let asking = || self.state.requests().iter().find(|request| request.peer.fingerprint == fingerprint);
        self.state.label(fingerprint).or_else(|| asking().map(|request| &request.name)).cloned()
    }

    fn keep_counters(&mut self) {
        self.changes.push(Change::Counters(self.state.counters.clone()));
    }

    fn finish(self) -> Step {
        let Self { state, changes, effects, later, reply, unsaved, .. } = self;
        Step { state, changes, effects, later, reply, unsaved }
    }
}
