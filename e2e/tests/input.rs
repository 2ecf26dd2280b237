//! What a person does at the client, as programs at the host see it: real programs, real X servers.

#![expect(clippy::unwrap_used, reason = "a test panics where it cannot go on")]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use pf_base::Code;
use pf_e2e::{
    Attacker, ClientInstall, Host, Network, Relay, Running, until,
    x_display::XDisplay,
    x_program::{Told, XProgram},
};
use pf_media::picture::Size;
use pf_net::Plane;
use pf_proto::{
    Message,
    input::{Button, InputEvent, InputState, Key, PointerState, Position},
    session::{ClientDatagram, ClientMessage, HostMessage, Offer, SessionHello, StreamWishes},
};
use serde_json::Value;
use tempfile::TempDir;

const SIZE: Size = Size::new(640, 480);

/// By which numbers X knows the places of A and S.
const A: u8 = 38;
const S: u8 = 39;

/// A host that mirrors a display, a client that is paired with it, and a place for scripts.
struct Desk {
    display: XDisplay,
    host: Host,
    client: ClientInstall,
    directory: TempDir,
}

impl Desk {
    fn new() -> Self {
        let display = XDisplay::start(SIZE);
        let host = Host::m3().source("x11").env("DISPLAY", &display.name()).start();
        let client = ClientInstall::new("couch");
        client.pair(&host.address(), &host.pin());
        let directory = tempfile::Builder::new().prefix("pf-e2e-input-").tempdir().unwrap();
        Self { display, host, client, directory }
    }

    fn script(&self, text: &str) -> PathBuf {
        let path = self.directory.path().join("script");
        fs::write(&path, text).unwrap();
        path
    }

    /// Plays a script to its end, which must go well: the client's report.
    #[track_caller]
    fn play(&self, script: &str) -> Value {
        self.start(&self.host.address(), script).finish().expect_success()
    }

    /// Begins to play a script at the host that answers at `address`.
    fn start(&self, address: &str, script: &str) -> Running {
        let path = self.script(script);
        self.client.spawn(&["connect", address, "--headless", "--input-script", path.to_str().unwrap()])
    }

    fn set_layout(&self, layout: &str) {
        let status = Command::new("setxkbmap").args(["-display", &self.display.name(), layout]).status();
        assert!(status.expect("setxkbmap (Debian: x11-xkb-utils)").success(), "the layout {layout}");
    }
}

/// A terminal that writes what is typed in it to a file, line by line.
fn terminal(display: &XDisplay, file: &Path) -> Running {
    let line = format!("printf ready > {0}.ready; cat > {0}", file.display());
    let terminal = Running::start(Command::new("xterm").env("LC_ALL", "C.UTF-8").args([
        "-display",
        &display.name(),
        "-geometry",
        "100x40+0+0",
        "-e",
        "sh",
        "-c",
        &line,
    ]));
    let ready = file.with_file_name(format!("{}.ready", file.file_name().unwrap().to_str().unwrap()));
    until("a terminal", || fs::read(&ready).is_ok_and(|said| said == b"ready").then_some(()));
    terminal
}

/// A person types a document: by keys, as the desktop's layout has them, and what has no key as text.
#[test]
fn what_is_typed_at_the_client_stands_in_a_terminal_of_the_host() {
    let desk = Desk::new();
    for (layout, typed) in [("us", "Hello, World! yz-"), ("de", "Hello, World! zyß")] {
        desk.set_layout(layout);
        let file = desk.directory.path().join(layout);
        let _terminal = terminal(&desk.display, &file);
        desk.play(
            "at 0.2 0.2\n\
             wait 200ms\n\
             type Hello, World\n\
             key tap Shift+1\n\
             type  yz-\n\
             key tap Enter\n\
             text Grüße, 5 € für Ωmega und 漢字\n\
             key tap Enter\n",
        );
        let expected = format!("{typed}\nGrüße, 5 € für Ωmega und 漢字\n");
        until("two lines in the terminal", || {
            let written = fs::read_to_string(&file).unwrap();
            (written.lines().count() == 2).then(|| assert_eq!(written, expected, "with the layout {layout}"))
        });
    }
}

#[test]
fn pointer_buttons_and_wheels_do_what_they_did_at_the_client() {
    let desk = Desk::new();
    let mut program = XProgram::open(&desk.display);
    let report = desk.play(
        "at 1 1\n\
         click left\n\
         move -39 -79\n\
         click right\n\
         at 0.5 0.5\n\
         scroll 0 1.5\n\
         scroll 0 -1\n\
         scroll 2 0\n\
         press middle\n\
         at 0 0\n\
         release middle\n",
    );
    assert_eq!(report["keys_and_pointer"], "given");
    let buttons = program.hear("the last release", |told| {
        let buttons: Vec<(u8, bool, [i16; 2])> = told
            .iter()
            .filter_map(|told| match told {
                Told::Button { number, pressed, at } => Some((*number, *pressed, *at)),
                _ => None,
            })
            .collect();
        (buttons.last()?.0 == 2 && !buttons.last()?.1).then_some(buttons)
    });
    let tap = |number, at| [(number, true, at), (number, false, at)];
    let middle = [320, 240];
    let mut expected = [tap(1, [639, 479]), tap(3, [600, 400])].concat();
    // A notch and a half down is one; one back up is one, as the half no longer counts.
    let wheels: BTreeSet<_> =
        [tap(5, middle), tap(4, middle), tap(7, middle), tap(7, middle)].concat().into_iter().collect();
    let (before, rest) = buttons.split_at(expected.len());
    assert_eq!(before, expected);
    let (turned, dragged) = rest.split_at(rest.len() - 2);
    assert!(turned.iter().all(|turn| wheels.contains(turn)), "{turned:?}");
    assert!(turned.iter().filter(|turn| turn.0 == 7).count() == 4, "{turned:?}");
    expected = vec![(2, true, middle), (2, false, [0, 0])];
    assert_eq!(dragged, expected);
}

/// On a link that loses a fifth of everything each way: no press is lost, none stays, and every click lands where it was
/// made, though the datagrams that led there may be gone.
#[test]
fn a_lossy_link_loses_no_stroke_and_no_click() {
    const STROKES: usize = 100;
    let desk = Desk::new();
    let relay = Relay::start([127, 0, 0, 1], desk.host.socket_address());
    let mut program = XProgram::open(&desk.display);
    let places: Vec<[i16; 2]> = (0..40).map(|click| [click * 13 % 640, click * 29 % 480]).collect();
    let mut script = String::from("wait 300ms\n");
    for stroke in 0..STROKES {
        script += if stroke % 2 == 0 { "key tap A\n" } else { "key tap S\n" };
        if let Some([x, y]) = places.get(stroke) {
            let (x, y) = (f64::from(*x) / 639.0, f64::from(*y) / 479.0);
            write!(script, "at 0 0\nat {x} {y}\nclick left\n").unwrap();
        }
        script += "wait 10ms\n";
    }
    script += "wait 1h\n";
    let _client = desk.start(&relay.address(), &script);
    until("a session", || (!desk.host.sessions().is_empty()).then_some(()));
    relay.set(Network { loss: 0.2, ..Network::default() });

    let told = program.hear("every stroke", |told| {
        let strokes = told.iter().filter(|told| matches!(told, Told::Key { .. })).count();
        (strokes == 2 * STROKES).then(|| told.to_vec())
    });
    let strokes: Vec<(u8, bool)> = told
        .iter()
        .filter_map(|told| match told {
            Told::Key { keycode, pressed, .. } => Some((*keycode, *pressed)),
            _ => None,
        })
        .collect();
    let expected: Vec<(u8, bool)> =
        (0..STROKES).flat_map(|stroke| [true, false].map(|down| ([A, S][stroke % 2], down))).collect();
    assert_eq!(strokes, expected);
    let clicks: Vec<[i16; 2]> = told
        .iter()
        .filter_map(|told| match told {
            Told::Button { number: 1, pressed: true, at } => Some(*at),
            _ => None,
        })
        .collect();
    assert_eq!(clicks, places);
    assert_eq!(program.held(), (BTreeSet::new(), 0));
}

/// What ends a session.
type End<'a> = Box<dyn Fn(&mut Running) + 'a>;

/// However a client goes, the desktop is left with nothing pressed: a key that stays down repeats for ever.
#[test]
fn nothing_stays_pressed_however_a_session_ends() {
    let desk = Desk::new();
    let relay = Relay::start([127, 0, 0, 1], desk.host.socket_address());
    let mut program = XProgram::open(&desk.display);
    let ends: [(&str, End<'_>); 5] = [
        ("the client is told to end", Box::new(Running::terminate)),
        ("the client is killed", Box::new(Running::kill9)),
        ("the cable is pulled", Box::new(|_| relay.set(Network { loss: 1.0, ..Network::default() }))),
        (
            "the owner ends the session",
            Box::new(|_| {
                // That of the pulled cable is still there.
                let ids = desk.host.sessions().into_iter().map(|session| session["id"].as_u64());
                desk.host.ctl(&["end-session", &ids.max().flatten().unwrap().to_string()]);
            }),
        ),
        (
            "the device is removed",
            Box::new(|_| {
                desk.host.ctl(&["remove", &desk.client.fingerprint()[..8]]);
            }),
        ),
    ];
    for (how, end) in ends {
        relay.set(Network::default());
        let script = "at 0.5 0.5\nkey press Shift+A\npress left\nwait 1h\n";
        let mut client = desk.start(&relay.address(), script);
        until(&format!("what is held, before {how}"), || {
            let (keys, buttons) = program.held();
            (keys.len() == 2 && buttons != 0).then_some(())
        });
        end(&mut client);
        until(&format!("nothing held after {how}"), || {
            (program.held() == (BTreeSet::new(), 0)).then_some(())
        });
    }
    assert!(!program.told().is_empty());
}

/// The host itself is told to end while something is pressed on the desktop that it mirrors.
#[test]
fn a_host_that_stops_leaves_nothing_pressed() {
    let mut desk = Desk::new();
    let program = XProgram::open(&desk.display);
    let _client = desk.start(&desk.host.address(), "key press A\nwait 1h\n");
    until("a key that is down", || program.held().0.contains(&A).then_some(()));
    desk.host.terminate();
    assert_eq!(program.held(), (BTreeSet::new(), 0));
}

/// A machine on the network, or a guest of an open host, types into the owner's shell.
///
/// It says everything that input can be said by: before its hello, after it, as messages and as datagrams, and on a host
/// that does not let it in at all.
#[tokio::test(flavor = "multi_thread")]
async fn r2_neither_strangers_nor_guests_reach_the_desktop() {
    let display = XDisplay::start(SIZE);
    let mut program = XProgram::open(&display);
    let setup =
        |argument: &str| Host::m3().arg(argument).source("x11").env("DISPLAY", &display.name()).start();
    let (open, closed) = (setup("--allow-tofu"), setup("--require-pairing"));

    let stranger = Attacker::new();
    assert_eq!(stranger.enter(closed.socket_address()).await.unwrap_err(), Code::PairingRequired);
    for host in [&open, &closed] {
        say_everything_before_the_hello(&stranger, host).await;
    }

    let mut guest = stranger.enter(open.socket_address()).await.unwrap();
    let HostMessage::StreamStarted(started) = guest.hear().await else { panic!("no stream started") };
    assert_eq!((started.keys_and_pointer, started.gamepads), (Offer::PairedOnly, Offer::PairedOnly));
    for _ in 0..10 {
        for message in everything() {
            guest.say(&message).await;
        }
        for datagram in states() {
            guest.connection.send_datagram(datagram.into()).unwrap();
        }
    }
    // The host answers in order: once this is there, it has taken in all that came before.
    guest.say(&ClientMessage::ClockPing { sent: 7 }).await;
    while !matches!(guest.hear().await, HostMessage::ClockPong { ping_sent: 7, .. }) {}
    assert_eq!(program.told(), []);

    // The same, from a device that is paired, arrives: the silence above is no accident.
    let paired = Attacker::new();
    paired.pair(open.socket_address(), "couch", &open.pin()).await;
    let mut visit = paired.enter(open.socket_address()).await.unwrap();
    let HostMessage::StreamStarted(started) = visit.hear().await else { panic!("no stream started") };
    assert_eq!(started.keys_and_pointer, Offer::Given);
    for message in everything() {
        visit.say(&message).await;
    }
    program.hear("what the paired device does", |told| {
        let is_key = |told: &Told| matches!(told, Told::Key { keycode: A, .. });
        told.iter().any(is_key).then_some(())
    });
    let is_press = |told: &&Told| matches!(told, Told::Key { keycode: A, pressed: true, .. });
    assert_eq!(program.told().iter().filter(is_press).count(), 1, "what the guest said came late");
}

/// Says all of it to a host at once, with nothing before it.
async fn say_everything_before_the_hello(stranger: &Attacker, host: &Host) {
    let connection = stranger.dial(host.socket_address(), Plane::Session).await;
    for datagram in states() {
        // A host that has closed by now takes none.
        let _ = connection.send_datagram(datagram.into());
    }
    let opened = connection.open_control().await;
    let mut control: pf_net::ControlStream<ClientMessage, HostMessage> = match opened {
        Ok(control) => control,
        Err(_) => return,
    };
    for message in everything() {
        let _ = control.send(&message).await;
    }
    let hello = SessionHello {
        versions: vec![pf_proto::VERSION],
        device_name: pf_base::DeviceName::sanitise("attacker"),
        wishes: StreamWishes::default(),
    };
    let _ = control.send(&ClientMessage::Hello(hello)).await;
    // Whoever does not begin with its hello is sent away, if it was let in at all.
    pf_e2e::soon("the end", connection.closed()).await;
}

/// Every kind of message that presses something.
fn everything() -> Vec<ClientMessage> {
    let pointer = PointerState {
        number: 9,
        position: Some(Position { x: 9, y: 9 }),
        scroll_y: 1200,
        ..PointerState::default()
    };
    let key = Key::from_usage(0x07_0004).unwrap();
    let events = [
        InputEvent::Key { key, pressed: true },
        InputEvent::Key { key, pressed: false },
        InputEvent::Text("rm -rf".to_owned()),
        InputEvent::Button { button: Button::Left, pressed: true, pointer },
        InputEvent::Button { button: Button::Left, pressed: false, pointer },
        InputEvent::ReleaseAll,
    ];
    events.into_iter().map(ClientMessage::Input).collect()
}

/// Every kind of datagram that moves something.
fn states() -> Vec<Vec<u8>> {
    let places = (1..5).map(|number| PointerState {
        number: number * 100,
        position: Some(Position { x: number as u16 * 9000, y: 500 }),
        scroll_x: number.cast_signed() * 240,
        ..PointerState::default()
    });
    places.map(|place| ClientDatagram::Input(InputState::Pointer(place)).encode()).collect()
}

/// The keys, pointer and wheels of the window go to the host; and whatever takes the keyboard away from it, or closes it,
/// leaves nothing pressed there.
#[test]
fn a_window_passes_on_what_is_done_in_it_and_lets_go_when_it_is_left() {
    let desk = Desk::new();
    let screen = XDisplay::start(SIZE);
    let mut program = XProgram::open(&desk.display);
    let client = ClientInstall::new("laptop").env("DISPLAY", &screen.name());
    client.pair(&desk.host.address(), &desk.host.await_pin(2));
    let mut session = client.spawn(&["connect", &desk.host.address(), "--size", "640x480", "--sound", "off"]);
    let window = until("the client's window", || screen.window("Punktfunk"));
    screen.focus(window);

    hold(&screen, &mut program, A);
    screen.point([320, 240]);
    program.hear("the pointer", |told| told.contains(&Told::Motion([320, 240])).then_some(()));
    screen.click(1, true);
    screen.click(1, false);
    screen.click(5, true);
    screen.click(5, false);
    program.hear("a click and a notch", |told| {
        let pressed = |number| Told::Button { number, pressed: true, at: [320, 240] };
        (told.contains(&pressed(1)) && told.contains(&pressed(5))).then_some(())
    });

    assert!(program.held().0.contains(&A));
    screen.unfocus();
    until("nothing held after the focus is gone", || program.held().0.is_empty().then_some(()));
    screen.strike(A, false);

    screen.focus(window);
    hold(&screen, &mut program, S);
    screen.close(window);
    assert_eq!(session.exit(), 0);
    until("nothing held after the window is closed", || (program.held().0.is_empty()).then_some(()));
}

/// Presses a key in the window that has the keyboard, and holds it once it arrives at the host.
fn hold(screen: &XDisplay, program: &mut XProgram, key: u8) {
    await_keyboard(screen, program, key);
    screen.strike(key, true);
    until("a key that is held", || program.held().0.contains(&key).then_some(()));
}

/// Strikes a key until it arrives at the host: until the window has heard that it has the keyboard, it hears of none.
fn await_keyboard(screen: &XDisplay, program: &mut XProgram, key: u8) {
    let before = program.told().len();
    program.hear("a key of the window", |told| {
        screen.strike(key, true);
        screen.strike(key, false);
        told[before..]
            .iter()
            .any(|told| matches!(told, Told::Key { keycode, .. } if *keycode == key))
            .then_some(())
    });
}

/// A game wants motion and no places: the pointer is the host's until the chord takes it back.
#[test]
fn a_chord_gives_the_pointer_to_the_host_and_back() {
    const CHORD: [u32; 4] = [0xFFE3, 0xFFE9, 0xFFE1, 'z' as u32];
    let desk = Desk::new();
    let screen = XDisplay::start(SIZE);
    let mut program = XProgram::open(&desk.display);
    let client = ClientInstall::new("laptop").env("DISPLAY", &screen.name());
    client.pair(&desk.host.address(), &desk.host.await_pin(2));
    let _session = client.spawn(&["connect", &desk.host.address(), "--size", "640x480", "--sound", "off"]);
    let window = until("the client's window", || screen.window("Punktfunk"));
    screen.focus(window);
    screen.point([100, 100]);
    program.hear("the pointer", |told| told.contains(&Told::Motion([100, 100])).then_some(()));

    await_keyboard(&screen, &mut program, A);
    screen.press(window, &CHORD);
    until("the pointer given to the host", || screen.window("gives the pointer back"));
    let before = program.told().len();
    // From its middle beyond the window's edge, which stops the pointer and not its motion.
    for _ in 0..10 {
        screen.push([40, 0]);
    }
    program
        .hear("motion to the right", |told| told[before..].contains(&Told::Motion([500, 100])).then_some(()));

    screen.press(window, &CHORD);
    until("the pointer back", || screen.window("gives the pointer back").is_none().then_some(()));
    let strayed = program.told().iter().any(|told| matches!(told, Told::Key { types: Some('z' | 'Z'), .. }));
    assert!(!strayed, "the chord is not for the host");
    until("the chord's modifiers let go of", || program.held().0.is_empty().then_some(()));
}

/// Where there is no desktop there are no keys, and the report says so; gamepads need the kernel's help.
#[test]
fn a_client_is_told_what_it_is_not_given_and_why() {
    let host = Host::m3().start();
    let client = ClientInstall::new("couch");
    client.pair(&host.address(), &host.pin());
    let report = client.connect(&host.address()).expect_success();
    assert_eq!((&report["keys_and_pointer"], &report["gamepads"]), (&"not_here".into(), &"not_here".into()));

    let desk = Desk::new();
    let report = desk.play("key tap A\npad 0 plug\npad 0 press 0\n");
    assert_eq!(report["keys_and_pointer"], "given");
    if Path::new("/dev/uinput").exists() {
        assert_eq!(report["gamepads"], "given");
    } else {
        assert_eq!(report["gamepads"], "unavailable");
        let said = desk.host.stderr();
        assert!(said.contains("/dev/uinput") && said.contains("modprobe uinput"), "{said}");
    }
}

/// A slip in a script shows before anything is done, with its line.
#[test]
fn a_script_with_a_slip_is_refused_before_anything_is_done() {
    let desk = Desk::new();
    let mut program = XProgram::open(&desk.display);
    let outcome = desk.start(&desk.host.address(), "key tap A\nkey tap Entre\n").finish();
    let error = outcome.expect_failure(2, "usage");
    assert!(error["message"].as_str().unwrap().contains("line 2: there is no key \"Entre\""), "{error}");
    assert_eq!(program.told(), []);
}
