//! A Wayland client that draws over a whole output.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use pf_media::picture::Size;
use pf_media::timecode::{self, BLOCK_SIDE, ORIGIN, Shade, TimeCode};
use rustix::fs::{MemfdFlags, memfd_create};
use wayland_client::protocol::wl_buffer::{self, WlBuffer};
use wayland_client::protocol::wl_compositor::WlCompositor;
use wayland_client::protocol::wl_pointer::{self, WlPointer};
use wayland_client::protocol::wl_registry::{self, WlRegistry};
use wayland_client::protocol::wl_seat::{self, Capability, WlSeat};
use wayland_client::protocol::wl_shm::{Format, WlShm};
use wayland_client::protocol::wl_shm_pool::WlShmPool;
use wayland_client::protocol::wl_surface::WlSurface;
use wayland_client::{Connection, Dispatch, EventQueue, Proxy, QueueHandle, WEnum, delegate_noop};
use wayland_protocols_wlr::layer_shell::v1::client::zwlr_layer_shell_v1::{Layer, ZwlrLayerShellV1};
use wayland_protocols_wlr::layer_shell::v1::client::zwlr_layer_surface_v1::{
    self as layer_surface, Anchor, ZwlrLayerSurfaceV1,
};

use super::support::until;

/// What is over everything on a compositor's first output.
pub(crate) struct Client {
    queue: EventQueue<State>,
    state: State,
    shm: WlShm,
    compositor: WlCompositor,
    surface: WlSurface,
    canvas: Vec<u8>,
    size: Size,
}

#[derive(Default)]
struct State {
    globals: HashMap<String, (u32, u32)>,
    registry: Option<WlRegistry>,
    size: Option<Size>,
    pointer: Option<WlPointer>,
    /// What the pointer looks like over the surface.
    cursor: Option<WlSurface>,
}

impl Client {
    pub(crate) fn new(socket: &Path) -> Self {
        let connection = Connection::from_socket(UnixStream::connect(socket).unwrap()).unwrap();
        let mut queue = connection.new_event_queue();
        let handle = queue.handle();
        let registry = connection.display().get_registry(&handle, ());
        let mut state = State { registry: Some(registry), ..State::default() };
        queue.roundtrip(&mut state).unwrap();
        let compositor: WlCompositor = state.bind(&handle);
        let shell: ZwlrLayerShellV1 = state.bind(&handle);
        let shm = state.bind(&handle);
        let _: WlSeat = state.bind(&handle);
        let surface = compositor.create_surface(&handle, ());
        let layer = shell.get_layer_surface(&surface, None, Layer::Overlay, "test".to_owned(), &handle, ());
        layer.set_anchor(Anchor::all());
        layer.set_exclusive_zone(-1);
        surface.commit();
        let (canvas, size) = (Vec::new(), Size::new(0, 0));
        let mut client = Self { queue, state, shm, compositor, surface, canvas, size };
        client.follow();
        client
    }

    /// The size of the output.
    pub(crate) fn size(&self) -> Size {
        self.size
    }

    /// Waits until the output has this size.
    pub(crate) fn await_size(&mut self, size: Size) {
        until("the output has another size", || {
            self.follow();
            self.size == size
        });
    }

    /// Takes on the output's size, and paints it black.
    fn follow(&mut self) {
        self.queue.roundtrip(&mut self.state).unwrap();
        let size = self.state.size.unwrap();
        if size != self.size {
            self.size = size;
            self.canvas = vec![0; size.width as usize * size.height as usize * 4];
            self.fill(0, &[(0, 0, size.width, size.height)]);
        }
    }

    /// Fills rectangles (x, y, width, height) with one colour, `0xRRGGBB`.
    pub(crate) fn fill(&mut self, colour: u32, areas: &[(u32, u32, u32, u32)]) {
        self.paint(colour, areas);
        self.show(areas);
    }

    /// Draws the time code at [`ORIGIN`].
    pub(crate) fn draw_code(&mut self, code: TimeCode) {
        let mut all = Vec::new();
        for block in timecode::blocks(code) {
            let colour = if block.shade == Shade::White { 0x00FF_FFFF } else { 0 };
            let area = (ORIGIN.x + block.x, ORIGIN.y + block.y, BLOCK_SIDE, BLOCK_SIDE);
            self.paint(colour, &[area]);
            all.push(area);
        }
        self.show(&all);
    }

    /// What a pixel was painted, `0xRRGGBB`.
    pub(crate) fn at(&self, x: u32, y: u32) -> u32 {
        let at = (y * self.size.width + x) as usize * 4;
        u32::from_le_bytes(self.canvas[at..at + 4].try_into().unwrap())
    }

    /// Makes the pointer over it a square of one colour that points with its top left pixel.
    pub(crate) fn set_cursor(&mut self, side: u32, colour: u32) {
        let handle = self.queue.handle();
        let surface = self.compositor.create_surface(&handle, ());
        let pixels = colour.to_le_bytes().repeat((side * side) as usize);
        surface.attach(Some(&self.buffer(Size::new(side, side), &pixels, Format::Xrgb8888)), 0, 0);
        surface.damage_buffer(0, 0, i32::MAX, i32::MAX);
        surface.commit();
        self.state.cursor = Some(surface);
        self.queue.roundtrip(&mut self.state).unwrap();
    }

    /// Takes in what the compositor has told: a pointer that comes gets its shape then.
    pub(crate) fn attend(&mut self) {
        self.queue.roundtrip(&mut self.state).unwrap();
    }

    fn paint(&mut self, colour: u32, areas: &[(u32, u32, u32, u32)]) {
        for &(x, y, width, height) in areas {
            for row in y..y + height {
                let at = (row * self.size.width + x) as usize * 4;
                let line = &mut self.canvas[at..at + width as usize * 4];
                line.as_chunks_mut::<4>().0.fill(colour.to_le_bytes());
            }
        }
    }

    /// Shows the canvas, and waits until the compositor has it.
    fn show(&mut self, areas: &[(u32, u32, u32, u32)]) {
        let buffer = self.buffer(self.size, &self.canvas, Format::Xrgb8888);
        self.surface.attach(Some(&buffer), 0, 0);
        for &(x, y, width, height) in areas {
            let [x, y, width, height] = [x, y, width, height].map(u32::cast_signed);
            self.surface.damage_buffer(x, y, width, height);
        }
        self.surface.commit();
        self.queue.roundtrip(&mut self.state).unwrap();
    }

    fn buffer(&self, size: Size, pixels: &[u8], format: Format) -> WlBuffer {
        let handle = self.queue.handle();
        let file = File::from(memfd_create("pf-test", MemfdFlags::CLOEXEC).unwrap());
        file.write_all_at(pixels, 0).unwrap();
        let pool = self.shm.create_pool(file.as_fd(), pixels.len().cast_signed() as i32, &handle, ());
        let (width, height) = (size.width.cast_signed(), size.height.cast_signed());
        let buffer = pool.create_buffer(0, width, height, width * 4, format, &handle, ());
        pool.destroy();
        buffer
    }
}

impl State {
    fn bind<P>(&self, handle: &QueueHandle<Self>) -> P
    where
        P: Proxy + 'static,
        Self: Dispatch<P, ()>,
    {
        let (name, version) = self.globals[P::interface().name];
        let version = version.min(4).min(P::interface().version);
        self.registry.as_ref().unwrap().bind(name, version, handle, ())
    }
}

impl Dispatch<WlRegistry, ()> for State {
    fn event(
        state: &mut Self,
        _: &WlRegistry,
        event: wl_registry::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let wl_registry::Event::Global { name, interface, version } = event {
            state.globals.insert(interface, (name, version));
        }
    }
}

impl Dispatch<ZwlrLayerSurfaceV1, ()> for State {
    fn event(
        state: &mut Self,
        surface: &ZwlrLayerSurfaceV1,
        event: layer_surface::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let layer_surface::Event::Configure { serial, width, height } = event {
            surface.ack_configure(serial);
            state.size = Some(Size::new(width, height));
        }
    }
}

impl Dispatch<WlSeat, ()> for State {
    fn event(
        state: &mut Self,
        seat: &WlSeat,
        event: wl_seat::Event,
        (): &(),
        _: &Connection,
        handle: &QueueHandle<Self>,
    ) {
        if let wl_seat::Event::Capabilities { capabilities: WEnum::Value(capabilities) } = event
            && capabilities.contains(Capability::Pointer)
        {
            state.pointer.get_or_insert_with(|| seat.get_pointer(handle, ()));
        }
    }
}

impl Dispatch<WlPointer, ()> for State {
    fn event(
        state: &mut Self,
        pointer: &WlPointer,
        event: wl_pointer::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let wl_pointer::Event::Enter { serial, .. } = event {
            pointer.set_cursor(serial, state.cursor.as_ref(), 0, 0);
        }
    }
}

impl Dispatch<WlBuffer, ()> for State {
    fn event(
        _: &mut Self,
        buffer: &WlBuffer,
        event: wl_buffer::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let wl_buffer::Event::Release = event {
            buffer.destroy();
        }
    }
}

delegate_noop!(State: WlCompositor);
delegate_noop!(State: WlShmPool);
delegate_noop!(State: ZwlrLayerShellV1);
delegate_noop!(State: ignore WlShm);
delegate_noop!(State: ignore WlSurface);
