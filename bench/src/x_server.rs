//! X servers of the measurement's own.

use std::{
    io::{BufRead as _, BufReader},
    net::Ipv4Addr,
    path::Path,
    process::Command,
};

use anyhow::{Context as _, Result};
use pf_media::picture::Size;

use crate::program::{Place, Program};

/// An X server with one screen and nothing on it.
pub(crate) struct XServer {
    program: Program,
    name: String,
}

impl XServer {
    /// One that shows its screen to nobody.
    pub(crate) fn xvfb(size: Size) -> Result<Self> {
        let mut command = Command::new("Xvfb");
        command.args(["-noreset", "-nolisten", "tcp", "-screen", "0", &format!("{size}x24")]);
        Self::start(&mut command).context("Xvfb (Debian: xvfb)")
    }

    /// One that is a VNC server as well.
    pub(crate) fn tiger_vnc(place: Place<'_>, size: Size, address: Ipv4Addr, port: u16) -> Result<Self> {
        let mut command = place.command("Xtigervnc");
        command.arg(free_number().context("every display is taken")?);
        command.args(["-noreset", "-nolisten", "tcp", "-depth", "24", "-geometry", &size.to_string()]);
        command.args(["-SecurityTypes", "None", "-AlwaysShared", "-interface", &address.to_string()]);
        command.args(["-rfbport", &port.to_string()]);
        Self::start(&mut command).context("Xtigervnc (Debian: tigervnc-standalone-server)")
    }

    fn start(command: &mut Command) -> Result<Self> {
        let mut program = Program::start_piped(command.args(["-displayfd", "1"]))?;
        let output = program.child().stdout.take().context("no output")?;
        let mut number = String::new();
        BufReader::new(output).read_line(&mut number)?;
        if number.trim().is_empty() {
            program.check()?;
        }
        let number: u32 = number.trim().parse().context("it does not say its number")?;
        Ok(Self { program, name: format!(":{number}") })
    }

    /// What `$DISPLAY` is for its clients.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn id(&self) -> u32 {
        self.program.id()
    }
}

/// A display that nobody has. A server that chooses by itself in a network of its own would not see all that are taken.
fn free_number() -> Option<String> {
    let is_free = |number: &u32| {
        let places = [format!("/tmp/.X11-unix/X{number}"), format!("/tmp/.X{number}-lock")];
        !places.iter().any(|place| Path::new(place).exists())
    };
    (FIRST_NUMBER..FIRST_NUMBER + 1000).find(is_free).map(|number| format!(":{number}"))
}

/// Far from the numbers that servers choose by themselves.
const FIRST_NUMBER: u32 = 500;
