//! What a person wants the same at every start.

use pf_media::picture::Size;
use pf_proto::session::SoundWish;

/// What a person wants the same at every start. `docs/settings.md` is their reference, with the word of each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// `size`: how large pictures are to be.
    pub size: StreamSize,
    /// `fps`: the most pictures a second, 1 to 120; `None` leaves it to the host.
    pub fps: Option<u32>,
    /// `bitrate`: the most to receive, in megabits a second, 1 to 200; `None` leaves it to the host.
    pub bitrate: Option<u32>,
    /// `sound`: whether to play the host's sound in a window, and in frames of which length.
    pub sound: SoundWish,
    /// `full_screen`: whether a session opens over the whole screen.
    pub full_screen: bool,
    /// `grab_keyboard`: when the desktop's own keys, such as Alt+Tab, go to the host.
    pub grab_keyboard: GrabKeyboard,
    /// `overlay`: what is shown over the picture of how it comes.
    pub overlay: Level,
    /// `ui_scale`: how large the app's own pages are.
    pub ui_scale: UiScale,
}

/// How large pictures are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamSize {
    /// As the window is, as it changes.
    Window,
    /// This, whatever the window does.
    Fixed(Size),
}

/// When the keys that the desktop around the window keeps for itself, such as Alt+Tab, go to the host whose picture it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GrabKeyboard {
    /// While the picture fills the screen.
    #[default]
    FullScreen,
    /// In a window, too.
    Always,
    /// Never.
    Never,
}

/// How much the overlay shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Nothing.
    #[default]
    Off,
    /// Pictures and megabits a second, and the latency.
    Short,
    /// The latency by stage, losses, and what is shown, besides.
    Full,
}

impl Level {
    /// The one after this; after the last the first.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Off => Self::Short,
            Self::Short => Self::Full,
            Self::Full => Self::Off,
        }
    }
}

/// How large the app's own pages are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UiScale {
    /// As the display says.
    Auto,
    /// So many times: [`Self::LEAST`] to [`Self::MOST`], in hundredths.
    Times(f32),
}

impl UiScale {
    /// The smallest.
    pub const LEAST: f32 = 1.0;
    /// The largest.
    pub const MOST: f32 = 3.0;
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            size: StreamSize::Window,
            fps: None,
            bitrate: None,
            sound: SoundWish::Ms5,
            full_screen: false,
            grab_keyboard: GrabKeyboard::FullScreen,
            overlay: Level::Off,
            ui_scale: UiScale::Auto,
        }
    }
}
