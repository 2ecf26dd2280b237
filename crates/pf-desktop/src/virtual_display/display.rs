//! Starting a display: an X server, and the command in it.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::fate::die_with_parent;
use super::home::Home;
use super::watch::{News, Watch};
use super::wire::{Report, Request};

/// A running X server, and the command in it.
pub(super) struct Display {
    pub(super) number: u16,
    pub(super) server: Pid,
    pub(super) command: Option<Pid>,
}

impl Display {
    /// Starts both; the report says why not.
    pub(super) fn start(request: &Request, home: &Home, watch: &mut Watch) -> Result<Self, Report> {
        let refused = |error: io::Error| Report::SystemFailed(error.to_string());
        let mut server = die_with_parent(&mut server_command(request, home).map_err(refused)?)
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => Report::ServerMissing,
                _ => Report::ServerFailed(error.to_string()),
            })?;
        let id = Pid::from_child(&server);
        home.note_server(id).map_err(refused)?;
        let number = server.stdout.take().and_then(|numbers| await_number(numbers, watch));
        let number = number.ok_or_else(|| Report::ServerFailed(last_words(home)))?;
        home.note_socket(number).map_err(refused)?;
        let command = run_command(request, home, number)?;
        Ok(Self { number, server: id, command })
    }
}

/// Xvfb, to write the number of its display to its standard output.
fn server_command(request: &Request, home: &Home) -> io::Result<Command> {
    let mut command = Command::new(&request.server);
    command
        .args(["-displayfd", "1", "-nolisten", "tcp", "-noreset", "-s", "0", "-dpi", "96", "-auth"])
        .arg(home.authority())
        .args(["-screen", "0", &format!("{}x24", request.size)])
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

/// How long the X server may take to come up; a second is usual on a busy machine.
const START_PATIENCE: Duration = Duration::from_secs(15);

/// The most characters of a line that is passed on.
const LINE_LIMIT: usize = 300;

const SERVER_LOG: &str = "server.log";
