//! The state in the shapes that an owner is shown.

use pf_base::{Fingerprint, Timestamp};
use pf_console::view::{
    AdmittedAs, AuditEntry, Device, Figures, LastWindow, Outcome, PairedBy, Pairing, Removed, Request,
    Session, Window,
};
use pf_store::AuditRow;
use pf_trust::{
    admission::{self, Ending, Role, State, Target, WindowOutcome},
    proof::Comparison,
    record,
};

/// The pairing window, with its PIN: for the owner only.
pub(super) fn pairing(state: &State, now: Timestamp) -> Pairing {
    Pairing {
        window: state.window().map(|open| window(state, open, now)),
        last_window: state.last_window().map(last_window),
    }
}

fn window(state: &State, window: &admission::Window, now: Timestamp) -> Window {
    let device = match window.target() {
        Target::Anyone => None,
        Target::Device(fingerprint) => Some(fingerprint),
    };
    let shown =
        |device: Fingerprint| state.label(device).map_or_else(|| device.for_the_eye(), ToString::to_string);
    Window {
        pin: window.pin_for_the_owner().reveal().to_owned(),
        r#for: device.map(|device| device.hex()),
        for_shown: device.map(shown),
        opens_in_s: seconds(window.opens_at(), now),
        expires_in_s: window.expires_at().map(|at| seconds(at, now)),
        ttl_s: window.expires_at().map(|at| seconds(at, window.opens_at())),
    }
}

fn last_window(last: &WindowOutcome) -> LastWindow {
    let (outcome, who) = match &last.ending {
        Ending::Paired { peer, name } => (Outcome::Paired, Some((peer, name))),
        Ending::WrongPin { peer, name } => (Outcome::WrongPin, Some((peer, name))),
        Ending::Expired => (Outcome::Expired, None),
        Ending::Cancelled => (Outcome::Cancelled, None),
    };
    LastWindow {
        outcome,
        at: time(last.at),
        name: who.map(|(_, name)| name.to_string()),
        address: who.map(|(peer, _)| peer.address.to_string()),
        fingerprint: who.map(|(peer, _)| peer.fingerprint.hex()),
        fingerprint_for_the_eye: who.map(|(peer, _)| peer.fingerprint.for_the_eye()),
    }
}

/// Who waits for approval.
pub(super) fn requests(state: &State, now: Timestamp) -> Vec<Request> {
    let view = |request: &admission::Request| Request {
        id: request.id.0,
        name: request.name.to_string(),
        check_code: request.parked.map(|parked| parked.code.to_string()),
        waiting: request.parked.is_some(),
        age_s: now.since(request.asked_at).as_secs(),
        expires_in_s: seconds(request.expires_at, now),
        resembles: state.look_alike(request).map(|device| device.label.to_string()),
        address: request.peer.address.to_string(),
        fingerprint: request.peer.fingerprint.hex(),
        fingerprint_shown: request.peer.fingerprint.to_string(),
        fingerprint_for_the_eye: request.peer.fingerprint.for_the_eye(),
    };
    state.requests().iter().map(view).collect()
}

/// A paired device.
pub(super) fn device(state: &State, device: &record::Device) -> Device {
    let sessions = sessions_of(state, device.fingerprint);
    Device {
        label: device.label.to_string(),
        fingerprint: device.fingerprint.hex(),
        fingerprint_shown: device.fingerprint.to_string(),
        fingerprint_for_the_eye: device.fingerprint.for_the_eye(),
        paired_at: time(device.paired_at),
        paired_by: match device.paired_by {
            record::PairedBy::Pin => PairedBy::Pin,
            record::PairedBy::Approval(Comparison::CodeShown) => PairedBy::Approved,
            record::PairedBy::Approval(Comparison::NothingToCompare) => PairedBy::ApprovedNotCompared,
        },
        last_seen: device.last_seen.map(time),
        connected: sessions > 0,
        sessions,
    }
}

/// What removing a device comes to in this state; `None` where it is not paired.
pub(super) fn removed(state: &State, fingerprint: Fingerprint) -> Option<Removed> {
    let label = state.label(fingerprint)?.to_string();
    let sessions_cut = sessions_of(state, fingerprint);
    Some(Removed { fingerprint: fingerprint.hex(), label, sessions_cut })
}

fn sessions_of(state: &State, fingerprint: Fingerprint) -> usize {
    state.live().filter(|session| session.peer.fingerprint == fingerprint).count()
}

/// A session that is on.
pub(super) fn session(
    state: &State,
    session: &admission::Session,
    figures: Option<Figures>,
    now: Timestamp,
) -> Session {
    let label = state.label(session.peer.fingerprint);
    Session {
        id: session.connection.0,
        name: label.map_or_else(|| "guest".to_owned(), ToString::to_string),
        admitted_as: match session.role {
            Role::Paired => AdmittedAs::Paired,
            Role::Guest => AdmittedAs::Guest,
        },
        since: time(session.since),
        age_s: now.since(session.since).as_secs(),
        address: session.peer.address.to_string(),
        fingerprint: session.peer.fingerprint.hex(),
        fingerprint_for_the_eye: session.peer.fingerprint.for_the_eye(),
        figures,
    }
}

/// One line of the audit log.
pub(super) fn entry(row: &AuditRow) -> AuditEntry {
    let AuditRow { id, at, event } = row;
    AuditEntry {
        id: *id,
        at: time(*at),
        event: event.kind.word().to_owned(),
        name: event.name.as_ref().map(ToString::to_string),
        address: event.address.map(|address| address.to_string()),
        fingerprint: event.fingerprint.map(|fingerprint| fingerprint.hex()),
        fingerprint_for_the_eye: event.fingerprint.map(|fingerprint| fingerprint.for_the_eye()),
        count: event.kind.count(),
    }
}

/// Whole seconds from now to a moment, rounded up; 0 when it is past.
fn seconds(at: Timestamp, now: Timestamp) -> u64 {
    at.since(now).as_millis().div_ceil(1000) as u64
}

/// A moment as RFC 3339, in UTC, to the second.
fn time(at: Timestamp) -> String {
    let moment = std::time::UNIX_EPOCH + std::time::Duration::from_millis(at.as_millis());
    humantime::format_rfc3339_seconds(moment).to_string()
}
