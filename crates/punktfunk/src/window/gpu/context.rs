//! A context of OpenGL on a window, by EGL: on X11 and on Wayland.
//!
//! libEGL is loaded when the first is opened, and not before.

#![expect(unsafe_code, reason = "that a window's handles are valid is said by nobody but who has the window")]

use std::{ffi::CStr, num::NonZeroU32, rc::Rc};

use glutin::{
    api::egl::{
        config::Config,
        context::{NotCurrentContext, PossiblyCurrentContext},
        display::Display,
        surface::Surface,
    },
    config::{Api, ConfigTemplateBuilder},
    context::{ContextApi, ContextAttributesBuilder, GlProfile, Robustness, Version},
    prelude::*,
    surface::{SurfaceAttributesBuilder, SwapInterval, WindowSurface},
};
use winit::{
    raw_window_handle::{HasDisplayHandle as _, HasWindowHandle as _, RawWindowHandle},
    window::Window,
};

use super::{Fault, device::Device};

/// A context that draws on a window, and is current on its thread.
pub(super) struct OnWindow {
    context: PossiblyCurrentContext,
    /// Goes before its window.
    surface: Surface<WindowSurface>,
    window: Rc<Window>,
}

impl OnWindow {
    /// Opens one on a window, whose frames wait for no screen.
    pub(super) fn open(window: &Rc<Window>) -> Result<(Self, Device), Fault> {
        let display = window.display_handle().map_err(|error| Fault::new(DISPLAY, &error))?.as_raw();
        let handle = window.window_handle().map_err(|error| Fault::new(WINDOW, &error))?.as_raw();
        if matches!(handle, RawWindowHandle::Wayland(_)) && !wayland_sys::egl::is_lib_available() {
            return Err(Fault::new(WINDOW, &"there is no libwayland-egl"));
        }
        // SAFETY: the display is the window's, which is open as long as there are windows.
        let display = unsafe { Display::new(display) }.map_err(|error| Fault::new(DISPLAY, &error))?;
        let template = ConfigTemplateBuilder::new().compatible_with_native_window(handle);
        let (config, context) = create(&display, &template, &KINDS)?;

        let size = window.inner_size();
        let [width, height] =
            [size.width, size.height].map(|side| NonZeroU32::new(side).unwrap_or(NonZeroU32::MIN));
        let attributes = SurfaceAttributesBuilder::<WindowSurface>::new().build(handle, width, height);
        // SAFETY: the handle is the window's, which lives longer than the surface: `OnWindow` holds it.
        let surface = unsafe { display.create_window_surface(&config, &attributes) }
            .map_err(|error| Fault::new(WINDOW, &error))?;
        let context = context.make_current(&surface).map_err(|error| Fault::new(CONTEXT, &error))?;
        let opened = Self { context, surface, window: Rc::clone(window) };
        // Else each picture waits for the one before it to be seen, and for ever in a window that is not.
        opened
            .surface
            .set_swap_interval(&opened.context, SwapInterval::DontWait)
            .map_err(|error| Fault::new("its frames would wait for the screen", &error))?;
        // SAFETY: the context is current on this thread, is one of `KINDS`, and these are its functions. It stays current
        // until `OnWindow` is dropped, whose owner drops the device first.
        let device = unsafe { Device::new(|name: &CStr| display.get_proc_address(name)) }?;
        Ok((opened, device))
    }

    /// The window has this size. Where a display server tells EGL by itself, nothing is done.
    pub(super) fn resize(&self, width: NonZeroU32, height: NonZeroU32) {
        self.surface.resize(&self.context, width, height);
    }

    /// Shows what was drawn.
    pub(super) fn swap(&self) -> Result<(), Fault> {
        self.window.pre_present_notify();
        self.surface
            .swap_buffers(&self.context)
            .map_err(|error| Fault::new("a frame cannot be shown", &error))
    }
}

impl Drop for OnWindow {
    /// What is current outlives who drops it.
    fn drop(&mut self) {
        // One that was lost is not current any more.
        let _ = self.context.make_not_current_in_place();
    }
}

/// A kind of OpenGL.
struct Kind {
    api: Api,
    context: ContextApi,
}

/// Creates a context of the first kind that there is, and what its surface is to be like. After a reset of the GPU it is to
/// be lost, which can be seen, if that can be had: a driver may end the whole program otherwise.
fn create(
    display: &Display,
    template: &ConfigTemplateBuilder,
    kinds: &[Kind],
) -> Result<(Config, NotCurrentContext), Fault> {
    let mut fault = Fault::new(CONTEXT, &"there is none for this window");
    for robustness in [Robustness::RobustLoseContextOnReset, Robustness::NotRobust] {
        for Kind { api, context } in kinds {
            let template = template.clone().with_api(*api);
            let template = template.with_alpha_size(0).with_depth_size(0).with_stencil_size(0).build();
            // SAFETY: the window whose visual is asked for, if any, is there.
            let configs = unsafe { display.find_configs(template) };
            // The window is opaque, so that the least alpha will do.
            let Ok(Some(config)) = configs.map(|all| all.min_by_key(GlConfig::alpha_size)) else { continue };
            let attributes = ContextAttributesBuilder::new()
                .with_context_api(*context)
                .with_profile(GlProfile::Core)
                .with_robustness(robustness)
                .build(None);
            // SAFETY: a context of EGL needs no window.
            match unsafe { display.create_context(&config, &attributes) } {
                Ok(context) => return Ok((config, context)),
                Err(error) => fault = Fault::new(CONTEXT, &error),
            }
        }
    }
    Err(fault)
}

/// What is taken, the better known first. Small computers have the second alone.
const KINDS: [Kind; 2] = [
    Kind { api: Api::OPENGL, context: ContextApi::OpenGl(Some(Version::new(3, 3))) },
    Kind { api: Api::GLES3, context: ContextApi::Gles(Some(Version::new(3, 0))) },
];

const DISPLAY: &str = "the display has no OpenGL";
const WINDOW: &str = "the window has no OpenGL";
const CONTEXT: &str = "there is no context of OpenGL";

#[cfg(test)]
pub(super) mod off_screen;
