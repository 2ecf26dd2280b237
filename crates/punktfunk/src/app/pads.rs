//! The gamepads of this machine: for the host while its picture is shown, and for the pages otherwise.

use std::{collections::BTreeMap, time::Instant};

use egui::Key;
use pf_client::input::{Controls, PadAxes};
use pf_gamepad::{Gamepads, Navigate, Navigator, PadEvent, PadState};
use pf_proto::input::Pad;
use winit::event_loop::EventLoopProxy;

use super::Event;

/// The gamepads, and what is held of them.
///
/// Call [`next_key`](Self::next_key) until it gives nothing more after each [`handle`](Self::handle), and at
/// [`due`](Self::due).
pub(super) struct Pads {
    /// Tells of gamepads for as long as it is kept.
    _watch: Option<Gamepads>,
    held: BTreeMap<Pad, PadState>,
    navigator: Navigator,
}

impl Pads {
    /// Begins to watch for gamepads. Where there can be none, there are none.
    pub(super) fn start(proxy: EventLoopProxy<Event>) -> Self {
        let watch = Gamepads::start(move |event| {
            // A window that is gone is played in no more.
            let _ = proxy.send_event(Event::Pad(event));
        });
        if let Err(error) = &watch {
            tracing::warn!(%error, "there will be no gamepads");
        }
        Self { _watch: watch.ok(), held: BTreeMap::new(), navigator: Navigator::default() }
    }

    /// Something happened to a gamepad. The host whose `controls` these are knows at once that one comes or goes; what is
    /// done with it is only for the host while `is_for_host`.
    pub(super) fn handle(
        &mut self,
        event: PadEvent,
        controls: Option<&Controls>,
        is_for_host: bool,
        now: Instant,
    ) {
        match event {
            PadEvent::Plugged { pad, state, .. } => {
                if let Some(controls) = controls {
                    controls.plug(pad, true);
                }
                self.change(pad, state, controls.filter(|_| is_for_host), now);
            }
            PadEvent::Changed { pad, state } => {
                self.change(pad, state, controls.filter(|_| is_for_host), now);
            }
            PadEvent::Unplugged { pad } => {
                if let Some(controls) = controls {
                    controls.plug(pad, false);
                }
                self.held.remove(&pad);
                self.navigator.handle(now, pad, &PadState::default());
            }
            PadEvent::Unreadable { name, why } => tracing::warn!(%name, %why, "a gamepad is not read"),
        }
    }

    fn change(&mut self, pad: Pad, state: PadState, controls: Option<&Controls>, now: Instant) {
        if let Some(controls) = controls {
            tell(controls, pad, &state);
        }
        self.held.insert(pad, state);
        self.navigator.handle(now, pad, &state);
    }

    /// A session begins: it gets every gamepad that is there.
    pub(super) fn plug_all_in(&self, controls: &Controls) {
        for (pad, state) in &self.held {
            controls.plug(*pad, true);
            tell(controls, *pad, state);
        }
    }

    /// The key of the pages that the next step stands for.
    pub(super) fn next_key(&mut self, now: Instant) -> Option<Key> {
        self.navigator.poll(now).map(|step| match step {
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
        self.navigator.next_deadline()
    }
}

fn tell(controls: &Controls, pad: Pad, state: &PadState) {
    controls.pad_buttons(pad, state.buttons);
    controls.pad_axes(pad, PadAxes { left: state.left, right: state.right, triggers: state.triggers });
}
