//! What a person does at the client, as it goes over the wire: keys, pointer, gamepads.
//!
//! Two ways lead to the host. An [`InputEvent`] goes over the control stream: what must arrive, and in order. An
//! [`InputState`] is a datagram, which may be lost: it holds the whole of what the ones before it said, so that the
//! next one repairs every loss. Motion is therefore counted since the session's beginning, and wraps.

use crate::{
    Malformed,
    generated::{self as wire, input_event, input_state},
};

/// The most gamepads of one session.
pub const MAX_GAMEPADS: u8 = 4;

/// The longest text of one event, in bytes.
pub const MAX_TEXT: usize = 256;

/// How many buttons a gamepad of the standard layout has.
pub const GAMEPAD_BUTTONS: u32 = 17;

/// The furthest that a stick or trigger goes.
pub const AXIS_MAX: i16 = 32_767;

/// What must arrive, and in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputEvent {
    /// A key went down or up.
    Key {
        /// Which one.
        key: Key,
        /// Whether it is down now.
        pressed: bool,
    },
    /// Text for which there is no key; at most [`MAX_TEXT`] bytes, without control characters.
    Text(String),
    /// A button of the pointer went down or up.
    Button {
        /// Which one.
        button: Button,
        /// Whether it is down now.
        pressed: bool,
        /// Where the pointer was, so that the click lands there whatever was lost.
        pointer: PointerState,
    },
    /// Nothing is held any more.
    ReleaseAll,
    /// A gamepad came or went.
    GamepadPlug {
        /// Which one.
        pad: Pad,
        /// Whether it is there now.
        plugged: bool,
    },
    /// Which buttons of a gamepad are down.
    GamepadButtons {
        /// Which one.
        pad: Pad,
        /// Bit n is button n of the standard layout (W3C Gamepad).
        pressed: u32,
    },
}

/// What the next one makes stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputState {
    /// Where the pointer is.
    Pointer(PointerState),
    /// Where the sticks and triggers of a gamepad are.
    GamepadAxes(GamepadAxes),
}

/// A key, named by where it is: a USB HID usage of the keyboard page (0x07) or the consumer page (0x0c).
///
/// Source: HID Usage Tables 1.5, chapters 10 and 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u32);

/// One of the gamepads of a session: 0 to 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pad(u8);

/// A button of the pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Button {
    /// The one for the index finger of a right hand.
    Left,
    /// The one for the menu.
    Right,
    /// Mostly the wheel.
    Middle,
    /// At the side: back.
    Back,
    /// At the side: forward.
    Forward,
}

/// Where the pointer is and how far the wheels have turned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PointerState {
    /// Counts up by one; wraps.
    pub number: u32,
    /// How far to the right the pointer was moved since the session began, in pixels; wraps.
    pub dx: i32,
    /// How far down.
    pub dy: i32,
    /// How far the wheels were turned to the right since then, in 120ths of a notch; wraps.
    pub scroll_x: i32,
    /// How far down.
    pub scroll_y: i32,
    /// Where it is in the picture; `None` while it is moved relatively.
    pub position: Option<Position>,
}

/// A place in the picture: from 0, its left or upper edge, to 65535, its right or lower one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// From the left.
    pub x: u16,
    /// From above.
    pub y: u16,
}

/// Where the sticks and triggers of a gamepad are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GamepadAxes {
    /// Which one.
    pub pad: Pad,
    /// Counts up by one for each pad; wraps.
    pub number: u32,
    /// The left stick, right and down, each −32767 to 32767.
    pub left: [i16; 2],
    /// The right stick.
    pub right: [i16; 2],
    /// The left and the right trigger, each 0 to 32767.
    pub triggers: [i16; 2],
}

impl Key {
    /// The key of a usage, its page in the upper 16 bits; `None` when no key has it.
    pub const fn from_usage(usage: u32) -> Option<Self> {
        match usage {
            0x07_0004..=0x07_00E7 | 0x0C_0001..=0x0C_03FF => Some(Self(usage)),
            _ => None,
        }
    }

    /// Its usage, the page in the upper 16 bits.
    pub const fn usage(self) -> u32 {
        self.0
    }
}

impl Pad {
    /// All there can be.
    pub const ALL: [Self; MAX_GAMEPADS as usize] = [Self(0), Self(1), Self(2), Self(3)];

    /// The one of this number; `None` from [`MAX_GAMEPADS`] on.
    pub const fn from_number(number: u32) -> Option<Self> {
        if number < MAX_GAMEPADS as u32 { Some(Self(number as u8)) } else { None }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl Button {
    /// All there are, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Left, Self::Right, Self::Middle, Self::Back, Self::Forward];

    /// Its number on the wire.
    pub const fn number(self) -> u32 {
        self as u32
    }
}

impl PointerState {
    /// Whether this one is later than `other`.
    pub const fn is_newer_than(&self, other: &Self) -> bool {
        is_newer(self.number, other.number)
    }
}

impl GamepadAxes {
    /// Whether this one is later than `other`, of the same pad.
    pub const fn is_newer_than(&self, other: &Self) -> bool {
        is_newer(self.number, other.number)
    }
}

/// Whether a number that wraps is later than another.
const fn is_newer(number: u32, than: u32) -> bool {
    number.wrapping_sub(than).cast_signed() > 0
}

impl From<InputEvent> for wire::InputEvent {
    fn from(event: InputEvent) -> Self {
        use input_event::Kind;
        let kind = match event {
            InputEvent::Key { key, pressed } => Kind::Key(wire::KeyEvent { usage: key.usage(), pressed }),
            InputEvent::Text(text) => Kind::Text(wire::TextInput { text }),
            InputEvent::Button { button, pressed, pointer } => Kind::Button(wire::PointerButton {
                button: button.number(),
                pressed,
                pointer: Some(pointer.into()),
            }),
            InputEvent::ReleaseAll => Kind::ReleaseAll(wire::ReleaseAll {}),
            InputEvent::GamepadPlug { pad, plugged } => {
                Kind::GamepadPlug(wire::GamepadPlug { pad: pad.number().into(), plugged })
            }
            InputEvent::GamepadButtons { pad, pressed } => {
                Kind::GamepadButtons(wire::GamepadButtons { pad: pad.number().into(), pressed })
            }
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<wire::InputEvent> for InputEvent {
    type Error = Malformed;

    fn try_from(event: wire::InputEvent) -> Result<Self, Malformed> {
        use input_event::Kind;
        match event.kind.ok_or(Malformed::UnknownKind)? {
            Kind::Key(event) => {
                let key = Key::from_usage(event.usage).ok_or(Malformed::Field("usage"))?;
                Ok(Self::Key { key, pressed: event.pressed })
            }
            Kind::Text(wire::TextInput { text }) => {
                if text.is_empty() || text.len() > MAX_TEXT || text.chars().any(char::is_control) {
                    return Err(Malformed::Field("text"));
                }
                Ok(Self::Text(text))
            }
            Kind::Button(event) => Ok(Self::Button {
                button: Button::ALL.get(event.button as usize).copied().ok_or(Malformed::Field("button"))?,
                pressed: event.pressed,
                pointer: event.pointer.ok_or(Malformed::Field("pointer"))?.try_into()?,
            }),
            Kind::ReleaseAll(wire::ReleaseAll {}) => Ok(Self::ReleaseAll),
            Kind::GamepadPlug(event) => {
                Ok(Self::GamepadPlug { pad: pad(event.pad)?, plugged: event.plugged })
            }
            Kind::GamepadButtons(event) => {
                if event.pressed >> GAMEPAD_BUTTONS != 0 {
                    return Err(Malformed::Field("pressed"));
                }
                Ok(Self::GamepadButtons { pad: pad(event.pad)?, pressed: event.pressed })
            }
        }
    }
}

impl From<InputState> for wire::InputState {
    fn from(state: InputState) -> Self {
        use input_state::Kind;
        let kind = match state {
            InputState::Pointer(pointer) => Kind::Pointer(pointer.into()),
            InputState::GamepadAxes(axes) => Kind::GamepadAxes(axes.into()),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<wire::InputState> for InputState {
    type Error = Malformed;

    fn try_from(state: wire::InputState) -> Result<Self, Malformed> {
        use input_state::Kind;
        match state.kind.ok_or(Malformed::UnknownKind)? {
            Kind::Pointer(pointer) => pointer.try_into().map(Self::Pointer),
            Kind::GamepadAxes(axes) => axes.try_into().map(Self::GamepadAxes),
        }
    }
}

impl From<PointerState> for wire::PointerState {
    fn from(pointer: PointerState) -> Self {
        let position =
            pointer.position.map(|Position { x, y }| wire::PointerPosition { x: x.into(), y: y.into() });
        let PointerState { number, dx, dy, scroll_x, scroll_y, .. } = pointer;
        Self { number, dx, dy, scroll_x, scroll_y, position }
    }
}

impl TryFrom<wire::PointerState> for PointerState {
    type Error = Malformed;

    fn try_from(pointer: wire::PointerState) -> Result<Self, Malformed> {
        let wire::PointerState { number, dx, dy, scroll_x, scroll_y, position } = pointer;
        let position = position.map(Position::try_from).transpose()?;
        Ok(Self { number, dx, dy, scroll_x, scroll_y, position })
    }
}

impl TryFrom<wire::PointerPosition> for Position {
    type Error = Malformed;

    fn try_from(position: wire::PointerPosition) -> Result<Self, Malformed> {
        let within = |side| u16::try_from(side).map_err(|_| Malformed::Field("position"));
        Ok(Self { x: within(position.x)?, y: within(position.y)? })
    }
}

impl From<GamepadAxes> for wire::GamepadAxes {
    fn from(axes: GamepadAxes) -> Self {
        let [left_x, left_y] = axes.left.map(i32::from);
        let [right_x, right_y] = axes.right.map(i32::from);
        let [left_trigger, right_trigger] =
            axes.triggers.map(|trigger| trigger.max(0).cast_unsigned().into());
        Self {
            pad: axes.pad.number().into(),
            number: axes.number,
            left_x,
            left_y,
            right_x,
            right_y,
            left_trigger,
            right_trigger,
        }
    }
}

impl TryFrom<wire::GamepadAxes> for GamepadAxes {
    type Error = Malformed;

    fn try_from(axes: wire::GamepadAxes) -> Result<Self, Malformed> {
        let stick = |value: i32| {
            i16::try_from(value).ok().filter(|value| *value >= -AXIS_MAX).ok_or(Malformed::Field("stick"))
        };
        let trigger = |value: u32| i16::try_from(value).map_err(|_| Malformed::Field("trigger"));
        Ok(Self {
            pad: pad(axes.pad)?,
            number: axes.number,
            left: [stick(axes.left_x)?, stick(axes.left_y)?],
            right: [stick(axes.right_x)?, stick(axes.right_y)?],
            triggers: [trigger(axes.left_trigger)?, trigger(axes.right_trigger)?],
        })
    }
}

fn pad(number: u32) -> Result<Pad, Malformed> {
    Pad::from_number(number).ok_or(Malformed::Field("pad"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_newer_across_its_wrap() {
        let at = |number| PointerState { number, ..PointerState::default() };
        assert!(at(1).is_newer_than(&at(0)));
        assert!(at(0).is_newer_than(&at(u32::MAX)));
        assert!(!at(5).is_newer_than(&at(5)));
        assert!(!at(u32::MAX).is_newer_than(&at(0)));
    }
}
