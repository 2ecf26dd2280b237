//! A program that runs, what it says, and its certain end.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Outcome, PATIENCE};

/// Where a program of this workspace is: beside the tests, where cargo puts it.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).expect("tests are in target/<profile>/deps");
    let program = profile.join(name);
    assert!(program.exists(), "{} is missing: run `cargo build --workspace --bins` first", program.display());
    program
}

/// A program that runs. Dropping it kills it, by its process id.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Heard,
    stderr: Heard,
    readers: Vec<JoinHandle<()>>,
}

impl Running {
    /// Starts a program, with nothing to read from.
    pub fn start(command: &mut Command) -> Self {
        Self::start_with(command, Stdio::null())
    }

    /// Starts a program that reads this and no more. It is short enough to wait in a pipe.
    pub fn start_reading(command: &mut Command, input: &str) -> Self {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(input.as_bytes()).unwrap();
        Self::start_with(command, Stdio::from(reader))
    }

    fn start_with(command: &mut Command, stdin: Stdio) -> Self {
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (stdout, stderr) = (Heard::default(), Heard::default());
        let readers = vec![
            stdout.listen_to(child.stdout.take().unwrap()),
            stderr.listen_to(child.stderr.take().unwrap()),
        ];
        Self { child, stdout, stderr, readers }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far on stdout.
    pub fn stdout(&self) -> String {
        self.stdout.so_far()
    }

    /// What it has said so far on stderr.
    pub fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    /// What `find` finds in what is said on stdout, now or later.
    pub fn hear_stdout<T>(&self, what: &str, find: impl FnMut(&str) -> Option<T>) -> T {
        self.stdout.wait_for(find).unwrap_or_else(|| self.nothing(what))
    }

    /// What `find` finds in what is said on stderr, now or later.
    pub fn hear_stderr<T>(&self, what: &str, find: impl FnMut(&str) -> Option<T>) -> T {
        self.stderr.wait_for(find).unwrap_or_else(|| self.nothing(what))
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Asks it to end, with SIGTERM.
    pub fn terminate(&mut self) {
        self.signal(Signal::TERM);
    }

    /// Ends it with SIGKILL: it can clean up nothing.
    pub fn kill9(&mut self) {
        self.signal(Signal::KILL);
        self.exit();
    }

    /// Waits for its end, and all that it said.
    pub fn finish(mut self) -> Outcome {
        let exit = self.exit();
        for reader in self.readers.drain(..) {
            // A reader ends with its pipe, and the pipe with its process.
            let _ = reader.join();
        }
        Outcome { exit, stdout: self.stdout(), stderr: self.stderr() }
    }

    /// Waits for its end: its exit code, or 128 and the signal that ended it, as a shell says it.
    pub fn exit(&mut self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
            }
            if Instant::now() > deadline {
                self.nothing("its end")
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn signal(&mut self, signal: Signal) {
        // A child that was waited for has no process id any more.
        if self.is_running() {
            kill_process(Pid::from_child(&self.child), signal).unwrap();
        }
    }

    fn nothing(&self, what: &str) -> ! {
        panic!(
            "in vain waited for: {what}\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout.so_far(),
            self.stderr.so_far()
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail for a process that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program says on one of its streams.
#[derive(Clone, Debug, Default)]
struct Heard(Arc<(Mutex<Said>, Condvar)>);

#[derive(Debug, Default)]
struct Said {
    text: String,
    is_over: bool,
}

impl Heard {
    fn listen_to(&self, stream: impl Read + Send + 'static) -> JoinHandle<()> {
        let heard = self.clone();
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                heard.change(|said| said.text.push_str(&String::from_utf8_lossy(&line)));
                line.clear();
            }
            heard.change(|said| said.is_over = true);
        })
    }

    fn change(&self, change: impl FnOnce(&mut Said)) {
        let (said, changed) = &*self.0;
        change(&mut said.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_all();
    }

    fn so_far(&self) -> String {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).text.clone()
    }

    /// What `find` finds, once it does; nothing when that does not happen in time, or cannot any more.
    fn wait_for<T>(&self, mut find: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        let (said, changed) = &*self.0;
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = find(&said.text) {
                return Some(found);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            if said.is_over {
                return None;
            }
            said = changed.wait_timeout(said, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
