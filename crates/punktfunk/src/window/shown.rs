//! A window that is on the screen, and its pixels.

use std::{num::NonZeroU32, rc::Rc, time::Instant};

use pf_client::Failure;
use pf_media::picture::Size;
use softbuffer::{Context, Surface};
use winit::{
    dpi::PhysicalSize,
    event_loop::{ActiveEventLoop, OwnedDisplayHandle},
    window::{Fullscreen, Window, WindowAttributes},
};

use super::{follow::Follow, grab::Grab, no_window};

/// A window that is on the screen.
pub(crate) struct Shown {
    window: Rc<Window>,
    surface: Surface<OwnedDisplayHandle, Rc<Window>>,
    /// In pixels of the screen. Kept, since asking for it is a question to the display server.
    size: Size,
    pub(super) follow: Follow,
    pub(super) grab: Grab,
}

/// The pixels of a window, of 32 bits, of which the lower 24 are red, green and blue.
pub(crate) struct Canvas<'a> {
    /// Row by row, without gaps.
    pub(crate) pixels: &'a mut [u32],
    pub(crate) size: Size,
    /// How many pixels a point has.
    pub(crate) scale: f64,
}

/// Whether anything was drawn: a window that is put away has nothing to draw on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drawn {
    Yes,
    No,
}

impl Shown {
    /// Opens a window with these attributes, whose stream has the size `followed` at first.
    pub(crate) fn open(
        events: &ActiveEventLoop,
        context: &Context<OwnedDisplayHandle>,
        attributes: WindowAttributes,
        followed: Size,
    ) -> Result<Self, Failure> {
        let window = Rc::new(events.create_window(attributes).map_err(|error| no_window(&error))?);
        let surface = Surface::new(context, Rc::clone(&window)).map_err(|error| no_window(&error))?;
        let PhysicalSize { width, height } = window.inner_size();
        let (size, follow, grab) = (Size::new(width, height), Follow::new(followed), Grab::new(&window));
        Ok(Self { window, surface, size, follow, grab })
    }

    /// The window has another size.
    pub(crate) fn resized(&mut self, now: Instant, size: Size) {
        self.size = size;
        self.follow.resized(now, size);
    }

    /// Fills the screen, or stops that.
    pub(crate) fn toggle_full_screen(&self) {
        let is_full = self.window.fullscreen().is_some();
        self.window.set_fullscreen((!is_full).then_some(Fullscreen::Borderless(None)));
    }

    /// Fills the screen.
    pub(crate) fn fill_screen(&self) {
        self.window.set_fullscreen(Some(Fullscreen::Borderless(None)));
    }

    /// This is the size that was asked of the host: another is asked for once the window has another.
    pub(crate) fn follow_from(&mut self, size: Size) {
        self.follow = Follow::new(size);
        self.follow.resized(Instant::now(), self.size);
    }

    /// Fills the screen no more.
    pub(crate) fn leave_full_screen(&self) {
        if self.window.fullscreen().is_some() {
            self.window.set_fullscreen(None);
        }
    }

    pub(crate) fn window(&self) -> &Window {
        &self.window
    }

    /// How large it is, in pixels of the screen.
    pub(crate) fn size(&self) -> Size {
        self.size
    }

    /// How many pixels a point has.
    pub(crate) fn scale(&self) -> f64 {
        self.window.scale_factor()
    }

    /// Draws the window, and hands it to the display server.
    pub(crate) fn draw(&mut self, paint: impl FnOnce(&mut Canvas<'_>)) -> Result<Drawn, Failure> {
        let (Some(width), Some(height)) =
            (NonZeroU32::new(self.size.width), NonZeroU32::new(self.size.height))
        else {
            return Ok(Drawn::No);
        };
        self.surface.resize(width, height).map_err(|error| no_window(&error))?;
        let mut pixels = self.surface.buffer_mut().map_err(|error| no_window(&error))?;
        paint(&mut Canvas { pixels: &mut pixels, size: self.size, scale: self.window.scale_factor() });
        self.window.pre_present_notify();
        pixels.present().map_err(|error| no_window(&error))?;
        Ok(Drawn::Yes)
    }
}
