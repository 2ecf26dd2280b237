//! What an owner can have the host do, whether by the page, the API or the command line.

use std::time::Duration;

use async_trait::async_trait;
use pf_base::{DeviceName, Fingerprint};
use tokio::sync::broadcast;

use crate::view::{
    Approved, AuditEntry, AuditPage, Device, Facts, Pairing, Removed, Request, Session, Status, Window,
};

/// The running host, as its owner handles it.
///
/// Every answer is of one moment. What changes trust is stored when the answer is there, with the one exception that
/// [`ControlError::InForceButUnsaved`] names.
#[async_trait]
pub trait HostControl: Send + Sync + 'static {
    /// What does not change while the host runs.
    fn facts(&self) -> &Facts;

    /// The host at a glance.
    async fn status(&self) -> Result<Status, ControlError>;

    /// The pairing window, with its PIN, and how the last one ended.
    async fn pairing(&self) -> Result<Pairing, ControlError>;

    /// Opens a pairing window with a fresh PIN; one that is open is replaced. `ttl`: 1 to 300 seconds, else 120.
    async fn arm(&self, target: ArmFor, ttl: Option<Duration>) -> Result<Window, ControlError>;

    /// Closes the pairing window.
    async fn disarm(&self) -> Result<(), ControlError>;

    /// Who waits for approval, in the order in which they asked last.
    async fn requests(&self) -> Result<Vec<Request>, ControlError>;

    /// Lets a waiting device in for good, as `label` or else as what it calls itself.
    async fn approve(&self, request: u32, label: Option<DeviceName>) -> Result<Approved, ControlError>;

    /// Dismisses a waiting device. It may ask again.
    async fn deny(&self, request: u32) -> Result<(), ControlError>;

    /// The paired devices.
    async fn devices(&self) -> Result<Vec<Device>, ControlError>;

    /// Calls a paired device something else.
    async fn rename(&self, fingerprint: Fingerprint, label: DeviceName) -> Result<Device, ControlError>;

    /// Takes a device off the allow-list and cuts its sessions at once.
    async fn remove(&self, fingerprint: Fingerprint) -> Result<Removed, ControlError>;

    /// The sessions that are on.
    async fn sessions(&self) -> Result<Vec<Session>, ControlError>;

    /// Cuts one session. Its device stays paired.
    async fn end_session(&self, id: u64) -> Result<(), ControlError>;

    /// A page of the audit log, newest first.
    async fn audit(&self, query: AuditFilter) -> Result<AuditPage, ControlError>;

    /// What was audited after a line, oldest first, `limit` lines at most: to go on where a watcher lost the thread.
    async fn audit_after(&self, id: u64, limit: u32) -> Result<Vec<AuditEntry>, ControlError>;

    /// What happens from now on.
    fn watch(&self) -> broadcast::Receiver<Happening>;

    /// Puts something that happened to the console itself into the audit log.
    fn note(&self, note: ConsoleNote);
}

/// For whom a window is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArmFor {
    /// Whoever types the PIN first.
    Anyone,
    /// The device of a waiting request.
    Request(u32),
    /// One device.
    Device(Fingerprint),
}

/// Which lines of the audit log to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only lines with smaller numbers: the last of the page before.
    pub before: Option<u64>,
    /// Only lines of this kind, by its word; no line is of an unknown kind.
    pub kind: Option<String>,
    /// Only lines about this device.
    pub fingerprint: Option<Fingerprint>,
    /// How many lines, 1 to 1000.
    pub limit: u32,
}

/// Something that a watcher may want to look at.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// What is shown under these topics is another now.
    Changed(Topics),
    /// One more line of the audit log.
    Audited(AuditEntry),
}

/// Parts of what an owner is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of four")]
pub struct Topics {
    /// [`HostControl::pairing`].
    pub pairing: bool,
    /// [`HostControl::requests`].
    pub requests: bool,
    /// [`HostControl::devices`].
    pub devices: bool,
    /// [`HostControl::sessions`].
    pub sessions: bool,
}

/// What happens to the console itself, for the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleNote {
    /// What.
    pub what: ConsoleEvent,
    /// From where; `None` for the command line.
    pub address: Option<std::net::IpAddr>,
    /// With which browser, in a few words.
    pub browser: Option<String>,
}

/// See [`ConsoleNote`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsoleEvent {
    /// Somebody signed in.
    SignedIn,
    /// A password or a link was wrong.
    SignInFailed,
    /// A sign-in was ended: by itself, by another, by time or by a new password.
    SignInEnded,
    /// The password is another one.
    PasswordChanged,
    /// A sign-in link was made.
    LinkMade,
}

/// Why an act was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The request is not there: it was answered, replaced or it expired.
    #[error("no such request is waiting")]
    NoSuchRequest,
    /// No such device is paired.
    #[error("no such device is paired")]
    NoSuchDevice,
    /// No such session is on.
    #[error("no such session is on")]
    NoSuchSession,
    /// There is no pairing window.
    #[error("pairing is not armed")]
    NotArmed,
    /// The test host arms itself.
    #[error("this host is always armed")]
    AlwaysArmed,
    /// The store could not be written or read: nothing was done.
    #[error("{message}")]
    Store {
        /// What is wrong, as a sentence.
        message: String,
        /// What to do, as a sentence.
        way_on: String,
    },
    /// A removal that holds from now on, and could not be stored yet.
    #[error("{message}")]
    InForceButUnsaved {
        /// What is wrong, as a sentence.
        message: String,
        /// What to do, as a sentence.
        way_on: String,
    },
    /// The host stops.
    #[error("the host is stopping")]
    Stopping,
}
