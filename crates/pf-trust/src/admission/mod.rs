//! Who a host lets in: pairing windows, requests for access, sessions and removals, as one pure function.

mod event;

pub use event::{
    ConnectionId, Effect, Event, OwnerError, Peer, Purpose, Reply, RequestId, Role, Step, Target, Unsaved,
};

use pf_base::{PairPolicy, PinDigits};

/// How a host's pairing windows come to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arming {
    /// By the owner, for a while: `serve`.
    ByOwner,
    /// By itself, always: the test host.
    Always,
}

/// What the owner set, for one run of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What becomes of devices that are not paired.
    pub policy: PairPolicy,
    /// How pairing windows come to be opened.
    pub arming: Arming,
    /// How many digits a PIN has, at least.
    pub pin_digits: PinDigits,
    /// The number of the first request, so that numbers are not used again after a restart.
    pub first_request: u32,
    /// How many sessions there may be at once.
    pub max_sessions: usize,
}

/// Everything that admission decides by.
#[derive(Clone, Debug)]
pub struct State {
    config: Config,
}

impl State {
    /// What the host was started with.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

/// The limits that admission keeps.
pub mod limits {
    use std::time::Duration;

    /// The longest that a pairing window is open.
    pub const WINDOW_MAX: Duration = Duration::from_secs(300);
}
