//! Steps through the pages by a gamepad.

use std::time::Instant;

use egui::Key;
use pf_gamepad::{Navigate, Navigator, PadState};
use pf_proto::input::Pad;

/// What of the gamepads are steps, and which keys of the pages these stand for.
///
/// Call [`next_key`](Self::next_key) until it gives nothing more after each [`handle`](Self::handle), and at
/// [`due`](Self::due).
#[derive(Default)]
pub(super) struct Steps(Navigator);

impl Steps {
    /// This is held of a gamepad now.
    pub(super) fn handle(&mut self, now: Instant, pad: Pad, state: &PadState) {
        self.0.handle(now, pad, state);
    }

    /// The key of the pages that the next step stands for.
    pub(super) fn next_key(&mut self, now: Instant) -> Option<Key> {
        self.0.poll(now).map(|step| match step {
            Navigate::Up => Key::ArrowUp,
            Navigate::Down => Key::ArrowDown,
            Navigate::Left => Key::ArrowLeft,
            Navigate::Right => Key::ArrowRight,
            Navigate::Accept => Key::Enter,
            Navigate::Back => Key::Escape,
            Navigate::Menu => Key::Tab,
        })
    }

    /// When a direction that is held is stepped in again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.next_deadline()
    }
}
