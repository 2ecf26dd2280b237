//! Finding and ending every process of a display, however far it ran from its parent.
//!
//! A process that detaches itself (a second fork, `setsid`) is handed to its nearest ancestor that is a *child
//! subreaper*, which the supervisor is: whatever the command started stays below it in the tree. Processes are
//! signalled through a pidfd that was checked after it was opened, so that a recycled id hits nobody.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, getpid, pidfd_open, pidfd_send_signal, wait,
};

/// The children that have ended since the last call, with how.
pub(super) fn reap() -> Vec<(Pid, WaitStatus)> {
    let mut ended = Vec::new();
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(child)) => ended.push(child),
            Err(Errno::INTR) => {}
            // None of the children has ended, or there are none.
            Ok(None) | Err(_) => return ended,
        }
    }
}

/// Ends every descendant of this process: asks them to end, and kills those that remain after `grace`.
///
/// Takes at most `grace` and [`KILL_PATIENCE`]; what is left then cannot be killed by this user.
pub(super) fn end_descendants(grace: Duration) {
    let own = getpid();
    end_all(grace, || {
        reap();
        descendants(own, &living())
    });
}

/// Kills every process that was started with this `XAUTHORITY`, wherever it is in the tree.
pub(super) fn kill_users_of(authority: &Path) {
    let mark = [b"XAUTHORITY=", authority.as_os_str().as_bytes()].concat();
    end_all(Duration::ZERO, || {
        living().into_iter().filter(|process| has_environment(process.id, &mark)).collect()
    });
}

/// Whether there is a process with this id that has not ended.
pub(super) fn is_alive(id: Pid) -> bool {
    Process::read(id).is_some()
}

/// A process that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    id: Pid,
    parent: i32,
    /// In clock ticks since boot; with the id it names a process for good.
    started: u64,
}

impl Process {
    fn read(id: Pid) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", id.as_raw_pid())).ok()?;
        Self::parse(id, &stat)
    }

    /// From a line of `/proc/*/stat` (proc(5)); `None` for one that has ended, too.
    fn parse(id: Pid, stat: &str) -> Option<Self> {
        // The name in parentheses may hold anything, parentheses and spaces included.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        // Field 22; the name was field 2 and the parent field 4.
        let started = fields.nth(22 - 5)?.parse().ok()?;
        (!matches!(state, "Z" | "X")).then_some(Self { id, parent, started })
    }

    fn signal(&self, signal: Signal) {
        let Ok(handle) = pidfd_open(self.id, PidfdFlags::empty()) else { return };
        if Self::read(self.id).is_some_and(|now| now.started == self.started) {
            // Not allowed for a program that runs as another user (sudo); nothing else can be done about it.
            _ = pidfd_send_signal(handle, signal);
        }
    }
}

/// Ends the processes that `find` finds, until it finds none twice in a row.
///
/// Twice, because a process that is just loading another program has no readable environment for a moment.
fn end_all(grace: Duration, mut find: impl FnMut() -> Vec<Process>) {
    let begin = Instant::now();
    let mut asked = HashSet::new();
    let mut found_before = true;
    while begin.elapsed() < grace + KILL_PATIENCE {
        let found = find();
        if found.is_empty() && !found_before {
            return;
        }
        found_before = !found.is_empty();
        for process in found {
            if begin.elapsed() >= grace {
                process.signal(Signal::KILL);
            } else if asked.insert((process.id, process.started)) {
                process.signal(Signal::TERM);
            }
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
}

fn living() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter_map(Process::read)
        .collect()
}

/// The processes below `root` in the tree.
fn descendants(root: Pid, all: &[Process]) -> Vec<Process> {
    let mut children: HashMap<i32, Vec<Process>> = HashMap::new();
    for process in all {
        children.entry(process.parent).or_default().push(*process);
    }
    let mut found = Vec::new();
    let mut next = children.remove(&root.as_raw_pid()).unwrap_or_default();
    while let Some(process) = next.pop() {
        next.extend(children.remove(&process.id.as_raw_pid()).unwrap_or_default());
        found.push(process);
    }
    found
}

fn has_environment(id: Pid, entry: &[u8]) -> bool {
    // Unreadable for processes of other users.
    let environment = fs::read(Path::new("/proc").join(OsStr::new(&id.to_string())).join("environ"));
    environment.is_ok_and(|all| all.split(|&byte| byte == 0).any(|one| one == entry))
}

/// How long to go on killing.
///
/// A killed process is gone at once, except in an uninterruptible wait of the kernel's (a dead network file
/// system); the price of more patience is a session that ends late.
pub(super) const KILL_PATIENCE: Duration = Duration::from_secs(3);

/// How often to look whether they are gone.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::process::{Command, Stdio};

    use super::*;

    fn process(id: i32, parent: i32) -> Process {
        Process { id: Pid::from_raw(id).unwrap(), parent, started: 0 }
    }

    #[test]
    fn a_stat_line_is_understood_whatever_the_name() {
        let id = Pid::from_raw(42).unwrap();
        let line = |name, state| {
            format!("42 ({name}) {state} 7 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 123456 9 9 9")
        };
        let expected = Some(Process { id, parent: 7, started: 123_456 });
        for name in ["sleep", "a b", "x) R 1 1 (y", ""] {
            assert_eq!(Process::parse(id, &line(name, "S")), expected);
            assert_eq!(Process::parse(id, &line(name, "Z")), None);
        }
        assert_eq!(Process::parse(id, "42 (cut off) S 7 1"), None);
    }

    #[test]
    fn the_real_proc_is_understood() {
        let own = Process::read(getpid()).unwrap();
        assert_eq!(own.parent, rustix::process::getppid().unwrap().as_raw_pid());
        assert!(living().contains(&own));
    }

    #[test]
    fn descendants_are_all_below_and_nothing_beside() {
        let all = [process(2, 1), process(3, 2), process(4, 3), process(5, 1), process(6, 5), process(7, 3)];
        let mut found: Vec<i32> =
            descendants(Pid::from_raw(2).unwrap(), &all).iter().map(|p| p.id.as_raw_pid()).collect();
        found.sort_unstable();
        assert_eq!(found, [3, 4, 7]);
    }

    #[test]
    fn a_process_is_known_by_one_whole_entry_of_its_environment() {
        let mut child = Command::new("cat")
            .env("XAUTHORITY", "/a/b")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // While the kernel still loads a program, its environment reads as empty.
        child.stdin.as_mut().unwrap().write_all(b"!").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let id = Pid::from_child(&child);
        assert!(has_environment(id, b"XAUTHORITY=/a/b"));
        assert!(!has_environment(id, b"XAUTHORITY=/a/"));
        assert!(!has_environment(id, b"AUTHORITY=/a/b"));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
