//! Mirroring real X servers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use pf_desktop::{
    Choice, Rows, Sizing, Source as _, SourceConfig, SourceError, SourceKind, VirtualConfig, WaylandConfig,
    X11Source, choose,
};
use pf_media::picture::Size;
use pf_media::timecode::TimeCode;
use rustix::process::Signal;
use x11rb::protocol::randr::{ConnectionExt as _, Rotation};
use x11rb::protocol::xproto::{ConfigureWindowAux, ConnectionExt as _, Window};

use support::{Client, Pixels, XServer, bounded_stop, far, fps, next, next_where, settle};

const RED: u32 = 0x00C8_1E32;
const BLUE: u32 = 0x000A_14F0;

fn mirror(server: &XServer) -> X11Source {
    X11Source::open(Some(&server.name()), fps(200), &bounded_stop()).unwrap()
}

/// Draws, and expects to find it; returns the source to look at further.
fn shows_what_is_drawn(server: &XServer, display: &str) -> X11Source {
    let client = server.client();
    client.hide_cursor();
    client.fill(RED, &[(0, 0, 640, 480)]);
    client.fill(BLUE, &[(100, 50, 20, 10)]);
    client.finish();
    let mut source = X11Source::open(Some(display), fps(200), &bounded_stop()).unwrap();
    assert_eq!(source.size(), Size::new(640, 480));
    let pixels = next(&mut source, far()).unwrap().unwrap();
    assert_eq!(pixels.size, Size::new(640, 480));
    for (x, y, colour) in
        [(0, 0, RED), (639, 479, RED), (100, 50, BLUE), (119, 59, BLUE), (99, 50, RED), (119, 60, RED)]
    {
        assert_eq!(pixels.at(x, y), colour, "at {x},{y}");
    }
    source
}

#[test]
fn a_local_display_is_mirrored_through_shared_memory() {
    let server = XServer::xvfb("640x480x24", &[]);
    assert!(shows_what_is_drawn(&server, &server.name()).is_shared());
}

#[test]
fn a_display_without_shared_memory_is_mirrored_all_the_same() {
    let server = XServer::xvfb("640x480x24", &["-extension", "MIT-SHM"]);
    assert!(!shows_what_is_drawn(&server, &server.name()).is_shared());
}

/// As with a display that ssh forwards: shared memory would be on another machine.
#[test]
fn a_display_over_tcp_is_mirrored_without_shared_memory() {
    let server = XServer::xvfb("640x480x24", &["-listen", "tcp", "-ac"]);
    let source = shows_what_is_drawn(&server, &format!("127.0.0.1:{}", server.number()));
    assert!(!source.is_shared());
}

#[test]
fn an_odd_size_is_mirrored_as_it_is() {
    let server = XServer::xvfb("641x363x24", &[]);
    let client = server.client();
    client.hide_cursor();
    client.fill(RED, &[(640, 362, 1, 1)]);
    client.finish();
    let mut source = mirror(&server);
    let pixels = next(&mut source, far()).unwrap().unwrap();
    assert_eq!(pixels.size, Size::new(641, 363));
    assert_eq!(pixels.at(640, 362), RED);
    assert_eq!(pixels.at(639, 362), 0);
}

#[test]
fn a_code_that_an_x_client_draws_is_read_from_the_picture() {
    let server = XServer::xvfb("320x180x24", &[]);
    let client = server.client();
    let code = TimeCode { frame: 77, micros: 123_456_789 };
    client.draw_code(code);
    client.finish();
    assert_eq!(next(&mut mirror(&server), far()).unwrap().unwrap().code(), Some(code));
}

/// The deadline is a day away: only the drawing itself can end the wait.
#[test]
fn drawing_wakes_a_source_that_waits() {
    let server = XServer::xvfb("320x240x24", &[]);
    let mut source = mirror(&server);
    settle(&mut source);
    let client = server.client();
    let waiting = std::thread::spawn(move || next(&mut source, far()));
    client.fill(RED, &[(10, 10, 5, 5)]);
    let pixels = waiting.join().unwrap().unwrap().unwrap();
    assert_eq!(pixels.at(12, 12), RED);
}

#[test]
fn a_screen_that_stands_still_makes_no_picture() {
    let server = XServer::xvfb("320x240x24", &[]);
    let client = server.client();
    client.set_cursor(8, [255, 255, 255]);
    client.move_pointer(20, 20);
    let mut source = mirror(&server);
    settle(&mut source);
    // Taking a picture lifts the server's own pointer off the screen and puts it back: that is no change.
    for _ in 0..5 {
        assert!(next(&mut source, Instant::now() + Duration::from_millis(20)).unwrap().is_none());
    }
}

/// Damage that is reset at the wrong moment is lost, and the last change never shows.
#[test]
fn the_last_change_always_shows() {
    const FRAMES: u32 = 1000;
    let server = XServer::xvfb("640x480x24", &[]);
    let mut source = X11Source::open(Some(&server.name()), fps(1000), &bounded_stop()).unwrap();
    let client = server.client();
    let (draw, frames) = std::sync::mpsc::channel();
    let drawing = std::thread::spawn(move || {
        for frame in frames {
            // The first change wakes the source. The second falls into another phase of its taking a picture
            // each time, from before it has begun until after it has ended.
            client.draw_code(TimeCode { frame, micros: 0 });
            let later = Instant::now() + Duration::from_micros(u64::from(frame) * 7 % 1500);
            while Instant::now() < later {
                std::hint::spin_loop();
            }
            client.fill(frame, &[(300, 170, 9, 9)]);
        }
    });
    for frame in 1..=FRAMES {
        draw.send(frame).unwrap();
        let is_shown = |pixels: &Pixels| pixels.code().is_some_and(|code| code.frame == frame);
        next_where(&mut source, |pixels| pixels.at(304, 174) == frame && is_shown(pixels));
    }
    drop(draw);
    drawing.join().unwrap();
}

/// Draws one thing of many kinds anywhere: what is drawn over, uncovered, moved and pointed at.
fn draw_anything(client: &Client, random: &mut impl FnMut(u32) -> u32, window: Window) {
    let (x, y) = (random(640) as i16, random(480) as i16);
    match random(7) {
        0 => client.fill(random(1 << 24), &[(x, y, 1, 1)]),
        1 => client.fill(random(1 << 24), &[(x, y, random(300) as u16, random(200) as u16)]),
        2 => client.move_pointer(x, y),
        3 => client.set_cursor(1 + random(30) as u16, [random(256) as u8, 99, 200]),
        4 => {
            let place = ConfigureWindowAux::new().x(i32::from(x)).y(i32::from(y)).width(1 + random(200));
            client.connection.configure_window(window, &place).unwrap().check().unwrap();
        }
        5 => _ = client.connection.map_window(window).unwrap().check(),
        _ => _ = client.connection.unmap_window(window).unwrap().check(),
    }
}

/// A picture that is put together from what changed must be the one that a fresh look at the display gives: to the
/// bit, with the pointer in it, also for whoever copies nothing but the rows that are said to have changed.
fn is_never_stale(options: &[&str]) {
    const TURNS: u32 = 40;
    let server = XServer::xvfb("640x480x24", options);
    let mut source = X11Source::open(Some(&server.name()), fps(1000), &bounded_stop()).unwrap();
    let mut copy: Vec<u8> = Vec::new();
    let (draw, turns) = std::sync::mpsc::channel::<()>();
    let (drawn, is_drawn) = std::sync::mpsc::channel();
    let client = server.client();
    let drawing = std::thread::spawn(move || {
        let mut random = support::random(7);
        let window = client.window(0x0022_8844);
        for () in turns {
            for _ in 0..40 {
                draw_anything(&client, &mut random, window);
            }
            client.finish();
            drawn.send(()).unwrap();
        }
    });
    let mut partial = 0;
    for turn in 0..TURNS {
        draw.send(()).unwrap();
        let mut is_over = false;
        // Pictures are taken while the drawing goes on, and until nothing is new any more.
        loop {
            is_over |= is_drawn.try_recv().is_ok();
            let soon = Instant::now() + Duration::from_millis(20);
            let Some(picture) = source.next_picture(soon).unwrap() else {
                if is_over {
                    break;
                }
                continue;
            };
            let (bytes, stride) = (picture.pixels.bytes(), picture.pixels.stride());
            copy.resize(bytes.len(), 0);
            for rows in picture.changed.ranges() {
                let span = rows.start as usize * stride..rows.end as usize * stride;
                copy[span.clone()].copy_from_slice(&bytes[span]);
            }
            assert!(copy == bytes, "turn {turn}: rows changed that were not said to");
            partial += u32::from(*picture.changed != Rows::all(Size::new(640, 480)));
        }
        let mut fresh = mirror(&server);
        let fresh = fresh.next_picture(far()).unwrap().unwrap();
        let differs = copy.iter().zip(fresh.pixels.bytes()).position(|(one, other)| one != other);
        assert_eq!(differs.map(|at| (at / 4 % 640, at / 4 / 640)), None, "turn {turn}: stale at");
    }
    assert!(partial > TURNS, "what is tested here did not happen: {partial}");
    drop(draw);
    drawing.join().unwrap();
}

#[test]
fn what_is_put_together_from_changes_is_never_stale() {
    is_never_stale(&[]);
}

#[test]
fn what_is_put_together_without_shared_memory_is_never_stale() {
    is_never_stale(&["-extension", "MIT-SHM"]);
}

/// A change may be reported too late for the requests of the picture, and yet be older than it: without it the
/// picture shows one window as it is and another as it was.
#[test]
fn a_picture_shows_everything_that_was_there_when_it_began() {
    const FRAMES: u32 = 2000;
    let server = XServer::xvfb("640x480x24", &[]);
    let mut source = X11Source::open(Some(&server.name()), fps(1000), &bounded_stop()).unwrap();
    let [upper, lower] = [server.client(), server.client()];
    let (report, frames) = std::sync::mpsc::channel();
    let drawing = std::thread::spawn(move || {
        for frame in 1..=FRAMES {
            upper.fill(frame, &[(0, 0, 9, 9)]);
            lower.fill(frame, &[(0, 400, 9, 9)]);
            upper.finish();
            lower.finish();
            report.send((frame, Instant::now())).unwrap();
        }
    });
    let (mut drawn, mut shown) = ((0, Instant::now()), 0);
    let mut reports = frames.into_iter().peekable();
    while shown < FRAMES {
        let pixels = next(&mut source, far()).unwrap().unwrap();
        while let Some(report) = reports.next_if(|(_, at)| *at <= pixels.captured) {
            drawn = report;
        }
        for (x, y) in [(4, 4), (4, 404)] {
            assert!(pixels.at(x, y) >= drawn.0, "at {x},{y}: {} after {}", pixels.at(x, y), drawn.0);
        }
        shown = pixels.at(4, 4).min(pixels.at(4, 404));
    }
    drawing.join().unwrap();
}

/// A mouse is moved a hundred times a second and more: no pixels of the desktop need to be fetched for that.
#[test]
fn a_pointer_that_moves_changes_the_rows_that_it_is_in() {
    let server = XServer::xvfb("320x240x24", &[]);
    let client = server.client();
    client.set_cursor(4, [200, 30, 50]);
    client.move_pointer(100, 10);
    let mut source = mirror(&server);
    settle(&mut source);
    client.move_pointer(30, 200);
    let picture = source.next_picture(far()).unwrap().unwrap();
    assert_eq!(picture.changed.ranges(), [10..14, 200..204]);
}

/// Games hold the pointer in its place: that the mouse moves is no reason to encode the same picture again.
#[test]
fn a_mouse_whose_pointer_stays_makes_no_pictures() {
    let server = XServer::xvfb("320x240x24", &[]);
    let client = server.client();
    client.move_pointer(0, 0);
    let mut source = mirror(&server);
    settle(&mut source);
    for _ in 0..5 {
        client.push_pointer(-7, -7);
        assert!(next(&mut source, Instant::now() + Duration::from_millis(20)).unwrap().is_none());
    }
    client.push_pointer(7, 7);
    next(&mut source, far()).unwrap().unwrap();
}

/// A person at that desktop would not thank for having it resized by whoever looks on.
#[test]
fn a_mirrored_desktop_keeps_its_size_and_takes_another_rate() {
    let server = XServer::xvfb("320x240x24", &[]);
    let client = server.client();
    let mut source = X11Source::open(Some(&server.name()), fps(1000), &bounded_stop()).unwrap();
    assert_eq!(source.change(Size::new(160, 120), fps(1)), Ok(Sizing::Keeps));
    for turn in 0..4 {
        client.fill(turn * 40, &[(0, 0, 9, 9)]);
        client.finish();
        let pixels = next(&mut source, Instant::now()).unwrap();
        assert_eq!(pixels.map(|pixels| pixels.size), (turn < 2).then_some(Size::new(320, 240)));
    }
}

#[test]
fn pictures_come_no_faster_than_asked_for() {
    let server = XServer::xvfb("320x240x24", &[]);
    let mut source = X11Source::open(Some(&server.name()), fps(50), &bounded_stop()).unwrap();
    let client = server.client();
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let drawing = std::thread::spawn(move || {
        let mut colour = 0;
        while is_done.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            colour += 1;
            client.fill(colour, &[(0, 0, 9, 9)]);
            client.finish();
        }
    });
    let times: Vec<_> = (0..11).map(|_| next(&mut source, far()).unwrap().unwrap().captured).collect();
    drop(done);
    drawing.join().unwrap();
    // Ten intervals of 20 ms: one picture may come early, and the others a twentieth sooner.
    assert!(times[10] - times[0] >= Duration::from_millis(9 * 19), "{times:?}");
}

/// A source that hurries through a deadline that is nearer than its next beat must not drop the change.
#[test]
fn a_change_that_is_not_due_by_the_deadline_shows_later() {
    let server = XServer::xvfb("320x240x24", &[]);
    let mut source = X11Source::open(Some(&server.name()), fps(2), &bounded_stop()).unwrap();
    let client = server.client();
    next(&mut source, far()).unwrap().unwrap();
    // Two come at once: the second of a pair shows what was drawn in two goes.
    for colour in [BLUE, RED] {
        client.fill(colour, &[(0, 0, 9, 9)]);
        client.finish();
        let soon = Instant::now();
        let pixels = next(&mut source, soon).unwrap();
        assert_eq!(pixels.map(|pixels| pixels.at(4, 4)), (colour == BLUE).then_some(BLUE));
    }
    assert_eq!(next(&mut source, far()).unwrap().unwrap().at(4, 4), RED);
}

#[test]
fn the_pointer_is_in_the_picture_and_leaves_no_trace() {
    let server = XServer::xvfb("320x240x24", &[]);
    let client = server.client();
    client.fill(BLUE, &[(0, 0, 320, 240)]);
    client.set_cursor(4, [200, 30, 50]);
    client.move_pointer(100, 100);
    let mut source = mirror(&server);
    settle(&mut source);
    // Nothing is drawn here: the motion alone wakes the source.
    client.move_pointer(30, 60);
    let pixels = next_where(&mut source, |pixels| pixels.at(31, 61) == RED);
    for (x, y, colour) in [(29, 60, BLUE), (30, 60, RED), (33, 63, RED), (34, 63, BLUE), (101, 101, BLUE)] {
        assert_eq!(pixels.at(x, y), colour, "at {x},{y}");
    }
}

#[test]
fn another_pointer_shape_makes_a_picture() {
    let server = XServer::xvfb("320x240x24", &[]);
    let client = server.client();
    client.set_cursor(4, [1, 2, 3]);
    client.move_pointer(100, 100);
    let mut source = mirror(&server);
    settle(&mut source);
    client.set_cursor(4, [200, 30, 50]);
    next_where(&mut source, |pixels| pixels.at(101, 101) == RED);
}

/// xdotool and games put the pointer somewhere without any motion event.
#[test]
fn a_warped_pointer_shows_before_the_deadline_has_passed() {
    let server = XServer::xvfb("320x240x24", &[]);
    let client = server.client();
    client.set_cursor(4, [200, 30, 50]);
    client.move_pointer(100, 100);
    let mut source = mirror(&server);
    settle(&mut source);
    client.warp_pointer(30, 60);
    let pixels = next(&mut source, Instant::now() + Duration::from_millis(20)).unwrap().unwrap();
    assert_eq!(pixels.at(31, 61), RED);
}

fn resize(client: &Client, wanted: Size) {
    let info = client.connection.randr_get_screen_info(client.root).unwrap().reply().unwrap();
    let mut sizes = info.sizes.iter().map(|size| Size::new(size.width.into(), size.height.into()));
    let index = sizes.position(|size| size == wanted).unwrap();
    let (time, config) = (info.timestamp, info.config_timestamp);
    let request = client.connection.randr_set_screen_config(
        client.root,
        time,
        config,
        index as u16,
        Rotation::ROTATE0,
        0,
    );
    request.unwrap().reply().unwrap();
}

/// Draws in the last row of a screen that has just been resized, until that shows.
///
/// Again and again, because the server may clear the screen some time after it has answered the resize.
fn shows_its_last_row(source: &mut X11Source, client: &Client, size: Size) {
    loop {
        client.fill(RED, &[(0, size.height as i16 - 1, size.width as u16, 1)]);
        client.finish();
        let soon = Instant::now() + Duration::from_millis(50);
        while let Some(pixels) = next(source, soon).unwrap() {
            if pixels.size == size && pixels.at(size.width - 1, size.height - 1) == RED {
                return;
            }
        }
    }
}

#[test]
fn a_screen_that_grows_and_shrinks_is_followed() {
    let scratch = support::scratch();
    let server = XServer::resizable(Size::new(800, 600), &scratch.path().join("vnc"));
    let client = server.client();
    client.connection.randr_query_version(1, 3).unwrap().reply().unwrap();
    let mut source = mirror(&server);
    assert_eq!(next(&mut source, far()).unwrap().unwrap().size, Size::new(800, 600));
    for size in [Size::new(1280, 720), Size::new(640, 480), Size::new(1024, 768)] {
        resize(&client, size);
        // The change alone makes a picture, with nothing drawn.
        next_where(&mut source, |pixels| pixels.size == size);
        assert_eq!(source.size(), size);
        shows_its_last_row(&mut source, &client, size);
        assert!(source.is_shared());
    }
}

/// The screen may shrink between the source's last look at it and its request for the pixels.
#[test]
fn resizing_at_any_moment_loses_no_display() {
    let scratch = support::scratch();
    let server = XServer::resizable(Size::new(800, 600), &scratch.path().join("vnc"));
    let mut source = X11Source::open(Some(&server.name()), fps(1000), &bounded_stop()).unwrap();
    let client = server.client();
    let resizing = std::thread::spawn(move || {
        client.connection.randr_query_version(1, 3).unwrap().reply().unwrap();
        for turn in 0..100 {
            resize(&client, if turn % 2 == 0 { Size::new(1280, 720) } else { Size::new(640, 480) });
            client.fill(turn, &[(0, 0, 640, 480)]);
        }
        client
    });
    while !resizing.is_finished() {
        next(&mut source, Instant::now() + Duration::from_millis(10)).unwrap();
    }
    shows_its_last_row(&mut source, &resizing.join().unwrap(), Size::new(640, 480));
}

#[test]
fn a_display_that_dies_is_lost() {
    let server = XServer::xvfb("320x240x24", &[]);
    let mut source = mirror(&server);
    settle(&mut source);
    let waiting = std::thread::spawn(move || {
        let first = next(&mut source, far());
        (first.err(), next(&mut source, far()).err())
    });
    server.signal(Signal::KILL);
    let (first, second) = waiting.join().unwrap();
    assert!(matches!(first, Some(SourceError::Lost { .. })), "{first:?}");
    assert!(matches!(second, Some(SourceError::Lost { .. })), "{second:?}");
}

#[test]
fn stopping_ends_the_wait_for_something_new() {
    let server = XServer::xvfb("320x240x24", &[]);
    let stop = bounded_stop();
    let mut source = X11Source::open(Some(&server.name()), fps(60), &stop).unwrap();
    settle(&mut source);
    let waiting = std::thread::spawn(move || next(&mut source, far()).err());
    stop.stop();
    assert_eq!(waiting.join().unwrap(), Some(SourceError::Stopped));
}

/// A session must be able to end while its X server hangs.
#[test]
fn stopping_ends_the_wait_for_a_server_that_hangs() {
    /// Less than a source itself waits for an answer (30 s), else this would prove only that.
    const LIMIT: Duration = Duration::from_secs(15);
    let server = XServer::xvfb("320x240x24", &[]);
    let stop = bounded_stop();
    let mut source = X11Source::open(Some(&server.name()), fps(60), &stop).unwrap();
    server.signal(Signal::STOP);
    let (ended, ends) = std::sync::mpsc::channel();
    std::thread::spawn({
        let (display, stop, ended) = (server.name(), stop.clone(), ended.clone());
        move || ended.send(X11Source::open(Some(&display), fps(60), &stop).err())
    });
    // The first picture is always due: this waits for the server's answer.
    std::thread::spawn(move || ended.send(next(&mut source, far()).err()));
    stop.stop();
    for _ in 0..2 {
        assert_eq!(ends.recv_timeout(LIMIT).unwrap(), Some(SourceError::Stopped));
    }
}

#[test]
fn other_pixels_than_ours_are_refused() {
    let server = XServer::xvfb("320x240x16", &[]);
    let error = X11Source::open(Some(&server.name()), fps(60), &bounded_stop()).err().unwrap();
    assert!(
        matches!(&error, SourceError::UnsupportedPixels { found } if found.contains("16 bits")),
        "{error}"
    );
}

#[test]
fn a_display_without_damage_is_refused() {
    let server = XServer::xvfb("320x240x24", &["-extension", "DAMAGE"]);
    let error = X11Source::open(Some(&server.name()), fps(60), &bounded_stop()).err();
    assert_eq!(error, Some(SourceError::MissingExtension { extension: "DAMAGE" }));
}

#[test]
fn a_desktop_beyond_what_can_be_streamed_is_refused() {
    let server = XServer::xvfb("4100x64x24", &[]);
    let error = X11Source::open(Some(&server.name()), fps(60), &bounded_stop()).err();
    assert_eq!(error, Some(SourceError::UnstreamableSize { size: Size::new(4100, 64) }));
}

#[test]
fn a_display_that_is_not_there_has_a_cause_and_a_way_on() {
    let number = {
        let server = XServer::xvfb("320x240x24", &[]);
        server.number()
    };
    // A TCP address is tried after the socket: name one where nobody listens.
    let display = format!("unix:{number}");
    let error = X11Source::open(Some(&display), fps(60), &bounded_stop()).err().unwrap();
    assert!(matches!(&error, SourceError::NoDisplay { display: named, .. } if *named == display), "{error}");
    assert!(error.way_on().contains("DISPLAY"));
}

fn auto(display: &str, server: &str) -> Choice {
    let config = SourceConfig {
        kind: SourceKind::Auto,
        size: Size::new(320, 240),
        fps: fps(60),
        display: Some(display.to_owned()),
        wayland: WaylandConfig { display: Some("/no/such/compositor".into()), output: None },
        virtual_display: VirtualConfig { server: server.into(), ..VirtualConfig::default() },
    };
    choose(&config, &bounded_stop())
}

#[test]
fn auto_takes_a_display_that_answers_then_a_virtual_one_then_none() {
    let usable = XServer::xvfb("320x240x24", &[]);
    let choice = auto(&usable.name(), "Xvfb");
    assert_eq!((choice.kind, choice.why.contains(&usable.name())), (SourceKind::X11, true));

    let unusable = XServer::xvfb("320x240x16", &[]);
    let choice = auto(&unusable.name(), "Xvfb");
    assert_eq!((choice.kind, choice.why.contains("16 bits")), (SourceKind::Virtual, true), "{}", choice.why);

    for missing in ["no-such-x-server", "/no/such/Xvfb"] {
        let choice = auto(&unusable.name(), missing);
        assert_eq!((choice.kind, choice.why.contains(missing)), (SourceKind::Synthetic, true));
    }
}
