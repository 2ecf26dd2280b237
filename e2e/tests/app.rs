//! The desktop app: the real program in a window of a real X server, used by keyboard alone, against real hosts.
//!
//! A page is known by the window's title, a picture by the time code in it, and trust by what the client's commands say
//! once the app is closed.

use std::{fs, path::Path, process::Command, thread};

use pf_e2e::{
    ClientInstall, Host, Lan, Machine, Running, another_pin, until,
    x_display::{TopLevel, XDisplay},
    x_program::{Told, XProgram},
};
use pf_media::picture::Size;

/// The screen that the app is on: its window fits, and the picture is not scaled.
const SCREEN: Size = Size::new(1280, 800);

/// A part of the window at its left side, where the grid's first host is and nothing else.
const GRID: Part = Part { x: 30, y: 100, width: 150, height: 100 };

struct Part {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

const TAB: u32 = 0xFF09;
const ENTER: u32 = 0xFF0D;
const ESCAPE: u32 = 0xFF1B;
const SHIFT: u32 = 0xFFE1;
const CONTROL: u32 = 0xFFE3;

/// The app on a screen of its own.
struct App {
    screen: XDisplay,
    program: Running,
}

impl App {
    /// Starts the app of an install, and waits for its grid of hosts.
    fn of(client: &ClientInstall) -> Self {
        Self::start(|variables| client.spawn_app(variables))
    }

    /// The app on another machine of a network. Its screen is on this one: the number of an X server's display is the
    /// whole machine's, and one that starts in a network of its own takes another's.
    fn of_machine(client: &ClientInstall, machine: &Machine) -> Self {
        Self::start(|variables| machine.run(|| client.spawn_app(variables)))
    }

    fn start(spawn: impl FnOnce(&[(&str, String)]) -> Running) -> Self {
        let screen = XDisplay::start(SCREEN);
        let program = spawn(&[("DISPLAY", screen.name())]);
        let app = Self { screen, program };
        app.await_page("Punktfunk");
        app
    }

    /// Waits until the window is called so.
    fn await_page(&self, title: &str) -> TopLevel {
        until(&format!("a window called {title:?}"), || self.screen.window_called(title))
    }

    fn press(&self, keys: &[u32]) {
        let window = until("the app's window", || self.screen.window("Punktfunk"));
        self.screen.press(window, keys);
    }

    fn types(&self, text: &str) {
        for letter in text.chars() {
            match letter {
                ':' => self.press(&[SHIFT, u32::from(':')]),
                letter => self.press(&[u32::from(letter)]),
            }
        }
    }

    /// Names a host by hand, as its person does who knows where it is.
    fn add(&self, host: &Host) {
        self.press(&[TAB]);
        self.press(&[ENTER]);
        self.await_page("Add a host – Punktfunk");
        self.types(&named(host));
        self.press(&[ENTER]);
    }

    /// Waits for a host in the grid: without one, there is nothing at its left side.
    fn await_host(&self) {
        until("a host in the grid", || {
            let (size, pixels) = self.screen.greens(self.screen.window_called("Punktfunk")?);
            let rows = pixels.chunks_exact(size.width as usize).skip(GRID.y).take(GRID.height);
            let mut left = rows.flat_map(|row| &row[GRID.x..GRID.x + GRID.width]);
            let first = left.next()?;
            left.any(|pixel| pixel != first).then_some(())
        });
    }

    /// Activates the first host of the grid.
    fn visit_first(&self) {
        for _ in 0..3 {
            self.press(&[TAB]);
        }
        self.press(&[ENTER]);
    }

    /// Waits for pictures of the host that was named so, which go on.
    fn await_pictures(&self, host: &str) -> TopLevel {
        let window = self.await_page(&format!("{host} – Punktfunk"));
        let first = until("a time code", || self.screen.read_time_code(window)).frame;
        until("a later time code", || self.screen.read_time_code(window).filter(|code| code.frame > first));
        window
    }

    /// Closes the window, as its title bar does; the program must end well.
    fn close(mut self) {
        let window = until("the app's window", || self.screen.window("Punktfunk"));
        self.screen.close(window);
        assert_eq!(self.program.exit(), 0, "{}", self.program.stderr());
    }
}

impl Drop for App {
    /// Of a test that fails, the screen is kept.
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        let Some(window) = self.screen.window("Punktfunk") else { return };
        let (size, greens) = self.screen.greens(window);
        let name = thread::current().name().unwrap_or("app").to_owned();
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name).with_extension("pgm");
        let picture = [format!("P5 {} {} 255\n", size.width, size.height).into_bytes(), greens].concat();
        match fs::write(&file, picture) {
            Ok(()) => eprintln!("its window: {}", file.display()),
            Err(error) => eprintln!("its window cannot be kept: {error}"),
        }
    }
}

/// R4: by PIN through the window alone; and from then on with one activation, by the pin that it left.
#[test]
fn r4_a_host_is_paired_by_pin_in_the_window_and_reconnects_with_one_activation() {
    let host = Host::serve().start();
    let pin = host.arm(&[]);
    let client = ClientInstall::new("couch");
    let app = App::of(&client);
    app.add(&host);
    app.await_page(&format!("Pair with {} – Punktfunk", named(&host)));
    app.types(&pin);
    app.press(&[ENTER]);
    app.await_pictures(&named(&host));
    app.close();
    assert_eq!(client.state_of(host.fingerprint()).as_deref(), Some("paired"));

    let app = App::of(&client);
    app.visit_first();
    app.await_pictures("desk");
    app.close();
}

/// R4: a wrong PIN is no success: it pairs nothing on either side, is spent, and leaves its person on the page.
#[test]
fn r4_a_wrong_pin_in_the_window_pairs_nothing() {
    let host = Host::serve().start();
    let wrong = another_pin(&host.arm(&[]));
    let client = ClientInstall::new("couch");
    let app = App::of(&client);
    app.add(&host);
    let page = format!("Pair with {} – Punktfunk", named(&host));
    app.await_page(&page);
    app.types(&wrong);
    app.press(&[ENTER]);
    until("a spent PIN", || host.events().iter().any(|event| event.contains("wrong")).then_some(()));
    app.await_page(&page);
    app.close();
    assert!(host.devices().is_empty());
    assert!(!client.has_pin());
}

/// R4: who mistyped, or read the wrong screen, pairs with the next PIN on the same page: nothing has to be started again.
#[test]
fn r4_after_a_wrong_pin_the_next_one_pairs_on_the_same_page() {
    let host = Host::serve().start();
    let wrong = another_pin(&host.arm(&[]));
    let client = ClientInstall::new("couch");
    let app = App::of(&client);
    app.add(&host);
    app.await_page(&format!("Pair with {} – Punktfunk", named(&host)));
    app.types(&wrong);
    app.press(&[ENTER]);
    until("a spent PIN", || host.events().iter().any(|event| event.contains("wrong")).then_some(()));
    app.await_page(&format!("Pair with {} – Punktfunk", named(&host)));
    let right = host.arm(&[]);
    until("a host that takes tries", || (host.ctl(&["status"])["window"]["opens_in_s"] == 0).then_some(()));
    app.types(&right);
    app.press(&[ENTER]);
    app.await_pictures(&named(&host));
    app.close();
    assert_eq!(client.state_of(host.fingerprint()).as_deref(), Some("paired"));
}

/// R6: a host that was found on the network and lets guests in is trusted by a second, named step; Enter alone leads back to
/// the PIN, and is not that step.
#[test]
fn r6_an_open_host_that_was_found_is_trusted_on_first_use_by_a_step_of_its_own() {
    let lan = Lan::new();
    let [host_machine, client_machine] = [1, 2].map(|last| lan.machine(last));
    let host = host_machine.run(|| Host::m3().advertised_as("den").arg("--allow-tofu").start());
    let client = ClientInstall::new("couch");
    let app = App::of_machine(&client, &client_machine);
    app.await_host();
    app.visit_first();
    for step in [&[ENTER][..], &[TAB, ENTER]] {
        app.await_page("Pair with den – Punktfunk");
        assert_eq!(client.state_of(host.fingerprint()), None, "a look is no trust");
        // Past the field and *Cancel*, to the weaker way.
        for key in [TAB, TAB, ENTER] {
            app.press(&[key]);
        }
        app.await_page("Trust den on first use? – Punktfunk");
        for key in step {
            app.press(&[*key]);
        }
    }
    app.await_pictures("den");
    app.close();
    assert_eq!(client.state_of(host.fingerprint()).as_deref(), Some("first_use"));
    assert_eq!(host.count_events("admitted_as_guest"), 1);
}

/// R3: *Forget* is no way around the PIN, also where the host lets anyone in.
#[test]
fn r3_a_forgotten_host_comes_back_by_its_pin_alone() {
    let host = Host::m3().arg("--allow-tofu").start();
    let client = ClientInstall::new("couch");
    client.pair(&host.address(), &host.pin());
    client.run(&["forget", host.fingerprint()]).expect_success();
    let app = App::of(&client);
    app.visit_first();
    app.await_page("Pair with desk – Punktfunk");
    app.press(&[ENTER]);
    app.await_page("Pair with desk – Punktfunk");
    assert_eq!(client.state_of(host.fingerprint()).as_deref(), Some("forgotten"));
    app.types(&host.await_pin(2));
    app.press(&[ENTER]);
    app.await_pictures("desk");
    app.close();
    assert_eq!(client.state_of(host.fingerprint()).as_deref(), Some("paired"));
}

/// R5: the owner's yes leads to the picture without another key; the no says so.
#[test]
fn r5_asking_in_the_window_waits_and_goes_on_by_itself() {
    let host = Host::serve().start();
    let client = ClientInstall::new("couch");
    let app = App::of(&client);
    for answer in ["deny", "approve"] {
        app.add(&host);
        app.await_page(&format!("Pair with {} – Punktfunk", named(&host)));
        // Past the field, and *Cancel*: *Pair with PIN* cannot be pressed without one.
        app.press(&[TAB]);
        app.press(&[TAB]);
        app.press(&[ENTER]);
        app.await_page(&format!("Waiting for the owner of {} – Punktfunk", named(&host)));
        let request = host.await_request("a request", |request| request["name"] == "couch");
        host.ctl(&[answer, &request["id"].to_string()]);
        if answer == "deny" {
            app.await_page(&format!("Not connected to {} – Punktfunk", named(&host)));
            app.press(&[ESCAPE]);
            app.await_page("Punktfunk");
        }
    }
    app.await_pictures(&named(&host));
    app.close();
    assert_eq!(client.state_of(host.fingerprint()).as_deref(), Some("approved"));
}

/// R3: another machine answers in the host's place. Enter, out of habit, leads nowhere, and the pin stays.
#[test]
fn r3_an_impostor_in_the_hosts_place_is_an_alarm_in_the_window() {
    let host = Host::m3().start();
    let client = ClientInstall::new("couch");
    client.pair(&host.address(), &host.pin());
    let old = host.fingerprint().to_owned();
    let impostor = host.into_setup().installed_anew().start();
    let app = App::of(&client);
    app.visit_first();
    app.await_page("STOP: desk has changed – Punktfunk");
    app.press(&[ENTER]);
    app.await_page("Punktfunk");
    app.close();
    assert_eq!(client.state_of(&old).as_deref(), Some("paired"));
    assert_eq!(client.state_of(impostor.fingerprint()), None);
}

/// R3: the host was installed anew, and its owner stands before both: the alarm leads to the PIN of the new one, and nothing
/// else does.
#[test]
fn r3_the_way_on_from_the_alarm_is_the_pin_of_the_new_identity() {
    let host = Host::m3().start();
    let client = ClientInstall::new("couch");
    client.pair(&host.address(), &host.pin());
    let anew = host.into_setup().installed_anew().start();
    let app = App::of(&client);
    app.visit_first();
    app.await_page("STOP: desk has changed – Punktfunk");
    app.press(&[TAB]);
    app.press(&[ENTER]);
    app.await_page("Pair with desk – Punktfunk");
    assert_eq!(client.state_of(anew.fingerprint()), None);
    app.types(&anew.pin());
    app.press(&[ENTER]);
    app.await_pictures("desk");
    app.close();
    assert_eq!(client.state_of(anew.fingerprint()).as_deref(), Some("paired"));
}

/// R3: a host that was found and requires pairing is asked where an open one would be trusted on first use.
#[test]
fn r3_a_host_that_was_found_and_requires_pairing_is_asked() {
    let lan = Lan::new();
    let [host_machine, client_machine] = [1, 2].map(|last| lan.machine(last));
    let host = host_machine.run(|| Host::serve().advertised_as("den").start());
    let client = ClientInstall::new("couch");
    let app = App::of_machine(&client, &client_machine);
    app.await_host();
    app.visit_first();
    app.await_page("Pair with den – Punktfunk");
    for key in [TAB, TAB, ENTER] {
        app.press(&[key]);
    }
    app.await_page("Waiting for the owner of den – Punktfunk");
    let request = host.await_request("a request", |request| request["name"] == "couch");
    host.ctl(&["approve", &request["id"].to_string()]);
    app.await_pictures("den");
    app.close();
    assert_eq!(client.state_of(host.fingerprint()).as_deref(), Some("approved"));
}

/// R7, R3: a device that is removed loses its picture at once, and is shown how it may come back.
#[test]
fn r3_a_removed_device_is_told_in_the_window_and_comes_back_by_pin() {
    let host = Host::serve().start();
    let client = ClientInstall::new("couch");
    client.pair(&host.address(), &host.arm(&[]));
    let fingerprint = client.fingerprint();
    let app = App::of(&client);
    app.visit_first();
    app.await_pictures("desk");
    host.ctl(&["remove", &fingerprint]);
    app.await_page("Pair with desk – Punktfunk");
    app.types(&host.arm(&[]));
    app.press(&[ENTER]);
    app.await_pictures("desk");
    app.close();
}

/// A host that was killed is no end: the app is back in the picture by itself, without a key.
#[test]
fn the_app_comes_back_by_itself_after_the_host_was_killed() {
    let host = Host::m3().start();
    let client = ClientInstall::new("couch");
    client.pair(&host.address(), &host.pin());
    let app = App::of(&client);
    app.visit_first();
    app.await_pictures("desk");
    let _host = host.killed_and_started_again();
    app.await_page("Reconnecting to desk – Punktfunk");
    app.await_pictures("desk");
    app.close();
}

/// What is typed over the picture is typed at the host, and a window that is closed in the middle of a key leaves nothing
/// pressed there.
#[test]
fn keys_reach_the_host_and_a_closed_window_leaves_none_of_them_down() {
    let display = XDisplay::start(Size::new(640, 480));
    let host = Host::m3().source("x11").env("DISPLAY", &display.name()).start();
    let client = ClientInstall::new("couch");
    client.pair(&host.address(), &host.pin());
    let mut program = XProgram::open(&display);
    let app = App::of(&client);
    app.visit_first();
    let window = app.await_page("desk – Punktfunk");
    app.types("dear editor");
    let typed = program.hear("what was typed", |told| {
        let typed: String = told.iter().filter_map(|told| pressed(*told)).collect();
        (typed.len() >= "dear editor".len()).then_some(typed)
    });
    assert_eq!(typed, "dear editor");

    app.screen.focus(window);
    app.screen.strike(A, true);
    until("a key that is down", || program.held().0.contains(&A).then_some(()));
    app.close();
    until("a key that is up", || program.held().0.is_empty().then_some(()));
}

/// What a person came for: a letter, typed over the picture into an editor of the host's desktop and saved by its keys.
#[test]
fn a_letter_is_typed_into_an_editor_of_the_host_and_saved() {
    let display = XDisplay::start(Size::new(640, 480));
    let folder = tempfile::tempdir().unwrap();
    let letter = folder.path().join("letter");
    fs::write(&letter, "").unwrap();
    // Over all of the display, so that the pointer, which nobody moves, is in it.
    let mut editor = Command::new("xedit");
    editor.args(["-geometry", "640x480+0+0"]).arg(&letter).env("DISPLAY", display.name());
    let _editor = Running::start(&mut editor);
    until("an editor", || display.window("xedit"));
    let host = Host::m3().source("x11").env("DISPLAY", &display.name()).start();
    let client = ClientInstall::new("couch");
    client.pair(&host.address(), &host.pin());
    let app = App::of(&client);
    app.visit_first();
    app.await_page("desk – Punktfunk");
    app.types("dear editor");
    for letter in ['x', 's'] {
        app.press(&[CONTROL, u32::from(letter)]);
    }
    until("a letter that is saved", || {
        fs::read_to_string(&letter).is_ok_and(|text| text.trim_end() == "dear editor").then_some(())
    });
    app.close();
}

/// A host as it is typed in the app. Of a name that lost a letter on its way nobody is dialled; of an address somebody is.
fn named(host: &Host) -> String {
    format!("localhost:{}", host.socket_address().port())
}

/// By which number X knows the place of A.
const A: u8 = 38;

fn pressed(told: Told) -> Option<char> {
    match told {
        Told::Key { types, pressed: true, .. } => types,
        _ => None,
    }
}
