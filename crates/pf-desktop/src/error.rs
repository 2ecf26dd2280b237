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
    /// Nothing answers at the Wayland compositor's socket, or it refuses us.
    #[error("the Wayland compositor {display} does not answer: {reason}")]
    NoCompositor {
        /// The socket as named, or `$WAYLAND_DISPLAY`.
        display: String,
        /// What the connection attempt said.
        reason: String,
    },
    /// The compositor lacks a protocol that mirroring or input is built on.
    #[error("the Wayland compositor offers no {protocol}")]
    MissingProtocol {
        /// The protocol's name.
        protocol: &'static str,
    },
    /// The compositor shows nothing, or nothing of this name.
    #[error("the Wayland compositor has no output{}", .name.as_ref().map(|name| format!(" {name}")).unwrap_or_default())]
    NoOutput {
        /// The output that was asked for.
        name: Option<String>,
    },
    /// The X display is a Wayland compositor's, which shows its programs on no screen that X knows.
    #[error("the X display {display} belongs to a Wayland compositor and has no picture of its own")]
    Xwayland {
        /// The display as named, or `$DISPLAY`.
        display: String,
    },
    /// The X server lacks an extension that mirroring is built on.
    #[error("the X display offers no {extension} extension")]
    MissingExtension {
        /// The extension's name.
        extension: &'static str,
    },
    /// The display's pixels are not 32-bit `BGRx`.
    #[error("the display's pixels are not 32-bit BGRx but {found}")]
    UnsupportedPixels {
        /// For an X screen its depth, bits per pixel, byte order and colour masks; for Wayland the formats.
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
            Self::NoCompositor { .. } => {
                "set WAYLAND_DISPLAY and XDG_RUNTIME_DIR to a running desktop's, or use another source"
            }
            Self::MissingProtocol { .. } => {
                "use a compositor on wlroots, such as sway, or the source `virtual`"
            }
            Self::NoOutput { .. } => {
                "connect a screen or turn one on, check its name, or use the source `virtual`"
            }
            Self::Xwayland { .. } => {
                "use the source `wayland`, or `virtual` where the compositor lets nobody see"
            }
            Self::MissingExtension { .. } => "use another X server, or the source `virtual`",
            Self::UnsupportedPixels { .. } => {
                "set the display to 24 bits a pixel, or use the source `virtual`"
            }
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
