//! What is held of a gamepad, in the words of the standard layout.

/// All that one pad tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PadState {
    /// Bit n is button n of the standard layout (W3C Gamepad). The bits of a trigger that has a value are never set: the
    /// value says more, and goes another way to the host.
    pub buttons: u32,
    /// The left stick, right and down, each −32767 to 32767; 0 at rest.
    pub left: [i16; 2],
    /// The right stick.
    pub right: [i16; 2],
    /// The left and the right trigger, each 0 to 32767.
    pub triggers: [i16; 2],
}

/// A button of the standard layout, by where it is on the pad.
///
/// Source: W3C Gamepad, "Remapping".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PadButton {
    /// The lower one of the right four: A, or the cross.
    South = 0,
    /// The right one: B, or the circle.
    East = 1,
    /// The left one: X, or the square.
    West = 2,
    /// The upper one: Y, or the triangle.
    North = 3,
    /// Above the left trigger.
    LeftShoulder = 4,
    /// Above the right trigger.
    RightShoulder = 5,
    /// The left trigger, where it is a mere button.
    LeftTrigger = 6,
    /// The right trigger, where it is a mere button.
    RightTrigger = 7,
    /// The left one in the middle: back, view, share, minus.
    Select = 8,
    /// The right one in the middle: start, menu, options, plus.
    Start = 9,
    /// The left stick, pressed.
    LeftStick = 10,
    /// The right stick, pressed.
    RightStick = 11,
    /// The directions.
    Up = 12,
    /// The directions.
    Down = 13,
    /// The directions.
    Left = 14,
    /// The directions.
    Right = 15,
    /// The one with the maker's sign.
    Mode = 16,
}

impl PadState {
    /// Whether a button is down.
    pub const fn is_down(&self, button: PadButton) -> bool {
        self.buttons & button.bit() != 0
    }
}

impl PadButton {
    /// Its bit among [`PadState::buttons`].
    pub const fn bit(self) -> u32 {
        1 << self as u32
    }
}
