//! A host program that runs.

use std::{
    net::SocketAddr,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Outcome, Running, program, until};

/// How a host is to be run.
#[derive(Debug)]
pub struct HostSetup {
    mode: &'static str,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    source: &'static str,
    advertised_as: Option<String>,
    temp: TempDir,
    data_dir: PathBuf,
    port: u16,
}

/// What a host says of its console when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// Where it is.
    pub url: String,
    /// The SHA-256 of its certificate, as a browser shows it.
    pub certificate: String,
    /// The password: at the first start only.
    pub password: Option<String>,
    /// A link that signs in once: at the first start only.
    pub link: Option<String>,
}

/// A host that runs in a directory of its own; on loopback and not advertised, unless it is set up otherwise.
#[derive(Debug)]
pub struct Host {
    setup: HostSetup,
    process: Running,
    fingerprint: String,
}

impl Host {
    /// `punktfunk-host serve`.
    pub fn serve() -> HostSetup {
        HostSetup::new("serve")
    }

    /// `punktfunk-host m3-host`.
    pub fn m3() -> HostSetup {
        HostSetup::new("m3-host")
    }

    /// Where it listens, as a person types it.
    pub fn address(&self) -> String {
        self.socket_address().to_string()
    }

    /// Where it listens.
    pub fn socket_address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.setup.port).into()
    }

    /// Its fingerprint, in hexadecimal digits.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Running {
        &mut self.process
    }

    /// What it has said so far on stdout.
    pub fn stdout(&self) -> String {
        self.process.stdout()
    }

    /// What it has said so far on stderr.
    pub fn stderr(&self) -> String {
        self.process.stderr()
    }

    /// Where its identity and store are.
    pub fn data_dir(&self) -> &Path {
        &self.setup.data_dir
    }

    /// What `serve` said of its console when it started.
    pub fn console(&self) -> Console {
        self.process.hear_stdout("its console", console)
    }

    /// The PIN that `m3-host` showed last.
    pub fn pin(&self) -> String {
        self.process.hear_stdout("a PIN", |said| pins(said).pop())
    }

    /// The PIN that `m3-host` shows as its `number`th since it started, counted from 1.
    pub fn await_pin(&self, number: usize) -> String {
        self.process.hear_stdout("a fresh PIN", |said| pins(said).get(number - 1).cloned())
    }

    /// Arms `serve` with these arguments of `ctl arm`: the PIN.
    #[track_caller]
    pub fn arm(&self, arguments: &[&str]) -> String {
        let window = self.ctl(&[&["arm"], arguments].concat());
        window["pin"].as_str().unwrap().to_owned()
    }

    /// The data of a control command that goes well.
    #[track_caller]
    pub fn ctl(&self, arguments: &[&str]) -> Value {
        self.try_ctl(arguments).expect_success()
    }

    /// Runs a control command.
    pub fn try_ctl(&self, arguments: &[&str]) -> Outcome {
        self.setup.ctl(arguments)
    }

    /// Runs a control command, and gives it something to read.
    pub fn try_ctl_reading(&self, arguments: &[&str], input: &str) -> Outcome {
        self.setup.ctl_reading(arguments, input)
    }

    /// The paired devices.
    pub fn devices(&self) -> Vec<Value> {
        self.ctl(&["devices"])["devices"].as_array().unwrap().clone()
    }

    /// The requests for access.
    pub fn requests(&self) -> Vec<Value> {
        self.ctl(&["requests"])["requests"].as_array().unwrap().clone()
    }

    /// The sessions that are on.
    pub fn sessions(&self) -> Vec<Value> {
        self.ctl(&["sessions"])["sessions"].as_array().unwrap().clone()
    }

    /// Waits for a request that `is_meant` is true of.
    pub fn await_request(&self, what: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
        until(what, || self.requests().into_iter().find(|request| is_meant(request)))
    }

    /// Waits until the device with this fingerprint is connected.
    pub fn await_session_of(&self, fingerprint: &str) {
        until("a session", || self.sessions().iter().any(|s| s["fingerprint"] == fingerprint).then_some(()));
    }

    /// The words of the trust events, oldest first.
    pub fn events(&self) -> Vec<String> {
        let audit = self.ctl(&["audit", "--limit", "1000"]);
        let word = |entry: &Value| entry["event"].as_str().unwrap().to_owned();
        audit["entries"].as_array().unwrap().iter().rev().map(word).collect()
    }

    /// How often a trust event of this word has happened.
    pub fn count_events(&self, word: &str) -> usize {
        self.events().iter().filter(|event| *event == word).count()
    }

    /// Ends it with SIGTERM, which it must answer with exit code 0.
    #[track_caller]
    pub fn terminate(&mut self) {
        self.process.terminate();
        assert_eq!(self.process.exit(), 0, "{}", self.stderr());
    }

    /// Ends it with SIGKILL: it can clean up nothing.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// What is needed to start it again: with its directory, and on its port.
    pub fn into_setup(self) -> HostSetup {
        self.setup
    }

    /// The same host after it was ended with SIGKILL and started again.
    #[must_use]
    pub fn killed_and_started_again(mut self) -> Self {
        self.kill9();
        self.into_setup().start()
    }

    /// The same host after it was ended with SIGTERM and started again.
    #[must_use]
    pub fn stopped_and_started_again(mut self) -> Self {
        self.terminate();
        self.into_setup().start()
    }
}

impl HostSetup {
    fn new(mode: &'static str) -> Self {
        let temp = tempfile::Builder::new().prefix("pf-e2e-host-").tempdir().unwrap();
        let data_dir = temp.path().join("data");
        Self {
            mode,
            arguments: Vec::new(),
            environment: Vec::new(),
            source: "synthetic",
            advertised_as: None,
            temp,
            data_dir,
            port: 0,
        }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// With PINs of ten digits: no two of one test are the same by chance.
    #[must_use]
    pub fn long_pins(self) -> Self {
        self.arg("--pin-digits").arg("10")
    }

    /// No more of these arguments.
    #[must_use]
    pub fn without_args(mut self) -> Self {
        self.arguments.clear();
        self
    }

    /// One more variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With pictures from this source, and not the synthetic one.
    #[must_use]
    pub fn source(mut self, source: &'static str) -> Self {
        self.source = source;
        self
    }

    /// On every address of its machine, and advertised by this name.
    #[must_use]
    pub fn advertised_as(mut self, name: &str) -> Self {
        self.advertised_as = Some(name.to_owned());
        self
    }

    /// Keeps its data in this directory, and not in one of the host's own.
    #[must_use]
    pub fn data_dir(mut self, data_dir: impl Into<PathBuf>) -> Self {
        self.data_dir = data_dir.into();
        self
    }

    /// On this port, and not on any free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Where its identity and store are.
    pub fn path(&self) -> &Path {
        &self.data_dir
    }

    /// Its directory is gone, and the next start is that of a new host on the old port.
    #[must_use]
    pub fn installed_anew(mut self) -> Self {
        std::fs::remove_dir_all(&self.data_dir).unwrap();
        self.data_dir = self.temp.path().join("data-of-another");
        self
    }

    /// Starts it, and waits until it is up.
    #[track_caller]
    pub fn start(mut self) -> Host {
        let process = Running::start(&mut self.command());
        self.port = process.hear_stdout("its port", |said| {
            let line = said.lines().find_map(|line| line.strip_prefix("Listening    UDP "))?;
            Some(line.parse::<SocketAddr>().unwrap().port())
        });
        let fingerprint = process.hear_stdout("its fingerprint", |said| {
            said.lines().find_map(|line| line.strip_prefix("Fingerprint  ")).map(|f| f.replace(' ', ""))
        });
        let socket = self.data_dir.join("ctl.sock");
        until("its control socket", || UnixStream::connect(&socket).ok());
        Host { setup: self, process, fingerprint }
    }

    /// Starts it with `--json` where it cannot come up, and waits for its end.
    pub fn fail_to_start(&self) -> Outcome {
        Running::start(self.command().arg("--json")).finish()
    }

    /// Runs a control command of the host with this directory, whether it runs or not.
    pub fn ctl(&self, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(program("punktfunk-host"));
        command.args(["ctl", "--json", "--data-dir"]).arg(&self.data_dir).args(arguments);
        Running::start(&mut command).finish()
    }

    /// Runs a control command of the host with this directory, and gives it something to read.
    pub fn ctl_reading(&self, arguments: &[&str], input: &str) -> Outcome {
        let mut command = Command::new(program("punktfunk-host"));
        command.args(["ctl", "--json", "--data-dir"]).arg(&self.data_dir).args(arguments);
        Running::start_reading(&mut command, input).finish()
    }

    /// The command by which it is started.
    pub fn command(&self) -> Command {
        let mut command = Command::new(program("punktfunk-host"));
        command
            .arg(self.mode)
            .args(["--source", self.source])
            .args(match &self.advertised_as {
                Some(name) => vec!["--name", name],
                None => vec!["--name", "desk", "--no-mdns", "--bind", "127.0.0.1"],
            })
            .args(["--port", &self.port.to_string(), "--data-dir"])
            .arg(&self.data_dir)
            .args(&self.arguments)
            .envs(self.environment.iter().cloned());
        command
    }
}

/// What was said of the console, once all of it was.
fn console(said: &str) -> Option<Console> {
    let value = |name: &str| {
        said.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
    };
    let console = Console {
        url: value("Console ")?,
        certificate: value("Certificate ")?,
        password: value("Password "),
        link: said.lines().find(|line| line.contains("/#link=")).map(str::to_owned),
    };
    // Either a password with a link, or how else one signs in.
    (console.link.is_some() || value("Sign in ").is_some()).then_some(console)
}

fn pins(said: &str) -> Vec<String> {
    said.lines().filter_map(|line| line.strip_prefix("PIN ")).map(str::to_owned).collect()
}
