//! The keys that the desktop around a window keeps for itself, such as Alt+Tab, for the host whose picture is in it.
//!
//! A [`Grab`] takes the keyboard from the desktop for as long as [`hold`] says. Keys then come to the window as all others
//! do, so that a chord still is one: nobody is locked in. Where the display server does not give the keyboard away, nothing
//! is taken, and the log says why.

mod hold;
#[cfg(target_os = "linux")]
mod wayland;
#[cfg(target_os = "linux")]
mod x11;

use std::{rc::Rc, time::Instant};

use pf_app::GrabKeyboard;
#[cfg(target_os = "linux")]
use winit::raw_window_handle::{HasDisplayHandle as _, RawDisplayHandle};
use winit::window::Window;

use hold::{Hold, Outcome, Standing, Step};

/// The keyboard of a window's desktop, which may be taken.
pub(super) struct Grab {
    window: Rc<Window>,
    hold: Hold,
    /// Asked for when the keyboard is first to be taken.
    server: Option<Server>,
}

impl Grab {
    /// That of a window; the desktop has it.
    pub(super) fn new(window: &Rc<Window>) -> Self {
        Self { window: Rc::clone(window), hold: Hold::default(), server: None }
    }

    /// Takes the keyboard or gives it back, as it is to be now. `is_for_host` says whether a session runs and its picture
    /// has the keyboard.
    pub(super) fn follow(&mut self, now: Instant, setting: GrabKeyboard, is_for_host: bool) {
        let standing = Standing {
            setting,
            is_for_host,
            has_focus: self.window.has_focus(),
            is_full_screen: self.window.fullscreen().is_some(),
        };
        let Some(step) = self.hold.step(now, standing.wants_keyboard()) else { return };
        let server = self.server.get_or_insert_with(|| Server::of(&self.window));
        match step {
            Step::Take => self.hold.took(now, server.take()),
            Step::Release => server.release(),
        }
    }

    /// Gives the keyboard back, until [`follow`](Self::follow) takes it again.
    pub(super) fn give_back(&mut self, now: Instant) {
        if let (Some(Step::Release), Some(server)) = (self.hold.step(now, false), &mut self.server) {
            server.release();
        }
    }

    /// Whether all keys come to the window now.
    pub(super) fn is_held(&mut self) -> bool {
        self.hold.is_held() && self.server.as_mut().is_some_and(Server::gives_all_keys)
    }

    /// When to call [`follow`](Self::follow) at the latest, if ever.
    pub(super) fn due(&self) -> Option<Instant> {
        self.hold.due()
    }
}

/// The display server, as far as it gives its keyboard away.
enum Server {
    #[cfg(target_os = "linux")]
    X11(x11::Keyboard),
    #[cfg(target_os = "linux")]
    Wayland(wayland::Keyboard),
    /// It does not.
    Unwilling,
}

impl Server {
    /// That of a window.
    #[cfg(target_os = "linux")]
    fn of(window: &Rc<Window>) -> Self {
        let opened = match window.display_handle().map(|handle| handle.as_raw()) {
            Ok(RawDisplayHandle::Xlib(_)) => x11::Keyboard::open(window).map(Self::X11),
            Ok(RawDisplayHandle::Wayland(_)) => wayland::Keyboard::open(window).map(Self::Wayland),
            Ok(other) => Err(format!("{other:?} is no display server that is known here").into()),
            Err(error) => Err(error.into()),
        };
        opened.unwrap_or_else(|error| {
            tracing::warn!(%error, "the desktop keeps its keys, such as Alt+Tab, for itself");
            Self::Unwilling
        })
    }

    /// That of a window, of which nothing is known here.
    #[cfg(not(target_os = "linux"))]
    fn of(_: &Rc<Window>) -> Self {
        Self::Unwilling
    }

    fn take(&mut self) -> Outcome {
        match self {
            #[cfg(target_os = "linux")]
            Self::X11(keyboard) => keyboard.take().unwrap_or_else(|error| refused(&error)),
            #[cfg(target_os = "linux")]
            Self::Wayland(keyboard) => keyboard.take().unwrap_or_else(|error| refused(&error)),
            Self::Unwilling => Outcome::Refused,
        }
    }

    fn release(&mut self) {
        match self {
            #[cfg(target_os = "linux")]
            Self::X11(keyboard) => keyboard.release(),
            #[cfg(target_os = "linux")]
            Self::Wayland(keyboard) => keyboard.release(),
            Self::Unwilling => {}
        }
    }

    /// Whether the window gets all keys once the keyboard was taken.
    fn gives_all_keys(&mut self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Self::X11(_) => true,
            #[cfg(target_os = "linux")]
            Self::Wayland(keyboard) => keyboard.is_active(),
            Self::Unwilling => false,
        }
    }
}

#[cfg(target_os = "linux")]
fn refused(error: &impl ToString) -> Outcome {
    tracing::warn!(error = error.to_string(), "the desktop did not give its keyboard away");
    Outcome::Refused
}

/// Why a display server gives no keyboard away.
#[cfg(target_os = "linux")]
type Unwilling = Box<dyn std::error::Error>;
