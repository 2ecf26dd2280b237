//! Video sources: synthetic, x11, wayland, and a virtual X display per session.
//!
//! A [`Source`] hands out borrowed pictures in 32-bit `BGRx`, each at the moment at which there is something
//! new to see, hardly faster than the rate asked for. [`open`] makes one from a [`SourceConfig`]:
//!
//! - `synthetic` paints a moving picture with a [time code](pf_media::timecode); it needs nothing.
//! - `x11` mirrors a running X display, woken by its damage events.
//! - `wayland` mirrors an output of a running Wayland compositor.
//! - `virtual` starts an Xvfb of the session's own, runs a command in it, mirrors that, and follows the client's size.
//! - `auto` takes the first of `wayland`, `x11`, `virtual` and `synthetic` that this machine offers.
//!
//! A source belongs to one thread, which may block in it; a [`Stop`] handle ends it from any other.
//!
//! A program that opens virtual displays calls [`virtual_display::run_if_supervisor`] first thing in `main`:
//! the program itself, started anew, is what cleans up after a session however it ends.

mod choice;
mod error;
pub mod input;
mod mapping;
mod pace;
mod rows;
mod stop;
mod synthetic;
pub mod virtual_display;
mod wayland;
mod x11;

use std::num::NonZeroU32;
use std::time::Instant;

use pf_media::picture::{Bgrx, Size};

pub use choice::{Choice, SourceKind, UnknownSourceKind, choose};
pub use error::SourceError;
use input::Seat;
pub use rows::Rows;
pub use stop::Stop;
pub use synthetic::SyntheticSource;
pub use virtual_display::{SessionCommand, VirtualConfig, VirtualSource};
pub use wayland::{WaylandConfig, WaylandSource};
pub use x11::X11Source;

/// Something that makes pictures.
pub trait Source: Send {
    /// The size of the pictures to expect next.
    fn size(&self) -> Size;

    /// The keyboard and pointer of the desktop that it shows; `None` where it shows none.
    fn seat(&self) -> Option<Seat> {
        None
    }

    /// Waits for a new picture; `None` when there was none by `deadline`, and the last one still stands.
    ///
    /// A change of size shows as a picture of another size. After an error there are no more pictures.
    fn next_picture(&mut self, deadline: Instant) -> Result<Option<Picture<'_>>, SourceError>;

    /// Asks for pictures of another size, which is streamable, and at most `fps` of them a second from now on.
    ///
    /// The rate holds in any case. Pictures of another size may come a while later: what counts is the size of
    /// each. An error means that there are no more pictures.
    fn change(&mut self, size: Size, fps: NonZeroU32) -> Result<Sizing, SourceError>;
}

/// What a source does about a size that it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Sizing {
    /// Its pictures are going to have that size.
    Follows,
    /// Its pictures keep the size that they have: whoever wants another one scales them.
    Keeps,
}

/// A picture, borrowed from its source until the next one.
#[derive(Clone, Copy)]
pub struct Picture<'a> {
    /// The pixels, where the source keeps them: for `x11` in the memory that the X server wrote them to.
    pub pixels: Bgrx<'a>,
    /// When the source began to take the picture; nothing in it is older than the display was then.
    pub captured: Instant,
    /// Where this picture may differ from the one before it: every other row is the same to the bit.
    ///
    /// Who converts pictures into memory of its own need convert no others, when that memory holds the picture before
    /// this one. The first picture differs everywhere, and so does one of another size.
    pub changed: &'a Rows,
}

/// What to open.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// Which source.
    pub kind: SourceKind,
    /// The size wanted; a mirrored desktop keeps its own.
    pub size: Size,
    /// The most pictures a second.
    pub fps: NonZeroU32,
    /// The display that `x11` mirrors, such as `:0`; `None` for `$DISPLAY`.
    pub display: Option<String>,
    /// What `wayland` mirrors.
    pub wayland: WaylandConfig,
    /// What a virtual display consists of.
    pub virtual_display: VirtualConfig,
}

/// Opens the source that `config` names; `stop` ends it, also while it is being opened.
pub fn open(config: &SourceConfig, stop: &Stop) -> Result<Box<dyn Source>, SourceError> {
    if !config.size.is_streamable() {
        return Err(SourceError::UnstreamableSize { size: config.size });
    }
    match config.kind {
        SourceKind::Auto => {
            let choice = choose(config, stop);
            tracing::info!(source = %choice.kind, "{}", choice.why);
            open(&SourceConfig { kind: choice.kind, ..config.clone() }, stop)
        }
        SourceKind::Synthetic => Ok(Box::new(SyntheticSource::new(config.size, config.fps, stop))),
        SourceKind::X11 => Ok(Box::new(X11Source::open(config.display.as_deref(), config.fps, stop)?)),
        SourceKind::Wayland => {
            Ok(Box::new(WaylandSource::open(&config.wayland, config.size, config.fps, stop)?))
        }
        SourceKind::Virtual => {
            Ok(Box::new(VirtualSource::open(config.size, config.fps, &config.virtual_display, stop)?))
        }
    }
}
