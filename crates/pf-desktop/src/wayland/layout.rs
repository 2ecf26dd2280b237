//! Keyboard layouts: what the compositor's makes of keys, and one of our own for text.
//!
//! A virtual keyboard tells its compositor both which keys go down and which modifiers hold then, as a real one's driver in
//! the compositor would. So this works the layout out as XKB says, with the compositor's own description of it.

use std::fmt::Write as _;

use kbvm::state_machine::{Direction, Event, State, StateMachine};
use kbvm::xkb::Context;
use kbvm::xkb::diagnostic::{Diagnostic, DiagnosticHandler};
use kbvm::{Components, Keycode};

/// A layout, and what is held down in it.
pub(super) struct Layout {
    /// Its description, as XKB writes it.
    text: Vec<u8>,
    machine: StateMachine,
    state: State,
    components: Components,
    /// How many keys are down.
    held: usize,
}

/// What a key does to a virtual keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key { code: u32, is_down: bool },
    Modifiers { pressed: u32, latched: u32, locked: u32, group: u32 },
}

impl Layout {
    /// The layout of this description; `None` when it is none.
    pub(super) fn new(text: Vec<u8>) -> Option<Self> {
        let keymap = Context::default().keymap_from_bytes(Silence, None, &text);
        match keymap {
            Ok(keymap) => {
                let machine = keymap.to_builder().build_state_machine();
                let state = machine.create_state();
                Some(Self { text, machine, state, components: Components::default(), held: 0 })
            }
            Err(error) => {
                tracing::warn!(%error, "the compositor's keyboard layout is not understood");
                None
            }
        }
    }

    /// The layout that this machine names, for a compositor that names none.
    pub(super) fn of_machine() -> Option<Self> {
        let keymap = Context::default().keymap_from_names(Silence, None, None, None, None);
        Self::new(keymap.format().to_string().into_bytes())
    }

    /// Its description.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether a key is down.
    pub(super) fn is_held(&self) -> bool {
        self.held > 0
    }

    /// What a key that goes down or up does, in order. `code` is Linux' one.
    pub(super) fn turn(&mut self, code: u16, is_down: bool) -> Vec<Step> {
        let key = Keycode::from_evdev(code.into());
        let direction = if is_down { Direction::Down } else { Direction::Up };
        self.held = if is_down { self.held + 1 } else { self.held.saturating_sub(1) };
        let mut events = Vec::new();
        self.machine.handle_key(&mut self.state, &mut events, key, direction);
        let mut steps = Vec::new();
        let mut is_other = false;
        for event in events {
            is_other |= self.components.apply_event(event);
            let (code, is_down) = match event {
                Event::KeyDown(code) => (code.to_evdev(), true),
                Event::KeyUp(code) => (code.to_evdev(), false),
                _ => continue,
            };
            if std::mem::take(&mut is_other) {
                steps.push(self.modifiers());
            }
            steps.push(Step::Key { code, is_down });
        }
        if is_other {
            steps.push(self.modifiers());
        }
        steps
    }

    fn modifiers(&self) -> Step {
        let components = &self.components;
        Step::Modifiers {
            pressed: components.mods_pressed.0,
            latched: components.mods_latched.0,
            locked: components.mods_locked.0,
            group: components.group.0,
        }
    }
}

/// Whether a description is one of ours for text.
pub(super) fn is_for_text(description: &[u8]) -> bool {
    description.windows(NAME.len()).any(|window| window == NAME.as_bytes())
}

/// Characters on keys of their own, and the codes of those keys; as many as there are keys for.
pub(super) fn for_text(text: &[char]) -> (String, Vec<(char, u32)>) {
    let mut keys: Vec<(char, u32)> = Vec::new();
    for &character in text {
        if keys.iter().all(|(other, _)| *other != character)
            && let Some(&code) = UNUSED.get(keys.len())
        {
            keys.push((character, code));
        }
    }
    let (mut codes, mut symbols) = (String::new(), String::new());
    for &(character, code) in &keys {
        // X counts from 8.
        _ = writeln!(codes, "<T{code}> = {};", code + 8);
        _ = writeln!(symbols, "key <T{code}> {{ [ U{:04X} ] }};", u32::from(character));
    }
    let description = format!(
        "xkb_keymap {{
xkb_keycodes \"{NAME}\" {{ minimum = 8; maximum = 255; {codes} }};
xkb_types \"{NAME}\" {{ include \"complete\" }};
xkb_compatibility \"{NAME}\" {{ include \"complete\" }};
xkb_symbols \"{NAME}\" {{ {symbols} }};
}};
"
    );
    (description, keys)
}

/// What is odd about a layout is its compositor's affair.
struct Silence;

impl DiagnosticHandler for Silence {
    fn handle(&mut self, _: Diagnostic) {}
}

/// What parts of our own layouts are called.
const NAME: &str = "punktfunk";

/// The codes that Linux has no key for, as far as X can count: programs that look at codes rather than at characters see no
/// key that they know, such as Escape.
const UNUSED: [u32; 7] = [84, 195, 196, 197, 198, 199, 240];

#[cfg(test)]
mod tests {
    use super::*;

    const LEFT_SHIFT: u16 = 42;
    const CAPS_LOCK: u16 = 58;
    const RIGHT_ALT: u16 = 100;
    const Q: u16 = 16;

    const SHIFT: u32 = 1;
    const LOCK: u32 = 2;
    const MOD5: u32 = 0x80;

    /// As the German one is, as far as these tests go.
    fn german() -> Layout {
        let text = "xkb_keymap {
            xkb_keycodes { <AD01> = 24; <LFSH> = 50; <CAPS> = 66; <RALT> = 108; };
            xkb_types { include \"complete\" };
            xkb_compat { include \"complete\" };
            xkb_symbols {
                key <AD01> { type = \"FOUR_LEVEL\", [ q, Q, at, Greek_OMEGA ] };
                key <LFSH> { [ Shift_L ] };
                key <CAPS> { [ Caps_Lock ] };
                key <RALT> { type = \"ONE_LEVEL\", [ ISO_Level3_Shift ] };
                modifier_map Shift { <LFSH> };
                modifier_map Lock { <CAPS> };
                modifier_map Mod5 { <RALT> };
            };
        };";
        Layout::new(text.as_bytes().to_vec()).unwrap()
    }

    fn modifiers(pressed: u32, locked: u32) -> Step {
        Step::Modifiers { pressed, latched: 0, locked, group: 0 }
    }

    fn key(code: u16, is_down: bool) -> Step {
        Step::Key { code: code.into(), is_down }
    }

    /// The compositor works out no modifiers of a virtual keyboard: without them there is no capital and no @.
    #[test]
    fn modifiers_are_told_behind_the_keys_that_make_them() {
        let mut layout = german();
        assert_eq!(layout.turn(LEFT_SHIFT, true), [key(LEFT_SHIFT, true), modifiers(SHIFT, 0)]);
        assert_eq!(layout.turn(Q, true), [key(Q, true)]);
        assert_eq!(layout.turn(Q, false), [key(Q, false)]);
        assert_eq!(layout.turn(LEFT_SHIFT, false), [key(LEFT_SHIFT, false), modifiers(0, 0)]);
        assert_eq!(layout.turn(RIGHT_ALT, true), [key(RIGHT_ALT, true), modifiers(MOD5, 0)]);
    }

    #[test]
    fn a_lock_holds_until_it_is_pressed_again() {
        let mut layout = german();
        let mut tap = || [layout.turn(CAPS_LOCK, true), layout.turn(CAPS_LOCK, false)].concat();
        assert_eq!(tap().last(), Some(&modifiers(0, LOCK)));
        assert_eq!(tap().last(), Some(&modifiers(0, 0)));
    }

    #[test]
    fn a_layout_knows_whether_it_is_held() {
        let mut layout = german();
        assert!(!layout.is_held());
        layout.turn(Q, true);
        layout.turn(LEFT_SHIFT, true);
        layout.turn(Q, false);
        assert!(layout.is_held());
        layout.turn(LEFT_SHIFT, false);
        assert!(!layout.is_held());
    }

    #[test]
    fn what_is_no_layout_is_none() {
        assert!(Layout::new(b"xkb_keymap { what? }".to_vec()).is_none());
        assert!(Layout::new(Vec::new()).is_none());
    }

    #[test]
    fn text_gets_a_key_for_each_character_as_far_as_they_go() {
        let text: Vec<char> = "Größe 漢漢😀".chars().collect();
        let (description, keys) = for_text(&text);
        assert_eq!(keys.iter().map(|(character, _)| character).collect::<String>(), "Größe 漢");
        assert!(is_for_text(description.as_bytes()));
        assert!(Layout::new(description.into_bytes()).is_some());
        assert!(!is_for_text(german().text()));
    }
}
