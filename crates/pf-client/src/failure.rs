//! Everything that can keep a client from its host.

use std::{net::SocketAddr, time::Duration};

use pf_base::{Code, DeviceName, Fingerprint};
use pf_net::{Closed, ControlError, DialError};
use pf_store::StoreError;

/// Why a client did not get what its person wanted. Each has its [`Code`]; the sentence is the program's.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No host is known or advertised by this name, and it is no address.
    #[error("no host is called {0}")]
    NoSuchHost(String),
    /// Several known hosts go by this name.
    #[error("several hosts are called {0}")]
    Ambiguous(String),
    /// The host never told by which hardware address it can be woken, or its pin was taken away since.
    #[error("{0} never told how it can be woken")]
    NotWakeable(DeviceName),
    /// Nothing answers where the host is said to be.
    #[error("nothing answers at {}", list(.0))]
    Unreachable(Vec<SocketAddr>),
    /// The host answered, and the connection was lost.
    #[error("the connection was lost: {0}")]
    Lost(Closed),
    /// The host refused, and said why.
    #[error("the host refused: {}", .code.word())]
    Refused {
        /// Why.
        code: Code,
        /// When another try makes sense, where the host said so.
        retry_after: Option<Duration>,
    },
    /// The host is not who it was: an impostor, or a new installation.
    #[error("the host's fingerprint changed")]
    FingerprintChanged {
        /// What was pinned.
        old: Fingerprint,
        /// What the host presents now.
        new: Fingerprint,
    },
    /// The PIN was not the host's, or the machine that answered does not know it. It is spent.
    #[error("the PIN was not right")]
    WrongPin,
    /// This PIN was typed here before. Offered twice, it would give an impostor a second guess.
    #[error("this PIN was used here already")]
    PinUsed,
    /// The host waits for a PIN of another length.
    #[error("the PIN has another length than the host's")]
    PinLength {
        /// How many digits the host's PIN has.
        expected: u8,
    },
    /// The host was pinned once and forgotten: only PIN pairing brings it back.
    #[error("the host was forgotten, and must be paired by PIN")]
    PinOnly,
    /// The host is new and offers trust on first use, and its person did not choose that.
    #[error("the host is new, and offers trust on first use")]
    FirstUseOffered,
    /// Trust on first use was asked for where it is not offered.
    #[error("trust on first use is not offered here")]
    TofuNotOffered,
    /// The host presents this client's own key.
    #[error("the other side presents this machine's own identity")]
    OwnIdentity,
    /// The other side broke the protocol.
    #[error("the other side broke the protocol")]
    Protocol,
    /// There was no handshake: the two have nothing in common, or it broke off.
    #[error(transparent)]
    Dial(DialError),
    /// The trust store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// This machine failed: no socket, no thread, no file, no codec.
    #[error("{what}: {why}")]
    Machine {
        /// What was being done.
        what: &'static str,
        /// What the machine said.
        why: String,
    },
}

impl Failure {
    /// The word and the exit code for it.
    pub fn code(&self) -> Code {
        match self {
            Self::NoSuchHost(_) | Self::NotWakeable(_) | Self::Unreachable(_) => Code::Unreachable,
            Self::Lost(closed) => closed.code(),
            Self::Refused { code, .. } => *code,
            Self::FingerprintChanged { .. } => Code::FingerprintChanged,
            Self::WrongPin | Self::PinUsed => Code::WrongPin,
            Self::PinLength { .. } | Self::Ambiguous(_) => Code::Usage,
            Self::PinOnly | Self::FirstUseOffered => Code::PairingRequired,
            Self::TofuNotOffered => Code::TofuNotOffered,
            Self::OwnIdentity | Self::Protocol => Code::ProtocolError,
            Self::Dial(error) => error.code(),
            Self::Store(_) => Code::StoreUnreadable,
            Self::Machine { .. } => Code::MediaUnavailable,
        }
    }

    pub(crate) fn refused(code: Code) -> Self {
        Self::Refused { code, retry_after: None }
    }

    pub(crate) fn machine(what: &'static str, why: &impl ToString) -> Self {
        Self::Machine { what, why: why.to_string() }
    }
}

impl From<Closed> for Failure {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::ByPeer(code) => Self::refused(code),
            Closed::Broken | Closed::ByPeerUnnamed(_) => Self::Protocol,
            Closed::Here | Closed::TimedOut | Closed::Lost => Self::Lost(closed),
        }
    }
}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Closed(closed) => closed.into(),
            ControlError::Malformed(_) | ControlError::Ended | ControlError::Broken => Self::Protocol,
        }
    }
}

impl From<DialError> for Failure {
    fn from(error: DialError) -> Self {
        match error {
            DialError::FingerprintChanged { expected, presented } => {
                Self::FingerprintChanged { old: expected, new: presented }
            }
            DialError::Refused(code) => Self::refused(code),
            other => Self::Dial(other),
        }
    }
}

fn list(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
