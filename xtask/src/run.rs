//! Starts a host with a virtual desktop from nothing, and tells its owner what to type on a client.
//!
//! The host takes this process's place, so that signals and the exit code are its own. Before that, a child is left
//! behind that waits until the host answers, arms pairing once by `ctl arm`, as the owner would by hand, and prints
//! a link to the console and what to type. No flag arms a host, and nothing here is a way around that: it is the owner
//! who runs this.

use std::{
    convert::Infallible,
    env, fs,
    net::{Ipv4Addr, UdpSocket},
    os::unix::process::{CommandExt, parent_id},
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use serde::Deserialize;

use crate::{
    process::{cargo, read, run_to_end, target_directory},
    setup::{Purpose, setup},
};

/// The word with which this program starts itself to wait for the host; not for people.
pub(crate) const ANNOUNCE: &str = "announce-host";

/// Where a host listens unless it is told otherwise.
const PORT: &str = "9777";

/// What runs in each virtual display: two programs, and the window manager, which ends the desktop when it ends.
const DESKTOP: &str = "xterm -fa 'DejaVu Sans Mono' -fs 11 -geometry 90x26+40+60 & \
    xclock -update 1 -geometry 220x220-40+60 & exec icewm";

/// How long a host may take until it answers, and how often to ask.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);

/// Builds the programs and becomes the host. `arguments` go to `punktfunk-host serve`.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> Result<()> {
    setup(root, Purpose::Run)?;
    println!("run: building for release; the first time this takes some minutes");
    let build = ["build", "--release", "--package", "punktfunk-host", "--package", "punktfunk"];
    run_to_end(&mut cargo(root, build))?;
    let host = Host::built(root, arguments)?;
    if read(&mut host.ctl("status")).is_ok() {
        bail!(
            "a host runs already with the same data: end it first, or give this one a --data-dir of its own"
        );
    }
    let host_to_be = process::id().to_string();
    Command::new(env::current_exe()?)
        .args([ANNOUNCE, &host_to_be])
        .args(arguments)
        .stdin(Stdio::null())
        .spawn()?;
    host.become_it().map(|never| match never {})
}

/// Waits until the host, our parent, answers; arms pairing, and prints what to type. `arguments` are the host's process
/// id and its own arguments.
pub(crate) fn announce(root: &Path, arguments: &[&str]) -> Result<()> {
    let (host_id, arguments) =
        arguments.split_first().context("announce-host takes the host's process id")?;
    let host = Host::built(root, arguments)?;
    if let Some(window) = arm_when_up(&host, host_id.parse()?)? {
        println!("{}", boxed(&host.invitation(&window, host.console_link().as_deref())));
    }
    Ok(())
}

/// Arms pairing as soon as the host answers; `None` when its process ends before, having said why.
fn arm_when_up(host: &Host<'_>, host_id: u32) -> Result<Option<Window>> {
    let start = Instant::now();
    while parent_id() == host_id {
        match host.arm() {
            Ok(window) => return Ok(Some(window)),
            Err(error) if start.elapsed() > PATIENCE => {
                return Err(error.context(format!("pairing is not armed; to try again: {}", host.arm_line())));
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
    Ok(None)
}

/// A pairing window, as `ctl arm --json` tells of it.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Window {
    pin: String,
    /// Seconds until a PIN can be tried: more than none after a wrong one.
    opens_in_s: Option<u64>,
    /// Seconds until the window closes.
    expires_in_s: u64,
}

/// A host as it is started here.
struct Host<'a> {
    program: PathBuf,
    client: PathBuf,
    arguments: &'a [&'a str],
}

impl<'a> Host<'a> {
    /// The host that was built in the work tree at `root`.
    fn built(root: &Path, arguments: &'a [&'a str]) -> Result<Self> {
        let built = target_directory(root)?.join("release");
        Ok(Self { program: built.join("punktfunk-host"), client: built.join("punktfunk"), arguments })
    }

    /// Replaces this process by the host.
    fn become_it(&self) -> Result<Infallible> {
        let error = self.serve().exec();
        Err(error).with_context(|| format!("cannot start {}", self.program.display()))
    }

    /// The host's own command: a virtual desktop, unless the arguments ask for something else.
    fn serve(&self) -> Command {
        let mut serve = Command::new(&self.program);
        serve.arg("serve");
        for (option, value) in [("--source", "virtual"), ("--command", DESKTOP)] {
            if self.value(option).is_none() {
                serve.args([option, value]);
            }
        }
        serve.args(self.arguments);
        serve
    }

    /// A command to this host over its local socket.
    fn ctl(&self, command: &str) -> Command {
        let mut ctl = Command::new(&self.program);
        ctl.args(["ctl", command]);
        if let Some(folder) = self.value("--data-dir") {
            ctl.args(["--data-dir", folder]);
        }
        ctl
    }

    /// Opens a pairing window.
    fn arm(&self) -> Result<Window> {
        #[derive(Deserialize)]
        struct Answer {
            data: Window,
        }
        let answer = read(self.ctl("arm").arg("--json"))?;
        let answer: Answer = serde_json::from_str(&answer).context("cannot read what `ctl arm` says")?;
        Ok(answer.data)
    }

    /// A link that signs in to the host's console, once; `None` where there is no console.
    fn console_link(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Answer {
            data: Console,
        }
        #[derive(Deserialize)]
        struct Console {
            link: String,
        }
        let answer = read(self.ctl("console-url").arg("--json")).ok()?;
        serde_json::from_str(&answer).ok().map(|answer: Answer| answer.data.link)
    }

    /// What the owner types to arm again.
    fn arm_line(&self) -> String {
        let folder =
            self.value("--data-dir").map(|folder| format!(" --data-dir {folder}")).unwrap_or_default();
        format!("{} ctl arm{folder}", self.program.display())
    }

    /// What to open in a browser and to type on a client, line by line.
    fn invitation(&self, window: &Window, console_link: Option<&str>) -> Vec<String> {
        let Window { pin, opens_in_s, expires_in_s } = window;
        let port = self.value("--port").unwrap_or(PORT);
        let near = self.value("--bind").unwrap_or("127.0.0.1");
        let far = self.value("--bind").map_or_else(this_machine, str::to_owned);
        let mut lines = vec![
            format!("The host is up, and pairing is armed for {expires_in_s} seconds: PIN {pin}, one try."),
            String::new(),
            "On this machine:".to_owned(),
        ];
        if let Some(seconds @ 1..) = *opens_in_s {
            lines.insert(
                1,
                format!("A wrong PIN was tried before: this one can be tried in {seconds} seconds."),
            );
        }
        lines.extend(client_lines(&self.client.display().to_string(), near, port, pin));
        lines.push(
            "On another machine, with the client built there (cargo build --release -p punktfunk):"
                .to_owned(),
        );
        lines.extend(client_lines("target/release/punktfunk", &far, port, pin));
        if let Some(link) = console_link {
            lines.push(
                "The host's console, in a browser on your network; this link signs in once. The browser does not know"
                    .to_owned(),
            );
            lines.push("the host's certificate, and asks you to go on all the same:".to_owned());
            lines.push(format!("  {link}"));
            lines.push(String::new());
        }
        lines.push("When the window has closed, open another one:".to_owned());
        lines.push(format!("  {}", self.arm_line()));
        lines.push(String::new());
        lines.push("Ctrl-C ends the host.".to_owned());
        lines
    }

    /// The value of an option among the arguments, as `--option value` or `--option=value`.
    fn value(&self, option: &str) -> Option<&'a str> {
        let mut arguments = self.arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.strip_prefix(option) {
                Some("") => return arguments.next().copied(),
                Some(rest) if rest.starts_with('=') => return Some(&rest[1..]),
                _ => {}
            }
        }
        None
    }
}

/// The two lines that bring a client in.
fn client_lines(client: &str, host: &str, port: &str, pin: &str) -> [String; 3] {
    // An IPv6 address needs brackets before a port.
    let host = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    [format!("  {client} pair {host} --pin {pin}"), format!("  {client} connect {host}"), String::new()]
}

/// How other machines reach this one: its address on the way out, or else its name.
fn this_machine() -> String {
    let way_out = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        // Nothing is sent: this asks the system which of its addresses it would use. The target is for documents only.
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    };
    if let Ok(address) = way_out() {
        return address.ip().to_string();
    }
    fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "HOSTNAME".to_owned(), |name| name.trim().to_owned())
}

/// Lines between two rules, so that they stand out from the host's own and can still be copied whole.
fn boxed(lines: &[String]) -> String {
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or_default();
    let rule = "━".repeat(width);
    format!("\n{rule}\n{}\n{rule}\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A host whose program is a shell script.
    fn host<'a>(folder: &Path, script: &str, arguments: &'a [&'a str]) -> Host<'a> {
        let program = folder.join("punktfunk-host");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Host { program, client: folder.join("punktfunk"), arguments }
    }

    fn words(command: &Command) -> Vec<&str> {
        command.get_args().map(|word| word.to_str().unwrap()).collect()
    }

    #[test]
    fn options_are_found_in_either_form() {
        let host = |arguments| Host { program: PathBuf::new(), client: PathBuf::new(), arguments };
        assert_eq!(host(&["--port", "9000"]).value("--port"), Some("9000"));
        assert_eq!(host(&["--open", "--port=9000"]).value("--port"), Some("9000"));
        for without in [&[][..], &["--port"], &["--ports", "1"]] {
            assert_eq!(host(without).value("--port"), None, "{without:?}");
        }
    }

    #[test]
    fn what_the_owner_asks_for_comes_instead_of_the_desktop() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            words(&host(folder.path(), "", &["--open"]).serve()),
            ["serve", "--source", "virtual", "--command", DESKTOP, "--open"]
        );
        assert_eq!(
            words(&host(folder.path(), "", &["--source=synthetic", "--command", "xeyes"]).serve()),
            ["serve", "--source=synthetic", "--command", "xeyes"]
        );
    }

    #[test]
    fn arming_asks_the_host_with_this_data_and_takes_its_pin() {
        let folder = tempfile::tempdir().unwrap();
        let script = r#"[ "$*" = "ctl arm --data-dir here --json" ] || exit 2
            echo '{"v":1,"data":{"pin":"0417","opens_in_s":5,"expires_in_s":120,"for":null}}'"#;
        let window = Window { pin: "0417".to_owned(), opens_in_s: Some(5), expires_in_s: 120 };
        assert_eq!(host(folder.path(), script, &["--data-dir=here"]).arm().unwrap(), window);
        assert!(host(folder.path(), script, &["--data-dir", "there"]).arm().is_err());
    }

    /// The box must not show the PIN of some other host that answers for one that never came up.
    #[test]
    fn a_host_that_ended_is_not_armed() {
        let folder = tempfile::tempdir().unwrap();
        let script = r#"echo '{"v":1,"data":{"pin":"0417","expires_in_s":120}}'"#;
        let host = host(folder.path(), script, &[]);
        assert!(arm_when_up(&host, parent_id()).unwrap().is_some());
        assert!(arm_when_up(&host, process::id()).unwrap().is_none());
    }

    #[test]
    fn a_host_that_is_slow_is_asked_again() {
        let folder = tempfile::tempdir().unwrap();
        let script = r#"[ -e "$0.asked" ] || { touch "$0.asked"; exit 3; }
            echo '{"v":1,"data":{"pin":"0417","expires_in_s":120}}'"#;
        let host = host(folder.path(), script, &[]);
        assert_eq!(arm_when_up(&host, parent_id()).unwrap().unwrap().pin, "0417");
    }

    #[test]
    fn an_answer_without_a_pin_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        for script in ["echo '{\"v\":1,\"data\":{}}'", "echo up", "exit 3", "echo '{\"data\":{\"pin\":417}}'"]
        {
            assert!(host(folder.path(), script, &[]).arm().is_err(), "{script}");
        }
    }

    #[test]
    fn the_console_s_link_is_asked_for_and_may_be_missing() {
        let folder = tempfile::tempdir().unwrap();
        let script = r#"[ "$*" = "ctl console-url --data-dir here --json" ] || exit 2
            echo '{"v":1,"data":{"url":"https://desk:9777/","link":"https://desk:9777/#link=abc"}}'"#;
        let link = |script, arguments| host(folder.path(), script, arguments).console_link();
        assert_eq!(link(script, &["--data-dir=here"]).as_deref(), Some("https://desk:9777/#link=abc"));
        assert_eq!(link("exit 2", &["--no-console"]), None);
    }

    #[test]
    fn the_invitation_says_what_to_type_for_this_host() {
        let folder = tempfile::tempdir().unwrap();
        let host = host(folder.path(), "", &["--port", "9000", "--bind=192.0.2.7", "--data-dir", "here"]);
        let window = Window { pin: "0417".to_owned(), opens_in_s: Some(5), expires_in_s: 120 };
        let link = "https://192.0.2.7:9000/#link=abc";
        let text = boxed(&host.invitation(&window, Some(link)));
        for line in [
            link,
            "punktfunk pair 192.0.2.7:9000 --pin 0417\n",
            "connect 192.0.2.7:9000\n",
            "ctl arm --data-dir here\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(!text.contains("127.0.0.1"), "this host does not listen there");
        assert!(!host.invitation(&window, None).concat().contains("console"));
    }
}
