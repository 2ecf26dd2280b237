//! The client program.

use std::{
    fs,
    io::Read as _,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    host::Host,
    peer::Ask,
    process::cpu_time,
    program::{Place, Program, own},
};

/// An install of the client program, paired with a host.
pub(crate) struct Viewer<'a> {
    directory: TempDir,
    host: SocketAddr,
    place: Place<'a>,
}

/// What it said of a session, and what that took.
pub(crate) struct Watched {
    pub(crate) said: Value,
    pub(crate) cpu: Duration,
}

impl<'a> Viewer<'a> {
    /// A new install on this machine.
    pub(crate) fn pair(host: &Host) -> Result<Self> {
        Self::pair_at(host, Place::Here)
    }

    /// A new install there.
    pub(crate) fn pair_at(host: &Host, place: Place<'a>) -> Result<Self> {
        let viewer = Self { directory: tempfile::tempdir()?, host: host.address(), place };
        let mut command = viewer.program("pair")?;
        command.args(["--pin", &host.next_pin()?]);
        Program::start(&mut command)?.finish(PATIENCE)?;
        Ok(viewer)
    }

    /// The command that shows the host's desktop in a window, until it is ended.
    pub(crate) fn command(&self, ask: Ask) -> Result<Command> {
        let mut command = self.program("connect")?;
        command.args(["--json", "--size", &ask.size.to_string(), "--fps", &ask.fps.to_string()]);
        command.args(["--bitrate", &ask.megabits.to_string(), "--sound", "off"]);
        Ok(command)
    }

    /// The command that receives and decodes, and shows nothing.
    pub(crate) fn headless(&self, ask: Ask) -> Result<Command> {
        let mut command = self.command(ask)?;
        command.arg("--headless");
        Ok(command)
    }

    /// The command that opens the app at its grid of hosts.
    pub(crate) fn app(&self) -> Result<Command> {
        app(self.place, self.directory.path(), "")
    }

    /// The command that opens the app at the host's desktop, as `ask` says.
    pub(crate) fn app_at_host(&self, host: &Host, ask: Ask) -> Result<Command> {
        let Ask { size, fps, megabits } = ask;
        let settings = format!("size = \"{size}\"\nfps = {fps}\nbitrate = {megabits}\nsound = \"off\"\n");
        let mut command = app(self.place, self.directory.path(), &settings)?;
        command.args(["open", &format!("punktfunk://connect/{}", host.fingerprint().hex())]);
        Ok(command)
    }

    /// Where it keeps its data, for as long as it is needed.
    pub(crate) fn into_data(self) -> TempDir {
        self.directory
    }

    fn program(&self, word: &str) -> Result<Command> {
        let mut command = install(self.place, self.directory.path())?;
        command.args([word, &self.host.to_string()]);
        Ok(command)
    }
}

/// The command that opens the app, with these settings and what is kept in `home`.
pub(crate) fn app(place: Place<'_>, home: &Path, settings: &str) -> Result<Command> {
    let folder = home.join("punktfunk");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("settings.toml"), settings)?;
    let mut command = install(place, home)?;
    command.env("XDG_CONFIG_HOME", home);
    Ok(command)
}

fn install(place: Place<'_>, home: &Path) -> Result<Command> {
    let mut command = place.command(own("punktfunk")?);
    command.arg("--data-dir").arg(home.join("client"));
    Ok(command)
}

/// Runs a session to its end; its report, and what it took.
pub(crate) fn watch(command: &mut Command) -> Result<Watched> {
    let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut text = String::new();
    process.stdout.take().context("no output")?.read_to_string(&mut text)?;
    // It has closed its output, and is not waited for yet: its time can still be read.
    let cpu = cpu_time(process.id());
    process.wait()?;
    Ok(Watched { said: report(&text)?, cpu: cpu? })
}

/// What a session's report says, as `--json` prints it.
pub(crate) fn report(text: &str) -> Result<Value> {
    let mut said: Value = serde_json::from_str(text).with_context(|| format!("the client said {text:?}"))?;
    anyhow::ensure!(said["error"].is_null(), "the client failed: {said}");
    Ok(said["data"].take())
}

/// The report that all the words of a client end with.
pub(crate) fn last_report(words: &str) -> Result<Value> {
    let json = words.lines().position(|line| line.starts_with('{')).context("the client reports nothing")?;
    let json: Vec<_> = words.lines().skip(json).collect();
    report(&json.join("\n"))
}

/// How long pairing may take.
const PATIENCE: Duration = Duration::from_secs(20);
