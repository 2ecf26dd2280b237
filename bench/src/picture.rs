//! Pictures: how soon the first one, how late each, and at what cost.

use std::{
    io::Read as _,
    num::NonZeroU32,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use pf_codec::{EncoderConfig, FrameKind, I420, VideoDecoder, VideoEncoder};
use pf_desktop::{Source as _, Stop, X11Source};
use pf_media::picture::Size;
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;

use crate::{
    host::{Host, program},
    process::cpu_time,
    screen::Screen,
    table::{Table, percentile},
    trust,
};

/// One picture size and rate.
#[derive(Clone, Copy)]
pub(crate) struct Test {
    name: &'static str,
    size: Size,
    fps: NonZeroU32,
    first_aim: &'static str,
    latency_aim: &'static str,
}

/// What is measured.
pub(crate) const TESTS: [Test; 2] = [
    Test {
        name: "720p60",
        size: Size::new(1280, 720),
        fps: NonZeroU32::new(60).expect("60 is not 0"),
        first_aim: "≤ 100 ms",
        latency_aim: "≤ 15 ms",
    },
    Test {
        name: "1080p30",
        size: Size::new(1920, 1080),
        fps: NonZeroU32::new(30).expect("30 is not 0"),
        first_aim: "",
        latency_aim: "",
    },
];

/// How often a first picture is waited for.
const FIRST_PICTURES: usize = 15;

/// How long the steady stream is watched, in seconds.
const WATCHED: &str = "10";

/// How many pictures the baseline encodes and decodes.
const BARE_PICTURES: u32 = 300;

/// What the host's encoder is asked for when the client does not say.
const BITRATE: u32 = 15_000_000;
/// See [`BITRATE`].
const ENCODER_THREADS: u8 = 2;

pub(crate) fn measure(table: &mut Table, test: Test) -> Result<()> {
    let Test { name, size, fps, first_aim, latency_aim } = test;
    let screen = Screen::start(size)?;
    let host = Host::start("x11", Some(screen.name()))?;
    let viewer = Viewer::pair(&host)?;
    let (mut firsts, mut bare_firsts) = (Vec::new(), Vec::new());
    for _ in 0..FIRST_PICTURES {
        let said = viewer.watch(&["--frames", "1"], fps)?.said;
        firsts.push(milliseconds(&said["first_frame_ms"])?);
        let started = Instant::now();
        Bare::open(screen.name(), size, fps)?.picture()?;
        bare_firsts.push(started.elapsed());
    }
    let first = percentile(&mut firsts, 50);
    table.time(
        format!("dial to first picture, {name} (p50)"),
        first,
        percentile(&mut bare_firsts, 50),
        first_aim,
    );

    let host_before = cpu_time(host.id())?;
    let Watched { said, cpu } = viewer.watch(&["--seconds", WATCHED], fps)?;
    let host_cpu = cpu_time(host.id())?.saturating_sub(host_before);
    let mut bare = Bare::open(screen.name(), size, fps)?;
    let mut bare_latencies = (0..BARE_PICTURES).map(|_| bare.picture()).collect::<Result<Vec<_>>>()?;
    for (key, percent, aim) in [("p50", 50, latency_aim), ("p95", 95, ""), ("p99", 99, "")] {
        let latency = milliseconds(&said["latency_ms"]["total"][key])?;
        let baseline = percentile(&mut bare_latencies, percent);
        table.time(format!("capture to decoded, {name} ({key})"), latency, baseline, aim);
    }
    let frames = u32::try_from(said["frames"].as_u64().context("no frames")?)?;
    eprintln!("{name}: {} pictures a second, {} Mbit/s", said["fps"], said["bitrate_mbps"]);
    table.time(
        format!("processor time per picture, host, {name}"),
        host_cpu / frames,
        bare.encoding / BARE_PICTURES,
        "",
    );
    table.time(
        format!("processor time per picture, client, {name}"),
        cpu / frames,
        bare.decoding / BARE_PICTURES,
        "",
    );
    Ok(())
}

/// The client program, paired with a host.
struct Viewer {
    directory: tempfile::TempDir,
    host: String,
}

/// What it said, and what it took.
struct Watched {
    said: Value,
    cpu: Duration,
}

impl Viewer {
    fn pair(host: &Host) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let address = host.address().to_string();
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(async {
            let client = trust::open(&directory)?;
            let found = client.find(&address).await?;
            client.pair(&found, host.next_pin()?).await?;
            client.shutdown().await;
            anyhow::Ok(())
        })?;
        Ok(Self { directory, host: address })
    }

    fn watch(&self, how_long: &[&str], fps: NonZeroU32) -> Result<Watched> {
        let mut command = Command::new(program("punktfunk")?);
        command.arg("--data-dir").arg(self.directory.path().join("client"));
        command
            .args(["connect", &self.host, "--headless", "--json", "--fps", &fps.to_string()])
            .args(how_long);
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let mut text = String::new();
        process.stdout.take().context("no output")?.read_to_string(&mut text)?;
        // It has closed its output, and is not waited for yet: its time can still be read.
        let cpu = cpu_time(process.id());
        process.wait()?;
        let mut said: Value =
            serde_json::from_str(&text).with_context(|| format!("the client said {text:?}"))?;
        anyhow::ensure!(said["error"].is_null(), "the client failed: {said}");
        Ok(Watched { said: said["data"].take(), cpu: cpu? })
    }
}

/// The baseline: the same pictures captured, encoded and decoded in this process, one after the other.
struct Bare {
    source: X11Source,
    picture: I420,
    encoder: Box<dyn VideoEncoder>,
    decoder: Box<dyn VideoDecoder>,
    encoding: Duration,
    decoding: Duration,
}

impl Bare {
    fn open(display: &str, size: Size, fps: NonZeroU32) -> Result<Self> {
        let config = EncoderConfig { size, fps: fps.get(), bitrate: BITRATE, threads: ENCODER_THREADS };
        Ok(Self {
            source: X11Source::open(Some(display), fps, &Stop::new()?)?,
            picture: I420::new(size),
            encoder: pf_codec::encoder(config)?,
            decoder: pf_codec::decoder()?,
            encoding: Duration::ZERO,
            decoding: Duration::ZERO,
        })
    }

    /// Takes one picture through; from its capture to its end.
    fn picture(&mut self) -> Result<Duration> {
        let far = Instant::now() + Duration::from_secs(5);
        let captured = self.source.next_picture(far)?.context("nothing moves on the display")?;
        let begun = cpu_of_this_process();
        self.picture.fill_from_bgrx(&captured.pixels);
        let encoded = self.encoder.encode(&self.picture, FrameKind::Auto)?;
        let half = cpu_of_this_process();
        self.decoder.decode(encoded.access_unit)?.context("no picture")?;
        self.encoding += half.saturating_sub(begun);
        self.decoding += cpu_of_this_process().saturating_sub(half);
        Ok(captured.captured.elapsed())
    }
}

fn cpu_of_this_process() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

fn milliseconds(value: &Value) -> Result<Duration> {
    Ok(Duration::from_secs_f64(value.as_f64().context("a figure is missing")? / 1000.0))
}
