//! The keyboard of an X server, by an active grab.
//!
//! winit reads keys as the core protocol tells them, and for its own connection alone. So that is where the grab is made,
//! and by that protocol: keys then come through winit as ever. While it holds, no other program's key bindings count. It
//! ends with the connection, at the latest.
//!
//! A server tells of a grab as if the focus went away from the window and came back, when it begins and when it ends. winit
//! does not look at why, and would say that the window lost the keyboard. So for these moments the window does not listen for
//! the focus. Other programs are held off until it does again: a real change is told.

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
    connection::Connection as _,
    errors::ReplyError,
    protocol::{
        xinput::{ConnectionExt as _, EventMask, XIEventMask},
        xproto::{self, ConnectionExt as _, GrabMode, GrabStatus},
    },
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
        self.without_focus_events(|| {
            // What winit said of it may be no longer so; a grab would take the keys of whoever has it now.
            if self.connection.get_input_focus()?.reply()?.focus != self.window {
                return Ok(Outcome::Refused);
            }
            let (mode, owner_events) = (GrabMode::ASYNC, true);
            let grab = self.connection.grab_keyboard(owner_events, self.window, CURRENT_TIME, mode, mode)?;
            Ok(match grab.reply()?.status {
                GrabStatus::SUCCESS => Outcome::Held,
                _ => Outcome::Busy,
            })
        })
    }

    /// Gives the keyboard back.
    pub(super) fn release(&self) {
        let released = self.without_focus_events(|| self.connection.ungrab_keyboard(CURRENT_TIME)?.check());
        if let Err(error) = released {
            // It went with the connection, then.
            tracing::debug!(%error, "the keyboard could not be given back");
        }
    }

    /// Does what the server tells of as a change of focus, with nobody there to hear it.
    fn without_focus_events<T>(&self, act: impl FnOnce() -> Result<T, ReplyError>) -> Result<T, ReplyError> {
        self.connection.grab_server()?.ignore_error();
        let done = self.select_less(act);
        self.connection.ungrab_server()?.ignore_error();
        self.connection.flush()?;
        done
    }

    /// Does something while no events of the focus are selected.
    fn select_less<T>(&self, act: impl FnOnce() -> Result<T, ReplyError>) -> Result<T, ReplyError> {
        let selected = self.connection.xinput_xi_get_selected_events(self.window)?.reply()?.masks;
        self.select(&selected.iter().map(without_focus).collect::<Vec<_>>())?;
        let done = act();
        self.select(&selected)?;
        done
    }

    fn select(&self, masks: &[EventMask]) -> Result<(), ReplyError> {
        if masks.is_empty() {
            return Ok(());
        }
        self.connection.xinput_xi_select_events(self.window, masks)?.check()
    }
}

/// The same events, but those of the focus.
fn without_focus(selected: &EventMask) -> EventMask {
    let focus = u32::from(XIEventMask::FOCUS_IN | XIEventMask::FOCUS_OUT);
    let others = |mask: &XIEventMask| XIEventMask::from(u32::from(*mask) & !focus);
    EventMask { deviceid: selected.deviceid, mask: selected.mask.iter().map(others).collect() }
}
