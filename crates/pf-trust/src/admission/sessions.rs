//! Sessions and the allow-list: who is let in, who is connected, and who is cut.
//!
//! A connect is put into the live table and *then* the allow-list is looked at, and a removal takes the device off the
//! allow-list and *then* looks at the live table: whichever comes first, the other finds it.

use std::collections::BTreeMap;

use pf_base::{Code, DeviceName, Fingerprint, PairPolicy, Timestamp};

use crate::record::{AuditKind, Change, Device, PairedBy};

use super::{
    ConnectionId, Effect, OwnerError, Peer, Reply, Role, State, Target, Turn, Unsaved, window::Ending,
};

/// A session that is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its connection.
    pub connection: ConnectionId,
    /// Who, and from where.
    pub peer: Peer,
    /// As what.
    pub role: Role,
    /// Since when.
    pub since: Timestamp,
}

/// What the allow-list and the policy say of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    In(Role),
    Removed,
    PairingRequired,
}

impl State {
    fn verdict(&self, fingerprint: Fingerprint) -> Verdict {
        if self.removed.contains(&fingerprint) {
            Verdict::Removed
        } else if self.devices.contains_key(&fingerprint) {
            Verdict::In(Role::Paired)
        } else {
            match self.config.policy {
                PairPolicy::Optional => Verdict::In(Role::Guest),
                PairPolicy::Required => Verdict::PairingRequired,
            }
        }
    }

    /// Puts a device on the allow-list and lifts its tombstone. One that is on it already keeps its label.
    pub(super) fn allow(
        &mut self,
        fingerprint: Fingerprint,
        name: &DeviceName,
        paired_by: PairedBy,
        now: Timestamp,
    ) {
        self.removed.remove(&fingerprint);
        let device = self.devices.entry(fingerprint).or_insert_with(|| Device {
            fingerprint,
            label: name.clone(),
            paired_at: now,
            paired_by,
            last_seen: None,
        });
        device.paired_at = now;
        device.paired_by = paired_by;
    }
}

impl Turn {
    /// A peer finished its handshake on the session ALPN.
    pub(super) fn connect(&mut self, connection: ConnectionId, peer: Peer) {
        let live = &mut self.state.live;
        live.insert(connection, Session { connection, peer, role: Role::Guest, since: self.now });
        let refusal = match self.state.verdict(peer.fingerprint) {
            Verdict::In(_) if self.state.live.len() > self.state.config.max_sessions => Code::Busy,
            Verdict::In(role) => return self.admit(connection, peer, role),
            Verdict::Removed => Code::Removed,
            Verdict::PairingRequired => Code::PairingRequired,
        };
        self.state.live.remove(&connection);
        self.refuse(connection, refusal);
        if refusal == Code::Busy {
            return;
        }
        self.note_stranger(AuditKind::Refused, peer, None);
        if refusal == Code::PairingRequired {
            // Where the list is full of waiting devices this one is not listed; its answer is the same.
            let _ = self.leave_request(peer, None);
        }
    }

    fn admit(&mut self, connection: ConnectionId, peer: Peer, role: Role) {
        if let Some(session) = self.state.live.get_mut(&connection) {
            session.role = role;
        }
        self.effects.push(Effect::Admit { connection, role });
        let Peer { fingerprint, address } = peer;
        match self.state.devices.get_mut(&fingerprint) {
            Some(device) => {
                device.last_seen = Some(self.now);
                let label = device.label.clone();
                self.later.push(Change::Seen { fingerprint });
                self.note(AuditKind::Admitted, Some(fingerprint), Some(address), Some(label));
            }
            None => self.note_stranger(AuditKind::AdmittedAsGuest, peer, None),
        }
    }

    /// A session is gone. Whether it was one.
    pub(super) fn end_session(&mut self, connection: ConnectionId) -> bool {
        let Some(session) = self.state.live.remove(&connection) else { return false };
        let name = self.name_of(session.peer.fingerprint);
        match session.role {
            Role::Paired => {
                let Peer { fingerprint, address } = session.peer;
                self.note(AuditKind::SessionEnded, Some(fingerprint), Some(address), name);
            }
            Role::Guest => self.note_stranger(AuditKind::SessionEnded, session.peer, name),
        }
        true
    }

    /// The owner cuts one session; no list changes, so its device is let in again when it comes back.
    pub(super) fn cut_session(&mut self, connection: ConnectionId) {
        if !self.end_session(connection) {
            return self.refuse_owner(OwnerError::NoSuchSession);
        }
        self.effects.push(Effect::Close { connection, code: Code::Ended });
        self.reply = Reply::Done;
    }

    /// The owner calls a device something else.
    pub(super) fn rename(&mut self, fingerprint: Fingerprint, label: DeviceName) {
        let Some(device) = self.state.devices.get_mut(&fingerprint) else {
            return self.refuse_owner(OwnerError::NoSuchDevice);
        };
        device.label = label.clone();
        self.changes.push(Change::Rename { fingerprint, label: label.clone() });
        self.record(AuditKind::Renamed, Some(fingerprint), None, Some(label));
        self.reply = Reply::Done;
    }

    /// The owner takes a device off the allow-list: the tombstone first, then all that it has open here.
    pub(super) fn remove(&mut self, fingerprint: Fingerprint) {
        let Some(device) = self.state.devices.remove(&fingerprint) else {
            return self.refuse_owner(OwnerError::NoSuchDevice);
        };
        self.state.removed.insert(fingerprint);
        self.changes.push(Change::Remove { fingerprint });
        self.record(AuditKind::Removed, Some(fingerprint), None, Some(device.label));
        self.unsaved = Unsaved::StayClosed;
        self.reply = Reply::Done;

        for connection in self.state.connections_of(fingerprint) {
            self.end_session(connection);
            self.effects.push(Effect::Close { connection, code: Code::Removed });
        }
        self.close_ceremonies_of(fingerprint);
        if self.state.slot.window().is_some_and(|window| window.target() == Target::Device(fingerprint)) {
            self.close_window(Ending::Cancelled);
        }
    }
}

impl State {
    fn connections_of(&self, fingerprint: Fingerprint) -> Vec<ConnectionId> {
        self.live
            .values()
            .filter(|session| session.peer.fingerprint == fingerprint)
            .map(|session| session.connection)
            .collect()
    }
}

/// The live table.
pub(super) type Live = BTreeMap<ConnectionId, Session>;
