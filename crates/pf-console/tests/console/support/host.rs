//! A host in memory: small, and otherwise as the trait says.

use std::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use pf_base::{DeviceName, Fingerprint};
use pf_console::{
    control::{ArmFor, AuditFilter, ConsoleEvent, ConsoleNote, ControlError, Happening, HostControl, Topics},
    view::{
        Approved, AuditEntry, AuditPage, Device, Facts, PairedBy, Pairing, Policy, Removed, Request, Session,
        Status, Window,
    },
};
use tokio::sync::broadcast;

/// The PIN of every window of this host.
pub(crate) const PIN: &str = "7318";
const AT: &str = "2026-01-02T03:04:05Z";

/// The host.
pub(crate) struct MemoryHost {
    facts: Facts,
    state: Mutex<State>,
    happenings: broadcast::Sender<Happening>,
    /// Whether the next look at the status breaks.
    pub(crate) break_once: AtomicBool,
    /// Whether a line is audited just before the log is read, and another one just after.
    pub(crate) audit_while_reading: AtomicBool,
}

#[derive(Default)]
struct State {
    window: Option<Window>,
    requests: Vec<Request>,
    devices: Vec<Device>,
    sessions: Vec<Session>,
    audit: Vec<AuditEntry>,
    last_line: u64,
}

impl MemoryHost {
    pub(crate) const PIN: &'static str = PIN;

    pub(crate) fn new() -> Self {
        let fingerprint = fingerprint(0);
        let facts = Facts {
            version: "0.1.0".to_owned(),
            host_name: "Living Room PC".to_owned(),
            fingerprint: fingerprint.hex(),
            fingerprint_shown: fingerprint.to_string(),
            fingerprint_for_the_eye: fingerprint.for_the_eye(),
            port: 9777,
            policy: Policy::Required,
            source: "synthetic".to_owned(),
        };
        Self {
            facts,
            state: Mutex::default(),
            happenings: broadcast::channel(64).0,
            break_once: AtomicBool::new(false),
            audit_while_reading: AtomicBool::new(false),
        }
    }

    /// Puts a line into the audit log.
    pub(crate) fn audit_line(&self, event: &str, name: Option<String>) {
        let mut state = self.state();
        state.last_line += 1;
        let line = AuditEntry {
            id: state.last_line,
            at: AT.to_owned(),
            event: event.to_owned(),
            name,
            address: None,
            fingerprint: None,
            fingerprint_for_the_eye: None,
            count: None,
        };
        state.audit.push(line.clone());
        drop(state);
        let _ = self.happenings.send(Happening::Audited(line));
    }

    /// The words of the audit log.
    pub(crate) fn audited(&self) -> Vec<String> {
        self.state().audit.iter().map(|line| line.event.clone()).collect()
    }

    /// The number of the newest line of the audit log.
    pub(crate) fn last_line(&self) -> u64 {
        self.state().last_line
    }

    pub(crate) fn forget_audit(&self) {
        self.state().audit.clear();
    }

    /// Has a device wait for approval.
    pub(crate) fn park(&self, id: u32, name: &str) {
        let fingerprint = fingerprint(id as u8);
        self.state().requests.push(Request {
            id,
            name: name.to_owned(),
            check_code: Some("123456".to_owned()),
            waiting: true,
            age_s: 1,
            expires_in_s: 299,
            resembles: None,
            address: "192.168.1.20".to_owned(),
            fingerprint: fingerprint.hex(),
            fingerprint_shown: fingerprint.to_string(),
            fingerprint_for_the_eye: fingerprint.for_the_eye(),
        });
        self.changed(Topics { requests: true, ..Topics::default() });
    }

    /// Sets what sessions there are.
    pub(crate) fn set_sessions(&self, sessions: Vec<Session>) {
        self.state().sessions = sessions;
        self.changed(Topics { sessions: true, ..Topics::default() });
    }

    pub(crate) fn changed(&self, topics: Topics) {
        let _ = self.happenings.send(Happening::Changed(topics));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

pub(crate) fn fingerprint(number: u8) -> Fingerprint {
    Fingerprint::from_bytes([number; 32])
}

#[async_trait]
impl HostControl for MemoryHost {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    async fn status(&self) -> Result<Status, ControlError> {
        assert!(!self.break_once.swap(false, Ordering::SeqCst), "broken on purpose");
        let pairing = self.pairing().await?;
        let state = self.state();
        Ok(Status {
            facts: self.facts.clone(),
            pairing,
            devices: state.devices.len(),
            requests: state.requests.len(),
            sessions: state.sessions.len(),
        })
    }

    async fn pairing(&self) -> Result<Pairing, ControlError> {
        Ok(Pairing { window: self.state().window.clone(), last_window: None })
    }

    async fn arm(&self, target: ArmFor, ttl: Option<Duration>) -> Result<Window, ControlError> {
        let device = match target {
            ArmFor::Anyone => None,
            ArmFor::Device(fingerprint) => Some(fingerprint.hex()),
            ArmFor::Request(id) => {
                let state = self.state();
                let request = state.requests.iter().find(|request| request.id == id);
                Some(request.ok_or(ControlError::NoSuchRequest)?.fingerprint.clone())
            }
        };
        let ttl_s = Some(ttl.map_or(120, |ttl| ttl.as_secs()));
        let window = Window {
            pin: PIN.to_owned(),
            for_shown: device.clone(),
            r#for: device,
            opens_in_s: 0,
            expires_in_s: ttl_s,
            ttl_s,
        };
        self.state().window = Some(window.clone());
        self.audit_line("armed", None);
        self.changed(Topics { pairing: true, ..Topics::default() });
        Ok(window)
    }

    async fn disarm(&self) -> Result<(), ControlError> {
        self.state().window.take().map(drop).ok_or(ControlError::NotArmed)?;
        self.audit_line("disarmed", None);
        Ok(())
    }

    async fn requests(&self) -> Result<Vec<Request>, ControlError> {
        Ok(self.state().requests.clone())
    }

    async fn approve(&self, request: u32, label: Option<DeviceName>) -> Result<Approved, ControlError> {
        let mut state = self.state();
        let place = state.requests.iter().position(|waiting| waiting.id == request);
        let request = state.requests.remove(place.ok_or(ControlError::NoSuchRequest)?);
        let label = label.map_or(request.name, |label| label.to_string());
        state.devices.push(Device {
            label: label.clone(),
            fingerprint: request.fingerprint.clone(),
            fingerprint_shown: request.fingerprint_shown,
            fingerprint_for_the_eye: request.fingerprint_for_the_eye,
            paired_at: AT.to_owned(),
            paired_by: PairedBy::Approved,
            last_seen: None,
            connected: false,
            sessions: 0,
        });
        Ok(Approved { fingerprint: request.fingerprint, label, compared: true })
    }

    async fn deny(&self, request: u32) -> Result<(), ControlError> {
        let mut state = self.state();
        let place = state.requests.iter().position(|waiting| waiting.id == request);
        state.requests.remove(place.ok_or(ControlError::NoSuchRequest)?);
        Ok(())
    }

    async fn devices(&self) -> Result<Vec<Device>, ControlError> {
        Ok(self.state().devices.clone())
    }

    async fn rename(&self, fingerprint: Fingerprint, label: DeviceName) -> Result<Device, ControlError> {
        let mut state = self.state();
        let device = state.devices.iter_mut().find(|device| device.fingerprint == fingerprint.hex());
        let device = device.ok_or(ControlError::NoSuchDevice)?;
        device.label = label.to_string();
        Ok(device.clone())
    }

    async fn remove(&self, fingerprint: Fingerprint) -> Result<Removed, ControlError> {
        let mut state = self.state();
        let place = state.devices.iter().position(|device| device.fingerprint == fingerprint.hex());
        let device = state.devices.remove(place.ok_or(ControlError::NoSuchDevice)?);
        Ok(Removed { fingerprint: device.fingerprint, label: device.label, sessions_cut: 0 })
    }

    async fn sessions(&self) -> Result<Vec<Session>, ControlError> {
        Ok(self.state().sessions.clone())
    }

    async fn end_session(&self, id: u64) -> Result<(), ControlError> {
        let mut state = self.state();
        let place = state.sessions.iter().position(|session| session.id == id);
        state.sessions.remove(place.ok_or(ControlError::NoSuchSession)?);
        Ok(())
    }

    async fn audit(&self, query: AuditFilter) -> Result<AuditPage, ControlError> {
        let state = self.state();
        let wanted = state.audit.iter().rev().filter(|line| {
            query.before.is_none_or(|before| line.id < before)
                && query.kind.as_ref().is_none_or(|kind| line.event == *kind)
        });
        let mut entries: Vec<_> = wanted.cloned().collect();
        let more = entries.len() > query.limit as usize;
        entries.truncate(query.limit as usize);
        Ok(AuditPage { entries, more })
    }

    async fn audit_after(&self, id: u64, limit: u32) -> Result<Vec<AuditEntry>, ControlError> {
        let is_busy = self.audit_while_reading.swap(false, Ordering::SeqCst);
        if is_busy {
            self.audit_line("renamed", None);
        }
        let lines =
            self.state().audit.iter().filter(|line| line.id > id).take(limit as usize).cloned().collect();
        if is_busy {
            self.audit_line("renamed", None);
        }
        Ok(lines)
    }

    fn watch(&self) -> broadcast::Receiver<Happening> {
        self.happenings.subscribe()
    }

    fn note(&self, note: ConsoleNote) {
        let event = match note.what {
            ConsoleEvent::SignedIn => "console_sign_in",
            ConsoleEvent::SignInFailed => "console_sign_in_failed",
            ConsoleEvent::SignInEnded => "console_sign_in_ended",
            ConsoleEvent::PasswordChanged => "console_password_changed",
            ConsoleEvent::LinkMade => "console_link_made",
        };
        self.audit_line(event, note.browser);
    }
}
