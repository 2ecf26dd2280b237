//! Text for an X display, whatever its layout has keys for.
//!
//! A character that the layout has on a key, alone or with Shift, is typed with that. Any other one is put on a key that
//! the layout leaves empty, for as long as it takes. Programs are told of the new layout before they get the key; but they
//! look it up when it is their turn, and a key that has another character by then types that one. So keys are used in
//! turn, and each only [`SETTLED`] after its last use.

use std::time::{Duration, Instant};

use pf_proto::input::Key;
use x11rb::connection::Connection as _;
use x11rb::errors::ReplyError;
use x11rb::protocol::xproto::{
    ConnectionExt as _, KEY_PRESS_EVENT, KEY_RELEASE_EVENT, KeyButMask, Keycode, Keysym,
};

use super::injector::keycode;
use super::link::{Link, LinkError};
use crate::SourceError;

/// Types text, and knows which keys have its characters.
#[derive(Debug, Default)]
pub(super) struct Typing {
    /// The keys that have a character of ours.
    borrowed: Vec<Borrowed>,
}

/// A key of the display that the layout leaves empty, with a character of ours.
#[derive(Clone, Copy, Debug)]
struct Borrowed {
    keycode: Keycode,
    keysym: Keysym,
    used: Instant,
}

/// What the keys type now.
struct Layout {
    first: Keycode,
    /// How many symbols each key has.
    width: usize,
    keysyms: Vec<Keysym>,
    /// Which half of a key's symbols counts.
    group: usize,
    /// Whether a modifier is held that changes what keys do; Caps Lock is opened for the text.
    is_modified: bool,
    is_caps_locked: bool,
}

/// How a character is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Plain(Keycode),
    Shifted(Keycode),
}

impl Typing {
    /// Types every character of `text` that an X display can have.
    pub(super) fn type_text(&mut self, link: &Link, text: &str) -> Result<(), SourceError> {
        let mut layout = Layout::read(link).map_err(|error| link.lost(error))?;
        self.claim(&mut layout);
        let caps_lock = layout.is_caps_locked.then(|| layout.key_of(CAPS_LOCK)).flatten();
        if let Some(keycode) = caps_lock {
            tap(link, keycode).map_err(|error| link.lost(error))?;
        }
        for character in text.chars() {
            self.type_character(link, &layout, character)?;
        }
        if let Some(keycode) = caps_lock {
            tap(link, keycode).map_err(|error| link.lost(error))?;
        }
        Ok(())
    }

    /// Empties the borrowed keys that still have a character of ours.
    pub(super) fn restore(&mut self, link: &Link) -> Result<(), LinkError> {
        if self.borrowed.is_empty() {
            return Ok(());
        }
        let mut layout = Layout::read(link)?;
        self.claim(&mut layout);
        for Borrowed { keycode, .. } in self.borrowed.drain(..) {
            link.connection.change_keyboard_mapping(1, keycode, 1, &[x11rb::NONE])?;
        }
        Ok(())
    }

    /// Takes the borrowed keys out of the layout, since what they type changes from one character to the next; those that
    /// were given something else meanwhile, as by another layout, are borrowed no more.
    fn claim(&mut self, layout: &mut Layout) {
        self.borrowed.retain(|borrowed| {
            let keysyms = layout.keysyms_of(borrowed.keycode);
            let is_ours = keysyms.contains(&borrowed.keysym);
            if is_ours {
                keysyms.fill(x11rb::NONE);
            }
            is_ours
        });
    }

    fn type_character(&mut self, link: &Link, layout: &Layout, character: char) -> Result<(), SourceError> {
        let keysym = keysym(character);
        let typed = match layout.way(keysym) {
            Some(Way::Plain(keycode)) => tap(link, keycode),
            Some(Way::Shifted(keycode)) => with_shift(link, keycode),
            None => {
                let Some(keycode) = self.borrow(link, layout, keysym)? else {
                    tracing::debug!("the X display has no key left for a character");
                    return Ok(());
                };
                tap(link, keycode)
            }
        };
        typed.map_err(|error| link.lost(error))
    }

    /// A key that has `keysym` now; `None` where the layout leaves none empty.
    fn borrow(
        &mut self,
        link: &Link,
        layout: &Layout,
        keysym: Keysym,
    ) -> Result<Option<Keycode>, SourceError> {
        if let Some(borrowed) = self.borrowed.iter_mut().find(|borrowed| borrowed.keysym == keysym) {
            borrowed.used = Instant::now();
            return Ok(Some(borrowed.keycode));
        }
        let unused = layout.empty_keys().find(|keycode| self.borrowed.iter().all(|b| b.keycode != *keycode));
        let keycode = if let Some(keycode) = unused {
            keycode
        } else {
            let oldest = self.borrowed.iter().enumerate().min_by_key(|(_, borrowed)| borrowed.used);
            let Some(oldest) = oldest.map(|(index, _)| index) else { return Ok(None) };
            let Borrowed { keycode, used, .. } = self.borrowed.swap_remove(oldest);
            if used.elapsed() < SETTLED {
                // What is typed so far must be seen, or nobody looks it up meanwhile.
                link.connection.flush().map_err(|error| link.lost(error))?;
                link.stop().sleep_until(used + SETTLED)?;
            }
            keycode
        };
        // On both levels, so that a Shift that is held makes no difference.
        let changed = link.connection.change_keyboard_mapping(1, keycode, 2, &[keysym, keysym]);
        changed.map_err(|error| link.lost(error))?;
        self.borrowed.push(Borrowed { keycode, keysym, used: Instant::now() });
        Ok(Some(keycode))
    }
}

impl Layout {
    fn read(link: &Link) -> Result<Self, ReplyError> {
        let setup = link.connection.setup();
        let (first, last) = (setup.min_keycode, setup.max_keycode);
        let count = last.saturating_sub(first).saturating_add(1);
        let mapping = link.connection.get_keyboard_mapping(first, count)?;
        let pointer = link.connection.query_pointer(link.screen().root)?;
        let (mapping, state) = (mapping.reply()?, u16::from(pointer.reply()?.mask));
        let masks = [
            KeyButMask::SHIFT,
            KeyButMask::CONTROL,
            KeyButMask::MOD1,
            KeyButMask::MOD3,
            KeyButMask::MOD4,
            KeyButMask::MOD5,
        ]
        .into_iter()
        .fold(0, |masks, mask| masks | u16::from(mask));
        Ok(Self {
            first,
            width: mapping.keysyms_per_keycode.into(),
            keysyms: mapping.keysyms,
            group: usize::from(state >> GROUP_SHIFT & 3),
            is_modified: state & masks != 0,
            is_caps_locked: state & u16::from(KeyButMask::LOCK) != 0,
        })
    }

    fn keys(&self) -> impl Iterator<Item = (Keycode, &[Keysym])> {
        (self.first..=Keycode::MAX).zip(self.keysyms.chunks_exact(self.width.max(1)))
    }

    /// What a key types; nothing where there is no such key.
    fn keysyms_of(&mut self, keycode: Keycode) -> &mut [Keysym] {
        let start = usize::from(keycode.saturating_sub(self.first)) * self.width;
        self.keysyms.get_mut(start..start + self.width).unwrap_or_default()
    }

    /// How a symbol is typed with what the layout has; `None` where that takes more than Shift.
    fn way(&self, keysym: Keysym) -> Option<Way> {
        // The core protocol tells the first two groups apart, and no more.
        if self.is_modified || self.group > 1 {
            return None;
        }
        let at_level = |level: usize| {
            self.keys().find(|(_, keysyms)| keysyms.get(self.group * 2 + level) == Some(&keysym))
        };
        let plain = at_level(0).map(|(keycode, _)| Way::Plain(keycode));
        plain.or_else(|| at_level(1).map(|(keycode, _)| Way::Shifted(keycode)))
    }

    fn key_of(&self, keysym: Keysym) -> Option<Keycode> {
        self.keys().find(|(_, keysyms)| keysyms.contains(&keysym)).map(|(keycode, _)| keycode)
    }

    /// The keys that type nothing, and that no client can name either.
    fn empty_keys(&self) -> impl Iterator<Item = Keycode> {
        let is_empty =
            |(_, keysyms): &(Keycode, &[Keysym])| keysyms.iter().all(|&keysym| keysym == x11rb::NONE);
        let named: Vec<Keycode> = (0x07_0004..=0x07_00E7)
            .chain(0x0C_0001..=0x0C_03FF)
            .filter_map(|usage| keycode(Key::from_usage(usage)?))
            .collect();
        // The first is used for mistakes by some programs, which press keycode 8 for what they do not know.
        self.keys()
            .skip(1)
            .filter(is_empty)
            .map(|(keycode, _)| keycode)
            .filter(move |key| !named.contains(key))
    }
}

/// Presses a key and lets go of it.
fn tap(link: &Link, keycode: Keycode) -> Result<(), LinkError> {
    link.fake(KEY_PRESS_EVENT, keycode)?;
    link.fake(KEY_RELEASE_EVENT, keycode)
}

fn with_shift(link: &Link, keycode: Keycode) -> Result<(), LinkError> {
    link.fake(KEY_PRESS_EVENT, LEFT_SHIFT)?;
    tap(link, keycode)?;
    link.fake(KEY_RELEASE_EVENT, LEFT_SHIFT)
}

/// The symbol of a character. Source: X Window System Protocol, appendix A.
fn keysym(character: char) -> Keysym {
    match u32::from(character) {
        latin @ (0x20..=0x7E | 0xA0..=0xFF) => latin,
        other => UNICODE | other,
    }
}

/// How long a program may take to look up what a key types: less, and a slow one sees the next character instead.
const SETTLED: Duration = Duration::from_millis(100);

/// Where the keyboard's group is in a state of keys and buttons. Source: XKB Protocol, "Computing a State Field".
const GROUP_SHIFT: u16 = 13;

const UNICODE: Keysym = 0x0100_0000;
const CAPS_LOCK: Keysym = 0xFFE5;

/// The left Shift, which is there in every layout.
const LEFT_SHIFT: Keycode = 50;

#[cfg(test)]
mod tests {
    use super::*;

    /// Three keys of a layout with two groups, such as Latin and Cyrillic, and two empty ones.
    fn layout() -> Layout {
        let keysyms = [
            [0, 0, 0, 0],
            [0x61, 0x41, 0x6C6, 0x6E6],
            [0x31, 0x21, 0x31, 0x21],
            [0xE4, 0xC4, 0xE4, 0xC4],
            [0, 0, 0, 0],
        ];
        let keysyms = keysyms.concat();
        Layout { first: 8, width: 4, keysyms, group: 0, is_modified: false, is_caps_locked: false }
    }

    #[test]
    fn what_the_layout_has_is_typed_with_it() {
        let layout = layout();
        assert_eq!(layout.way(keysym('a')), Some(Way::Plain(9)));
        assert_eq!(layout.way(keysym('!')), Some(Way::Shifted(10)));
        assert_eq!(layout.way(keysym('Ä')), Some(Way::Shifted(11)));
        assert_eq!(layout.way(keysym('€')), None);
    }

    #[test]
    fn a_symbol_of_the_other_group_is_not_on_its_key() {
        let layout = Layout { group: 1, ..layout() };
        assert_eq!(layout.way(keysym('a')), None);
        assert_eq!(layout.way(0x6C6), Some(Way::Plain(9)));
        assert_eq!(Layout { group: 2, ..layout }.way(keysym('1')), None);
    }

    /// With Control held, the key of `a` is no `a`.
    #[test]
    fn a_key_whose_modifiers_are_held_types_no_text() {
        assert_eq!(Layout { is_modified: true, ..layout() }.way(keysym('a')), None);
    }

    /// The layout as it is read still has the characters of the last text; or somebody has given it others since.
    #[test]
    fn borrowed_keys_are_no_part_of_the_layout_and_lost_ones_are_not_ours() {
        let borrowed = |keycode, keysym| Borrowed { keycode, keysym, used: Instant::now() };
        let mut typing = Typing { borrowed: vec![borrowed(11, 0xE4), borrowed(10, 0x0100_20AC)] };
        let mut layout = layout();
        typing.claim(&mut layout);
        assert_eq!(typing.borrowed.iter().map(|borrowed| borrowed.keycode).collect::<Vec<_>>(), [11]);
        assert_eq!((layout.way(0xE4), layout.way(0x31)), (None, Some(Way::Plain(10))));
    }

    /// A key that a client can press by its place must stay what it is.
    #[test]
    fn only_keys_that_nobody_can_press_are_borrowed() {
        // 12 is evdev's 4, which is the key of 3; 200 to 255 are mostly free.
        let layout = layout();
        assert_eq!(layout.empty_keys().collect::<Vec<_>>(), []);
        let free = Layout { first: 248, keysyms: vec![0; 16], ..layout };
        assert_eq!(free.empty_keys().collect::<Vec<_>>(), [249, 250, 251]);
    }

    #[test]
    fn latin_characters_are_their_own_symbols_and_others_are_unicode() {
        assert_eq!(
            [keysym('a'), keysym('ä'), keysym('€'), keysym('漢')],
            [0x61, 0xE4, 0x0100_20AC, 0x0100_6F22]
        );
    }
}
