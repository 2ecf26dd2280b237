//! The stream: how soon the first picture, how late each, and at what cost.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{
    codec::Bare,
    format::Format,
    glass::{Painter, Scene},
    host::Host,
    peer::Ask,
    process::cpu_time,
    program::Place,
    table::{Table, percentile},
    viewer::{self, Viewer, Watched},
    x_server::XServer,
};

/// What is measured.
const TESTS: [(Format, Aims); 2] = [
    (Format::HD_60, Aims { first: "≤ 100 ms", latency: "≤ 15 ms", host: "ratio ≤ 1.25" }),
    (Format::FULL_HD_30, Aims { first: "", latency: "", host: "" }),
];

/// What is aimed at.
#[derive(Clone, Copy)]
struct Aims {
    first: &'static str,
    latency: &'static str,
    host: &'static str,
}

/// How often a first picture is waited for.
const FIRST_PICTURES: usize = 15;

/// How long the steady stream is watched, in seconds.
const WATCHED: &str = "10";

/// How many pictures the baseline encodes and decodes.
const BARE_PICTURES: u32 = 300;

/// What both encoders are asked for, in megabits a second.
const MEGABITS: u32 = 15;

pub(crate) fn measure(table: &mut Table) -> Result<()> {
    for (format, aims) in TESTS {
        measure_one(table, format, aims)?;
    }
    Ok(())
}

fn measure_one(table: &mut Table, format: Format, aims: Aims) -> Result<()> {
    let Format { name, size, fps } = format;
    let screen = XServer::xvfb(size)?;
    let _painter = Painter::start(screen.name(), Scene::Desktop, fps)?;
    let host = Host::mirroring(Place::Here, Ipv4Addr::LOCALHOST, screen.name())?;
    let viewer = Viewer::pair(&host)?;
    let ask = Ask { size, fps, megabits: MEGABITS };
    let (mut firsts, mut bare_firsts) = (Vec::new(), Vec::new());
    for _ in 0..FIRST_PICTURES {
        let said = viewer::watch(viewer.headless(ask)?.args(["--frames", "1"]))?.said;
        firsts.push(milliseconds(&said["first_frame_ms"])?);
        let started = Instant::now();
        Bare::open(screen.name(), format, MEGABITS)?.picture()?;
        bare_firsts.push(started.elapsed());
    }
    let first = percentile(&mut firsts, 50);
    table.time(
        format!("dial to first picture, {name} (p50)"),
        first,
        percentile(&mut bare_firsts, 50),
        aims.first,
    );

    let host_before = cpu_time(host.id())?;
    let Watched { said, cpu } = viewer::watch(viewer.headless(ask)?.args(["--seconds", WATCHED]))?;
    let host_cpu = cpu_time(host.id())?.saturating_sub(host_before);
    let mut bare = Bare::open(screen.name(), format, MEGABITS)?;
    let begun = Instant::now();
    let mut bare_latencies = (0..BARE_PICTURES).map(|_| bare.picture()).collect::<Result<Vec<_>>>()?;
    let bare_fps = f64::from(BARE_PICTURES) / begun.elapsed().as_secs_f64();
    // Latencies are of pictures that came: how many did belongs beside them.
    let came = said["fps"].as_f64().context("no rate of pictures")?;
    table.rate(format!("pictures decoded, {name}"), came, bare_fps);
    for (key, percent, aim) in [("p50", 50, aims.latency), ("p95", 95, ""), ("p99", 99, "")] {
        let latency = milliseconds(&said["latency_ms"]["total"][key])?;
        let baseline = percentile(&mut bare_latencies, percent);
        table.time(format!("capture to decoded, {name} ({key})"), latency, baseline, aim);
    }
    let frames = u32::try_from(said["frames"].as_u64().context("no frames")?)?;
    eprintln!("{name}: {} Mbit/s", said["bitrate_mbps"]);
    table.time(
        format!("processor time per picture, host, {name}"),
        host_cpu / frames,
        bare.encoding / BARE_PICTURES,
        aims.host,
    );
    table.time(
        format!("processor time per picture, client, {name}"),
        cpu / frames,
        bare.decoding / BARE_PICTURES,
        "",
    );
    Ok(())
}

/// A figure of the client's, which are in milliseconds.
pub(crate) fn milliseconds(value: &Value) -> Result<Duration> {
    Ok(Duration::from_secs_f64(value.as_f64().context("a figure is missing")? / 1000.0))
}
