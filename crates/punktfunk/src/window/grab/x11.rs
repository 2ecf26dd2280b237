//! The keyboard of an X server, by an active grab.
//!
//! winit reads keys as the core protocol tells them, and for its own connection alone. So that is where the grab is made,
//! and by that protocol: keys then come through winit as ever. While it holds, no other program's key bindings count. It
//! ends with the connection, at the latest.
//!
//! A server tells of a grab as of a change of focus to the grab's window. winit listens for the focus as the input extension
//! tells it, and there it is none while the window has the focus already. Where it has not, winit takes the grab for the
//! focus itself: such a grab is given back at once.

#![expect(unsafe_code, reason = "winit hands its connection out as a pointer")]

use std::rc::Rc;

use winit::{
    raw_window_handle::{
        HandleError, HasDisplayHandle as _, HasWindowHandle as _, RawDisplayHandle, RawWindowHandle,
    },
    window::Window,
};
use x11_dl::xlib_xcb::Xlib_xcb;
use x11rb::{
    CURRENT_TIME,
    cookie::VoidCookie,
    errors::ReplyError,
    protocol::xproto::{self, ConnectionExt as _, GrabMode, GrabStatus},
    xcb_ffi::{XCBConnection, load_libxcb},
};

use super::{Unwilling, hold::Outcome};

/// The keyboard of a window's X server.
pub(super) struct Keyboard {
    /// winit's own.
    connection: XCBConnection,
    window: xproto::Window,
    /// Keeps the connection open. It comes last: it is dropped after what uses that.
    _window: Rc<Window>,
}

impl Keyboard {
    /// That of a window.
    pub(super) fn open(window: &Rc<Window>) -> Result<Self, Unwilling> {
        let (RawDisplayHandle::Xlib(display), RawWindowHandle::Xlib(handle)) =
            (window.display_handle()?.as_raw(), window.window_handle()?.as_raw())
        else {
            return Err(HandleError::NotSupported.into());
        };
        let display = display.display.ok_or(HandleError::Unavailable)?;
        load_libxcb()?;
        let library = Xlib_xcb::open()?;
        // SAFETY: `display` is Xlib's, open, and stays so while `window` is there.
        let connection = unsafe { (library.XGetXCBConnection)(display.as_ptr().cast()) };
        // SAFETY: it is Xlib's own connection, which is open for as long as the display is; `_window` sees to that. It is
        // Xlib who closes it, as `false` says.
        let connection = unsafe { XCBConnection::from_raw_xcb_connection(connection, false) }?;
        Ok(Self { connection, window: handle.window as xproto::Window, _window: Rc::clone(window) })
    }

    /// Takes the keyboard, if the window has the focus.
    pub(super) fn take(&self) -> Result<Outcome, ReplyError> {
        // What winit said of it may be no longer so, and the keys are whose it is now.
        if !self.has_focus()? {
            return Ok(Outcome::Refused);
        }
        let (mode, owner_events) = (GrabMode::ASYNC, true);
        let grab = self.connection.grab_keyboard(owner_events, self.window, CURRENT_TIME, mode, mode)?;
        if grab.reply()?.status != GrabStatus::SUCCESS {
            return Ok(Outcome::Busy);
        }
        // It may have gone meanwhile. From here on its loss is heard of.
        if !self.has_focus()? {
            self.connection.ungrab_keyboard(CURRENT_TIME)?.check()?;
            return Ok(Outcome::Refused);
        }
        Ok(Outcome::Held)
    }

    fn has_focus(&self) -> Result<bool, ReplyError> {
        Ok(self.connection.get_input_focus()?.reply()?.focus == self.window)
    }

    /// Gives the keyboard back.
    pub(super) fn release(&self) {
        let released = self.connection.ungrab_keyboard(CURRENT_TIME).map_err(ReplyError::from);
        if let Err(error) = released.and_then(VoidCookie::check) {
            // It went with the connection, then.
            tracing::debug!(%error, "the keyboard could not be given back");
        }
    }
}
