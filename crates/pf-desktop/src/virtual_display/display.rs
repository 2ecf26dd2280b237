//! Starting a display: an X server, and the command in it.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use pf_media::picture::Size;
use rustix::process::{Pid, Signal, kill_process};

use super::fate::die_with_parent;
use super::home::{self, Home};
use super::watch::{News, Watch};
use super::wire::{Report, Request};
use crate::{Stop, x11};

/// A running X server, and the command in it.
pub(super) struct Display {
    pub(super) number: u16,
    pub(super) server: Pid,
    pub(super) command: Option<Pid>,
}

impl Display {
    /// Starts both; the report says why not.
    ///
    /// The server begins larger than asked for, because it can be made smaller and larger again later on, but never
    /// larger than it was in the beginning. One that cannot change its size at all begins anew.
    pub(super) fn start(request: &Request, home: &Home, watch: &mut Watch) -> Result<Self, Report> {
        let room = Size::new(request.size.width.max(ROOM.width), request.size.height.max(ROOM.height));
        let mut server = Server::start(request, room, home, watch)?;
        if !server.resize(request)? {
            server.end();
            server = Server::start(request, request.size, home, watch)?;
        }
        let command = run_command(request, home, server.number)?;
        Ok(Self { number: server.number, server: server.id(), command })
    }
}

/// A running X server.
struct Server {
    process: Child,
    number: u16,
}

impl Server {
    fn start(request: &Request, size: Size, home: &Home, watch: &mut Watch) -> Result<Self, Report> {
        let mut process =
            die_with_parent(&mut server_command(request, size, home).map_err(|error| refused(&error))?)
                .spawn()
                .map_err(|error| match error.kind() {
                    io::ErrorKind::NotFound => Report::ServerMissing,
                    _ => Report::ServerFailed(error.to_string()),
                })?;
        home.note_server(Pid::from_child(&process)).map_err(|error| refused(&error))?;
        let number = process.stdout.take().and_then(|numbers| await_number(numbers, watch));
        let number = number.ok_or_else(|| Report::ServerFailed(last_words(home)))?;
        home.note_socket(number).map_err(|error| refused(&error))?;
        Ok(Self { process, number })
    }

    fn id(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// Gives it the size that was asked for, before anything runs in it; whether it can.
    fn resize(&self, request: &Request) -> Result<bool, Report> {
        let stop = Stop::new().map_err(|error| refused(&error))?;
        let cookie = home::read_cookie(&request.home).map_err(|error| refused(&error))?;
        let socket = home::connect(self.number).map_err(|error| Report::ServerFailed(error.to_string()))?;
        x11::resize_private(socket, &cookie, request.size, &stop)
            .map_err(|error| Report::ServerFailed(error.to_string()))
    }

    /// Ends it, and what it has in `/tmp` with it.
    fn end(mut self) {
        _ = kill_process(self.id(), Signal::TERM);
        let limit = Instant::now() + END_PATIENCE;
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < limit {
            std::thread::sleep(LOOK_INTERVAL);
        }
        // Only one that does not end when it is asked to is still there.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

fn refused(error: &io::Error) -> Report {
    Report::SystemFailed(error.to_string())
}

/// Xvfb, to write the number of its display to its standard output.
fn server_command(request: &Request, size: Size, home: &Home) -> io::Result<Command> {
    let mut command = Command::new(&request.server);
    command
        .args(["-displayfd", "1", "-nolisten", "tcp", "-noreset", "-s", "0", "-dpi", "96", "-auth"])
        .arg(home.authority())
        .args(["-screen", "0", &format!("{size}x24")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(home.new_file(SERVER_LOG)?);
    Ok(command)
}

/// The display's number; `None` when the X server ends, or we are told to, before it has one.
fn await_number(numbers: ChildStdout, watch: &mut Watch) -> Option<u16> {
    let deadline = Instant::now() + START_PATIENCE;
    loop {
        match watch.wait(Some(numbers.as_fd()), Some(deadline)).ok()? {
            News::Other => break,
            News::Children => {}
            News::End | News::Deadline => return None,
        }
    }
    let mut line = String::new();
    BufReader::new(numbers.take(LINE_LIMIT as u64)).read_line(&mut line).ok()?;
    line.trim().parse().ok()
}

fn run_command(request: &Request, home: &Home, number: u16) -> Result<Option<Pid>, Report> {
    let Some((program, arguments)) = request.command.split_first() else { return Ok(None) };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("DISPLAY", format!(":{number}"))
        .env("XAUTHORITY", home.authority())
        .env("XDG_SESSION_TYPE", "x11")
        // Programs that speak both would rather open their windows on the host's own Wayland desktop.
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("WAYLAND_SOCKET")
        // A script that ends with `kill 0` means its own processes.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    match die_with_parent(&mut command).spawn() {
        Ok(child) => Ok(Some(Pid::from_child(&child))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Report::CommandNotFound),
        Err(error) => Err(Report::CommandFailed(error.to_string())),
    }
}

/// What the X server logged as an error, or else last.
fn last_words(home: &Home) -> String {
    let log = std::fs::read_to_string(home.file(SERVER_LOG)).unwrap_or_default();
    let lines = || log.lines().map(str::trim).filter(|line| !line.is_empty());
    let errors: Vec<&str> = lines().filter_map(|line| line.strip_prefix("(EE)")).map(str::trim).collect();
    let words =
        if errors.is_empty() { lines().next_back().unwrap_or_default().to_owned() } else { errors.join(" ") };
    match words.trim() {
        "" => "the X server said nothing".to_owned(),
        words => words.chars().take(LINE_LIMIT).collect(),
    }
}

/// What a virtual display can grow to, if it is not asked for more from the beginning: the common 4K.
///
/// Its memory is in use from the start on, 33 MB. A window on a larger monitor gets its picture scaled.
const ROOM: Size = Size::new(3840, 2160);

/// How long the X server may take to come up; a second is usual on a busy machine.
const START_PATIENCE: Duration = Duration::from_secs(15);

/// How long a server that begins anew gets to end by itself.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// How often to look whether it has.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

/// The most characters of a line that is passed on.
const LINE_LIMIT: usize = 300;

const SERVER_LOG: &str = "server.log";
