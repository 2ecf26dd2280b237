//! Programs that are measured: started where they belong, watched, and ended for certain.

use std::{
    fs::File,
    net::{SocketAddr, TcpStream},
    os::unix::{fs::FileExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use pf_lab::Namespace;
use rustix::process::{Pid, Signal, kill_process_group};

/// How long a program gets to do what it was started for, or to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(40);

/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(20);

/// The machine that a program runs on, as far as its network goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    /// This one.
    Here,
    /// One of the lab's.
    In(&'a Namespace),
}

impl Place<'_> {
    /// A command that starts a program there, as this process's own child.
    pub(crate) fn command(self, program: impl AsRef<Path>) -> Command {
        match self {
            Self::Here => Command::new(program.as_ref()),
            Self::In(namespace) => namespace.command(program.as_ref()),
        }
    }

    /// Waits until somebody there takes connections.
    pub(crate) fn await_listener(self, address: SocketAddr) -> Result<()> {
        let connect = || TcpStream::connect(address);
        let begun = Instant::now();
        loop {
            let tried = match self {
                Self::Here => connect(),
                Self::In(namespace) => namespace.run(connect),
            };
            match tried {
                Ok(_) => return Ok(()),
                Err(_) if begun.elapsed() < PATIENCE => thread::sleep(LOOK),
                Err(error) => bail!("nobody listens at {address}: {error}"),
            }
        }
    }
}

/// A program that runs, and whatever it starts. Dropping it ends all of that.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    name: String,
    said: File,
}

impl Program {
    /// Starts it with nothing to read; what it says is shown only where it fails.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let said = tempfile::tempfile()?;
        command.stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said.try_clone()?);
        Self::spawn(command, said)
    }

    /// Starts it with its output in a pipe, which [`Self::child`] has.
    pub(crate) fn start_piped(command: &mut Command) -> Result<Self> {
        let said = tempfile::tempfile()?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(said.try_clone()?);
        Self::spawn(command, said)
    }

    fn spawn(command: &mut Command, said: File) -> Result<Self> {
        let name = name_of(command);
        let child = command.process_group(0).spawn().with_context(|| format!("{name} cannot be run"))?;
        Ok(Self { child, name, said })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Fails when it has ended, with what it said last.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} has ended with {status}: {}", self.name, self.last_words()),
        }
    }

    /// Waits for its end, which must be a success.
    pub(crate) fn finish(mut self, patience: Duration) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "{} has ended with {status}: {}", self.name, self.last_words());
                return Ok(());
            }
            thread::sleep(LOOK);
        }
        bail!("{} does not end: {}", self.name, self.last_words())
    }

    /// Asks it to end, and waits until it has; all that it said.
    pub(crate) fn stop(mut self) -> Result<String> {
        self.signal(Signal::TERM);
        let asked = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(asked.elapsed() < PATIENCE, "{} does not end: {}", self.name, self.last_words());
            thread::sleep(LOOK);
        }
        Ok(self.words())
    }

    fn words(&self) -> String {
        let length = self.said.metadata().map_or(0, |file| file.len());
        let mut all = vec![0; length as usize];
        // What cannot be read again is not missed: it explains a failure, or is looked for something.
        _ = self.said.read_exact_at(&mut all, 0);
        String::from_utf8_lossy(&all).into_owned()
    }

    /// The end of what it said.
    pub(crate) fn last_words(&self) -> String {
        let all = self.words();
        let lines: Vec<_> = all.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }

    fn signal(&self, signal: Signal) {
        // One that has ended needs none. Its group is its own: it holds what it started, and nothing else.
        _ = kill_process_group(Pid::from_child(&self.child), signal);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        let asked = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && asked.elapsed() < GRACE {
            thread::sleep(LOOK);
        }
        self.signal(Signal::KILL);
        _ = self.child.wait();
    }
}

/// How long a program gets to clean up after itself.
const GRACE: Duration = Duration::from_secs(3);

/// One of Punktfunk's programs, of the same build as this one.
pub(crate) fn own(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    ensure!(path.exists(), "{} is not built; `cargo xtask bench` builds it", path.display());
    Ok(path)
}

/// Whether a program is in `PATH`.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The file name of what a command runs, wherever it runs it.
fn name_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let program = if words[0] == "ip" { words.get(4) } else { words.first() };
    let program = program.map_or("", String::as_str);
    program.rsplit('/').next().unwrap_or(program).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer that was not ended would be in the way of the next, and of every measurement after it.
    #[test]
    fn what_a_program_started_ends_with_it() {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' TERM; sleep 1000 & echo $!; wait"]);
        let mut program = Program::start_piped(&mut command).unwrap();
        let mut line = String::new();
        let output = program.child().stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).unwrap();
        let stat = Path::new("/proc").join(line.trim()).join("stat");
        assert!(stat.exists());
        drop(program);
        let begun = Instant::now();
        // An orphan that has ended may still wait to be reaped, by whoever reaps orphans here.
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(begun.elapsed() < PATIENCE, "it still sleeps");
            thread::sleep(LOOK);
        }
    }

    #[test]
    fn one_that_fails_says_why() {
        let program =
            Program::start(Command::new("sh").args(["-c", "echo no such luck >&2; exit 3"])).unwrap();
        let error = program.finish(PATIENCE).unwrap_err().to_string();
        assert!(error.contains("no such luck") && error.contains("sh has ended"), "{error}");
    }
}
