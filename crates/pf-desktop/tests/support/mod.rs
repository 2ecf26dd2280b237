//! X servers of the tests' own, and clients that draw into them.
#![allow(dead_code, clippy::allow_attributes, reason = "each test program uses its own part of this")]

use std::io::{BufRead as _, BufReader};
use std::num::NonZeroU32;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pf_desktop::{Picture, Source, SourceError, Stop};
use pf_media::picture::Size;
use pf_media::timecode::{self, BLOCK_SIDE, ORIGIN, Shade, TimeCode};
use rustix::process::{Pid, Signal, kill_process};
use x11rb::connection::Connection as _;
use x11rb::protocol::xfixes::ConnectionExt as _;
use x11rb::protocol::xproto::{
    ChangeWindowAttributesAux, ConnectionExt as _, CreateGCAux, CreateWindowAux, Gcontext, Rectangle, Window,
    WindowClass,
};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;

/// The longest that any one test may hang, for instance because something that it waits for never comes.
pub(crate) const TEST_LIMIT: Duration = Duration::from_mins(1);

/// A deadline that no test reaches: a source is stopped long before.
pub(crate) fn far() -> Instant {
    Instant::now() + Duration::from_hours(24)
}

/// A stop handle that is used after [`TEST_LIMIT`], so that every wait of a source comes to an end.
pub(crate) fn bounded_stop() -> Stop {
    let stop = Stop::new().unwrap();
    let limit = stop.clone();
    std::thread::spawn(move || {
        std::thread::sleep(TEST_LIMIT);
        limit.stop();
    });
    stop
}

pub(crate) fn fps(fps: u32) -> NonZeroU32 {
    NonZeroU32::new(fps).unwrap()
}

/// Waits until `condition` holds, and fails the test if it never does.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let limit = Instant::now() + TEST_LIMIT;
    while !condition() {
        assert!(Instant::now() < limit, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Numbers below the one asked for, the same ones for the same seed.
pub(crate) fn random(seed: u64) -> impl FnMut(u32) -> u32 {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % u64::from(below)) as u32
    }
}

/// A directory that outlives no test.
pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("pf-test-").tempdir().unwrap()
}

/// An X server that ends with the test.
pub(crate) struct XServer {
    process: Child,
    number: u16,
    trace: Trace,
    over: Option<mpsc::Sender<()>>,
    limit: Option<JoinHandle<()>>,
}

impl XServer {
    /// An Xvfb with a screen such as `640x480x24`.
    pub(crate) fn xvfb(screen: &str, options: &[&str]) -> Self {
        let mut command = lasting_as_this_thread("Xvfb");
        command.args(["-noreset", "-screen", "0", screen]).args(options);
        Self::start(command)
    }

    /// A server whose screen RandR can resize (Debian: tigervnc-standalone-server).
    pub(crate) fn resizable(size: Size, vnc_socket: &Path) -> Self {
        let mut command = lasting_as_this_thread("Xtigervnc");
        command.args(["-geometry", &size.to_string(), "-depth", "24", "-SecurityTypes", "None"]);
        // No network: its VNC side is out of the way.
        command.args(["-rfbport", "-1", "-rfbunixpath"]).arg(vnc_socket);
        Self::start(command)
    }

    fn start(mut command: Command) -> Self {
        command.args(["-displayfd", "1"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        loop {
            let server = Self::try_start(&mut command);
            // Another test's server that was just ending may have removed this one's socket for its own.
            if server.trace.file.is_some() {
                return server;
            }
        }
    }

    fn try_start(command: &mut Command) -> Self {
        let mut process = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let number = line.trim().parse().unwrap_or_else(|_| panic!("{command:?} did not start"));
        let (over, is_over) = mpsc::channel();
        let id = Pid::from_child(&process);
        // Killing the server ends every wait for it. It is not yet reaped then: the id still is its own.
        let limit = std::thread::spawn(move || {
            if is_over.recv_timeout(TEST_LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
                _ = kill_process(id, Signal::KILL);
            }
        });
        let trace = Trace::of(&format!(":{number}"));
        Self { process, number, trace, over: Some(over), limit: Some(limit) }
    }

    pub(crate) fn name(&self) -> String {
        format!(":{}", self.number)
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(RustConnection::connect(Some(&self.name())).unwrap().0)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }
}

impl Drop for XServer {
    fn drop(&mut self) {
        drop(self.over.take());
        _ = self.limit.take().unwrap().join();
        // In this order it removes its lock and socket, also when a test has stopped it.
        self.signal(Signal::TERM);
        self.signal(Signal::CONT);
        _ = self.process.wait();
        // One that was killed left its socket; unless another server has taken the number since.
        if self.trace.is_left() {
            _ = std::fs::remove_file(&self.trace.socket);
        }
    }
}

/// A program that is killed when the test is, for instance by an impatient test runner.
fn lasting_as_this_thread(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}

/// The socket that a running X server has in `/tmp`; with `-displayfd` it takes no lock file.
pub(crate) struct Trace {
    socket: PathBuf,
    file: Option<u64>,
}

impl Trace {
    pub(crate) fn of(display: &str) -> Self {
        let socket = PathBuf::from(format!("/tmp/.X11-unix/X{}", &display[1..]));
        Self { file: file_of(&socket), socket }
    }

    /// Whether the socket is still there, now that the server has ended.
    ///
    /// The number has been free for another test's server to take; that one would answer.
    pub(crate) fn is_left(&self) -> bool {
        self.file.is_some()
            && self.file == file_of(&self.socket)
            && UnixStream::connect(&self.socket).is_err()
    }
}

fn file_of(socket: &Path) -> Option<u64> {
    std::fs::symlink_metadata(socket).ok().map(|file| file.ino())
}

/// Connects to a local X server, also when its socket's file is gone.
pub(crate) fn dial(display: &str) -> std::io::Result<UnixStream> {
    let path = format!("/tmp/.X11-unix/X{}", &display[1..]);
    let name = SocketAddr::from_abstract_name(&path).unwrap();
    UnixStream::connect(path).or_else(|_| UnixStream::connect_addr(&name))
}

/// An X client that draws on the root window.
pub(crate) struct Client {
    pub(crate) connection: RustConnection,
    pub(crate) root: Window,
    context: Gcontext,
}

impl Client {
    pub(crate) fn new(connection: RustConnection) -> Self {
        let root = connection.setup().roots[0].root;
        let context = connection.generate_id().unwrap();
        connection.create_gc(context, root, &CreateGCAux::new()).unwrap().check().unwrap();
        Self { connection, root, context }
    }

    /// Waits until the server has done everything so far.
    pub(crate) fn finish(&self) {
        self.connection.get_input_focus().unwrap().reply().unwrap();
    }

    /// Fills rectangles (x, y, width, height) with one colour, `0xRRGGBB`.
    pub(crate) fn fill(&self, colour: u32, areas: &[(i16, i16, u16, u16)]) {
        let rectangles: Vec<_> =
            areas.iter().map(|&(x, y, width, height)| Rectangle { x, y, width, height }).collect();
        let aux = x11rb::protocol::xproto::ChangeGCAux::new().foreground(colour);
        self.connection.change_gc(self.context, &aux).unwrap();
        self.connection.poly_fill_rectangle(self.root, self.context, &rectangles).unwrap();
        self.connection.flush().unwrap();
    }

    /// A window of one colour, 100 x 80 pixels large, that no window manager touches and that is not shown yet.
    pub(crate) fn window(&self, colour: u32) -> Window {
        let window = self.connection.generate_id().unwrap();
        let aux = CreateWindowAux::new().background_pixel(colour).override_redirect(1);
        let class = WindowClass::INPUT_OUTPUT;
        let created = self.connection.create_window(0, window, self.root, 9, 9, 100, 80, 3, class, 0, &aux);
        created.unwrap().check().unwrap();
        window
    }

    /// Draws the time code at [`ORIGIN`].
    pub(crate) fn draw_code(&self, code: TimeCode) {
        for (shade, colour) in [(Shade::Black, 0), (Shade::White, 0x00FF_FFFF)] {
            let side = BLOCK_SIDE as u16;
            let areas: Vec<_> = timecode::blocks(code)
                .filter(|block| block.shade == shade)
                .map(|block| ((ORIGIN.x + block.x) as i16, (ORIGIN.y + block.y) as i16, side, side))
                .collect();
            self.fill(colour, &areas);
        }
    }

    /// Makes the pointer over the root window a square of one colour that points with its top left pixel.
    pub(crate) fn set_cursor(&self, side: u16, colour: [u8; 3]) {
        let connection = &self.connection;
        let (bitmap, cursor) = (connection.generate_id().unwrap(), connection.generate_id().unwrap());
        connection.create_pixmap(1, bitmap, self.root, side, side).unwrap();
        let context = connection.generate_id().unwrap();
        connection.create_gc(context, bitmap, &CreateGCAux::new().foreground(1)).unwrap();
        let all = Rectangle { x: 0, y: 0, width: side, height: side };
        connection.poly_fill_rectangle(bitmap, context, &[all]).unwrap();
        let [red, green, blue] = colour.map(|channel| u16::from(channel) * 257);
        connection
            .create_cursor(cursor, bitmap, bitmap, red, green, blue, 0, 0, 0, 0, 0)
            .unwrap()
            .check()
            .unwrap();
        let attributes = ChangeWindowAttributesAux::new().cursor(cursor);
        connection.change_window_attributes(self.root, &attributes).unwrap().check().unwrap();
    }

    pub(crate) fn hide_cursor(&self) {
        self.connection.xfixes_query_version(5, 0).unwrap().reply().unwrap();
        self.connection.xfixes_hide_cursor(self.root).unwrap().check().unwrap();
    }

    /// Moves the pointer to a place, with the events of a mouse.
    pub(crate) fn move_pointer(&self, x: i16, y: i16) {
        self.fake_motion(0, x, y);
    }

    /// Moves the mouse by so much, wherever that takes the pointer.
    pub(crate) fn push_pointer(&self, x: i16, y: i16) {
        self.fake_motion(1, x, y);
    }

    fn fake_motion(&self, is_relative: u8, x: i16, y: i16) {
        const MOTION_NOTIFY: u8 = 6;
        let fake = self.connection.xtest_fake_input(MOTION_NOTIFY, is_relative, 0, self.root, x, y, 0);
        fake.unwrap().check().unwrap();
    }

    /// Puts the pointer somewhere without moving a mouse, as programs do.
    pub(crate) fn warp_pointer(&self, x: i16, y: i16) {
        let warp = self.connection.warp_pointer(x11rb::NONE, self.root, 0, 0, 0, 0, x, y);
        warp.unwrap().check().unwrap();
    }
}

/// A copy of a picture.
pub(crate) struct Pixels {
    pub(crate) size: Size,
    pub(crate) captured: Instant,
    stride: usize,
    bytes: Vec<u8>,
}

impl Pixels {
    pub(crate) fn of(picture: &Picture<'_>) -> Self {
        let pixels = picture.pixels;
        Self {
            size: pixels.size(),
            captured: picture.captured,
            stride: pixels.stride(),
            bytes: pixels.bytes().to_vec(),
        }
    }

    /// The colour of a pixel, `0xRRGGBB`.
    pub(crate) fn at(&self, x: u32, y: u32) -> u32 {
        let at = y as usize * self.stride + x as usize * 4;
        let [blue, green, red] = self.bytes[at..at + 3].try_into().unwrap();
        u32::from_be_bytes([0, red, green, blue])
    }

    /// The time code in it.
    pub(crate) fn code(&self) -> Option<TimeCode> {
        let luma: Vec<u8> = self.bytes.chunks_exact(4).map(|pixel| pixel[1]).collect();
        timecode::read(&luma, self.stride / 4, self.size, ORIGIN)
    }
}

/// The next picture by `deadline`.
pub(crate) fn next(source: &mut dyn Source, deadline: Instant) -> Result<Option<Pixels>, SourceError> {
    Ok(source.next_picture(deadline)?.as_ref().map(Pixels::of))
}

/// Takes pictures until one is as wanted, however long it takes.
pub(crate) fn next_where(source: &mut dyn Source, mut wanted: impl FnMut(&Pixels) -> bool) -> Pixels {
    loop {
        let pixels = next(source, far()).unwrap().unwrap();
        if wanted(&pixels) {
            return pixels;
        }
    }
}

/// Takes pictures until there is nothing new to see.
pub(crate) fn settle(source: &mut dyn Source) {
    while next(source, Instant::now() + Duration::from_millis(100)).unwrap().is_some() {}
}

/// An executable script.
pub(crate) fn script(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}
