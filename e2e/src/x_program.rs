//! An X program that writes down what it is told of keyboard and pointer.

use std::collections::BTreeSet;

use pf_media::picture::Size;
use x11rb::{
    connection::Connection as _,
    protocol::{
        Event,
        xproto::{
            AtomEnum, ConnectionExt as _, CreateWindowAux, EventMask, InputFocus, KeyButMask, Keycode,
            PropMode, Window, WindowClass,
        },
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

use crate::{until, x_display::XDisplay};

/// A program with a window.
#[derive(Debug)]
pub struct XProgram {
    connection: RustConnection,
    root: Window,
    told: Vec<Told>,
}

/// What a program was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A key went down or up; what it types, if that is a character.
    Key {
        /// By which number X knows it.
        keycode: Keycode,
        /// What it types, alone or with Shift.
        types: Option<char>,
        /// Whether it is down now.
        pressed: bool,
    },
    /// A button of the pointer, which a wheel's notch is, too.
    Button {
        /// By which number X knows it.
        number: u8,
        /// Whether it is down now.
        pressed: bool,
        /// Where the pointer was.
        at: [i16; 2],
    },
    /// The pointer is here.
    Motion([i16; 2]),
}

impl XProgram {
    /// Opens a window that covers a display of its own, and takes the keyboard's focus.
    pub fn open(display: &XDisplay) -> Self {
        let (connection, _) = RustConnection::connect(Some(&display.name())).unwrap();
        let screen = &connection.setup().roots[0];
        let size = Size::new(screen.width_in_pixels.into(), screen.height_in_pixels.into());
        let (program, window) = Self::create(connection, size, CreateWindowAux::new().override_redirect(1));
        let connection = &program.connection;
        connection.map_window(window).unwrap();
        connection.set_input_focus(InputFocus::PARENT, window, x11rb::CURRENT_TIME).unwrap();
        connection.get_input_focus().unwrap().reply().unwrap();
        program
    }

    /// Opens a window of this name and size where the display's window manager puts it.
    pub fn beside_others(display: &XDisplay, name: &str, size: Size) -> Self {
        let (connection, _) = RustConnection::connect(Some(&display.name())).unwrap();
        let (program, window) = Self::create(connection, size, CreateWindowAux::new());
        let connection = &program.connection;
        let property = connection.intern_atom(false, b"_NET_WM_NAME").unwrap().reply().unwrap().atom;
        let name = name.as_bytes();
        connection.change_property8(PropMode::REPLACE, window, property, AtomEnum::STRING, name).unwrap();
        connection.map_window(window).unwrap();
        connection.get_input_focus().unwrap().reply().unwrap();
        program
    }

    /// Makes a window.
    fn create(connection: RustConnection, size: Size, aux: CreateWindowAux) -> (Self, Window) {
        let root = connection.setup().roots[0].root;
        let window = connection.generate_id().unwrap();
        let events = EventMask::KEY_PRESS
            | EventMask::KEY_RELEASE
            | EventMask::BUTTON_PRESS
            | EventMask::BUTTON_RELEASE
            | EventMask::POINTER_MOTION;
        let (width, height) = (size.width as u16, size.height as u16);
        let (aux, class) = (aux.event_mask(events), WindowClass::INPUT_OUTPUT);
        connection.create_window(0, window, root, 0, 0, width, height, 0, class, 0, &aux).unwrap();
        (Self { connection, root, told: Vec::new() }, window)
    }

    /// All that it was told so far, in order.
    pub fn told(&mut self) -> &[Told] {
        while let Some(event) = self.connection.poll_for_event().unwrap() {
            let told = self.understand(&event);
            self.told.extend(told);
        }
        &self.told
    }

    /// What `find` finds in what it is told, now or later.
    pub fn hear<T>(&mut self, what: &str, mut find: impl FnMut(&[Told]) -> Option<T>) -> T {
        until(what, || find(self.told()))
    }

    /// Keys and buttons that are down on the display, whoever holds them: keycodes, and the pointer's state.
    pub fn held(&self) -> (BTreeSet<Keycode>, u16) {
        let keys = self.connection.query_keymap().unwrap().reply().unwrap().keys;
        let is_down = |keycode: &Keycode| keys[usize::from(keycode / 8)] >> (keycode % 8) & 1 == 1;
        let pointer = self.connection.query_pointer(self.root).unwrap().reply().unwrap();
        let buttons = KeyButMask::BUTTON1 | KeyButMask::BUTTON2 | KeyButMask::BUTTON3;
        ((0..=Keycode::MAX).filter(is_down).collect(), u16::from(pointer.mask) & u16::from(buttons))
    }

    fn understand(&self, event: &Event) -> Option<Told> {
        let key = |event: &x11rb::protocol::xproto::KeyPressEvent, pressed| {
            let types = self.character(event.detail, event.state);
            Told::Key { keycode: event.detail, types, pressed }
        };
        let button = |event: &x11rb::protocol::xproto::ButtonPressEvent, pressed| Told::Button {
            number: event.detail,
            pressed,
            at: [event.root_x, event.root_y],
        };
        match event {
            Event::KeyPress(event) => Some(key(event, true)),
            Event::KeyRelease(event) => Some(key(event, false)),
            Event::ButtonPress(event) => Some(button(event, true)),
            Event::ButtonRelease(event) => Some(button(event, false)),
            Event::MotionNotify(event) => Some(Told::Motion([event.root_x, event.root_y])),
            _ => None,
        }
    }

    /// What a key types, as a program looks it up when it gets the key.
    fn character(&self, keycode: Keycode, state: KeyButMask) -> Option<char> {
        let mapping = self.connection.get_keyboard_mapping(keycode, 1).unwrap().reply().unwrap();
        let level = usize::from(u16::from(state) & u16::from(KeyButMask::SHIFT) != 0);
        match mapping.keysyms[level] {
            latin @ (0x20..=0x7E | 0xA0..=0xFF) => char::from_u32(latin),
            unicode @ 0x0100_0100.. => char::from_u32(unicode & 0x00FF_FFFF),
            _ => None,
        }
    }
}
