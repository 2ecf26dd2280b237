//! What the host keeps: devices, burn counters, the audit log, and the changes to them.

use std::net::IpAddr;

use pf_base::{DeviceName, Fingerprint, Timestamp};

use crate::proof::{Approval, Comparison, ConfirmedPeer};

/// A paired device, as the host keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The key on the allow-list.
    pub fingerprint: Fingerprint,
    /// What the owner calls it.
    pub label: DeviceName,
    /// When it was paired last.
    pub paired_at: Timestamp,
    /// How it was paired last.
    pub paired_by: PairedBy,
    /// When it was admitted last, if ever.
    pub last_seen: Option<Timestamp>,
}

/// How a device got onto the allow-list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairedBy {
    /// By the PIN ceremony.
    Pin,
    /// By the owner's approval of its request.
    Approval(Comparison),
}

/// Burned PINs, counted so that a guesser waits longer each time, also across restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BurnCounters {
    /// Burned unbound windows since the last success.
    pub in_a_row: u32,
    /// No unbound window opens before this.
    pub cool_down_until: Option<Timestamp>,
    /// When unbound windows were burned within the last day, oldest first, ten at most.
    pub within_a_day: Vec<Timestamp>,
}

/// One durable change. The changes of one step are stored in one transaction, or not at all.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// A device that proved the PIN is on the allow-list from now on; its tombstone, if any, is lifted.
    ///
    /// A device that is on the list already keeps its label and when it was last seen.
    Pair(ConfirmedPeer),
    /// A device that the owner approved is on the allow-list from now on; its tombstone, if any, is lifted.
    Approve(Approval),
    /// A paired device is called this from now on.
    Rename {
        /// Which device.
        fingerprint: Fingerprint,
        /// Its new label.
        label: DeviceName,
    },
    /// A device is off the allow-list, and a tombstone stands in its place.
    Remove {
        /// Which device.
        fingerprint: Fingerprint,
    },
    /// A paired device was admitted.
    Seen {
        /// Which device.
        fingerprint: Fingerprint,
    },
    /// The burn counters are these from now on.
    Counters(BurnCounters),
    /// One more line in the audit log.
    Audit(AuditEvent),
}

/// One trust event, as the audit log keeps it. The time is that of the step that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// What happened.
    pub kind: AuditKind,
    /// To or by which device, where there was one.
    pub fingerprint: Option<Fingerprint>,
    /// From which address, where there was one.
    pub address: Option<IpAddr>,
    /// The device's name or label, where it has one; for what happens to the console, the browser in a few words.
    pub name: Option<DeviceName>,
}

/// The kinds of trust event. Never anything of a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditKind {
    /// A pairing window was opened, for anyone or for the device named.
    Armed,
    /// The owner closed the window.
    Disarmed,
    /// The window closed unused.
    WindowExpired,
    /// A device sent a guess: the PIN was taken.
    Attempt,
    /// The guess was right; the device is paired.
    Paired,
    /// The guess was wrong, or broken after the PIN was taken.
    WrongPin,
    /// A device asks for access.
    Requested,
    /// The owner approved after a check code was shown.
    Approved,
    /// The owner approved though there was no check code to compare.
    ApprovedNotCompared,
    /// The owner said no.
    Denied,
    /// Nobody answered the request in time, or it made place for another.
    RequestExpired,
    /// The owner renamed a device.
    Renamed,
    /// The owner removed a device.
    Removed,
    /// A paired device was admitted.
    Admitted,
    /// An unpaired device was let in as a guest, under trust on first use.
    AdmittedAsGuest,
    /// A session came to its end.
    SessionEnded,
    /// An unpaired or removed device was turned away.
    Refused,
    /// Somebody signed in to the console, by password or by link.
    ConsoleSignIn,
    /// Somebody tried to, with a wrong password or link.
    ConsoleSignInFailed,
    /// A sign-in came to its end: signed out, ended by another or by time, or the password is another one.
    ConsoleSignInEnded,
    /// The console's password is another one.
    ConsolePasswordChanged,
    /// A link was made that signs in to the console once.
    ConsoleLinkMade,
    /// Strangers were turned away, or asked, more often than is worth a line each: this many lines were left out.
    RefusedMore(u32),
}

/// Makes the two directions of one table of words, so that a kind that is added is in both or does not compile.
macro_rules! words {
    ($($kind:ident = $word:literal,)*) => {
        impl AuditKind {
            /// The word for it, as in JSON and in the store.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)*
                    Self::RefusedMore(_) => "refused_more",
                }
            }

            /// The number that goes with the word.
            pub const fn count(self) -> Option<u32> {
                match self {
                    Self::RefusedMore(count) => Some(count),
                    _ => None,
                }
            }

            /// The kind of this word and number, where there is one.
            pub fn from_word(word: &str, count: Option<u32>) -> Option<Self> {
                match word {
                    $($word => Some(Self::$kind),)*
                    "refused_more" => count.map(Self::RefusedMore),
                    _ => None,
                }
            }

            /// The words of all kinds, in the order of the kinds.
            pub fn words() -> impl Iterator<Item = &'static str> {
                KINDS.iter().map(|kind| kind.word())
            }
        }

        /// One of each kind.
        const KINDS: &[AuditKind] = &[$(AuditKind::$kind,)* AuditKind::RefusedMore(1)];
    };
}

words! {
    Armed = "armed",
    Disarmed = "disarmed",
    WindowExpired = "window_expired",
    Attempt = "attempt",
    Paired = "paired",
    WrongPin = "wrong_pin",
    Requested = "requested",
    Approved = "approved",
    ApprovedNotCompared = "approved_not_compared",
    Denied = "denied",
    RequestExpired = "request_expired",
    Renamed = "renamed",
    Removed = "removed",
    Admitted = "admitted",
    AdmittedAsGuest = "admitted_as_guest",
    SessionEnded = "session_ended",
    Refused = "refused",
    ConsoleSignIn = "console_sign_in",
    ConsoleSignInFailed = "console_sign_in_failed",
    ConsoleSignInEnded = "console_sign_in_ended",
    ConsolePasswordChanged = "console_password_changed",
    ConsoleLinkMade = "console_link_made",
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kind whose word reads back as another would falsify the log.
    #[test]
    fn every_kind_reads_back() {
        for expected in KINDS {
            assert_eq!(AuditKind::from_word(expected.word(), expected.count()), Some(*expected));
        }
    }
}
