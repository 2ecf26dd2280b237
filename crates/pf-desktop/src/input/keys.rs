//! Where each key is, in the words of Linux.

use pf_proto::input::Key;

/// The code by which Linux' input layer knows a key; `None` where it knows none.
///
/// An X server and a Wayland compositor on Linux know it as this and 8. Sources: HID Usage Tables 1.5, chapters 10 and 15;
/// `linux/input-event-codes.h`.
pub fn evdev_code(key: Key) -> Option<u16> {
    let (page, usage) = (key.usage() >> 16, key.usage() as u16);
    match page {
        KEYBOARD => keyboard(usage),
        CONSUMER => CONSUMER_KEYS.iter().find(|(known, _)| *known == usage).map(|(_, code)| *code),
        _ => None,
    }
}

fn keyboard(usage: u16) -> Option<u16> {
    let code = match usage {
        FIRST_MODIFIER.. => *MODIFIERS.get(usize::from(usage - FIRST_MODIFIER))?,
        _ => *KEYS.get(usize::from(usage.checked_sub(FIRST_KEY)?))?,
    };
    (code != NONE).then_some(code.into())
}

const KEYBOARD: u32 = 0x07;
const CONSUMER: u32 = 0x0C;

/// Stands for a usage that Linux has no code for.
const NONE: u8 = 0;

const FIRST_KEY: u16 = 0x04;

/// The codes of the usages from [`FIRST_KEY`] on, 16 a row as in the tables of the standard.
#[rustfmt::skip]
const KEYS: [u8; 0xA0] = [
    // A to L, M to Z and 1 to 2, 3 to 0 and Enter to right bracket
     30,  48,  46,  32,  18,  33,  34,  35,  23,  36,  37,  38,  50,  49,  24,  25,
     16,  19,  31,  20,  22,  47,  17,  45,  21,  44,   2,   3,   4,   5,   6,   7,
      8,   9,  10,  11,  28,   1,  14,  15,  57,  12,  13,  26,  27,  43,  43,  39,
    // Semicolon's neighbours, Caps Lock, F1 to F10
     40,  41,  51,  52,  53,  58,  59,  60,  61,  62,  63,  64,  65,  66,  67,  68,
    // F11, F12, Print Screen to the arrows, Num Lock and the first of the keypad
     87,  88,  99,  70, 119, 110, 102, 104, 111, 107, 109, 106, 105, 108, 103,  69,
    // The keypad, the key beside the left shift, menu, power
     98,  55,  74,  78,  96,  79,  80,  81,  75,  76,  77,  71,  72,  73,  82,  83,
     86, 127, 116, 117, 183, 184, 185, 186, 187, 188, 189, 190, 191, 192, 193, 194,
    // F24 was the last above; then open, help, edit, sound, and the keypad's comma
    134, 138, 130, 132, 128, 129, 131, 137, 133, 135, 136, 113, 115, 114, NONE, NONE,
    // The keys of Japanese and Korean keyboards
    NONE, 121, NONE,  89,  93, 124,  92,  94,  95, NONE, NONE, NONE, 122, 123,  90,  91,
     85, NONE, NONE, NONE, NONE, NONE, NONE, NONE, 111, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
];

const FIRST_MODIFIER: u16 = 0xE0;

/// Left control, shift, alt and logo; then the right ones.
const MODIFIERS: [u8; 8] = [29, 42, 56, 125, 97, 54, 100, 126];

/// The consumer page's usages that keyboards and remotes have.
const CONSUMER_KEYS: [(u16, u16); 34] = [
    (0x30, 116),  // power
    (0x32, 142),  // sleep
    (0x40, 139),  // menu
    (0x6F, 225),  // brighter
    (0x70, 224),  // darker
    (0xB0, 207),  // play
    (0xB1, 119),  // pause
    (0xB2, 167),  // record
    (0xB3, 208),  // fast forward
    (0xB4, 168),  // rewind
    (0xB5, 163),  // next track
    (0xB6, 165),  // previous track
    (0xB7, 166),  // stop
    (0xB8, 161),  // eject
    (0xCD, 164),  // play or pause
    (0xE2, 113),  // mute
    (0xE9, 115),  // louder
    (0xEA, 114),  // quieter
    (0x183, 171), // media player
    (0x18A, 155), // mail
    (0x192, 140), // calculator
    (0x194, 157), // file browser
    (0x196, 150), // web browser
    (0x19E, 152), // lock the screen
    (0x1B7, 171), // audio player
    (0x221, 217), // search
    (0x223, 172), // home page
    (0x224, 158), // back
    (0x225, 159), // forward
    (0x226, 128), // stop loading
    (0x227, 173), // reload
    (0x22A, 156), // bookmarks
    (0x22D, 418), // zoom in
    (0x22E, 419), // zoom out
];

#[cfg(test)]
mod tests {
    use super::*;

    fn code(usage: u32) -> Option<u16> {
        evdev_code(Key::from_usage(usage).unwrap())
    }

    /// One key off in the table is every later key off.
    #[test]
    fn keys_of_each_row_are_where_linux_has_them() {
        let table = [
            (0x07_0004, 30),  // A
            (0x07_001D, 44),  // Z
            (0x07_001E, 2),   // 1
            (0x07_0027, 11),  // 0
            (0x07_0028, 28),  // Enter
            (0x07_002C, 57),  // Space
            (0x07_0038, 53),  // slash
            (0x07_0039, 58),  // Caps Lock
            (0x07_0045, 88),  // F12
            (0x07_0046, 99),  // Print Screen
            (0x07_0052, 103), // up
            (0x07_0053, 69),  // Num Lock
            (0x07_0063, 83),  // the keypad's point
            (0x07_0064, 86),  // beside the left shift
            (0x07_0065, 127), // menu
            (0x07_0073, 194), // F24
            (0x07_0081, 114), // quieter
            (0x07_0085, 121), // the keypad's comma
            (0x07_0087, 89),  // Japanese: ro
            (0x07_0091, 123), // Korean: Hanja
            (0x07_0094, 85),  // Japanese: zenkaku and hankaku
            (0x07_00E0, 29),  // left control
            (0x07_00E7, 126), // right logo
            (0x0C_00E9, 115), // louder
            (0x0C_0227, 173), // reload
        ];
        for (usage, expected) in table {
            assert_eq!(code(usage), Some(expected), "usage {usage:x}");
        }
    }

    #[test]
    fn a_usage_without_a_key_has_no_code() {
        for usage in [0x07_0084, 0x07_00A4, 0x07_00DF, 0x0C_0001, 0x0C_03FF] {
            assert_eq!(code(usage), None, "usage {usage:x}");
        }
    }
}
