//! A window that is on the screen, and what is drawn in it.

use std::{num::NonZeroU32, rc::Rc, time::Instant};

use pf_client::Failure;
use pf_media::picture::Size;
use softbuffer::{Context, Surface};
use winit::{
    dpi::PhysicalSize,
    event_loop::{ActiveEventLoop, OwnedDisplayHandle},
    window::{Fullscreen, Window},
};

use super::{
    Extent, Look, follow::Follow, no_window, overlay::Overlay, paint::Painter, paint::Place, picture::Planes,
    screen_size,
};

/// A window that is on the screen.
pub(super) struct Shown {
    window: Rc<Window>,
    surface: Surface<OwnedDisplayHandle, Rc<Window>>,
    /// In pixels of the screen. Kept, since asking for it is a question to the display server.
    size: Size,
    pub(super) follow: Follow,
    painter: Painter,
}

/// Whether anything was drawn: a window that is put away has nothing to draw on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drawn {
    Yes,
    No,
}

impl Shown {
    /// Opens a window for pictures of this size: as large as they are, or as the screen lets it be.
    pub(super) fn open(
        events: &ActiveEventLoop,
        context: &Context<OwnedDisplayHandle>,
        look: &Look,
        picture: Size,
    ) -> Result<Self, Failure> {
        let screen = screen_size(events);
        let size = Size::new(picture.width.min(screen.width), picture.height.min(screen.height));
        let attributes = Window::default_attributes()
            .with_title(title(look, false))
            .with_inner_size(PhysicalSize::new(size.width, size.height))
            .with_fullscreen((look.extent == Extent::FullScreen).then_some(Fullscreen::Borderless(None)));
        let window = Rc::new(events.create_window(attributes).map_err(|error| no_window(&error))?);
        let surface = Surface::new(context, Rc::clone(&window)).map_err(|error| no_window(&error))?;
        let PhysicalSize { width, height } = window.inner_size();
        let (size, follow) = (Size::new(width, height), Follow::new(size));
        Ok(Self { window, surface, size, follow, painter: Painter::new() })
    }

    /// The window has another size.
    pub(super) fn resized(&mut self, now: Instant, size: Size) {
        self.size = size;
        self.follow.resized(now, size);
    }

    /// Fills the screen, or stops that.
    pub(super) fn toggle_full_screen(&self) {
        let is_full = self.window.fullscreen().is_some();
        self.window.set_fullscreen((!is_full).then_some(Fullscreen::Borderless(None)));
    }

    pub(super) fn window(&self) -> &Window {
        &self.window
    }

    /// How large it is, in pixels of the screen.
    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// Says whose window it is, and how to get the pointer back where the host has it.
    pub(super) fn set_title(&self, look: &Look, is_pointer_given: bool) {
        self.window.set_title(&title(look, is_pointer_given));
    }

    /// How many pixels a point has.
    pub(super) fn scale(&self) -> f64 {
        self.window.scale_factor()
    }

    /// The size at which a picture is shown.
    pub(super) fn place(&self, picture: &Planes) -> Size {
        picture.view().map_or(self.size, |picture| Place::of(picture.size(), self.size).size)
    }

    /// Draws a picture and what lies over it, and hands it to the display server.
    pub(super) fn draw(&mut self, picture: &Planes, overlay: &Overlay) -> Result<Drawn, Failure> {
        let (Some(width), Some(height)) =
            (NonZeroU32::new(self.size.width), NonZeroU32::new(self.size.height))
        else {
            return Ok(Drawn::No);
        };
        self.surface.resize(width, height).map_err(|error| no_window(&error))?;
        let mut canvas = self.surface.buffer_mut().map_err(|error| no_window(&error))?;
        self.painter.paint(&mut canvas, self.size, picture);
        overlay.draw(&mut canvas, self.size, self.window.scale_factor());
        self.window.pre_present_notify();
        canvas.present().map_err(|error| no_window(&error))?;
        Ok(Drawn::Yes)
    }
}

fn title(look: &Look, is_pointer_given: bool) -> String {
    let Look { title, .. } = look;
    if is_pointer_given {
        format!("{title} – Ctrl+Alt+Shift+Z gives the pointer back – Punktfunk")
    } else {
        format!("{title} – Punktfunk")
    }
}
