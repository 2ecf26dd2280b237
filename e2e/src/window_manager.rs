//! A window manager on an X display.

use std::process::Command;

use tempfile::TempDir;

use crate::{Running, until, x_display::XDisplay};

/// An icewm, as it is without a configuration: it takes Alt+Tab, Alt+F4 and Super for itself, and a click gives the focus.
#[derive(Debug)]
pub struct WindowManager {
    _program: Running,
    _home: TempDir,
}

impl WindowManager {
    /// Starts one on a display, and waits until it manages windows.
    pub fn start(display: &XDisplay) -> Self {
        let home = tempfile::Builder::new().prefix("pf-e2e-icewm-").tempdir().unwrap();
        let mut command = Command::new("icewm");
        command.env("DISPLAY", display.name()).env("HOME", home.path()).env("ICEWM_PRIVCFG", home.path());
        let program = Running::start(&mut command);
        until("a window manager (Debian: icewm)", || display.is_managed().then_some(()));
        Self { _program: program, _home: home }
    }
}
