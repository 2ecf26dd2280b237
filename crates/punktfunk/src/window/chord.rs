//! The keys that are for the window and not for the host: Ctrl, Alt and Shift, and a letter.

use winit::{
    event::{ElementState, KeyEvent},
    keyboard::{Key, KeyCode, ModifiersState, PhysicalKey},
    platform::modifier_supplement::KeyEventExtModifierSupplement as _,
};

/// Something that a person does to the window by keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chord {
    /// Show more figures, or none: S, as in statistics.
    Figures,
    /// Fill the screen, or stop that: X.
    FullScreen,
    /// Give the pointer to the host altogether, or take it back: Z.
    Pointer,
    /// Open the menu, or close it: M. A window for one session alone has none.
    Menu,
    /// Leave the host: Q, as in quit. A window for one session alone closes.
    Leave,
}

/// What a key that goes down does to the window. The host must not get it then.
pub(super) fn chord(modifiers: ModifiersState, event: &KeyEvent) -> Option<Chord> {
    let is_new = event.state == ElementState::Pressed && !event.repeat;
    let letter = letter(&event.key_without_modifiers(), event.physical_key);
    letter.filter(|_| is_new).and_then(|letter| chord_of(modifiers, letter))
}

fn chord_of(modifiers: ModifiersState, letter: char) -> Option<Chord> {
    if !modifiers.contains(ModifiersState::CONTROL | ModifiersState::ALT | ModifiersState::SHIFT) {
        return None;
    }
    match letter {
        's' => Some(Chord::Figures),
        'x' => Some(Chord::FullScreen),
        'z' => Some(Chord::Pointer),
        'm' => Some(Chord::Menu),
        'q' => Some(Chord::Leave),
        _ => None,
    }
}

/// The letter that is printed on the key; on a keyboard without Latin ones the letter that an American one has there.
fn letter(key: &Key, place: PhysicalKey) -> Option<char> {
    let typed = match key {
        Key::Character(text) => text.chars().next().map(|letter| letter.to_ascii_lowercase()),
        _ => None,
    };
    typed.filter(char::is_ascii_alphabetic).or(match place {
        PhysicalKey::Code(KeyCode::KeyS) => Some('s'),
        PhysicalKey::Code(KeyCode::KeyX) => Some('x'),
        PhysicalKey::Code(KeyCode::KeyZ) => Some('z'),
        PhysicalKey::Code(KeyCode::KeyM) => Some('m'),
        PhysicalKey::Code(KeyCode::KeyQ) => Some('q'),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::Character(text.into())
    }

    /// A key that is taken away from the host is one that a person cannot use there.
    #[test]
    fn only_all_three_modifiers_and_a_known_letter_are_for_the_window() {
        let all = ModifiersState::CONTROL | ModifiersState::ALT | ModifiersState::SHIFT;
        assert_eq!(chord_of(all, 's'), Some(Chord::Figures));
        assert_eq!(chord_of(all, 'x'), Some(Chord::FullScreen));
        assert_eq!(chord_of(all, 'z'), Some(Chord::Pointer));
        assert_eq!(chord_of(all, 'q'), Some(Chord::Leave));
        assert_eq!(chord_of(all, 'a'), None);
        for missing in [ModifiersState::CONTROL, ModifiersState::ALT, ModifiersState::SHIFT] {
            assert_eq!(chord_of(all - missing, 's'), None);
        }
    }

    #[test]
    fn a_letter_is_the_one_that_is_printed_on_the_key() {
        let place = PhysicalKey::Code(KeyCode::KeyS);
        assert_eq!(letter(&key("s"), place), Some('s'));
        assert_eq!(letter(&key("S"), place), Some('s'));
        assert_eq!(letter(&key("o"), place), Some('o'), "as on a Dvorak keyboard");
        assert_eq!(letter(&key("ы"), place), Some('s'), "as on a Cyrillic keyboard");
        assert_eq!(letter(&key("1"), PhysicalKey::Code(KeyCode::Digit1)), None);
    }
}
