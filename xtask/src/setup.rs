//! Installs what a fresh Debian or Ubuntu machine lacks, and says what and why. Where all is there, it does nothing.

mod node;
pub(crate) mod python;

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::process;

/// What a machine is made ready for. Later ones need all that the earlier ones do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// Building the programs, and running a host with a virtual desktop.
    Run,
    /// Building the console's page, which is committed as it is built.
    Page,
    /// Everything that `cargo xtask test` runs.
    Test,
}

/// Makes the machine ready, or says exactly what is missing and fails.
pub(crate) fn setup(root: &Path, purpose: Purpose) -> Result<()> {
    install_packages(&missing(purpose, Proof::holds))?;
    if purpose >= Purpose::Page {
        node::check_version()?;
        node::install(&root.join("web"))?;
    }
    if purpose >= Purpose::Test {
        node::install(&root.join("web/e2e"))?;
        python::install(root)?;
        for tool in TOOLS.iter().filter(|tool| !process::is_installed(tool.name)) {
            install_tool(root, tool)?;
        }
    }
    Ok(())
}

/// Makes the machine ready to measure what a user could take instead. What is not to be had is said, and left out there.
pub(crate) fn setup_peers() {
    for package in PEERS.iter().filter(|package| !package.proof.holds()) {
        if let Err(error) = install_packages(&[package]) {
            println!("setup: goes on without {} ({}): {error:#}", package.name, package.why);
        }
    }
}

/// A tool that cargo builds and installs.
pub(crate) struct Tool {
    /// The package, and the program that it installs.
    pub(crate) name: &'static str,
    /// What it is for here.
    pub(crate) why: &'static str,
}

/// Builds and installs a tool, as its authors locked it.
pub(crate) fn install_tool(root: &Path, tool: &Tool) -> Result<()> {
    println!("setup: installing {} ({}); this takes some minutes, once", tool.name, tool.why);
    process::run_to_end(&mut process::cargo(root, ["install", "--locked", tool.name]))
}

/// A system package, as Debian and Ubuntu name it.
struct Package {
    name: &'static str,
    why: &'static str,
    needed_for: Purpose,
    proof: Proof,
}

/// How to see that a package is there, whoever installed it.
#[derive(Clone, Copy)]
enum Proof {
    Program(&'static str),
    OneOf(&'static [&'static str]),
    PythonModule(&'static str),
    Library(&'static str),
    Font(&'static str),
    /// For what only programs of the system see.
    Dpkg(&'static str),
}

impl Proof {
    fn holds(self) -> bool {
        match self {
            Self::Program(name) => process::is_installed(name),
            Self::OneOf(names) => names.iter().any(|name| process::is_installed(name)),
            Self::PythonModule(name) => {
                process::read(Command::new("python3").args(["-c", &format!("import {name}")])).is_ok()
            }
            Self::Library(name) => process::read(Command::new("/sbin/ldconfig").arg("-p"))
                .is_ok_and(|libraries| libraries.contains(name)),
            Self::Font(file) => is_below(Path::new("/usr/share/fonts"), file),
            Self::Dpkg(package) => {
                let list = |suffix| Path::new("/var/lib/dpkg/info").join(format!("{package}{suffix}.list"));
                list("").is_file() || list(":amd64").is_file() || list(":arm64").is_file()
            }
        }
    }
}

/// Whether a file of this name stands anywhere below a folder.
fn is_below(folder: &Path, file: &str) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| entry.file_name() == file || is_below(&entry.path(), file))
}

/// The packages that a purpose needs and that the machine does not have.
fn missing(purpose: Purpose, is_there: impl Fn(Proof) -> bool) -> Vec<&'static Package> {
    PACKAGES.iter().filter(|package| package.needed_for <= purpose && !is_there(package.proof)).collect()
}

/// Installs packages with apt, as root or with a sudo that asks nothing; else says what to type.
fn install_packages(packages: &[&Package]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    println!("setup: this machine lacks:");
    for package in packages {
        println!("  {:<20} {}", package.name, package.why);
    }
    let names: Vec<_> = packages.iter().map(|package| package.name).collect();
    if !process::is_installed("apt-get") {
        bail!(
            "there is no apt-get here: install these by your system's own names, then run this again: {}",
            names.join(" ")
        );
    }
    let prefix: &[&str] = if is_root() {
        &[]
    } else if can_sudo() {
        &["sudo", "-n"]
    } else {
        bail!("installing needs root: type this, then run this again:\n\n  {}\n", by_hand(&names));
    };
    for command in apt_commands(&names) {
        let words: Vec<_> = prefix.iter().chain(APT).chain(command.iter()).copied().collect();
        println!("setup: {}", words.join(" "));
        process::run_to_end(Command::new(words[0]).args(&words[1..])).with_context(|| {
            format!(
                "cannot install all of {}: what apt does not have, install in another way",
                names.join(" ")
            )
        })?;
    }
    Ok(())
}

/// apt-get's two commands, without the program.
fn apt_commands<'a>(names: &[&'a str]) -> [Vec<&'a str>; 2] {
    let install = ["install", "-y", "--no-install-recommends"];
    [vec!["update"], install.iter().chain(names).copied().collect()]
}

/// What a person types who has a password for sudo.
fn by_hand(names: &[&str]) -> String {
    apt_commands(names).map(|command| format!("sudo apt-get {}", command.join(" "))).join(" && ")
}

/// Whether this process is root: it owns its own entry in `/proc`.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Whether sudo is there and asks for no password.
fn can_sudo() -> bool {
    Command::new("sudo")
        .args(["-n", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// apt-get without questions, waiting its turn where a fresh machine still updates itself.
const APT: &[&str] = &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300"];

/// Everything that the system must bring. The toolchain itself is there, or nobody would run this.
const PACKAGES: &[Package] = &[
    run("gcc", "compiles the C in aws-lc, SQLite and OpenH264", Proof::Program("gcc")),
    run("g++", "compiles the C++ in OpenH264", Proof::Program("g++")),
    run("nasm", "OpenH264's assembly: without it encoding is 2 to 4 times slower", Proof::Program("nasm")),
    run("xvfb", "the virtual display of a session", Proof::Program("Xvfb")),
    run("icewm", "the window manager of the virtual desktop", Proof::Program("icewm")),
    run("xterm", "a terminal on the virtual desktop", Proof::Program("xterm")),
    run("x11-apps", "a clock on the virtual desktop", Proof::Program("xclock")),
    run("fonts-dejavu-core", "letters on the virtual desktop", Proof::Font("DejaVuSans.ttf")),
    run("libxkbcommon-x11-0", "the keyboard of the client's window", Proof::Library("libxkbcommon-x11.so.0")),
    page("nodejs", "builds the console's page", Proof::Program("node")),
    page("npm", "installs what builds the console's page", Proof::Program("npm")),
    test("chromium", "the browser that tests the console's page", Proof::OneOf(BROWSERS)),
    test(
        "python3-venv",
        "a place for schemathesis, which tests the console's API",
        Proof::PythonModule("ensurepip"),
    ),
    test("iproute2", "networks of their own for end-to-end tests", Proof::Program("ip")),
    test("avahi-utils", "looks at adverts with other eyes than ours", Proof::Program("avahi-browse")),
    test("avahi-daemon", "what avahi-browse asks", Proof::Program("avahi-daemon")),
    test("dbus", "how avahi-browse asks", Proof::Program("dbus-daemon")),
    test("xdotool", "types and clicks in tests", Proof::Program("xdotool")),
    // What it draws by comes with xvfb.
    test("libegl1", "OpenGL for the client's window, without a GPU", Proof::Library("libEGL_mesa.so.0")),
    test("libwayland-egl1", "the same on Wayland", Proof::Library("libwayland-egl.so.1")),
    test("tigervnc-standalone-server", "a display that can be resized", Proof::Program("Xtigervnc")),
    test("sway", "a Wayland compositor", Proof::Program("sway")),
    test("wev", "sees keys and pointer on Wayland with other eyes than ours", Proof::Program("wev")),
    test("xwayland", "an X display that is a compositor's", Proof::Program("Xwayland")),
    test("pulseaudio", "a sound server", Proof::Program("pulseaudio")),
    test("pulseaudio-utils", "plays and looks at sound with other ears than ours", Proof::Program("pactl")),
    test("pipewire", "another sound server", Proof::Program("pipewire")),
    test("pipewire-pulse", "how PipeWire speaks as PulseAudio does", Proof::Program("pipewire-pulse")),
    test("wireplumber", "what tells PipeWire where sound goes", Proof::Program("wireplumber")),
    // The name of the library as compilers look for it, which the library alone does not bring.
    test("libx264-dev", "the other encoder, behind a feature", Proof::Library("libx264.so ")),
    test("git", "lists the files that tidy reads", Proof::Program("git")),
];

/// What Punktfunk is measured beside, and how the machines for that are made.
const PEERS: &[Package] = &[
    test("iproute2", "machines of their own for measured programs", Proof::Program("ip")),
    test("tigervnc-standalone-server", "a VNC server that is an X server", Proof::Program("Xtigervnc")),
    test("tigervnc-scraping-server", "a VNC server that mirrors one", Proof::Program("X0tigervnc")),
    test("tigervnc-viewer", "the client of both", Proof::Program("xtigervncviewer")),
    test(
        "freerdp2-shadow-x11",
        "an RDP server that mirrors an X server",
        Proof::Program("freerdp-shadow-cli"),
    ),
    test("freerdp2-x11", "its client", Proof::Program("xfreerdp")),
    test("xpra", "another server that mirrors one, and its client", Proof::Program("xpra")),
    test("python3-pil", "how xpra packs pictures", Proof::Dpkg("python3-pil")),
    test("python3-gi-cairo", "how xpra shows them", Proof::Dpkg("python3-gi-cairo")),
];

/// Browsers of Chromium's family, the better known to these tests first.
pub(crate) const BROWSERS: &[&str] =
    &["chromium", "google-chrome-stable", "google-chrome", "chromium-browser"];

/// What cargo must bring, for tests only.
const TOOLS: &[Tool] = &[
    Tool { name: "cargo-nextest", why: "runs the tests" },
    Tool { name: "cargo-deny", why: "checks licences, bans and sources of dependencies" },
];

const fn run(name: &'static str, why: &'static str, proof: Proof) -> Package {
    Package { name, why, needed_for: Purpose::Run, proof }
}

const fn page(name: &'static str, why: &'static str, proof: Proof) -> Package {
    Package { name, why, needed_for: Purpose::Page, proof }
}

const fn test(name: &'static str, why: &'static str, proof: Proof) -> Package {
    Package { name, why, needed_for: Purpose::Test, proof }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(packages: &[&Package]) -> Vec<&'static str> {
        packages.iter().map(|package| package.name).collect()
    }

    #[test]
    fn nothing_is_missing_where_all_is_there() {
        assert!(missing(Purpose::Test, |_| true).is_empty());
        install_packages(&[]).unwrap();
    }

    #[test]
    fn only_what_is_missing_is_asked_for() {
        let all_but_nasm = |proof| !matches!(proof, Proof::Program("nasm"));
        assert_eq!(names(&missing(Purpose::Run, all_but_nasm)), ["nasm"]);
        let no_git = |proof| !matches!(proof, Proof::Program("git"));
        assert_eq!(names(&missing(Purpose::Run, no_git)), [""; 0]);
        assert_eq!(names(&missing(Purpose::Test, no_git)), ["git"]);
    }

    #[test]
    fn tests_need_all_that_running_needs() {
        let run = names(&missing(Purpose::Run, |_| false));
        let test = names(&missing(Purpose::Test, |_| false));
        assert!(run.iter().all(|name| test.contains(name)));
        assert!(run.len() < test.len());
        assert!(!run.contains(&"nodejs"), "a host is built and run without node");
    }

    #[test]
    fn the_command_for_a_person_is_whole() {
        assert_eq!(
            by_hand(&["nasm", "xvfb"]),
            "sudo apt-get update && sudo apt-get install -y --no-install-recommends nasm xvfb"
        );
    }

    #[test]
    fn proofs_tell_here_from_not_here() {
        assert!(Proof::Program("sh").holds());
        assert!(!Proof::Program("no-such-program").holds());
        assert!(Proof::OneOf(&["no-such-program", "sh"]).holds());
        assert!(!Proof::OneOf(&["no-such-program"]).holds());
        assert!(!Proof::PythonModule("no_such_module").holds());
        assert!(Proof::Library("libc.so.6").holds());
        assert!(!Proof::Library("libnosuch.so.9").holds());
        let fonts = tempfile::tempdir().unwrap();
        fs::create_dir_all(fonts.path().join("truetype/dejavu")).unwrap();
        assert!(!is_below(fonts.path(), "A.ttf"));
        fs::write(fonts.path().join("truetype/dejavu/A.ttf"), "").unwrap();
        assert!(is_below(fonts.path(), "A.ttf"));
    }
}
