//! Gamepads of the machine that a person sits at: which are there, and what is done with them.
//!
//! [`Gamepads`] watches for them and tells of each change, as the standard layout has it ([`PadState`]), whatever the pad
//! calls its buttons. [`Navigator`] makes steps through a menu of that.
//!
//! On Linux they are read from the kernel (`/dev/input`), without a system library; elsewhere there are none yet, and
//! [`Gamepads::start`] says so. A pad that a host on the same machine made for a session is not read: it would be sent to
//! that host again.

#![forbid(unsafe_code)]

mod navigate;
mod state;

#[cfg(target_os = "linux")]
mod linux;

use std::io;

use pf_base::DeviceName;
use pf_proto::input::Pad;

pub use navigate::{Navigate, Navigator};
pub use state::{PadButton, PadState};

/// The gamepads of this machine. Once it is dropped, nothing is told any more.
#[derive(Debug)]
pub struct Gamepads {
    #[cfg(target_os = "linux")]
    _watch: linux::Watch,
}

/// Something that happened to a gamepad.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PadEvent {
    /// One is there now, and keeps its number for as long as it is. A fifth waits until a number is free.
    Plugged {
        /// Its number: the lowest that is free.
        pad: Pad,
        /// What it calls itself.
        name: DeviceName,
        /// What is held of it already.
        state: PadState,
    },
    /// Something was done with it.
    Changed {
        /// Which one.
        pad: Pad,
        /// What is held of it now.
        state: PadState,
    },
    /// It is gone, and nothing of it is held.
    Unplugged {
        /// Which one.
        pad: Pad,
    },
    /// One is there and cannot be used. Told once; should that change, it is `Plugged`.
    Unreadable {
        /// What it calls itself.
        name: DeviceName,
        /// What keeps us from it.
        why: Unreadable,
    },
}

/// Why a gamepad that is there cannot be used, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The kernel lets only others read it.
    #[error(
        "this user may not read it: join the group that may, mostly `input` (sudo usermod -aG input $USER), and log in anew"
    )]
    NotPermitted,
    /// It does not work.
    #[error("it cannot be read ({0}): plug it in anew")]
    Failed(String),
}

/// Why no gamepads are read.
#[derive(Debug, thiserror::Error)]
pub enum NoGamepads {
    /// This program does not know how to on this system.
    #[error("gamepads are read on Linux only, so far")]
    Unsupported,
    /// The machine failed.
    #[error("gamepads cannot be watched: {0}")]
    System(#[from] io::Error),
}

impl Gamepads {
    /// Watches for gamepads, and tells of all that happens to them on a thread of its own.
    ///
    /// Dropping the result waits for what is being told: `tell` must not wait for whoever drops it.
    #[cfg(target_os = "linux")]
    pub fn start(tell: impl FnMut(PadEvent) + Send + 'static) -> Result<Self, NoGamepads> {
        let watch = linux::Watch::start(linux::Places::of_this_machine(), tell)?;
        Ok(Self { _watch: watch })
    }

    /// Says that there are none.
    #[cfg(not(target_os = "linux"))]
    pub fn start(_: impl FnMut(PadEvent) + Send + 'static) -> Result<Self, NoGamepads> {
        Err(NoGamepads::Unsupported)
    }
}
