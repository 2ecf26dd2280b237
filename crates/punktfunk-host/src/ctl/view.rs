//! The state as JSON: the shapes that scripts rely on.

use pf_base::{Fingerprint, Timestamp};
use pf_trust::{
    admission::{Ending, Peer, Role, State, Target, Window, WindowOutcome},
    proof::Comparison,
    record::{AuditEvent, Device, PairedBy},
};
use serde_json::{Map, Value, json};

/// An open window, with its PIN: for the owner only.
pub(super) fn window(state: &State, window: &Window, now: Timestamp) -> Value {
    let device = match window.target() {
        Target::Anyone => None,
        Target::Device(fingerprint) => Some(fingerprint),
    };
    let shown = device.map(|device| match state.label(device) {
        Some(label) => label.to_string(),
        None => device.for_the_eye(),
    });
    json!({
        "pin": window.pin_for_the_owner().reveal(),
        "for": device.map(|device| device.hex()),
        "for_shown": shown,
        "opens_in_s": seconds(window.opens_at(), now),
        "expires_in_s": window.expires_at().map(|at| seconds(at, now)),
    })
}

/// How the last window ended, and by whom.
pub(super) fn last_window(last: &WindowOutcome) -> Value {
    let (outcome, who) = match &last.ending {
        Ending::Paired { peer, name } => ("paired", Some((peer, name))),
        Ending::WrongPin { peer, name } => ("wrong_pin", Some((peer, name))),
        Ending::Expired => ("expired", None),
        Ending::Cancelled => ("cancelled", None),
    };
    let mut view = json!({ "outcome": outcome, "at": time(last.at) });
    if let (Some((peer, name)), Some(view)) = (who, view.as_object_mut()) {
        view.insert("name".to_owned(), json!(name.as_str()));
        insert_peer(view, peer);
    }
    view
}

pub(super) fn requests(state: &State, now: Timestamp) -> Vec<Value> {
    let view = |request: &pf_trust::admission::Request| {
        let mut view = json!({
            "id": request.id.0,
            "name": request.name.as_str(),
            "check_code": request.parked.map(|parked| parked.code.to_string()),
            "waiting": request.parked.is_some(),
            "age_s": now.since(request.asked_at).as_secs(),
            "expires_in_s": seconds(request.expires_at, now),
            "resembles": state.look_alike(request).map(|device| device.label.as_str()),
        });
        if let Some(view) = view.as_object_mut() {
            insert_peer(view, &request.peer);
        }
        view
    };
    state.requests().iter().map(view).collect()
}

pub(super) fn devices(state: &State) -> Vec<Value> {
    let view = |device: &Device| {
        json!({
            "label": device.label.as_str(),
            "fingerprint": device.fingerprint.hex(),
            "fingerprint_shown": device.fingerprint.to_string(),
            "fingerprint_for_the_eye": device.fingerprint.for_the_eye(),
            "paired_at": time(device.paired_at),
            "paired_by": match device.paired_by {
                PairedBy::Pin => "pin",
                PairedBy::Approval(Comparison::CodeShown) => "approved",
                PairedBy::Approval(Comparison::NothingToCompare) => "approved_not_compared",
            },
            "last_seen": device.last_seen.map(time),
            "connected": state.live().any(|session| session.peer.fingerprint == device.fingerprint),
        })
    };
    state.devices().map(view).collect()
}

pub(super) fn sessions(state: &State, now: Timestamp) -> Vec<Value> {
    let view = |session: &pf_trust::admission::Session| {
        let label = state.label(session.peer.fingerprint);
        let mut view = json!({
            "id": session.connection.0,
            "name": label.map_or("guest", |label| label.as_str()),
            "admitted_as": match session.role {
                Role::Paired => "paired",
                Role::Guest => "guest",
            },
            "since": time(session.since),
            "age_s": now.since(session.since).as_secs(),
        });
        if let Some(view) = view.as_object_mut() {
            insert_peer(view, &session.peer);
        }
        view
    };
    state.live().map(view).collect()
}

/// One trust event.
pub(super) fn event(at: Timestamp, event: &AuditEvent) -> Value {
    let mut view = Map::new();
    view.insert("at".to_owned(), json!(time(at)));
    view.insert("event".to_owned(), json!(event.kind.word()));
    if let Some(name) = &event.name {
        view.insert("name".to_owned(), json!(name.as_str()));
    }
    if let Some(address) = event.address {
        view.insert("address".to_owned(), json!(address.to_string()));
    }
    if let Some(fingerprint) = event.fingerprint {
        insert_fingerprint(&mut view, fingerprint);
    }
    if let Some(count) = event.kind.count() {
        view.insert("count".to_owned(), json!(count));
    }
    Value::Object(view)
}

fn insert_peer(view: &mut Map<String, Value>, peer: &Peer) {
    view.insert("address".to_owned(), json!(peer.address.to_string()));
    insert_fingerprint(view, peer.fingerprint);
}

fn insert_fingerprint(view: &mut Map<String, Value>, fingerprint: Fingerprint) {
    view.insert("fingerprint".to_owned(), json!(fingerprint.hex()));
    view.insert("fingerprint_for_the_eye".to_owned(), json!(fingerprint.for_the_eye()));
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
