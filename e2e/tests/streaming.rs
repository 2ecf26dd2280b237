//! Pictures from a real display to a real decoder: what was drawn is what is seen, and nothing stays behind.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use pf_codec::I420View;
use pf_e2e::{Attacker, Bursts, ClientInstall, Host, Network, Relay, soon, until, x_display::XDisplay};
use pf_media::{
    picture::Size,
    timecode::{self, ORIGIN, TimeCode},
};
use pf_proto::{
    Message,
    session::{ClientDatagram, FrameArrival, MediaFeedback},
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

    /// With a screen of its own to open windows on.
    fn on_a_screen(mut self) -> (XDisplay, Self) {
        let screen = XDisplay::start(Size::new(1400, 800));
        self.client = self.client.env("DISPLAY", &screen.name());
        (screen, self)
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

/// A weak wireless link loses one packet in twenty. Whoever shows the losses, or asks for a key frame after each, has a
/// picture that breaks or stalls several times a second.
#[test]
fn what_a_lossy_link_loses_is_repaired_and_the_picture_keeps_coming() {
    let host = Host::m3().start();
    let relay = Relay::start(Ipv4Addr::LOCALHOST, host.socket_address());
    let viewer = Viewer::at(&host, &relay.address());
    relay.set(Network { loss: 0.05, delay: Duration::from_millis(10), ..Network::default() });
    let (report, units) = viewer.watch(300);
    println!("{report}\n{:?}", relay.passed());

    let figure = |name: &str| report[name].as_f64().unwrap();
    assert!(relay.passed().lost > 0, "the link lost nothing");
    assert!(figure("repaired") > 0.0, "{report}");
    assert!((1.0..15.0).contains(&figure("loss_percent")), "{report}");
    assert!(figure("frames_lost") < 15.0 && figure("recoveries_asked") <= 5.0, "{report}");
    assert_eq!(report["decode_errors"], 0);
    assert!(figure("frames_on_time") + figure("frames_late") >= 300.0, "{report}");
    assert!(figure("frames_sent") >= 300.0, "{report}");
    let codes = time_codes(&units);
    assert!(codes.len() >= 290, "only {} of 300 pictures can be read", codes.len());
    assert_rising(&codes);
}

/// A microwave oven takes more at once than any parity gives back. Pictures are lost, the session is not.
#[test]
fn a_stream_recovers_from_bursts_that_nothing_repairs() {
    let host = Host::m3().start();
    let relay = Relay::start(Ipv4Addr::LOCALHOST, host.socket_address());
    let viewer = Viewer::at(&host, &relay.address());
    let bursts = Some(Bursts { every: 300, length: 30 });
    relay.set(Network { bursts, delay: Duration::from_millis(5), ..Network::default() });
    let (report, units) = viewer.watch(300);
    println!("{report}\n{:?}", relay.passed());

    assert!(relay.passed().lost > 0, "the link lost nothing");
    assert!(report["frames_lost"].as_u64() > Some(0), "{report}");
    assert!(report["recoveries_asked"].as_u64() > Some(0), "{report}");
    assert_eq!(report["decode_errors"], 0, "what is handed to the decoder refers to nothing that was lost");
    let codes = time_codes(&units);
    assert!(codes.len() >= 290, "only {} of 300 pictures can be read", codes.len());
    assert_rising(&codes);
}

/// A paired device that lies about how pictures arrive must reach nothing but its own stream.
#[tokio::test(flavor = "multi_thread")]
async fn reports_of_a_hostile_client_harm_nobody() {
    let host = Host::m3().start();
    let laptop = Attacker::new();
    laptop.pair(host.socket_address(), "laptop", &host.pin()).await;
    let visit = laptop.enter(host.socket_address()).await.unwrap();
    let picture = async || soon("a picture", visit.connection.read_datagram()).await.unwrap();
    picture().await;
    for report in hostile_reports(visit.connection.max_datagram()) {
        visit.connection.send_datagram(report.into()).unwrap();
        tokio::task::yield_now().await;
    }
    // Pictures that came before the host heard all of that are not the proof.
    for _ in 0..200 {
        picture().await;
    }
    assert_eq!(visit.connection.close_reason(), None);

    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.await_pin(2));
    couch.expect_pictures(&host.address());
}

/// Datagrams that no honest client sends: garbage, too much, and numbers that cannot be.
fn hostile_reports(longest: usize) -> Vec<Vec<u8>> {
    let mut reports = vec![vec![], vec![0xFF], vec![0; longest], vec![0x0A; longest], b"\x0A\x7F".to_vec()];
    let extremes = [0, 1, 0x7FFF_FFFF, 0x8000_0000, u32::MAX];
    for (number, &newest_frame) in extremes.iter().cycle().take(50).enumerate() {
        let extreme = extremes[number / extremes.len() % extremes.len()];
        let arrival = |before_newest| FrameArrival {
            before_newest,
            shards: if extreme == 0 { 1 } else { u16::MAX },
            first_before: extreme,
            spread: extreme,
        };
        let honest = MediaFeedback {
            number: number as u32,
            sent: [0, u64::from(extreme), u64::MAX][number % 3],
            newest_frame,
            decoded_frame: Some(extreme).filter(|_| number % 2 == 0),
            first_lost: Some(!extreme).filter(|_| number % 3 > 0),
            frames: (0..24).map(arrival).collect(),
        };
        // As it is, again, with a number from long ago, and the same number with other words.
        let older = MediaFeedback { number: honest.number.wrapping_sub(0x7000_0000), ..honest.clone() };
        let other = MediaFeedback { newest_frame: !newest_frame, frames: Vec::new(), ..honest.clone() };
        for feedback in [honest.clone(), honest, older, other] {
            reports.push(ClientDatagram::Feedback(feedback).encode());
        }
    }
    reports
}

/// A table of stages with a hole in it, or whose rows have nothing to do with their sum, sends whoever looks for the time
/// to the wrong place.
#[test]
fn every_stage_of_a_pictures_way_is_measured() {
    let host = Host::m3().start();
    let (report, _) = Viewer::paired_with(&host).watch(180);
    let latency = &report["latency_ms"];
    let percentile = |stage: &str, which: &str| latency[stage][which].as_f64().unwrap_or(-1.0);
    let stages = ["capture", "encode", "queue", "network", "decode"];
    for stage in stages.into_iter().chain(["total"]) {
        let [p50, p95, p99] = ["p50", "p95", "p99"].map(|which| percentile(stage, which));
        assert!(0.0 <= p50 && p50 <= p95 && p95 <= p99 && p99 > 0.0, "{stage}: {report}");
    }
    assert_eq!(latency["display"], Value::Null, "nobody looks");
    let sum: f64 = stages.iter().map(|stage| percentile(stage, "p50")).sum();
    let total = percentile("total", "p50");
    assert!((sum - total).abs() < 1.0 + total / 3.0, "{sum} ms for {total} ms: {report}");
}

/// A person watches in a window, and closes it.
#[test]
fn the_window_shows_the_picture_and_ends_the_session_when_it_is_closed() {
    let host = Host::m3().start();
    let (screen, viewer) = Viewer::paired_with(&host).on_a_screen();
    let session = viewer.client.spawn(&viewer.arguments(&[]));
    let window = until("the client's window", || screen.window("Punktfunk"));
    let first = until("a picture in the window", || screen.read_time_code(window));
    until("a later picture", || screen.read_time_code(window).filter(|later| later.frame > first.frame));
    screen.close(window);
    let report = session.finish().expect_success();
    assert!(report["frames"].as_u64() >= Some(2), "{report}");
    until("the end of the session", || host.sessions().is_empty().then_some(()));
}

/// What the window shows is what the host draws now: no older picture after a newer one, also in a window that is larger.
#[test]
fn the_window_shows_what_the_host_draws_at_whatever_size() {
    let desktop = XDisplay::start(SIZE);
    let drawing = desktop.draw_time_codes();
    let host = Host::m3().source("x11").env("DISPLAY", &desktop.name()).start();
    let (screen, viewer) = Viewer::paired_with(&host).on_a_screen();
    let session = viewer.client.spawn(&viewer.arguments(&[]));
    let window = until("the client's window", || screen.window("Punktfunk"));
    let mut seen = Vec::new();
    until("pictures in the window", || {
        seen.extend(screen.read_time_code(window));
        (seen.len() >= 30).then_some(())
    });
    screen.resize(window, Size::new(SIZE.width * 2, SIZE.height * 2));
    until("pictures in the larger window", || {
        seen.extend(screen.read_time_code_enlarged(window, 2));
        (seen.len() >= 60).then_some(())
    });
    assert_rising(&seen);
    let newest = seen.last().unwrap().frame;
    assert!(newest < drawing.drawn() && newest > seen[0].frame, "picture {newest} of {}", drawing.drawn());
    screen.close(window);
    let report = session.finish().expect_success();
    assert!(report["frames_shown"].as_u64() >= Some(30), "{report}");
    assert!(report["latency_ms"]["display"]["p50"].as_f64() > Some(0.0), "{report}");
}

/// Whoever makes the window larger or smaller gets a desktop of that size, or at least no more than fits it.
#[test]
fn a_virtual_desktop_follows_the_window() {
    let virtual_display = VirtualSession::new();
    let host = virtual_display.host();
    let (screen, viewer) = Viewer::paired_with(&host).on_a_screen();
    let session = viewer.client.spawn(&["connect", &viewer.address]);
    let window = until("the client's window", || screen.window("Punktfunk"));
    virtual_display.await_display();
    screen.resize(window, Size::new(1000, 600));
    until("pictures of the window's size", || {
        let figures = host.sessions().first()?["figures"].clone();
        (figures["width"] == 1000 || figures["height"] == 600).then_some(())
    });
    screen.close(window);
    let report = session.finish().expect_success();
    assert!(report["width"] == 1000 || report["height"] == 600, "{report}");
}

/// Figures that cannot be read, that stay in the way, or whose keys the window does not hear.
#[test]
fn the_overlay_lies_over_the_picture_until_its_keys_are_pressed() {
    let host = Host::m3().start();
    let (screen, viewer) = Viewer::paired_with(&host).on_a_screen();
    let session = viewer.client.spawn(&viewer.arguments(&["--overlay", "full"]));
    let window = until("the client's window", || screen.window("Punktfunk"));
    // The synthetic picture has a time code in the corner, of which the overlay leaves a shadow.
    let dark_and_bright = || {
        let (size, greens) = screen.greens(window);
        let rows = greens.chunks_exact(size.width as usize).skip(30).take(200);
        let inside: Vec<u8> = rows.flat_map(|row| row[30..280].to_vec()).collect();
        let share = |is: fn(u8) -> bool| {
            inside.iter().filter(|green| is(**green)).count() as f64 / inside.len() as f64
        };
        (share(|green| green < 60), share(|green| green > 180))
    };
    let is_covered = || {
        let (dark, bright) = dark_and_bright();
        dark > 0.7 && bright > 0.01
    };
    until("letters on dark ground", || is_covered().then_some(()));
    assert_eq!(screen.read_time_code(window), None, "the picture below");
    let chord = [CONTROL, ALT, SHIFT, u32::from(b's')];
    screen.press(window, &chord);
    let first = until("the picture without the overlay", || screen.read_time_code(window));
    assert!(!is_covered());
    until("a later picture", || screen.read_time_code(window).filter(|later| later.frame > first.frame));
    screen.press(window, &chord);
    until("the short overlay over the time code", || screen.read_time_code(window).is_none().then_some(()));
    assert!(!is_covered(), "it is a line and not a card");
    screen.close(window);
    session.finish().expect_success();
}

/// Keysyms of the left modifiers.
const CONTROL: u32 = 0xFFE3;
const ALT: u32 = 0xFFE9;
const SHIFT: u32 = 0xFFE1;

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
