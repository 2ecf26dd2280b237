//! A window that is on the screen, and who draws it.

use std::{num::NonZeroU32, rc::Rc, time::Instant};

use pf_client::Failure;
use pf_media::picture::Size;
use tracing::{debug, warn};
use winit::{
    dpi::PhysicalSize,
    event_loop::ActiveEventLoop,
    window::{Fullscreen, Window, WindowAttributes},
};

use super::{
    canvas::Canvas,
    follow::Follow,
    gpu::{Gpu, Without},
    grab::Grab,
    no_window,
    software::Software,
};

/// A window that is on the screen.
pub(crate) struct Shown {
    /// What draws it, as long as it can; then the processor does.
    gpu: Option<Gpu>,
    /// There once it is needed.
    software: Option<Software>,
    window: Rc<Window>,
    /// In pixels of the screen. Kept, since asking for it is a question to the display server.
    size: Size,
    pub(super) follow: Follow,
    pub(super) grab: Grab,
}

/// Whether anything was drawn: a window that is put away has nothing to draw on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drawn {
    Yes,
    No,
}

impl Shown {
    /// Opens a window with these attributes, whose stream has the size `followed` at first. A GPU draws it where there is
    /// one.
    pub(crate) fn open(
        events: &ActiveEventLoop,
        attributes: WindowAttributes,
        followed: Size,
    ) -> Result<Self, Failure> {
        Self::open_with(events, attributes, followed, Gpu::open)
    }

    fn open_with(
        events: &ActiveEventLoop,
        attributes: WindowAttributes,
        followed: Size,
        gpu: impl FnOnce(&Rc<Window>) -> Result<Gpu, Without>,
    ) -> Result<Self, Failure> {
        let window = Rc::new(events.create_window(attributes).map_err(|error| no_window(&error))?);
        let gpu = match gpu(&window) {
            Ok(gpu) => {
                debug!(gpu = gpu.name(), "a GPU draws the window");
                Some(gpu)
            }
            Err(Without::Fault(fault)) => {
                warn!(%fault, "the processor draws the window, since the GPU cannot");
                None
            }
            Err(why) => {
                debug!(%why, "the processor draws the window");
                None
            }
        };
        let PhysicalSize { width, height } = window.inner_size();
        let (size, follow, grab) = (Size::new(width, height), Follow::new(followed), Grab::new(&window));
        Ok(Self { gpu, software: None, window, size, follow, grab })
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

    /// What draws it, for people to read.
    pub(super) fn drawn_by(&self) -> &str {
        self.gpu.as_ref().map_or("the processor", Gpu::name)
    }

    /// Draws the window, and hands it to the display server. A GPU that fails at that is not asked again: the processor
    /// paints the same once more.
    pub(crate) fn draw(&mut self, mut paint: impl FnMut(&mut dyn Canvas)) -> Result<Drawn, Failure> {
        let (Some(width), Some(height)) =
            (NonZeroU32::new(self.size.width), NonZeroU32::new(self.size.height))
        else {
            return Ok(Drawn::No);
        };
        if let Some(gpu) = &mut self.gpu {
            match gpu.draw((width, height), &mut paint) {
                Ok(()) => return Ok(Drawn::Yes),
                Err(fault) => {
                    warn!(%fault, "the processor draws the window from now on, since the GPU failed");
                    self.gpu = None;
                }
            }
        }
        let software = match &mut self.software {
            Some(software) => software,
            none => none.insert(Software::open(&self.window)?),
        };
        software.draw((width, height), &mut paint)?;
        Ok(Drawn::Yes)
    }
}

#[cfg(test)]
mod tests;
