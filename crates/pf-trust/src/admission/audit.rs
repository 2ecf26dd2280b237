//! Lines for the audit log, and the bound on those that strangers cause.

use std::net::IpAddr;

use pf_base::{DeviceName, Fingerprint, Timestamp};

use crate::record::{AuditEvent, AuditKind, Change};

use super::{
    Peer, Turn,
    limits::{AUDIT_LINES_A_MINUTE, MINUTE},
};

/// How many lines strangers have caused within the running minute, and how many of them were left out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    since: Timestamp,
    lines: u32,
    left_out: u32,
}

impl Default for Meter {
    fn default() -> Self {
        Self { since: Timestamp::EPOCH, lines: 0, left_out: 0 }
    }
}

impl Meter {
    /// Whether one more line is worth writing; else it is counted.
    fn takes(&mut self) -> bool {
        if self.lines < AUDIT_LINES_A_MINUTE {
            self.lines += 1;
            return true;
        }
        self.left_out = self.left_out.saturating_add(1);
        false
    }

    /// Begins a new minute once the old one is over, and says how many lines that one left out.
    fn turn(&mut self, now: Timestamp) -> u32 {
        if now.since(self.since) < MINUTE {
            return 0;
        }
        let left_out = self.left_out;
        *self = Self { since: now, lines: 0, left_out: 0 };
        left_out
    }

    /// When there is something to say.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        (self.left_out > 0).then_some(self.since + MINUTE)
    }
}

impl Turn {
    /// A line that is stored before anything else happens.
    pub(super) fn record(
        &mut self,
        kind: AuditKind,
        fingerprint: Option<Fingerprint>,
        address: Option<IpAddr>,
        name: Option<DeviceName>,
    ) {
        self.changes.push(Change::Audit(AuditEvent { kind, fingerprint, address, name }));
    }

    /// A line that nobody waits for.
    pub(super) fn note(
        &mut self,
        kind: AuditKind,
        fingerprint: Option<Fingerprint>,
        address: Option<IpAddr>,
        name: Option<DeviceName>,
    ) {
        self.later.push(Change::Audit(AuditEvent { kind, fingerprint, address, name }));
    }

    /// A line that a stranger caused, as long as there are not too many.
    pub(super) fn note_stranger(&mut self, kind: AuditKind, peer: Peer, name: Option<DeviceName>) {
        if self.state.meter.takes() {
            self.note(kind, Some(peer.fingerprint), Some(peer.address), name);
        }
    }

    /// Says how many lines were left out, once their minute is over.
    pub(super) fn sum_up_strangers(&mut self) {
        let left_out = self.state.meter.turn(self.now);
        if left_out > 0 {
            self.note(AuditKind::RefusedMore(left_out), None, None, None);
        }
    }
}
