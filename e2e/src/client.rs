//! An install of the client program.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Outcome, Running, program, until};

/// An install of the client program, in a directory of its own.
#[derive(Debug)]
pub struct ClientInstall {
    temp: TempDir,
    data_dir: PathBuf,
    name: String,
    environment: Vec<(String, String)>,
}

impl ClientInstall {
    /// A new install, whose device is called `name`.
    pub fn new(name: &str) -> Self {
        let temp = tempfile::Builder::new().prefix("pf-e2e-client-").tempdir().unwrap();
        let data_dir = temp.path().join("data");
        Self { temp, data_dir, name: name.to_owned(), environment: Vec::new() }
    }

    /// Keeps its data in this directory, and not in one of its own.
    #[must_use]
    pub fn at(mut self, data_dir: impl Into<PathBuf>) -> Self {
        self.data_dir = data_dir.into();
        self
    }

    /// With one more variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What its device is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its identity and store are.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Writes its `settings.toml`.
    pub fn write_settings(&self, text: &str) {
        let folder = self.temp.path().join("config/punktfunk");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("settings.toml"), text).unwrap();
    }

    /// Runs a command to its end, with `--json`.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        self.spawn(arguments).finish()
    }

    /// Runs a command to its end, with an answer for a person.
    pub fn run_text(&self, arguments: &[&str]) -> Outcome {
        Running::start(self.command().args(arguments)).finish()
    }

    /// Runs a command to its end, again and again while the host says that it is too early.
    pub fn run_when_let(&self, arguments: &[&str]) -> Outcome {
        until("a host that takes tries", || {
            let outcome = self.run(arguments);
            (outcome.exit != 14).then_some(outcome)
        })
    }

    /// Starts a command, with `--json`.
    pub fn spawn(&self, arguments: &[&str]) -> Running {
        Running::start(self.command().arg("--json").args(arguments))
    }

    /// Starts the app, with more variables of the environment.
    pub fn spawn_app(&self, environment: &[(&str, String)]) -> Running {
        Running::start(self.command().envs(environment.iter().map(|(name, value)| (name, value))))
    }

    /// Pairs by PIN, which must go well.
    #[track_caller]
    pub fn pair(&self, address: &str, pin: &str) {
        self.run(&["pair", address, "--pin", pin]).expect_success();
    }

    /// Connects for a few pictures.
    pub fn connect(&self, address: &str) -> Outcome {
        self.run(&["connect", address, "--headless", "--frames", "3"])
    }

    /// Connects, which must go well.
    #[track_caller]
    pub fn expect_pictures(&self, address: &str) {
        let report = self.connect(address).expect_success();
        assert!(report["frames"].as_u64() >= Some(3), "{report}");
    }

    /// The fingerprint by which hosts know it.
    pub fn fingerprint(&self) -> String {
        self.run(&["identity"]).expect_success()["fingerprint"].as_str().unwrap().to_owned()
    }

    /// The hosts that it knows.
    pub fn hosts(&self) -> Vec<Value> {
        self.run(&["hosts"]).expect_success()["hosts"].as_array().unwrap().clone()
    }

    /// What it knows of the host with this fingerprint: `paired`, `approved`, `asked`, …
    pub fn state_of(&self, fingerprint: &str) -> Option<String> {
        let host = self.hosts().into_iter().find(|host| host["fingerprint"] == fingerprint)?;
        Some(host["state"].as_str().unwrap().to_owned())
    }

    /// Whether it has pinned any host.
    pub fn has_pin(&self) -> bool {
        let pinned = ["paired", "approved", "approved_not_compared", "first_use"];
        self.hosts().iter().any(|host| pinned.contains(&host["state"].as_str().unwrap()))
    }

    /// The path of a file of its.
    pub fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.data_dir.join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(program("punktfunk"));
        command.arg("--data-dir").arg(&self.data_dir).args(["--name", &self.name]);
        // Not what somebody has set who runs the tests.
        command.env("XDG_CONFIG_HOME", self.temp.path().join("config"));
        command.envs(self.environment.iter().cloned());
        command
    }
}
