//! The bare baseline of a stream: the same pictures through the same codec, and nothing else.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use pf_codec::{EncoderConfig, FrameKind, I420, VideoDecoder, VideoEncoder};
use pf_desktop::{Source as _, Stop, X11Source};
use rustix::time::{ClockId, clock_gettime};

use crate::format::Format;

/// A display's pictures captured, encoded, decoded and converted to pixels in this process, one after the other.
pub(crate) struct Bare {
    source: X11Source,
    picture: I420,
    encoder: Box<dyn VideoEncoder>,
    decoder: Box<dyn VideoDecoder>,
    /// What capture, conversion and encoding took of the processors.
    pub(crate) encoding: Duration,
    /// What decoding took of them.
    pub(crate) decoding: Duration,
    /// What it took of them to make pixels of what was decoded, as a window shows them.
    pub(crate) drawing: Duration,
    pixels: Vec<u8>,
}

impl Bare {
    pub(crate) fn open(display: &str, format: Format, megabits: u32) -> Result<Self> {
        let Format { size, fps, .. } = format;
        let bitrate = megabits * 1_000_000;
        let config = EncoderConfig { size, fps: fps.get(), bitrate, threads: ENCODER_THREADS };
        Ok(Self {
            source: X11Source::open(Some(display), fps, &Stop::new()?)?,
            picture: I420::new(size),
            encoder: pf_codec::encoder(config)?,
            decoder: pf_codec::decoder()?,
            encoding: Duration::ZERO,
            decoding: Duration::ZERO,
            drawing: Duration::ZERO,
            pixels: vec![0; size.width as usize * size.height as usize * BYTES_PER_PIXEL],
        })
    }

    /// Takes one picture through; how long from its capture until it was decoded.
    pub(crate) fn picture(&mut self) -> Result<Duration> {
        let far = Instant::now() + Duration::from_secs(5);
        let begun = cpu_of_this_process();
        let captured = self.source.next_picture(far)?.context("nothing moves on the display")?;
        // What changed alone, as the host does.
        for rows in captured.changed.ranges() {
            self.picture.fill_rows_from_bgrx(&captured.pixels, rows.clone());
        }
        let encoded = self.encoder.encode(&self.picture, FrameKind::Auto)?;
        let half = cpu_of_this_process();
        let decoded = self.decoder.decode(encoded.access_unit)?.context("no picture")?;
        let latency = captured.captured.elapsed();
        let end = cpu_of_this_process();
        let size = captured.pixels.size();
        decoded.cropped(size).to_bgrx(&mut self.pixels, size.width as usize * BYTES_PER_PIXEL);
        self.encoding += half.saturating_sub(begun);
        self.decoding += end.saturating_sub(half);
        self.drawing += cpu_of_this_process().saturating_sub(end);
        Ok(latency)
    }
}

fn cpu_of_this_process() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// How many threads the host's encoder has when nobody says.
const ENCODER_THREADS: u8 = 2;

const BYTES_PER_PIXEL: usize = 4;
