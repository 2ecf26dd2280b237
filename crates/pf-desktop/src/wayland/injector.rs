//! Keyboard and pointer of a Wayland compositor: virtual ones, which it takes for real.
//!
//! Two keyboards: one that has the compositor's own layout, for keys, and one whose layout is made for the text at hand.
//! Events of both reach a program in the order in which they were sent, each under its own layout. A compositor lets go of
//! whatever a virtual device holds when that goes away.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use pf_media::picture::Size;
use pf_proto::input::{Button, Key, Position};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::time::{ClockId, clock_gettime};
use wayland_client::protocol::wl_keyboard::{self, KeyState, KeymapFormat, WlKeyboard};
use wayland_client::protocol::wl_pointer::{Axis, AxisSource, ButtonState};
use wayland_client::protocol::wl_seat::{self, Capability, WlSeat};
use wayland_client::{Connection, Dispatch, Proxy as _, QueueHandle, WEnum, delegate_noop};
use wayland_protocols_misc::zwp_virtual_keyboard_v1::client::zwp_virtual_keyboard_manager_v1::ZwpVirtualKeyboardManagerV1;
use wayland_protocols_misc::zwp_virtual_keyboard_v1::client::zwp_virtual_keyboard_v1::ZwpVirtualKeyboardV1;
use wayland_protocols_wlr::virtual_pointer::v1::client::zwlr_virtual_pointer_manager_v1::ZwlrVirtualPointerManagerV1;
use wayland_protocols_wlr::virtual_pointer::v1::client::zwlr_virtual_pointer_v1::ZwlrVirtualPointerV1;

use super::layout::{Layout, Step, for_text, is_for_text};
use super::link::{Desk, Link};
use crate::input::{Injector, NOTCH, evdev_code};
use crate::{SourceError, Stop};

/// A virtual keyboard and pointer.
pub(super) struct WaylandInjector {
    link: Link<Ears>,
    /// The output that absolute positions are on.
    output: String,
    seat: WlSeat,
    keyboards: ZwpVirtualKeyboardManagerV1,
    keyboard: ZwpVirtualKeyboardV1,
    layout: Layout,
    text: Option<ZwpVirtualKeyboardV1>,
    pointer: ZwlrVirtualPointerV1,
}

/// What the compositor tells of its own keyboard.
#[derive(Default)]
struct Ears {
    keyboard: Option<WlKeyboard>,
    /// The layout that programs were told last, unless it is one of ours for text.
    layout: Option<Vec<u8>>,
}

impl WaylandInjector {
    /// Adds a keyboard and a pointer to the compositor behind this socket, whose output is called `output`.
    pub(super) fn open(socket: &Path, output: &str, stop: &Stop) -> Result<Self, SourceError> {
        let mut link = Link::connect(Some(socket), Ears::default(), stop)?;
        let seat: WlSeat = link.bind(1..=5)?;
        let keyboards: ZwpVirtualKeyboardManagerV1 = link.bind(1..=1)?;
        // From version 2 on a pointer can belong to an output.
        let pointers: ZwlrVirtualPointerManagerV1 = link.bind(2..=2)?;
        let handle = link.handle();
        let found = link.desk.outputs.iter().find(|found| found.name == output);
        let proxy = found.map(|found| &found.proxy);
        let pointer = pointers.create_virtual_pointer_with_output(Some(&seat), proxy, &handle, ());
        let keyboard = keyboards.create_virtual_keyboard(&seat, &handle, ());
        // A seat without any keyboard has one now; the first answer says so, and the second what its layout is.
        link.round_trip()?;
        link.round_trip()?;
        let layout = link.desk.own.layout.take().and_then(Layout::new).or_else(Layout::of_machine);
        let layout = layout.ok_or_else(|| SourceError::System {
            what: "cannot make a keyboard",
            reason: "neither the compositor nor this machine has a layout".to_owned(),
        })?;
        let injector =
            Self { link, output: output.to_owned(), seat, keyboards, keyboard, layout, text: None, pointer };
        give_layout(&injector.keyboard, injector.layout.text())?;
        Ok(injector)
    }

    /// Takes on the layout that the compositor has changed to, as soon as no key is held under the old one.
    fn follow_layout(&mut self) -> Result<(), SourceError> {
        if self.layout.is_held() {
            return Ok(());
        }
        let Some(text) = self.link.desk.own.layout.take().filter(|text| text != self.layout.text()) else {
            return Ok(());
        };
        if let Some(layout) = Layout::new(text) {
            give_layout(&self.keyboard, layout.text())?;
            self.layout = layout;
        }
        Ok(())
    }

    /// The size of the output that the picture is of.
    fn output_size(&self) -> Option<Size> {
        let output = self.link.desk.outputs.iter().find(|output| output.name == self.output)?;
        Some(output.size()).filter(|size| size.is_streamable())
    }

    /// Turns one wheel by so many 120ths of a notch.
    fn turn(&self, axis: Axis, by: i32) {
        if by == 0 {
            return;
        }
        let distance = f64::from(by) * NOTCH_DISTANCE / f64::from(NOTCH);
        if by % NOTCH == 0 {
            self.pointer.axis_source(AxisSource::Wheel);
            self.pointer.axis_discrete(time(), axis, distance, by / NOTCH);
        } else {
            // Programs count a wheel in whole notches: what turns by less is none to them.
            self.pointer.axis_source(AxisSource::Continuous);
            self.pointer.axis(time(), axis, distance);
        }
        self.pointer.frame();
    }
}

impl Injector for WaylandInjector {
    fn key(&mut self, key: Key, pressed: bool) -> Result<(), SourceError> {
        let Some(code) = evdev_code(key) else {
            tracing::debug!(?key, "Linux knows no such key");
            return Ok(());
        };
        self.follow_layout()?;
        for step in self.layout.turn(code, pressed) {
            match step {
                Step::Key { code, is_down } => self.keyboard.key(time(), code, key_state(is_down)),
                Step::Modifiers { pressed, latched, locked, group } => {
                    self.keyboard.modifiers(pressed, latched, locked, group);
                }
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), SourceError> {
        let keyboard = self.text.get_or_insert_with(|| {
            self.keyboards.create_virtual_keyboard(&self.seat, &self.link.handle(), ())
        });
        let text: Vec<char> = text.chars().collect();
        let mut rest = text.as_slice();
        while !rest.is_empty() {
            let (layout, keys) = for_text(rest);
            // Each time anew, since a compositor that is configured anew gives all keyboards its own layout.
            give_layout(keyboard, layout.as_bytes())?;
            let code = |character| keys.iter().find(|(other, _)| *other == character).map(|(_, code)| *code);
            let mut typed = 0;
            for code in rest.iter().map_while(|&character| code(character)) {
                keyboard.key(time(), code, key_state(true));
                keyboard.key(time(), code, key_state(false));
                typed += 1;
            }
            rest = &rest[typed..];
            // Each layout is an open file until it is sent.
            self.link.flush()?;
        }
        Ok(())
    }

    fn move_by(&mut self, dx: i32, dy: i32) -> Result<(), SourceError> {
        self.pointer.motion(time(), dx.into(), dy.into());
        self.pointer.frame();
        Ok(())
    }

    fn move_to(&mut self, position: Position) -> Result<(), SourceError> {
        let size = self.output_size().unwrap_or(Size::new(END + 1, END + 1));
        // Two units a pixel, so that its middle has a number.
        let middle = |place: u16, pixels: u32| (u32::from(place) * (pixels - 1) + END / 2) / END * 2 + 1;
        let (x, y) = (middle(position.x, size.width), middle(position.y, size.height));
        self.pointer.motion_absolute(time(), x, y, size.width * 2, size.height * 2);
        self.pointer.frame();
        Ok(())
    }

    fn button(&mut self, button: Button, pressed: bool) -> Result<(), SourceError> {
        // Source: linux/input-event-codes.h; a mouse calls its buttons at the side so.
        let code = match button {
            Button::Left => 0x110,
            Button::Right => 0x111,
            Button::Middle => 0x112,
            Button::Back => 0x113,
            Button::Forward => 0x114,
        };
        let state = if pressed { ButtonState::Pressed } else { ButtonState::Released };
        self.pointer.button(time(), code, state);
        self.pointer.frame();
        Ok(())
    }

    fn scroll(&mut self, x: i32, y: i32) -> Result<(), SourceError> {
        self.turn(Axis::HorizontalScroll, x);
        self.turn(Axis::VerticalScroll, y);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SourceError> {
        self.link.flush()
    }
}

impl Drop for WaylandInjector {
    fn drop(&mut self) {
        // A compositor that finds a client gone does not look at what it sent last.
        let _ = self.link.round_trip();
    }
}

/// Gives a virtual keyboard a layout.
fn give_layout(keyboard: &ZwpVirtualKeyboardV1, description: &[u8]) -> Result<(), SourceError> {
    let share = || -> io::Result<(File, u32)> {
        let mut file = File::from(memfd_create("pf-layout", MemfdFlags::CLOEXEC)?);
        file.write_all(description)?;
        // Compositors take it for a string of C's.
        file.write_all(&[0])?;
        Ok((file, description.len() as u32 + 1))
    };
    let (file, length) = share().map_err(SourceError::system("cannot describe a keyboard layout"))?;
    keyboard.keymap(KeymapFormat::XkbV1.into(), file.as_fd(), length);
    Ok(())
}

/// The description of a layout that the compositor shares; `None` when it cannot be had.
fn read_layout(file: OwnedFd, length: u32) -> Option<Vec<u8>> {
    let mut description = vec![0; length.min(MOST_LAYOUT) as usize];
    // At its place, since the compositor may share one file with all programs.
    File::from(file).read_exact_at(&mut description, 0).ok()?;
    let end = description.iter().position(|&byte| byte == 0).unwrap_or(description.len());
    description.truncate(end);
    Some(description)
}

impl Dispatch<WlSeat, ()> for Desk<Ears> {
    fn event(
        desk: &mut Self,
        seat: &WlSeat,
        event: wl_seat::Event,
        (): &(),
        _: &Connection,
        handle: &QueueHandle<Self>,
    ) {
        let wl_seat::Event::Capabilities { capabilities: WEnum::Value(capabilities) } = event else { return };
        let keyboard = &mut desk.own.keyboard;
        if !capabilities.contains(Capability::Keyboard) {
            if let Some(keyboard) = keyboard.take().filter(|keyboard| keyboard.version() >= 3) {
                keyboard.release();
            }
        } else if keyboard.is_none() {
            *keyboard = Some(seat.get_keyboard(handle, ()));
        }
    }
}

impl Dispatch<WlKeyboard, ()> for Desk<Ears> {
    fn event(
        desk: &mut Self,
        _: &WlKeyboard,
        event: wl_keyboard::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let wl_keyboard::Event::Keymap { format: WEnum::Value(KeymapFormat::XkbV1), fd, size } = event
            && let Some(layout) = read_layout(fd, size).filter(|layout| !is_for_text(layout))
        {
            desk.own.layout = Some(layout);
        }
    }
}

delegate_noop!(Desk<Ears>: ZwpVirtualKeyboardManagerV1);
delegate_noop!(Desk<Ears>: ZwpVirtualKeyboardV1);
delegate_noop!(Desk<Ears>: ZwlrVirtualPointerManagerV1);
delegate_noop!(Desk<Ears>: ZwlrVirtualPointerV1);

fn key_state(is_down: bool) -> u32 {
    if is_down { KeyState::Pressed } else { KeyState::Released }.into()
}

/// The time as events have it: milliseconds of the monotonic clock, which wrap.
fn time() -> u32 {
    let clock = clock_gettime(ClockId::Monotonic);
    Duration::new(clock.tv_sec.cast_unsigned(), clock.tv_nsec as u32).as_millis() as u32
}

/// How far a wheel that turns by a notch scrolls, in the unit of pointer motion: what wlroots and Weston take for it.
const NOTCH_DISTANCE: f64 = 15.0;

/// The place of the lower or right edge.
const END: u32 = u16::MAX as u32;

/// More than the description of any layout has; those of today are 60 kB.
const MOST_LAYOUT: u32 = 1024 * 1024;
