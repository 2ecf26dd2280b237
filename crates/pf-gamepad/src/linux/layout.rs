//! Which code of a pad is which part of the standard layout.
//!
//! Sources: the kernel's `Documentation/input/gamepad.rst`; its drivers `xpad`, `hid-playstation`, `hid-sony`,
//! `hid-nintendo`, `hid-steam`; the layout that Android asks of Bluetooth pads, which `hid-generic` passes on.

use evdev::{AbsoluteAxisCode as Axis, KeyCode};
use pf_proto::input::AXIS_MAX;

use super::description::Description;
use crate::PadButton;

/// Which code of one pad is what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    faces: Faces,
    axes: Vec<(u16, Part, Range)>,
}

/// What an axis is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A direction of a stick: 0 and 1 of the left one, right and down, 2 and 3 of the right one.
    Stick(usize),
    /// The left trigger, or the right one.
    Trigger(usize),
    /// A direction of the hat, right or down.
    Hat(usize),
}

/// The values that an axis takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    minimum: i64,
    maximum: i64,
    /// How far it may stray from its rest without meaning anything.
    flat: i64,
}

/// What a driver calls the left and the upper one of the right four buttons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Faces {
    /// By the letters on an Xbox pad: the left one is X. Most drivers.
    Letters,
    /// By their places, as the kernel's page has it: the upper one is north, which has the code of X.
    Places,
}

impl Layout {
    /// That of a pad with axes of these ranges, by their codes.
    pub(super) fn of(pad: &Description, axes: &[(u16, Range)]) -> Self {
        let range = |axis: Axis| axes.iter().find(|(code, _)| *code == axis.0).map(|(_, range)| *range);
        let has = |pair: [Axis; 2]| pair.iter().all(|axis| range(*axis).is_some());
        let right = if has(RIGHT) { RIGHT } else { RIGHT_OF_ANDROID };
        // Where the right stick has the usual axes of the triggers, these have others.
        let usual = if right == RIGHT { Some(TRIGGERS) } else { None };
        let candidates = usual.into_iter().chain([TRIGGERS_OF_ANDROID, TRIGGERS_OF_STEAM]);
        let triggers = candidates.into_iter().find(|pair| has(*pair));
        let hat = (!pad.has_key(KeyCode::BTN_DPAD_UP)).then_some(HAT);

        let sticks = [LEFT[0], LEFT[1], right[0], right[1]].into_iter().enumerate();
        let sticks = sticks.map(|(index, axis)| (axis, Part::Stick(index)));
        let numbered = |pair: Option<[Axis; 2]>, part: fn(usize) -> Part| {
            pair.into_iter()
                .flat_map(move |pair| pair.into_iter().enumerate().map(move |(i, axis)| (axis, part(i))))
        };
        let parts = sticks.chain(numbered(triggers, Part::Trigger)).chain(numbered(hat, Part::Hat));
        let axes = parts.filter_map(|(axis, part)| Some((axis.0, part, range(axis)?))).collect();
        let faces = if [SONY, NINTENDO].contains(&pad.vendor) { Faces::Places } else { Faces::Letters };
        Self { faces, axes }
    }

    /// What an axis is, and its range.
    pub(super) fn part(&self, code: u16) -> Option<(Part, Range)> {
        self.axes.iter().find(|(of, _, _)| *of == code).map(|(_, part, range)| (*part, *range))
    }

    /// Which button a key is.
    pub(super) fn button(&self, code: u16) -> Option<PadButton> {
        let button = match KeyCode(code) {
            KeyCode::BTN_SOUTH => PadButton::South,
            KeyCode::BTN_EAST => PadButton::East,
            KeyCode::BTN_NORTH if self.faces == Faces::Places => PadButton::North,
            KeyCode::BTN_WEST if self.faces == Faces::Places => PadButton::West,
            // 0x133 is X, and 0x134 is Y.
            KeyCode::BTN_NORTH => PadButton::West,
            KeyCode::BTN_WEST => PadButton::North,
            KeyCode::BTN_TL => PadButton::LeftShoulder,
            KeyCode::BTN_TR => PadButton::RightShoulder,
            KeyCode::BTN_TL2 => PadButton::LeftTrigger,
            KeyCode::BTN_TR2 => PadButton::RightTrigger,
            KeyCode::BTN_SELECT => PadButton::Select,
            KeyCode::BTN_START => PadButton::Start,
            KeyCode::BTN_THUMBL => PadButton::LeftStick,
            KeyCode::BTN_THUMBR => PadButton::RightStick,
            KeyCode::BTN_DPAD_UP => PadButton::Up,
            KeyCode::BTN_DPAD_DOWN => PadButton::Down,
            KeyCode::BTN_DPAD_LEFT => PadButton::Left,
            KeyCode::BTN_DPAD_RIGHT => PadButton::Right,
            KeyCode::BTN_MODE => PadButton::Mode,
            _ => return None,
        };
        let is_told_by_its_value = match button {
            PadButton::LeftTrigger | PadButton::RightTrigger => {
                self.axes.iter().any(|(_, part, _)| matches!(part, Part::Trigger(_)))
            }
            _ => false,
        };
        // Told both ways, a trigger that is touched would be pulled all the way until its value arrives.
        (!is_told_by_its_value).then_some(button)
    }
}

impl Range {
    /// From `minimum` to `maximum`; `None` where there is nothing between them.
    pub(super) fn new(minimum: i32, maximum: i32, flat: i32) -> Option<Self> {
        let [minimum, maximum, flat] = [minimum, maximum, flat].map(i64::from);
        // There is one number more below zero than above, and zero is the middle all the same.
        let minimum = if minimum == -maximum - 1 { -maximum } else { minimum };
        (minimum < maximum).then_some(Self { minimum, maximum, flat: flat.max(0) })
    }

    /// Where a stick is, from −32767 to 32767: 0 in its flat middle, and growing from its edge.
    pub(super) fn stick(self, value: i32) -> i16 {
        let half = (self.maximum - self.minimum) / 2;
        let value = i64::from(value).clamp(self.minimum, self.maximum);
        // Half a step is no step: of 0 to 255 both 127 and 128 are the middle.
        let off = (2 * value - self.minimum - self.maximum) / 2;
        (scaled(off.abs(), half, self.flat) * off.signum()) as i16
    }

    /// Where a trigger is, from 0 to 32767.
    pub(super) fn trigger(self, value: i32) -> i16 {
        let value = i64::from(value).clamp(self.minimum, self.maximum);
        scaled(value - self.minimum, self.maximum - self.minimum, self.flat) as i16
    }
}

/// How far something is from its rest, of [`AXIS_MAX`], where it goes as far as `end`.
fn scaled(off: i64, end: i64, flat: i64) -> i64 {
    // A flat part that leaves nothing is a slip of the driver's.
    let flat = if flat < end { flat } else { 0 };
    if end == 0 { 0 } else { (off - flat).max(0) * i64::from(AXIS_MAX) / (end - flat) }
}

const SONY: u16 = 0x054C;
const NINTENDO: u16 = 0x057E;

const LEFT: [Axis; 2] = [Axis::ABS_X, Axis::ABS_Y];
const RIGHT: [Axis; 2] = [Axis::ABS_RX, Axis::ABS_RY];
const RIGHT_OF_ANDROID: [Axis; 2] = [Axis::ABS_Z, Axis::ABS_RZ];
const TRIGGERS: [Axis; 2] = [Axis::ABS_Z, Axis::ABS_RZ];
const TRIGGERS_OF_ANDROID: [Axis; 2] = [Axis::ABS_BRAKE, Axis::ABS_GAS];
const TRIGGERS_OF_STEAM: [Axis; 2] = [Axis::ABS_HAT2Y, Axis::ABS_HAT2X];
const HAT: [Axis; 2] = [Axis::ABS_HAT0X, Axis::ABS_HAT0Y];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stick(minimum: i32, maximum: i32, flat: i32, values: &[i32]) -> Vec<i16> {
        let range = Range::new(minimum, maximum, flat).unwrap();
        values.iter().map(|value| range.stick(*value)).collect()
    }

    #[test]
    fn a_stick_goes_from_end_to_end_and_rests_in_its_middle() {
        let xbox = stick(-32_768, 32_767, 128, &[-32_768, -129, -128, 0, 1, 128, 129, 32_767]);
        assert_eq!(xbox, [-32_767, -1, 0, 0, 0, 0, 1, 32_767]);
        assert_eq!(stick(0, 255, 0, &[0, 127, 128, 255]), [-32_767, 0, 0, 32_767]);
        assert_eq!(stick(0, 255, 15, &[0, 112, 143, 144, 255]), [-32_767, 0, 0, 292, 32_767]);
        assert_eq!(stick(-1, 1, 0, &[-1, 0, 1]), [-32_767, 0, 32_767]);
        assert_eq!(stick(0, 65_535, 4095, &[0, 32_767, 65_535]), [-32_767, 0, 32_767]);
    }

    #[test]
    fn a_trigger_goes_from_nothing_to_its_end() {
        let trigger = |flat, value| Range::new(0, 255, flat).unwrap().trigger(value);
        assert_eq!([0, 1, 127, 255].map(|value| trigger(0, value)), [0, 128, 16_319, 32_767]);
        assert_eq!([0, 15, 16, 255].map(|value| trigger(15, value)), [0, 0, 136, 32_767]);
        assert_eq!(Range::new(0, 1, 0).unwrap().trigger(1), 32_767);
    }

    proptest! {
        /// A driver may say anything of its axes, and a value may lie outside of what it says.
        #[test]
        fn any_range_and_value_give_a_place_on_the_axis(
            minimum: i32, maximum: i32, flat: i32, low: i32, high: i32,
        ) {
            prop_assume!(minimum < maximum && low <= high);
            let range = Range::new(minimum, maximum, flat).unwrap();
            prop_assert!(range.stick(low) <= range.stick(high));
            prop_assert!(range.stick(low) >= -AXIS_MAX);
            prop_assert!(range.trigger(low) >= 0);
            prop_assert!(range.trigger(low) <= range.trigger(high));
        }
    }

    #[test]
    fn an_axis_without_a_range_is_none() {
        assert_eq!(Range::new(0, 0, 0), None);
        assert_eq!(Range::new(1, -1, 0), None);
    }
}
