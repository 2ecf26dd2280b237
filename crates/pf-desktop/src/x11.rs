//! Mirrors a running X display.
//!
//! A picture is taken when something changed: the server reports drawing (XDamage), another pointer shape
//! (XFixes), pointer motion (XI2 raw events) and another screen size (the root window's
//! `ConfigureNotify`, which RandR sends). In between the source sleeps in `poll`; it polls the server for
//! nothing. One exception: a program that *warps* the pointer causes no motion event, so that the pointer is
//! also looked up, in one short round trip, before a deadline passes without a picture.
//!
//! Damage is asked for in its sparsest form, one event from the first change on until it is reset. The reset
//! goes out just before the request for the pixels: what is drawn earlier is in the picture, what is drawn
//! later makes a new event, and nothing is lost between.
//!
//! The whole screen is fetched each time, straight into memory shared with the server (MIT-SHM), and the
//! pointer is painted over it there. That costs about 1 ms at 720p, and the encoder looks at every pixel
//! anyway.

mod cursor;
mod grab;
mod link;
mod mapping;

use std::num::NonZeroU32;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use pf_media::picture::{Bgrx, Size};
use x11rb::connection::{Connection as _, RequestConnection as _};
use x11rb::errors::ReplyError;
use x11rb::protocol::Event;
use x11rb::protocol::damage::{self, ConnectionExt as _, Damage, ReportLevel};
use x11rb::protocol::xfixes::{self, ConnectionExt as _, CursorNotifyMask};
use x11rb::protocol::xinput::{self, ConnectionExt as _, EventMask as DeviceEvents, XIEventMask};
use x11rb::protocol::xproto::{ChangeWindowAttributesAux, ConnectionExt as _, EventMask, Window};

use self::cursor::CursorImage;
use self::grab::Grab;
use self::link::{Link, LinkError};
use crate::pace::Pace;
use crate::stop::Wake;
use crate::{Picture, Source, SourceError, Stop};

/// A mirrored X display.
pub struct X11Source {
    link: Link,
    root: Window,
    damage: Damage,
    grab: Grab,
    pace: Pace,
    /// Whether there is something to see that no picture has shown yet.
    stale: bool,
    cursor: Cursor,
}

/// What is known of the pointer.
#[derive(Default)]
struct Cursor {
    image: Option<CursorImage>,
    /// Whether `image` is the current shape.
    is_current: bool,
    /// Where it was painted last; `None` while it is on another screen.
    position: Option<(i32, i32)>,
}

impl X11Source {
    /// Mirrors the display that `display` or else `$DISPLAY` names, at most `fps` times a second.
    pub fn open(display: Option<&str>, fps: NonZeroU32, stop: &Stop) -> Result<Self, SourceError> {
        Self::start(Link::named(display, stop)?, fps)
    }

    /// Mirrors the display behind a Unix socket that lets in who knows the cookie.
    pub(crate) fn open_private(
        socket: UnixStream,
        cookie: &[u8],
        fps: NonZeroU32,
        stop: &Stop,
    ) -> Result<Self, SourceError> {
        Self::start(Link::private(socket, cookie, stop)?, fps)
    }

    /// Whether the X server writes pictures straight into this process's memory.
    ///
    /// Else every pixel goes through the connection, which takes about ten times as long.
    pub fn is_shared(&self) -> bool {
        self.grab.is_shared()
    }

    fn start(link: Link, fps: NonZeroU32) -> Result<Self, SourceError> {
        check(&link)?;
        let root = link.screen().root;
        let damage = watch(&link).map_err(|error| link.lost(error))?;
        let size = streamable(link.root_size()?)?;
        let grab = Grab::new(&link, size).map_err(|error| link.lost(error))?;
        let pace = Pace::new(fps);
        let mut source = Self { link, root, damage, grab, pace, stale: true, cursor: Cursor::default() };
        // What has been reported so far, such as that everything is new, is in the first picture.
        source.take_events()?;
        source.stale = true;
        Ok(source)
    }

    /// Waits for something new and for its turn; whether both came before `deadline`.
    fn await_change(&mut self, deadline: Instant) -> Result<bool, SourceError> {
        loop {
            self.take_events()?;
            if self.stale {
                let due = self.pace.due(Instant::now());
                self.link.stop().sleep_until(due.min(deadline))?;
                return Ok(due <= Instant::now());
            }
            self.link.connection.flush().map_err(|error| self.link.lost(error))?;
            match self.link.stop().wait(Some(self.link.readable()), Some(deadline)) {
                Ok(Wake::Ready) => {}
                Ok(Wake::Stopped) => return Err(SourceError::Stopped),
                Ok(Wake::Deadline) if self.pointer_moved()? => self.stale = true,
                Ok(Wake::Deadline) => return Ok(false),
                Err(error) => return Err(self.link.lost(error)),
            }
        }
    }

    /// Takes in what the server has reported, without waiting.
    fn take_events(&mut self) -> Result<(), SourceError> {
        while let Some(event) =
            self.link.connection.poll_for_event().map_err(|error| self.link.lost(error))?
        {
            match event {
                Event::DamageNotify(_) | Event::XinputRawMotion(_) => self.stale = true,
                Event::XfixesCursorNotify(_) => {
                    self.cursor.is_current = false;
                    self.stale = true;
                }
                Event::ConfigureNotify(notify) if notify.window == self.root => {
                    self.resize(Size::new(notify.width.into(), notify.height.into()))?;
                }
                Event::Error(error) => tracing::debug!(?error, "the X server refused a request"),
                _ => {}
            }
        }
        Ok(())
    }

    fn resize(&mut self, size: Size) -> Result<(), SourceError> {
        if size != self.grab.size() {
            let grab = Grab::new(&self.link, streamable(size)?).map_err(|error| self.link.lost(error))?;
            let old = std::mem::replace(&mut self.grab, grab);
            old.release(&self.link).map_err(|error| self.link.lost(error))?;
        }
        self.stale = true;
        Ok(())
    }

    /// Whether the pointer is elsewhere than in the last picture.
    fn pointer_moved(&self) -> Result<bool, SourceError> {
        let query = || -> Result<_, ReplyError> { self.link.connection.query_pointer(self.root)?.reply() };
        let pointer = query().map_err(|error| self.link.lost(error))?;
        let position = pointer.same_screen.then_some((pointer.root_x.into(), pointer.root_y.into()));
        Ok(position != self.cursor.position)
    }

    /// Fetches pixels and pointer, following the screen if it shrinks at this very moment.
    fn capture(&mut self) -> Result<(), SourceError> {
        let mut refusals = 0;
        loop {
            match self.fetch() {
                Ok(()) => return Ok(()),
                // By now the screen may even have grown back: the size alone does not tell why.
                Err(ReplyError::X11Error(_)) if refusals < MAX_REFUSALS => {
                    refusals += 1;
                    self.resize(self.link.root_size()?)?;
                }
                Err(error) => return Err(self.link.lost(error)),
            }
        }
    }

    /// One round trip: resets the damage, then asks for pointer, its shape if that is new, and pixels.
    fn fetch(&mut self) -> Result<(), ReplyError> {
        let connection = &self.link.connection;
        connection.damage_subtract(self.damage, x11rb::NONE, x11rb::NONE)?;
        let pointer = connection.query_pointer(self.root)?;
        let shape = if self.cursor.is_current { None } else { Some(connection.xfixes_get_cursor_image()?) };
        self.grab.fetch(&self.link, self.root)?;
        if let Some(shape) = shape {
            // A screen that has no pointer yet answers with an error.
            self.cursor.image = match shape.reply() {
                Ok(reply) => CursorImage::new(reply),
                Err(ReplyError::X11Error(_)) => None,
                Err(error) => return Err(error),
            };
            self.cursor.is_current = true;
        }
        let pointer = pointer.reply()?;
        self.cursor.position = pointer.same_screen.then_some((pointer.root_x.into(), pointer.root_y.into()));
        Ok(())
    }
}

impl Source for X11Source {
    fn size(&self) -> Size {
        self.grab.size()
    }

    fn next_picture(&mut self, deadline: Instant) -> Result<Option<Picture<'_>>, SourceError> {
        if !self.await_change(deadline)? {
            return Ok(None);
        }
        let captured = Instant::now();
        self.pace.taken(captured);
        self.stale = false;
        self.capture()?;
        let size = self.grab.size();
        let pixels = self.grab.pixels();
        if let Cursor { image: Some(image), position: Some(position), .. } = &self.cursor {
            image.draw(pixels, size, *position);
        }
        let pixels = Bgrx::new(size, size.width as usize * 4, pixels).ok_or_else(|| SourceError::Lost {
            reason: "the X server sent fewer pixels than the screen has".to_owned(),
        })?;
        Ok(Some(Picture { pixels, captured }))
    }
}

/// Whether a display answers and can be mirrored; its name if so.
pub(crate) fn probe(display: Option<&str>, stop: &Stop) -> Result<String, SourceError> {
    let link = Link::named(display, stop)?;
    check(&link)?;
    streamable(link.root_size()?)?;
    Ok(link::display_name(display))
}

/// Whether the server has the pixels and extensions that mirroring needs.
fn check(link: &Link) -> Result<(), SourceError> {
    link.check_pixels()?;
    for extension in [xfixes::X11_EXTENSION_NAME, damage::X11_EXTENSION_NAME] {
        let information = link.connection.extension_information(extension);
        if information.map_err(|error| link.lost(error))?.is_none() {
            return Err(SourceError::MissingExtension { extension });
        }
    }
    Ok(())
}

/// Asks for every event that tells of something new to see.
fn watch(link: &Link) -> Result<Damage, LinkError> {
    let (connection, root) = (&link.connection, link.screen().root);
    // An extension serves only clients that have told their version.
    connection.xfixes_query_version(5, 0)?.reply()?;
    connection.damage_query_version(1, 1)?.reply()?;

    let structure = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
    connection.change_window_attributes(root, &structure)?;
    connection.xfixes_select_cursor_input(root, CursorNotifyMask::DISPLAY_CURSOR)?;
    if connection.extension_information(xinput::X11_EXTENSION_NAME)?.is_some() {
        connection.xinput_xi_query_version(2, 2)?.reply()?;
        let motion =
            DeviceEvents { deviceid: xinput::Device::ALL_MASTER.into(), mask: vec![XIEventMask::RAW_MOTION] };
        connection.xinput_xi_select_events(root, &[motion])?;
    }
    let damage = connection.generate_id()?;
    connection.damage_create(damage, root, ReportLevel::NON_EMPTY)?.check()?;
    Ok(damage)
}

fn streamable(size: Size) -> Result<Size, SourceError> {
    if size.is_streamable() { Ok(size) } else { Err(SourceError::UnstreamableSize { size }) }
}

/// How often a display may refuse to hand out its pixels before it counts as lost.
///
/// It does so when the screen shrinks just before the request, which is rare enough once.
const MAX_REFUSALS: u32 = 10;
