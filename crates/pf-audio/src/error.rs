//! Why there is no sound, and what to do about it.

use std::{io, path::PathBuf};

use pf_wait::Interrupted;
use pulseaudio::protocol::{ProtocolError, PulseError};
use thiserror::Error;

/// Why sound could not be captured or played.
///
/// The `Display` form is one line for what happened; [`Self::way_on`] is one line for what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SoundError {
    /// The environment names no sound server that can be reached.
    #[error("there is no sound server: {reason}")]
    NoServer {
        /// Where was looked, or what was found instead.
        reason: String,
    },
    /// Nothing answers at the sound server's address.
    #[error("the sound server at {} does not answer: {reason}", socket.display())]
    Unreachable {
        /// Its socket.
        socket: PathBuf,
        /// What the connection attempt said.
        reason: String,
    },
    /// The sound server does not let us in.
    #[error("the sound server refuses access")]
    Refused,
    /// The sound server has no output to capture or to play on.
    #[error("the sound server has no output")]
    NoOutput,
    /// The sound server said no to a request.
    #[error("the sound server could not {what}: {reason}")]
    Denied {
        /// What it was asked to do.
        what: &'static str,
        /// Its reason.
        reason: String,
    },
    /// The sound server went away, or what it sends makes no sense.
    #[error("the connection to the sound server is lost: {reason}")]
    Lost {
        /// How that showed.
        reason: String,
    },
    /// The machine refused something: memory, threads, file descriptors.
    #[error("{what}: {reason}")]
    System {
        /// What was being done.
        what: &'static str,
        /// What the system said.
        reason: String,
    },
    /// The [`Stop`](crate::Stop) was used; not a failure.
    #[error("sound was stopped")]
    Stopped,
}

impl SoundError {
    /// What a person can do about it, in one line.
    pub fn way_on(&self) -> &'static str {
        match self {
            Self::NoServer { .. } => {
                "start PipeWire (with pipewire-pulse) or PulseAudio for this user, or set PULSE_SERVER=unix:PATH"
            }
            Self::Unreachable { .. } => "start PipeWire (with pipewire-pulse) or PulseAudio, and try again",
            Self::Refused => {
                "run as the user whose sound server it is, or set PULSE_COOKIE to its cookie file"
            }
            Self::NoOutput => "connect a sound device, or use a virtual display, which brings its own",
            Self::Denied { .. } => "look at the sound server's log",
            Self::Lost { .. } => "restart the sound server; sound goes on once it is back",
            Self::System { .. } => "check the machine's memory and its limits on threads and open files",
            Self::Stopped => "start it again",
        }
    }

    pub(crate) fn system(what: &'static str, error: &io::Error) -> Self {
        Self::System { what, reason: error.to_string() }
    }

    pub(crate) fn lost(reason: &impl ToString) -> Self {
        Self::Lost { reason: reason.to_string() }
    }

    pub(crate) fn no_handle(error: &io::Error) -> Self {
        Self::system("cannot begin", error)
    }

    /// What the server's refusal to `what` means.
    pub(crate) fn denied(what: &'static str, error: PulseError) -> Self {
        match error {
            PulseError::AccessDenied | PulseError::AuthKey => Self::Refused,
            PulseError::NoEntity => Self::NoOutput,
            other => Self::Denied { what, reason: format!("{other:?}") },
        }
    }
}

impl From<Interrupted> for SoundError {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::Stopped => Self::Stopped,
            Interrupted::System(error) => Self::system("cannot wait", &error),
        }
    }
}

impl From<ProtocolError> for SoundError {
    fn from(error: ProtocolError) -> Self {
        Self::lost(&error)
    }
}
