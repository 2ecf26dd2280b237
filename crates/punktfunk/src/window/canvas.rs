//! What is painted on a window, whoever draws it: the processor ([`Software`](super::software::Software)) or a GPU
//! ([`Gpu`](super::gpu::Gpu)). Neither knows the other, and who paints knows neither.

use std::rc::Rc;

use egui::{ClippedPrimitive, TexturesDelta};

use super::{overlay::Layer, picture::Planes};

/// The pixels of a window, to be painted from the bottom up: a picture, a layer over it, pages over both.
pub(crate) trait Canvas {
    /// Paints a picture as large as its aspect lets it be, in the middle of black. `number` is another for each picture,
    /// so that one that is there already need not be brought again.
    fn picture(&mut self, picture: &Planes, number: u64);

    /// Lays a layer over what is painted, so far from the left and the top. What does not fit is cut off.
    fn layer(&mut self, layer: &Rc<Layer>, margin: u32);

    /// Whether pages were painted here before: if not, all of their textures are to come with the next.
    fn has_pages(&self) -> bool;

    /// Paints pages over what is there, as egui laid them out, with what changed in their textures.
    fn pages(&mut self, pages: &[ClippedPrimitive], textures: &TexturesDelta, pixels_per_point: f32);
}
