//! A window drawn by a GPU, with OpenGL: the window of [`context`], on which [`scene`] paints by way of [`device`].
//!
//! Only hardware counts. Where OpenGL is worked out by the processor, the processor is faster without: what is made for
//! that is refused by its name ([`renderer`]). Whoever opens a window goes on without a GPU on any [`Without`], and on any
//! [`Fault`] later.

mod context;
mod device;
pub(super) mod renderer;
mod scene;

use std::{fs, num::NonZeroU32, path::Path, rc::Rc};

use pf_media::picture::Size;
use winit::window::Window;

use self::{context::OnWindow, scene::Scene};
use super::canvas::Canvas;

/// Draws a window by a GPU.
pub(super) struct Gpu {
    /// Goes before what it was made in.
    scene: Scene,
    context: OnWindow,
    name: String,
}

/// Why no GPU draws a window.
#[derive(Debug, thiserror::Error)]
pub(super) enum Without {
    /// There is none, or none that its driver lets programs use.
    #[error("there is no GPU")]
    Absent,
    /// OpenGL is not the work of hardware.
    #[error("OpenGL is worked out by the processor ({0})")]
    Software(String),
    /// There is one, and it cannot be used.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What went wrong with a GPU.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {why}")]
pub(super) struct Fault {
    what: &'static str,
    why: String,
}

impl Gpu {
    /// Has the GPU draw a window, where there is one.
    pub(super) fn open(window: &Rc<Window>) -> Result<Self, Without> {
        Self::open_on(window, Path::new(DEVICES), renderer::is_hardware)
    }

    /// Looks for a GPU among these devices, and takes it if the name of its renderer is `accepted`. Without a device
    /// nothing of OpenGL is loaded, which would take time at every start.
    pub(super) fn open_on(
        window: &Rc<Window>,
        devices: &Path,
        accepted: impl FnOnce(&str) -> bool,
    ) -> Result<Self, Without> {
        if !has_render_node(devices) {
            return Err(Without::Absent);
        }
        let (context, device) = OnWindow::open(window)?;
        let name = device.renderer();
        if !accepted(&name) {
            return Err(Without::Software(name));
        }
        let scene = Scene::new(device)?;
        Ok(Self { scene, context, name })
    }

    /// Its renderer, as its driver calls it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Draws the window, which has this size, and hands it to the display server at once, whatever its screen is doing.
    pub(super) fn draw(
        &mut self,
        (width, height): (NonZeroU32, NonZeroU32),
        paint: &mut dyn FnMut(&mut dyn Canvas),
    ) -> Result<(), Fault> {
        self.context.resize(width, height);
        self.scene.begin(Size::new(width.get(), height.get()));
        paint(&mut self.scene);
        self.scene.end()?;
        self.context.swap()
    }
}

impl Fault {
    fn new(what: &'static str, why: &impl ToString) -> Self {
        Self { what, why: why.to_string() }
    }
}

/// Whether programs may use a GPU here: each one has a device for that.
fn has_render_node(devices: &Path) -> bool {
    let Ok(entries) = fs::read_dir(devices) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("renderD"))
}

/// Where the kernel puts its GPUs' devices.
const DEVICES: &str = "/dev/dri";

#[cfg(test)]
mod tests;
