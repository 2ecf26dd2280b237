//! What an owner is shown, as JSON: the shapes that scripts and the page rely on.
//!
//! Times are RFC 3339 in UTC; what ends in `_s` is whole seconds from the moment of the answer. Fingerprints are 64
//! hexadecimal digits, with forms for people beside them. Names are what devices call themselves, made harmless; show
//! them as text all the same.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What does not change while the host runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Facts {
    /// The program's version.
    pub version: String,
    /// What the host calls itself.
    pub host_name: String,
    /// The host's fingerprint.
    pub fingerprint: String,
    /// The same in groups of four, as a client shows it whole.
    pub fingerprint_shown: String,
    /// Its first 80 bits, for a glance.
    pub fingerprint_for_the_eye: String,
    /// The UDP port of the stream.
    pub port: u16,
    /// Who is let in unpaired: `required` nobody, `optional` everybody, as guests.
    pub policy: Policy,
    /// Where the pictures come from.
    pub source: String,
}

/// What becomes of devices that are not paired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// They are turned away, and leave a request.
    Required,
    /// They are let in as guests: trust on first use.
    Optional,
}

/// The host at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// What does not change.
    #[serde(flatten)]
    pub facts: Facts,
    /// The pairing window and how the last one ended.
    #[serde(flatten)]
    pub pairing: Pairing,
    /// How many devices are paired.
    pub devices: usize,
    /// How many wait for approval.
    pub requests: usize,
    /// How many sessions are on.
    pub sessions: usize,
}

/// The pairing window, and how the last one ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pairing {
    /// The window that is open, or will be when a cool-down is over.
    #[schema(required)]
    pub window: Option<Window>,
    /// How the last window ended, in this run of the host.
    #[schema(required)]
    pub last_window: Option<LastWindow>,
}

/// An open pairing window, with its PIN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Window {
    /// The PIN: for the owner only.
    pub pin: String,
    /// The fingerprint of the only device that can try, if the window is for one.
    #[schema(required)]
    pub r#for: Option<String>,
    /// What that device is called, else its fingerprint for the eye.
    #[schema(required)]
    pub for_shown: Option<String>,
    /// How long until the PIN can be tried: after a wrong one there is a wait.
    pub opens_in_s: u64,
    /// How long until the window closes; null on a host that is always armed.
    #[schema(required)]
    pub expires_in_s: Option<u64>,
    /// How long the window is open in all, to draw what is left of it; null on a host that is always armed.
    #[schema(required)]
    pub ttl_s: Option<u64>,
}

/// How a pairing window ended, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LastWindow {
    /// How.
    pub outcome: Outcome,
    /// When.
    pub at: String,
    /// What the device that tried calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The address that it tried from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Its fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Its fingerprint for a glance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint_for_the_eye: Option<String>,
}

/// How a pairing window ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A device is paired.
    Paired,
    /// A device tried a wrong PIN, or broke off.
    WrongPin,
    /// Nobody tried in time.
    Expired,
    /// The owner closed it.
    Cancelled,
}

/// A device that waits for approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Request {
    /// Its number: another one whenever what is shown here changes, so that what was looked at is what is approved.
    pub id: u32,
    /// What the device calls itself.
    pub name: String,
    /// The six digits that the device shows too; null when it does not wait, and there is nothing to compare.
    #[schema(required)]
    pub check_code: Option<String>,
    /// Whether the device waits right now.
    pub waiting: bool,
    /// How long ago it asked.
    pub age_s: u64,
    /// How long until the request expires.
    pub expires_in_s: u64,
    /// The label of a paired device that this name could be taken for.
    #[schema(required)]
    pub resembles: Option<String>,
    /// The address that it asked from.
    pub address: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Its fingerprint in groups of four.
    pub fingerprint_shown: String,
    /// Its fingerprint for a glance.
    pub fingerprint_for_the_eye: String,
}

/// What an approval came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Approved {
    /// The device's fingerprint.
    pub fingerprint: String,
    /// What it is called from now on.
    pub label: String,
    /// Whether there was a check code to compare.
    pub compared: bool,
}

/// A paired device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// What the owner calls it.
    pub label: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Its fingerprint in groups of four.
    pub fingerprint_shown: String,
    /// Its fingerprint for a glance.
    pub fingerprint_for_the_eye: String,
    /// When it was paired last.
    pub paired_at: String,
    /// How it was paired last.
    pub paired_by: PairedBy,
    /// When it was admitted last; null when never.
    #[schema(required)]
    pub last_seen: Option<String>,
    /// Whether it has a session now.
    pub connected: bool,
    /// How many sessions it has now: what a removal would cut.
    pub sessions: usize,
}

/// How a device got onto the allow-list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PairedBy {
    /// By PIN.
    Pin,
    /// By approval, with a check code to compare.
    Approved,
    /// By approval, with nothing to compare.
    ApprovedNotCompared,
}

/// What a removal came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Removed {
    /// The device's fingerprint.
    pub fingerprint: String,
    /// What it was called.
    pub label: String,
    /// How many sessions were cut.
    pub sessions_cut: usize,
}

/// A session that is on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Its number, never used twice in one run of the host.
    pub id: u64,
    /// The device's label; `guest` for one that is not paired.
    pub name: String,
    /// As what it was let in.
    pub admitted_as: AdmittedAs,
    /// Since when.
    pub since: String,
    /// For how long.
    pub age_s: u64,
    /// The address that it connected from.
    pub address: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Its fingerprint for a glance.
    pub fingerprint_for_the_eye: String,
    /// What it streams; null until the first picture is sent.
    #[schema(required)]
    pub figures: Option<Figures>,
}

/// As what a session was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdmittedAs {
    /// As a paired device.
    Paired,
    /// As a guest, under trust on first use.
    Guest,
}

/// What a session streams, as the host measures it: over the last second, but for the counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Figures {
    /// Where the pictures come from: `synthetic`, `x11`, `virtual`.
    pub source: String,
    /// The width of the pictures, in pixels.
    pub width: u32,
    /// The height of the pictures, in pixels.
    pub height: u32,
    /// Pictures sent in a second.
    pub fps: f64,
    /// What the stream takes of the link, in Mbit/s.
    pub bitrate_mbps: f64,
    /// What the client missed of the stream over ten seconds, in percent, before any repair.
    pub loss_percent: f64,
    /// The round trip, in milliseconds.
    pub rtt_ms: f64,
    /// Pictures sent since the session began.
    pub frames_sent: u64,
    /// Key frames that the client asked for since the session began.
    pub key_frames_asked: u64,
    /// Pictures that were taken of the source since it was opened, for all sessions that share it.
    pub captured: u64,
    /// Pictures that were encoded of these, for all sessions and of all sizes.
    pub encoded: u64,
    /// Where the time goes, in milliseconds: medians.
    pub latency_ms: LatencyMs,
}

/// Where the time of a picture goes on the host, in milliseconds: medians over the last second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LatencyMs {
    /// From the source's picture to one that the encoder can take.
    pub capture: f64,
    /// Waiting for the encoder and the link.
    pub queue: f64,
    /// In the encoder.
    pub encode: f64,
    /// From encoded until all of it had left.
    pub send: f64,
    /// On the link, one way: half a round trip.
    pub network: f64,
}

/// One line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its number; later lines have larger ones.
    pub id: u64,
    /// When it happened.
    pub at: String,
    /// What happened, as a word; `docs/protocol.md` lists them.
    pub event: String,
    /// The name of the device, or of the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The device's fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The device's fingerprint for a glance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint_for_the_eye: Option<String>,
    /// How many lines it stands for, where it stands for many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

/// A page of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// The lines, newest first.
    pub entries: Vec<AuditEntry>,
    /// Whether there are older ones: ask again with `before` as the last number here.
    pub more: bool,
}

/// An open sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignIn {
    /// Its number.
    pub id: u64,
    /// The browser, as far as it can be told, such as `Firefox on Linux`.
    pub browser: String,
    /// The address that it was used from last.
    pub address: String,
    /// How it signed in.
    pub by: SignedInBy,
    /// When.
    pub signed_in_at: String,
    /// When it was used last, to the minute after a restart.
    pub last_used_at: String,
    /// For how long it can still do what needs a fresh password; 0 when it has to be given again first.
    pub proof_expires_in_s: u64,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// How somebody signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignedInBy {
    /// With the password.
    Password,
    /// With a one-time link.
    Link,
}

/// A one-time link: whoever opens it first is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignInLink {
    /// The link. Its secret stands in the fragment, which no server and no log ever sees.
    pub url: String,
    /// How long it is good for.
    pub expires_in_s: u64,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Refusal {
    /// One word for a script; `docs/console.md` lists them.
    pub code: String,
    /// What happened, as a sentence for a person.
    pub message: String,
    /// What to do, as a sentence for a person.
    pub hint: String,
    /// After how long another try makes sense; also in `Retry-After`. Only where waiting helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
}
