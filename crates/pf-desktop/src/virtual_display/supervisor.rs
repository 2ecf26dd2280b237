//! The processes that take a virtual display down, whoever dies first.
//!
//! ```text
//! host ── guard ── keeper ─┬─ Xvfb
//!                          └─ command ── …
//! ```
//!
//! The *keeper* starts the X server and the command, and takes both down when its time has come. The *guard*
//! does the same when the keeper did not live to do it. Both are this program, started anew, and both are child
//! subreapers, so that no process of the session gets out from under them.
//!
//! | who dies | who notices | how |
//! | --- | --- | --- |
//! | host | guard, keeper | their common socket to the host ends |
//! | guard | keeper | its pidfd of the guard |
//! | keeper | guard | its child has ended; the kernel has killed Xvfb and command, and gives the guard the rest |
//! | Xvfb | keeper | its child has ended |
//! | guard and keeper at once | host | the socket ends; it knows the display's processes by their environment |
//! | all of them at once | the next guard | it [sweeps](super::home::sweep) before it starts |
//!
//! Both run in a process group of their own, out of reach of a terminal's Ctrl-C, and under a name of their
//! own, out of reach of who kills the host program by name. `SIGTERM`, `SIGINT` and `SIGHUP` to either take the
//! display down in good order.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitStatus, getpid, getppid, kill_process, pidfd_open, set_child_subreaper,
};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use super::fate::die_with_parent;
use super::home::{self, Home};
use super::processes::{KILL_PATIENCE, end_descendants, reap};
use super::wire::{Report, Request};
use crate::stop::timespec_until;

/// The first argument that makes a program a supervisor.
pub(super) const WORD: &str = "virtual-display-supervisor";

/// Runs the role that the arguments after [`WORD`] name, to its end.
pub(super) fn run(mut arguments: impl Iterator<Item = OsString>) -> i32 {
    let role = arguments.next().and_then(|role| role.into_string().ok());
    let result = match (role.as_deref(), arguments.next(), arguments.next()) {
        (None, None, None) => guard(),
        (Some(KEEPER), Some(home), Some(guard)) => keeper(Path::new(&home), &guard),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "not started by a host")),
    };
    match result {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("virtual display: {error}");
            1
        }
    }
}

/// A supervisor that has `host` as its standard input.
pub(super) fn guard_command(program: &Path, host: OwnedFd) -> Command {
    let mut command = Command::new(program);
    command.arg0(NAME).arg(WORD).stdin(host).stdout(Stdio::null()).process_group(0);
    command
}

fn guard() -> io::Result<()> {
    become_subreaper()?;
    let mut host = UnixStream::from(fcntl_dupfd_cloexec(io::stdin(), 3)?);
    let mut watch = Watch::new(&host)?;
    let request = Request::read(&mut host)?;
    if let Some(parent) = request.home.parent() {
        home::sweep(parent);
    }
    let started = Home::create(&request.home).and_then(|home| {
        let mut file = home.new_file(REQUEST)?;
        request.write(&mut file)?;
        Ok((spawn_keeper(&request.home, &host)?, home))
    });
    let (keeper, home) = match started {
        Ok(started) => started,
        Err(error) => {
            home::clear_if_abandoned(&request.home);
            return host.write_all(Report::SystemFailed(error.to_string()).to_line().as_bytes());
        }
    };
    await_keeper(&mut watch, keeper)?;
    end_descendants(Duration::ZERO);
    home.clear();
    Ok(())
}

fn spawn_keeper(home: &Path, host: &UnixStream) -> io::Result<Pid> {
    let socket = |fd: &UnixStream| fd.try_clone().map(OwnedFd::from);
    let keeper = Command::new(THIS_PROGRAM)
        .arg0(NAME)
        .args([WORD, KEEPER])
        .arg(home)
        .arg(getpid().to_string())
        .stdin(socket(host)?)
        .stdout(Stdio::null())
        .spawn()?;
    Ok(Pid::from_child(&keeper))
}

/// Returns when the keeper has ended, or had its time to do so.
fn await_keeper(watch: &mut Watch, keeper: Pid) -> io::Result<()> {
    let mut deadline = None;
    loop {
        let news = watch.wait(None, deadline)?;
        if reap().iter().any(|(child, _)| *child == keeper) || news == News::Deadline {
            return Ok(());
        }
        if news == News::End && deadline.is_none() {
            deadline = Some(Instant::now() + GRACE + KILL_PATIENCE + Duration::from_secs(1));
            // It has seen the same end, unless that was a signal to this process alone.
            _ = kill_process(keeper, Signal::TERM);
            watch.expect_end();
        }
    }
}

fn keeper(home: &Path, guard: &OsString) -> io::Result<()> {
    become_subreaper()?;
    let guard = guard.to_str().and_then(|id| id.parse().ok()).and_then(Pid::from_raw);
    let guard = guard.ok_or(io::ErrorKind::InvalidInput)?;
    let mut host = UnixStream::from(fcntl_dupfd_cloexec(io::stdin(), 3)?);
    let mut watch = Watch::new(&host)?;
    watch.partner = Some(pidfd_open(guard, PidfdFlags::empty())?);
    let home_path = home;
    let Some(home) = Home::join(home_path)? else { return Ok(()) };
    if getppid() == Some(guard) {
        let request = Request::read(&mut std::fs::File::open(home_path.join(REQUEST))?)?;
        keep(&request, &home, &mut watch, &mut host);
    }
    end_descendants(GRACE);
    home.clear();
    Ok(())
}

/// Starts the display and stays with it until it is time to take it down.
fn keep(request: &Request, home: &Home, watch: &mut Watch, host: &mut UnixStream) {
    let (report, display) = match Display::start(request, home, watch) {
        Ok(display) => (Report::Ready(display.number), Some(display)),
        Err(report) => (report, None),
    };
    // A host that is gone shows as the end of its socket; there is nobody to tell otherwise.
    _ = host.write_all(report.to_line().as_bytes());
    let Some(display) = display else { return };
    loop {
        // Both an end and a failure to wait mean that it is over.
        if !matches!(watch.wait(None, None), Ok(News::Children)) {
            return;
        }
        for (child, status) in reap() {
            if child == display.server {
                return;
            }
            if Some(child) == display.command {
                let report = Report::CommandExited(describe(status));
                _ = host.write_all(report.to_line().as_bytes());
            }
        }
    }
}

/// A running X server, and the command in it.
struct Display {
    number: u16,
    server: Pid,
    command: Option<Pid>,
}

impl Display {
    fn start(request: &Request, home: &Home, watch: &mut Watch) -> Result<Self, Report> {
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

/// Everything that a supervisor waits for.
struct Watch {
    host: UnixStream,
    /// The other supervisor; readable once that has ended.
    partner: Option<OwnedFd>,
    /// Readable after a signal to end.
    endings: UnixStream,
    /// Readable after a child has ended.
    children: UnixStream,
    end_is_known: bool,
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// The host or the other supervisor has ended, or there was a signal to end.
    End,
    /// Children may have ended.
    Children,
    /// The other descriptor is ready.
    Other,
    Deadline,
}

impl Watch {
    fn new(host: &UnixStream) -> io::Result<Self> {
        let (endings, ending) = UnixStream::pair()?;
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            pipe::register(signal, ending.try_clone()?)?;
        }
        let (children, child) = UnixStream::pair()?;
        pipe::register(SIGCHLD, child)?;
        children.set_nonblocking(true)?;
        Ok(Self { host: host.try_clone()?, partner: None, endings, children, end_is_known: false })
    }

    /// Leaves the end out of what [`Self::wait`] reports from now on.
    fn expect_end(&mut self) {
        self.end_is_known = true;
    }

    fn wait(&mut self, other: Option<BorrowedFd<'_>>, deadline: Option<Instant>) -> io::Result<News> {
        // The host sends nothing after its request: its socket is readable only at its end.
        let ends =
            [Some(self.host.as_fd()), self.partner.as_ref().map(|p| p.as_fd()), Some(self.endings.as_fd())];
        let ends = ends.into_iter().flatten().filter(|_| !self.end_is_known);
        let sources = ends.map(|fd| (fd, News::End));
        let sources = sources.chain([(self.children.as_fd(), News::Children)]);
        let sources: Vec<_> = sources.chain(other.map(|fd| (fd, News::Other))).collect();
        let mut entries: Vec<_> =
            sources.iter().map(|(fd, _)| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        let timeout = deadline.map(|deadline| timespec_until(deadline, Instant::now()));
        match poll(&mut entries, timeout.as_ref()) {
            Ok(0) => return Ok(News::Deadline),
            Ok(_) => {}
            // A signal, which its own entry tells more about.
            Err(rustix::io::Errno::INTR) => return Ok(News::Children),
            Err(error) => return Err(error.into()),
        }
        let ready = entries.iter().zip(&sources).find(|(entry, _)| !entry.revents().is_empty());
        let news = ready.map_or(News::Deadline, |(_, (_, news))| *news);
        if news == News::Children {
            // Emptied before the children are looked at, so that none is missed.
            while self.children.read(&mut [0; 64]).is_ok_and(|length| length > 0) {}
        }
        Ok(news)
    }
}

fn become_subreaper() -> io::Result<()> {
    rustix::thread::set_name(PROCESS_NAME)?;
    Ok(set_child_subreaper(Some(getpid()))?)
}

fn describe(status: WaitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;

    ExitStatus::from_raw(status.as_raw()).to_string()
}

/// What this program was started from, also when its file has been replaced since.
pub(super) const THIS_PROGRAM: &str = "/proc/self/exe";

/// What the supervisors are called in `argv[0]`.
const NAME: &str = "pf-display";

/// What the supervisors are called where the kernel says the name, as to `pkill`.
const PROCESS_NAME: &std::ffi::CStr = c"pf-display";

/// The argument after [`WORD`] that makes a keeper; without one it is a guard.
const KEEPER: &str = "keeper";

/// How long programs get to end by themselves before they are killed.
///
/// Enough to write a small file; a session that ends makes room for the next one this much later.
const GRACE: Duration = Duration::from_millis(500);

/// How long the X server may take to come up; a second is usual on a busy machine.
const START_PATIENCE: Duration = Duration::from_secs(15);

/// The most characters of a line that is passed on.
const LINE_LIMIT: usize = 300;

const REQUEST: &str = "request";
const SERVER_LOG: &str = "server.log";
