//! The owner's desk: everything that an owner can have the host do, put to the gate.
//!
//! The control socket and the console call this and nothing else of the host, so that neither can do what the other
//! cannot.

mod view;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use pf_base::{DeviceName, Fingerprint, PairPolicy, Timestamp};
use pf_console::{
    control::{ArmFor, AuditFilter, ConsoleEvent, ConsoleNote, ControlError, Happening, HostControl, Topics},
    view::{
        Approved, AuditEntry, AuditPage, Device, Facts, Pairing, Policy, Removed, Request, Session, Status,
        Window,
    },
};
use pf_store::{AuditQuery, AuditRow, HostStore, StoreError};
use pf_trust::{
    admission::{self, ConnectionId, Event, OwnerError, Reply, RequestId, State, Target},
    proof::Comparison,
    record::{AuditEvent, AuditKind},
};
use tokio::sync::broadcast;

use crate::{
    answer::sentence,
    gate::{Gate, fresh_pin},
    stream::figures::Board,
};

/// The desk of a running host.
pub(crate) struct Desk {
    gate: Gate,
    facts: Facts,
    figures: Arc<Board>,
}

/// What a host is, for its owner.
pub(crate) fn facts(
    host_name: &DeviceName,
    fingerprint: Fingerprint,
    port: u16,
    policy: PairPolicy,
    source: String,
) -> Facts {
    Facts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host_name: host_name.to_string(),
        fingerprint: fingerprint.hex(),
        fingerprint_shown: fingerprint.to_string(),
        fingerprint_for_the_eye: fingerprint.for_the_eye(),
        port,
        policy: match policy {
            PairPolicy::Required => Policy::Required,
            PairPolicy::Optional => Policy::Optional,
        },
        source,
    }
}

/// One line of the audit log, as it is told to whoever watches.
pub(crate) fn audited(row: &AuditRow) -> Happening {
    Happening::Audited(view::entry(row))
}

/// What is shown otherwise when these parts of the state are.
///
/// A device's label is shown wherever the device is, and a device shows whether it is connected.
pub(crate) fn topics(changed: admission::Topics) -> Topics {
    let admission::Topics { pairing, requests, devices, sessions } = changed;
    Topics {
        pairing: pairing || devices,
        requests: requests || devices,
        devices: devices || sessions,
        sessions: sessions || devices,
    }
}

impl Desk {
    pub(crate) fn new(gate: Gate, facts: Facts, figures: Arc<Board>) -> Self {
        Self { gate, facts, figures }
    }

    /// Carries out an act of the owner.
    async fn act(
        &self,
        act: impl FnOnce(&State, Timestamp) -> Event + Send + 'static,
    ) -> Result<Reply, ControlError> {
        done(self.gate.owner(act).await.map_err(|error| not_done(&error))?)
    }

    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&State, Timestamp) -> T + Send + 'static,
    ) -> Result<T, ControlError> {
        self.gate.inspect(move |state, _, now| look(state, now)).await.ok_or(ControlError::Stopping)
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&HostStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ControlError> {
        let read = self.gate.inspect(move |_, store, _| read(store)).await.ok_or(ControlError::Stopping)?;
        read.map_err(|error| not_done(&error))
    }

    /// Whom a window is for.
    async fn target(&self, target: ArmFor) -> Result<Target, ControlError> {
        let number = match target {
            ArmFor::Anyone => return Ok(Target::Anyone),
            ArmFor::Device(fingerprint) => return Ok(Target::Device(fingerprint)),
            ArmFor::Request(number) => RequestId(number),
        };
        self.look(move |state, _| {
            let request = state.requests().iter().find(|request| request.id == number);
            request.map(|request| Target::Device(request.peer.fingerprint))
        })
        .await?
        .ok_or(ControlError::NoSuchRequest)
    }
}

#[async_trait]
impl HostControl for Desk {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    async fn status(&self) -> Result<Status, ControlError> {
        let facts = self.facts.clone();
        self.look(move |state, now| Status {
            facts,
            pairing: view::pairing(state, now),
            devices: state.devices().count(),
            requests: state.requests().len(),
            sessions: state.live().count(),
        })
        .await
    }

    async fn pairing(&self) -> Result<Pairing, ControlError> {
        self.look(view::pairing).await
    }

    async fn arm(&self, target: ArmFor, ttl: Option<Duration>) -> Result<Window, ControlError> {
        let target = self.target(target).await?;
        self.act(move |state, now| Event::Arm { target, ttl, pin: fresh_pin(state.pin_digits(target, now)) })
            .await?;
        // Between the two looks the window may have been used up or closed.
        self.pairing().await?.window.ok_or(ControlError::NotArmed)
    }

    async fn disarm(&self) -> Result<(), ControlError> {
        self.act(|_, _| Event::Disarm).await.map(drop)
    }

    async fn requests(&self) -> Result<Vec<Request>, ControlError> {
        self.look(view::requests).await
    }

    async fn approve(&self, request: u32, label: Option<DeviceName>) -> Result<Approved, ControlError> {
        let request = RequestId(request);
        let reply = self.act(move |_, _| Event::Approve { request, label }).await?;
        let Reply::Approved { fingerprint, compared } = reply else { return Err(ControlError::Stopping) };
        let label = self.look(move |state, _| state.label(fingerprint).cloned()).await?;
        Ok(Approved {
            fingerprint: fingerprint.hex(),
            // It may have been removed again in between.
            label: label.map_or_else(|| fingerprint.for_the_eye(), |label| label.to_string()),
            compared: compared == Comparison::CodeShown,
        })
    }

    async fn deny(&self, request: u32) -> Result<(), ControlError> {
        let request = RequestId(request);
        self.act(move |_, _| Event::Deny { request }).await.map(drop)
    }

    async fn devices(&self) -> Result<Vec<Device>, ControlError> {
        self.look(|state, _| state.devices().map(|device| view::device(state, device)).collect()).await
    }

    async fn rename(&self, fingerprint: Fingerprint, label: DeviceName) -> Result<Device, ControlError> {
        self.act(move |_, _| Event::Rename { fingerprint, label }).await?;
        self.look(move |state, _| {
            let device = state.devices().find(|device| device.fingerprint == fingerprint);
            device.map(|device| view::device(state, device))
        })
        .await?
        .ok_or(ControlError::NoSuchDevice)
    }

    async fn remove(&self, fingerprint: Fingerprint) -> Result<Removed, ControlError> {
        let (told, found) = std::sync::mpsc::sync_channel(1);
        let removal = self.gate.owner(move |state, _| {
            // Nobody listens any more where the caller has gone; the removal stands.
            let _ = told.try_send(view::removed(state, fingerprint));
            Event::Remove { fingerprint }
        });
        done(removal.await.map_err(|error| in_force_but_unsaved(&error))?)?;
        found.try_recv().ok().flatten().ok_or(ControlError::NoSuchDevice)
    }

    async fn sessions(&self) -> Result<Vec<Session>, ControlError> {
        let figures = Arc::clone(&self.figures);
        self.look(move |state, now| {
            let session = |session| view::session(state, session, figures.of(session.connection), now);
            state.live().map(session).collect()
        })
        .await
    }

    async fn end_session(&self, id: u64) -> Result<(), ControlError> {
        let connection = ConnectionId(id);
        self.act(move |_, _| Event::EndSession { connection }).await.map(drop)
    }

    async fn audit(&self, filter: AuditFilter) -> Result<AuditPage, ControlError> {
        let AuditFilter { before, kind, fingerprint, limit } = filter;
        let kind = match kind.map(|word| AuditKind::from_word(&word, Some(1))) {
            Some(None) => return Ok(AuditPage { entries: Vec::new(), more: false }),
            kind => kind.flatten(),
        };
        // One line more than the page takes tells whether there is another page.
        let query = AuditQuery { before, kind, fingerprint, limit: limit.saturating_add(1) };
        let mut rows = self.read(move |store| store.audit(&query)).await?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        Ok(AuditPage { entries: rows.iter().map(view::entry).collect(), more })
    }

    async fn audit_after(&self, id: u64, limit: u32) -> Result<Vec<AuditEntry>, ControlError> {
        let rows = self.read(move |store| store.audit_after(id, limit)).await?;
        Ok(rows.iter().map(view::entry).collect())
    }

    fn watch(&self) -> broadcast::Receiver<Happening> {
        self.gate.watch()
    }

    fn note(&self, note: ConsoleNote) {
        let ConsoleNote { what, address, browser } = note;
        let kind = match what {
            ConsoleEvent::SignedIn => AuditKind::ConsoleSignIn,
            ConsoleEvent::SignInFailed => AuditKind::ConsoleSignInFailed,
            ConsoleEvent::SignInEnded => AuditKind::ConsoleSignInEnded,
            ConsoleEvent::PasswordChanged => AuditKind::ConsolePasswordChanged,
            ConsoleEvent::LinkMade => AuditKind::ConsoleLinkMade,
        };
        let name = browser.map(|browser| DeviceName::sanitise(&browser));
        self.gate.note(AuditEvent { kind, fingerprint: None, address, name });
    }
}

fn done(reply: Reply) -> Result<Reply, ControlError> {
    match reply {
        Reply::Refused(error) => Err(refused(error)),
        // The gate is gone: nothing was done.
        Reply::None => Err(ControlError::Stopping),
        reply => Ok(reply),
    }
}

fn refused(error: OwnerError) -> ControlError {
    match error {
        OwnerError::NoSuchRequest => ControlError::NoSuchRequest,
        OwnerError::NoSuchDevice => ControlError::NoSuchDevice,
        OwnerError::NoSuchSession => ControlError::NoSuchSession,
        // The PIN is made from the state that it is looked at in, so it is never too short.
        OwnerError::NotArmed | OwnerError::PinTooShort => ControlError::NotArmed,
        OwnerError::AlwaysArmed => ControlError::AlwaysArmed,
    }
}

fn not_done(error: &StoreError) -> ControlError {
    ControlError::Store { message: sentence(&error.to_string()), way_on: sentence(&error.hint()) }
}

/// A removal holds from when the owner asks for it, whether it could be stored or not.
fn in_force_but_unsaved(error: &StoreError) -> ControlError {
    let way_on = format!("{}; the host stores it by itself then. Do not stop it before", error.hint());
    ControlError::InForceButUnsaved {
        message: format!("{} The removal is in force, and not stored yet.", sentence(&error.to_string())),
        way_on: sentence(&way_on),
    }
}
