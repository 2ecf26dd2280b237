//! Links that lose, delay and hold back: how many pictures are shown in time, and how soon a stream follows its link.
//!
//! Host and client are whole programs, each on a machine of its own; what they send each other goes through the
//! emulated link. The figures are the client's own, and those of the glass-to-glass tool.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use pf_lab::{Bottleneck, Network, Outages, Span};
use serde_json::Value;

use crate::{
    format::Format,
    glass::{Painter, Picture, Scene, Seen, clock},
    latency::{MEGABITS, await_picture, milliseconds, screen_for},
    peer::{Ask, Peer, Scenery},
    plot::{Panel, Timeline},
    program::Place,
    report::{Plot, Section},
    table::percentile,
    x_server::XServer,
};

/// A link that does not change, and which share of its pictures is to come in time.
struct Steady {
    name: &'static str,
    network: Network,
    aim: f64,
}

/// Half of the round trip of all links.
const DELAY: Duration = Duration::from_millis(10);

const STEADY: [Steady; 4] = [
    Steady { name: "no loss", network: CLEAN, aim: 99.5 },
    Steady { name: "5 % random loss", network: Network { loss: 0.05, ..CLEAN }, aim: 99.5 },
    Steady { name: "10 % random loss", network: Network { loss: 0.1, ..CLEAN }, aim: 98.0 },
    Steady {
        name: "8 packets in a row each second",
        network: Network { outages: Some(Outages { every: Duration::from_secs(1), packets: 8 }), ..CLEAN },
        aim: 99.0,
    },
];

const CLEAN: Network = Network { loss: 0.0, bursts: None, outages: None, delay: DELAY, bottleneck: None };

pub(crate) fn measure(seconds: u64) -> Result<Section> {
    let mut text = "| link, 20 ms round trip | scene | in time | aim | pictures/s | late | lost | loss | repaired | video | on the link | glass to glass p50 | p95 | p99 |\n\
         | --- | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        .to_owned();
    for steady in STEADY {
        for scene in [Scene::Desktop, Scene::Grain] {
            eprintln!("{}, {}", steady.name, scene.name());
            let duration = Duration::from_secs(seconds);
            let watched = watch(scene, steady.network, |_, watch| watch(duration))?;
            _ = writeln!(text, "{}", steady.row(scene, &watched)?);
        }
    }
    let (cut, plot) = cut(Duration::from_secs(seconds))?;
    text.push_str(&cut);
    Ok(Section { name: "link", text, plots: vec![plot] })
}

/// What the tool saw, what came through the link meanwhile, and what the client reports in the end.
struct Watched {
    seen: Seen,
    passed: Vec<(Duration, u64)>,
    report: Value,
}

/// Shows a scene over a link from the first packet on; with a picture there, calls `run` with the link and with what
/// watches the screen.
fn watch(
    scene: Scene,
    network: Network,
    run: impl FnOnce(&Span, &mut dyn FnMut(Duration) -> Result<Seen>) -> Result<Seen>,
) -> Result<Watched> {
    let format = Format::HD_60;
    let span = Span::new()?;
    span.set(network);
    let screen = XServer::xvfb(screen_for(format.size))?;
    let scenery = Scenery {
        host: Place::In(span.host()),
        address: Span::HOST,
        client: Place::In(span.client()),
        screen: &screen,
    };
    let ask = Ask { size: format.size, fps: format.fps, megabits: MEGABITS };
    let (mut show, _painter) =
        Peer::Punktfunk.show(scenery, ask, |display| Painter::start(display, scene, format.fps))?;
    let mut watcher = await_picture(&screen, &mut show)?;
    let over = AtomicBool::new(false);
    let (seen, passed) = thread::scope(|scope| {
        let counting = scope.spawn(|| count(&span, &over));
        let seen = run(&span, &mut |duration| watcher.watch(duration));
        over.store(true, Ordering::Relaxed);
        (seen, counting.join().unwrap_or_default())
    });
    show.check()?;
    let report = show.report()?;
    Ok(Watched { seen: seen?, passed, report })
}

/// How many bytes the link has let through, again and again.
fn count(span: &Span, over: &AtomicBool) -> Vec<(Duration, u64)> {
    let mut counts = Vec::new();
    while !over.load(Ordering::Relaxed) {
        counts.push((clock(), span.passed().bytes));
        thread::sleep(TICK);
    }
    counts
}

impl Steady {
    fn row(&self, scene: Scene, watched: &Watched) -> Result<String> {
        let figure = |name: &str| watched.report[name].as_f64().with_context(|| format!("no figure {name}"));
        let in_time = figure("frames_on_time")? / figure("frames_sent")?.max(1.0) * 100.0;
        let mut latencies = watched.seen.latencies();
        anyhow::ensure!(!latencies.is_empty(), "the picture stands still");
        let [p50, p95, p99] = [50, 95, 99].map(|percent| milliseconds(percentile(&mut latencies, percent)));
        let on_the_link = rate(&watched.passed, Duration::ZERO, Duration::MAX);
        Ok(format!(
            "| {} | {} | {in_time:.2} % | ≥ {} % | {:.1} | {} | {} | {:.1} % | {} | {:.1} Mbit/s | {on_the_link:.1} Mbit/s | {p50} | {p95} | {p99} |",
            self.name,
            scene.name(),
            self.aim,
            watched.seen.fps(),
            figure("frames_late")?,
            figure("frames_lost")?,
            figure("loss_percent")?,
            figure("repaired")?,
            figure("bitrate_mbps")?,
        ))
    }
}

/// A link that is cut to a fifth for a while.
fn cut(phase: Duration) -> Result<(String, Plot)> {
    eprintln!("20 → 4 → 20 Mbit/s");
    let limits = [20, 4, 20];
    let at = |megabits: u64| {
        let bottleneck = Some(Bottleneck { rate: megabits * 1_000_000, queue: QUEUE });
        Network { bottleneck, ..CLEAN }
    };
    let mut changes = Vec::new();
    let watched = watch(Scene::Grain, at(20), |span, watch| {
        let mut seen = Seen::default();
        for megabits in limits {
            span.set(at(megabits));
            changes.push(clock());
            let part = watch(phase)?;
            seen.pictures.extend(part.pictures);
            seen.watched += part.watched;
        }
        Ok(seen)
    })?;
    let course = Course::of(&watched, &changes, phase);
    let mut text = "\n| 20 → 4 → 20 Mbit/s | measured | aim |\n| --- | ---: | --- |\n".to_owned();
    let or_none = |figure: Option<String>| figure.unwrap_or_else(|| "none".to_owned());
    let mut row = |what: &str, figure: Option<String>, aim: &str| {
        _ = writeln!(text, "| {what} | {} | {aim} |", or_none(figure));
    };
    row("added delay (p95) from 2 s after the cut on", course.added_delay.map(milliseconds), "≤ 100 ms");
    row("pictures a second on the screen, from 2 s on", Some(format!("{:.1}", course.shown)), "");
    row("longest delay in the 2 s after the cut", course.worst.map(milliseconds), "");
    row("rate before the cut", Some(format!("{:.1} Mbit/s", course.before)), "");
    row("rate during the cut, from 2 s on", Some(format!("{:.1} Mbit/s", course.during)), "");
    let back = course.back.map(|time| format!("{:.1} s", time.as_secs_f64()));
    row("until 90 % of the rate is back", back, "≤ 5 s");
    Ok((text, Course::plot(&watched, &changes, &limits)))
}

/// How a stream took a cut, and the end of it.
#[derive(Debug, PartialEq)]
struct Course {
    /// Of the pictures from 2 s after the cut until its end: how much later they were than before the cut, p95.
    added_delay: Option<Duration>,
    /// How many pictures these were a second: latencies are of those that came.
    shown: f64,
    /// The longest latency of the 2 s after the cut.
    worst: Option<Duration>,
    /// Rates in megabits a second: in the second half of the time before, and in the cut.
    before: f64,
    during: f64,
    /// How long after the cut's end the rate was back at nine tenths.
    back: Option<Duration>,
}

impl Course {
    fn of(watched: &Watched, changes: &[Duration], phase: Duration) -> Self {
        let [start, cut, end] = [0, 1, 2].map(|which| changes.get(which).copied().unwrap_or_default());
        let between = |from: Duration, to: Duration| -> Vec<Duration> {
            let pictures = watched.seen.pictures.iter().filter(|picture| (from..to).contains(&picture.seen));
            pictures.map(Picture::latency).collect()
        };
        let at = |percent, mut latencies: Vec<Duration>| {
            (!latencies.is_empty()).then(|| percentile(&mut latencies, percent))
        };
        let usual = at(50, between(start + phase / 2, cut));
        let in_the_cut = between(cut + REACTION, end);
        let span = end.saturating_sub(cut + REACTION).as_secs_f64();
        let shown = in_the_cut.len() as f64 / span.max(f64::EPSILON);
        let late = at(95, in_the_cut);
        let rate = |from, to| rate(&watched.passed, from, to);
        let before = rate(start + phase / 2, cut);
        let steps = (0..).map(|step| TICK * step).take_while(|after| end + *after + SECOND <= end + phase);
        let mut seconds = steps.map(|after| (after + SECOND, rate(end + after, end + after + SECOND)));
        Self {
            added_delay: usual.zip(late).map(|(usual, late)| late.saturating_sub(usual)),
            shown,
            worst: at(100, between(cut, cut + REACTION)),
            before,
            during: rate(cut + REACTION, end),
            back: seconds.find(|(_, rate)| *rate >= 0.9 * before).map(|(after, _)| after),
        }
    }

    fn plot(watched: &Watched, changes: &[Duration], limits: &[u64]) -> Plot {
        let start = changes.first().copied().unwrap_or_default();
        let since = |at: Duration| at.saturating_sub(start).as_secs_f64();
        let end = watched.passed.last().map_or(start, |last| last.0);
        let span = Duration::from_millis(250);
        let steps: Vec<_> =
            (0..u32::MAX).map(|step| start + span * step).take_while(|from| *from + span <= end).collect();
        let rates = steps.iter().map(|&from| (since(from + span), rate(&watched.passed, from, from + span)));
        let pictures = watched.seen.pictures.iter();
        let delays = pictures.map(|picture| (since(picture.seen), picture.latency().as_secs_f64() * 1000.0));
        let limit = changes.iter().zip(limits).map(|(&at, &megabits)| (since(at), megabits as f64));
        let title = "A link cut from 20 to 4 Mbit/s and back".to_owned();
        let panels = vec![
            Panel {
                label: "through the link, Mbit/s (grey: what it takes)".into(),
                points: rates.collect(),
                limit: limit.collect(),
            },
            Panel {
                label: "glass to glass of each picture, ms".into(),
                points: delays.collect(),
                limit: Vec::new(),
            },
        ];
        let svg = Timeline { title: title.clone(), seconds: since(end), panels }.svg();
        Plot { name: "link-cut".into(), shows: title, svg }
    }
}

/// What came through between two moments, in megabits a second.
fn rate(passed: &[(Duration, u64)], from: Duration, to: Duration) -> f64 {
    let until = |moment: Duration| {
        let next = passed.partition_point(|(at, _)| *at < moment).min(passed.len().saturating_sub(1));
        passed.get(next).copied().unwrap_or_default()
    };
    let ((begun, first), (ended, last)) = (until(from), until(to));
    let seconds = ended.saturating_sub(begun).as_secs_f64();
    if seconds > 0.0 { (last - first) as f64 * 8e-6 / seconds } else { 0.0 }
}

/// How often the link's bytes are counted.
const TICK: Duration = Duration::from_millis(50);

const SECOND: Duration = Duration::from_secs(1);

/// What a stream gets to find out that its link has changed.
const REACTION: Duration = Duration::from_secs(2);

/// How long a packet may wait in front of the bottleneck, as in a home router.
const QUEUE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// A stream of 10 Mbit/s and 20 ms before, 3 Mbit/s and 90 ms in the cut, and that is back two seconds after it.
    #[test]
    fn a_course_is_read_as_it_was_drawn() {
        let changes = [ms(0), ms(10_000), ms(20_000)];
        let (mut passed, mut bytes) = (Vec::new(), 0);
        for at in (0..30_000).step_by(50) {
            passed.push((ms(at), bytes));
            let megabits = if (10_000..22_000).contains(&at) { 3 } else { 10 };
            bytes += megabits * 1_000_000 / 8 / 20;
        }
        let pictures = (0..3000u32).map(|frame| {
            let drawn = ms(u64::from(frame) * 10);
            let late = if (1000..2000).contains(&frame) { ms(90) } else { ms(20) };
            Picture { frame, drawn, seen: drawn + late }
        });
        let seen = Seen { pictures: pictures.collect(), watched: ms(30_000) };
        let course = Course::of(&Watched { seen, passed, report: Value::Null }, &changes, ms(10_000));
        assert_eq!(course.added_delay, Some(ms(70)));
        assert_eq!(course.worst, Some(ms(90)));
        assert!((course.shown - 100.0).abs() < 1.0, "{course:?}");
        assert!((course.before - 10.0).abs() < 0.2 && (course.during - 3.0).abs() < 0.2, "{course:?}");
        let back = course.back.unwrap();
        assert!((ms(2_800)..=ms(3_100)).contains(&back), "a whole second at nine tenths: {back:?}");
    }
}
