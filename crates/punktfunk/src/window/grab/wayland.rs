//! The keyboard of a Wayland compositor, by the protocol `keyboard-shortcuts-inhibit`.
//!
//! A client that asks for it on a surface gets the keys that the compositor keeps for itself, while the surface has the
//! focus. The compositor decides, and its person may take it back: it tells. The surface is winit's; what is asked about it
//! goes over winit's connection, with a queue of events of its own.

#![expect(unsafe_code, reason = "winit hands its connection and its surface out as pointers")]

use std::rc::Rc;

use wayland_client::{
    Connection, Dispatch, EventQueue, Proxy as _, QueueHandle,
    backend::{Backend, ObjectId, WaylandError},
    delegate_noop,
    globals::{GlobalListContents, registry_queue_init},
    protocol::{
        wl_registry::{self, WlRegistry},
        wl_seat::WlSeat,
        wl_surface::WlSurface,
    },
};
use wayland_protocols::wp::keyboard_shortcuts_inhibit::zv1::client::{
    zwp_keyboard_shortcuts_inhibit_manager_v1::ZwpKeyboardShortcutsInhibitManagerV1 as Manager,
    zwp_keyboard_shortcuts_inhibitor_v1::{self as inhibitor, ZwpKeyboardShortcutsInhibitorV1 as Inhibitor},
};
use winit::{
    raw_window_handle::{
        HandleError, HasDisplayHandle as _, HasWindowHandle as _, RawDisplayHandle, RawWindowHandle,
    },
    window::Window,
};

use super::{Unwilling, hold::Outcome};

/// The keyboard of a window's compositor.
pub(super) struct Keyboard {
    connection: Connection,
    queue: EventQueue<Told>,
    told: Told,
    manager: Manager,
    seats: Vec<WlSeat>,
    surface: WlSurface,
    /// One for each seat, while the keyboard is taken.
    inhibitors: Vec<Inhibitor>,
    /// Keeps the connection and the surface. It comes last: it is dropped after what uses these.
    _window: Rc<Window>,
}

/// What the compositor told.
#[derive(Default)]
struct Told {
    /// How many seats give all their keys.
    active: usize,
}

impl Keyboard {
    /// That of a window.
    pub(super) fn open(window: &Rc<Window>) -> Result<Self, Unwilling> {
        let (RawDisplayHandle::Wayland(display), RawWindowHandle::Wayland(handle)) =
            (window.display_handle()?.as_raw(), window.window_handle()?.as_raw())
        else {
            return Err(HandleError::NotSupported.into());
        };
        // SAFETY: the display is winit's, open, and stays so while `_window` is there.
        let backend = unsafe { Backend::from_foreign_display(display.display.as_ptr().cast()) };
        let connection = Connection::from_backend(backend);
        // SAFETY: the surface is that of `_window`, which is there for longer than what is asked about it.
        let surface = unsafe { ObjectId::from_ptr(WlSurface::interface(), handle.surface.as_ptr().cast()) }?;
        let surface = WlSurface::from_id(&connection, surface)?;
        let (globals, queue) = registry_queue_init::<Told>(&connection)?;
        let manager = globals.bind(&queue.handle(), 1..=1, ())?;
        let is_seat = |interface: &str| interface == WlSeat::interface().name;
        let seats = globals.contents().clone_list().into_iter().filter(|global| is_seat(&global.interface));
        let seats = seats.map(|seat| globals.registry().bind(seat.name, 1, &queue.handle(), ())).collect();
        Ok(Self {
            connection,
            queue,
            told: Told::default(),
            manager,
            seats,
            surface,
            inhibitors: Vec::new(),
            _window: Rc::clone(window),
        })
    }

    /// Asks for all keys of every seat.
    pub(super) fn take(&mut self) -> Result<Outcome, WaylandError> {
        let queue = self.queue.handle();
        let inhibit = |seat| self.manager.inhibit_shortcuts(&self.surface, seat, &queue, ());
        self.inhibitors = self.seats.iter().map(inhibit).collect();
        self.connection.flush()?;
        Ok(Outcome::Held)
    }

    /// Leaves them to the compositor again.
    pub(super) fn release(&mut self) {
        for inhibitor in self.inhibitors.drain(..) {
            inhibitor.destroy();
        }
        self.told = Told::default();
        if let Err(error) = self.connection.flush() {
            // It went with the connection, then.
            tracing::debug!(%error, "the keyboard could not be given back");
        }
    }

    /// Whether the compositor gives all keys.
    pub(super) fn is_active(&mut self) -> bool {
        // Whoever reads from the connection, winit, fills this queue as well.
        let heard = self.queue.dispatch_pending(&mut self.told);
        heard.is_ok() && self.told.active > 0
    }
}

impl Dispatch<Inhibitor, ()> for Told {
    fn event(
        told: &mut Self,
        _: &Inhibitor,
        event: inhibitor::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            inhibitor::Event::Active => told.active += 1,
            inhibitor::Event::Inactive => told.active = told.active.saturating_sub(1),
            _ => {}
        }
    }
}

impl Dispatch<WlRegistry, GlobalListContents> for Told {
    fn event(
        _: &mut Self,
        _: &WlRegistry,
        _: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
    }
}

delegate_noop!(Told: ignore WlSeat);
delegate_noop!(Told: Manager);
