//! The keys of `settings.toml`: how each is read and written.

use std::ops::RangeInclusive;

use pf_app::{GrabKeyboard, Level, Settings, StreamSize, UiScale};
use pf_media::picture::Size;
use pf_proto::session::SoundWish;
use toml_edit::Value;

/// One key.
pub(super) struct Key {
    /// How it is written.
    pub(super) name: &'static str,
    /// Takes a value in, or says what it can be.
    pub(super) read: fn(&mut Settings, &Value) -> Result<(), &'static str>,
    /// The value that it has; `None` where it is left to the host.
    pub(super) write: fn(&Settings) -> Option<Value>,
}

impl Key {
    /// Whether it has the same value in both.
    pub(super) fn is_same(&self, one: &Settings, other: &Settings) -> bool {
        let text = |settings| (self.write)(settings).map(|value| value.to_string());
        text(one) == text(other)
    }
}

/// All keys, in the order in which they are written.
pub(super) const KEYS: [Key; 8] = [
    Key {
        name: "size",
        read: |settings, value| {
            settings.size = value.as_str().and_then(size).ok_or("\"window\", or such as \"1280x720\"")?;
            Ok(())
        },
        write: |settings| {
            Some(match settings.size {
                StreamSize::Window => "window".into(),
                StreamSize::Fixed(size) => size.to_string().into(),
            })
        },
    },
    Key {
        name: "fps",
        read: |settings, value| {
            settings.fps = Some(whole(value, 1..=120).ok_or("a whole number from 1 to 120")?);
            Ok(())
        },
        write: |settings| settings.fps.map(|fps| i64::from(fps).into()),
    },
    Key {
        name: "bitrate",
        read: |settings, value| {
            settings.bitrate = Some(whole(value, 1..=200).ok_or("a whole number from 1 to 200")?);
            Ok(())
        },
        write: |settings| settings.bitrate.map(|bitrate| i64::from(bitrate).into()),
    },
    Key {
        name: "sound",
        read: |settings, value| {
            settings.sound = value.as_str().and_then(sound).ok_or("\"on\", \"off\" or \"10ms\"")?;
            Ok(())
        },
        write: |settings| Some(sound_word(settings.sound).into()),
    },
    Key {
        name: "full_screen",
        read: |settings, value| {
            settings.full_screen = value.as_bool().ok_or("true or false")?;
            Ok(())
        },
        write: |settings| Some(settings.full_screen.into()),
    },
    Key {
        name: "grab_keyboard",
        read: |settings, value| {
            let grab = value.as_str().and_then(grab_keyboard);
            settings.grab_keyboard = grab.ok_or("\"full_screen\", \"always\" or \"never\"")?;
            Ok(())
        },
        write: |settings| Some(grab_word(settings.grab_keyboard).into()),
    },
    Key {
        name: "overlay",
        read: |settings, value| {
            settings.overlay = value.as_str().and_then(level).ok_or("\"off\", \"short\" or \"full\"")?;
            Ok(())
        },
        write: |settings| Some(level_word(settings.overlay).into()),
    },
    Key {
        name: "ui_scale",
        read: |settings, value| {
            settings.ui_scale = scale(value).ok_or("\"auto\", or a number from 1.0 to 3.0")?;
            Ok(())
        },
        write: |settings| {
            Some(match settings.ui_scale {
                UiScale::Auto => "auto".into(),
                // As a person writes it: 1.3 as an f32 would be 1.2999999523162842.
                UiScale::Times(times) => ((f64::from(times) * 100.0).round() / 100.0).into(),
            })
        },
    },
];

/// The size that a text means: `window`, or like `1280x720`.
pub(crate) fn size(text: &str) -> Option<StreamSize> {
    if text == "window" {
        return Some(StreamSize::Window);
    }
    let (width, height) = text.split_once('x')?;
    let size = Size::new(width.parse().ok()?, height.parse().ok()?);
    size.is_streamable().then_some(StreamSize::Fixed(size))
}

fn whole(value: &Value, range: RangeInclusive<u32>) -> Option<u32> {
    let number = u32::try_from(value.as_integer()?).ok()?;
    range.contains(&number).then_some(number)
}

/// What a word means for the sound: `on`, `off` or `10ms`.
pub(crate) fn sound(word: &str) -> Option<SoundWish> {
    [SoundWish::Ms5, SoundWish::Silent, SoundWish::Ms10].into_iter().find(|sound| sound_word(*sound) == word)
}

fn sound_word(sound: SoundWish) -> &'static str {
    match sound {
        SoundWish::Ms5 => "on",
        SoundWish::Silent => "off",
        SoundWish::Ms10 => "10ms",
    }
}

/// What a word means for the desktop's own keys: `full_screen`, `always` or `never`.
pub(crate) fn grab_keyboard(word: &str) -> Option<GrabKeyboard> {
    let all = [GrabKeyboard::FullScreen, GrabKeyboard::Always, GrabKeyboard::Never];
    all.into_iter().find(|grab| grab_word(*grab) == word)
}

fn grab_word(grab: GrabKeyboard) -> &'static str {
    match grab {
        GrabKeyboard::FullScreen => "full_screen",
        GrabKeyboard::Always => "always",
        GrabKeyboard::Never => "never",
    }
}

/// How much of an overlay a word means: `off`, `short` or `full`.
pub(crate) fn level(word: &str) -> Option<Level> {
    [Level::Off, Level::Short, Level::Full].into_iter().find(|level| level_word(*level) == word)
}

fn level_word(level: Level) -> &'static str {
    match level {
        Level::Off => "off",
        Level::Short => "short",
        Level::Full => "full",
    }
}

fn scale(value: &Value) -> Option<UiScale> {
    if value.as_str() == Some("auto") {
        return Some(UiScale::Auto);
    }
    let times = value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64))? as f32;
    (UiScale::LEAST..=UiScale::MOST).contains(&times).then_some(UiScale::Times(times))
}
