//! Why there is no picture, and what to do about it.

use pf_media::picture::Size;
use thiserror::Error;

/// Why a source could not be opened, or delivers no more pictures.
///
/// The `Display` form is one line for what happened; [`Self::way_on`] is one line for what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SourceError {
    /// Nothing answers at the X display's address, or it refuses us.
    #[error("the X display {display} does not answer: {reason}")]
    NoDisplay {
        /// The display as named, or `$DISPLAY`.
        display: String,
        /// What the connection attempt said.
        reason: String,
    },
    /// The X server lacks an extension that mirroring is built on.
    #[error("the X display offers no {extension} extension")]
    MissingExtension {
        /// The extension's name.
        extension: &'static str,
    },
    /// The X screen's pixels are not 32-bit `BGRx`.
    #[error("the X screen's pixels are not 32-bit BGRx but {found}")]
    UnsupportedPixels {
        /// Depth, bits per pixel, byte order and colour masks of the screen.
        found: String,
    },
    /// The desktop, or the size asked for, is larger than Punktfunk streams, or empty.
    #[error("a picture of {size} cannot be streamed: each side must be 1 to {} pixels", Size::MAX_SIDE)]
    UnstreamableSize {
        /// The offending size.
        size: Size,
    },
    /// The program that makes a virtual display is not installed.
    #[error("{program} is not installed")]
    ServerMissing {
        /// The program's name.
        program: String,
    },
    /// The virtual display's X server did not come up.
    #[error("the virtual display did not start: {reason}")]
    ServerFailed {
        /// What the X server said last, or how far it came.
        reason: String,
    },
    /// The command to run in the virtual display does not exist.
    #[error("the command {command} was not found")]
    CommandNotFound {
        /// The command's first word.
        command: String,
    },
    /// The command to run in the virtual display exists and cannot be started.
    #[error("the command {command} could not be started: {reason}")]
    CommandFailed {
        /// The command's first word.
        command: String,
        /// What the system said.
        reason: String,
    },
    /// The machine refused something that a source needs: memory, processes, file descriptors.
    #[error("{what}: {reason}")]
    System {
        /// What was being done.
        what: &'static str,
        /// What the system said.
        reason: String,
    },
    /// The display went away while it was mirrored.
    #[error("the display is gone: {reason}")]
    Lost {
        /// How that showed.
        reason: String,
    },
    /// The source's [`Stop`](crate::Stop) was used; not a failure.
    #[error("the source was stopped")]
    Stopped,
}

impl SourceError {
    /// What a person can do about it, in one line.
    pub fn way_on(&self) -> &'static str {
        match self {
            Self::NoDisplay { .. } => {
                "set DISPLAY and XAUTHORITY to a running desktop's, or use the source `virtual` or `synthetic`"
            }
            Self::MissingExtension { .. } => "use another X server, or the source `virtual`",
            Self::UnsupportedPixels { .. } => "run the X server at depth 24, or use the source `virtual`",
            Self::UnstreamableSize { .. } => "ask for a smaller size, or lower the desktop's resolution",
            Self::ServerMissing { .. } => {
                "install it (Debian and Ubuntu: apt install xvfb), or use the source `x11` or `synthetic`"
            }
            Self::ServerFailed { .. } => {
                "run Xvfb by hand to see why it fails, or use the source `synthetic`"
            }
            Self::CommandNotFound { .. } => "check the command's spelling and PATH, or install it",
            Self::CommandFailed { .. } => "check that the command is executable, and run it by hand",
            Self::System { .. } => "check the machine's memory and its limits on processes and open files",
            Self::Lost { .. } => "connect again once the display is back",
            Self::Stopped => "open the source again",
        }
    }

    pub(crate) fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::System { what, reason: error.to_string() }
    }
}
