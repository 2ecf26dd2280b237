//! Memory that a compositor fills with a picture.

use std::os::fd::AsFd as _;

use wayland_client::protocol::wl_buffer::{self, WlBuffer};
use wayland_client::protocol::wl_shm::WlShm;
use wayland_client::protocol::wl_shm_pool::WlShmPool;
use wayland_client::{Connection, Dispatch, QueueHandle, delegate_noop};

use super::camera::Camera;
use super::link::Desk;
use super::upright::Shape;
use crate::SourceError;
use crate::mapping::Mapping;

/// A buffer of ours that the compositor knows.
pub(super) struct Buffer {
    pub(super) proxy: WlBuffer,
    pub(super) shape: Shape,
    /// Whether it holds a picture.
    pub(super) is_filled: bool,
    memory: Mapping,
}

impl Buffer {
    /// Prepares for pictures of this shape.
    pub(super) fn new(
        shm: &WlShm,
        shape: Shape,
        handle: &QueueHandle<Desk<Camera>>,
    ) -> Result<Self, SourceError> {
        let length = shape.byte_count().ok_or(SourceError::UnstreamableSize { size: shape.size })?;
        let (memory, descriptor) =
            Mapping::new(length).map_err(SourceError::system("cannot share memory with the compositor"))?;
        // A streamable size is far below what these numbers hold.
        let pool = shm.create_pool(descriptor.as_fd(), length.cast_signed() as i32, handle, ());
        let (width, height) = (shape.size.width.cast_signed(), shape.size.height.cast_signed());
        let proxy = pool.create_buffer(
            0,
            width,
            height,
            shape.stride.cast_signed(),
            shape.order.format(),
            handle,
            (),
        );
        pool.destroy();
        Ok(Self { proxy, shape, is_filled: false, memory })
    }

    /// What the compositor wrote. It writes between our request for a picture and its answer, and nobody reads then.
    pub(super) fn bytes(&mut self) -> &[u8] {
        self.memory.bytes_mut()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.proxy.destroy();
    }
}

impl Dispatch<WlBuffer, ()> for Desk<Camera> {
    fn event(
        _: &mut Self,
        _: &WlBuffer,
        // A buffer is ours again when its picture is there, or is not to be: what is said of it besides is of no use.
        _: wl_buffer::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
    }
}

delegate_noop!(Desk<Camera>: WlShmPool);
delegate_noop!(Desk<Camera>: ignore WlShm);
