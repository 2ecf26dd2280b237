//! Pictures by `wlr-screencopy`, which compositors on wlroots and Hyprland have.

use std::time::Duration;

use pf_media::picture::Size;
use wayland_client::protocol::wl_output::WlOutput;
use wayland_client::{Connection, Dispatch, QueueHandle, WEnum, delegate_noop};
use wayland_protocols_wlr::screencopy::v1::client::zwlr_screencopy_frame_v1::{
    self as frame, ZwlrScreencopyFrameV1,
};
use wayland_protocols_wlr::screencopy::v1::client::zwlr_screencopy_manager_v1::ZwlrScreencopyManagerV1;

use super::buffer::Buffer;
use super::camera::{Camera, Outcome, When, wanted};
use super::link::{Desk, Link};
use crate::SourceError;

/// Takes pictures of one output.
pub(super) struct Screencopy {
    manager: ZwlrScreencopyManagerV1,
    output: WlOutput,
    frame: Option<ZwlrScreencopyFrameV1>,
}

impl Screencopy {
    /// What takes pictures; version 3 says when it has named all the buffers that it takes.
    pub(super) fn manager(link: &Link<Camera>) -> Result<ZwlrScreencopyManagerV1, SourceError> {
        link.bind(3..=3)
    }

    pub(super) fn new(manager: ZwlrScreencopyManagerV1, output: WlOutput) -> Self {
        Self { manager, output, frame: None }
    }

    pub(super) fn ask(&mut self, camera: &mut Camera, handle: &QueueHandle<Desk<Camera>>) {
        camera.wanted = None;
        let frame = self.manager.capture_output(WITH_POINTER, &self.output, handle, camera.begin());
        if let Some(previous) = self.frame.replace(frame) {
            previous.destroy();
        }
    }

    pub(super) fn shoot(&mut self, buffer: &Buffer, when: When) {
        match (&self.frame, when) {
            (Some(frame), When::Now) => frame.copy(&buffer.proxy),
            (Some(frame), When::Changed) => frame.copy_with_damage(&buffer.proxy),
            (None, _) => {}
        }
    }
}

impl Dispatch<ZwlrScreencopyFrameV1, u32> for Desk<Camera> {
    fn event(
        desk: &mut Self,
        _: &ZwlrScreencopyFrameV1,
        event: frame::Event,
        number: &u32,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        let Some(camera) = desk.own.picture(*number) else { return };
        match event {
            frame::Event::Buffer { format, width, height, stride } => {
                let size = Size::new(width, height);
                camera.wanted = Some(match format {
                    WEnum::Value(format) => wanted(size, &[(format, Some(stride))]),
                    WEnum::Unknown(format) => Err(format!("{format:#x}")),
                });
            }
            frame::Event::Flags { flags: WEnum::Value(flags) } => {
                camera.is_inverted = flags.contains(frame::Flags::YInvert);
            }
            frame::Event::Damage { y, height, .. } => camera.damage(y.into(), height.into()),
            frame::Event::Ready { tv_sec_hi, tv_sec_lo, tv_nsec } => {
                let seconds = u64::from(tv_sec_hi) << 32 | u64::from(tv_sec_lo);
                camera.time = Some(Duration::new(seconds, tv_nsec.min(999_999_999)));
                camera.outcome = Some(Outcome::Taken);
            }
            frame::Event::Failed => camera.outcome = Some(Outcome::Failed),
            _ => {}
        }
    }
}

delegate_noop!(Desk<Camera>: ZwlrScreencopyManagerV1);

const WITH_POINTER: i32 = 1;
