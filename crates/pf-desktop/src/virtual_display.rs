//! An X display of a session's own: an Xvfb at the session's size with a command running in it.
//!
//! The display is for its session alone. It listens on no network, and opens to who knows a random cookie that
//! only this user can read. It ends with the session, however that ends: the module `supervisor` tells how
//! nothing is left behind, be it that the host, the X server or the supervisor itself is killed.
//!
//! The supervisor is this very program, started anew under another name with a fixed first argument. A program
//! that opens virtual displays therefore calls [`run_if_supervisor`] first thing in `main`.

mod display;
mod fate;
mod home;
mod processes;
mod supervisor;
mod watch;
mod wire;

use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _};
use std::net::Shutdown;
use std::num::NonZeroU32;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use pf_media::picture::Size;
use rustix::event::PollFlags;

use self::wire::{Report, Request};
use crate::input::Seat;
use crate::stop::{Interest, Wake};
use crate::x11::X11Injector;
use crate::{Picture, Sizing, Source, SourceError, Stop, X11Source};

/// Becomes the supervisor of a virtual display, and does not return, when that is what this process was
/// started for.
///
/// Call it first thing in `main`: before threads, since the supervisor's children live no longer than the
/// thread that starts them, and before arguments are parsed.
pub fn run_if_supervisor() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().as_deref() == Some(OsStr::new(supervisor::WORD)) {
        std::process::exit(supervisor::run(arguments));
    }
}

/// What a virtual display consists of.
#[derive(Clone, Debug)]
pub struct VirtualConfig {
    /// The X server program: Xvfb or one that takes the same arguments.
    pub server: PathBuf,
    /// What runs in the display; `None` leaves it empty.
    pub command: Option<SessionCommand>,
    /// The program to start as the supervisor, whose `main` calls [`run_if_supervisor`]; `None` for this one.
    pub supervisor: Option<PathBuf>,
}

impl Default for VirtualConfig {
    fn default() -> Self {
        Self { server: PathBuf::from("Xvfb"), command: None, supervisor: None }
    }
}

/// What runs in a virtual display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionCommand {
    /// A program, searched in `PATH`, and its arguments.
    Program {
        /// The program.
        program: OsString,
        /// Its arguments, without its name.
        arguments: Vec<OsString>,
    },
    /// A line for `sh -c`.
    Shell(OsString),
}

impl SessionCommand {
    fn into_words(self) -> Vec<OsString> {
        match self {
            Self::Program { program, mut arguments } => {
                arguments.insert(0, program);
                arguments
            }
            Self::Shell(line) => vec!["sh".into(), "-c".into(), line],
        }
    }
}

/// A running virtual display.
///
/// Dropping it ends everything in it; that takes some hundredths of a second for programs that end when they are
/// asked to, and more than half a second for others.
pub struct VirtualDisplay {
    number: u16,
    home: PathBuf,
    supervisor: Supervisor,
}

impl VirtualDisplay {
    /// Starts a display of `size` and the command in it.
    pub fn start(size: Size, config: &VirtualConfig, stop: &Stop) -> Result<Self, SourceError> {
        let system = SourceError::system("cannot start a virtual display");
        let home = home::Home::new_path().map_err(system)?;
        let command = config.command.clone().map(SessionCommand::into_words).unwrap_or_default();
        let program = command.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
        let request = Request { home: home.clone(), server: config.server.clone().into(), size, command };
        let this_program = Path::new(supervisor::THIS_PROGRAM);
        let mut supervisor =
            Supervisor::start(config.supervisor.as_deref().unwrap_or(this_program), &request)
                .map_err(SourceError::system("cannot start the supervisor of a virtual display"))?;
        match supervisor.first_report(stop)? {
            Report::Ready(number) => Ok(Self { number, home, supervisor }),
            Report::ServerMissing => {
                Err(SourceError::ServerMissing { program: config.server.display().to_string() })
            }
            Report::ServerFailed(reason) => Err(SourceError::ServerFailed { reason }),
            Report::CommandNotFound => Err(SourceError::CommandNotFound { command: program }),
            Report::CommandFailed(reason) => Err(SourceError::CommandFailed { command: program, reason }),
            Report::SystemFailed(reason) | Report::CommandExited(reason) => {
                Err(SourceError::System { what: "cannot start a virtual display", reason })
            }
        }
    }

    /// The display's name, for `DISPLAY`.
    pub fn name(&self) -> String {
        format!(":{}", self.number)
    }

    /// The file with the cookie that opens the display, for `XAUTHORITY`.
    pub fn authority(&self) -> PathBuf {
        home::authority_path(&self.home)
    }

    /// The keyboard and pointer of this display, for as long as it is there.
    pub fn seat(&self) -> Seat {
        let (number, home) = (self.number, self.home.clone());
        Seat::new(move |stop| {
            let (socket, cookie) = approach(number, &home)?;
            Ok(Box::new(X11Injector::open_private(socket, &cookie, stop)?))
        })
    }

    /// A mirror of this display, at most `fps` pictures a second.
    fn mirror(&self, fps: NonZeroU32, stop: &Stop) -> Result<X11Source, SourceError> {
        let (socket, cookie) = approach(self.number, &self.home)?;
        X11Source::open_private(socket, &cookie, fps, stop)
    }

    /// Passes on to the log what the supervisor has to say.
    fn log_reports(&mut self) {
        _ = self.supervisor.receive();
        while let Some(report) = self.supervisor.next_report() {
            if let Report::CommandExited(how) = report {
                tracing::info!(display = self.number, "the command in the virtual display has ended: {how}");
            }
        }
    }
}

/// A connection to a display, and the cookie that opens it.
fn approach(number: u16, home: &Path) -> Result<(UnixStream, Vec<u8>), SourceError> {
    let failed = |error: io::Error| SourceError::ServerFailed { reason: error.to_string() };
    let cookie = home::read_cookie(home).map_err(failed)?;
    let socket = home::connect(number).map_err(failed)?;
    Ok((socket, cookie))
}

/// The mirror of a virtual display of its own.
pub struct VirtualSource {
    // The order matters: the mirror lets go of the display before that ends.
    mirror: X11Source,
    display: VirtualDisplay,
}

impl VirtualSource {
    /// Starts a display of `size` and mirrors it, at most `fps` times a second.
    pub fn open(
        size: Size,
        fps: NonZeroU32,
        config: &VirtualConfig,
        stop: &Stop,
    ) -> Result<Self, SourceError> {
        let display = VirtualDisplay::start(size, config, stop)?;
        let mirror = display.mirror(fps, stop)?;
        Ok(Self { mirror, display })
    }

    /// The display that is mirrored.
    pub fn display(&self) -> &VirtualDisplay {
        &self.display
    }
}

impl Source for VirtualSource {
    fn size(&self) -> Size {
        self.mirror.size()
    }

    fn seat(&self) -> Option<Seat> {
        Some(self.display.seat())
    }

    fn next_picture(&mut self, deadline: Instant) -> Result<Option<Picture<'_>>, SourceError> {
        self.display.log_reports();
        self.mirror.next_picture(deadline)
    }

    fn change(&mut self, size: Size, fps: NonZeroU32) -> Result<Sizing, SourceError> {
        self.mirror.set_rate(fps);
        let follows = self.mirror.resize_screen(size)?;
        Ok(if follows { Sizing::Follows } else { Sizing::Keeps })
    }
}

/// The host's end of a supervisor.
struct Supervisor {
    process: Child,
    home: PathBuf,
    socket: UnixStream,
    /// What has come in and is not a whole line yet.
    received: Vec<u8>,
}

impl Supervisor {
    fn start(program: &Path, request: &Request) -> io::Result<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        let process = supervisor::guard_command(program, OwnedFd::from(theirs)).spawn()?;
        let mut supervisor = Self { process, home: request.home.clone(), socket, received: Vec::new() };
        // When it has ended already, the wait for its report says so.
        _ = request.write(&mut supervisor.socket);
        supervisor.socket.set_nonblocking(true)?;
        Ok(supervisor)
    }

    /// Waits for the report on how the start went.
    fn first_report(&mut self, stop: &Stop) -> Result<Report, SourceError> {
        loop {
            let interest = Interest { fd: self.socket.as_fd(), flags: PollFlags::IN };
            let wake = stop.wait(Some(interest), None);
            if wake.map_err(SourceError::system("cannot wait for a virtual display"))? == Wake::Stopped {
                return Err(SourceError::Stopped);
            }
            let end = self.receive().err();
            // A supervisor that has ended may have said why.
            if let Some(report) = self.next_report() {
                return Ok(report);
            }
            if end.is_some() {
                let reason = "its supervisor ended without a word".to_owned();
                return Err(SourceError::ServerFailed { reason });
            }
        }
    }

    /// Takes in what the supervisor has sent, without waiting; an error when there will be no more.
    fn receive(&mut self) -> io::Result<()> {
        let mut buffer = [0; 1024];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => self.received.extend(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The next report that has come in.
    fn next_report(&mut self) -> Option<Report> {
        loop {
            let end = self.received.iter().position(|&byte| byte == b'\n')?;
            let line: Vec<u8> = self.received.drain(..=end).collect();
            if let Some(report) = Report::from_line(String::from_utf8_lossy(&line[..end]).as_ref()) {
                return Some(report);
            }
        }
    }

    /// Waits until every supervisor process has let go of the socket.
    fn await_end(&mut self) -> io::Result<()> {
        self.socket.set_nonblocking(false)?;
        self.socket.set_read_timeout(Some(END_PATIENCE))?;
        while self.socket.read(&mut [0; 1024])? > 0 {}
        Ok(())
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // The end of the stream is how the supervisor learns that it is time.
        _ = self.socket.shutdown(Shutdown::Write);
        if let Err(error) = self.await_end() {
            tracing::warn!(%error, "the supervisor of a virtual display does not end; killing it");
            _ = self.process.kill();
        }
        _ = self.process.wait();
        // Only when it did not live to do it itself.
        home::clear_when_abandoned(&self.home);
    }
}

/// Whether the program that makes virtual displays is there.
pub(crate) fn is_installed(server: &Path) -> bool {
    if server.components().count() > 1 {
        return server.is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(server).is_file())
}

/// How long a supervisor may take to end everything; more than it gives itself.
const END_PATIENCE: Duration = Duration::from_secs(15);
