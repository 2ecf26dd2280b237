//! What a person does at the client, done to a desktop: keys, text, pointer, wheels and gamepads.
//!
//! A [`Source`](crate::Source) that shows a desktop names its [`Seat`]: the keyboard and pointer that move what is seen.
//! Each session takes the seat for itself and gets an [`Injector`], which does one thing at a time and knows nothing of
//! sessions. Above it stand the [`Hands`] of the session: they know what is held down, which states are old, and let go of
//! everything at the end.
//!
//! Keys go by their place on the keyboard, so that the desktop's own layout decides what they type: [`evdev_code`] is the
//! table that X11 and Wayland share. [`Gamepads`] are devices of the machine, beside every display.

mod gamepad;
mod hands;
mod keys;
mod notches;
mod uinput;

use std::{fmt, sync::Arc};

use pf_proto::input::{Button, Key, Position};

use crate::{SourceError, Stop};

pub use gamepad::Gamepads;
pub use hands::Hands;
pub use keys::evdev_code;
pub use notches::{NOTCH, Notches};
pub use uinput::{NoGamepads, Uinput};

/// The keyboard and pointer of one desktop, for one session.
///
/// An injector holds nothing down by itself and remembers no state but what its display needs: its caller says every press
/// and every release. What is done becomes certain with [`flush`](Self::flush). After an error it does nothing more.
pub trait Injector: Send {
    /// A key goes down or up. One that the desktop cannot have does nothing.
    fn key(&mut self, key: Key, pressed: bool) -> Result<(), SourceError>;

    /// Types text, whatever the layout has keys for. A character that the desktop cannot take is left out.
    fn text(&mut self, text: &str) -> Result<(), SourceError>;

    /// Moves the pointer by so many pixels to the right and down.
    fn move_by(&mut self, dx: i32, dy: i32) -> Result<(), SourceError>;

    /// Moves the pointer to a place in the picture.
    fn move_to(&mut self, position: Position) -> Result<(), SourceError>;

    /// A button of the pointer goes down or up.
    fn button(&mut self, button: Button, pressed: bool) -> Result<(), SourceError>;

    /// Turns the wheels to the right and down, in 120ths of a notch. What the display cannot take yet is kept for the next
    /// turn.
    fn scroll(&mut self, x: i32, y: i32) -> Result<(), SourceError>;

    /// Has everything so far take place now.
    fn flush(&mut self) -> Result<(), SourceError>;
}

/// Where the keyboard and pointer of a desktop are to be had. Clones name the same ones.
#[derive(Clone)]
pub struct Seat(Arc<Take>);

type Take = dyn Fn(&Stop) -> Result<Box<dyn Injector>, SourceError> + Send + Sync;

impl Seat {
    /// The seat that `take` opens.
    pub fn new(
        take: impl Fn(&Stop) -> Result<Box<dyn Injector>, SourceError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(take))
    }

    /// Takes the seat. `stop` ends every wait of the injector, also this one; what is held down then stays so.
    ///
    /// Give it a handle of its own and not that of the source, which is used up when there is still something to let go of.
    pub fn take(&self, stop: &Stop) -> Result<Box<dyn Injector>, SourceError> {
        (self.0)(stop)
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").finish_non_exhaustive()
    }
}
