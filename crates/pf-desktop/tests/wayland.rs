//! Mirroring a real Wayland compositor, and typing into its programs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/layer.rs"]
mod layer;
mod support;
#[path = "support/sway.rs"]
mod sway;

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use pf_desktop::{
    Choice, Sizing, Source as _, SourceConfig, SourceError, SourceKind, VirtualConfig, WaylandConfig,
    WaylandSource, choose,
};
use pf_media::picture::Size;
use pf_media::timecode::TimeCode;
use pf_proto::input::Position;
use rustix::process::Signal;

use layer::Client;
use support::{Pixels, XServer, bounded_stop, far, fps, next, next_where, random, settle};
use sway::Sway;

const RED: u32 = 0x00C8_1E32;
const BLUE: u32 = 0x000A_14F0;
const SIZE: Size = Size::new(640, 480);

fn at(socket: &Path) -> WaylandConfig {
    WaylandConfig { display: Some(socket.to_owned()), output: None }
}

fn mirror(sway: &Sway) -> WaylandSource {
    WaylandSource::open(&at(&sway.socket()), SIZE, fps(60), &bounded_stop()).unwrap()
}

/// A sway, a mirror of its output, and a client that has drawn itself over all of it.
fn shown() -> (Sway, WaylandSource, Client) {
    let sway = Sway::start(1, "");
    let mut source = mirror(&sway);
    let mut client = Client::new(&sway.socket());
    client.await_size(SIZE);
    client.fill(BLUE, &[(0, 0, SIZE.width, SIZE.height)]);
    next_where(&mut source, |pixels| pixels.at(639, 479) == BLUE);
    (sway, source, client)
}

#[track_caller]
fn shows(pixels: &Pixels, client: &Client) {
    assert_eq!(pixels.size, client.size());
    for (x, y) in (0..client.size().height).flat_map(|y| (0..client.size().width).map(move |x| (x, y))) {
        assert_eq!(pixels.at(x, y), client.at(x, y), "at {x},{y}");
    }
}

#[test]
fn an_output_is_mirrored_to_the_bit() {
    let (_sway, mut source, mut client) = shown();
    let code = TimeCode { frame: 123_456, micros: 7_890_123 };
    client.fill(RED, &[(100, 50, 20, 10), (639, 0, 1, 1)]);
    client.draw_code(code);
    let pixels = next_where(&mut source, |pixels| pixels.code() == Some(code));
    shows(&pixels, &client);
}

/// A desktop that nobody uses costs nothing: neither the compositor nor the source does anything.
#[test]
fn there_is_no_picture_while_nothing_changes() {
    let (_sway, mut source, mut client) = shown();
    settle(&mut source);
    assert!(next(&mut source, Instant::now() + Duration::from_millis(500)).unwrap().is_none());
    client.fill(RED, &[(7, 8, 1, 1)]);
    assert_eq!(next(&mut source, far()).unwrap().unwrap().at(7, 8), RED);
}

/// Who converts only what is said to differ must end up with what is shown.
#[test]
fn rows_that_are_not_said_to_change_do_not() {
    let (_sway, mut source, mut client) = shown();
    let mut random = random(1);
    let mut before = next_where(&mut source, |_| true);
    for round in 0..40 {
        let (x, y) = (random(600), random(440));
        client.fill(round + 1, &[(x, y, 1 + random(40), 1 + random(40))]);
        loop {
            let picture = source.next_picture(far()).unwrap().unwrap();
            let (changed, after) = (picture.changed.clone(), Pixels::of(&picture));
            for row in
                (0..SIZE.height).filter(|row| !changed.ranges().iter().any(|range| range.contains(row)))
            {
                for x in 0..SIZE.width {
                    assert_eq!(after.at(x, row), before.at(x, row), "at {x},{row} in round {round}");
                }
            }
            before = after;
            if before.at(x, y) == round + 1 {
                // A small change must not cost a whole picture.
                let rows: u32 = changed.ranges().iter().map(|range| range.end - range.start).sum();
                assert!(rows < SIZE.height, "{changed:?}");
                break;
            }
        }
    }
    shows(&before, &client);
}

/// The rate is a promise to the network.
#[test]
fn pictures_come_no_faster_than_asked_for() {
    let sway = Sway::start(1, "");
    let mut source = WaylandSource::open(&at(&sway.socket()), SIZE, fps(60), &bounded_stop()).unwrap();
    // The output itself stays at 60.
    assert_eq!(source.change(SIZE, fps(60)).unwrap(), Sizing::Follows);
    let mut client = Client::new(&sway.socket());
    client.await_size(SIZE);
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let drawing = std::thread::spawn(move || {
        let mut colour = 0;
        while is_done.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            colour += 1;
            client.fill(colour, &[(0, 0, 9, 9)]);
        }
    });
    settle_to(&mut source, 20);
    let times: Vec<_> = (0..11).map(|_| next(&mut source, far()).unwrap().unwrap().captured).collect();
    drop(done);
    drawing.join().unwrap();
    assert!(times[10] - times[0] >= Duration::from_millis(500 - 100), "{times:?}");
    assert!(times.is_sorted());
}

/// Gives the source another rate, and takes the pictures that it still may make at once.
fn settle_to(source: &mut WaylandSource, rate: u32) {
    assert_eq!(source.change(SIZE, fps(rate)).unwrap(), Sizing::Follows);
    for _ in 0..3 {
        next(source, far()).unwrap().unwrap();
    }
}

#[test]
fn an_output_that_nobody_sits_before_takes_on_the_size_that_is_asked_for() {
    let (_sway, mut source, mut client) = shown();
    assert_eq!(source.size(), SIZE);
    for size in [Size::new(1280, 720), Size::new(641, 363), Size::new(800, 600)] {
        assert_eq!(source.change(size, fps(60)).unwrap(), Sizing::Follows);
        // The change alone makes a picture, with nothing drawn.
        let picture = source.next_picture(far()).unwrap().unwrap();
        assert!(picture.pixels.size() == size || picture.pixels.size() == client.size());
        next_where(&mut source, |pixels| pixels.size == size);
        assert_eq!(source.size(), size);
        client.await_size(size);
        let (x, y) = (size.width - 1, size.height - 1);
        client.fill(RED, &[(x, y, 1, 1)]);
        shows(&next_where(&mut source, |pixels| pixels.at(x, y) == RED), &client);
    }
}

/// A window that is dragged larger asks again and again, at any moment of a picture.
#[test]
fn resizing_at_any_moment_loses_no_output() {
    let (_sway, mut source, mut client) = shown();
    for round in 0..40 {
        let size = if round % 2 == 0 { Size::new(1280, 720) } else { SIZE };
        assert_eq!(source.change(size, fps(60)).unwrap(), Sizing::Follows);
        if round % 3 > 0 {
            next(&mut source, Instant::now() + Duration::from_millis(7 * round % 20)).unwrap();
        }
    }
    client.await_size(SIZE);
    client.fill(RED, &[(639, 479, 1, 1)]);
    next_where(&mut source, |pixels| pixels.size == SIZE && pixels.at(639, 479) == RED);
}

/// A screen on its side is seen upright, as by whoever sits before it.
#[test]
fn a_turned_output_is_seen_upright() {
    let (sway, mut source, mut client) = shown();
    for (turn, size) in [
        ("90", Size::new(480, 640)),
        ("180", SIZE),
        ("270", Size::new(480, 640)),
        ("flipped", SIZE),
        ("flipped-90", Size::new(480, 640)),
        ("flipped-180", SIZE),
        ("flipped-270", Size::new(480, 640)),
        ("normal", SIZE),
    ] {
        sway.message(["output", "HEADLESS-1", "transform", turn]);
        client.await_size(size);
        client.fill(BLUE, &[(0, 0, size.width, size.height)]);
        client.fill(RED, &[(10, 20, 300, 7)]);
        let is_there =
            |pixels: &Pixels| pixels.size == size && pixels.at(10, 20) == RED && pixels.at(0, 0) == BLUE;
        shows(&next_where(&mut source, is_there), &client);
    }
}

#[test]
fn the_pointer_is_in_the_picture_and_leaves_no_trace() {
    let (_sway, mut source, mut client) = shown();
    client.set_cursor(4, RED);
    let mut hands = source.seat().unwrap().take(&bounded_stop()).unwrap();
    for (x, y) in [(100, 100), (30, 60), (639, 479)] {
        hands.move_to(place(x, y)).unwrap();
        hands.flush().unwrap();
        client.attend();
        client.attend();
        let pixels = next_where(&mut source, |pixels| pixels.at(x, y) == RED);
        let seen = |x: u32, y: u32| (x < 640 && y < 480).then(|| pixels.at(x, y));
        for (dx, dy) in [(3, 0), (0, 3), (3, 3)] {
            assert!(seen(x + dx, y + dy).is_none_or(|colour| colour == RED));
        }
        assert_eq!(seen(x + 4, y).unwrap_or(BLUE), BLUE);
        let red =
            (0..480).flat_map(|y| (0..640).map(move |x| (x, y))).filter(|&(x, y)| pixels.at(x, y) == RED);
        assert!(red.count() <= 16, "it left a trace");
    }
}

/// The place of a pixel's middle in a picture of [`SIZE`].
fn place(x: u32, y: u32) -> Position {
    let place = |pixel: u32, pixels: u32| ((pixel * 65_535 + (pixels - 1) / 2) / (pixels - 1)) as u16;
    Position { x: place(x, SIZE.width), y: place(y, SIZE.height) }
}

#[test]
fn a_compositor_that_dies_is_lost() {
    let (sway, mut source, client) = shown();
    settle(&mut source);
    let waiting = std::thread::spawn(move || {
        let first = next(&mut source, far());
        (first.err(), next(&mut source, far()).err())
    });
    sway.signal(Signal::KILL);
    let (first, second) = waiting.join().unwrap();
    assert!(matches!(first, Some(SourceError::Lost { .. })), "{first:?}");
    assert!(matches!(second, Some(SourceError::Lost { .. })), "{second:?}");
    drop(client);
}

#[test]
fn an_output_that_goes_is_lost() {
    let (sway, mut source, _client) = shown();
    let waiting = std::thread::spawn(move || {
        while next(&mut source, far())?.is_some() {}
        Ok::<_, SourceError>(())
    });
    sway.message(["output", "HEADLESS-1", "disable"]);
    let error = waiting.join().unwrap().unwrap_err();
    assert!(matches!(&error, SourceError::Lost { reason } if reason.contains("HEADLESS-1")), "{error}");
}

#[test]
fn stopping_ends_the_wait_for_something_new() {
    let sway = Sway::start(1, "");
    let stop = bounded_stop();
    let mut source = WaylandSource::open(&at(&sway.socket()), SIZE, fps(60), &stop).unwrap();
    settle(&mut source);
    let waiting = std::thread::spawn(move || next(&mut source, far()).err());
    stop.stop();
    assert_eq!(waiting.join().unwrap(), Some(SourceError::Stopped));
}

/// A session must be able to end while its compositor hangs.
#[test]
fn stopping_ends_the_wait_for_a_compositor_that_hangs() {
    /// Less than a source itself waits for an answer (30 s), else this would prove only that.
    const LIMIT: Duration = Duration::from_secs(15);
    let sway = Sway::start(1, "");
    let stop = bounded_stop();
    let mut source = WaylandSource::open(&at(&sway.socket()), SIZE, fps(60), &stop).unwrap();
    sway.signal(Signal::STOP);
    let (ended, ends) = std::sync::mpsc::channel();
    std::thread::spawn({
        let (config, stop, ended) = (at(&sway.socket()), stop.clone(), ended.clone());
        move || ended.send(WaylandSource::open(&config, SIZE, fps(60), &stop).err())
    });
    // The first picture is always due: this waits for the compositor's answer.
    std::thread::spawn(move || ended.send(next(&mut source, far()).err()));
    stop.stop();
    for _ in 0..2 {
        assert_eq!(ends.recv_timeout(LIMIT).unwrap(), Some(SourceError::Stopped));
    }
}

/// As on a machine in a cupboard, which has no screen.
#[test]
fn a_sway_without_an_output_is_given_one_as_long_as_it_is_mirrored() {
    let sway = Sway::start(0, "");
    let has_output = || sway.message(["-t", "get_outputs"]).contains("\"active\": true");
    assert!(!has_output());
    // The second time it is there already, turned off.
    for size in [SIZE, Size::new(800, 600)] {
        let mut source = WaylandSource::open(&at(&sway.socket()), size, fps(60), &bounded_stop()).unwrap();
        assert_eq!(next(&mut source, far()).unwrap().unwrap().size, size);
        assert!(has_output());
        let mut client = Client::new(&sway.socket());
        client.await_size(size);
        client.fill(RED, &[(0, 0, 9, 9)]);
        next_where(&mut source, |pixels| pixels.at(8, 8) == RED);
        drop(source);
        assert!(!has_output());
    }
}

#[test]
fn an_output_is_mirrored_by_its_name() {
    let sway = Sway::start(2, "");
    let named = |name: &str| {
        let config = WaylandConfig { output: Some(name.to_owned()), ..at(&sway.socket()) };
        WaylandSource::open(&config, SIZE, fps(60), &bounded_stop())
    };
    let mut source = named("HEADLESS-2").unwrap();
    next(&mut source, far()).unwrap().unwrap();
    sway.message(["output", "HEADLESS-1", "disable"]);
    assert!(next(&mut source, Instant::now() + Duration::from_millis(200)).is_ok());
    let error = named("DP-1").err().unwrap();
    assert_eq!(error, SourceError::NoOutput { name: Some("DP-1".to_owned()) });
    assert!(error.to_string().contains("DP-1"));
}

#[test]
fn a_compositor_that_is_not_there_has_a_cause_and_a_way_on() {
    let error = WaylandSource::open(&at(Path::new("/no/such/socket")), SIZE, fps(60), &bounded_stop());
    let error = error.err().unwrap();
    assert!(
        matches!(&error, SourceError::NoCompositor { display, .. } if display == "/no/such/socket"),
        "{error}"
    );
    assert!(error.way_on().contains("WAYLAND_DISPLAY"));
}

/// What answers there may be no compositor at all.
#[test]
fn a_socket_that_talks_nonsense_is_no_compositor() {
    let scratch = support::scratch();
    let socket = scratch.path().join("socket");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            _ = stream.write_all(&[0xFF; 4096]);
        }
    });
    let error = WaylandSource::open(&at(&socket), SIZE, fps(60), &bounded_stop()).err().unwrap();
    assert!(matches!(error, SourceError::NoCompositor { .. }), "{error}");
}

fn auto(sway: Option<&Sway>, display: &str) -> Choice {
    let socket = sway.map_or_else(|| "/no/such/socket".into(), Sway::socket);
    let config = SourceConfig {
        kind: SourceKind::Auto,
        size: SIZE,
        fps: fps(60),
        display: Some(display.to_owned()),
        wayland: at(&socket),
        virtual_display: VirtualConfig::default(),
    };
    choose(&config, &bounded_stop())
}

#[test]
fn auto_takes_a_compositor_that_answers_before_any_other() {
    let server = XServer::xvfb("320x240x24", &[]);
    let sway = Sway::start(1, "");
    assert_eq!(auto(Some(&sway), &server.name()).kind, SourceKind::Wayland);
    // It could add an output.
    let bare = Sway::start(0, "");
    assert_eq!(auto(Some(&bare), &server.name()).kind, SourceKind::Wayland);
    let choice = auto(None, &server.name());
    assert_eq!(
        (choice.kind, choice.why.contains("/no/such/socket")),
        (SourceKind::X11, true),
        "{}",
        choice.why
    );
}
