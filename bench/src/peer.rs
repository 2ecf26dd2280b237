//! What shows a desktop elsewhere: Punktfunk, and what a user would take instead.
//!
//! Each is run as its own documentation has it, with what it needs to run without a person, on loopback, and without
//! passwords where it can do without. Its defaults for picture quality and speed stay as they are.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::Command,
};

use anyhow::Result;
use clap::ValueEnum;
use pf_media::picture::Size;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    host::Host,
    program::{Place, Program, is_installed},
    viewer::{self, Viewer},
    x_server::XServer,
};

/// One that shows a desktop elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    /// This project.
    Punktfunk,
    /// `TigerVNC` whose server is the desktop's X server itself.
    Tigervnc,
    /// `TigerVNC` that mirrors an X server.
    X0vnc,
    /// `FreeRDP`'s shadow server, with H.264.
    Freerdp,
    /// xpra's shadow server, with the shared memory that it has where both ends are on one machine.
    Xpra,
}

/// Where a desktop is and where it is shown.
#[derive(Clone, Copy)]
pub(crate) struct Scenery<'a> {
    /// Where the host is.
    pub(crate) host: Place<'a>,
    /// Where the host is, as an address that the client reaches.
    pub(crate) address: Ipv4Addr,
    /// Where the client is.
    pub(crate) client: Place<'a>,
    /// The client's display.
    pub(crate) screen: &'a XServer,
}

/// What is asked of a stream where it can be asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) size: Size,
    pub(crate) fps: std::num::NonZeroU32,
    pub(crate) megabits: u32,
}

/// A desktop, and who shows it. Dropping it ends all of it, the client first.
pub(crate) struct Show {
    viewer: Program,
    server: Server,
    display: Option<XServer>,
    _data: Option<TempDir>,
}

enum Server {
    Program(Program),
    Host(Host),
    /// The display is the server.
    Display(XServer),
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Punktfunk => "Punktfunk",
            Self::Tigervnc => "TigerVNC, its own X server",
            Self::X0vnc => "TigerVNC, x0vncserver",
            Self::Freerdp => "FreeRDP shadow, AVC420",
            Self::Xpra => "xpra shadow",
        }
    }

    /// What of it is not installed.
    pub(crate) fn lacks(self) -> Option<&'static str> {
        let (programs, lacks): (&[_], _) = match self {
            Self::Punktfunk => (&[], ""),
            Self::Tigervnc => (
                &["Xtigervnc", "xtigervncviewer"],
                "tigervnc-standalone-server and tigervnc-viewer are not both installed",
            ),
            Self::X0vnc => (
                &["X0tigervnc", "xtigervncviewer"],
                "tigervnc-scraping-server and tigervnc-viewer are not both installed",
            ),
            Self::Freerdp => (
                &["freerdp-shadow-cli", "xfreerdp"],
                "freerdp2-shadow-x11 and freerdp2-x11 are not both installed",
            ),
            Self::Xpra => (&["xpra"], "xpra is not installed"),
        };
        programs.iter().any(|program| !is_installed(program)).then_some(lacks)
    }

    /// The desktop's X server: for most a bare one.
    fn desktop(self, scenery: Scenery<'_>, size: Size) -> Result<XServer> {
        match self {
            Self::Tigervnc => XServer::tiger_vnc(scenery.host, size, scenery.address, PORT),
            _ => XServer::xvfb(size),
        }
    }

    /// Starts a desktop, calls `furnish` with its name, and shows it on the client's screen.
    pub(crate) fn show<T>(
        self,
        scenery: Scenery<'_>,
        ask: Ask,
        furnish: impl FnOnce(&str) -> Result<T>,
    ) -> Result<(Show, T)> {
        let desktop = self.desktop(scenery, ask.size)?;
        let display_name = desktop.name().to_owned();
        let furniture = furnish(&display_name)?;
        let address = SocketAddr::from((scenery.address, PORT));
        let at = address.to_string();
        let client = |program: &str| {
            let mut command = scenery.client.command(program);
            command.env("DISPLAY", scenery.screen.name());
            command
        };
        let serve = |arguments: &[&str]| -> Result<Server> {
            let mut command = scenery.host.command(arguments[0]);
            command.args(&arguments[1..]).env("DISPLAY", &display_name);
            let server = Program::start(&mut command)?;
            scenery.host.await_listener(address)?;
            Ok(Server::Program(server))
        };
        let (port, address) = (PORT.to_string(), scenery.address.to_string());
        let vnc_viewer = || {
            let mut viewer = client("xtigervncviewer");
            viewer.args(["-SecurityTypes", "None", "-RemoteResize=0", &format!("{address}::{port}")]);
            viewer
        };
        let (server, display, viewer, data) = match self {
            Self::Punktfunk => {
                let host = Host::mirroring(scenery.host, scenery.address, &display_name)?;
                let viewer = Viewer::pair_at(&host, scenery.client)?;
                let mut window = viewer.command(ask)?;
                window.env("DISPLAY", scenery.screen.name());
                (Server::Host(host), Some(desktop), window, Some(viewer.into_data()))
            }
            Self::Tigervnc => (Server::Display(desktop), None, vnc_viewer(), None),
            Self::X0vnc => {
                let server = serve(&[
                    "X0tigervnc",
                    "-display",
                    &display_name,
                    "-SecurityTypes",
                    "None",
                    "-rfbport",
                    &port,
                    "-interface",
                    &address,
                ])?;
                (server, Some(desktop), vnc_viewer(), None)
            }
            Self::Freerdp => {
                let server = serve(&[
                    "freerdp-shadow-cli",
                    &format!("/port:{port}"),
                    &format!("/bind-address:{address}"),
                    "-auth",
                    "-sec-nla",
                ])?;
                let mut viewer = client("xfreerdp");
                viewer.args([
                    &format!("/v:{at}"),
                    "/cert:ignore",
                    "/gfx:avc420",
                    "/u:bench",
                    "/p:bench",
                    "-decorations",
                ]);
                (server, Some(desktop), viewer, None)
            }
            Self::Xpra => {
                let home = tempfile::tempdir()?;
                let server = {
                    let mut command = scenery.host.command("xpra");
                    command.args(["shadow", &display_name, &format!("--bind-tcp={at}"), "--daemon=no"]);
                    at_home(
                        command.args(XPRA).args(["--html=off", "--printing=no", "--pulseaudio=no"]),
                        &home,
                    );
                    let server = Program::start(&mut command)?;
                    scenery.host.await_listener(SocketAddr::from((scenery.address, PORT)))?;
                    Server::Program(server)
                };
                let mut viewer = client("xpra");
                at_home(viewer.args(["attach", &format!("tcp://{at}/")]).args(XPRA), &home);
                (server, Some(desktop), viewer, Some(home))
            }
        };
        let mut viewer = viewer;
        let show = Show { viewer: Program::start(&mut viewer)?, server, display, _data: data };
        Ok((show, furniture))
    }
}

impl Show {
    /// The process that sends the picture; with its X server, where that is one process.
    pub(crate) fn server_id(&self) -> u32 {
        match &self.server {
            Server::Program(program) => program.id(),
            Server::Host(host) => host.id(),
            Server::Display(display) => display.id(),
        }
    }

    /// The desktop's X server, where it is a process of its own.
    pub(crate) fn display_id(&self) -> Option<u32> {
        self.display.as_ref().map(XServer::id)
    }

    pub(crate) fn viewer_id(&self) -> u32 {
        self.viewer.id()
    }

    /// What both ends said last.
    pub(crate) fn last_words(&self) -> String {
        let server = match &self.server {
            Server::Program(program) => program.last_words(),
            // These speak for themselves.
            Server::Host(_) | Server::Display(_) => String::new(),
        };
        format!("server: {server}\nclient: {}", self.viewer.last_words())
    }

    /// Fails when the client or the server has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Server::Program(program) = &mut self.server {
            program.check()?;
        }
        self.viewer.check()
    }
}

impl Show {
    /// Ends the client as a person does; what Punktfunk's says of the session.
    pub(crate) fn report(self) -> Result<Value> {
        viewer::last_report(&self.viewer.stop()?)
    }
}

/// Has xpra keep its files apart from those of whoever runs this.
fn at_home(command: &mut Command, home: &TempDir) {
    command.env("HOME", home.path()).env("XDG_RUNTIME_DIR", home.path());
}

/// What neither end of xpra needs for a picture.
const XPRA: &[&str] = &[
    "--mdns=no",
    "--notifications=no",
    "--speaker=off",
    "--microphone=off",
    "--webcam=no",
    "--tray=no",
    "--dbus-launch=",
    "--dbus-control=no",
];

/// Where servers listen; each has its machine's network for itself.
const PORT: u16 = 5990;
