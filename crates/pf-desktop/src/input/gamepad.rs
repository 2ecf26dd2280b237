//! Gamepads of the standard layout, as an Xbox pad has them on Linux.

use evdev::{AbsoluteAxisCode as Axis, AbsoluteAxisEvent, InputEvent, KeyCode, KeyEvent};
use pf_proto::input::{AXIS_MAX, GamepadAxes, Pad};

use crate::SourceError;

/// Gamepads that a machine can be given.
///
/// A pad is there from [`plug`](Self::plug) until [`unplug`](Self::unplug), which lets go of all that it held.
pub trait Gamepads: Send {
    /// A pad comes, at rest. One that is there already stays as it is.
    fn plug(&mut self, pad: Pad) -> Result<(), SourceError>;

    /// A pad goes.
    fn unplug(&mut self, pad: Pad);

    /// Its buttons are like this now: bit n is button n of the standard layout. Nothing where it is not plugged.
    fn buttons(&mut self, pad: Pad, pressed: u32) -> Result<(), SourceError>;

    /// Its sticks and triggers are like this now. Nothing where it is not plugged.
    fn axes(&mut self, axes: GamepadAxes) -> Result<(), SourceError>;
}

/// All that one pad tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PadState {
    /// Bit n is button n of the standard layout.
    pub(super) buttons: u32,
    pub(super) left: [i16; 2],
    pub(super) right: [i16; 2],
    pub(super) triggers: [i16; 2],
}

impl PadState {
    /// The state in Linux' words, whole: the kernel passes on what is new in it.
    pub(super) fn events(self) -> Vec<InputEvent> {
        let is_down = |button: u32| self.buttons >> button & 1 == 1;
        let buttons = BUTTONS.iter().map(|&(button, code)| *KeyEvent::new(code, i32::from(is_down(button))));
        let sticks = STICKS.into_iter().zip([self.left, self.right].into_iter().flatten());
        let sticks = sticks.map(|(axis, value)| *AbsoluteAxisEvent::new(axis, value.into()));
        let triggers = TRIGGERS.into_iter().zip(self.triggers).map(|((axis, button), value)| {
            // A pad whose triggers are mere buttons has no value for them.
            let value = if is_down(button) && value == 0 { AXIS_MAX } else { value };
            *AbsoluteAxisEvent::new(axis, i32::from(value) * TRIGGER_MAX / i32::from(AXIS_MAX))
        });
        let hat = HAT.into_iter().map(|(axis, lower, higher)| {
            *AbsoluteAxisEvent::new(axis, i32::from(is_down(higher)) - i32::from(is_down(lower)))
        });
        buttons.chain(sticks).chain(triggers).chain(hat).collect()
    }
}

/// A button of the standard layout that is one on an Xbox pad: its number, and its code.
///
/// 6 and 7 are the triggers, which are axes there, and 12 to 15 the directions, which are a hat. Sources: W3C Gamepad,
/// "Remapping"; the kernel's driver `xpad`.
pub(super) const BUTTONS: [(u32, KeyCode); 11] = [
    (0, KeyCode::BTN_SOUTH),
    (1, KeyCode::BTN_EAST),
    // The left and the upper one, X and Y on the pad. The kernel calls 0x133 both BTN_X and BTN_NORTH, and its driver goes
    // by the former.
    (2, KeyCode::BTN_NORTH),
    (3, KeyCode::BTN_WEST),
    (4, KeyCode::BTN_TL),
    (5, KeyCode::BTN_TR),
    (8, KeyCode::BTN_SELECT),
    (9, KeyCode::BTN_START),
    (10, KeyCode::BTN_THUMBL),
    (11, KeyCode::BTN_THUMBR),
    (16, KeyCode::BTN_MODE),
];

/// The hat: its axes, and the buttons toward the lower and the higher end of each.
pub(super) const HAT: [(Axis, u32, u32); 2] = [(Axis::ABS_HAT0X, 14, 15), (Axis::ABS_HAT0Y, 12, 13)];

/// The axes of the sticks, right and down positive, as on the wire.
pub(super) const STICKS: [Axis; 4] = [Axis::ABS_X, Axis::ABS_Y, Axis::ABS_RX, Axis::ABS_RY];

/// The axes of the triggers, and the buttons that stand for the same.
pub(super) const TRIGGERS: [(Axis, u32); 2] = [(Axis::ABS_Z, 6), (Axis::ABS_RZ, 7)];

/// How far a trigger goes on an Xbox 360 pad.
pub(super) const TRIGGER_MAX: i32 = 255;

#[cfg(test)]
mod tests {
    use evdev::EventSummary;

    use super::*;

    /// What is not at rest.
    fn told(state: PadState) -> Vec<(u16, i32)> {
        let code = |event: &InputEvent| match event.destructure() {
            EventSummary::Key(_, code, _) => code.0,
            EventSummary::AbsoluteAxis(_, axis, _) => axis.0,
            other => panic!("a pad tells no {other:?}"),
        };
        let moved = |event: &&InputEvent| event.value() != 0;
        state.events().iter().filter(moved).map(|event| (code(event), event.value())).collect()
    }

    fn pressed(button: u32) -> PadState {
        PadState { buttons: 1 << button, ..PadState::default() }
    }

    #[test]
    fn each_button_of_the_standard_layout_is_one_thing_on_the_pad() {
        assert_eq!(told(PadState::default()), []);
        let all: Vec<_> = (0..17).map(|button| told(pressed(button))).collect();
        for (button, told) in all.iter().enumerate() {
            assert_eq!(told.len(), 1, "button {button}");
            assert_eq!(all.iter().filter(|other| *other == told).count(), 1, "button {button}");
        }
        assert_eq!(all[0], [(0x130, 1)], "A");
        assert_eq!(all[2], [(0x133, 1)], "X");
        assert_eq!(all[12], [(0x11, -1)], "up");
        assert_eq!(all[15], [(0x10, 1)], "right");
    }

    #[test]
    fn sticks_and_triggers_go_to_their_ends() {
        let state = PadState {
            left: [-AXIS_MAX, 0],
            right: [0, AXIS_MAX],
            triggers: [AXIS_MAX, AXIS_MAX / 2],
            ..PadState::default()
        };
        assert_eq!(told(state), [(0, -32_767), (4, 32_767), (2, 255), (5, 127)]);
    }

    /// A pad that has only buttons there would otherwise never shoot.
    #[test]
    fn a_trigger_that_is_a_button_goes_all_the_way() {
        assert_eq!(told(pressed(7)), [(5, 255)]);
    }
}
