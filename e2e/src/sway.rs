//! A Wayland compositor without a screen.

use std::{
    fmt::Write as _,
    fs,
    os::unix::{
        fs::{PermissionsExt as _, chown},
        net::UnixStream,
    },
    path::PathBuf,
    process::Command,
};

use rustix::process::getuid;
use tempfile::TempDir;

use crate::{Running, until};

/// A sway with one output into nothing.
#[derive(Debug)]
pub struct Sway {
    _program: Running,
    directory: TempDir,
}

impl Sway {
    /// Starts one, and waits until it takes clients. For each pair of `bindings`, such as `("Mod1+Tab", "switched")`, it
    /// [notes](Self::has_noted) the second when the first is struck.
    pub fn start(bindings: &[(&str, &str)]) -> Self {
        let directory = tempfile::Builder::new().prefix("pf-e2e-sway-").tempdir().unwrap();
        let path = directory.path();
        let mut lines = "default_border none\nxwayland disable\n".to_owned();
        for (keys, note) in bindings {
            let note = path.join(note);
            let _ = writeln!(lines, "bindsym {keys} exec touch {}", note.display());
        }
        fs::write(path.join("config"), lines).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
        let mut command = Command::new("setpriv");
        // It refuses to be run by root.
        if getuid().is_root() {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")]).arg("--clear-groups");
        }
        command.args(["--pdeathsig", "KILL", "--", "sway", "-c"]).arg(path.join("config")).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", path).env("XDG_RUNTIME_DIR", path);
        command.env("WLR_BACKENDS", "headless").env("WLR_RENDERER", "pixman");
        command.env("WLR_LIBINPUT_NO_DEVICES", "1").env("WLR_HEADLESS_OUTPUTS", "1");
        let sway = Self { _program: Running::start(&mut command), directory };
        until("sway (Debian: sway)", || UnixStream::connect(sway.socket()).ok());
        until("sway's commands", || sway.commands());
        sway
    }

    /// What `$WAYLAND_DISPLAY` is for its clients.
    pub fn name(&self) -> String {
        self.socket().to_str().unwrap().to_owned()
    }

    /// Whether a window has the focus whose title contains `title`.
    pub fn has_focused(&self, title: &str) -> bool {
        let mut command = Command::new("swaymsg");
        command.arg("-s").arg(self.commands().unwrap()).args(["-t", "get_tree"]);
        let tree = command.output().unwrap().stdout;
        let tree: serde_json::Value = serde_json::from_slice(&tree).unwrap();
        focused(&tree).is_some_and(|called| called.contains(title))
    }

    /// Whether a binding was struck that notes this.
    pub fn has_noted(&self, note: &str) -> bool {
        self.directory.path().join(note).exists()
    }

    /// Forgets a note.
    pub fn forget(&self, note: &str) {
        // There may be none.
        let _ = fs::remove_file(self.directory.path().join(note));
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("wayland-1")
    }

    /// Where it takes commands.
    fn commands(&self) -> Option<PathBuf> {
        let mut entries = fs::read_dir(self.directory.path()).unwrap().flatten().map(|entry| entry.path());
        entries.find(|path| path.to_string_lossy().contains("sway-ipc"))
    }
}

/// The title of what has the focus in a tree.
fn focused(tree: &serde_json::Value) -> Option<&str> {
    if tree["focused"] == true {
        return tree["name"].as_str();
    }
    tree["nodes"].as_array()?.iter().find_map(focused)
}

const NOBODY: u32 = 65_534;
