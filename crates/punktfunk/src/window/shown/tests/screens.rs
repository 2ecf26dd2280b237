//! Screens for tests to show windows on: an X server, a Wayland compositor, and eyes that look at them.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    num::NonZeroU32,
    os::unix::fs::chown,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use pf_desktop::{Source, SourceConfig, SourceKind, VirtualConfig, WaylandConfig};
use pf_media::picture::Size;
use pf_wait::Stop;
use rustix::process::{Pid, Signal, getuid, kill_process};
use tempfile::TempDir;
use winit::{
    raw_window_handle::{HasWindowHandle as _, RawWindowHandle},
    window::Window,
};
use x11rb::{
    protocol::xproto::{ConnectionExt as _, ImageFormat},
    rust_connection::RustConnection,
};

/// What a window is shown by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// Xvfb, where a window has the size that it likes.
    X,
    /// sway, where a window fills the only output.
    Wayland,
}

/// Runs a test of the module above in a process and on a screen of its own.
pub(super) fn on_a_screen(server: Server, name: &str, test: impl FnOnce()) {
    if env::var_os(ON_ITS_SCREEN).is_some() {
        return test();
    }
    let screen = Screen::start(server);
    let module = module_path!().split_once("::").and_then(|(_, path)| path.rsplit_once("::")).unwrap().0;
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([&format!("{module}::{name}"), "--exact", "--nocapture"]);
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env(ON_ITS_SCREEN, "1");
    let output = command.envs(screen.variables()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{complaints}");
}

/// Gives the output of the compositor that this test runs on another size.
pub(super) fn resize_output(size: Size) {
    let mut command = Command::new("swaymsg");
    command.arg("-s").arg(env::var_os("SWAYSOCK").unwrap());
    command.args(["output", "HEADLESS-1", "resolution", &size.to_string()]);
    assert!(command.stdout(Stdio::null()).status().unwrap().success());
}

/// A display server that ends with this.
struct Screen {
    server: Child,
    /// Of X the name, of a compositor its folder.
    place: Place,
}

enum Place {
    Display(String),
    Folder(TempDir),
}

impl Screen {
    fn start(server: Server) -> Self {
        match server {
            Server::X => Self::start_x(),
            Server::Wayland => Self::start_sway(),
        }
    }

    fn start_x() -> Self {
        let mut command = Command::new("Xvfb");
        command.args(["-noreset", "-nolisten", "tcp", "-displayfd", "1", "-screen", "0", "640x480x24"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = command.spawn().expect("Xvfb (Debian: xvfb)");
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        Self { server, place: Place::Display(format!(":{}", number.trim())) }
    }

    fn start_sway() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (path, ready) = (folder.path(), folder.path().join("ready"));
        let text = format!(
            "default_border none\nfocus_follows_mouse no\nxwayland disable\n\
             output * resolution 640x480\nexec touch {}\n",
            ready.display()
        );
        fs::write(path.join("config"), text).unwrap();
        // It does not run as root.
        let mut command = Command::new("setpriv");
        if getuid().is_root() {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            let ids = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()];
            command.args(ids);
        }
        command.args(["--pdeathsig", "KILL", "--", "sway", "-c"]).arg(path.join("config"));
        command.env_clear().env("PATH", env::var_os("PATH").unwrap()).env("HOME", path);
        command
            .env("XDG_RUNTIME_DIR", path)
            .env("SWAYSOCK", path.join("ipc"))
            .env("WLR_BACKENDS", "headless");
        command.env("WLR_RENDERER", "pixman").env("WLR_LIBINPUT_NO_DEVICES", "1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = command.spawn().expect("setpriv and sway (Debian: sway)");
        let (screen, started) = (Self { server, place: Place::Folder(folder) }, Instant::now());
        while !ready.exists() {
            assert!(started.elapsed() < PATIENCE, "sway does not start");
            thread::sleep(GLANCE);
        }
        screen
    }

    /// What tells a program of it.
    fn variables(&self) -> Vec<(&'static str, String)> {
        match &self.place {
            Place::Display(name) => vec![("DISPLAY", name.clone())],
            Place::Folder(folder) => {
                let path = |name| folder.path().join(name).display().to_string();
                vec![
                    ("WAYLAND_DISPLAY", path("wayland-1")),
                    ("SWAYSOCK", path("ipc")),
                    ("XDG_RUNTIME_DIR", path("")),
                ]
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Asked to, it takes its socket along.
        let _ = kill_process(Pid::from_child(&self.server), Signal::TERM);
        let _ = self.server.wait();
    }
}

/// Looks at the screen that this test runs on.
pub(super) enum Eye {
    X(Box<RustConnection>),
    Wayland { output: Box<dyn Source>, last: Option<(Size, Vec<u32>)> },
}

impl Eye {
    pub(super) fn open() -> Self {
        if env::var_os("WAYLAND_DISPLAY").is_none() {
            return Self::X(Box::new(RustConnection::connect(None).unwrap().0));
        }
        let config = SourceConfig {
            kind: SourceKind::Wayland,
            size: Size::new(640, 480),
            fps: NonZeroU32::new(120).unwrap(),
            display: None,
            wayland: WaylandConfig { display: None, output: None },
            virtual_display: VirtualConfig::default(),
        };
        Self::Wayland { output: pf_desktop::open(&config, &Stop::new().unwrap()).unwrap(), last: None }
    }

    /// What is seen of a window, in the lower 24 bits of each pixel; `None` before it is on the screen.
    pub(super) fn see(&mut self, window: &Window) -> Option<(Size, Vec<u32>)> {
        match self {
            Self::X(connection) => see_x(connection, window),
            Self::Wayland { output, last } => {
                if let Some(picture) = output.next_picture(Instant::now() + GLANCE).unwrap() {
                    let (size, stride) = (picture.pixels.size(), picture.pixels.stride());
                    let rows = picture.pixels.bytes().chunks(stride).take(size.height as usize);
                    let pixels = rows.flat_map(|row| &row.as_chunks::<4>().0[..size.width as usize]);
                    *last = Some((size, pixels.copied().map(without_alpha).collect()));
                }
                last.clone()
            }
        }
    }
}

fn see_x(connection: &RustConnection, window: &Window) -> Option<(Size, Vec<u32>)> {
    let window = match window.window_handle().unwrap().as_raw() {
        RawWindowHandle::Xlib(handle) => handle.window as u32,
        RawWindowHandle::Xcb(handle) => handle.window.get(),
        other => panic!("a window of X11, not {other:?}"),
    };
    let geometry = connection.get_geometry(window).unwrap().reply().ok()?;
    let (width, height) = (geometry.width, geometry.height);
    let image = connection.get_image(ImageFormat::Z_PIXMAP, window, 0, 0, width, height, u32::MAX);
    let bytes = image.unwrap().reply().ok()?.data;
    let pixels = bytes.as_chunks::<4>().0.iter().copied().map(without_alpha);
    Some((Size::new(width.into(), height.into()), pixels.collect()))
}

fn without_alpha(bytes: [u8; 4]) -> u32 {
    u32::from_le_bytes(bytes) & 0x00FF_FFFF
}

/// Says that a test has its screen.
const ON_ITS_SCREEN: &str = "PUNKTFUNK_TEST_ON_ITS_SCREEN";

/// How long one waits between two looks.
const GLANCE: Duration = Duration::from_millis(5);

/// How long something may take to be there.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

const NOBODY: u32 = 65_534;
