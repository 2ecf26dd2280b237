//! Pictures from a real display to a real decoder: what was drawn is what is seen, and nothing stays behind.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    net::{SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, SyncSender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use pf_codec::I420View;
use pf_e2e::{ClientInstall, Host, until, x_display::XDisplay};
use pf_media::{
    picture::Size,
    timecode::{self, ORIGIN, TimeCode},
};
use serde_json::Value;
use tempfile::TempDir;

/// Small enough that a busy machine keeps up.
const SIZE: Size = Size::new(640, 360);

/// A client that is paired with a host, and where it keeps what it saw.
struct Viewer {
    client: ClientInstall,
    address: String,
    directory: TempDir,
}

impl Viewer {
    fn paired_with(host: &Host) -> Self {
        Self::at(host, &host.address())
    }

    /// One that dials another address than the host's own.
    fn at(host: &Host, address: &str) -> Self {
        let client = ClientInstall::new("couch");
        client.pair(address, &host.pin());
        let directory = tempfile::Builder::new().prefix("pf-e2e-viewer-").tempdir().unwrap();
        Self { client, address: address.to_owned(), directory }
    }

    fn arguments<'a>(&'a self, options: &[&'a str]) -> Vec<&'a str> {
        [&["connect", &self.address, "--size", "640x360"], options].concat()
    }

    /// Watches so many pictures; the report, and the access units as they were saved.
    fn watch(&self, frames: u32) -> (Value, Vec<Vec<u8>>) {
        let (file, frames) = (self.directory.path().join("seen.h264"), frames.to_string());
        let arguments =
            self.arguments(&["--headless", "--frames", &frames, "--save", file.to_str().unwrap()]);
        let report = self.client.run(&arguments).expect_success();
        (report, access_units(&fs::read(file).unwrap()))
    }
}

/// What the person at the host sees is what the client sees: every picture whole, none out of order.
#[test]
fn a_mirrored_display_is_seen_picture_by_picture() {
    let display = XDisplay::start(SIZE);
    let drawing = display.draw_time_codes();
    let host = Host::m3().source("x11").env("DISPLAY", &display.name()).start();
    let (report, units) = Viewer::paired_with(&host).watch(120);
    let drawn = drawing.drawn();

    assert_eq!(report["frames"], 120);
    assert_eq!(report["source"], "x11");
    assert_eq!((&report["width"], &report["height"]), (&640.into(), &360.into()));
    let codes = time_codes(&units);
    assert!(codes.len() >= 110, "only {} of 120 pictures can be read", codes.len());
    assert_rising(&codes);
    let newest = codes.last().unwrap().frame;
    assert!(newest < drawn, "picture {newest} was not drawn yet");
    assert!(codes.first().unwrap().frame < newest, "nothing moves");
}

/// The source that needs nothing: every picture has a number of its own, and there are no others.
#[test]
fn synthetic_pictures_carry_their_numbers() {
    let host = Host::m3().start();
    let (report, units) = Viewer::paired_with(&host).watch(60);
    assert_eq!(report["source"], "synthetic");
    assert_eq!((&report["width"], &report["height"]), (&640.into(), &360.into()));
    let codes = time_codes(&units);
    assert_eq!(codes.len(), 60, "every picture is readable");
    assert_rising(&codes);
}

/// A session's own display has the client's size and the owner's command in it, and goes with the session, also when the
/// client vanishes without a word.
#[test]
fn a_virtual_display_is_made_for_the_session_and_gone_after_it() {
    let virtual_display = VirtualSession::new();
    let host = virtual_display.host();
    let viewer = Viewer::paired_with(&host);
    let mut session = viewer.client.spawn(&viewer.arguments(&["--headless"]));
    let display = virtual_display.await_display();
    assert_ne!(virtual_display.processes().len(), 0, "the marks of this test are found");
    session.terminate();
    virtual_display.assert_gone(&display);

    let (report, units) = viewer.watch(30);
    assert_eq!(report["source"], "virtual");
    assert_eq!((&report["width"], &report["height"]), (&640.into(), &360.into()));
    let is_red = |view: &I420View<'_>| {
        let [luma, _, red] = view.planes().map(|plane| plane.samples[plane.samples.len() / 2]);
        luma < 110 && red > 180
    };
    let mut pictures = Vec::new();
    decode(&units, |view| pictures.push((view.size(), is_red(&view))));
    assert_eq!(pictures.last(), Some(&(SIZE, true)), "the command paints the display red: {pictures:?}");
}

/// A host that is killed can clean up nothing itself; its displays must not stay for ever.
#[test]
fn a_killed_host_leaves_no_display_behind() {
    let virtual_display = VirtualSession::new();
    let mut host = virtual_display.host();
    let viewer = Viewer::paired_with(&host);
    let _session = viewer.client.spawn(&viewer.arguments(&["--headless"]));
    let display = virtual_display.await_display();
    assert_ne!(virtual_display.processes().len(), 0, "the marks of this test are found");
    host.kill9();
    virtual_display.assert_gone(&display);
}

/// A weak wireless link loses one packet in fifty. Pictures are lost, the session is not.
#[test]
fn a_stream_goes_on_when_packets_are_lost() {
    let host = Host::m3().start();
    let link = LossyLink::start(host.socket_address());
    let viewer = Viewer::at(&host, &link.address.to_string());
    let (report, units) = viewer.watch(300);
    assert_eq!(report["frames"], 300);
    assert!(link.lost.load(Ordering::Relaxed), "the link lost nothing");
    assert!(report["frames_lost"].as_u64() > Some(0), "{report}");
    assert!(report["key_frame_requests"].as_u64() > Some(0), "{report}");
    assert_eq!(report["decode_errors"], 0, "what is handed to the decoder refers to nothing that was lost");
    let codes = time_codes(&units);
    assert!(codes.len() >= 290, "only {} of 300 pictures can be read", codes.len());
    assert_rising(&codes);
}

/// A person watches in a window, and closes it.
#[test]
fn the_window_shows_the_picture_and_ends_the_session_when_it_is_closed() {
    let host = Host::m3().start();
    let screen = XDisplay::start(Size::new(800, 600));
    let mut viewer = Viewer::paired_with(&host);
    viewer.client = viewer.client.env("DISPLAY", &screen.name());
    let session = viewer.client.spawn(&viewer.arguments(&[]));
    let window = until("the client's window", || screen.window("Punktfunk"));
    let first = until("a picture in the window", || screen.read_time_code(window));
    until("a later picture", || screen.read_time_code(window).filter(|later| later.frame > first.frame));
    screen.close(window);
    let report = session.finish().expect_success();
    assert!(report["frames"].as_u64() >= Some(2), "{report}");
    until("the end of the session", || host.sessions().is_empty().then_some(()));
}

/// A host with virtual displays whose processes can be told from all others.
struct VirtualSession {
    directory: TempDir,
}

impl VirtualSession {
    fn new() -> Self {
        Self { directory: tempfile::Builder::new().prefix("pf-e2e-mark-").tempdir().unwrap() }
    }

    /// Where the command says which display it has.
    fn said(&self) -> PathBuf {
        self.directory.path().join("display")
    }

    fn host(&self) -> Host {
        let said = self.said().display().to_string();
        // Renamed when it is whole, so that nobody reads half of it.
        let command = format!(
            "xsetroot -solid '#c81e32' && echo $DISPLAY >{said}.new && mv {said}.new {said} && exec sleep 1000"
        );
        Host::m3().source("virtual").arg("--command").arg(&command).env(MARK, &self.mark()).start()
    }

    fn mark(&self) -> String {
        format!("{MARK}={}", self.directory.path().display())
    }

    /// The number of the display, once the command has painted it.
    fn await_display(&self) -> String {
        let number = until("the command in the display", || fs::read_to_string(self.said()).ok());
        number.trim().strip_prefix(':').unwrap().to_owned()
    }

    /// The processes of the host's displays, and not the host itself.
    fn processes(&self) -> Vec<String> {
        let is_marked = |process: &Path| {
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            String::from_utf8_lossy(&environment).contains(&self.mark())
        };
        let name =
            |process: &Path| fs::read_to_string(process.join("comm")).unwrap_or_default().trim().to_owned();
        let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let marked = all.filter(|process| is_marked(process)).map(|process| name(&process));
        marked.filter(|name| name == "Xvfb" || name == "sleep").collect()
    }

    fn assert_gone(&self, number: &str) {
        until("the end of the display's processes", || self.processes().is_empty().then_some(()));
        for trace in [format!("/tmp/.X11-unix/X{number}"), format!("/tmp/.X{number}-lock")] {
            // Another test may have the number by now; what is left over is what nobody answers at.
            until(&format!("the end of {trace}"), || {
                let is_answered =
                    std::os::unix::net::UnixStream::connect(format!("/tmp/.X11-unix/X{number}")).is_ok();
                (is_answered || !Path::new(&trace).exists()).then_some(())
            });
        }
    }
}

/// The variable that marks the processes of one test.
const MARK: &str = "PF_E2E_MARK";

/// A link that loses one packet in fifty either way, always the same ones, and takes 5 ms for the others.
struct LossyLink {
    address: SocketAddr,
    lost: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// A packet, and when it is to arrive.
type Packet = (Instant, Vec<u8>);

impl LossyLink {
    fn start(host: SocketAddr) -> Self {
        let [front, back] = [(); 2].map(|()| Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap()));
        back.connect(host).unwrap();
        let address = front.local_addr().unwrap();
        let [lost, over] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let client = Arc::new(Mutex::new(None));
        let (to_host, from_client) = mpsc::sync_channel(QUEUE);
        let (to_client, from_host) = mpsc::sync_channel(QUEUE);
        let take_in = |socket: &Arc<UdpSocket>, seed, line, client: Option<&Arc<Mutex<_>>>| {
            socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            let (socket, client) = (Arc::clone(socket), client.cloned());
            let (lost, over) = (Arc::clone(&lost), Arc::clone(&over));
            thread::spawn(move || take_in(&socket, seed, &line, client.as_deref(), &lost, &over))
        };
        let threads = vec![
            take_in(&front, 1, to_host, Some(&client)),
            take_in(&back, 2, to_client, None),
            thread::spawn(move || {
                // A packet that a socket does not take is one more that the link loses.
                deliver(&from_client, |packet| _ = back.send(packet));
            }),
            thread::spawn(move || {
                deliver(&from_host, |packet| {
                    if let Some(client) = *client.lock().unwrap() {
                        _ = front.send_to(packet, client);
                    }
                });
            }),
        ];
        Self { address, lost, over, threads }
    }
}

impl Drop for LossyLink {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It panicked only where the test did.
            let _ = thread.join();
        }
    }
}

fn take_in(
    socket: &UdpSocket,
    mut seed: u64,
    line: &SyncSender<Packet>,
    client: Option<&Mutex<Option<SocketAddr>>>,
    lost: &AtomicBool,
    over: &AtomicBool,
) {
    let mut buffer = [0; LARGEST_PACKET];
    while !over.load(Ordering::Relaxed) {
        // Nothing came for a while, or an earlier packet met a closed port.
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        if let Some(client) = client {
            *client.lock().unwrap() = Some(from);
        }
        // Knuth's MMIX generator; its upper bits are good enough to spread losses.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let is_lost = (seed >> 33).is_multiple_of(50);
        lost.fetch_or(is_lost, Ordering::Relaxed);
        if !is_lost {
            // A full queue drops, too, as any router's does.
            _ = line.try_send((Instant::now() + Duration::from_millis(5), buffer[..length].to_vec()));
        }
    }
}

fn deliver(line: &Receiver<Packet>, send: impl Fn(&[u8])) {
    for (due, packet) in line {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        send(&packet);
    }
}

/// The largest packet that the link takes, in bytes: more than any that QUIC sends here.
const LARGEST_PACKET: usize = 2048;

/// How many packets are on the link at most.
const QUEUE: usize = 1024;

/// The access units of an H.264 byte stream.
fn access_units(stream: &[u8]) -> Vec<Vec<u8>> {
    const SLICES: [u8; 2] = [1, 5];
    const START: [u8; 4] = [0, 0, 0, 1];
    let mut units: Vec<Vec<u8>> = Vec::new();
    let mut has_slice = true;
    for unit in nal_units(stream) {
        let is_slice = SLICES.contains(&(unit[0] & 0x1F));
        // `first_mb_in_slice` is the first number of a slice; 0 is a single bit, 1.
        let is_first_slice = is_slice && unit.get(1).is_some_and(|byte| byte & 0x80 != 0);
        if has_slice && (!is_slice || is_first_slice) {
            units.push(Vec::new());
            has_slice = false;
        }
        has_slice |= is_slice;
        let current = units.last_mut().unwrap();
        current.extend_from_slice(&START);
        current.extend_from_slice(unit);
    }
    units
}

/// What lies between the start codes of a byte stream.
fn nal_units(stream: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<_> =
        (0..stream.len().saturating_sub(3)).filter(|&at| stream[at..at + 3] == [0, 0, 1]).collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    let units = starts.iter().zip(ends).map(|(start, end)| &stream[start + 3..end]);
    // A start code may have one more zero in front, which belongs to it and not to the unit before.
    units.map(|unit| unit.strip_suffix(&[0]).unwrap_or(unit)).filter(|unit| !unit.is_empty()).collect()
}

fn decode(units: &[Vec<u8>], mut see: impl FnMut(I420View<'_>)) {
    let mut decoder = pf_codec::decoder().unwrap();
    for unit in units {
        if let Some(view) = decoder.decode(unit).unwrap() {
            see(view);
        }
    }
}

/// The time codes of all pictures that can be read.
fn time_codes(units: &[Vec<u8>]) -> Vec<TimeCode> {
    let mut codes = Vec::new();
    decode(units, |view| {
        let [luma, ..] = view.planes();
        codes.extend(timecode::read(luma.samples, luma.stride, view.size(), ORIGIN));
    });
    codes
}

/// A picture that stands still is sent again, so a number may come twice; none comes late.
#[track_caller]
fn assert_rising(codes: &[TimeCode]) {
    let falls =
        codes.windows(2).find(|pair| pair[1].frame < pair[0].frame || pair[1].micros < pair[0].micros);
    assert_eq!(falls, None, "out of order");
}
