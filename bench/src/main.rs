//! Measures Punktfunk's programs, and prints tables: against bare baselines of the same run, and against what a user
//! would take instead.
//!
//! A figure in milliseconds says more about the machine than about the program, so each stands beside what somebody else
//! needs for the same thing here and now: quinn for a handshake, the codec for a picture, a VNC server for a desktop.
//! `cargo xtask bench` builds everything for release first; the programs are taken from beside this one.
//!
//! This program also plays the other parts, in processes of their own: `bare-host`, `draw` and `answer`.

#![forbid(unsafe_code)]

mod app;
mod bare;
mod clients;
mod codec;
mod format;
mod glass;
mod host;
mod input;
mod latency;
mod link;
mod peer;
mod plot;
mod process;
mod program;
mod quality;
mod report;
mod soak;
mod stream;
mod table;
mod trust;
mod viewer;
mod x_server;

use std::{num::NonZeroU32, path::PathBuf, sync::atomic::AtomicBool};

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum as _};

use glass::Scene;
use host::Host;
use peer::Peer;
use report::Section;
use table::Table;

/// Measures Punktfunk.
#[derive(Parser)]
#[command(name = "pf-bench")]
struct Arguments {
    #[command(subcommand)]
    what: What,
    /// The folder of the book, to put tables and plots into.
    #[arg(long, global = true, value_name = "FOLDER")]
    docs: Option<PathBuf>,
    /// How long each stream is watched.
    #[arg(long, global = true, value_name = "S", default_value = "10")]
    #[arg(value_parser = clap::value_parser!(u64).range(4..))]
    seconds: u64,
}

#[derive(Subcommand)]
enum What {
    /// Pairing, dialling, refusing: beside bare handshakes.
    Trust,
    /// First picture, latency and cost of a stream: beside a bare codec.
    Stream,
    /// From the host's screen to the client's, with other programs in turns. Needs root.
    Latency {
        /// How often each is measured; the medians count.
        #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u32).range(1..))]
        rounds: u32,
        /// Only these.
        #[arg(long = "peer", value_name = "PEER", value_enum)]
        peers: Vec<Peer>,
        /// Only these.
        #[arg(long = "scene", value_name = "SCENE", value_enum)]
        scenes: Vec<Scene>,
    },
    /// Links that lose, delay and hold back. Needs root.
    Link,
    /// From a key at the client's window to the answer on its screen. Needs root.
    Input,
    /// The app in its window: how soon it is there, how late and at what cost its picture is. Needs root.
    App,
    /// One, two, four and eight clients on one desktop.
    Clients,
    /// A long stream, and both ends' memory.
    Soak {
        /// How long: the first minute, and a beginning and an end to compare.
        #[arg(long, value_name = "N", default_value = "30", value_parser = clap::value_parser!(u32).range(4..))]
        minutes: u32,
    },
    /// What encoders make of a desktop at a rate.
    #[command(name = quality::WORD)]
    Quality,
    /// Is the other end of a bare handshake.
    #[command(name = bare::WORD, hide = true)]
    BareHost,
    /// Is what moves on a display.
    #[command(name = glass::WORD, hide = true)]
    Draw { display: String, scene: Scene, fps: NonZeroU32 },
    /// Is what answers keys on a display.
    #[command(name = glass::ANSWER, hide = true)]
    Answer { display: String },
}

fn main() -> Result<()> {
    let Arguments { what, docs, seconds } = Arguments::parse();
    let publish = |section: Section| section.publish(docs.as_deref());
    if cfg!(debug_assertions) {
        eprintln!("This is a build for debugging: the ratios mean something, the rest does not.");
    }
    match what {
        What::Trust => publish(trust()?),
        What::Stream => publish(stream()?),
        What::Latency { rounds, peers, scenes } => publish(latency(seconds, rounds, peers, scenes)?),
        What::Link => publish(link::measure(seconds)?),
        What::Input => publish(input::measure(seconds)?),
        What::App => publish(app::measure(seconds)?),
        What::Clients => publish(clients::measure(seconds)?),
        What::Soak { minutes } => soak::run(minutes),
        What::Quality => publish(quality::measure()?),
        What::BareHost => bare::serve(),
        What::Answer { display } => glass::answer(&display),
        What::Draw { display, scene, fps } => glass::draw(&display, scene, fps, &AtomicBool::new(false)),
    }
}

fn trust() -> Result<Section> {
    let mut table = Table::new();
    let (bare, host) = (bare::BareHost::start()?, Host::synthetic()?);
    table.memory("idle memory of the host", process::memory(host.id())?, process::memory(bare.id())?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(trust::measure(&mut table, &host, &bare))?;
    Ok(Section { name: "trust", text: table.to_string(), plots: Vec::new() })
}

fn stream() -> Result<Section> {
    let mut table = Table::new();
    stream::measure(&mut table)?;
    Ok(Section { name: "stream", text: table.to_string(), plots: Vec::new() })
}

/// Of peers and scenes those that are named; the usual ones when none is.
fn latency(seconds: u64, rounds: u32, peers: Vec<Peer>, scenes: Vec<Scene>) -> Result<Section> {
    let peers = if peers.is_empty() { Peer::value_variants().to_vec() } else { peers };
    let scenes = if scenes.is_empty() { latency::SCENES.to_vec() } else { scenes };
    latency::measure(&latency::Plan { peers, scenes, rounds, seconds })
}
