//! Keys and pointer of an X display, moved by XTest.
//!
//! XTest stands for a keyboard and a mouse of the display's own: programs cannot tell its events from those of a person
//! who sits there. The server does not let go of what is held when its client goes away, which is why this must be told of
//! every release.

use std::os::unix::net::UnixStream;

use pf_media::picture::Size;
use pf_proto::input::{Button, Key, Position};
use x11rb::connection::{Connection as _, RequestConnection as _};
use x11rb::protocol::Event;
use x11rb::protocol::xinput::{self, ConnectionExt as _, XIChangePropertyAux};
use x11rb::protocol::xproto::{
    AtomEnum, BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ChangeWindowAttributesAux, ConnectionExt as _,
    EventMask, KEY_PRESS_EVENT, KEY_RELEASE_EVENT, Keycode, MOTION_NOTIFY_EVENT, PropMode, Window,
};
use x11rb::protocol::xtest::{self, ConnectionExt as _};

use super::link::{Link, LinkError};
use super::typing::Typing;
use crate::input::{Injector, Notches, evdev_code};
use crate::{SourceError, Stop};

/// The keyboard and pointer of an X display.
pub(crate) struct X11Injector {
    link: Link,
    root: Window,
    size: Size,
    wheels: [Notches; 2],
    typing: Typing,
}

impl X11Injector {
    /// Takes those of the display that `display` or else `$DISPLAY` names.
    pub(super) fn open(display: Option<&str>, stop: &Stop) -> Result<Self, SourceError> {
        Self::start(Link::named(display, stop)?)
    }

    /// Takes those of the display behind a Unix socket that lets in who knows the cookie.
    pub(crate) fn open_private(socket: UnixStream, cookie: &[u8], stop: &Stop) -> Result<Self, SourceError> {
        Self::start(Link::private(socket, cookie, stop)?)
    }

    fn start(link: Link) -> Result<Self, SourceError> {
        let root = link.screen().root;
        let extension = link.connection.extension_information(xtest::X11_EXTENSION_NAME);
        if extension.map_err(|error| link.lost(error))?.is_none() {
            return Err(SourceError::MissingExtension { extension: xtest::X11_EXTENSION_NAME });
        }
        // Whatever the screen becomes later is told; what it is now comes after that.
        let structure = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
        link.connection.change_window_attributes(root, &structure).map_err(|error| link.lost(error))?;
        steady(&link).map_err(|error| link.lost(error))?;
        let size = link.root_size()?;
        Ok(Self { link, root, size, wheels: [Notches::default(); 2], typing: Typing::default() })
    }

    fn button_number(&self, number: u8, pressed: bool) -> Result<(), SourceError> {
        let kind = if pressed { BUTTON_PRESS_EVENT } else { BUTTON_RELEASE_EVENT };
        self.link.fake(kind, number).map_err(|error| self.link.lost(error))
    }

    fn motion(&self, kind: Motion, x: i16, y: i16) -> Result<(), SourceError> {
        let connection = &self.link.connection;
        connection
            .xtest_fake_input(MOTION_NOTIFY_EVENT, kind as u8, x11rb::CURRENT_TIME, self.root, x, y, 0)
            .map(|_| ())
            .map_err(|error| self.link.lost(error))
    }

    /// Takes in what the server has reported, without waiting.
    fn take_events(&mut self) -> Result<(), SourceError> {
        while let Some(event) =
            self.link.connection.poll_for_event().map_err(|error| self.link.lost(error))?
        {
            match event {
                Event::ConfigureNotify(notify) if notify.window == self.root => {
                    self.size = Size::new(notify.width.into(), notify.height.into());
                }
                Event::Error(error) => tracing::debug!(?error, "the X server refused an input"),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Injector for X11Injector {
    fn key(&mut self, key: Key, pressed: bool) -> Result<(), SourceError> {
        let Some(keycode) = keycode(key) else {
            tracing::debug!(?key, "an X display has no such key");
            return Ok(());
        };
        let kind = if pressed { KEY_PRESS_EVENT } else { KEY_RELEASE_EVENT };
        self.link.fake(kind, keycode).map_err(|error| self.link.lost(error))
    }

    fn text(&mut self, text: &str) -> Result<(), SourceError> {
        self.typing.type_text(&self.link, text)
    }

    fn move_by(&mut self, dx: i32, dy: i32) -> Result<(), SourceError> {
        let [dx, dy] = [dx, dy].map(|by| by.clamp(i16::MIN.into(), i16::MAX.into()) as i16);
        self.motion(Motion::Relative, dx, dy)
    }

    fn move_to(&mut self, position: Position) -> Result<(), SourceError> {
        // The screen may have another size by now.
        self.take_events()?;
        let x = pixel(position.x, self.size.width);
        let y = pixel(position.y, self.size.height);
        self.motion(Motion::Absolute, x, y)
    }

    fn button(&mut self, button: Button, pressed: bool) -> Result<(), SourceError> {
        let number = match button {
            Button::Left => 1,
            Button::Middle => 2,
            Button::Right => 3,
            Button::Back => 8,
            Button::Forward => 9,
        };
        self.button_number(number, pressed)
    }

    fn scroll(&mut self, x: i32, y: i32) -> Result<(), SourceError> {
        for (axis, (by, [less, more])) in [(x, [6, 7]), (y, [4, 5])].into_iter().enumerate() {
            let notches = self.wheels[axis].turn(by);
            let number = if notches < 0 { less } else { more };
            for _ in 0..notches.unsigned_abs() {
                self.button_number(number, true)?;
                self.button_number(number, false)?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SourceError> {
        self.link.connection.flush().map_err(|error| self.link.lost(error))?;
        self.take_events()
    }
}

impl Drop for X11Injector {
    fn drop(&mut self) {
        // A display that is gone has forgotten what was changed in it.
        let _ = self.typing.restore(&self.link);
        // A server that finds the connection closed throws away what came before, so that a key that was just let go of
        // would stay down: it must have answered first.
        let _ = self.link.root_size();
    }
}

impl Link {
    /// Has a key or button go down or up.
    pub(super) fn fake(&self, kind: u8, detail: u8) -> Result<(), LinkError> {
        self.connection.xtest_fake_input(kind, detail, x11rb::CURRENT_TIME, x11rb::NONE, 0, 0, 0)?;
        Ok(())
    }
}

/// Has the server move the pointer by what it is told, and not faster when that is much.
///
/// XTest's mice are accelerated as real ones are; what comes from a client is the motion itself. Only they change.
fn steady(link: &Link) -> Result<(), LinkError> {
    let connection = &link.connection;
    if connection.extension_information(xinput::X11_EXTENSION_NAME)?.is_none() {
        return Ok(());
    }
    connection.xinput_xi_query_version(2, 2)?.reply()?;
    let profile = connection.intern_atom(false, b"Device Accel Profile")?;
    let devices = connection.xinput_xi_query_device(xinput::Device::ALL)?;
    let (profile, devices) = (profile.reply()?.atom, devices.reply()?);
    let mice = devices.infos.iter().filter(|device| device.name.ends_with(b"XTEST pointer"));
    for mouse in mice {
        let none = XIChangePropertyAux::Data32(vec![NO_ACCELERATION]);
        let (mouse, kind) = (mouse.deviceid, AtomEnum::INTEGER.into());
        connection.xinput_xi_change_property(mouse, PropMode::REPLACE, profile, kind, 1, &none)?;
    }
    Ok(())
}

/// The code by which an X server on Linux knows a key.
pub(super) fn keycode(key: Key) -> Option<Keycode> {
    Keycode::try_from(evdev_code(key)? + FROM_EVDEV).ok()
}

/// Where in so many pixels a place is.
fn pixel(place: u16, pixels: u32) -> i16 {
    let last = pixels.saturating_sub(1).min(i16::MAX as u32);
    ((u32::from(place) * last + END / 2) / END) as i16
}

/// What a motion's detail says.
#[derive(Clone, Copy)]
enum Motion {
    Absolute = 0,
    Relative = 1,
}

/// The profile that accelerates nothing: −1. Source: the X server's `ptrveloc.h`.
const NO_ACCELERATION: u32 = u32::MAX;

/// X counts keycodes from 8.
const FROM_EVDEV: u16 = 8;

/// The place of the lower or right edge.
const END: u32 = u16::MAX as u32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edges_of_the_picture_are_the_edges_of_the_screen() {
        assert_eq!((pixel(0, 1920), pixel(u16::MAX, 1920)), (0, 1919));
        assert_eq!((pixel(0, 1), pixel(u16::MAX, 1)), (0, 0));
        assert_eq!(pixel(u16::MAX, 32_768), 32_767);
    }

    /// A client that points at the middle of a pixel means that pixel.
    #[test]
    fn every_pixel_can_be_hit() {
        for size in [2_u32, 640, 1080, 4096] {
            for pixel_wanted in [0, 1, size / 2, size - 1] {
                let place = (pixel_wanted * END + (size - 1) / 2) / (size - 1);
                assert_eq!(u32::from(pixel(place as u16, size).cast_unsigned()), pixel_wanted, "of {size}");
            }
        }
    }

    #[test]
    fn keys_beyond_what_x_can_count_have_no_code() {
        let zoom = Key::from_usage(0x0C_022D).unwrap();
        assert_eq!((evdev_code(zoom), keycode(zoom)), (Some(418), None));
        assert_eq!(keycode(Key::from_usage(0x07_0004).unwrap()), Some(38));
    }
}
