//! The command line: what can be asked of the host, and what each word means.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, Parser, Subcommand};
use pf_base::{DEFAULT_PORT, DeviceName, Fingerprint, PinDigits};
use pf_desktop::SourceKind;
use pf_trust::record::AuditKind;

/// Streams this machine's desktop to devices that its owner let in.
#[derive(Parser)]
#[command(name = "punktfunk-host", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the host. Pairing is armed by its owner only: in the console or with `punktfunk-host ctl arm`, never by a
    /// flag.
    Serve(Serve),
    /// Run the native plane alone, for tests: pairing is always armed, and the PIN is printed.
    M3Host(M3Host),
    /// Control the running host over its local socket: arm, approve, name, remove, and watch.
    Ctl(Ctl),
    /// Print the `OpenAPI` document of the console's API.
    Openapi,
}

#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) host: HostOptions,
    /// Let unpaired devices in as guests (trust on first use). Clients cannot detect an impostor then.
    #[arg(long)]
    pub(crate) open: bool,
    #[command(flatten)]
    pub(crate) console: ConsoleOptions,
}

/// How the owner's browser gets at the host.
#[derive(Args)]
pub(crate) struct ConsoleOptions {
    /// Run without the console in the browser: everything is `punktfunk-host ctl` then.
    #[arg(long, conflicts_with_all = ["console_bind", "console_public", "console_cert", "console_name"])]
    pub(crate) no_console: bool,
    /// The address, and the TCP port where it is another one, that the console listens on. Default: as the stream.
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = console_bind)]
    pub(crate) console_bind: Option<ConsoleBind>,
    /// Let browsers in from everywhere, and not from this machine and private networks alone.
    #[arg(long)]
    pub(crate) console_public: bool,
    /// A certificate for the console, with those that it is signed by, as PEM. Default: the host's own.
    #[arg(long, value_name = "FILE", requires = "console_key")]
    pub(crate) console_cert: Option<PathBuf>,
    /// The key of that certificate, as PEM.
    #[arg(long, value_name = "FILE", requires = "console_cert")]
    pub(crate) console_key: Option<PathBuf>,
    /// One more name that browsers reach this host by; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) console_name: Vec<String>,
}

/// Where the console listens, as far as the owner says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConsoleBind {
    pub(crate) address: IpAddr,
    pub(crate) port: Option<u16>,
}

#[derive(Args)]
pub(crate) struct M3Host {
    #[command(flatten)]
    pub(crate) host: HostOptions,
    /// Let unpaired devices in as guests (trust on first use). Clients cannot detect an impostor then.
    #[arg(long, conflicts_with = "require_pairing")]
    pub(crate) allow_tofu: bool,
    /// Accepted; pairing is always allowed here already.
    #[arg(long)]
    allow_pairing: bool,
    /// Accepted; pairing is required already, unless `--allow-tofu` is given.
    #[arg(long)]
    require_pairing: bool,
}

/// What every way of running the host takes.
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct HostOptions {
    /// Accepted; the native plane is always on already.
    #[arg(long)]
    native: bool,
    /// The UDP port to stream on; 0 for any free one.
    #[arg(long, default_value_t = DEFAULT_PORT)]
    pub(crate) port: u16,
    /// Listen on this address only. Default: all of them, IPv4 and IPv6.
    #[arg(long, value_name = "ADDR")]
    pub(crate) bind: Option<IpAddr>,
    /// Where the pictures come from: `auto`, `synthetic`, `x11` (mirrors `$DISPLAY`), `wayland` (mirrors an output of
    /// `$WAYLAND_DISPLAY`) or `virtual` (an X display of its own for each session).
    #[arg(long, default_value = "auto", value_name = "SOURCE")]
    pub(crate) source: SourceKind,
    /// Which output of a Wayland compositor to mirror, such as `DP-1`. Default: the first one.
    #[arg(long, value_name = "NAME")]
    pub(crate) output: Option<String>,
    /// What to run in each virtual display, as a shell command.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) command: Option<String>,
    /// Where identity, devices and the audit log are kept. Default: `$XDG_DATA_HOME/punktfunk-host`.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Do not advertise on the network; clients then need the address.
    #[arg(long)]
    pub(crate) no_mdns: bool,
    /// How many digits a PIN has, 4 to 10.
    #[arg(long, value_name = "N", default_value = "4", value_parser = pin_digits)]
    pub(crate) pin_digits: PinDigits,
    /// What clients see this host called. Default: the machine's name.
    #[arg(long, value_parser = device_name)]
    pub(crate) name: Option<DeviceName>,
    /// Go back to the newest copy of the store that verifies; the broken files are set aside, not deleted.
    #[arg(long)]
    pub(crate) restore: bool,
    /// Print one JSON object on stdout once the host is up, and all else on stderr.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Ctl {
    /// The data directory of the host to control. Default: `$XDG_DATA_HOME/punktfunk-host`.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Print JSON: one object on stdout, for `watch` one a line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: CtlCommand,
}

#[derive(Subcommand)]
pub(crate) enum CtlCommand {
    /// Show fingerprint, ports, policy, the pairing window, and how the last one ended.
    Status,
    /// Open a pairing window and show its PIN. One device, one guess.
    Arm {
        /// Only for this device: the number of its waiting request, or its fingerprint. Nobody else can try then.
        #[arg(long = "for", value_name = "REQUEST|FINGERPRINT")]
        target: Option<String>,
        /// How long the window is open, in seconds: at most 300. Default: 120.
        #[arg(long, value_name = "S", value_parser = window_seconds)]
        ttl: Option<Duration>,
    },
    /// Close the pairing window.
    Disarm,
    /// List the devices that wait for approval, each with its check code.
    Requests,
    /// Let a waiting device in, for good. Compare its check code first.
    Approve {
        /// The request's number, as in `requests`.
        #[arg(value_name = "ID")]
        request: u32,
        /// What to call the device.
        #[arg(long, value_name = "L", value_parser = device_name)]
        label: Option<DeviceName>,
    },
    /// Dismiss a waiting device. It may ask again.
    Deny {
        /// The request's number, as in `requests`.
        #[arg(value_name = "ID")]
        request: u32,
    },
    /// List the paired devices.
    Devices,
    /// Rename a paired device.
    Rename {
        /// Its fingerprint: whole, or its first 8 digits or more where no other begins so.
        #[arg(value_name = "FP")]
        fingerprint: String,
        /// Its new label.
        #[arg(value_parser = device_name)]
        label: DeviceName,
    },
    /// Remove a paired device. Its sessions are cut at once, and it stays out.
    Remove {
        /// Its fingerprint: whole, or its first 8 digits or more where no other begins so.
        #[arg(value_name = "FP")]
        fingerprint: String,
    },
    /// List the sessions that are on.
    Sessions,
    /// End one session. Its device stays paired and may come back; `remove` keeps it out.
    EndSession {
        /// The session's number, as in `sessions`.
        #[arg(value_name = "ID")]
        session: u64,
    },
    /// Show the audit log, newest first.
    Audit {
        /// How many entries, 1 to 1000.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Only entries older than this number.
        #[arg(long, value_name = "ID")]
        before: Option<u64>,
        /// Only entries of this kind: the word that `audit --json` shows as `event`.
        #[arg(long, value_name = "EVENT", value_parser = audit_kind)]
        kind: Option<AuditKind>,
        /// Only entries about this device: its whole fingerprint, or the beginning of a paired one's.
        #[arg(long, value_name = "FP")]
        device: Option<String>,
    },
    /// Show trust events as they happen, until interrupted.
    Watch,
    /// Make a link that signs in to the console once, and show the console's address.
    ConsoleUrl,
    /// Set another password for the console. Everybody is signed out.
    #[command(group = clap::ArgGroup::new("how").required(true))]
    ConsolePassword {
        /// Make one, and show it.
        #[arg(long, group = "how")]
        reset: bool,
        /// Read one from standard input: 10 to 128 characters on one line.
        #[arg(long, group = "how")]
        stdin: bool,
    },
    /// List who is signed in to the console.
    SignIns,
    /// End a sign-in to the console.
    EndSignIn {
        /// The sign-in's number, as in `sign-ins`.
        #[arg(value_name = "ID")]
        sign_in: u64,
    },
}

fn console_bind(text: &str) -> Result<ConsoleBind, String> {
    let with_port = |address: SocketAddr| ConsoleBind { address: address.ip(), port: Some(address.port()) };
    let without_port = |address| ConsoleBind { address, port: None };
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    text.parse()
        .map(with_port)
        .or_else(|_| bare.parse().map(without_port))
        .map_err(|_| "an address is like 192.168.1.4, 192.168.1.4:9778 or [::]:9778".to_owned())
}

fn pin_digits(text: &str) -> Result<PinDigits, String> {
    text.parse().ok().and_then(PinDigits::new).ok_or_else(|| "a PIN has 4 to 10 digits".to_owned())
}

fn device_name(text: &str) -> Result<DeviceName, String> {
    let name = DeviceName::sanitise(text);
    if name.as_str() == DeviceName::UNNAMED {
        Err("nothing of this name can be shown".to_owned())
    } else {
        Ok(name)
    }
}

fn audit_kind(text: &str) -> Result<AuditKind, String> {
    // The number that goes with one of the words plays no part.
    AuditKind::from_word(text, Some(1)).ok_or_else(|| {
        let known: Vec<_> = AuditKind::words().collect();
        format!("there are {}", known.join(", "))
    })
}

fn window_seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=300) => Ok(Duration::from_secs(seconds)),
        _ => Err("a window is open for 1 to 300 seconds".to_owned()),
    }
}

/// How a person names a device: by its fingerprint, or the beginning of it.
pub(crate) fn is_fingerprint_of(text: &str, fingerprint: Fingerprint) -> bool {
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | ':' | '-')).collect();
    digits.len() >= 8 && fingerprint.hex().starts_with(&digits.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_console_binds_to_an_address_with_a_port_or_without() {
        let bind = |address: &str, port| Ok(ConsoleBind { address: address.parse().unwrap(), port });
        assert_eq!(console_bind("192.168.1.4"), bind("192.168.1.4", None));
        assert_eq!(console_bind("192.168.1.4:9778"), bind("192.168.1.4", Some(9778)));
        assert_eq!(console_bind("::1"), bind("::1", None));
        assert_eq!(console_bind("[::1]"), bind("::1", None));
        assert_eq!(console_bind("[::]:9778"), bind("::", Some(9778)));
        for wrong in ["", "9778", "desk", "desk:9778", "192.168.1.4:", "192.168.1.4:99999"] {
            assert!(console_bind(wrong).is_err(), "{wrong}");
        }
    }
}
