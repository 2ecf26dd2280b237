//! The connection to an X server, which a [`Stop`] can interrupt at any point.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use pf_media::picture::Size;
use rustix::event::PollFlags;
use x11rb::connection::Connection as _;
use x11rb::errors::{ConnectError, ConnectionError, ReplyError, ReplyOrIdError};
use x11rb::protocol::xproto::{ConnectionExt as _, ImageOrder, Screen};
use x11rb::reexports::x11rb_protocol::parse_display::{ConnectAddress, parse_display};
use x11rb::reexports::x11rb_protocol::xauth::get_auth;
use x11rb::rust_connection::{DefaultStream, PollMode, RustConnection, Stream};

use crate::stop::{Interest, Wake};
use crate::{SourceError, Stop};

/// An X server, its screen, and how it was reached.
pub(super) struct Link {
    pub(super) connection: RustConnection<StoppableStream>,
    screen: usize,
    pub(super) reach: Reach,
}

/// How an X server was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Through a Unix socket, which can pass memory.
    Local,
    /// Over TCP, as with a display that ssh forwards.
    Remote,
}

impl Link {
    /// Connects to the display that `name` or else `$DISPLAY` names, with the cookie that xauth knows for it.
    pub(super) fn named(name: Option<&str>, stop: &Stop) -> Result<Self, SourceError> {
        let no_display = |reason: String| SourceError::NoDisplay { display: display_name(name), reason };
        if name.is_none() && std::env::var_os("DISPLAY").is_none_or(|name| name.is_empty()) {
            return Err(no_display("it is not set".to_owned()));
        }
        let parsed = parse_display(name).map_err(|error| no_display(error.to_string()))?;
        let mut last = no_display("it has no address".to_owned());
        for address in parsed.connect_instruction() {
            let reach = match address {
                ConnectAddress::Socket(_) => Reach::Local,
                _ => Reach::Remote,
            };
            match DefaultStream::connect(&address) {
                Ok((stream, (family, host))) => {
                    // Without a cookie the server may still let us in, or it says why not.
                    let cookie = get_auth(family, &host, parsed.display).ok().flatten().unwrap_or_default();
                    return Self::set_up(stream, parsed.screen.into(), reach, cookie, stop)
                        .map_err(|error| refused(error, stop, no_display));
                }
                Err(error) => last = no_display(error.to_string()),
            }
        }
        Err(last)
    }

    /// Connects to the first screen of the display behind a Unix socket, with this cookie.
    pub(super) fn private(socket: UnixStream, cookie: &[u8], stop: &Stop) -> Result<Self, SourceError> {
        let failed = |reason| SourceError::ServerFailed { reason };
        let (stream, _) =
            DefaultStream::from_unix_stream(socket).map_err(|error| failed(error.to_string()))?;
        let auth = (MIT_MAGIC_COOKIE.to_vec(), cookie.to_vec());
        Self::set_up(stream, 0, Reach::Local, auth, stop).map_err(|error| refused(error, stop, failed))
    }

    fn set_up(
        stream: DefaultStream,
        screen: usize,
        reach: Reach,
        (auth_name, auth_data): (Vec<u8>, Vec<u8>),
        stop: &Stop,
    ) -> Result<Self, ConnectError> {
        let stream = StoppableStream { stream, stop: stop.clone() };
        let connection =
            RustConnection::connect_to_stream_with_auth_info(stream, screen, auth_name, auth_data)?;
        Ok(Self { connection, screen, reach })
    }

    /// The screen that the display's name chose.
    pub(super) fn screen(&self) -> &Screen {
        &self.connection.setup().roots[self.screen]
    }

    /// The handle that interrupts this connection.
    pub(super) fn stop(&self) -> &Stop {
        &self.connection.stream().stop
    }

    /// What to wait on for the server's next event.
    pub(super) fn readable(&self) -> Interest<'_> {
        Interest { fd: self.connection.stream().stream.as_fd(), flags: PollFlags::IN }
    }

    /// The root window's size now; what the connection's setup says is its size back then.
    pub(super) fn root_size(&self) -> Result<Size, SourceError> {
        let geometry = self.connection.get_geometry(self.screen().root).map_err(|e| self.lost(e))?;
        let geometry = geometry.reply().map_err(|e| self.lost(e))?;
        Ok(Size::new(geometry.width.into(), geometry.height.into()))
    }

    /// Whether the screen's pixels are what [`Bgrx`](pf_media::picture::Bgrx) holds.
    pub(super) fn check_pixels(&self) -> Result<(), SourceError> {
        let (setup, screen) = (self.connection.setup(), self.screen());
        let format = setup.pixmap_formats.iter().find(|format| format.depth == screen.root_depth);
        let bits = format.map_or(0, |format| format.bits_per_pixel);
        let visual = screen
            .allowed_depths
            .iter()
            .flat_map(|depth| &depth.visuals)
            .find(|visual| visual.visual_id == screen.root_visual);
        let masks = visual.map_or((0, 0, 0), |v| (v.red_mask, v.green_mask, v.blue_mask));
        let order = setup.image_byte_order;
        if bits == 32 && order == ImageOrder::LSB_FIRST && masks == (0x00FF_0000, 0xFF00, 0xFF) {
            return Ok(());
        }
        let found = format!(
            "depth {}, {bits} bits a pixel, {order:?}, red {:x} green {:x} blue {:x}",
            screen.root_depth, masks.0, masks.1, masks.2,
        );
        Err(SourceError::UnsupportedPixels { found })
    }

    /// What a failure of the connection means: that it was stopped, or that the display is gone.
    pub(super) fn lost(&self, error: impl Into<LinkError>) -> SourceError {
        let LinkError(error) = error.into();
        if self.stop().is_stopped() {
            SourceError::Stopped
        } else {
            SourceError::Lost { reason: error.to_string() }
        }
    }
}

/// Any of the errors that a connection reports.
pub(super) struct LinkError(ReplyOrIdError);

impl From<ConnectionError> for LinkError {
    fn from(error: ConnectionError) -> Self {
        Self(error.into())
    }
}

impl From<ReplyError> for LinkError {
    fn from(error: ReplyError) -> Self {
        Self(error.into())
    }
}

impl From<ReplyOrIdError> for LinkError {
    fn from(error: ReplyOrIdError) -> Self {
        Self(error)
    }
}

impl From<io::Error> for LinkError {
    fn from(error: io::Error) -> Self {
        ConnectionError::from(error).into()
    }
}

/// A stream whose waits end when the source is stopped, or the server stays silent for [`PATIENCE`].
pub(super) struct StoppableStream {
    stream: DefaultStream,
    stop: Stop,
}

impl Stream for StoppableStream {
    fn poll(&self, mode: PollMode) -> io::Result<()> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, mode.readable());
        flags.set(PollFlags::OUT, mode.writable());
        let interest = Interest { fd: self.stream.as_fd(), flags };
        match self.stop.wait(Some(interest), Some(Instant::now() + PATIENCE))? {
            Wake::Ready => Ok(()),
            Wake::Stopped => Err(io::Error::other("the source was stopped")),
            Wake::Deadline => Err(io::Error::new(io::ErrorKind::TimedOut, "the X server does not answer")),
        }
    }

    fn read(&self, buffer: &mut [u8], descriptors: &mut Vec<OwnedFd>) -> io::Result<usize> {
        self.stream.read(buffer, descriptors)
    }

    fn write(&self, buffer: &[u8], descriptors: &mut Vec<OwnedFd>) -> io::Result<usize> {
        self.stream.write(buffer, descriptors)
    }

    fn write_vectored(&self, buffers: &[IoSlice<'_>], descriptors: &mut Vec<OwnedFd>) -> io::Result<usize> {
        self.stream.write_vectored(buffers, descriptors)
    }
}

fn refused(error: ConnectError, stop: &Stop, to_error: impl FnOnce(String) -> SourceError) -> SourceError {
    if stop.is_stopped() {
        return SourceError::Stopped;
    }
    to_error(match error {
        // Its own Display prints the whole packet.
        ConnectError::SetupFailed(failed) => String::from_utf8_lossy(&failed.reason).trim().to_owned(),
        ConnectError::SetupAuthenticate(_) => "it wants an authentication that is not supported".to_owned(),
        other => other.to_string(),
    })
}

/// The display's name for a person.
pub(super) fn display_name(name: Option<&str>) -> String {
    name.map(str::to_owned)
        .or_else(|| std::env::var("DISPLAY").ok().filter(|name| !name.is_empty()))
        .unwrap_or_else(|| "$DISPLAY".to_owned())
}

/// How long the X server may take for one answer.
///
/// A program that grabs the server, as some window managers do while a window is dragged, keeps everyone
/// waiting; a server that is silent for longer than this counts as gone.
const PATIENCE: Duration = Duration::from_secs(30);

const MIT_MAGIC_COOKIE: &[u8] = b"MIT-MAGIC-COOKIE-1";
