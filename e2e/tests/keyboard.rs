//! Whose the desktop's own keys are: a real window on a real X server, whose window manager takes Alt+Tab, Alt+F4 and Super
//! for itself, and a real program at the host.

#![expect(clippy::unwrap_used, reason = "a test panics where it cannot go on")]

use std::{collections::BTreeSet, fs};

use pf_e2e::{
    ClientInstall, Host, Running, Sway, WindowManager, until,
    x_display::{GrabWatch, TopLevel, XDisplay},
    x_program::{Told, XProgram},
};
use pf_media::picture::Size;

/// By which numbers X knows the places of keys.
const ESCAPE: u8 = 9;
const TAB: u8 = 23;
const Q: u8 = 24;
const CTRL: u8 = 37;
const A: u8 = 38;
const S: u8 = 39;
const SHIFT: u8 = 50;
const Z: u8 = 52;
const X: u8 = 53;
const M: u8 = 58;
const ALT: u8 = 64;
const F4: u8 = 70;
const PRINT: u8 = 107;
const RIGHT: u8 = 114;
const SUPER: u8 = 133;

/// Keys that a desktop keeps for itself.
const DESKTOP_KEYS: [&[u8]; 6] =
    [&[ALT, F4], &[ALT, TAB], &[SUPER], &[CTRL, ALT, RIGHT], &[PRINT], &[SUPER, A]];

/// A person's desktop with a window manager and two windows: a session's, and a neighbour.
struct Seat {
    host: Host,
    /// What has the keyboard at the host.
    program: XProgram,
    screen: XDisplay,
    _manager: WindowManager,
    neighbour: XProgram,
    neighbours_window: TopLevel,
    session: Running,
    window: TopLevel,
    grabs: GrabWatch,
    _client: ClientInstall,
    _desktop: XDisplay,
}

impl Seat {
    /// With a session in a window of `connect`, which has the focus.
    fn connected(options: &[&str]) -> Self {
        Self::with(|client, host| {
            let address = host.address();
            let line = ["connect", &address, "--size", "640x480", "--sound", "off"];
            client.spawn(&[&line, options].concat())
        })
    }

    /// With a session in the app, which has the focus, and whose settings are `settings`.
    fn in_the_app(settings: &str) -> Self {
        let seat = Self::with(|client, _| {
            client.write_settings(&format!("sound = \"off\"\n{settings}\n"));
            client.spawn(&["open", "punktfunk://connect/desk"])
        });
        until("a picture", || seat.screen.window_called("desk – Punktfunk"));
        seat
    }

    fn with(start: impl FnOnce(&ClientInstall, &Host) -> Running) -> Self {
        let (desktop, host, program) = desk();
        let screen = XDisplay::start(Size::new(1600, 900));
        let client = ClientInstall::new("couch").env("DISPLAY", &screen.name());
        client.pair(&host.address(), &host.pin());
        let manager = WindowManager::start(&screen);
        let neighbour = XProgram::beside_others(&screen, "neighbour", Size::new(200, 150));
        let neighbours_window = until("a neighbour", || screen.window_called("neighbour"));
        // Until the focus was seen nobody gets the keyboard, so that no grab is missed.
        let held = screen.hold_keyboard();
        let session = start(&client, &host);
        let window = until("the client's window", || screen.window("Punktfunk"));
        until("the focus", || screen.has_focus(window).then_some(()));
        let grabs = screen.watch_grabs(window);
        drop(held);
        Self {
            host,
            program,
            screen,
            _manager: manager,
            neighbour,
            neighbours_window,
            session,
            window,
            grabs,
            _client: client,
            _desktop: desktop,
        }
    }

    /// Waits until the session has the keyboard to itself.
    fn await_grab(&mut self) {
        until("a grab", || self.grabs.is_grabbed().then_some(()));
    }

    /// Waits until it has not.
    fn await_release(&mut self) {
        until("the grab's end", || (!self.grabs.is_grabbed()).then_some(()));
    }

    /// Presses keys in this order, and lets go of them in the other.
    fn strike(&self, keys: &[u8]) {
        for key in keys {
            self.screen.strike(*key, true);
        }
        for key in keys.iter().rev() {
            self.screen.strike(*key, false);
        }
    }

    /// Strikes a key until it arrives at the host: then the session hears the keyboard. What was struck before has arrived,
    /// too, or never will.
    fn await_keyboard(&mut self) {
        let before = self.program.told().len();
        let screen = &self.screen;
        self.program.hear("a key at the host", |told| {
            screen.strike(A, true);
            screen.strike(A, false);
            strokes(&told[before..]).contains(&(A, false)).then_some(())
        });
        self.strike(&[S]);
        self.program.hear("another key", |told| strokes(&told[before..]).contains(&(S, false)).then_some(()));
    }

    /// Strikes keys, all of which the host must get, and nothing else.
    #[track_caller]
    fn strike_for_the_host(&mut self, keys: &[u8]) {
        let before = self.program.told().len();
        self.strike(keys);
        let presses = keys.iter().map(|key| (*key, true));
        let expected: Vec<_> = presses.chain(keys.iter().rev().map(|key| (*key, false))).collect();
        let told = self.program.hear("all keys at the host", |told| {
            let strokes = strokes(&told[before..]);
            (strokes.len() >= expected.len()).then_some(strokes)
        });
        assert_eq!(told, expected);
    }

    /// Has the neighbour focused by its window manager, by Alt+Tab.
    fn switch_away(&self) {
        self.strike(&[ALT, TAB]);
        until("the neighbour's focus", || self.screen.has_focus(self.neighbours_window).then_some(()));
    }

    fn switch_back(&self) {
        self.strike(&[ALT, TAB]);
        until("the session's focus", || self.screen.has_focus(self.window).then_some(()));
    }

    /// Waits until the window manager has done what it was told before.
    fn await_manager(&self) {
        let Size { width, height } = self.screen.size_of(self.neighbours_window);
        let size = Size::new(width + 1, height);
        self.screen.resize(self.neighbours_window, size);
        let is_resized = || self.screen.size_of(self.neighbours_window) == size;
        until("another size of the neighbour", || is_resized().then_some(()));
    }

    fn await_nothing_held(&self) {
        let held = || self.program.held().0;
        until("nothing held at the host", || held().is_empty().then_some(()));
    }

    /// The keys that the host was told of since `before`.
    fn heard_at_the_host(&mut self, before: usize) -> BTreeSet<u8> {
        strokes(&self.program.told()[before..]).into_iter().map(|(key, _)| key).collect()
    }
}

/// A display, the host that mirrors it, and what has the keyboard there.
fn desk() -> (XDisplay, Host, XProgram) {
    let desktop = XDisplay::start(Size::new(640, 480));
    let host = Host::m3().source("x11").env("DISPLAY", &desktop.name()).start();
    let program = XProgram::open(&desktop);
    (desktop, host, program)
}

/// The keys among what a program was told, and whether they went down.
fn strokes(told: &[Told]) -> Vec<(u8, bool)> {
    let stroke = |told: &Told| match told {
        Told::Key { keycode, pressed, .. } => Some((*keycode, *pressed)),
        _ => None,
    };
    told.iter().filter_map(stroke).collect()
}

/// Alt+F4 closes the program at the host, and not the window that shows it.
#[test]
fn while_the_keyboard_is_grabbed_the_desktops_keys_go_to_the_host_and_do_nothing_here() {
    let mut seat = Seat::connected(&["--grab-keyboard", "always"]);
    seat.await_grab();
    seat.await_keyboard();
    let visible = seat.screen.visible_windows();
    for keys in DESKTOP_KEYS {
        seat.strike_for_the_host(keys);
    }
    seat.await_manager();
    // It gets this after all that the window manager may have told it.
    seat.strike_for_the_host(&[A]);
    assert!(seat.screen.has_focus(seat.window) && seat.session.is_running());
    assert_eq!(seat.screen.visible_windows(), visible, "no menu");
    seat.await_nothing_held();
    assert!(seat.grabs.is_grabbed());
}

/// Who wants their own desktop's keys has them.
#[test]
fn with_never_the_desktop_keeps_its_keys() {
    let mut seat = Seat::connected(&["--grab-keyboard", "never", "--fullscreen"]);
    seat.await_keyboard();
    let visible = seat.screen.visible_windows();
    let before = seat.program.told().len();
    seat.switch_away();
    seat.switch_back();
    until("no list of windows", || (seat.screen.visible_windows() == visible).then_some(()));
    seat.strike(&[SUPER]);
    until("the desktop's menu", || (seat.screen.visible_windows() > visible).then_some(()));
    seat.strike(&[ESCAPE]);
    until("no menu", || (seat.screen.visible_windows() == visible).then_some(()));
    seat.strike(&[ALT, F4]);
    assert_eq!(seat.session.exit(), 0);
    let heard = seat.heard_at_the_host(before);
    assert!([TAB, F4, ESCAPE].iter().all(|key| !heard.contains(key)), "{heard:?}");
    seat.await_nothing_held();
}

/// By default they go to the host in full screen, and are the desktop's in a window. The chord that changes between these
/// works in both, and takes nothing else along: what was given to the host stays given.
#[test]
fn by_default_the_desktops_keys_are_the_hosts_in_full_screen_alone() {
    let mut seat = Seat::connected(&["--fullscreen"]);
    seat.await_grab();
    seat.await_keyboard();
    seat.strike_for_the_host(&[ALT, TAB]);
    seat.strike(&[CTRL, ALT, SHIFT, Z]);
    until("the pointer given to the host", || seat.screen.window("gives the pointer back"));

    let full = seat.screen.size_of(seat.window);
    seat.strike(&[CTRL, ALT, SHIFT, X]);
    until("a smaller window", || (seat.screen.size_of(seat.window) != full).then_some(()));
    seat.await_release();
    seat.await_keyboard();
    assert!(seat.screen.window("gives the pointer back").is_some(), "the focus was there all the time");
    seat.await_nothing_held();
    let before = seat.program.told().len();
    seat.switch_away();
    seat.switch_back();
    assert!(!seat.heard_at_the_host(before).contains(&TAB));

    seat.await_keyboard();
    seat.strike(&[CTRL, ALT, SHIFT, X]);
    seat.await_grab();
    seat.await_keyboard();
    seat.strike_for_the_host(&[ALT, TAB]);
}

/// Where a person clicks, they type. A key that is held meanwhile stays down nowhere.
#[test]
fn a_click_on_another_window_ends_the_grab_and_leaves_nothing_pressed() {
    let mut seat = Seat::connected(&["--grab-keyboard", "always"]);
    seat.await_grab();
    seat.await_keyboard();
    seat.screen.strike(SUPER, true);
    until("a held key at the host", || seat.program.held().0.contains(&SUPER).then_some(()));
    seat.screen.click_on(seat.neighbours_window);
    seat.await_release();
    seat.await_nothing_held();
    seat.screen.strike(SUPER, false);

    let before = seat.program.told().len();
    seat.strike(&[A]);
    seat.neighbour.hear("a key of the neighbour", |told| strokes(told).contains(&(A, false)).then_some(()));
    assert_eq!(seat.neighbour.held().0, BTreeSet::new(), "nothing is down on this desktop either");

    // By keys that the window manager has again; which it has to itself until the last of them is up.
    seat.switch_back();
    seat.await_grab();
    assert!(!seat.heard_at_the_host(before).contains(&A));
    seat.await_keyboard();
    seat.strike_for_the_host(&[ALT, F4]);
}

/// A window manager may give the focus away before it gives the keyboard back, as at the end of an Alt+Tab.
#[test]
fn what_another_program_still_has_is_taken_once_that_gives_it_back() {
    let mut seat = Seat::connected(&["--grab-keyboard", "always"]);
    seat.await_grab();
    seat.screen.click_on(seat.neighbours_window);
    seat.await_release();
    let held = seat.screen.hold_keyboard();
    seat.screen.focus(seat.window);
    let is_motion = |told: &&Told| matches!(told, Told::Motion(_));
    let before = seat.program.told().iter().filter(is_motion).count();
    seat.screen.click_on(seat.window);
    seat.program.hear("the pointer", |told| (told.iter().filter(is_motion).count() > before).then_some(()));
    // Where the pointer is, a server tells of the keyboard's return as of a focus.
    seat.screen.point([1590, 10]);
    drop(held);
    seat.await_grab();
}

/// A focus that goes by the pointer is gone without a word when that leaves: what is taken then would never be given back.
#[test]
fn nothing_is_taken_where_the_focus_goes_by_the_pointer() {
    let mut seat = Seat::connected(&["--grab-keyboard", "always"]);
    seat.await_grab();
    seat.screen.click_on(seat.window);
    seat.screen.focus_by_pointer();
    seat.await_release();
    seat.await_keyboard();
    assert!(!seat.screen.has_focus(seat.window), "the keys come by the pointer");
    assert!(!seat.grabs.is_grabbed());
}

/// A program that is gone keeps no keyboard.
#[test]
fn a_killed_client_gives_the_keyboard_back() {
    let mut seat = Seat::connected(&["--grab-keyboard", "always"]);
    seat.await_grab();
    seat.await_keyboard();
    seat.screen.strike(SUPER, true);
    until("a held key at the host", || seat.program.held().0.contains(&SUPER).then_some(()));
    seat.session.kill9();
    until("the grab's end", || seat.screen.is_keyboard_free().then_some(()));
    seat.screen.strike(SUPER, false);
    seat.await_nothing_held();
    assert_eq!(seat.neighbour.held().0, BTreeSet::new());
}

/// Leaving by the chord is leaving: the window closes, though the host has all keys.
#[test]
fn the_chord_leaves_while_the_keyboard_is_grabbed() {
    let mut seat = Seat::connected(&["--grab-keyboard", "always"]);
    seat.await_grab();
    seat.await_keyboard();
    seat.strike(&[CTRL, ALT, SHIFT, Q]);
    assert_eq!(seat.session.exit(), 0);
    assert!(seat.screen.is_keyboard_free());
    seat.await_nothing_held();
}

/// The app's menu is for the person before it, and so is the keyboard while it is open; a lost session keeps none.
#[test]
fn the_apps_menu_and_a_lost_session_give_the_keyboard_back() {
    let mut seat = Seat::in_the_app("grab_keyboard = \"always\"");
    seat.await_grab();
    seat.await_keyboard();
    seat.strike_for_the_host(&[ALT, TAB]);

    seat.strike(&[CTRL, ALT, SHIFT, M]);
    seat.await_release();
    seat.await_nothing_held();
    seat.switch_away();
    seat.switch_back();
    seat.await_manager();
    assert!(!seat.grabs.is_grabbed(), "the menu is still open");
    until("a menu that is closed", || {
        seat.strike(&[ESCAPE]);
        seat.grabs.is_grabbed().then_some(())
    });
    seat.await_keyboard();
    seat.strike_for_the_host(&[ALT, F4]);

    seat.host.kill9();
    until("a lost session", || seat.screen.window_called("Reconnecting to desk – Punktfunk"));
    seat.await_release();
    seat.switch_away();
}

/// A person's Wayland desktop with a session's window, and another host of it, by which keys are struck there.
struct WaylandSeat {
    program: XProgram,
    sway: Sway,
    hands: Host,
    client: ClientInstall,
    _session: Running,
    /// One more of the other host, so that the desktop has a keyboard all the time.
    _keyboard: Running,
    _host: Host,
    _desktop: XDisplay,
}

impl WaylandSeat {
    fn connected(options: &[&str]) -> Self {
        let (desktop, host, program) = desk();
        let sway = Sway::start(&[("Mod1+Tab", "switched"), ("--inhibited Mod4+b", "inhibited")]);
        let hands = Host::m3().source("wayland").env("WAYLAND_DISPLAY", &sway.name()).start();
        let client = ClientInstall::new("couch").env("WAYLAND_DISPLAY", &sway.name());
        client.pair(&host.address(), &host.pin());
        client.pair(&hands.address(), &hands.pin());
        let keyboard = client.spawn(&["connect", &hands.address(), "--headless"]);
        hands.await_session_of(&client.fingerprint());
        let address = host.address();
        let line = ["connect", &address, "--size", "640x480", "--sound", "off"];
        let session = client.spawn(&[&line, options].concat());
        until("the focus", || sway.has_focused("Punktfunk").then_some(()));
        Self {
            program,
            sway,
            hands,
            client,
            _session: session,
            _keyboard: keyboard,
            _host: host,
            _desktop: desktop,
        }
    }

    /// Strikes each of these keys at the desktop.
    fn strike(&self, keys: &[&str]) {
        let file = self.client.file("script");
        let lines = keys.iter().map(|keys| format!("key tap {keys}\n"));
        fs::write(&file, lines.collect::<String>()).unwrap();
        let (address, file) = (self.hands.address(), file.to_str().unwrap());
        self.client.run(&["connect", &address, "--headless", "--input-script", file]).expect_success();
    }

    fn count_at_the_host(&mut self, key: u8) -> usize {
        strokes(self.program.told()).iter().filter(|stroke| **stroke == (key, true)).count()
    }
}

/// A compositor that lets its shortcuts be inhibited does so while the session has the keyboard, and no longer.
#[test]
fn a_wayland_desktops_keys_go_to_the_host_while_its_picture_has_the_keyboard() {
    let mut seat = WaylandSeat::connected(&["--fullscreen"]);
    until("Alt+Tab at the host", || {
        seat.strike(&["Alt+Tab"]);
        (seat.count_at_the_host(TAB) > 0).then_some(())
    });
    seat.sway.forget("switched");
    let before = seat.count_at_the_host(TAB);
    // The second is sway's own whatever is inhibited: once it was noted, the first would have been.
    seat.strike(&["Alt+Tab", "Super+B"]);
    until("sway's own keys", || seat.sway.has_noted("inhibited").then_some(()));
    assert!(!seat.sway.has_noted("switched"));
    until("Alt+Tab at the host", || (seat.count_at_the_host(TAB) == before + 1).then_some(()));

    seat.strike(&["Ctrl+Alt+Shift+X"]);
    until("a switch by sway", || {
        seat.strike(&["Alt+Tab"]);
        seat.sway.has_noted("switched").then_some(())
    });
    seat.sway.forget("switched");
    let (tabs, others) = (seat.count_at_the_host(TAB), seat.count_at_the_host(S));
    seat.strike(&["Alt+Tab", "S"]);
    until("a key that is nobody else's", || (seat.count_at_the_host(S) > others).then_some(()));
    assert_eq!(seat.count_at_the_host(TAB), tabs);
    until("a switch by sway", || seat.sway.has_noted("switched").then_some(()));
    until("nothing held", || seat.program.held().0.is_empty().then_some(()));
}
