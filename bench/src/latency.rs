//! Glass to glass: Punktfunk, and what a user would take instead, in turns, on the same desktop.

use std::{fmt::Write as _, net::Ipv4Addr, thread, time::Duration};

use anyhow::{Context as _, Result};
use pf_lab::Namespace;
use pf_media::picture::Size;

use crate::{
    format::Format,
    glass::{Painter, Scene, Seen, Watcher},
    peer::{Ask, Peer, Scenery, Show},
    plot::{Row, Spread},
    process::{cpu_time_of_all, received},
    program::Place,
    report::{Plot, Section},
    table::percentile,
    x_server::XServer,
};

/// What is compared, how often and for how long each time.
pub(crate) struct Plan {
    pub(crate) peers: Vec<Peer>,
    pub(crate) scenes: Vec<Scene>,
    pub(crate) rounds: u32,
    pub(crate) seconds: u64,
}

/// What is compared when nobody says.
pub(crate) const SCENES: [Scene; 2] = [Scene::Desktop, Scene::Panning];

/// What is aimed at: the p50 that is to be reached, where there is one.
fn aim(format: Format, scene: Scene) -> Option<Duration> {
    match scene {
        Scene::Desktop if format == Format::HD_60 => Some(Duration::from_millis(10)),
        Scene::Panning if format == Format::HD_60 => Some(Duration::from_millis(14)),
        Scene::Desktop | Scene::Panning | Scene::Grain => None,
    }
}

/// What one that follows a rate may take, in megabits a second.
pub(crate) const MEGABITS: u32 = 20;

pub(crate) fn measure(plan: &Plan) -> Result<Section> {
    let mut peers = plan.peers.clone();
    let mut text = String::new();
    peers.retain(|peer| match peer.lacks() {
        None => true,
        Some(lacks) => {
            eprintln!("{} is left out: {lacks}", peer.name());
            _ = writeln!(text, "{} was left out: {lacks}.\n", peer.name());
            false
        }
    });
    let mut plots = Vec::new();
    let formats = [Format::HD_60, Format::FULL_HD_30];
    for (format, scene) in formats.into_iter().flat_map(|f| plan.scenes.iter().map(move |&scene| (f, scene)))
    {
        let floor = floor(format, scene, plan.seconds)?;
        let mut results: Vec<(Peer, Vec<Run>)> = peers.iter().map(|&peer| (peer, Vec::new())).collect();
        for round in 1..=plan.rounds {
            for (peer, runs) in &mut results {
                eprintln!("{} {}: {}, round {round}", format.name, scene.name(), peer.name());
                match run(*peer, format, scene, plan.seconds) {
                    Ok(run) => runs.push(run),
                    Err(error) => eprintln!("{}: {error:#}", peer.name()),
                }
            }
        }
        let failures = failures(&results, plan.rounds);
        let results: Vec<_> = results
            .into_iter()
            .map(|(peer, runs)| (peer, (!runs.is_empty()).then(|| Run::median(&runs))))
            .collect();
        _ = write!(text, "{}", table(format, scene, &floor, &results));
        _ = writeln!(text, "\n{}{failures}\n", verdict(aim(format, scene), format, &results));
        plots.push(plot(format, scene, &results));
    }
    Ok(Section { name: "latency", text, plots })
}

/// What was measured in one run.
#[derive(Clone, Debug)]
struct Run {
    p50: Duration,
    p95: Duration,
    p99: Duration,
    fps: f64,
    /// Shares of a processor: the server, its display, the client, its display.
    cpu: [Option<f64>; 4],
    megabits: f64,
}

impl Run {
    /// Of each figure the median.
    fn median(runs: &[Self]) -> Self {
        let time = |of: fn(&Self) -> Duration| percentile(&mut runs.iter().map(of).collect::<Vec<_>>(), 50);
        let number = |of: &dyn Fn(&Self) -> Option<f64>| {
            let mut numbers: Vec<_> = runs.iter().filter_map(of).collect();
            numbers.sort_unstable_by(f64::total_cmp);
            numbers.get(numbers.len() / 2).copied()
        };
        Self {
            p50: time(|run| run.p50),
            p95: time(|run| run.p95),
            p99: time(|run| run.p99),
            fps: number(&|run| Some(run.fps)).unwrap_or_default(),
            cpu: [0, 1, 2, 3].map(|which| number(&|run| run.cpu[which])),
            megabits: number(&|run| Some(run.megabits)).unwrap_or_default(),
        }
    }
}

/// One peer, one scene, one time.
fn run(peer: Peer, format: Format, scene: Scene, seconds: u64) -> Result<Run> {
    let namespace = Namespace::new("glass")?;
    let screen = XServer::xvfb(screen_for(format.size))?;
    let place = Place::In(&namespace);
    let scenery = Scenery { host: place, address: Ipv4Addr::LOCALHOST, client: place, screen: &screen };
    let ask = Ask { size: format.size, fps: format.fps, megabits: MEGABITS };
    let (mut show, _painter) =
        peer.show(scenery, ask, |display| Painter::start(display, scene, format.fps))?;
    let mut watcher = await_picture(&screen, &mut show)?;
    let before = Spent::until_now(&show, &screen)?;
    let seen = watcher.watch(Duration::from_secs(seconds))?;
    show.check()?;
    let spent = Spent::until_now(&show, &screen)?.since(&before);
    let mut latencies = seen.latencies();
    anyhow::ensure!(!latencies.is_empty(), "its picture stands still");
    Ok(Run {
        p50: percentile(&mut latencies, 50),
        p95: percentile(&mut latencies, 95),
        p99: percentile(&mut latencies, 99),
        fps: seen.fps(),
        cpu: spent.cpu.map(|cpu| cpu.map(|time| time.as_secs_f64() / seen.watched.as_secs_f64())),
        megabits: spent.bytes as f64 * 8e-6 / seen.watched.as_secs_f64(),
    })
}

/// Waits until the client shows the scene, and a while for it to settle.
pub(crate) fn await_picture(screen: &XServer, show: &mut Show) -> Result<Watcher> {
    let mut watcher = Watcher::open(screen.name())?;
    for patience in [FIRST_PICTURE, AFTER_SETTLING] {
        if let Err(error) = watcher.find(patience) {
            show.check()?;
            return Err(error.context(show.last_words()));
        }
        thread::sleep(SETTLE);
    }
    Ok(watcher)
}

/// A screen on which a window of that size has room, with what a client puts around it.
pub(crate) fn screen_for(size: Size) -> Size {
    Size::new(size.width + 64, size.height + 64)
}

/// What the tool sees of a scene where it is drawn.
pub(crate) fn floor(format: Format, scene: Scene, seconds: u64) -> Result<Seen> {
    let display = XServer::xvfb(format.size)?;
    let _painter = Painter::start(display.name(), scene, format.fps)?;
    let mut watcher = Watcher::open(display.name())?;
    watcher.find(FIRST_PICTURE)?;
    thread::sleep(SETTLE);
    watcher.watch(Duration::from_secs(seconds))
}

/// What has been spent on a picture.
struct Spent {
    cpu: [Option<Duration>; 4],
    bytes: u64,
}

impl Spent {
    fn until_now(show: &Show, screen: &XServer) -> Result<Self> {
        let processes =
            [Some(show.server_id()), show.display_id(), Some(show.viewer_id()), Some(screen.id())];
        let mut cpu = [None; 4];
        for (time, id) in cpu.iter_mut().zip(processes) {
            *time = id.map(cpu_time_of_all).transpose()?;
        }
        Ok(Self { cpu, bytes: received(show.server_id(), "lo").context("the server's network")? })
    }

    fn since(&self, before: &Self) -> Self {
        let cpu = [0, 1, 2, 3].map(|which| {
            self.cpu[which].zip(before.cpu[which]).map(|(now, before)| now.saturating_sub(before))
        });
        Self { cpu, bytes: self.bytes - before.bytes }
    }
}

fn table(format: Format, scene: Scene, floor: &Seen, results: &[(Peer, Option<Run>)]) -> String {
    let mut text = format!(
        "**{}, {}**\n\n| glass to glass | p50 | p95 | p99 | pictures/s | server | its display | client | its display | Mbit/s |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        format.name,
        scene.name()
    );
    for (peer, run) in results {
        let Some(run) = run else {
            _ = writeln!(text, "| {} | no picture | | | | | | | | |", peer.name());
            continue;
        };
        let cpu = run
            .cpu
            .map(|share| share.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", share * 100.0)));
        let [p50, p95, p99] = [run.p50, run.p95, run.p99].map(milliseconds);
        _ = writeln!(
            text,
            "| {} | {p50} | {p95} | {p99} | {:.1} | {} | {:.1} |",
            peer.name(),
            run.fps,
            cpu.join(" | "),
            run.megabits
        );
    }
    let mut latencies = floor.latencies();
    if !latencies.is_empty() {
        let [p50, p95, p99] = [50, 95, 99].map(|percent| milliseconds(percentile(&mut latencies, percent)));
        _ = writeln!(text, "| the tool itself | {p50} | {p95} | {p99} | {:.1} | | | | | |", floor.fps());
    }
    text
}

/// Who was not seen in every round: the medians are of the others.
fn failures(results: &[(Peer, Vec<Run>)], rounds: u32) -> String {
    let mut words = String::new();
    for (peer, runs) in results {
        let failed = rounds as usize - runs.len();
        if failed > 0 {
            _ = write!(words, " {} failed in {failed} of {rounds} rounds.", peer.name());
        }
    }
    words
}

/// How it stands: by its own aim, and beside the others.
fn verdict(aim: Option<Duration>, format: Format, results: &[(Peer, Option<Run>)]) -> String {
    let found = |ours: bool| {
        results
            .iter()
            .filter(move |(peer, _)| (*peer == Peer::Punktfunk) == ours)
            .filter_map(|(peer, run)| Some((peer, run.as_ref()?)))
    };
    let Some((_, ours)) = found(true).next() else { return "Punktfunk was not measured.".to_owned() };
    let met = |is_met: bool| if is_met { "met" } else { "missed" };
    let mut words = String::new();
    if let Some(aim) = aim {
        let holds_its_rates =
            ours.fps >= f64::from(format.fps.get()) * HELD && ours.megabits <= f64::from(MEGABITS);
        _ = write!(
            words,
            "Aim: p50 ≤ {} ms, {} pictures a second, at most {MEGABITS} Mbit/s: {}. ",
            aim.as_millis(),
            format.fps,
            met(ours.p50 <= aim && holds_its_rates)
        );
    }
    let rivals: Vec<(&Peer, &Run)> = found(false).collect();
    let is_ahead = rivals.iter().all(|(_, theirs)| ours.p50 < theirs.p50 && ours.fps >= theirs.fps * HELD);
    let stand = if rivals.is_empty() { "nobody to compare with" } else { met(is_ahead) };
    _ = write!(words, "Aim: ahead of every peer: {stand}.");
    for (peer, theirs) in rivals {
        let ratio = theirs.p50.as_secs_f64() / ours.p50.as_secs_f64();
        _ = write!(
            words,
            " {}: {ratio:.2} × our p50, {:.1} × our rate of pictures.",
            peer.name(),
            theirs.fps / ours.fps
        );
    }
    words
}

fn plot(format: Format, scene: Scene, results: &[(Peer, Option<Run>)]) -> Plot {
    let rows = results.iter().filter_map(|(peer, run)| {
        let run = run.as_ref()?;
        let [p50, p95, p99] = [run.p50, run.p95, run.p99].map(|time| time.as_secs_f64() * 1000.0);
        Some(Row { label: peer.name().to_owned(), p50, p95, p99, is_ours: *peer == Peer::Punktfunk })
    });
    let title = format!("Glass to glass, {}, {}", format.name, scene.name());
    let svg = Spread { title: title.clone(), unit: "ms", rows: rows.collect() }.svg();
    Plot { name: format!("latency-{}-{}", format.name, scene.name()), shows: title, svg }
}

pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// How much of its rate a stream may miss and still hold it: a picture a second is the measurement's own.
const HELD: f64 = 0.98;

/// How long a peer may take to its first picture.
pub(crate) const FIRST_PICTURE: Duration = Duration::from_secs(40);

/// And how long until there is one again that can be read.
const AFTER_SETTLING: Duration = Duration::from_secs(5);

/// How long a stream gets to find its rate.
pub(crate) const SETTLE: Duration = Duration::from_millis(1500);
