//! Which parts of what the owner is shown a step changed, so that a watching console asks for those and no others.

use super::State;

/// Some of the four parts of what the owner is shown.
///
/// A device's label is shown wherever the device is; whoever shows it elsewhere looks there too when `devices` changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of four")]
pub struct Topics {
    /// [`State::window`] and [`State::last_window`].
    pub pairing: bool,
    /// [`State::requests`], their check codes and whether their devices wait.
    pub requests: bool,
    /// [`State::devices`], with their labels and when they were last seen.
    pub devices: bool,
    /// [`State::live`].
    pub sessions: bool,
}

impl Topics {
    /// Whether there are any.
    pub fn any(self) -> bool {
        let Self { pairing, requests, devices, sessions } = self;
        pairing || requests || devices || sessions
    }
}

impl State {
    /// What the owner is shown otherwise now than in an earlier state. It costs one look at each list.
    pub fn changed_since(&self, earlier: &Self) -> Topics {
        Topics {
            pairing: self.slot.window() != earlier.slot.window() || self.outcome != earlier.outcome,
            requests: self.requests() != earlier.requests(),
            devices: self.devices != earlier.devices,
            sessions: self.live != earlier.live,
        }
    }
}
