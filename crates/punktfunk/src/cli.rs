//! The command line: what can be asked of the client, and what each word means.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use pf_base::{DeviceName, Pin};
use pf_media::picture::Size;
use pf_proto::session::SoundWish;

use crate::{
    link::{Link, LinkError},
    script::{Script, Slip},
    settings::{self, GrabKeyboard, Level, StreamSize},
};

/// Shows the desktop of a host on the local network; without a command, in the app. HOST is a name from `discover` or `hosts`, or `address[:port]`.
#[derive(Parser)]
#[command(name = "punktfunk", version, propagate_version = true)]
pub(crate) struct Cli {
    /// Where this client's identity and known hosts are kept. Default: `$XDG_DATA_HOME/punktfunk`.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Print one JSON object on stdout, and all else on stderr.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What hosts see this client called. Default: the machine's name.
    #[arg(long, global = true, value_parser = device_name)]
    pub(crate) name: Option<DeviceName>,
    /// First go back to the newest copies of the store and identity that verify, where they are broken; the broken
    /// files are set aside, not deleted.
    #[arg(long, global = true)]
    pub(crate) restore: bool,
    /// Without one, the app opens.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the hosts that advertise themselves on the network.
    Discover {
        /// How long to look, in seconds.
        #[arg(long, value_name = "S", default_value = "3", value_parser = clap::value_parser!(u64).range(1..=60))]
        seconds: u64,
    },
    /// List the hosts that this client knows.
    Hosts,
    /// Pair with a host by the PIN that it shows. One device, one guess.
    Pair {
        /// The host.
        host: String,
        /// The PIN; asked for on the terminal when not given.
        #[arg(long, value_name = "N", value_parser = pin)]
        pin: Option<Pin>,
    },
    /// Ask a host's owner for access, and wait for the answer.
    Request {
        /// The host.
        host: String,
    },
    /// Show a host's desktop. A host that is not paired gets a request for access. What no option says is taken from
    /// settings.toml, but with --headless.
    Connect(Connect),
    /// Open a link, `punktfunk://connect/HOST`: the desktop of a paired host, in the app. No link pairs or trusts.
    Open {
        /// The link. Without one, as from a desktop's menu, the app opens.
        #[arg(value_parser = link)]
        link: Option<Link>,
    },
    /// Call a known host by a name of your own.
    Rename {
        /// The host.
        host: String,
        /// What to call it from now on, here only.
        #[arg(value_name = "NAME", value_parser = device_name)]
        label: DeviceName,
    },
    /// Wake a sleeping host by Wake-on-LAN, once it was connected to while it was paired.
    Wake {
        /// The host.
        host: String,
        /// Send to this address and not by broadcasts: the broadcast address of a network that this machine is not on.
        #[arg(long, value_name = "ADDRESS:PORT")]
        to: Option<SocketAddr>,
    },
    /// Forget a host. Should it come back, it must be paired by PIN.
    Forget {
        /// The host.
        host: String,
    },
    /// Show this client's own fingerprint.
    Identity,
}

#[derive(Args)]
pub(crate) struct Connect {
    /// The host.
    pub(crate) host: String,
    /// Open no window: receive and decode only.
    #[arg(long)]
    pub(crate) headless: bool,
    /// Stop after this many pictures.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) frames: Option<u64>,
    /// Stop this many seconds after the first picture.
    #[arg(long, value_name = "S", conflicts_with = "frames", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: Option<u64>,
    /// Write the video to this file as it comes, as an H.264 stream.
    #[arg(long, value_name = "FILE.h264")]
    pub(crate) save: Option<PathBuf>,
    /// If the host is not paired: wait for its owner's approval, and go on to the picture.
    #[arg(long, conflicts_with = "trust_first_use")]
    pub(crate) wait: bool,
    /// Answer yes where a host offers trust on first use: the weaker way, which cannot detect an impostor.
    #[arg(long)]
    pub(crate) trust_first_use: bool,
    /// The size to ask for, where the host can choose it, and to stay at; or `window`: the screen's size at first, and then
    /// the window's. Default: `window`; without one 1280x720.
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = size)]
    pub(crate) size: Option<StreamSize>,
    /// The most pictures a second. Default: 60.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=120))]
    pub(crate) fps: Option<u32>,
    /// The most to receive, in megabits a second. Default: 15.
    #[arg(long, value_name = "MBIT", value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) bitrate: Option<u32>,
    /// Whether to play the host's sound. `10ms` is 10 ms later than `on`, and takes less of a thin link. Default: `on` in a
    /// window, `off` without.
    #[arg(long, value_name = "on|off|10ms", value_parser = sound)]
    pub(crate) sound: Option<SoundWish>,
    /// Do what this file says at the host; without --frames or --seconds, stop when it is done.
    #[arg(long, value_name = "FILE", requires = "headless", value_parser = script)]
    pub(crate) input_script: Option<Script>,
    /// Open the window over the whole screen, or not. Ctrl+Alt+Shift+X changes that. Default: `false`.
    #[arg(long, conflicts_with = "headless", value_name = "true|false", num_args = 0..=1, require_equals = true,
        default_missing_value = "true")]
    pub(crate) fullscreen: Option<bool>,
    /// When the desktop's own keys, such as Alt+Tab, go to the host. Linux only. Default: `full_screen`.
    #[arg(long, conflicts_with = "headless", value_name = "full_screen|always|never", value_parser = grab_keyboard)]
    pub(crate) grab_keyboard: Option<GrabKeyboard>,
    /// What to show over the picture of how it comes. Ctrl+Alt+Shift+S shows the next. Default: `off`.
    #[arg(long, conflicts_with = "headless", value_name = "off|short|full", value_parser = overlay)]
    pub(crate) overlay: Option<Level>,
}

fn sound(text: &str) -> Result<SoundWish, String> {
    settings::sound(text).ok_or_else(|| "it is on, off or 10ms".to_owned())
}

fn link(text: &str) -> Result<Link, String> {
    text.parse().map_err(|error: LinkError| error.to_string())
}

fn script(path: &str) -> Result<Script, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("it cannot be read: {error}"))?;
    text.parse().map_err(|slip: Slip| slip.to_string())
}

fn pin(text: &str) -> Result<Pin, String> {
    // The text itself stays out of the message: it may be a PIN with a slip in it.
    Pin::parse(text).map_err(|error| error.to_string())
}

fn device_name(text: &str) -> Result<DeviceName, String> {
    let name = DeviceName::sanitise(text);
    if name.as_str() == DeviceName::UNNAMED {
        Err("nothing of this name can be shown".to_owned())
    } else {
        Ok(name)
    }
}

fn size(text: &str) -> Result<StreamSize, String> {
    settings::size(text)
        .ok_or_else(|| format!("a size is `window`, or like 1280x720, each side at most {}", Size::MAX_SIDE))
}

fn grab_keyboard(text: &str) -> Result<GrabKeyboard, String> {
    settings::grab_keyboard(text).ok_or_else(|| "it is full_screen, always or never".to_owned())
}

fn overlay(text: &str) -> Result<Level, String> {
    settings::level(text).ok_or_else(|| "it is off, short or full".to_owned())
}
