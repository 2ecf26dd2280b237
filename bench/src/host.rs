//! A Punktfunk host in a process of its own.

use std::{
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    time::Duration,
};

use anyhow::{Context, Result};
use pf_base::Fingerprint;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Place, own};

/// How long the host may take for its next PIN.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running test host: always armed.
pub(crate) struct Host {
    process: Child,
    pins: Receiver<String>,
    address: SocketAddr,
    fingerprint: Fingerprint,
    _data: TempDir,
}

impl Host {
    /// One on this machine that sends synthetic pictures.
    pub(crate) fn synthetic() -> Result<Self> {
        let mut command = Place::Here.command(own("punktfunk-host")?);
        command.args(["m3-host", "--source", "synthetic"]);
        Self::start(&mut command, Ipv4Addr::LOCALHOST)
    }

    /// One there that mirrors a display.
    pub(crate) fn mirroring(place: Place<'_>, address: Ipv4Addr, display: &str) -> Result<Self> {
        let mut command = place.command(own("punktfunk-host")?);
        command.args(["m3-host", "--source", "x11"]).env("DISPLAY", display);
        Self::start(&mut command, address)
    }

    fn start(command: &mut Command, address: Ipv4Addr) -> Result<Self> {
        let data = tempfile::tempdir()?;
        command.args(["--json", "--no-mdns", "--bind", &address.to_string(), "--port", "0"]);
        command.arg("--data-dir").arg(data.path().join("host"));
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let output = process.stdout.take().context("no output")?;
        let errors = process.stderr.take().context("no errors")?;
        let (sender, pins) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                match line.strip_prefix("PIN ") {
                    Some(pin) => _ = sender.send(pin.to_owned()),
                    None => eprintln!("host: {line}"),
                }
            }
        });
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let said: Value = serde_json::from_str(&line).context("the host did not start")?;
        let port = said["data"]["port"].as_u64().and_then(|port| port.try_into().ok());
        let fingerprint = said["data"]["fingerprint"].as_str().and_then(|text| text.parse().ok());
        let address = SocketAddr::from((address, port.context("the host names no port")?));
        let fingerprint = fingerprint.context("the host names no fingerprint")?;
        Ok(Self { process, pins, address, fingerprint, _data: data })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The PIN that it takes next; each is handed out once.
    pub(crate) fn next_pin(&self) -> Result<String> {
        self.pins.recv_timeout(PATIENCE).context("the host shows no PIN")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // All that it holds is the temporary directory.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}
