//! Pictures by `ext-image-copy-capture`, which newer compositors have.

use std::time::Duration;

use pf_media::picture::Size;
use wayland_client::protocol::wl_output::WlOutput;
use wayland_client::protocol::wl_shm::Format;
use wayland_client::{Connection, Dispatch, QueueHandle, WEnum, delegate_noop};
use wayland_protocols::ext::image_capture_source::v1::client::ext_image_capture_source_v1::ExtImageCaptureSourceV1;
use wayland_protocols::ext::image_capture_source::v1::client::ext_output_image_capture_source_manager_v1::ExtOutputImageCaptureSourceManagerV1;
use wayland_protocols::ext::image_copy_capture::v1::client::ext_image_copy_capture_frame_v1::{
    self as frame, ExtImageCopyCaptureFrameV1,
};
use wayland_protocols::ext::image_copy_capture::v1::client::ext_image_copy_capture_manager_v1::{
    ExtImageCopyCaptureManagerV1, Options,
};
use wayland_protocols::ext::image_copy_capture::v1::client::ext_image_copy_capture_session_v1::{
    self as session, ExtImageCopyCaptureSessionV1,
};

use super::buffer::Buffer;
use super::camera::{Camera, Outcome, wanted};
use super::link::{Desk, Link};
use crate::SourceError;

/// Takes pictures of one output.
pub(super) struct ImageCopy {
    session: ExtImageCopyCaptureSessionV1,
    frame: Option<ExtImageCopyCaptureFrameV1>,
}

/// What makes an output something to take pictures of, and what takes them.
pub(super) struct Managers {
    sources: ExtOutputImageCaptureSourceManagerV1,
    copies: ExtImageCopyCaptureManagerV1,
}

/// What a compositor wants of buffers, as it tells bit by bit.
#[derive(Default)]
pub(super) struct Wishes {
    size: Option<Size>,
    formats: Vec<(Format, Option<u32>)>,
}

impl ImageCopy {
    pub(super) fn managers(link: &Link<Camera>) -> Result<Managers, SourceError> {
        Ok(Managers { sources: link.bind(1..=1)?, copies: link.bind(1..=1)? })
    }

    pub(super) fn new(managers: &Managers, output: &WlOutput, handle: &QueueHandle<Desk<Camera>>) -> Self {
        let source = managers.sources.create_source(output, handle, ());
        let session = managers.copies.create_session(&source, Options::PaintCursors, handle, ());
        source.destroy();
        Self { session, frame: None }
    }

    pub(super) fn ask(&mut self, camera: &mut Camera, handle: &QueueHandle<Desk<Camera>>) {
        // There is never more than one.
        if let Some(previous) = self.frame.take() {
            previous.destroy();
        }
        self.frame = Some(self.session.create_frame(handle, camera.begin()));
    }

    /// The protocol itself knows when: the first picture at once, and each other one when it differs.
    pub(super) fn shoot(&mut self, buffer: &Buffer) {
        let Some(frame) = &self.frame else { return };
        frame.attach_buffer(&buffer.proxy);
        // One that has been used before holds the picture before, and what has changed since is copied anyway.
        if !buffer.is_filled {
            let size = buffer.shape.size;
            frame.damage_buffer(0, 0, size.width.cast_signed(), size.height.cast_signed());
        }
        frame.capture();
    }
}

impl Dispatch<ExtImageCopyCaptureSessionV1, ()> for Desk<Camera> {
    fn event(
        desk: &mut Self,
        _: &ExtImageCopyCaptureSessionV1,
        event: session::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        let camera = &mut desk.own;
        match event {
            session::Event::BufferSize { width, height } => {
                camera.wishes.size = Some(Size::new(width, height));
            }
            session::Event::ShmFormat { format: WEnum::Value(format) } => {
                camera.wishes.formats.push((format, None));
            }
            session::Event::Done => {
                let Wishes { size, formats } = std::mem::take(&mut camera.wishes);
                camera.wanted = size.map(|size| wanted(size, &formats));
            }
            session::Event::Stopped => camera.is_over = true,
            _ => {}
        }
    }
}

impl Dispatch<ExtImageCopyCaptureFrameV1, u32> for Desk<Camera> {
    fn event(
        desk: &mut Self,
        _: &ExtImageCopyCaptureFrameV1,
        event: frame::Event,
        number: &u32,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        let Some(camera) = desk.own.picture(*number) else { return };
        match event {
            frame::Event::Transform { transform: WEnum::Value(transform) } => {
                camera.transform = Some(transform);
            }
            frame::Event::Damage { y, height, .. } => camera.damage(y.into(), height.into()),
            frame::Event::PresentationTime { tv_sec_hi, tv_sec_lo, tv_nsec } => {
                let seconds = u64::from(tv_sec_hi) << 32 | u64::from(tv_sec_lo);
                camera.time = Some(Duration::new(seconds, tv_nsec.min(999_999_999)));
            }
            frame::Event::Ready => camera.outcome = Some(Outcome::Taken),
            frame::Event::Failed { .. } => camera.outcome = Some(Outcome::Failed),
            _ => {}
        }
    }
}

delegate_noop!(Desk<Camera>: ExtOutputImageCaptureSourceManagerV1);
delegate_noop!(Desk<Camera>: ExtImageCaptureSourceV1);
delegate_noop!(Desk<Camera>: ExtImageCopyCaptureManagerV1);
