//! Names that devices give themselves, made harmless where they come in.

use std::fmt;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// A name that a device gives itself: for people to read, never to decide by.
///
/// Whatever arrives is put through one sanitiser, [`DeviceName::sanitise`]: at most 64 bytes of NFC text without
/// control, format (bidirectional, zero-width), surrogate, private-use or unassigned characters, and without white
/// space at its ends or in runs. So it is safe in a terminal, a log, a page and a file, once escaped for it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceName(String);

impl DeviceName {
    /// The longest name, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 64;

    /// What a device is called that gave no name, or none of which anything was left.
    pub const UNNAMED: &'static str = "unnamed device";

    /// The longest run of combining marks that is kept on one letter; more climbs over its neighbours.
    const MAX_MARKS: usize = 4;

    /// The harmless form of whatever a peer, a file or a person gave as a name.
    pub fn sanitise(raw: &str) -> Self {
        let mut name = String::new();
        let mut gap = false;
        let mut marks = 0;
        // Nothing past this many characters can still fit, so a huge name costs no more than a long one.
        for c in raw.chars().take(4 * Self::MAX_BYTES).nfc() {
            if c.is_whitespace() {
                gap = !name.is_empty();
                continue;
            }
            if !is_kept(c) {
                continue;
            }
            marks = if is_combining_mark(c) { marks + 1 } else { 0 };
            if marks > Self::MAX_MARKS || (marks > 0 && (name.is_empty() || gap)) {
                continue;
            }
            if name.len() + usize::from(gap) + c.len_utf8() > Self::MAX_BYTES {
                break;
            }
            if gap {
                name.push(' ');
                gap = false;
            }
            name.push(c);
        }
        // Stripping may have joined characters that compose; compose once more.
        let name: String = name.nfc().collect();
        if name.is_empty() { Self(Self::UNNAMED.to_owned()) } else { Self(name) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a character may stand in a name.
fn is_kept(c: char) -> bool {
    !matches!(
        c.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::Surrogate
            | GeneralCategory::PrivateUse
            | GeneralCategory::Unassigned
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    ) && !is_invisible(c)
}

/// Characters that are letters or marks by category and still show nothing.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{034f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}')
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clean(raw: &str) -> String {
        DeviceName::sanitise(raw).to_string()
    }

    #[test]
    fn ordinary_names_are_kept() {
        for name in ["Steam Deck", "Ännchens Läptop", "居間のテレビ", "मेरा फ़ोन", "O'Brien's <PC> & co"]
        {
            assert_eq!(clean(name), name.nfc().collect::<String>());
        }
    }

    /// A terminal is repainted, a name reads backwards, or two names look the same.
    #[test]
    fn ansi_bidi_and_zero_width_are_stripped() {
        assert_eq!(clean("\u{1b}[31mred\u{1b}[0m\u{7}"), "[31mred[0m");
        assert_eq!(clean("lap\u{202e}pot\u{2066}\u{200f}"), "lappot");
        assert_eq!(clean("a\u{200b}b\u{200d}c\u{feff}d\u{3164}e"), "abcde");
        assert_eq!(clean("line\nbreak\ttab\r"), "line break tab");
    }

    #[test]
    fn an_empty_name_gets_a_placeholder() {
        for raw in ["", "   ", "\u{200b}", "\u{301}"] {
            assert_eq!(clean(raw), DeviceName::UNNAMED, "{raw:?}");
        }
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        assert_eq!(clean(&"ü".repeat(65_536)), "ü".repeat(32));
        assert_eq!(
            clean(&format!("e{}", "\u{301}".repeat(1000))).chars().count(),
            5,
            "one composed, four kept"
        );
    }

    proptest! {
        #[test]
        fn any_text_becomes_a_bounded_name_that_stays_as_it_is(raw in any::<String>()) {
            let name = DeviceName::sanitise(&raw);
            prop_assert!(name.as_str().len() <= DeviceName::MAX_BYTES, "{name:?}");
            prop_assert!(name.as_str().chars().all(|c| c == ' ' || is_kept(c)));
            let again = DeviceName::sanitise(name.as_str());
            prop_assert_eq!(again, name);
        }
    }
}
