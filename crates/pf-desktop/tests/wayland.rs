//! Mirroring a real Wayland compositor, and typing into its programs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/layer.rs"]
mod layer;
#[path = "support/stage.rs"]
mod stage;
mod support;
#[path = "support/sway.rs"]
mod sway;

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use pf_desktop::input::{Hands, Injector};
use pf_desktop::{
    Choice, Sizing, Source as _, SourceConfig, SourceError, SourceKind, VirtualConfig, WaylandConfig,
    WaylandSource, choose,
};
use pf_media::picture::Size;
use pf_media::timecode::TimeCode;
use pf_proto::input::{Button, InputEvent, Key, Position};
use rustix::process::Signal;
use wayland_server::protocol::wl_shm::Format;

use layer::Client;
use stage::{Scene, Stage};
use support::{Pixels, XServer, bounded_stop, far, fps, next, next_where, random, settle, until};
use sway::{Printing, Sway};

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
    let (sway, mut source, mut client) = shown();
    assert_eq!(source.change(SIZE, fps(20)), Ok(Sizing::Follows));
    // The output was made that slow, too; it is not to be what holds the rate.
    sway.command(&format!("output HEADLESS-1 mode --custom {SIZE}@100Hz"));
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let drawing = std::thread::spawn(move || {
        let mut colour = 0;
        while is_done.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            colour += 1;
            client.fill(colour, &[(0, 0, 9, 9)]);
        }
    });
    // Two may come at once after a pause.
    let times: Vec<_> = (0..13).map(|_| next(&mut source, far()).unwrap().unwrap().captured).collect();
    drop(done);
    drawing.join().unwrap();
    // Ten intervals of 50 ms, of which a little is given for programs whose clocks run fast.
    assert!(times[12] - times[2] >= Duration::from_millis(500 - 50), "{times:?}");
    assert!(times.is_sorted());
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
        sway.command(&format!("output HEADLESS-1 transform {turn}"));
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
fn a_sway_without_an_output_is_given_one() {
    let sway = Sway::start(0, "");
    let outputs = || sway.outputs().matches("\"name\": \"HEADLESS-").count();
    assert_eq!(outputs(), 0);
    // Sway takes it away at the end if it can; if not, it is there the second time. It never becomes two.
    for size in [SIZE, Size::new(800, 600)] {
        let mut source = WaylandSource::open(&at(&sway.socket()), size, fps(60), &bounded_stop()).unwrap();
        let mut client = Client::new(&sway.socket());
        client.await_size(size);
        client.fill(RED, &[(0, 0, 9, 9)]);
        let pixels = next_where(&mut source, |pixels| pixels.at(8, 8) == RED);
        assert_eq!((pixels.size, outputs()), (size, 1));
    }
    assert!(outputs() <= 1);
}

#[test]
fn an_output_is_mirrored_by_its_name() {
    let sway = Sway::start(2, "");
    let named = |name: &str| {
        let config = WaylandConfig { output: Some(name.to_owned()), ..at(&sway.socket()) };
        WaylandSource::open(&config, SIZE, fps(60), &bounded_stop())
    };
    // What is drawn is on the first one.
    let mut client = Client::new(&sway.socket());
    client.fill(RED, &[(0, 0, 9, 9)]);
    for (name, is_red) in [("HEADLESS-1", true), ("HEADLESS-2", false)] {
        let mut source = named(name).unwrap();
        client.attend();
        client.fill(RED, &[(0, 0, 9, 9)]);
        settle(&mut source);
        client.fill(RED, &[(0, 0, 9, 9)]);
        let shown = next(&mut named(name).unwrap(), far()).unwrap().unwrap();
        assert_eq!(shown.at(8, 8) == RED, is_red, "{name}");
    }
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
    auto_at(&sway.map_or_else(|| "/no/such/socket".into(), Sway::socket), display)
}

fn auto_at(socket: &Path, display: &str) -> Choice {
    let config = SourceConfig {
        kind: SourceKind::Auto,
        size: SIZE,
        fps: fps(60),
        display: Some(display.to_owned()),
        wayland: at(socket),
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

/// It would be a black picture: Xwayland shows windows to its compositor, and nothing on a screen of its own.
#[test]
fn auto_never_takes_the_x_display_of_a_compositor() {
    let sway = Sway::start(1, "");
    let xwayland = sway.run("Xwayland", &["-rootless", "-noreset", "-ac", "-displayfd", "1"]);
    let display = format!(":{}", xwayland.next("Xwayland starts", |line| line.trim().parse::<u16>().ok()));
    let choice = auto(None, &display);
    assert_ne!(choice.kind, SourceKind::X11);
    assert!(choice.why.contains("belongs to a Wayland compositor"), "{}", choice.why);
}

/// A program in a sway with this layout that has the keyboard, and hands that move it.
fn typing(layout: &str) -> (Sway, Printing, Box<dyn Injector>) {
    let sway = Sway::start(1, &format!("input * xkb_layout {layout}\noutput HEADLESS-1 resolution {SIZE}"));
    let source = mirror(&sway);
    let hands = source.seat().unwrap().take(&bounded_stop()).unwrap();
    let program = sway.run("wev", &[]);
    program.next("the keyboard enters", |line| line.contains("wl_keyboard] enter").then_some(()));
    (sway, program, hands)
}

/// What the next so many keys type.
fn typed(program: &Printing, count: usize) -> Vec<String> {
    let text = |line: &str| {
        let (_, text) = line.split_once("utf8: '")?;
        Some(text.strip_suffix('\'')?.to_owned())
    };
    let next = |_| {
        program.next("a key goes down", |line| line.contains("state: 1 (pressed)").then_some(()));
        program.next("a key types", text)
    };
    (0..count).map(next).collect()
}

fn key(usage: u32) -> Key {
    Key::from_usage(usage).unwrap()
}

fn tap(hands: &mut dyn Injector, usage: u32) {
    hands.key(key(usage), true).unwrap();
    hands.key(key(usage), false).unwrap();
}

const Q: u32 = 0x07_0014;
const Y: u32 = 0x07_001C;
const TWO: u32 = 0x07_001F;
const CAPS_LOCK: u32 = 0x07_0039;
const CONTROL: u32 = 0x07_00E0;
const SHIFT: u32 = 0x07_00E1;
const RIGHT_ALT: u32 = 0x07_00E6;

#[test]
fn keys_come_out_in_the_layout_of_the_compositor() {
    let (_sway, program, mut hands) = typing("de");
    tap(&mut *hands, Y);
    hands.key(key(SHIFT), true).unwrap();
    tap(&mut *hands, TWO);
    hands.key(key(SHIFT), false).unwrap();
    hands.key(key(RIGHT_ALT), true).unwrap();
    tap(&mut *hands, Q);
    hands.key(key(RIGHT_ALT), false).unwrap();
    tap(&mut *hands, CAPS_LOCK);
    tap(&mut *hands, Q);
    hands.flush().unwrap();
    assert_eq!(typed(&program, 7), ["z", "", "\"", "", "@", "", "Q"]);
}

/// Whoever changes the layout while somebody streams the desktop gets the new one, with what its right Alt does.
#[test]
fn another_layout_of_the_compositor_is_followed() {
    let (sway, program, mut hands) = typing("us");
    tap(&mut *hands, Y);
    hands.flush().unwrap();
    assert_eq!(typed(&program, 1), ["y"]);
    sway.command("input * xkb_layout de");
    // sway gives it to our keyboard, too, and tells of it a moment later.
    until("what right Alt does in the other layout", || {
        hands.key(key(RIGHT_ALT), true).unwrap();
        tap(&mut *hands, Q);
        hands.key(key(RIGHT_ALT), false).unwrap();
        tap(&mut *hands, Y);
        hands.flush().unwrap();
        typed(&program, 3) == ["", "@", "z"]
    });
}

/// A layout has no key for most of what people write.
#[test]
fn text_comes_out_whatever_the_layout_and_whatever_is_held() {
    let (_sway, program, mut hands) = typing("us");
    let text = "Größe: 漢字 – ½ 😀 aaa, und noch mehr Zeichen als Tasten";
    hands.key(key(CONTROL), true).unwrap();
    hands.text(text).unwrap();
    hands.key(key(CONTROL), false).unwrap();
    tap(&mut *hands, Y);
    hands.flush().unwrap();
    let typed = typed(&program, 1 + text.chars().count() + 1);
    assert_eq!(typed[1..typed.len() - 1].concat(), text);
    assert_eq!(typed.last().unwrap(), "y");
}

#[test]
fn the_pointer_goes_where_it_is_sent_and_clicks_and_scrolls_there() {
    let (_sway, program, mut hands) = typing("us");
    let pointed = |line: &str| {
        let (_, place) = line.split_once("x, y: ")?;
        let (x, y) = place.split_once(", ")?;
        Some((x.parse::<f64>().ok()?.floor(), y.parse::<f64>().ok()?.floor()))
    };
    // A window that has just come has no pointer before that moves.
    hands.move_to(place(320, 240)).unwrap();
    hands.flush().unwrap();
    program.next("the pointer enters", |line| line.contains("wl_pointer] enter").then_some(()));
    for (x, y) in [(0, 0), (639, 479), (100, 50), (101, 50), (1, 478)] {
        hands.move_to(place(x, y)).unwrap();
        hands.flush().unwrap();
        // Where it came in may be told again.
        let moved = |line: &str| pointed(line).filter(|&at| at != (320.0, 240.0));
        assert_eq!(program.next("the pointer moves", moved), (x.into(), y.into()));
    }
    hands.move_to(place(100, 50)).unwrap();
    hands.move_by(-30, 7).unwrap();
    hands.flush().unwrap();
    program.next("it is there", |line| pointed(line).filter(|&at| at == (100.0, 50.0)));
    assert_eq!(program.next("the pointer moves on", pointed), (70.0, 57.0));

    let buttons =
        [Button::Left, Button::Right, Button::Middle, Button::Back, Button::Forward].into_iter().zip(272..);
    for (button, code) in buttons {
        for (pressed, state) in [(true, "state: 1"), (false, "state: 0")] {
            hands.button(button, pressed).unwrap();
            hands.flush().unwrap();
            let found = |line: &str| line.contains("] button:").then(|| line.to_owned());
            let line = program.next("a button moves", found);
            assert!(line.contains(&format!("button: {code} ")) && line.contains(state), "{line}");
        }
    }

    hands.scroll(0, 240).unwrap();
    hands.scroll(-120, 0).unwrap();
    hands.scroll(0, 30).unwrap();
    hands.flush().unwrap();
    let turned = |line: &str| {
        let (_, rest) = line.split_once("] axis: ")?;
        let axis = if rest.contains("vertical") { 'y' } else { 'x' };
        let (_, value) = rest.split_once("value: ")?;
        Some((axis, value.trim().parse::<f64>().ok()?))
    };
    let turns: Vec<_> = (0..3).map(|_| program.next("a wheel turns", turned)).collect();
    assert_eq!(turns, [('y', 30.0), ('x', -15.0), ('y', 3.75)]);
}

/// However a session ends, no key stays down in the desktop.
#[test]
fn what_is_held_is_let_go_of_at_the_end() {
    let (_sway, program, injector) = typing("us");
    let mut hands = Hands::new(Some(injector), None);
    hands.handle_event(&InputEvent::Key { key: key(Q), pressed: true }).unwrap();
    hands.handle_event(&InputEvent::Key { key: key(SHIFT), pressed: true }).unwrap();
    hands.flush().unwrap();
    for code in [24, 50] {
        let down = format!("key: {code}; state: 1");
        program.next("the keys go down", |line| line.contains(&down).then_some(()));
    }
    drop(hands);
    let mut up = std::collections::BTreeSet::new();
    program.next("the keys go up", |line| {
        let code = line.rsplit_once("key: ").filter(|_| line.contains("state: 0"));
        up.extend(code.and_then(|(_, rest)| rest.split(';').next()?.parse::<u32>().ok()));
        (up.len() == 2).then_some(())
    });
    assert_eq!(up.into_iter().collect::<Vec<_>>(), [24, 50]);
}

#[test]
fn a_keyboard_whose_compositor_dies_is_lost() {
    let (sway, _program, mut hands) = typing("us");
    sway.signal(Signal::KILL);
    let limit = Instant::now() + support::TEST_LIMIT;
    let error = loop {
        tap(&mut *hands, Q);
        match hands.flush() {
            Ok(()) => assert!(Instant::now() < limit, "it is still there"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, SourceError::Lost { .. }), "{error}");
}

/// A compositor with the newer protocol, and a mirror of its output.
fn on_stage(format: Format) -> (Stage, WaylandSource) {
    let stage = Stage::new(SIZE, format, true);
    let source = WaylandSource::open(&at(&stage.socket()), SIZE, fps(60), &bounded_stop()).unwrap();
    (stage, source)
}

#[test]
fn the_newer_protocol_shows_the_same() {
    // Blue, green and red; and the other way round, as some graphics drivers have it.
    for (format, red, blue) in [
        (Format::Xrgb8888, [0x32, 0x1E, 0xC8, 9], [0xF0, 0x14, 0x0A, 9]),
        (Format::Abgr8888, [0xC8, 0x1E, 0x32, 9], [0x0A, 0x14, 0xF0, 9]),
    ] {
        let (stage, mut source) = on_stage(format);
        next(&mut source, far()).unwrap().unwrap();
        // It is given the same buffer again, and updates nothing in it but what has changed.
        for row in [7, 470, 200] {
            stage.order(move |scene, _| {
                scene.paint(0..480, blue);
                scene.paint(row..row + 2, red);
            });
            let pixels = next(&mut source, far()).unwrap().unwrap();
            for (y, colour) in [(row - 1, BLUE), (row, RED), (row + 1, RED), (row + 2, BLUE)] {
                assert_eq!((pixels.at(0, y), pixels.at(639, y)), (colour, colour), "at {y}");
            }
            stage.order(move |scene, _| scene.paint(row..row + 1, blue));
            let picture = source.next_picture(far()).unwrap().unwrap();
            let [changed] = picture.changed.ranges() else { panic!("{:?}", picture.changed) };
            assert_eq!(*changed, row..row + 1);
            let pixels = Pixels::of(&picture);
            assert_eq!((pixels.at(0, row), pixels.at(0, row + 1), pixels.at(5, 479)), (BLUE, RED, BLUE));
        }
    }
}

#[test]
fn the_newer_protocol_is_asked_no_more_than_there_is_to_see() {
    let (stage, mut source) = on_stage(Format::Xrgb8888);
    next(&mut source, far()).unwrap().unwrap();
    assert!(next(&mut source, Instant::now() + Duration::from_millis(300)).unwrap().is_none());
    assert!(stage.order(|scene, _| scene.asked()) <= 2);
}

#[test]
fn the_newer_protocol_follows_another_size() {
    let (stage, mut source) = on_stage(Format::Xrgb8888);
    for size in [Size::new(1280, 720), Size::new(320, 240), Size::new(641, 363)] {
        next(&mut source, far()).unwrap().unwrap();
        stage.order(move |scene, _| {
            scene.resize(size);
            scene.paint(0..size.height, [0x32, 0x1E, 0xC8, 0]);
        });
        let pixels = next_where(&mut source, |pixels| pixels.size == size);
        assert_eq!((pixels.at(0, 0), pixels.at(size.width - 1, size.height - 1)), (RED, RED));
        stage.order(|scene, _| scene.paint(0..1, [0; 4]));
        assert_eq!(source.change(SIZE, fps(60)), Ok(Sizing::Keeps));
    }
}

#[test]
fn an_output_that_is_unplugged_is_lost_and_so_is_one_that_is_no_longer_shown() {
    let ends: [fn(&Stage); 2] =
        [|stage| stage.order(Scene::remove_output), |stage| stage.order(|scene, _| scene.stop_session())];
    for end in ends {
        let (stage, mut source) = on_stage(Format::Xrgb8888);
        settle(&mut source);
        let waiting = std::thread::spawn(move || next(&mut source, far()).err());
        end(&stage);
        let error = waiting.join().unwrap().unwrap();
        assert!(matches!(&error, SourceError::Lost { reason } if reason.contains("STAGE-1")), "{error}");
    }
}

#[test]
fn formats_that_cannot_be_streamed_are_named() {
    let (_stage, mut source) = on_stage(Format::Xrgb2101010);
    let error = next(&mut source, far()).err().unwrap();
    assert!(
        matches!(&error, SourceError::UnsupportedPixels { found } if found.contains("Xrgb2101010")),
        "{error}"
    );
}

/// As GNOME and KDE are: they let nobody take pictures by these protocols.
#[test]
fn a_compositor_that_lets_nobody_see_is_refused_and_not_chosen() {
    let stage = Stage::new(SIZE, Format::Xrgb8888, false);
    let error = WaylandSource::open(&at(&stage.socket()), SIZE, fps(60), &bounded_stop()).err();
    assert_eq!(error, Some(SourceError::MissingProtocol { protocol: "zwlr_screencopy_manager_v1" }));
    let server = XServer::xvfb("320x240x24", &[]);
    let choice = auto_at(&stage.socket(), &server.name());
    assert_eq!((choice.kind, choice.why.contains("screencopy")), (SourceKind::X11, true), "{}", choice.why);
}
