//! Playing a script.

use std::time::Duration;

use pf_client::input::{Controls, PadAxes};
use pf_proto::input::{Key, MAX_GAMEPADS, Pad};
use tokio::time::sleep;

use super::{
    Script,
    parse::{Act, Side, Step, Stroke},
};
use crate::keys;

/// Does what the script says, and returns when the last of it was said and had time to arrive.
pub(crate) async fn play(Script(steps): Script, controls: Controls) {
    let mut player = Player { controls, pads: Default::default() };
    for step in steps {
        match step {
            Step::Wait(time) => sleep(time).await,
            Step::Type(strokes) => player.type_out(&strokes).await,
            Step::Act(act) => {
                player.act(act);
                sleep(BETWEEN_ACTS).await;
            }
        }
    }
    sleep(LAST_WORDS).await;
}

struct Player {
    controls: Controls,
    pads: [Gamepad; MAX_GAMEPADS as usize],
}

/// How a gamepad is held.
#[derive(Clone, Copy, Default)]
struct Gamepad {
    buttons: u32,
    axes: PadAxes,
}

impl Player {
    async fn type_out(&self, strokes: &[(Key, bool)]) {
        for (key, is_shifted) in strokes {
            let shift = keys::named("ShiftLeft").filter(|_| *is_shifted);
            let stroke: Vec<Key> = shift.into_iter().chain([*key]).collect();
            self.strike(&stroke, Stroke::Tap);
            sleep(BETWEEN_STROKES).await;
        }
    }

    /// Does one thing at once.
    fn act(&mut self, act: Act) {
        let controls = &self.controls;
        match act {
            Act::Keys(keys, stroke) => self.strike(&keys, stroke),
            Act::Text(text) => controls.text(&text),
            Act::By(dx, dy) => controls.move_by(dx, dy),
            Act::To(position) => controls.move_to(position),
            Act::Button(button, stroke) => {
                for pressed in stroke.sequence() {
                    controls.button(button, *pressed);
                }
            }
            Act::Scroll(x, y) => controls.scroll(x, y),
            Act::Plug(pad, plugged) => {
                *self.pad(pad) = Gamepad::default();
                self.controls.plug(pad, plugged);
            }
            Act::PadButton(pad, button, pressed) => {
                let state = self.pad(pad);
                state.buttons = state.buttons & !(1 << button) | u32::from(pressed) << button;
                let buttons = state.buttons;
                self.controls.pad_buttons(pad, buttons);
            }
            Act::PadStick(pad, side, place) => self.move_axes(pad, |axes| match side {
                Side::Left => axes.left = place,
                Side::Right => axes.right = place,
            }),
            Act::PadTrigger(pad, side, place) => self.move_axes(pad, |axes| match side {
                Side::Left => axes.triggers[0] = place,
                Side::Right => axes.triggers[1] = place,
            }),
            Act::ReleaseAll => {
                self.pads = Default::default();
                controls.release_all();
            }
        }
    }

    fn strike(&self, keys: &[Key], stroke: Stroke) {
        if stroke != Stroke::Release {
            for key in keys {
                self.controls.key(*key, true);
            }
        }
        if stroke != Stroke::Press {
            for key in keys.iter().rev() {
                self.controls.key(*key, false);
            }
        }
    }

    fn move_axes(&mut self, pad: Pad, change: impl FnOnce(&mut PadAxes)) {
        let state = self.pad(pad);
        change(&mut state.axes);
        let axes = state.axes;
        self.controls.pad_axes(pad, axes);
    }

    fn pad(&mut self, pad: Pad) -> &mut Gamepad {
        &mut self.pads[usize::from(pad.number())]
    }
}

impl Stroke {
    /// Whether it is down after each of its parts.
    const fn sequence(self) -> &'static [bool] {
        match self {
            Self::Press => &[true],
            Self::Release => &[false],
            Self::Tap => &[true, false],
        }
    }
}

/// How long typing waits after each character: what a host takes for a flood is ten times as fast.
const BETWEEN_STROKES: Duration = Duration::from_millis(5);

/// How long a script waits after anything else that it does: a host that is told thousands of things at once drops them.
const BETWEEN_ACTS: Duration = Duration::from_millis(2);

/// How long a session lasts after the last step, so that it arrives over a link that loses a few packets.
const LAST_WORDS: Duration = Duration::from_millis(500);
