//! A compositor of the tests' own that speaks `ext-image-copy-capture`, which sway of Debian 12 does not.
//!
//! It has one output and nothing on it but what a test paints. It does as little as the protocol lets it do: of a buffer
//! that has been used before it updates only what has changed, and it waits until something has.

use std::fs::File;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use pf_media::picture::Size;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wayland_protocols::ext::image_capture_source::v1::server::ext_image_capture_source_v1::{
    self as source, ExtImageCaptureSourceV1,
};
use wayland_protocols::ext::image_capture_source::v1::server::ext_output_image_capture_source_manager_v1::{
    self as source_manager, ExtOutputImageCaptureSourceManagerV1,
};
use wayland_protocols::ext::image_copy_capture::v1::server::ext_image_copy_capture_frame_v1::{
    self as frame, ExtImageCopyCaptureFrameV1, FailureReason,
};
use wayland_protocols::ext::image_copy_capture::v1::server::ext_image_copy_capture_manager_v1::{
    self as copy_manager, ExtImageCopyCaptureManagerV1,
};
use wayland_protocols::ext::image_copy_capture::v1::server::ext_image_copy_capture_session_v1::{
    self as session, ExtImageCopyCaptureSessionV1,
};
use wayland_server::backend::GlobalId;
use wayland_server::protocol::wl_buffer::{self, WlBuffer};
use wayland_server::protocol::wl_output::{self, Transform, WlOutput};
use wayland_server::protocol::wl_shm::{self, Format, WlShm};
use wayland_server::protocol::wl_shm_pool::{self, WlShmPool};
use wayland_server::{
    Client, DataInit, Dispatch, Display, DisplayHandle, GlobalDispatch, ListeningSocket, New, Resource as _,
};

/// A compositor that ends with the test.
pub(crate) struct Stage {
    directory: tempfile::TempDir,
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

type Order = Box<dyn FnOnce(&mut Scene, &DisplayHandle) + Send>;

/// What is on the output, as it lies in the compositor's memory.
pub(crate) struct Scene {
    size: Size,
    format: Format,
    pixels: Vec<[u8; 4]>,
    /// Rows that the last picture did not show.
    changed: Option<(u32, u32)>,
    output: Option<GlobalId>,
    session: Option<ExtImageCopyCaptureSessionV1>,
    waiting: Option<ExtImageCopyCaptureFrameV1>,
    /// Captures that were asked for.
    asked: u32,
}

/// A buffer of a client's.
struct Buffer {
    memory: Arc<File>,
    offset: u64,
    size: Size,
    stride: u64,
}

/// What a client attached to a frame, and whether it wants all of it.
#[derive(Default)]
struct Frame(Mutex<(Option<WlBuffer>, bool)>);

impl Stage {
    /// One whose output has this size and format; without `copies` it lets nobody take pictures.
    pub(crate) fn new(size: Size, format: Format, copies: bool) -> Self {
        let directory = super::support::scratch();
        let listener = ListeningSocket::bind_absolute(socket(directory.path())).unwrap();
        let mut display = Display::<Scene>::new().unwrap();
        let handle = display.handle();
        let output = handle.create_global::<Scene, WlOutput, ()>(4, ());
        handle.create_global::<Scene, WlShm, ()>(1, ());
        if copies {
            handle.create_global::<Scene, ExtOutputImageCaptureSourceManagerV1, ()>(1, ());
            handle.create_global::<Scene, ExtImageCopyCaptureManagerV1, ()>(1, ());
        }
        let mut scene = Scene {
            size,
            format,
            pixels: vec![[0; 4]; (size.width * size.height) as usize],
            changed: Some((0, size.height)),
            output: Some(output),
            session: None,
            waiting: None,
            asked: 0,
        };
        let (orders, inbox) = mpsc::channel::<Order>();
        let thread = std::thread::spawn(move || {
            loop {
                match inbox.try_recv() {
                    Ok(order) => order(&mut scene, &handle),
                    Err(mpsc::TryRecvError::Empty) => {}
                    Err(mpsc::TryRecvError::Disconnected) => break,
                }
                while let Some(stream) = listener.accept().unwrap() {
                    display.handle().insert_client(stream, Arc::new(())).unwrap();
                }
                display.dispatch_clients(&mut scene).unwrap();
                scene.serve();
                display.flush_clients().unwrap();
                let clients = display.backend().poll_fd();
                let mut awaited =
                    [PollFd::new(&listener, PollFlags::IN), PollFd::new(&clients, PollFlags::IN)];
                poll(&mut awaited, Some(&Timespec { tv_sec: 0, tv_nsec: 1_000_000 })).unwrap();
            }
        });
        Self { directory, orders: Some(orders), thread: Some(thread) }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        socket(self.directory.path())
    }

    /// Has something done to what is shown, and waits until it is.
    pub(crate) fn order<R: Send + 'static>(
        &self,
        order: impl FnOnce(&mut Scene, &DisplayHandle) -> R + Send + 'static,
    ) -> R {
        let (sender, done) = mpsc::channel();
        let order: Order = Box::new(move |scene, handle| _ = sender.send(order(scene, handle)));
        self.orders.as_ref().unwrap().send(order).unwrap();
        done.recv().unwrap()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.orders.take());
        _ = self.thread.take().unwrap().join();
    }
}

impl Scene {
    /// Paints whole rows with these bytes.
    pub(crate) fn paint(&mut self, rows: std::ops::Range<u32>, pixel: [u8; 4]) {
        let width = self.size.width as usize;
        self.pixels[rows.start as usize * width..rows.end as usize * width].fill(pixel);
        let changed = self.changed.get_or_insert((rows.start, rows.end));
        *changed = (changed.0.min(rows.start), changed.1.max(rows.end));
    }

    /// How many pictures were asked for.
    pub(crate) fn asked(&self) -> u32 {
        self.asked
    }

    pub(crate) fn resize(&mut self, size: Size) {
        self.size = size;
        self.pixels = vec![[0; 4]; (size.width * size.height) as usize];
        self.changed = Some((0, size.height));
        self.tell_wishes();
    }

    pub(crate) fn stop_session(&mut self) {
        self.session.as_ref().unwrap().stopped();
    }

    pub(crate) fn remove_output(&mut self, handle: &DisplayHandle) {
        handle.remove_global::<Self>(self.output.take().unwrap());
    }

    fn tell_wishes(&self) {
        let Some(session) = &self.session else { return };
        session.buffer_size(self.size.width, self.size.height);
        // The first is one that nobody wants.
        session.shm_format(Format::Rgb565);
        session.shm_format(self.format);
        session.done();
    }

    /// Takes the picture that somebody waits for, if there is something new.
    fn serve(&mut self) {
        let Some((start, end)) = self.changed else { return };
        let Some(frame) = self.waiting.take() else { return };
        let (buffer, is_all) = std::mem::take(&mut *frame.data::<Frame>().unwrap().0.lock().unwrap());
        let buffer = buffer.unwrap();
        let buffer = buffer.data::<Buffer>().unwrap();
        if buffer.size != self.size {
            frame.failed(FailureReason::BufferConstraints);
            return;
        }
        let rows = if is_all { 0..self.size.height } else { start..end };
        let width = self.size.width as usize;
        for row in rows {
            let line = &self.pixels[row as usize * width..(row as usize + 1) * width];
            let at = buffer.offset + u64::from(row) * buffer.stride;
            buffer.memory.write_all_at(line.as_flattened(), at).unwrap();
        }
        frame.transform(Transform::Normal);
        frame.damage(0, start.cast_signed(), self.size.width.cast_signed(), (end - start).cast_signed());
        frame.presentation_time(0, 0, 1);
        frame.ready();
        self.changed = None;
    }
}

fn socket(directory: &Path) -> PathBuf {
    directory.join("wayland-0")
}

impl GlobalDispatch<WlOutput, ()> for Scene {
    fn bind(
        scene: &mut Self,
        _: &DisplayHandle,
        _: &Client,
        output: New<WlOutput>,
        (): &(),
        init: &mut DataInit<'_, Self>,
    ) {
        let output = init.init(output, ());
        output.name("STAGE-1".to_owned());
        let (width, height) = (scene.size.width.cast_signed(), scene.size.height.cast_signed());
        output.mode(wl_output::Mode::Current, width, height, 60_000);
        output.done();
    }
}

impl Dispatch<WlOutput, ()> for Scene {
    fn request(
        _: &mut Self,
        _: &Client,
        _: &WlOutput,
        _: wl_output::Request,
        (): &(),
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
    }
}

impl GlobalDispatch<WlShm, ()> for Scene {
    fn bind(
        _: &mut Self,
        _: &DisplayHandle,
        _: &Client,
        shm: New<WlShm>,
        (): &(),
        init: &mut DataInit<'_, Self>,
    ) {
        init.init(shm, ());
    }
}

impl Dispatch<WlShm, ()> for Scene {
    fn request(
        _: &mut Self,
        _: &Client,
        _: &WlShm,
        request: wl_shm::Request,
        (): &(),
        _: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        if let wl_shm::Request::CreatePool { id, fd, .. } = request {
            init.init(id, fd);
        }
    }
}

impl Dispatch<WlShmPool, OwnedFd> for Scene {
    fn request(
        _: &mut Self,
        _: &Client,
        _: &WlShmPool,
        request: wl_shm_pool::Request,
        memory: &OwnedFd,
        _: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        if let wl_shm_pool::Request::CreateBuffer { id, offset, width, height, stride, .. } = request {
            let memory = Arc::new(File::from(memory.as_fd().try_clone_to_owned().unwrap()));
            let size = Size::new(width as u32, height as u32);
            init.init(id, Buffer { memory, offset: offset as u64, size, stride: stride as u64 });
        }
    }
}

impl Dispatch<WlBuffer, Buffer> for Scene {
    fn request(
        _: &mut Self,
        _: &Client,
        _: &WlBuffer,
        _: wl_buffer::Request,
        _: &Buffer,
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
    }
}

impl GlobalDispatch<ExtOutputImageCaptureSourceManagerV1, ()> for Scene {
    fn bind(
        _: &mut Self,
        _: &DisplayHandle,
        _: &Client,
        manager: New<ExtOutputImageCaptureSourceManagerV1>,
        (): &(),
        init: &mut DataInit<'_, Self>,
    ) {
        init.init(manager, ());
    }
}

impl Dispatch<ExtOutputImageCaptureSourceManagerV1, ()> for Scene {
    fn request(
        _: &mut Self,
        _: &Client,
        _: &ExtOutputImageCaptureSourceManagerV1,
        request: source_manager::Request,
        (): &(),
        _: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        if let source_manager::Request::CreateSource { source, .. } = request {
            init.init(source, ());
        }
    }
}

impl Dispatch<ExtImageCaptureSourceV1, ()> for Scene {
    fn request(
        _: &mut Self,
        _: &Client,
        _: &ExtImageCaptureSourceV1,
        _: source::Request,
        (): &(),
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
    }
}

impl GlobalDispatch<ExtImageCopyCaptureManagerV1, ()> for Scene {
    fn bind(
        _: &mut Self,
        _: &DisplayHandle,
        _: &Client,
        manager: New<ExtImageCopyCaptureManagerV1>,
        (): &(),
        init: &mut DataInit<'_, Self>,
    ) {
        init.init(manager, ());
    }
}

impl Dispatch<ExtImageCopyCaptureManagerV1, ()> for Scene {
    fn request(
        scene: &mut Self,
        _: &Client,
        _: &ExtImageCopyCaptureManagerV1,
        request: copy_manager::Request,
        (): &(),
        _: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        if let copy_manager::Request::CreateSession { session, .. } = request {
            scene.session = Some(init.init(session, ()));
            scene.changed = Some((0, scene.size.height));
            scene.tell_wishes();
        }
    }
}

impl Dispatch<ExtImageCopyCaptureSessionV1, ()> for Scene {
    fn request(
        _: &mut Self,
        _: &Client,
        _: &ExtImageCopyCaptureSessionV1,
        request: session::Request,
        (): &(),
        _: &DisplayHandle,
        init: &mut DataInit<'_, Self>,
    ) {
        if let session::Request::CreateFrame { frame } = request {
            init.init(frame, Frame::default());
        }
    }
}

impl Dispatch<ExtImageCopyCaptureFrameV1, Frame> for Scene {
    fn request(
        scene: &mut Self,
        _: &Client,
        frame: &ExtImageCopyCaptureFrameV1,
        request: frame::Request,
        data: &Frame,
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
        let mut data = data.0.lock().unwrap();
        match request {
            frame::Request::AttachBuffer { buffer } => data.0 = Some(buffer),
            frame::Request::DamageBuffer { .. } => data.1 = true,
            frame::Request::Capture => {
                scene.asked += 1;
                scene.waiting = Some(frame.clone());
            }
            _ => {}
        }
    }
}
