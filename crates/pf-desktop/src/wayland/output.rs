//! Outputs: the screens of a compositor, real or not.

use pf_media::picture::Size;
use wayland_client::protocol::wl_output::{self, Transform, WlOutput};
use wayland_client::{Connection, Dispatch, Proxy as _, QueueHandle, WEnum};

use super::link::Desk;

/// A screen.
#[derive(Debug)]
pub(super) struct Output {
    /// The number by which the compositor will say that it is gone.
    pub(super) global: u32,
    pub(super) proxy: WlOutput,
    /// Such as `DP-1`; empty where the compositor is too old to tell.
    pub(super) name: String,
    /// In its own pixels, as they lie in its memory.
    mode: Size,
    /// How the picture was turned for it.
    pub(super) transform: Transform,
}

impl Output {
    pub(super) const INTERFACE: &str = "wl_output";

    /// The newest version that this understands, which has names.
    pub(super) const VERSION: u32 = 4;

    pub(super) fn new(global: u32, proxy: WlOutput) -> Self {
        Self { global, proxy, name: String::new(), mode: Size::new(0, 0), transform: Transform::Normal }
    }

    /// The size of what it shows, for whoever looks at it.
    pub(super) fn size(&self) -> Size {
        if is_on_its_side(self.transform) { Size::new(self.mode.height, self.mode.width) } else { self.mode }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.proxy.version() >= wl_output::REQ_RELEASE_SINCE {
            self.proxy.release();
        }
    }
}

/// Whether a name is that of an output that nobody sits before.
///
/// All compositors on wlroots, and Hyprland, name their outputs into nothing so.
pub(super) fn is_headless(name: &str) -> bool {
    name.starts_with("HEADLESS-")
}

/// Whether what is turned like this swaps width and height.
pub(super) fn is_on_its_side(transform: Transform) -> bool {
    matches!(transform, Transform::_90 | Transform::_270 | Transform::Flipped90 | Transform::Flipped270)
}

impl<T: 'static> Dispatch<WlOutput, u32> for Desk<T> {
    fn event(
        desk: &mut Self,
        _: &WlOutput,
        event: wl_output::Event,
        global: &u32,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        let Some(output) = desk.outputs.iter_mut().find(|output| output.global == *global) else { return };
        match event {
            wl_output::Event::Name { name } => output.name = name,
            wl_output::Event::Geometry { transform: WEnum::Value(transform), .. } => {
                output.transform = transform;
            }
            wl_output::Event::Mode { flags: WEnum::Value(flags), width, height, .. }
                if flags.contains(wl_output::Mode::Current) =>
            {
                output.mode = Size::new(width.unsigned_abs(), height.unsigned_abs());
            }
            _ => {}
        }
    }
}
