//! Displays of a session's own, and that nothing of them stays behind.
//!
//! Every process of a test's display has the test's mark in its environment or its arguments: it is in the
//! command's, and in the path of the directory that the X server and the supervisors are given.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use pf_desktop::virtual_display::VirtualDisplay;
use pf_desktop::{SessionCommand, Sizing, Source as _, SourceError, VirtualConfig, VirtualSource};
use pf_media::picture::Size;
use rustix::process::{Pid, Signal, kill_process};
use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::randr::{ConnectionExt as _, NotifyMask};
use x11rb::protocol::xproto::ConnectionExt as _;
use x11rb::rust_connection::{DefaultStream, RustConnection};

use support::{Client, Trace, bounded_stop, dial, far, fps, next, next_where, script, until};

const SIZE: Size = Size::new(320, 240);
const RED: u32 = 0x00C8_1E32;

/// A program whose `main` becomes the supervisor; this test program's does not.
const PROGRAM: &str = env!("CARGO_BIN_EXE_pf-source");

fn config(command: Option<SessionCommand>) -> VirtualConfig {
    VirtualConfig { command, supervisor: Some(PROGRAM.into()), ..VirtualConfig::default() }
}

fn shell(line: &str) -> SessionCommand {
    SessionCommand::Shell(line.into())
}

fn open(command: Option<SessionCommand>) -> Result<VirtualSource, SourceError> {
    VirtualSource::open(SIZE, fps(200), &config(command), &bounded_stop())
}

/// Connects to a display with the cookie in a file, or with none.
fn connect(name: &str, authority: Option<&Path>) -> Result<Client, String> {
    let socket = dial(name).map_err(|error| error.to_string())?;
    let (stream, _) = DefaultStream::from_unix_stream(socket).unwrap();
    let (protocol, cookie) = match authority {
        Some(file) => {
            let content = fs::read(file).unwrap();
            (b"MIT-MAGIC-COOKIE-1".to_vec(), content[content.len() - 16..].to_vec())
        }
        None => (Vec::new(), Vec::new()),
    };
    RustConnection::connect_to_stream_with_auth_info(stream, 0, protocol, cookie)
        .map(Client::new)
        .map_err(|error| error.to_string())
}

/// A process, as `/proc` tells.
#[derive(Debug)]
struct Process {
    id: Pid,
    parent: i32,
    name: String,
    arguments: String,
    environment: String,
}

/// Every process that has not ended.
fn processes() -> Vec<Process> {
    let read = |id: Pid| {
        let directory = PathBuf::from(format!("/proc/{id}"));
        let stat = fs::read_to_string(directory.join("stat")).ok()?;
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(") ")?;
        let mut rest = rest.split(' ');
        if rest.next()? == "Z" {
            return None;
        }
        let parent = rest.next()?.parse().ok()?;
        let text = |name| {
            let bytes = fs::read(directory.join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', " ")
        };
        let (arguments, environment) = (text("cmdline"), text("environ"));
        Some(Process { id, parent, name: name.to_owned(), arguments, environment })
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter_map(read)
        .collect()
}

fn marked(mark: &str) -> Vec<Process> {
    let is_marked =
        |process: &Process| process.arguments.contains(mark) || process.environment.contains(mark);
    processes().into_iter().filter(is_marked).collect()
}

fn names(processes: Vec<Process>) -> Vec<String> {
    processes.into_iter().map(|process| process.name).collect()
}

/// The only child of a process, once it has one of this name.
fn child_of(parent: Pid, name: &str) -> Pid {
    let mut found = None;
    until(&format!("a child {name} of {parent}"), || {
        let is_it = |process: &Process| process.parent == parent.as_raw_pid() && process.name == name;
        found = processes().into_iter().find(is_it).map(|process| process.id);
        found.is_some()
    });
    found.unwrap()
}

/// A command that starts every kind of process that is hard to get rid of, and then says that it has.
///
/// All of them ignore the signals that ask a process to end. One gives up its environment as well, so that
/// only its path, which `scratch` marks, tells whose it is.
fn stubborn(scratch: &Path) -> (String, PathBuf) {
    let (report, hidden) = (scratch.join("report"), scratch.join("hidden"));
    fs::copy("/bin/sleep", &hidden).unwrap();
    let line = format!(
        "trap '' TERM HUP INT
         export PF_TEST_MARK={mark}
         sleep 1000 &
         setsid -f sleep 1001
         (setsid sh -c 'sleep 1002 & sleep 1003' &) &
         setsid -f env -i {hidden} 1004
         echo \"$DISPLAY $XAUTHORITY\" > {report}.part
         mv {report}.part {report}
         while :; do sleep 1; done",
        mark = mark(scratch),
        hidden = hidden.display(),
        report = report.display(),
    );
    (line, report)
}

/// What the processes of a test have in their environment or arguments, and no others.
fn mark(scratch: &Path) -> &str {
    scratch.to_str().unwrap()
}

#[test]
fn a_display_has_the_size_that_was_asked_for() {
    for size in [Size::new(1280, 720), Size::new(641, 363), Size::new(1, 1)] {
        let mut source = VirtualSource::open(size, fps(60), &config(None), &bounded_stop()).unwrap();
        assert_eq!(source.size(), size);
        assert_eq!(next(&mut source, far()).unwrap().unwrap().size, size);
    }
}

/// Waits until clients of the display are told that it has this size, and its output a mode of that size.
fn is_told(client: &Client, size: Size) {
    until("a client is told of the size", || {
        let mut is_told = false;
        while let Some(event) = client.connection.poll_for_event().unwrap() {
            if let Event::RandrScreenChangeNotify(notify) = event {
                is_told |= Size::new(notify.width.into(), notify.height.into()) == size;
            }
        }
        is_told
    });
    until("the output has that size", || {
        let resources =
            client.connection.randr_get_screen_resources_current(client.root).unwrap().reply().unwrap();
        let time = resources.config_timestamp;
        let crtc = client.connection.randr_get_crtc_info(resources.crtcs[0], time).unwrap().reply().unwrap();
        Size::new(crtc.width.into(), crtc.height.into()) == size
    });
}

/// A person who maximises the window gets a desktop of that size, and the programs on it rearrange themselves.
#[test]
fn a_display_follows_the_size_that_is_asked_for_while_it_runs() {
    let mut source = open(None).unwrap();
    let client = connect(&source.display().name(), Some(&source.display().authority())).unwrap();
    client.connection.randr_query_version(1, 3).unwrap().reply().unwrap();
    client.connection.randr_select_input(client.root, NotifyMask::SCREEN_CHANGE).unwrap().check().unwrap();
    assert_eq!(next(&mut source, far()).unwrap().unwrap().size, SIZE);
    for size in [Size::new(1920, 1080), Size::new(641, 363), Size::new(3840, 2160), SIZE] {
        assert_eq!(source.change(size, fps(200)), Ok(Sizing::Follows));
        next_where(&mut source, |pixels| pixels.size == size);
        assert_eq!(source.size(), size);
        is_told(&client, size);
        let (right, bottom) = (size.width - 1, size.height - 1);
        client.fill(RED, &[(right as i16, 0, 1, 1), (0, bottom as i16, 1, 1)]);
        next_where(&mut source, |pixels| pixels.at(right, 0) == RED && pixels.at(0, bottom) == RED);
    }
}

/// The display was larger for a moment when it began, and the pointer in the middle of that.
#[test]
fn the_pointer_begins_in_the_middle() {
    let source = open(None).unwrap();
    let client = connect(&source.display().name(), Some(&source.display().authority())).unwrap();
    let pointer = client.connection.query_pointer(client.root).unwrap().reply().unwrap();
    assert_eq!((pointer.root_x, pointer.root_y), (160, 120));
}

/// What was there before a display shrank must not come back when it grows.
#[test]
fn what_a_larger_display_adds_is_empty() {
    let mut source = open(None).unwrap();
    let client = connect(&source.display().name(), Some(&source.display().authority())).unwrap();
    client.fill(RED, &[(0, 0, 320, 240)]);
    next_where(&mut source, |pixels| pixels.at(300, 200) == RED);
    let small = Size::new(160, 120);
    for size in [small, SIZE] {
        assert_eq!(source.change(size, fps(200)), Ok(Sizing::Follows));
        next_where(&mut source, |pixels| pixels.size == size && (size == small || pixels.at(300, 200) == 0));
    }
}

/// A window that is dragged larger goes through hundreds of sizes.
#[test]
fn sizes_do_not_pile_up() {
    let mut source = open(None).unwrap();
    let client = connect(&source.display().name(), Some(&source.display().authority())).unwrap();
    client.connection.randr_query_version(1, 3).unwrap().reply().unwrap();
    for turn in 0..50 {
        assert_eq!(source.change(Size::new(300 + turn, 200), fps(200)), Ok(Sizing::Follows));
    }
    let resources =
        client.connection.randr_get_screen_resources_current(client.root).unwrap().reply().unwrap();
    assert_eq!(resources.modes.len(), 2, "the one that it began with, and the present one");
    next_where(&mut source, |pixels| pixels.size == Size::new(349, 200));
}

#[test]
fn a_size_beyond_what_a_display_has_room_for_is_not_taken() {
    let mut source = open(None).unwrap();
    assert_eq!(source.change(Size::new(4096, 2160), fps(200)), Ok(Sizing::Keeps));
    assert_eq!(next(&mut source, far()).unwrap().unwrap().size, SIZE);
    let large = Size::new(4096, 16);
    let mut source = VirtualSource::open(large, fps(60), &config(None), &bounded_stop()).unwrap();
    assert_eq!(next(&mut source, far()).unwrap().unwrap().size, large);
}

/// An X server from before 2018, or another program: the session has the size that it began with.
#[test]
fn a_server_that_keeps_its_size_begins_with_the_right_one() {
    let scratch = support::scratch();
    let starts = scratch.path().join("starts");
    let line = format!("echo \"$@\" >> {}; exec Xvfb -extension RANDR \"$@\"", starts.display());
    let server = script(scratch.path(), "server", &line);
    let config = VirtualConfig { server, ..config(None) };
    let mut source = VirtualSource::open(SIZE, fps(200), &config, &bounded_stop()).unwrap();
    assert_eq!(next(&mut source, far()).unwrap().unwrap().size, SIZE);
    assert_eq!(source.change(Size::new(160, 120), fps(200)), Ok(Sizing::Keeps));
    let client = connect(&source.display().name(), Some(&source.display().authority())).unwrap();
    client.fill(RED, &[(0, 0, 320, 240)]);
    next_where(&mut source, |pixels| pixels.at(300, 200) == RED);
    let home = source.display().authority().parent().unwrap().to_owned();
    let servers = marked(home.to_str().unwrap()).into_iter().filter(|process| process.name == "Xvfb");
    assert_eq!((servers.count(), fs::read_to_string(starts).unwrap().lines().count()), (1, 2));
    let trace = Trace::of(&source.display().name());
    drop(source);
    assert!(!trace.is_left() && !home.exists());
}

#[test]
fn what_is_drawn_in_it_shows() {
    let mut source = open(None).unwrap();
    let client = connect(&source.display().name(), Some(&source.display().authority())).unwrap();
    client.fill(RED, &[(0, 0, 320, 240)]);
    next_where(&mut source, |pixels| pixels.at(300, 200) == RED);
}

/// Any other user of the machine could watch and type otherwise.
#[test]
fn a_client_without_the_cookie_is_refused() {
    let source = open(None).unwrap();
    let error = connect(&source.display().name(), None).err().unwrap();
    assert!(error.contains("Authorization required"), "{error}");
    let authority = source.display().authority();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&authority), mode(authority.parent().unwrap())), (0o600, 0o700));
}

#[test]
fn two_displays_have_two_cookies() {
    let (one, other) = (open(None).unwrap(), open(None).unwrap());
    assert_ne!(one.display().name(), other.display().name());
    assert!(connect(&one.display().name(), Some(&other.display().authority())).is_err());
}

#[test]
fn it_listens_on_no_network() {
    let source = open(None).unwrap();
    let number: u16 = source.display().name()[1..].parse().unwrap();
    let error = std::net::TcpStream::connect(("127.0.0.1", 6000 + number)).err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn the_command_is_told_the_display_and_no_other_desktop() {
    let scratch = support::scratch();
    let report = scratch.path().join("environment");
    let line = format!("env > {0}.part; mv {0}.part {0}; sleep 1000", report.display());
    let source = open(Some(shell(&line))).unwrap();
    until("the command runs", || report.exists());
    let environment = fs::read_to_string(report).unwrap();
    let has = |entry: &str| environment.lines().any(|line| line == entry);
    assert!(has(&format!("DISPLAY={}", source.display().name())));
    assert!(has(&format!("XAUTHORITY={}", source.display().authority().display())));
    assert!(!environment.lines().any(|line| line.starts_with("WAYLAND_")));
}

#[test]
fn a_program_gets_its_arguments_as_they_are() {
    let scratch = support::scratch();
    let program = script(
        scratch.path(),
        "program",
        r#"for word; do echo "<$word>"; done > "$0.part"; mv "$0.part" "$0.out""#,
    );
    let arguments = ["a b", "", "$HOME", "'\"\n"].map(Into::into).to_vec();
    let _source = open(Some(SessionCommand::Program { program: program.clone().into(), arguments })).unwrap();
    let out = scratch.path().join("program.out");
    until("the program has run", || out.exists());
    assert_eq!(fs::read_to_string(out).unwrap(), "<a b>\n<>\n<$HOME>\n<'\"\n>\n");
}

/// The last line is how many scripts end what they have started.
#[test]
fn a_command_that_ends_at_once_leaves_an_empty_display() {
    for end in ["exit 3", "kill -KILL $$", "kill -KILL 0"] {
        let scratch = support::scratch();
        let report = scratch.path().join("ran");
        let mut source = open(Some(shell(&format!("touch {}; {end}", report.display())))).unwrap();
        until("the command has run", || report.exists());
        until("it has ended", || {
            let home = source.display().authority();
            processes().iter().all(|p| p.name != "sh" || !p.environment.contains(home.to_str().unwrap()))
        });
        let client = connect(&source.display().name(), Some(&source.display().authority())).unwrap();
        client.fill(RED, &[(0, 0, 320, 240)]);
        next_where(&mut source, |pixels| pixels.at(300, 200) == RED);
    }
}

#[test]
fn every_way_not_to_start_has_its_own_error() {
    let program = |name: &Path| Some(SessionCommand::Program { program: name.into(), arguments: vec![] });
    let missing = open(program(Path::new("no-such-command"))).err();
    assert_eq!(missing, Some(SourceError::CommandNotFound { command: "no-such-command".to_owned() }));

    let scratch = support::scratch();
    let plain = scratch.path().join("plain");
    fs::write(&plain, "no program").unwrap();
    let error = open(program(&plain)).err().unwrap();
    assert!(
        matches!(&error, SourceError::CommandFailed { reason, .. } if reason.contains("denied")),
        "{error}"
    );

    let with_server = |server: PathBuf| {
        let config = VirtualConfig { server, ..config(None) };
        VirtualSource::open(SIZE, fps(60), &config, &bounded_stop()).err().unwrap()
    };
    let error = with_server("no-such-x-server".into());
    assert_eq!(error, SourceError::ServerMissing { program: "no-such-x-server".to_owned() });
    assert!(error.way_on().contains("apt install xvfb"));

    let broken = script(scratch.path(), "broken", "echo '(EE) ' >&2; echo '(EE) no fonts today' >&2; exit 1");
    assert_eq!(with_server(broken), SourceError::ServerFailed { reason: "no fonts today".to_owned() });
    let silent = script(scratch.path(), "silent", "exit 1");
    let reason = "the X server said nothing".to_owned();
    assert_eq!(with_server(silent), SourceError::ServerFailed { reason });

    let not_a_supervisor = VirtualConfig { supervisor: Some("true".into()), ..config(None) };
    let error = VirtualSource::open(SIZE, fps(60), &not_a_supervisor, &bounded_stop()).err().unwrap();
    assert!(matches!(error, SourceError::ServerFailed { .. }), "{error}");
}

/// A start that fails half-way is taken down like any other.
#[test]
fn a_failed_start_leaves_nothing() {
    let scratch = support::scratch();
    let report = scratch.path().join("arguments");
    let line = format!("echo \"$@\" > {}; exec Xvfb \"$@\"", report.display());
    let server = script(scratch.path(), "server", &line);
    let command = Some(SessionCommand::Program { program: "no-such-command".into(), arguments: vec![] });
    let config = VirtualConfig { server, ..config(command) };
    VirtualSource::open(SIZE, fps(60), &config, &bounded_stop()).err().unwrap();
    let arguments = fs::read_to_string(report).unwrap();
    let home = arguments.split(' ').find(|word| word.contains("pf-display-")).unwrap();
    let home = Path::new(home).parent().unwrap();
    assert!(!home.exists());
    assert!(marked(home.to_str().unwrap()).is_empty());
}

#[test]
fn stopping_ends_the_wait_for_a_display_that_does_not_come_up() {
    let scratch = support::scratch();
    let report = scratch.path().join("started");
    let server = script(scratch.path(), "hangs", &format!("touch {}; sleep 1000", report.display()));
    let stop = bounded_stop();
    let opening = std::thread::spawn({
        let (stop, config) = (stop.clone(), VirtualConfig { server: server.clone(), ..config(None) });
        move || VirtualSource::open(SIZE, fps(60), &config, &stop).err()
    });
    until("the server starts", || report.exists());
    stop.stop();
    assert_eq!(opening.join().unwrap(), Some(SourceError::Stopped));
    assert!(marked(server.to_str().unwrap()).is_empty());
}

#[test]
fn dropping_it_leaves_nothing() {
    let scratch = support::scratch();
    let mark = mark(scratch.path());
    let (command, report) = stubborn(scratch.path());
    let source = open(Some(shell(&command))).unwrap();
    until("the command has started everything", || report.exists());
    let (display, authority) = (source.display().name(), source.display().authority());
    let home = authority.parent().unwrap();
    // The check below must be able to fail.
    until("all processes are there", || marked(mark).len() >= 6);
    assert!(marked(home.to_str().unwrap()).len() >= 3);
    let trace = Trace::of(&display);
    assert!(home.exists());

    drop(source);
    assert_eq!(names(marked(mark)), [""; 0]);
    assert_eq!(names(marked(home.to_str().unwrap())), [""; 0]);
    assert!(!trace.is_left());
    assert!(!home.exists());
}

/// Another X server that ends at this moment may take the file for its own.
#[test]
fn a_display_whose_socket_file_is_gone_is_reached_by_name() {
    let scratch = support::scratch();
    let line = "Xvfb \"$@\" | { read number; rm /tmp/.X11-unix/X$number; echo $number; cat; }";
    let config = VirtualConfig { server: script(scratch.path(), "server", line), ..config(None) };
    let mut source = VirtualSource::open(SIZE, fps(60), &config, &bounded_stop()).unwrap();
    assert!(!Path::new("/tmp/.X11-unix").join(format!("X{}", &source.display().name()[1..])).exists());
    assert_eq!(next(&mut source, far()).unwrap().unwrap().size, SIZE);
}

/// As X servers do that take a lock file, other than this machine's Xvfb.
#[test]
fn the_lock_file_of_a_killed_server_goes_too() {
    let scratch = support::scratch();
    let report = scratch.path().join("lock");
    // No X display has such a number.
    let line =
        format!("echo /tmp/.X$$$$-lock > {}; echo $$ > /tmp/.X$$$$-lock; exec Xvfb \"$@\"", report.display());
    let config = VirtualConfig { server: script(scratch.path(), "server", &line), ..config(None) };
    let display = VirtualDisplay::start(SIZE, &config, &bounded_stop()).unwrap();
    let lock = PathBuf::from(fs::read_to_string(report).unwrap().trim());
    let server = Pid::from_raw(fs::read_to_string(&lock).unwrap().trim().parse().unwrap()).unwrap();
    kill_process(server, Signal::KILL).unwrap();
    drop(display);
    assert!(!lock.exists());
}

#[test]
fn a_display_whose_server_dies_is_lost_and_leaves_nothing() {
    let mut source = open(Some(shell("sleep 1000"))).unwrap();
    let home = source.display().authority().parent().unwrap().to_owned();
    let mark = home.to_str().unwrap().to_owned();
    let trace = Trace::of(&source.display().name());
    let server = marked(&mark).into_iter().find(|process| process.name == "Xvfb").unwrap();
    kill_process(server.id, Signal::KILL).unwrap();
    let error = loop {
        if let Err(error) = next(&mut source, far()) {
            break error;
        }
    };
    assert!(matches!(error, SourceError::Lost { .. }), "{error}");
    // The supervisor need not wait for the host to notice.
    until("nothing is left", || marked(&mark).is_empty() && !home.exists());
    assert!(!trace.is_left());
}

/// A host of its own, which ends with the test.
struct Host {
    process: Child,
    scratch: tempfile::TempDir,
}

impl Host {
    fn id(&self) -> Pid {
        Pid::from_child(&self.process)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Nothing any more, but when the test has failed or what it tests is beyond repair.
        for process in marked(mark(self.scratch.path())) {
            _ = kill_process(process.id, Signal::KILL);
        }
        _ = self.process.wait();
    }
}

/// A host, and its display full of stubborn processes.
struct Session {
    host: Host,
    guard: Pid,
    keeper: Pid,
    server: Pid,
    trace: Trace,
    home: PathBuf,
}

impl Session {
    fn start() -> Self {
        let scratch = support::scratch();
        let (command, report) = stubborn(scratch.path());
        let process = Command::new(PROGRAM)
            .args(["virtual", "--size", "320x240", "--", "sh", "-c", &command])
            .env("PF_TEST_MARK", scratch.path())
            // Of its own, so that no other test's display sweeps away what this one abandons.
            .env("TMPDIR", scratch.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let host = Host { process, scratch };
        until("the command has started everything", || report.exists());
        let report = fs::read_to_string(report).unwrap();
        let (display, authority) = report.trim().split_once(' ').unwrap();
        let guard = child_of(host.id(), "pf-display");
        let keeper = child_of(guard, "pf-display");
        let server = child_of(keeper, "Xvfb");
        let home = Path::new(authority).parent().unwrap().to_owned();
        let session = Self { host, guard, keeper, server, trace: Trace::of(display), home };
        // What the tests expect to vanish must be there to be found; those in the background may come late.
        until("all processes are there", || session.processes().len() >= 10);
        assert!(session.home.exists());
        session
    }

    /// Its processes, without the host.
    fn processes(&self) -> Vec<Process> {
        let mut processes = marked(mark(self.host.scratch.path()));
        processes.retain(|process| process.id != self.host.id());
        processes
    }

    fn has_files(&self) -> bool {
        self.trace.is_left() || self.home.exists()
    }

    /// Expects that everything goes: processes, files, and the host that finds its display lost.
    fn ends(mut self) {
        until("nothing is left", || self.processes().is_empty() && !self.has_files());
        self.host.process.wait().unwrap();
    }

    /// Expects that everything goes but the process that gave up its environment.
    fn ends_but_for_the_hidden(&self) {
        until("only the hidden process is left", || {
            self.processes().iter().all(|process| process.name == "hidden") && !self.has_files()
        });
    }
}

/// Signals these, so that none of them gets to react to the death of another.
fn signal_at_once(signal: Signal, victims: &[Pid]) {
    for &victim in victims {
        kill_process(victim, Signal::STOP).unwrap();
    }
    for &victim in victims {
        kill_process(victim, signal).unwrap();
    }
    for &victim in victims {
        // One that has been killed by now need not go on.
        _ = kill_process(victim, Signal::CONT);
    }
}

#[test]
fn a_killed_host_leaves_nothing() {
    let session = Session::start();
    signal_at_once(Signal::KILL, &[session.host.id()]);
    session.ends();
}

#[test]
fn a_killed_x_server_leaves_nothing() {
    let session = Session::start();
    signal_at_once(Signal::KILL, &[session.server]);
    session.ends();
}

#[test]
fn a_killed_guard_leaves_nothing() {
    let session = Session::start();
    signal_at_once(Signal::KILL, &[session.guard]);
    session.ends();
}

/// The process that gave up its environment goes too: the guard inherits it.
#[test]
fn a_killed_keeper_leaves_nothing() {
    let session = Session::start();
    signal_at_once(Signal::KILL, &[session.keeper]);
    session.ends();
}

#[test]
fn host_and_guard_killed_at_once_leave_nothing() {
    let session = Session::start();
    signal_at_once(Signal::KILL, &[session.host.id(), session.guard]);
    session.ends();
}

#[test]
fn host_and_keeper_killed_at_once_leave_nothing() {
    let session = Session::start();
    signal_at_once(Signal::KILL, &[session.host.id(), session.keeper]);
    session.ends();
}

/// As a service manager ends a service: every process is asked.
#[test]
fn asking_every_process_to_end_leaves_nothing() {
    let session = Session::start();
    signal_at_once(Signal::TERM, &[session.host.id(), session.guard, session.keeper]);
    session.ends();
}

/// Whoever kills the host program by its name spares the supervisors, which clean up.
#[test]
fn supervisors_do_not_go_by_the_name_of_their_program() {
    let session = Session::start();
    for process in session.processes() {
        let is_supervisor = [session.guard, session.keeper].contains(&process.id);
        assert!(!is_supervisor || !process.arguments.contains("pf-source"), "{process:?}");
        assert_ne!(process.name, "pf-source");
    }
}

/// With both supervisors gone the host cleans up.
#[test]
fn both_supervisors_killed_at_once_leave_no_display() {
    let session = Session::start();
    signal_at_once(Signal::KILL, &[session.guard, session.keeper]);
    session.ends_but_for_the_hidden();
}

/// As when a machine runs out of memory: the next display clears files and strays away.
#[test]
fn what_was_killed_all_at_once_is_swept_by_the_next_display() {
    let session = Session::start();
    signal_at_once(Signal::KILL, &[session.host.id(), session.guard, session.keeper]);
    until("the kernel has killed the X server", || {
        session.processes().iter().all(|process| process.name != "Xvfb")
    });
    assert!(session.home.exists());
    let next = Command::new(PROGRAM)
        .args(["virtual", "--size", "320x240", "--seconds", "0"])
        .env("TMPDIR", session.host.scratch.path())
        .stdout(Stdio::null())
        .status();
    assert!(next.unwrap().success());
    session.ends_but_for_the_hidden();
}

/// A display that is started without a source, as for something else than a picture.
#[test]
fn a_display_without_a_mirror_is_taken_down_too() {
    let display = VirtualDisplay::start(SIZE, &config(None), &bounded_stop()).unwrap();
    let (name, home) = (display.name(), display.authority().parent().unwrap().to_owned());
    connect(&name, Some(&display.authority())).unwrap();
    let trace = Trace::of(&name);
    drop(display);
    assert!(!trace.is_left() && !home.exists());
}
