//! The keys of a keyboard: by name, by place, and by what they type on an American one.

use pf_proto::input::Key;
use winit::keyboard::KeyCode;

/// The key at a place of this machine's keyboard; `None` for places that a host knows nothing of.
pub(crate) fn at(place: KeyCode) -> Option<Key> {
    KEYS.iter().find(|(_, known, _)| *known == place).and_then(|(_, _, usage)| Key::from_usage(*usage))
}

/// The key of a name: as in the W3C's UI Events, in any case, or a letter, a digit, or a modifier without its side.
pub(crate) fn named(name: &str) -> Option<Key> {
    let mut characters = name.chars();
    let name = match (characters.next()?, characters.next()) {
        (letter, None) if letter.is_ascii_alphabetic() => format!("Key{letter}"),
        (digit, None) if digit.is_ascii_digit() => format!("Digit{digit}"),
        _ => match name.to_ascii_lowercase().as_str() {
            "ctrl" | "control" => "ControlLeft".to_owned(),
            "shift" => "ShiftLeft".to_owned(),
            "alt" => "AltLeft".to_owned(),
            "super" | "meta" | "metaleft" => "SuperLeft".to_owned(),
            "metaright" => "SuperRight".to_owned(),
            _ => name.to_owned(),
        },
    };
    let key = KEYS.iter().find(|(known, _, _)| known.eq_ignore_ascii_case(&name));
    key.and_then(|(_, _, usage)| Key::from_usage(*usage))
}

/// The key that types a character on an American keyboard, and whether Shift must be held.
pub(crate) fn typing(character: char) -> Option<(Key, bool)> {
    if character.is_ascii_alphanumeric() {
        return Some((named(&character.to_string())?, character.is_ascii_uppercase()));
    }
    let (plain, name) = match character {
        '\t' => (true, "Tab"),
        ' ' => (true, "Space"),
        _ => {
            let (place, name) = PUNCTUATION.iter().find_map(|(pair, name)| {
                pair.chars().position(|known| known == character).map(|place| (place, *name))
            })?;
            (place == 0, name)
        }
    };
    Some((named(name)?, !plain))
}

/// What is on the keys that are neither letters nor, alone, digits: without Shift, and with it.
const PUNCTUATION: [(&str, &str); 21] = [
    ("1!", "Digit1"),
    ("2@", "Digit2"),
    ("3#", "Digit3"),
    ("4$", "Digit4"),
    ("5%", "Digit5"),
    ("6^", "Digit6"),
    ("7&", "Digit7"),
    ("8*", "Digit8"),
    ("9(", "Digit9"),
    ("0)", "Digit0"),
    ("-_", "Minus"),
    ("=+", "Equal"),
    ("[{", "BracketLeft"),
    ("]}", "BracketRight"),
    ("\\|", "Backslash"),
    (";:", "Semicolon"),
    ("'\"", "Quote"),
    ("`~", "Backquote"),
    (",<", "Comma"),
    (".>", "Period"),
    ("/?", "Slash"),
];

/// A table of names, places and usages, of which the first two are written alike.
macro_rules! keys {
    ($($name:ident $usage:literal),* $(,)?) => {
        &[$((stringify!($name), KeyCode::$name, $usage)),*]
    };
}

/// Every key that has a place in winit and a usage. Sources: UI Events `KeyboardEvent` code Values; HID Usage Tables 1.5,
/// chapters 10 and 15.
#[rustfmt::skip]
const KEYS: &[(&str, KeyCode, u32)] = keys![
    KeyA 0x07_0004, KeyB 0x07_0005, KeyC 0x07_0006, KeyD 0x07_0007, KeyE 0x07_0008, KeyF 0x07_0009, KeyG 0x07_000A,
    KeyH 0x07_000B, KeyI 0x07_000C, KeyJ 0x07_000D, KeyK 0x07_000E, KeyL 0x07_000F, KeyM 0x07_0010, KeyN 0x07_0011,
    KeyO 0x07_0012, KeyP 0x07_0013, KeyQ 0x07_0014, KeyR 0x07_0015, KeyS 0x07_0016, KeyT 0x07_0017, KeyU 0x07_0018,
    KeyV 0x07_0019, KeyW 0x07_001A, KeyX 0x07_001B, KeyY 0x07_001C, KeyZ 0x07_001D,
    Digit1 0x07_001E, Digit2 0x07_001F, Digit3 0x07_0020, Digit4 0x07_0021, Digit5 0x07_0022, Digit6 0x07_0023,
    Digit7 0x07_0024, Digit8 0x07_0025, Digit9 0x07_0026, Digit0 0x07_0027,
    Enter 0x07_0028, Escape 0x07_0029, Backspace 0x07_002A, Tab 0x07_002B, Space 0x07_002C, Minus 0x07_002D,
    Equal 0x07_002E, BracketLeft 0x07_002F, BracketRight 0x07_0030, Backslash 0x07_0031, Semicolon 0x07_0033,
    Quote 0x07_0034, Backquote 0x07_0035, Comma 0x07_0036, Period 0x07_0037, Slash 0x07_0038, CapsLock 0x07_0039,
    F1 0x07_003A, F2 0x07_003B, F3 0x07_003C, F4 0x07_003D, F5 0x07_003E, F6 0x07_003F, F7 0x07_0040, F8 0x07_0041,
    F9 0x07_0042, F10 0x07_0043, F11 0x07_0044, F12 0x07_0045, PrintScreen 0x07_0046, ScrollLock 0x07_0047,
    Pause 0x07_0048, Insert 0x07_0049, Home 0x07_004A, PageUp 0x07_004B, Delete 0x07_004C, End 0x07_004D,
    PageDown 0x07_004E, ArrowRight 0x07_004F, ArrowLeft 0x07_0050, ArrowDown 0x07_0051, ArrowUp 0x07_0052,
    NumLock 0x07_0053, NumpadDivide 0x07_0054, NumpadMultiply 0x07_0055, NumpadSubtract 0x07_0056,
    NumpadAdd 0x07_0057, NumpadEnter 0x07_0058, Numpad1 0x07_0059, Numpad2 0x07_005A, Numpad3 0x07_005B,
    Numpad4 0x07_005C, Numpad5 0x07_005D, Numpad6 0x07_005E, Numpad7 0x07_005F, Numpad8 0x07_0060, Numpad9 0x07_0061,
    Numpad0 0x07_0062, NumpadDecimal 0x07_0063, IntlBackslash 0x07_0064, ContextMenu 0x07_0065, NumpadEqual 0x07_0067,
    F13 0x07_0068, F14 0x07_0069, F15 0x07_006A, F16 0x07_006B, F17 0x07_006C, F18 0x07_006D, F19 0x07_006E,
    F20 0x07_006F, F21 0x07_0070, F22 0x07_0071, F23 0x07_0072, F24 0x07_0073, Open 0x07_0074, Help 0x07_0075,
    Props 0x07_0076, Again 0x07_0079, Undo 0x07_007A, Cut 0x07_007B, Copy 0x07_007C, Paste 0x07_007D, Find 0x07_007E,
    NumpadComma 0x07_0085, IntlRo 0x07_0087, KanaMode 0x07_0088, IntlYen 0x07_0089, Convert 0x07_008A,
    NonConvert 0x07_008B, Lang1 0x07_0090, Lang2 0x07_0091, Lang3 0x07_0092, Lang4 0x07_0093, Lang5 0x07_0094,
    ControlLeft 0x07_00E0, ShiftLeft 0x07_00E1, AltLeft 0x07_00E2, SuperLeft 0x07_00E3,
    ControlRight 0x07_00E4, ShiftRight 0x07_00E5, AltRight 0x07_00E6, SuperRight 0x07_00E7,
    Power 0x0C_0030, Sleep 0x0C_0032, MediaTrackNext 0x0C_00B5, MediaTrackPrevious 0x0C_00B6, MediaStop 0x0C_00B7,
    Eject 0x0C_00B8, MediaPlayPause 0x0C_00CD, AudioVolumeMute 0x0C_00E2, AudioVolumeUp 0x0C_00E9,
    AudioVolumeDown 0x0C_00EA, MediaSelect 0x0C_0183, LaunchMail 0x0C_018A, LaunchApp2 0x0C_0192, LaunchApp1 0x0C_0194,
    BrowserSearch 0x0C_0221, BrowserHome 0x0C_0223, BrowserBack 0x0C_0224, BrowserForward 0x0C_0225,
    BrowserStop 0x0C_0226, BrowserRefresh 0x0C_0227, BrowserFavorites 0x0C_022A,
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_keys_have_one_usage() {
        let usages: HashSet<u32> = KEYS.iter().map(|(_, _, usage)| *usage).collect();
        assert_eq!(usages.len(), KEYS.len());
        for (name, place, usage) in KEYS {
            assert_eq!(named(name).map(Key::usage), Some(*usage), "{name}");
            assert_eq!(at(*place).map(Key::usage), Some(*usage), "{name}");
        }
    }

    #[test]
    fn short_names_stand_for_keys() {
        for (short, long) in
            [("a", "KeyA"), ("Z", "KeyZ"), ("7", "Digit7"), ("ctrl", "ControlLeft"), ("ENTER", "Enter")]
        {
            assert_eq!(named(short), named(long), "{short}");
            assert!(named(short).is_some(), "{short}");
        }
        for unknown in ["", "ä", "KeyÄ", "Any"] {
            assert_eq!(named(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn every_printable_character_of_an_american_keyboard_is_typed() {
        let mut strokes = HashSet::new();
        for character in ' '..='~' {
            let stroke = typing(character).unwrap_or_else(|| panic!("{character}"));
            assert!(strokes.insert(stroke), "{character} is typed as another one is");
        }
        assert_eq!(typing('A'), named("KeyA").map(|key| (key, true)));
        assert_eq!(typing('+'), named("Equal").map(|key| (key, true)));
        assert_eq!(typing('ä'), None);
    }
}
