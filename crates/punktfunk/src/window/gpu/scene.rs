//! What a GPU paints: a picture from its planes, a layer, egui's pages.

use std::rc::Rc;

use egui::{ClippedPrimitive, TexturesDelta};
use pf_media::picture::Size;

use super::{
    Fault,
    device::{Below, Device, Part, Program, Samples, Texture},
};
use crate::window::{canvas::Canvas, overlay::Layer, paint::Place, picture::Planes};

/// A window, or what takes its place, that is painted by OpenGL.
///
/// For each time [`begin`](Self::begin), paint, [`end`](Self::end). What is on the GPU already is not brought there again.
pub(super) struct Scene {
    device: Device,
    room: Size,
    picture: Program,
    planes: [Texture; 3],
    /// The picture that the planes have.
    number: Option<u64>,
    over: Program,
    layer: [Texture; 1],
    /// What the layer's texture has.
    laid: Option<Rc<Layer>>,
    /// There once pages were painted.
    pages: Option<egui_glow::Painter>,
    /// What went wrong since the beginning.
    fault: Option<Fault>,
}

impl Scene {
    /// An empty one.
    pub(super) fn new(device: Device) -> Result<Self, Fault> {
        let longest = device.longest_side();
        if longest < NEEDED_SIDE {
            return Err(Fault::new("the GPU is too small", &format!("pictures of up to {longest} pixels")));
        }
        let picture = device.program(include_str!("shaders/picture.frag"), &["luma", "blue", "red"])?;
        let over = device.program(include_str!("shaders/layer.frag"), &["layer"])?;
        let plane = || device.texture(Samples::One);
        let (planes, layer) = ([plane()?, plane()?, plane()?], [device.texture(Samples::RedGreenBlueAlpha)?]);
        Ok(Self {
            device,
            room: Size::new(0, 0),
            picture,
            planes,
            number: None,
            over,
            layer,
            laid: None,
            pages: None,
            fault: None,
        })
    }

    /// Begins to paint a window of this size. It is black.
    pub(super) fn begin(&mut self, room: Size) {
        self.room = room;
        self.device.blacken();
    }

    /// Everything is painted; whether that went well.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        self.fault.take().map_or(Ok(()), Err).and(self.device.check())
    }

    fn try_picture(&mut self, picture: &Planes, number: u64) -> Result<(), Fault> {
        let Some(view) = picture.view() else { return Ok(()) };
        if self.number != Some(number) {
            for (texture, (size, samples)) in self.planes.iter_mut().zip(picture.planes()) {
                self.device.fill(texture, size, samples)?;
            }
            self.number = Some(number);
        }
        let Place { left, top, size } = Place::of(view.size(), self.room);
        self.device.draw(&self.picture, self.part(left, top, size), &self.planes, Below::Replaced);
        Ok(())
    }

    fn try_layer(&mut self, layer: &Rc<Layer>, margin: u32) -> Result<(), Fault> {
        if !self.laid.as_ref().is_some_and(|laid| Rc::ptr_eq(laid, layer)) {
            let [texture] = &mut self.layer;
            self.device.fill(texture, layer.size(), &layer.bytes())?;
            self.laid = Some(Rc::clone(layer));
        }
        let part = self.part(margin, margin, layer.size());
        self.device.draw(&self.over, part, &self.layer, Below::SeenThrough);
        Ok(())
    }

    fn try_pages(
        &mut self,
        pages: &[ClippedPrimitive],
        textures: &TexturesDelta,
        pixels_per_point: f32,
    ) -> Result<(), Fault> {
        // What draws the pages asks OpenGL as well, and keeps the answer to itself.
        self.device.check()?;
        let painter = match &mut self.pages {
            Some(painter) => painter,
            none => none.insert(self.device.egui_painter()?),
        };
        let room = [self.room.width, self.room.height];
        painter.paint_and_update_textures(room, pixels_per_point, pages, textures);
        Ok(())
    }

    /// What is so far from the left and the top of the window, as OpenGL counts.
    fn part(&self, left: u32, top: u32, size: Size) -> Part {
        let below = |from_top: u32| self.room.height.cast_signed() - from_top.cast_signed();
        Part { left: left.cast_signed(), bottom: below(top + size.height), size }
    }

    /// Keeps the first thing that goes wrong.
    fn note(&mut self, result: Result<(), Fault>) {
        if let Err(fault) = result {
            self.fault.get_or_insert(fault);
        }
    }

    /// What was painted, as a canvas of the processor has it.
    #[cfg(test)]
    pub(super) fn read(&self) -> Vec<u32> {
        self.device.read(self.room)
    }
}

impl Canvas for Scene {
    fn picture(&mut self, picture: &Planes, number: u64) {
        let result = self.try_picture(picture, number);
        self.note(result);
    }

    fn layer(&mut self, layer: &Rc<Layer>, margin: u32) {
        let result = self.try_layer(layer, margin);
        self.note(result);
    }

    fn has_pages(&self) -> bool {
        self.pages.is_some()
    }

    fn pages(&mut self, pages: &[ClippedPrimitive], textures: &TexturesDelta, pixels_per_point: f32) {
        let result = self.try_pages(pages, textures, pixels_per_point);
        self.note(result);
    }
}

impl Drop for Scene {
    /// What draws the pages wants to be told; all else goes with the context.
    fn drop(&mut self) {
        if let Some(pages) = &mut self.pages {
            pages.destroy();
        }
    }
}

/// What a texture's side must be able to be: that of a picture that is streamed, and that of the letters of the pages.
const NEEDED_SIDE: u32 = Size::MAX_SIDE;
