//! A network namespace: a machine as far as its network goes.
//!
//! Every process that is started in it, and every socket that is opened, belongs to that machine. It is gone with this
//! handle, also when a test panics; what a process that was killed left behind is taken away by the next one.
//!
//! Needs root, and the `ip` of iproute2.

use std::{ffi::OsStr, fs::File, io, os::fd::AsFd as _, path::Path, process::Command, thread};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A named network namespace, deleted with this.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// A machine without any interface but loopback, which is up; `role` becomes a part of its name.
    pub fn new(role: &str) -> io::Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "network namespaces need root: run this as root",
            ));
        }
        sweep();
        let mut number = [0; 4];
        getrandom::fill(&mut number).map_err(io::Error::other)?;
        let name = format!("{PREFIX}{}-{role}-{:08x}", std::process::id(), u32::from_ne_bytes(number));
        ip(&["netns", "add", &name])?;
        let namespace = Self { name };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// What iproute2 calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` within, with words that are separated by spaces.
    pub fn ip(&self, words: &str) -> io::Result<()> {
        let words: Vec<_> = ["-n", &self.name].into_iter().chain(words.split(' ')).collect();
        ip(&words)
    }

    /// A command that starts a program within, with the process id of its own child.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs `body` within, on a thread of its own.
    ///
    /// # Panics
    /// When `body` does, or the namespace cannot be entered.
    pub fn run<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        let enter = || {
            let namespace = File::open(Path::new(NAMESPACES).join(&self.name))?;
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            io::Result::Ok(())
        };
        let entered = thread::scope(|scope| {
            scope
                .spawn(|| {
                    enter().unwrap_or_else(|error| panic!("cannot enter {}: {error}", self.name));
                    body()
                })
                .join()
        });
        entered.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        delete(&self.name);
    }
}

/// Deletes the namespaces of processes that are not there any more.
fn sweep() {
    let Ok(entries) = std::fs::read_dir(NAMESPACES) else { return };
    for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
            delete(&name);
        }
    }
}

/// Deletes a namespace. One that another process's sweep has deleted just now is as good.
fn delete(name: &str) {
    if let Err(error) = Command::new("ip").args(["netns", "del", name]).output() {
        eprintln!("the network namespace {name} stays: {error}");
    }
}

fn ip(words: &[&str]) -> io::Result<()> {
    let output = Command::new("ip").args(words).output().map_err(|error| {
        io::Error::new(error.kind(), format!("`ip` cannot be run (Debian: iproute2): {error}"))
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("ip {}: {}", words.join(" "), said.trim())))
}

/// Where iproute2 keeps namespaces by name.
const NAMESPACES: &str = "/run/netns";

/// What the names of ours begin with; the process id follows.
const PREFIX: &str = "pf-lab-";
