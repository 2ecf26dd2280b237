//! Mirrors a running X display.
//!
//! A picture is taken when something changed: the server reports drawing (XDamage), another pointer shape
//! (XFixes), pointer motion (XI2 raw events) and another screen size (the root window's
//! `ConfigureNotify`, which RandR sends). In between the source sleeps in `poll`; it polls the server for
//! nothing. One exception: a program that *warps* the pointer causes no motion event, so that the pointer is
//! also looked up, in one short round trip, before a deadline passes without a picture.
//!
//! The server reports each rectangle that is drawn on for the first time since the last reset (see [`reports`]). The
//! reset goes out just before the requests for the pixels: what is drawn earlier is in the
//! picture, what is drawn later makes a new event, and nothing is lost between. What was drawn before the reset
//! and reported too late to be asked for is known by its event's sequence number, and fetched in a second round.
//!
//! Only the rows that were drawn on are fetched, straight into memory shared with the server (MIT-SHM): whole rows,
//! because the server packs what it hands out, and only whole rows of the picture lie there as they do in it. The
//! pointer is painted over it there, and taken off again before the next picture. A pointer that moves costs no pixels.

mod cursor;
mod grab;
mod injector;
mod link;
mod randr;
mod reports;
mod typing;
mod xwayland;

use std::num::NonZeroU32;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use pf_media::picture::{Bgrx, Size};
use x11rb::connection::{Connection as _, RequestConnection as _, SequenceNumber};
use x11rb::errors::ReplyError;
use x11rb::protocol::Event;
use x11rb::protocol::damage::{self, ConnectionExt as _};
use x11rb::protocol::xfixes::{self, ConnectionExt as _, CursorNotifyMask};
use x11rb::protocol::xinput::{self, ConnectionExt as _, EventMask as DeviceEvents, XIEventMask};
use x11rb::protocol::xproto::{ChangeWindowAttributesAux, ConnectionExt as _, EventMask, Window};

use self::cursor::{Covered, CursorImage};
use self::grab::Grab;
pub(crate) use self::injector::X11Injector;
use self::link::{Link, LinkError};
use self::reports::Reports;
use crate::input::Seat;
use crate::pace::Pace;
use crate::stop::Wake;
use crate::{Picture, Rows, Sizing, Source, SourceError, Stop};

/// A mirrored X display.
pub struct X11Source {
    link: Link,
    root: Window,
    reports: Reports,
    grab: Grab,
    pace: Pace,
    /// Whether there may be something to see that no picture has shown yet.
    stale: bool,
    /// The rows that were drawn on, and not fetched since.
    drawn: Rows,
    /// Where the picture differs from the one before it.
    changed: Rows,
    cursor: Cursor,
    /// Unknown where whoever opened this knows it.
    seat: Option<Seat>,
}

/// What is known of the pointer.
#[derive(Default)]
struct Cursor {
    image: Option<CursorImage>,
    /// Whether `image` is the current shape.
    is_current: bool,
    /// Where it was last; `None` while it is on another screen.
    position: Option<(i32, i32)>,
    /// Whether the shape is another one than in the last picture.
    is_reshaped: bool,
    /// What it covers of the picture.
    covered: Option<Covered>,
}

impl X11Source {
    /// Mirrors the display that `display` or else `$DISPLAY` names, at most `fps` times a second.
    pub fn open(display: Option<&str>, fps: NonZeroU32, stop: &Stop) -> Result<Self, SourceError> {
        let mut source = Self::start(Link::named(display, stop)?, fps)?;
        let display = display.map(str::to_owned);
        let seat = Seat::new(move |stop| Ok(Box::new(X11Injector::open(display.as_deref(), stop)?)));
        source.seat = Some(seat);
        Ok(source)
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
        watch(&link).map_err(|error| link.lost(error))?;
        let reports = Reports::start(&link, root).map_err(|error| link.lost(error))?;
        let size = streamable(link.root_size()?)?;
        let grab = Grab::new(&link, size).map_err(|error| link.lost(error))?;
        let mut source = Self {
            link,
            root,
            reports,
            grab,
            pace: Pace::new(fps),
            stale: true,
            drawn: Rows::all(size),
            changed: Rows::none(),
            cursor: Cursor::default(),
            seat: None,
        };
        // What has been reported so far, such as that everything is new, is in the first picture.
        source.take_events()?;
        Ok(source)
    }

    /// Gives the screen another size, where the server can; whether it has it then.
    pub(crate) fn resize_screen(&mut self, size: Size) -> Result<bool, SourceError> {
        // The size that it has may not have been taken in yet.
        self.take_events()?;
        if size == self.grab.size() {
            return Ok(true);
        }
        resize_screen(&self.link, self.root, size)
    }

    /// Another rate from now on.
    pub(crate) fn set_rate(&mut self, fps: NonZeroU32) {
        self.pace.set(fps);
    }

    /// Waits for something new and for its turn; whether both came before `deadline`.
    fn await_change(&mut self, deadline: Instant) -> Result<bool, SourceError> {
        loop {
            self.take_events()?;
            if self.stale {
                let due = self.pace.due(Instant::now());
                self.link.stop().sleep_until(due.min(deadline))?;
                // What was drawn meanwhile is fetched along.
                self.take_events()?;
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
    ///
    /// Returns the sequence number of the first report of drawing: when the server made it, it had last looked at our
    /// request of this number.
    fn take_events(&mut self) -> Result<Option<SequenceNumber>, SourceError> {
        let mut first = None;
        while let Some((event, sequence)) =
            self.link.connection.poll_for_event_with_sequence().map_err(|error| self.link.lost(error))?
        {
            match event {
                Event::DamageNotify(notify) => {
                    self.drawn.add(self.reports.rows(&notify, self.grab.size()));
                    self.stale = true;
                    first = first.or(Some(sequence));
                }
                Event::XinputRawMotion(_) => self.stale = true,
                Event::XfixesCursorNotify(_) => {
                    self.cursor.is_current = false;
                    self.stale = true;
                }
                Event::ConfigureNotify(notify) if notify.window == self.root => {
                    self.follow(Size::new(notify.width.into(), notify.height.into()))?;
                }
                Event::Error(error) => tracing::debug!(?error, "the X server refused a request"),
                _ => {}
            }
        }
        Ok(first)
    }

    /// Takes on the screen's size, and has all of it fetched.
    fn follow(&mut self, size: Size) -> Result<(), SourceError> {
        if size != self.grab.size() {
            let grab = Grab::new(&self.link, streamable(size)?).map_err(|error| self.link.lost(error))?;
            let old = std::mem::replace(&mut self.grab, grab);
            old.release(&self.link).map_err(|error| self.link.lost(error))?;
            self.cursor.covered = None;
            self.changed.clear();
        }
        self.drawn = Rows::all(size);
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

    /// Brings the picture up to date, following the screen if it changes its size at this very moment.
    fn capture(&mut self) -> Result<(), SourceError> {
        let mut refusals = 0;
        let mut is_second_round = false;
        loop {
            let size = self.grab.size();
            // Whatever is known so far is about to be fetched.
            self.stale = false;
            match self.fetch() {
                Ok(reset) => {
                    let first = self.take_events()?;
                    let is_behind = first.is_some_and(|report| report < reset) && !is_second_round;
                    if self.grab.size() == size && !is_behind {
                        return Ok(());
                    }
                    is_second_round = true;
                }
                // By now the screen may even have grown back: the size alone does not tell why.
                Err(ReplyError::X11Error(_)) if refusals < MAX_REFUSALS => {
                    refusals += 1;
                    self.follow(self.link.root_size()?)?;
                }
                Err(error) => return Err(self.link.lost(error)),
            }
        }
    }

    /// One round trip: resets the damage, then asks for pointer, its shape if that is new, and the rows drawn on.
    ///
    /// Returns the number of the request that reset the damage.
    fn fetch(&mut self) -> Result<SequenceNumber, ReplyError> {
        let connection = &self.link.connection;
        let reset = self.reports.reset(&self.link)?;
        let pointer = connection.query_pointer(self.root)?;
        let shape = if self.cursor.is_current { None } else { Some(connection.xfixes_get_cursor_image()?) };
        let rows = std::mem::take(&mut self.drawn);
        self.grab.fetch(&self.link, self.root, rows.ranges())?;
        self.changed.add_all(&rows);
        if let Some(shape) = shape {
            // A screen that has no pointer yet answers with an error.
            self.cursor.image = match shape.reply() {
                Ok(reply) => CursorImage::new(reply),
                Err(ReplyError::X11Error(_)) => None,
                Err(error) => return Err(error),
            };
            self.cursor.is_current = true;
            self.cursor.is_reshaped = true;
        }
        let pointer = pointer.reply()?;
        self.cursor.position = pointer.same_screen.then_some((pointer.root_x.into(), pointer.root_y.into()));
        Ok(reset)
    }

    /// Makes the picture what the display is now: pixels without the pointer, and the pointer over them.
    fn refresh(&mut self) -> Result<(), SourceError> {
        self.changed.clear();
        let pointed = self.cursor.position;
        let covered = self.cursor.covered.take();
        if let Some(covered) = &covered {
            let size = self.grab.size();
            covered.uncover(self.grab.pixels(), size);
        }
        self.capture()?;
        self.reports.adapt(&self.link, Instant::now()).map_err(|error| self.link.lost(error))?;
        let size = self.grab.size();
        if let Cursor { image: Some(image), position: Some(position), .. } = &self.cursor {
            self.cursor.covered = image.draw(self.grab.pixels(), size, *position);
        }
        if std::mem::take(&mut self.cursor.is_reshaped) || self.cursor.position != pointed {
            for covered in [&covered, &self.cursor.covered].into_iter().flatten() {
                let rows = covered.rows();
                self.changed.add(rows.start..rows.end.min(size.height));
            }
        }
        Ok(())
    }
}

impl Source for X11Source {
    fn size(&self) -> Size {
        self.grab.size()
    }

    fn seat(&self) -> Option<Seat> {
        self.seat.clone()
    }

    fn next_picture(&mut self, deadline: Instant) -> Result<Option<Picture<'_>>, SourceError> {
        let captured = loop {
            if !self.await_change(deadline)? {
                return Ok(None);
            }
            let captured = Instant::now();
            self.refresh()?;
            if !self.changed.is_empty() {
                self.pace.taken(captured);
                break captured;
            }
            // A mouse that moves and a pointer that does not, as in games, is nothing new to see, and takes nobody's turn.
            self.link.stop().sleep_until(deadline.min(captured + MOTION))?;
        };
        let size = self.grab.size();
        let pixels = Bgrx::new(size, size.width as usize * 4, self.grab.pixels())
            .ok_or(SourceError::UnstreamableSize { size })?;
        Ok(Some(Picture { pixels, captured, changed: &self.changed }))
    }

    fn change(&mut self, _size: Size, fps: NonZeroU32) -> Result<Sizing, SourceError> {
        // The desktop of whoever sits before it.
        self.set_rate(fps);
        Ok(Sizing::Keeps)
    }
}

/// Whether a display answers and can be mirrored; its name if so.
pub(crate) fn probe(display: Option<&str>, stop: &Stop) -> Result<String, SourceError> {
    let link = Link::named(display, stop)?;
    check(&link)?;
    if xwayland::is_xwayland(&link).map_err(|error| link.lost(error))? {
        return Err(SourceError::Xwayland { display: link::display_name(display) });
    }
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

/// Asks for every event that tells of something new to see, but for drawing.
fn watch(link: &Link) -> Result<(), LinkError> {
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
    Ok(())
}

/// Gives the display behind a Unix socket another size, and puts the pointer in its middle; whether its server could.
pub(crate) fn resize_private(
    socket: UnixStream,
    cookie: &[u8],
    size: Size,
    stop: &Stop,
) -> Result<bool, SourceError> {
    let link = Link::private(socket, cookie, stop)?;
    let root = link.screen().root;
    let could = resize_screen(&link, root, size)?;
    if could {
        let (x, y) = (size.width as i16 / 2, size.height as i16 / 2);
        let warp = || link.connection.warp_pointer(x11rb::NONE, root, 0, 0, 0, 0, x, y)?.check();
        warp().map_err(|error| link.lost(error))?;
    }
    Ok(could)
}

/// Gives the screen another size, where the server can; whether it did.
fn resize_screen(link: &Link, root: Window, size: Size) -> Result<bool, SourceError> {
    match randr::resize(&link.connection, root, size) {
        Ok(()) => Ok(true),
        Err(randr::Refusal::Server(why)) => {
            tracing::info!(%size, why, "the X server keeps its screen's size");
            Ok(false)
        }
        Err(randr::Refusal::Connection(error)) => Err(link.lost(error)),
    }
}

fn streamable(size: Size) -> Result<Size, SourceError> {
    if size.is_streamable() { Ok(size) } else { Err(SourceError::UnstreamableSize { size }) }
}

/// How far apart looks are that find a mouse moved and nothing new to see. Short, for what is drawn meanwhile waits.
const MOTION: Duration = Duration::from_millis(2);

/// How often a display may refuse to hand out its pixels before it counts as lost.
///
/// It does so when the screen shrinks just before the request, which is rare enough once.
const MAX_REFUSALS: u32 = 10;
