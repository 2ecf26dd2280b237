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

use std::ffi::{CStr, OsString};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitStatus, getpid, getppid, kill_process, pidfd_open, set_child_subreaper,
};

use super::display::Display;
use super::home::{self, Home};
use super::processes::{KILL_PATIENCE, end_descendants, reap};
use super::watch::{News, Watch};
use super::wire::{Report, Request};

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
    // Failing to wait, too, means that it is over.
    let waited = await_keeper(&mut watch, keeper);
    end_descendants(Duration::ZERO);
    home.clear();
    waited
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
    watch.watch_partner(pidfd_open(guard, PidfdFlags::empty())?);
    let Some(home) = Home::join(home)? else { return Ok(()) };
    if getppid() == Some(guard) {
        let request = Request::read(&mut File::open(home.file(REQUEST))?)?;
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

fn become_subreaper() -> io::Result<()> {
    rustix::thread::set_name(PROCESS_NAME)?;
    Ok(set_child_subreaper(Some(getpid()))?)
}

fn describe(status: WaitStatus) -> String {
    ExitStatus::from_raw(status.as_raw()).to_string()
}

/// What this program was started from, also when its file has been replaced since.
pub(super) const THIS_PROGRAM: &str = "/proc/self/exe";

/// What the supervisors are called in `argv[0]`.
const NAME: &str = "pf-display";

/// What the supervisors are called where the kernel says the name, as to `pkill`.
const PROCESS_NAME: &CStr = c"pf-display";

/// The argument after [`WORD`] that makes a keeper; without one it is a guard.
const KEEPER: &str = "keeper";

/// How long programs get to end by themselves before they are killed.
///
/// Enough to write a small file; a session that ends makes room for the next one this much later.
const GRACE: Duration = Duration::from_millis(500);

const REQUEST: &str = "request";
