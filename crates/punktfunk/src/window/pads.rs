//! The gamepads of this machine, for the host whose picture a window shows.

use std::collections::BTreeMap;

use pf_client::input::{Controls, PadAxes};
use pf_gamepad::{Gamepads, PadEvent, PadState};
use pf_proto::input::Pad;

/// The gamepads, and what is held of them.
pub(crate) struct Pads {
    /// Tells of gamepads for as long as it is kept.
    _watch: Option<Gamepads>,
    held: BTreeMap<Pad, PadState>,
}

impl Pads {
    /// Begins to watch for gamepads; `notify` is told what happens to them, for [`handle`](Self::handle). Where there can
    /// be none, there are none.
    pub(crate) fn start(notify: impl FnMut(PadEvent) + Send + 'static) -> Self {
        let watch = Gamepads::start(notify);
        if let Err(error) = &watch {
            tracing::warn!(%error, "there will be no gamepads");
        }
        Self { _watch: watch.ok(), held: BTreeMap::new() }
    }

    /// Something happened to a gamepad. The host whose `controls` these are knows at once that one comes or goes; what is
    /// done with it is only for the host while `is_for_host`. What is held of which one now, if that may have changed.
    pub(crate) fn handle(
        &mut self,
        event: PadEvent,
        controls: Option<&Controls>,
        is_for_host: bool,
    ) -> Option<(Pad, PadState)> {
        match event {
            PadEvent::Plugged { pad, state, .. } => {
                if let Some(controls) = controls {
                    controls.plug(pad, true);
                }
                Some(self.change(pad, state, controls.filter(|_| is_for_host)))
            }
            PadEvent::Changed { pad, state } => {
                Some(self.change(pad, state, controls.filter(|_| is_for_host)))
            }
            PadEvent::Unplugged { pad } => {
                if let Some(controls) = controls {
                    controls.plug(pad, false);
                }
                self.held.remove(&pad);
                Some((pad, PadState::default()))
            }
            PadEvent::Unreadable { name, why } => {
                tracing::warn!(%name, %why, "a gamepad is not read");
                None
            }
        }
    }

    fn change(&mut self, pad: Pad, state: PadState, controls: Option<&Controls>) -> (Pad, PadState) {
        if let Some(controls) = controls {
            tell(controls, pad, &state);
        }
        self.held.insert(pad, state);
        (pad, state)
    }

    /// A session begins: it gets every gamepad that is there.
    pub(crate) fn plug_all_in(&self, controls: &Controls) {
        for (pad, state) in &self.held {
            controls.plug(*pad, true);
            tell(controls, *pad, state);
        }
    }
}

fn tell(controls: &Controls, pad: Pad, state: &PadState) {
    controls.pad_buttons(pad, state.buttons);
    controls.pad_axes(pad, PadAxes { left: state.left, right: state.right, triggers: state.triggers });
}
