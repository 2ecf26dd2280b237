//! Several clients that watch one desktop: what the host spends for each more.

use std::{fmt::Write as _, net::Ipv4Addr, num::NonZeroU32, thread, time::Duration};

use anyhow::{Context as _, Result, anyhow};
use serde_json::Value;

use crate::{
    format::Format,
    glass::{Painter, Scene},
    host::Host,
    peer::Ask,
    process::{cpu_time, received},
    program::Place,
    report::Section,
    viewer::{self, Viewer},
    x_server::XServer,
};

/// How many watch at once.
const CROWDS: [usize; 4] = [1, 2, 4, 8];

/// So that eight decoders find room beside the host.
const FPS: NonZeroU32 = NonZeroU32::new(30).expect("30 is not 0");

const MEGABITS: u32 = 5;

pub(crate) fn measure(seconds: u64) -> Result<Section> {
    let Format { size, .. } = Format::HD_60;
    let display = XServer::xvfb(size)?;
    let _painter = Painter::start(display.name(), Scene::Desktop, FPS)?;
    let host = Host::mirroring(Place::Here, Ipv4Addr::LOCALHOST, display.name())?;
    let most = CROWDS.into_iter().max().unwrap_or_default();
    let viewers = (0..most).map(|_| Viewer::pair(&host)).collect::<Result<Vec<_>>>()?;
    let ask = Ask { size, fps: FPS, megabits: MEGABITS };
    let mut text =
        "| clients | host | of one | loopback | pictures/s, slowest client | latency p50, slowest client |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: |\n"
            .to_owned();
    let mut alone = None;
    for crowd in CROWDS {
        eprintln!("{crowd} clients");
        let (cpu, bytes) = (cpu_time(host.id())?, received(host.id(), "lo")?);
        let duration = seconds.to_string();
        let watched: Vec<_> = thread::scope(|scope| {
            let watching: Vec<_> = viewers[..crowd]
                .iter()
                .map(|viewer| {
                    scope.spawn(|| viewer::watch(viewer.headless(ask)?.args(["--seconds", &duration])))
                })
                .collect();
            watching
                .into_iter()
                .map(|thread| thread.join().map_err(|_| anyhow!("a client was not watched"))?)
                .collect::<Result<_>>()
        })?;
        let per_second = Duration::from_secs(seconds).as_secs_f64();
        let cpu = (cpu_time(host.id())?.saturating_sub(cpu)).as_secs_f64() / per_second;
        let megabits = (received(host.id(), "lo")? - bytes) as f64 * 8e-6 / per_second;
        let figures = |name: &str| -> Result<Vec<f64>> {
            let values = watched.iter().map(|watched| watched.said.pointer(name).and_then(Value::as_f64));
            values.map(|value| value.with_context(|| format!("no figure {name}"))).collect()
        };
        let fps = figures("/fps")?.into_iter().fold(f64::INFINITY, f64::min);
        let latency = figures("/latency_ms/total/p50")?.into_iter().fold(0.0, f64::max);
        let of_one = cpu / *alone.get_or_insert(cpu);
        _ = writeln!(
            text,
            "| {crowd} | {:.0} % | {of_one:.2} × | {megabits:.1} Mbit/s | {fps:.1} | {latency:.1} ms |",
            cpu * 100.0
        );
    }
    _ = writeln!(
        text,
        "\n720p30, desktop, at most {MEGABITS} Mbit/s for each; every client decodes on the same machine. *Loopback* is \
         all that the machine sends itself."
    );
    Ok(Section { name: "clients", text, plots: Vec::new() })
}
