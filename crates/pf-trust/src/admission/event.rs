//! What happens to the admission policy, and what it wants done.

use std::{net::IpAddr, time::Duration};

use pf_base::{CheckCode, Code, DeviceName, Fingerprint, Pin, PinDigits, Timestamp};

use crate::{
    proof::{Comparison, ConfirmedPeer, PinTaken},
    record::Change,
};

use super::State;

/// A connection, as its driver numbers it: never used twice within one run of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A request for access. A new number whenever what the owner would see changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u32);

/// Who is at the other end of a connection: both are proved before any event is made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The key that it proved to hold.
    pub fingerprint: Fingerprint,
    /// The address that it was validated at.
    pub address: IpAddr,
}

/// For whom a pairing window is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Whoever types the PIN first.
    Anyone,
    /// One device only; nobody else can try, or burn it.
    Device(Fingerprint),
}

/// What an unpaired device came for, as its first message on the pairing ALPN says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To see what the host offers, or to pair by PIN (M1).
    Pin,
    /// To ask for access and wait.
    Ask,
    /// To leave a request without waiting.
    Knock,
}

/// Something that happened: the owner's acts, the network's, and the clock's.
#[derive(Debug)]
pub enum Event {
    /// The owner opens a pairing window. A window that is open is replaced.
    ///
    /// `pin` has at least [`State::pin_digits`] digits for this target.
    Arm {
        /// For whom.
        target: Target,
        /// How long; the default where `None`. Capped at [`super::limits::WINDOW_MAX`].
        ttl: Option<Duration>,
        /// The fresh PIN.
        pin: Pin,
    },
    /// The owner closes the window.
    Disarm,
    /// The owner says yes to a request.
    Approve {
        /// The request that was shown.
        request: RequestId,
        /// What to call the device, else what it calls itself.
        label: Option<DeviceName>,
    },
    /// The owner says no to a request.
    Deny {
        /// The request that was shown.
        request: RequestId,
    },
    /// The owner renames a paired device.
    Rename {
        /// Which.
        fingerprint: Fingerprint,
        /// Its new label.
        label: DeviceName,
    },
    /// The owner removes a paired device.
    Remove {
        /// Which.
        fingerprint: Fingerprint,
    },
    /// The owner ends one session. Its device stays what it is, and may come back.
    EndSession {
        /// The session's connection.
        connection: ConnectionId,
    },
    /// A peer finished its handshake on the session ALPN.
    Connect {
        /// Its connection.
        connection: ConnectionId,
        /// Who.
        peer: Peer,
    },
    /// A peer's first message on the pairing ALPN.
    Hello {
        /// Its connection.
        connection: ConnectionId,
        /// Who.
        peer: Peer,
        /// What it calls itself.
        name: DeviceName,
        /// What it came for.
        purpose: Purpose,
    },
    /// M3: the client's share came.
    Share {
        /// Its connection.
        connection: ConnectionId,
    },
    /// M5: the client's confirmation came; it is still unread.
    Confirm {
        /// Its connection.
        connection: ConnectionId,
    },
    /// The confirmation was right.
    Confirmed {
        /// Its connection.
        connection: ConnectionId,
        /// The proof.
        peer: ConfirmedPeer,
    },
    /// The confirmation was wrong, malformed or the share was.
    Mismatch {
        /// Its connection.
        connection: ConnectionId,
    },
    /// An asking peer finished the check-code exchange and now waits.
    Waiting {
        /// Its connection.
        connection: ConnectionId,
        /// What both machines show.
        code: CheckCode,
    },
    /// A connection is gone, whatever it was for.
    Closed {
        /// Which.
        connection: ConnectionId,
    },
    /// Time passed: no later than [`State::next_deadline`].
    Tick,
}

/// What the driver does for one event, in this order: store `changes` in one transaction, adopt `state`, carry out
/// `effects` in order, give `reply` to the owner, and store `later` when there is time.
///
/// When `changes` cannot be stored, `unsaved` says what becomes of the rest.
#[derive(Debug)]
#[must_use = "a step that is not carried out leaves peers waiting and trust unsaved"]
pub struct Step {
    /// The state from now on.
    pub state: State,
    /// What must be durable before anything else happens.
    pub changes: Vec<Change>,
    /// What to tell the peers.
    pub effects: Vec<Effect>,
    /// What is worth keeping but nobody waits for: last seen, refused connects.
    pub later: Vec<Change>,
    /// What the owner hears.
    pub reply: Reply,
    /// What to do when `changes` could not be stored.
    pub unsaved: Unsaved,
}

/// What becomes of a step whose changes could not be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsaved {
    /// Keep the old state; the owner hears of it, and peers that this step would have answered are refused as
    /// `store_unreadable`.
    Discard,
    /// The step takes trust away: adopt the state and carry out the effects all the same, and tell the owner that it
    /// will not outlive a restart. A PIN that was taken stays taken, but nothing is evaluated.
    StayClosed,
}

/// What to tell a peer, or to do for the policy.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Let a session in.
    Admit {
        /// Its connection.
        connection: ConnectionId,
        /// As what.
        role: Role,
    },
    /// Answer with a code and close: a connect, a hello, or a ceremony that is over.
    Refuse {
        /// Its connection.
        connection: ConnectionId,
        /// Why.
        code: Code,
        /// When another try makes sense, where waiting helps.
        retry_after: Option<Duration>,
    },
    /// M2: there is a PIN of this many digits to be guessed once.
    Offer {
        /// Its connection.
        connection: ConnectionId,
        /// How many digits.
        digits: PinDigits,
    },
    /// M4 may be made with this PIN.
    UsePin {
        /// Its connection.
        connection: ConnectionId,
        /// The PIN, for the share alone.
        pin: Pin,
    },
    /// M5 may be evaluated: the PIN is out of use.
    Evaluate {
        /// Its connection.
        connection: ConnectionId,
        /// The proof of that.
        taken: PinTaken,
    },
    /// M6: the device is stored; send cB.
    Paired {
        /// Its connection.
        connection: ConnectionId,
    },
    /// The check-code exchange may go on.
    ExchangeCode {
        /// Its connection.
        connection: ConnectionId,
    },
    /// A waiting peer's request is in the list.
    Parked {
        /// Its connection.
        connection: ConnectionId,
        /// Its number.
        request: RequestId,
    },
    /// The request of a peer that does not wait is in the list; answer and close.
    Left {
        /// Its connection.
        connection: ConnectionId,
    },
    /// The owner approved this waiting peer; tell it and close.
    Approved {
        /// Its connection.
        connection: ConnectionId,
    },
    /// Cut a connection, telling why: a session, a ceremony or a waiting request.
    Close {
        /// Which.
        connection: ConnectionId,
        /// Why.
        code: Code,
    },
    /// The test host is always armed: make a PIN of this many digits and send [`Event::Arm`].
    Rearm {
        /// How many digits at least.
        digits: PinDigits,
    },
}

impl Effect {
    /// The connection that this is for; `None` for what concerns the policy itself.
    pub fn connection(&self) -> Option<ConnectionId> {
        match *self {
            Self::Admit { connection, .. }
            | Self::Refuse { connection, .. }
            | Self::Offer { connection, .. }
            | Self::UsePin { connection, .. }
            | Self::Evaluate { connection, .. }
            | Self::Paired { connection }
            | Self::ExchangeCode { connection }
            | Self::Parked { connection, .. }
            | Self::Left { connection }
            | Self::Approved { connection }
            | Self::Close { connection, .. } => Some(connection),
            Self::Rearm { .. } => None,
        }
    }
}

/// As what a session is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Its key is on the allow-list.
    Paired,
    /// The owner opted in to trust on first use; it is on no list.
    Guest,
}

/// What the owner hears of an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The event was not the owner's.
    None,
    /// It is done.
    Done,
    /// The window is open, or will be.
    Armed {
        /// For whom.
        target: Target,
        /// When it opens: now, or when the cool-down is over.
        opens_at: Timestamp,
        /// When it closes; never, for the test host.
        expires_at: Option<Timestamp>,
    },
    /// The request was approved.
    Approved {
        /// Which device that was.
        fingerprint: Fingerprint,
        /// Whether there was anything to compare.
        compared: Comparison,
    },
    /// It was not done.
    Refused(OwnerError),
}

/// Why an act of the owner was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnerError {
    /// The request was answered, replaced, or is too old.
    #[error("no such request is waiting any more")]
    NoSuchRequest,
    /// No paired device has this fingerprint.
    #[error("no paired device has this fingerprint")]
    NoSuchDevice,
    /// The session is over, or there was none on this connection.
    #[error("no such session is on")]
    NoSuchSession,
    /// The PIN is shorter than the policy asks for now.
    #[error("the PIN is too short")]
    PinTooShort,
    /// No window is open.
    #[error("no pairing window is open")]
    NotArmed,
    /// The test host is always armed.
    #[error("this host is always armed")]
    AlwaysArmed,
}
