//! What an X program sees of a session's keyboard and pointer.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::process::Command;

use pf_desktop::input::{Hands, Injector};
use pf_desktop::{Source as _, SourceError, X11Source};
use pf_media::picture::Size;
use pf_proto::input::{Button, InputEvent, Key, PointerState, Position};
use rustix::process::Signal;
use support::{XServer, bounded_stop, fps, until};
use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    ConnectionExt as _, CreateWindowAux, EventMask, InputFocus, KeyButMask, WindowClass,
};
use x11rb::rust_connection::RustConnection;

const SIZE: Size = Size::new(640, 480);

/// The keys that are marked Q, Z, 7 and Shift on an American keyboard.
const Q: u32 = 0x07_0014;
const Z: u32 = 0x07_001D;
const SEVEN: u32 = 0x07_0024;
const SHIFT: u32 = 0x07_00E1;

/// What a program was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Key(Option<char>, bool),
    Button(u8, bool, [i16; 2]),
    Motion([i16; 2]),
}

/// A program with a window all over the screen and the keyboard's focus.
struct Program {
    connection: RustConnection,
}

impl Program {
    fn open(server: &XServer) -> Self {
        let (connection, _) = RustConnection::connect(Some(&server.name())).unwrap();
        let root = connection.setup().roots[0].root;
        let window = connection.generate_id().unwrap();
        let events = EventMask::KEY_PRESS
            | EventMask::KEY_RELEASE
            | EventMask::BUTTON_PRESS
            | EventMask::BUTTON_RELEASE
            | EventMask::POINTER_MOTION;
        let aux = CreateWindowAux::new().override_redirect(1).event_mask(events);
        let (width, height) = (SIZE.width as u16, SIZE.height as u16);
        let class = WindowClass::INPUT_OUTPUT;
        connection.create_window(0, window, root, 0, 0, width, height, 0, class, 0, &aux).unwrap();
        connection.map_window(window).unwrap();
        connection.set_input_focus(InputFocus::PARENT, window, x11rb::CURRENT_TIME).unwrap();
        connection.get_input_focus().unwrap().reply().unwrap();
        Self { connection }
    }

    /// The next so many things that it is told, but for motion where there is none among them.
    fn hear(&self, count: usize, is_meant: impl Fn(&Told) -> bool) -> Vec<Told> {
        let mut told = Vec::new();
        until("events at the program", || {
            while let Some(event) = self.connection.poll_for_event().unwrap() {
                told.extend(self.understand(&event).filter(|event| is_meant(event)));
            }
            told.len() >= count
        });
        told
    }

    fn understand(&self, event: &Event) -> Option<Told> {
        match event {
            Event::KeyPress(key) => Some(Told::Key(self.character(key.detail, key.state), true)),
            Event::KeyRelease(key) => Some(Told::Key(self.character(key.detail, key.state), false)),
            Event::ButtonPress(button) => {
                Some(Told::Button(button.detail, true, [button.root_x, button.root_y]))
            }
            Event::ButtonRelease(button) => {
                Some(Told::Button(button.detail, false, [button.root_x, button.root_y]))
            }
            Event::MotionNotify(motion) => Some(Told::Motion([motion.root_x, motion.root_y])),
            _ => None,
        }
    }

    /// What a key types, as a program looks it up when it gets the key.
    fn character(&self, keycode: u8, state: KeyButMask) -> Option<char> {
        let mapping = self.connection.get_keyboard_mapping(keycode, 1).unwrap().reply().unwrap();
        let level = usize::from(u16::from(state) & u16::from(KeyButMask::SHIFT) != 0);
        match mapping.keysyms[level] {
            latin @ (0x20..=0x7E | 0xA0..=0xFF) => char::from_u32(latin),
            unicode @ 0x0100_0100.. => char::from_u32(unicode & 0x00FF_FFFF),
            _ => None,
        }
    }

    /// The text that it was given, `length` characters of it.
    fn read(&self, length: usize) -> String {
        let is_character = |told: &Told| matches!(told, Told::Key(Some(_), true));
        let typed = self.hear(length, is_character);
        typed
            .into_iter()
            .filter_map(|told| if let Told::Key(typed, _) = told { typed } else { None })
            .collect()
    }
}

fn server() -> XServer {
    XServer::xvfb("640x480x24", &[])
}

fn injector(server: &XServer) -> Box<dyn Injector> {
    let stop = bounded_stop();
    let source = X11Source::open(Some(&server.name()), fps(60), &stop).unwrap();
    source.seat().unwrap().take(&stop).unwrap()
}

fn key(usage: u32) -> Key {
    Key::from_usage(usage).unwrap()
}

fn is_no_motion(told: Told) -> bool {
    !matches!(told, Told::Motion(_))
}

/// A key is a place, and the desktop's own layout says what it types.
#[test]
fn a_key_types_what_the_layout_of_the_display_says() {
    let server = server();
    let mut injector = injector(&server);
    for (layout, typed) in [("us", "qzQ7"), ("de", "qyQ7"), ("fr", "awAè")] {
        let status = Command::new("setxkbmap").args(["-display", &server.name(), layout]).status();
        assert!(status.unwrap().success(), "the layout {layout}");
        let program = Program::open(&server);
        let [q, z, seven, shift] = [Q, Z, SEVEN, SHIFT].map(key);
        for (key, pressed) in [
            (q, true),
            (q, false),
            (z, true),
            (z, false),
            (shift, true),
            (q, true),
            (q, false),
            (shift, false),
            (seven, true),
            (seven, false),
        ] {
            injector.key(key, pressed).unwrap();
        }
        injector.flush().unwrap();
        assert_eq!(program.read(4), typed, "with the layout {layout}");
    }
}

/// Text arrives whatever the layout has keys for, also when there are more characters than free keys.
#[test]
fn text_arrives_under_every_layout() {
    let server = server();
    let mut injector = injector(&server);
    let text = "Grüße, naïve Ωmega für 3 €: ‘жук’ 漢字 かな — ŧħə ənđ";
    for layout in ["us", "de", "ru"] {
        let status = Command::new("setxkbmap").args(["-display", &server.name(), layout]).status();
        assert!(status.unwrap().success(), "the layout {layout}");
        let program = Program::open(&server);
        let reader = std::thread::spawn(move || program.read(text.chars().count()));
        injector.text(text).unwrap();
        injector.flush().unwrap();
        assert_eq!(reader.join().unwrap(), text, "with the layout {layout}");
    }
}

/// A long text comes in pieces: a key that was borrowed for one of them has another character in the next.
#[test]
fn text_in_pieces_arrives_as_it_was_written() {
    let server = server();
    let mut injector = injector(&server);
    let program = Program::open(&server);
    let pieces = ["жизнь", "чай, хлеб и соль, груша, ёж", "жизнь"];
    let text = pieces.concat();
    let length = text.chars().count();
    let reader = std::thread::spawn(move || program.read(length));
    for piece in pieces {
        injector.text(piece).unwrap();
        injector.flush().unwrap();
    }
    assert_eq!(reader.join().unwrap(), text);
}

/// Another layout empties the keys that were borrowed.
#[test]
fn the_same_text_arrives_when_the_layout_has_changed() {
    let server = server();
    let mut injector = injector(&server);
    for layout in ["us", "de"] {
        let status = Command::new("setxkbmap").args(["-display", &server.name(), layout]).status();
        assert!(status.unwrap().success(), "the layout {layout}");
        let program = Program::open(&server);
        injector.text("жук").unwrap();
        injector.flush().unwrap();
        assert_eq!(program.read(3), "жук", "with the layout {layout}");
    }
}

/// A session must leave the keyboard of the desktop as it found it.
#[test]
fn the_layout_is_as_before_once_the_session_is_over() {
    let server = server();
    let program = Program::open(&server);
    let mapping = || {
        let setup = program.connection.setup();
        let (first, last) = (setup.min_keycode, setup.max_keycode);
        let mapping = program.connection.get_keyboard_mapping(first, last - first + 1).unwrap();
        mapping.reply().unwrap().keysyms
    };
    let before = mapping();
    let mut injector = injector(&server);
    injector.text("漢字").unwrap();
    injector.flush().unwrap();
    program.read(2);
    assert_ne!(mapping(), before);
    drop(injector);
    until("the layout as it was", || mapping() == before);
}

#[test]
fn the_pointer_goes_to_places_and_by_distances() {
    let server = server();
    let program = Program::open(&server);
    let mut injector = injector(&server);
    let mut pointer_after = |act: &dyn Fn(&mut dyn Injector)| {
        act(injector.as_mut());
        injector.flush().unwrap();
        program.hear(1, |told| matches!(told, Told::Motion(_))).pop().unwrap()
    };
    let to = |x, y| move |injector: &mut dyn Injector| injector.move_to(Position { x, y }).unwrap();
    assert_eq!(pointer_after(&to(u16::MAX, u16::MAX)), Told::Motion([639, 479]));
    assert_eq!(pointer_after(&to(0, 0)), Told::Motion([0, 0]));
    assert_eq!(pointer_after(&to(32_768, 32_768)), Told::Motion([320, 240]));
    assert_eq!(pointer_after(&|injector| injector.move_by(-20, 7).unwrap()), Told::Motion([300, 247]));
    // Fast, a server would make more of it.
    for (so_far, by) in [(600, 300), (100, -500), (500, 400)] {
        assert_eq!(pointer_after(&|injector| injector.move_by(by, 0).unwrap()), Told::Motion([so_far, 247]));
    }
}

#[test]
fn buttons_and_both_wheels_arrive_as_x_counts_them() {
    let server = server();
    let program = Program::open(&server);
    let mut injector = injector(&server);
    injector.move_to(Position { x: 0, y: 0 }).unwrap();
    for button in Button::ALL {
        injector.button(button, true).unwrap();
        injector.button(button, false).unwrap();
    }
    // Down one notch in three parts, up two, right one, left one.
    for (x, y) in [(0, 40), (0, 40), (0, 40), (0, -240), (120, 0), (-120, 0)] {
        injector.scroll(x, y).unwrap();
    }
    injector.flush().unwrap();
    let numbers = [1, 3, 2, 8, 9, 5, 4, 4, 7, 6];
    let expected: Vec<Told> =
        numbers.into_iter().flat_map(|n| [true, false].map(|down| Told::Button(n, down, [0, 0]))).collect();
    assert_eq!(program.hear(expected.len(), |told| is_no_motion(*told)), expected);
}

/// XTest's keys stay down when the program that pressed them goes away; and a server that finds it gone passes over what
/// it said last.
#[test]
fn nothing_stays_down_when_the_hands_are_gone() {
    let server = server();
    let program = Program::open(&server);
    let mut hands = Hands::new(Some(injector(&server)), None);
    hands.handle_event(&InputEvent::Key { key: key(Q), pressed: true }).unwrap();
    let pointer =
        PointerState { number: 1, position: Some(Position { x: 0, y: 0 }), ..PointerState::default() };
    hands.handle_event(&InputEvent::Button { button: Button::Left, pressed: true, pointer }).unwrap();
    hands.flush().unwrap();
    program.hear(2, |told| is_no_motion(*told));
    let is_held = || {
        let keys = program.connection.query_keymap().unwrap().reply().unwrap().keys;
        let root = program.connection.setup().roots[0].root;
        let pointer = program.connection.query_pointer(root).unwrap().reply().unwrap();
        (keys.iter().any(|byte| *byte != 0), u16::from(pointer.mask) & u16::from(KeyButMask::BUTTON1) != 0)
    };
    assert_eq!(is_held(), (true, true));
    drop(hands);
    until("nothing held", || is_held() == (false, false));
}

/// A display that went away is told as such, and soon.
#[test]
fn a_display_that_is_gone_is_an_error() {
    let server = server();
    let mut injector = injector(&server);
    server.signal(Signal::KILL);
    until("the loss", || {
        let typed = injector.key(key(Q), true).and_then(|()| injector.flush());
        typed.is_err_and(|error| matches!(error, SourceError::Lost { .. }))
    });
}

/// What hangs must end when its session does.
#[test]
fn a_display_that_hangs_holds_nobody_whose_handle_is_used() {
    let server = server();
    let stop = bounded_stop();
    let source = X11Source::open(Some(&server.name()), fps(60), &stop).unwrap();
    let mut injector = source.seat().unwrap().take(&stop).unwrap();
    server.signal(Signal::STOP);
    let ending = stop.clone();
    let typing = std::thread::spawn(move || {
        loop {
            if let Err(error) = injector.text("ä").and_then(|()| injector.flush()) {
                return error;
            }
        }
    });
    ending.stop();
    assert_eq!(typing.join().unwrap(), SourceError::Stopped);
}
