//! A window drawn by the processor, with `softbuffer`: what works everywhere.

use std::{num::NonZeroU32, rc::Rc};

use egui::{ClippedPrimitive, TexturesDelta};
use egui_software_backend::{BufferMutRef, ColorFieldOrder, EguiSoftwareRender};
use pf_client::Failure;
use pf_media::picture::Size;
use softbuffer::{Context, Surface};
use winit::window::Window;

use super::{canvas::Canvas, no_window, overlay::Layer, paint::Painter, picture::Planes};

/// Draws a window by the processor.
pub(super) struct Software {
    window: Rc<Window>,
    surface: Surface<Rc<Window>, Rc<Window>>,
    brushes: Brushes,
}

/// What paints, and remembers what it needs for that from one time to the next.
#[derive(Default)]
pub(super) struct Brushes {
    painter: Painter,
    /// There once pages were painted.
    pages: Option<EguiSoftwareRender>,
}

/// A canvas in memory, see [`Brushes::canvas`].
struct InMemory<'a> {
    pixels: &'a mut [u32],
    size: Size,
    brushes: &'a mut Brushes,
}

impl Software {
    /// Takes a window to draw.
    pub(super) fn open(window: &Rc<Window>) -> Result<Self, Failure> {
        let context = Context::new(Rc::clone(window)).map_err(|error| no_window(&error))?;
        let surface = Surface::new(&context, Rc::clone(window)).map_err(|error| no_window(&error))?;
        Ok(Self { window: Rc::clone(window), surface, brushes: Brushes::default() })
    }

    /// Draws the window, which has this size, and hands it to the display server.
    pub(super) fn draw(
        &mut self,
        (width, height): (NonZeroU32, NonZeroU32),
        paint: &mut dyn FnMut(&mut dyn Canvas),
    ) -> Result<(), Failure> {
        self.surface.resize(width, height).map_err(|error| no_window(&error))?;
        let mut pixels = self.surface.buffer_mut().map_err(|error| no_window(&error))?;
        let size = Size::new(width.get(), height.get());
        paint(&mut self.brushes.canvas(&mut pixels, size));
        self.window.pre_present_notify();
        pixels.present().map_err(|error| no_window(&error))
    }
}

impl Brushes {
    /// Pixels of 32 bits to paint on, of which the lower 24 are red, green and blue, row by row, without gaps.
    pub(super) fn canvas<'a>(&'a mut self, pixels: &'a mut [u32], size: Size) -> impl Canvas + 'a {
        InMemory { pixels, size, brushes: self }
    }
}

impl Canvas for InMemory<'_> {
    fn picture(&mut self, picture: &Planes, _: u64) {
        self.brushes.painter.paint(self.pixels, self.size, picture);
    }

    fn layer(&mut self, layer: &Rc<Layer>, margin: u32) {
        layer.lay_over(self.pixels, self.size, margin, margin);
    }

    fn has_pages(&self) -> bool {
        self.brushes.pages.is_some()
    }

    fn pages(&mut self, pages: &[ClippedPrimitive], textures: &TexturesDelta, pixels_per_point: f32) {
        let renderer = self.brushes.pages.get_or_insert_with(|| {
            EguiSoftwareRender::new(if cfg!(target_endian = "big") {
                BIG_ENDIAN
            } else {
                ColorFieldOrder::Bgra
            })
        });
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        let mut buffer = BufferMutRef::new(bytemuck::cast_slice_mut(self.pixels), width, height);
        renderer.render(&mut buffer, pages, textures, pixels_per_point);
    }
}

/// The order of a pixel's bytes where the first is the highest; none that the renderer knows, so red and blue are swapped.
const BIG_ENDIAN: ColorFieldOrder = ColorFieldOrder::Rgba;
