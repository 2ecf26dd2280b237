//! A context of OpenGL without a window, for tests: Mesa's own renderer, on the processor.

use std::num::NonZeroU32;

use glutin::{
    api::egl::{
        context::PossiblyCurrentContext, device::Device as EglDevice, display::Display, surface::Surface,
    },
    config::ConfigSurfaceTypes,
    prelude::*,
    surface::{PbufferSurface, SurfaceAttributesBuilder},
};
use pf_media::picture::Size;

use super::{super::device::Device, ConfigTemplateBuilder, KINDS, create};

/// A context that draws on pixels of its own, and is current on its thread.
pub(in crate::window::gpu) struct OffScreen {
    context: PossiblyCurrentContext,
    _surface: Surface<PbufferSurface>,
}

/// How many kinds of OpenGL a context can be of.
pub(in crate::window::gpu) const KINDS_TO_TEST: usize = KINDS.len();

impl OffScreen {
    /// One of this kind, with room for a window of this size.
    pub(in crate::window::gpu) fn open(kind: usize, room: Size) -> (Self, Device) {
        let software = |device: &EglDevice| device.extensions().contains("EGL_MESA_device_software");
        let devices = EglDevice::query_devices().expect("EGL (Debian: libegl1)");
        let device = devices.into_iter().find(software).expect("Mesa's renderer (Debian: libgl1-mesa-dri)");
        // SAFETY: there is no display to be valid.
        let display = unsafe { Display::with_device(&device, None) }.unwrap();
        let template = ConfigTemplateBuilder::new().with_surface_type(ConfigSurfaceTypes::PBUFFER);
        let (config, context) = create(&display, &template, &KINDS[kind..=kind]).unwrap();
        let [width, height] = [room.width, room.height].map(|side| NonZeroU32::new(side).unwrap());
        let attributes = SurfaceAttributesBuilder::<PbufferSurface>::new().build(width, height);
        // SAFETY: there is no window to be valid.
        let surface = unsafe { display.create_pbuffer_surface(&config, &attributes) }.unwrap();
        let context = context.make_current(&surface).unwrap();
        // SAFETY: the context is current on this thread until the test ends, which drops it after the device.
        let device = unsafe { Device::new(|name| display.get_proc_address(name)) }.unwrap();
        (Self { context, _surface: surface }, device)
    }
}

impl Drop for OffScreen {
    fn drop(&mut self) {
        self.context.make_not_current_in_place().unwrap();
    }
}
