//! A sway of a test's own, without a screen, and programs in it.
#![allow(dead_code, clippy::allow_attributes, reason = "each test program uses its own part of this")]

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use rustix::process::{Pid, Signal, getuid, kill_process};

use super::support::{TEST_LIMIT, scratch, until};

/// A Wayland compositor that ends with the test.
pub(crate) struct Sway {
    process: Child,
    directory: tempfile::TempDir,
    over: Option<mpsc::Sender<()>>,
    limit: Option<std::thread::JoinHandle<()>>,
}

impl Sway {
    /// One with as many outputs into nothing, and what else its configuration says.
    pub(crate) fn start(outputs: u32, configuration: &str) -> Self {
        let directory = scratch();
        let file = directory.path().join("config");
        let text =
            format!("default_border none\nfocus_follows_mouse no\nxwayland disable\n{configuration}\n");
        std::fs::write(&file, text).unwrap();
        give_away(directory.path());
        let mut command = as_a_user("sway", directory.path());
        command.arg("-c").arg(&file).env("WLR_BACKENDS", "headless").env("WLR_RENDERER", "pixman");
        command.env("WLR_LIBINPUT_NO_DEVICES", "1").env("WLR_HEADLESS_OUTPUTS", outputs.to_string());
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let (over, is_over) = mpsc::channel();
        let id = Pid::from_child(&process);
        // Killing the compositor ends every wait for it. It is not yet reaped then: the id still is its own.
        let limit = std::thread::spawn(move || {
            if is_over.recv_timeout(TEST_LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
                _ = kill_process(id, Signal::KILL);
            }
        });
        let sway = Self { process, directory, over: Some(over), limit: Some(limit) };
        until("sway answers", || UnixStream::connect(sway.socket()).is_ok());
        until("sway takes commands", || sway.ipc().is_some());
        sway
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("wayland-1")
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Has sway do something.
    pub(crate) fn command(&self, command: &str) {
        let answer = self.ask(&[command]);
        assert!(answer.contains("\"success\": true"), "{command}: {answer}");
    }

    /// What sway says of its outputs.
    pub(crate) fn outputs(&self) -> String {
        self.ask(&["-t", "get_outputs"])
    }

    fn ask(&self, words: &[&str]) -> String {
        let output = Command::new("swaymsg").arg("-s").arg(self.ipc().unwrap()).args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a program in it that prints what it sees, line by line.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Printing {
        let mut command = as_a_user("stdbuf", self.directory.path());
        command.args(["-oL", program]).args(arguments).env("WAYLAND_DISPLAY", self.socket());
        Printing::start(command)
    }

    fn ipc(&self) -> Option<PathBuf> {
        let mut entries = std::fs::read_dir(self.directory.path()).unwrap().flatten();
        entries
            .find_map(|entry| Some(entry.path()).filter(|path| path.to_string_lossy().contains("sway-ipc")))
    }
}

impl Drop for Sway {
    fn drop(&mut self) {
        drop(self.over.take());
        _ = self.limit.take().unwrap().join();
        // It leaves nothing behind outside of its directory.
        self.signal(Signal::KILL);
        _ = self.process.wait();
    }
}

/// A program whose output is read.
pub(crate) struct Printing {
    process: Child,
    lines: mpsc::Receiver<String>,
}

impl Printing {
    fn start(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { process, lines }
    }

    /// Reads on until `take` finds what it looks for in a line.
    pub(crate) fn next<T>(&self, what: &str, mut take: impl FnMut(&str) -> Option<T>) -> T {
        let limit = Instant::now() + TEST_LIMIT;
        let mut seen = Vec::new();
        loop {
            let line = self.lines.recv_timeout(limit - Instant::now());
            let line = line.unwrap_or_else(|_| panic!("never: {what}, but\n{}", seen.join("\n")));
            if let Some(found) = take(&line) {
                return found;
            }
            seen.push(line);
        }
    }
}

impl Drop for Printing {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// A program that ends with this thread, run by somebody else than root: sway refuses to be run by root.
fn as_a_user(program: &str, directory: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if getuid().is_root() {
        command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()]);
    }
    command.args(["--pdeathsig", "KILL", "--", program]).stdin(Stdio::null());
    let path = std::env::var_os("PATH").unwrap();
    command.env_clear().env("PATH", path).env("HOME", directory).env("XDG_RUNTIME_DIR", directory);
    command
}

/// Gives a directory to whom its programs are run by.
fn give_away(directory: &Path) {
    if getuid().is_root() {
        chown(directory, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700)).unwrap();
}

const NOBODY: u32 = 65_534;
