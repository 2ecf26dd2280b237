//! Tying a child process's life to its parent's.
#![expect(unsafe_code, reason = "code between fork and exec is a contract that the compiler cannot see")]

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

/// Lets the kernel kill the child when this process ends in whatever way.
///
/// The kernel means the *thread* that spawns the child, so that must be one that lasts, such as `main`'s.
pub(super) fn die_with_parent(command: &mut Command) -> &mut Command {
    let parent = getpid();
    // SAFETY: the closure runs in the child of a fork, where only async-signal-safe calls are allowed: it makes
    // two system calls, allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // A parent that died before the line above sends no signal any more.
            if getppid() == Some(parent) { Ok(()) } else { Err(io::Error::from_raw_os_error(ESRCH)) }
        })
    }
}

/// "No such process"; the number, because making other errors allocates.
const ESRCH: i32 = rustix::io::Errno::SRCH.raw_os_error();
