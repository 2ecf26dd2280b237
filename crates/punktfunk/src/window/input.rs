//! What a person does in the window, for the host.
//!
//! Keys go by their place, so that the host's layout counts. The pointer goes to the place in the picture that it is over;
//! or, after a chord, it is the host's altogether: it is hidden and kept in the window, and only its motion counts, as
//! games want it. Whatever takes the keyboard away from the window lets go of everything and gives the pointer back.

use pf_client::input::Controls;
use pf_media::picture::Size;
use pf_proto::input::{Button, Position};
use winit::{
    dpi::PhysicalPosition,
    error::ExternalError,
    event::{ElementState, KeyEvent, MouseButton, MouseScrollDelta},
    keyboard::PhysicalKey,
    window::{CursorGrabMode, Window},
};

use super::paint::Place;
use crate::keys;

/// The keyboard and pointer of a window.
pub(super) struct Input {
    controls: Controls,
    pointer: Pointer,
    /// What is left of motion and wheels that were less than a whole.
    motion: [Rest; 2],
    wheels: [Rest; 2],
}

/// Whose the pointer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pointer {
    /// This machine's: its place counts.
    Free,
    /// The host's: its motion counts.
    Given(Hold),
}

/// How the window keeps a pointer that is the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// It stays where it is.
    Locked,
    /// It is moved back into the middle. An X server that is asked to confine it tells of each motion twice.
    BroughtBack,
}

impl Input {
    /// That of a session.
    pub(super) fn new(controls: Controls) -> Self {
        Self { controls, pointer: Pointer::Free, motion: [Rest::default(); 2], wheels: [Rest::default(); 2] }
    }

    /// What moves the host's keyboard and pointer.
    pub(super) fn controls(&self) -> &Controls {
        &self.controls
    }

    /// A key that is not for the window itself.
    pub(super) fn key(&self, event: &KeyEvent) {
        let pressed = event.state == ElementState::Pressed;
        let place = if let PhysicalKey::Code(place) = event.physical_key { keys::at(place) } else { None };
        match (place, &event.text) {
            // The host repeats by itself; and the letter of a chord, which it did not get, repeats, too.
            (Some(_), _) if event.repeat => {}
            (Some(key), _) => self.controls.key(key, pressed),
            // No place that a host knows, such as what an input method makes up: what it types still counts.
            (None, Some(text)) if pressed => self.controls.text(text),
            (None, _) => {}
        }
    }

    /// The pointer is over this pixel of a window of the size `room`, which shows a picture of the size `picture`.
    pub(super) fn pointed(&self, at: PhysicalPosition<f64>, picture: Size, room: Size, window: &Window) {
        match self.pointer {
            Pointer::Free => self.controls.move_to(place_in(at, Place::of(picture, room))),
            Pointer::Given(_) if is_amid(at, room) => {}
            Pointer::Given(_) => self.strayed(window),
        }
    }

    /// The pointer is near an edge of the window, or beyond.
    pub(super) fn strayed(&self, window: &Window) {
        if self.pointer == Pointer::Given(Hold::BroughtBack)
            && let Err(error) = bring_back(window)
        {
            tracing::debug!(%error, "the pointer may leave the window");
        }
    }

    /// The mouse was moved by so much, wherever the pointer is.
    pub(super) fn moved(&mut self, (dx, dy): (f64, f64)) {
        if self.pointer != Pointer::Free {
            let [x, y] = &mut self.motion;
            let (dx, dy) = (x.whole(dx), y.whole(dy));
            if (dx, dy) != (0, 0) {
                self.controls.move_by(dx, dy);
            }
        }
    }

    pub(super) fn button(&self, button: MouseButton, state: ElementState) {
        let button = match button {
            MouseButton::Left => Button::Left,
            MouseButton::Right => Button::Right,
            MouseButton::Middle => Button::Middle,
            MouseButton::Back => Button::Back,
            MouseButton::Forward => Button::Forward,
            MouseButton::Other(_) => return,
        };
        self.controls.button(button, state == ElementState::Pressed);
    }

    /// The wheels were turned; `scale` says how many pixels a point has.
    pub(super) fn wheel(&mut self, delta: MouseScrollDelta, scale: f64) {
        // winit counts how far the content moves, right and down, which is against the wheel.
        let (right, down) = match delta {
            MouseScrollDelta::LineDelta(x, y) => (-f64::from(x) * NOTCH, -f64::from(y) * NOTCH),
            MouseScrollDelta::PixelDelta(by) => {
                let notch = NOTCH / (POINTS_OF_A_NOTCH * scale);
                (-by.x * notch, -by.y * notch)
            }
        };
        let [x, y] = &mut self.wheels;
        let (right, down) = (x.whole(right), y.whole(down));
        if (right, down) != (0, 0) {
            self.controls.scroll(right, down);
        }
    }

    /// Gives the pointer to the host, or takes it back. Whether it is the host's now.
    pub(super) fn toggle_pointer(&mut self, window: &Window) -> bool {
        match self.pointer {
            Pointer::Free => self.give_pointer(window),
            Pointer::Given(_) => self.take_pointer(window),
        }
        self.pointer != Pointer::Free
    }

    /// The window no longer has the keyboard. The pointer is this machine's again.
    pub(super) fn leave(&mut self, window: &Window) {
        self.controls.release_all();
        self.take_pointer(window);
    }

    fn give_pointer(&mut self, window: &Window) {
        let hold = if window.set_cursor_grab(CursorGrabMode::Locked).is_ok() {
            Hold::Locked
        } else {
            if let Err(error) = bring_back(window) {
                tracing::error!(%error, "the pointer cannot be given to the host");
                return;
            }
            Hold::BroughtBack
        };
        window.set_cursor_visible(false);
        self.pointer = Pointer::Given(hold);
    }

    fn take_pointer(&mut self, window: &Window) {
        if self.pointer != Pointer::Free {
            // A window that is going gives it back by itself.
            let _ = window.set_cursor_grab(CursorGrabMode::None);
            window.set_cursor_visible(true);
            self.pointer = Pointer::Free;
        }
    }
}

/// Moves the pointer into the middle of the window. Its motion is told from the mouse, which did not move.
fn bring_back(window: &Window) -> Result<(), ExternalError> {
    let room = window.inner_size();
    window.set_cursor_position(PhysicalPosition::new(room.width / 2, room.height / 2))
}

/// Whether a pixel lies in the middle half of the window, both ways.
fn is_amid(at: PhysicalPosition<f64>, room: Size) -> bool {
    let is_amid = |at: f64, side: u32| (at / f64::from(side.max(1)) - 0.5).abs() <= 0.25;
    is_amid(at.x, room.width) && is_amid(at.y, room.height)
}

/// Where in the picture a pixel of the window is; beside it, the nearest place in it.
fn place_in(at: PhysicalPosition<f64>, place: Place) -> Position {
    let along = |at: f64, start: u32, length: u32| {
        let last = f64::from(length.saturating_sub(1)).max(1.0);
        let fraction = (at.floor() - f64::from(start)) / last;
        (fraction.clamp(0.0, 1.0) * f64::from(u16::MAX)).round() as u16
    };
    Position { x: along(at.x, place.left, place.size.width), y: along(at.y, place.top, place.size.height) }
}

/// What is left of a count of which only wholes are told.
#[derive(Clone, Copy, Debug, Default)]
struct Rest(f64);

impl Rest {
    /// Adds to the count, and takes the whole of it out.
    fn whole(&mut self, by: f64) -> i32 {
        // A device that tells nonsense moves nothing.
        self.0 += if by.is_finite() { by } else { 0.0 };
        let whole = self.0.trunc();
        self.0 -= whole;
        whole as i32
    }
}

/// A notch of a wheel on the wire.
const NOTCH: f64 = 120.0;

/// How far a notch scrolls where a touchpad tells of distances: three lines.
const POINTS_OF_A_NOTCH: f64 = 50.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f64, y: f64) -> PhysicalPosition<f64> {
        PhysicalPosition::new(x, y)
    }

    #[test]
    fn the_pointer_is_where_the_picture_is_under_it() {
        // A picture of 4:3 in the middle of a wide window.
        let place = Place { left: 100, top: 0, size: Size::new(401, 301) };
        let position = |x, y| {
            let Position { x, y } = place_in(at(x, y), place);
            (x, y)
        };
        assert_eq!(position(100.0, 0.0), (0, 0));
        assert_eq!(position(500.9, 300.9), (u16::MAX, u16::MAX));
        assert_eq!(position(300.0, 150.0), (32_768, 32_768));
        assert_eq!(position(0.0, -5.0), (0, 0), "beside the picture");
        assert_eq!(position(900.0, 900.0), (u16::MAX, u16::MAX), "beside the picture");
    }

    /// Nearer to an edge, a quick hand would leave the window.
    #[test]
    fn the_pointer_is_amid_the_window_in_its_middle_half() {
        let room = Size::new(400, 200);
        assert!(
            [(100.0, 50.0), (200.0, 100.0), (300.0, 150.0)].iter().all(|(x, y)| is_amid(at(*x, *y), room))
        );
        assert!(
            [(99.0, 100.0), (301.0, 100.0), (200.0, 49.0)].iter().all(|(x, y)| !is_amid(at(*x, *y), room))
        );
        assert!(!is_amid(at(5.0, 5.0), Size::new(0, 0)));
    }

    #[test]
    fn a_picture_of_one_pixel_has_one_place() {
        let place = Place { left: 0, top: 0, size: Size::new(1, 1) };
        assert_eq!(place_in(at(0.5, 0.5), place), Position { x: 0, y: 0 });
    }

    /// Slow motion comes in parts of a pixel; thrown away, it would be none at all.
    #[test]
    fn parts_add_up_and_nonsense_adds_nothing() {
        let mut rest = Rest::default();
        assert_eq!([0.4, 0.4, 0.4, -0.4, -1.0].map(|by| rest.whole(by)), [0, 0, 1, 0, -1]);
        assert_eq!(rest.whole(f64::NAN), 0);
        assert_eq!([0.4, 0.9].map(|by| rest.whole(by)), [0, 1]);
    }
}
