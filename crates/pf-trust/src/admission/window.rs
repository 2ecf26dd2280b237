//! The pairing window: one PIN at a time, for anyone or for one device, taken before it is evaluated.
//!
//! Each arming has its own generation. A ceremony belongs to the generation that it was offered, and
//! [`WindowSlot::take`] is the only way from a window to the right to evaluate: it empties the slot, so of any number
//! of ceremonies that race for one PIN the first to confirm gets it and the others find nothing.

use std::time::Duration;

use pf_base::{DeviceName, Fingerprint, Pin, PinDigits, Timestamp};

use crate::{proof::PinTaken, record::AuditKind};

use super::{
    Arming, ConnectionId, Effect, OwnerError, Peer, Reply, State, Target, Turn, Unsaved,
    limits::{REARM_AGAIN, WINDOW_DEFAULT, WINDOW_MAX},
};

/// A pairing window that is open, or will be when the cool-down is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    target: Target,
    opens_at: Timestamp,
    expires_at: Option<Timestamp>,
    generation: u64,
    pin: Pin,
}

impl Window {
    /// Who may try.
    pub fn target(&self) -> Target {
        self.target
    }

    /// From when on a ceremony may begin.
    pub fn opens_at(&self) -> Timestamp {
        self.opens_at
    }

    /// From when on none may begin or confirm; never, for the test host.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// Which arming this is: each has a higher number than the one before.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The PIN, to be shown to the owner and to nobody else.
    pub fn pin_for_the_owner(&self) -> &Pin {
        &self.pin
    }

    fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    fn is_open(&self, now: Timestamp) -> bool {
        self.opens_at <= now && !self.has_expired(now)
    }
}

/// Whether a device may begin a PIN ceremony.
pub(super) enum Admittance {
    Open { generation: u64, digits: PinDigits },
    NotYet { opens_at: Timestamp },
    ForAnother,
    Closed,
}

/// The place of the one window, and the number of the last arming.
#[derive(Clone, Debug, Default)]
pub(super) struct WindowSlot {
    window: Option<Window>,
    generation: u64,
}

/// What became of a window's PIN when a ceremony took it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) generation: u64,
    pub(super) target: Target,
}

impl WindowSlot {
    pub(super) fn window(&self) -> Option<&Window> {
        self.window.as_ref()
    }

    /// Opens a window in place of the one that may be there.
    fn arm(&mut self, target: Target, opens_at: Timestamp, expires_at: Option<Timestamp>, pin: Pin) {
        self.generation += 1;
        self.window = Some(Window { target, opens_at, expires_at, generation: self.generation, pin });
    }

    /// Empties the slot.
    fn close(&mut self) -> Option<Window> {
        self.window.take()
    }

    /// Whether this device may begin.
    pub(super) fn admits(&self, fingerprint: Fingerprint, now: Timestamp) -> Admittance {
        match &self.window {
            None => Admittance::Closed,
            Some(window) if window.has_expired(now) => Admittance::Closed,
            Some(Window { target: Target::Device(device), .. }) if *device != fingerprint => {
                Admittance::ForAnother
            }
            Some(window) if window.opens_at > now => Admittance::NotYet { opens_at: window.opens_at },
            Some(window) => Admittance::Open { generation: window.generation, digits: window.pin.len() },
        }
    }

    /// The PIN of this generation, for a share, while its window is open.
    pub(super) fn pin(&self, generation: u64, now: Timestamp) -> Option<&Pin> {
        let window = self.window.as_ref()?;
        (window.generation == generation && window.is_open(now)).then_some(&window.pin)
    }

    /// Takes the PIN of this generation out of use, where its window is still open: once, and for good.
    pub(super) fn take(&mut self, generation: u64, now: Timestamp) -> Option<Taken> {
        let window = self.window.take_if(|window| window.generation == generation && window.is_open(now))?;
        Some(Taken { generation: window.generation, target: window.target })
    }
}

/// How the last window ended, for the owner to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowOutcome {
    /// Which arming that was.
    pub generation: u64,
    /// For whom it was.
    pub target: Target,
    /// When it ended.
    pub at: Timestamp,
    /// How.
    pub ending: Ending,
}

/// The ways in which a window ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A device is paired.
    Paired {
        /// Which, and from where.
        peer: Peer,
        /// What it calls itself.
        name: DeviceName,
    },
    /// The guess was wrong, or broke off after the PIN was taken.
    WrongPin {
        /// Who guessed, and from where.
        peer: Peer,
        /// What it calls itself.
        name: DeviceName,
    },
    /// Nobody used it in time.
    Expired,
    /// The owner closed it, armed again, or removed the device that it was for.
    Cancelled,
}

impl Turn {
    /// The owner, or the driver of the always-armed host, opens a window.
    pub(super) fn arm(&mut self, target: Target, ttl: Option<Duration>, pin: Pin) {
        if pin.len() < self.state.pin_digits(target, self.now) {
            return self.refuse_owner(OwnerError::PinTooShort);
        }
        self.close_window(Ending::Cancelled);
        let opens_at = match target {
            Target::Anyone => self.state.counters.opens_at(self.now),
            Target::Device(_) => self.now,
        };
        let expires_at = match self.state.config.arming {
            Arming::ByOwner => Some(opens_at + ttl.unwrap_or(WINDOW_DEFAULT).min(WINDOW_MAX)),
            Arming::Always => None,
        };
        self.state.slot.arm(target, opens_at, expires_at, pin);
        self.state.rearm_asked_at = None;
        let device = match target {
            Target::Anyone => None,
            Target::Device(fingerprint) => Some(fingerprint),
        };
        self.record(AuditKind::Armed, device, None, device.and_then(|device| self.name_of(device)));
        self.reply = Reply::Armed { target, opens_at, expires_at };
    }

    /// The owner closes the window.
    pub(super) fn disarm(&mut self) {
        if self.state.config.arming == Arming::Always {
            return self.refuse_owner(OwnerError::AlwaysArmed);
        }
        if !self.close_window(Ending::Cancelled) {
            return self.refuse_owner(OwnerError::NotArmed);
        }
        self.record(AuditKind::Disarmed, None, None, None);
        self.unsaved = Unsaved::StayClosed;
        self.reply = Reply::Done;
    }

    /// Closes the window once its time is over.
    pub(super) fn expire_window(&mut self) {
        if self.state.slot.window().is_some_and(|window| window.has_expired(self.now)) {
            self.close_window(Ending::Expired);
            self.note(AuditKind::WindowExpired, None, None, None);
        }
    }

    /// Closes the window and the ceremonies that wait for its PIN. Whether there was one.
    pub(super) fn close_window(&mut self, ending: Ending) -> bool {
        let Some(window) = self.state.slot.close() else { return false };
        self.end_window(Taken { generation: window.generation, target: window.target }, ending);
        self.close_waiting_ceremonies();
        true
    }

    /// Keeps how a window ended.
    pub(super) fn end_window(&mut self, taken: Taken, ending: Ending) {
        let Taken { generation, target } = taken;
        self.state.outcome = Some(WindowOutcome { generation, target, at: self.now, ending });
    }

    /// Takes the PIN for one attempt and charges it, before anything is evaluated.
    pub(super) fn take_pin(&mut self, connection: ConnectionId, generation: u64) -> Option<Taken> {
        let taken = self.state.slot.take(generation, self.now)?;
        if taken.target == Target::Anyone {
            self.state.counters.charge(self.now);
            self.keep_counters();
        }
        self.effects.push(Effect::Evaluate { connection, taken: PinTaken::new(generation) });
        self.unsaved = Unsaved::StayClosed;
        Some(taken)
    }

    /// The always-armed host asks for a fresh PIN once the last one is used up and its outcome known.
    pub(super) fn keep_armed(&mut self) {
        if self.state.rearm_due().is_some_and(|due| due <= self.now) {
            let digits = self.state.pin_digits(Target::Anyone, self.now);
            self.effects.push(Effect::Rearm { digits });
            self.state.rearm_asked_at = Some(self.now);
        }
    }
}

impl State {
    /// When the always-armed host asks for a PIN, where it has none.
    pub(super) fn rearm_due(&self) -> Option<Timestamp> {
        let idle = self.slot.window().is_none() && !self.ceremonies.is_evaluating();
        (self.config.arming == Arming::Always && idle)
            .then(|| self.rearm_asked_at.map_or(Timestamp::EPOCH, |asked_at| asked_at + REARM_AGAIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENS: Timestamp = Timestamp::from_millis(10_000);
    const EXPIRES: Timestamp = Timestamp::from_millis(20_000);
    const JUST_BEFORE: Duration = Duration::from_millis(1);

    fn armed_twice() -> WindowSlot {
        let mut slot = WindowSlot::default();
        for pin in ["1111", "2222"] {
            slot.arm(Target::Anyone, OPENS, Some(EXPIRES), Pin::parse(pin).unwrap());
        }
        slot
    }

    /// A ceremony of an older arming must not use, take or burn the PIN of a newer one.
    #[test]
    fn inv_18_an_older_generation_finds_nothing() {
        let mut slot = armed_twice();
        assert_eq!(slot.pin(1, OPENS), None);
        assert!(slot.take(1, OPENS).is_none());
        assert_eq!(slot.pin(2, OPENS), Some(&Pin::parse("2222").unwrap()));
        assert!(slot.take(2, OPENS).is_some());
    }

    /// Two confirmations in one instant: one PIN, one guess.
    #[test]
    fn inv_09_a_pin_is_taken_once() {
        let mut slot = armed_twice();
        assert_eq!(slot.take(2, OPENS).map(|taken| taken.generation), Some(2));
        assert!(slot.take(2, OPENS).is_none());
        assert!(matches!(slot.admits(Fingerprint::from_bytes([1; 32]), OPENS), Admittance::Closed));
    }

    #[test]
    fn inv_18_a_pin_counts_from_its_opening_to_just_before_its_end() {
        for (at, open) in
            [(OPENS - JUST_BEFORE, false), (OPENS, true), (EXPIRES - JUST_BEFORE, true), (EXPIRES, false)]
        {
            assert_eq!(armed_twice().pin(2, at).is_some(), open, "{at:?}");
            assert_eq!(armed_twice().take(2, at).is_some(), open, "{at:?}");
        }
    }
}
