//! The app in its window: how soon it is there, what it takes while nothing happens, and what a picture in it costs.
//!
//! Its window lies on a display of its own without a window manager, as large as that display, so that a picture is as
//! large as it was asked for.

use std::{fmt::Write as _, net::Ipv4Addr, thread, time::Duration};

use anyhow::{Context as _, Result};
use pf_lab::Namespace;
use pf_media::picture::Size;
use x11rb::{
    connection::Connection as _,
    protocol::xproto::{ConfigureWindowAux, ConnectionExt as _},
};

use crate::{
    codec::Bare,
    format::Format,
    glass::{Painter, Scene, Watcher, clock},
    host::Host,
    latency::{FIRST_PICTURE, MEGABITS, SETTLE, floor},
    peer::Ask,
    process::{cpu_time, memory},
    program::{Place, Program},
    report::Section,
    stream::milliseconds,
    table::percentile,
    viewer::{self, Viewer},
    x_server::XServer,
};

/// How often the first window is waited for.
const FIRST_WINDOWS: usize = 9;

/// A screen on which the app's window has room as it opens.
const DESK: Size = Size::new(1280, 800);

/// How many pictures the bare codec takes through.
const BARE_PICTURES: u32 = 300;

pub(crate) fn measure(seconds: u64) -> Result<Section> {
    let namespace = Namespace::new("app")?;
    let place = Place::In(&namespace);
    let mut rows = vec![first_window(place)?];
    rows.extend(grid(place, Duration::from_secs(seconds))?);
    rows.extend(picture(place, Format::HD_60, seconds)?);
    rows.extend(picture(place, Format::FULL_HD_60, seconds)?);
    let mut text = "| the app | measured | beside | aim |\n| --- | ---: | ---: | --- |\n".to_owned();
    for Row { what, figure, beside, aim } in rows {
        _ = writeln!(text, "| {what} | {figure} | {beside} | {aim} |");
    }
    Ok(Section { name: "app", text, plots: Vec::new() })
}

/// A line of the table.
struct Row {
    what: String,
    figure: String,
    beside: String,
    aim: &'static str,
}

impl Row {
    fn new(what: impl Into<String>, figure: String, beside: impl Into<String>, aim: &'static str) -> Self {
        let row = Self { what: what.into(), figure, beside: beside.into(), aim };
        eprintln!("{}: {} ({})", row.what, row.figure, row.beside);
        row
    }
}

/// From the start of the program to something in its window.
fn first_window(place: Place<'_>) -> Result<Row> {
    let mut times = (0..FIRST_WINDOWS)
        .map(|_| {
            let screen = XServer::xvfb(DESK)?;
            let mut watcher = Watcher::open(screen.name())?;
            let home = tempfile::tempdir()?;
            let mut command = viewer::app(place, home.path(), "")?;
            let started = clock();
            let mut app = Program::start(command.env("DISPLAY", screen.name()))?;
            let drawn = watcher.await_drawing(FIRST_PICTURE).with_context(|| app.last_words())?;
            app.check()?;
            Ok(drawn.saturating_sub(started))
        })
        .collect::<Result<Vec<_>>>()?;
    let worst = times.iter().max().copied().unwrap_or_default();
    let [median, worst] = [percentile(&mut times, 50), worst].map(whole_milliseconds);
    Ok(Row::new(
        "from its start to its first window (p50)",
        median,
        format!("worst of {FIRST_WINDOWS}: {worst}"),
        "≤ 300 ms",
    ))
}

/// The grid of hosts, with one host in it, while nobody does anything.
fn grid(place: Place<'_>, duration: Duration) -> Result<[Row; 2]> {
    let desktop = XServer::xvfb(DESK)?;
    let host = Host::mirroring(place, Ipv4Addr::LOCALHOST, desktop.name())?;
    let viewer = Viewer::pair_at(&host, place)?;
    let screen = XServer::xvfb(DESK)?;
    let mut watcher = Watcher::open(screen.name())?;
    let mut app = Program::start(viewer.app()?.env("DISPLAY", screen.name()))?;
    watcher.await_drawing(FIRST_PICTURE)?;
    thread::sleep(SETTLE);
    let before = cpu_time(app.id())?;
    thread::sleep(duration);
    let spent = cpu_time(app.id())?.saturating_sub(before);
    let used = memory(app.id())?;
    app.check()?;
    let share = spent.as_secs_f64() / duration.as_secs_f64();
    Ok([
        Row::new(
            "processor while its hosts are shown",
            format!("{:.2} %", share * 100.0),
            "of one core",
            "≤ 1 %",
        ),
        Row::new("memory while its hosts are shown", mebibytes(used), "", ""),
    ])
}

/// A desktop in its window: how late, and at what cost.
fn picture(place: Place<'_>, format: Format, seconds: u64) -> Result<Vec<Row>> {
    let Format { name, size, fps } = format;
    let floor = percentile(&mut floor(format, Scene::Desktop, seconds)?.latencies(), 50);
    let desktop = XServer::xvfb(size)?;
    let _painter = Painter::start(desktop.name(), Scene::Desktop, fps)?;
    let host = Host::mirroring(place, Ipv4Addr::LOCALHOST, desktop.name())?;
    let viewer = Viewer::pair_at(&host, place)?;
    let ask = Ask { size, fps, megabits: MEGABITS };
    let said = viewer::watch(viewer.headless(ask)?.args(["--seconds", &seconds.to_string()]))?.said;
    let headless = milliseconds(&said["latency_ms"]["total"]["p50"])?;

    let screen = XServer::xvfb(size)?;
    let mut watcher = Watcher::open(screen.name())?;
    let mut app = Program::start(viewer.app_at_host(&host, ask)?.env("DISPLAY", screen.name()))?;
    watcher.await_drawing(FIRST_PICTURE).with_context(|| app.last_words())?;
    fill(&screen)?;
    watcher.find(FIRST_PICTURE).with_context(|| app.last_words())?;
    thread::sleep(SETTLE);
    let before = cpu_time(app.id())?;
    let seen = watcher.watch(Duration::from_secs(seconds))?;
    let spent = cpu_time(app.id())?.saturating_sub(before);
    let used = memory(app.id())?;
    app.check()?;
    drop(app);
    let mut latencies = seen.latencies();
    anyhow::ensure!(!latencies.is_empty(), "its picture stands still");

    let mut bare = Bare::open(desktop.name(), format, MEGABITS)?;
    for _ in 0..BARE_PICTURES {
        bare.picture()?;
    }
    let of_bare = (bare.decoding + bare.drawing) / BARE_PICTURES;
    let of_app = spent / u32::try_from(seen.pictures.len())?;
    let [p50, p95] = [50, 95].map(|percent| percentile(&mut latencies, percent));
    let more = p50.as_secs_f64() - (headless + floor).as_secs_f64();
    let is_aimed_at = format == Format::HD_60;
    let aim = |aim: &'static str| if is_aimed_at { aim } else { "" };
    Ok(vec![
        Row::new(
            format!("pictures on the screen, {name}"),
            format!("{:.1} /s", seen.fps()),
            format!("{fps} drawn"),
            "",
        ),
        Row::new(
            format!("glass to glass, {name} (p50)"),
            tenths(p50),
            format!("headless {} + display {}: {:+.1} ms", tenths(headless), tenths(floor), more * 1000.0),
            aim("≤ 3 ms more"),
        ),
        Row::new(format!("glass to glass, {name} (p95)"), tenths(p95), "", ""),
        Row::new(
            format!("processor time per picture, {name}"),
            hundredths(of_app),
            format!(
                "bare decoder and pixels {}: {:.2} ×",
                hundredths(of_bare),
                of_app.as_secs_f64() / of_bare.as_secs_f64()
            ),
            aim("≤ 1.5 ×"),
        ),
        Row::new(format!("memory, {name}"), mebibytes(used), "", if is_aimed_at { "" } else { "≤ 120 MB" }),
    ])
}

/// Makes the one window on a display as large as the display.
fn fill(screen: &XServer) -> Result<()> {
    let (connection, number) = x11rb::connect(Some(screen.name()))?;
    let root = &connection.setup().roots[number];
    let shape = ConfigureWindowAux::new()
        .x(0)
        .y(0)
        .width(u32::from(root.width_in_pixels))
        .height(u32::from(root.height_in_pixels));
    for window in connection.query_tree(root.root)?.reply()?.children {
        connection.configure_window(window, &shape)?.check()?;
    }
    Ok(())
}

fn tenths(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

fn hundredths(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

fn whole_milliseconds(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

/// So much memory, of what is given in KiB.
fn mebibytes(kibibytes: u64) -> String {
    format!("{:.1} MB", kibibytes as f64 * 1.024e-3)
}
