//! Quality: how near what a client shows is to what was on the desktop, at what rate, and what that takes.
//!
//! Scenes drawn in code go through an encoder and a decoder in this process, picture by picture, with no network
//! between; each encoder gets the very same pictures. Only times depend on the machine.

pub(crate) mod scenes;

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use pf_codec::{Backend, EncoderConfig, FrameKind, I420, I420View};
use pf_media::picture::{Bgrx, Size};

use crate::{report::Section, table::percentile};
use scenes::Scene;

/// The argument that asks for this.
pub(crate) const WORD: &str = "quality";

const SIZE: Size = Size::new(1280, 720);
const FPS: u32 = 60;
const THREADS: u8 = 2;

/// Rates to try, in bits a second.
const RATES: [u32; 3] = [4_000_000, 10_000_000, 20_000_000];

/// How many pictures of a scene are looked at: five seconds.
const PICTURES: u32 = 5 * FPS;

/// How many are encoded before, while an encoder learns what it deals with.
const LEARNING: u32 = FPS / 2;

/// Over how many pictures a rate is to be held: a quarter of a second.
const WINDOW: usize = FPS as usize / 4;

/// Measures all scenes at all rates with each encoder that is built in.
pub(crate) fn measure() -> Result<Section> {
    let mut text = HEAD.to_owned();
    for scene in Scene::ALL {
        for bitrate in RATES {
            for &backend in Backend::ALL {
                let row = run(scene, bitrate, backend)?;
                let row =
                    format!("| {} | {} | {} | {row} |", scene.name(), bitrate / 1_000_000, backend.name());
                eprintln!("{row}");
                text = text + &row + "\n";
            }
        }
    }
    Ok(Section { name: WORD, text, plots: Vec::new() })
}

const HEAD: &str = "\
| scene | Mbit/s | encoder | PSNR | SSIM | rate | worst 250 ms | largest frame | encode p50 | p95 | decode p50 |
| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
";

/// What came of one scene at one rate.
struct Row {
    /// Peak signal-to-noise ratio of the brightness, in dB.
    psnr: f64,
    ssim: f64,
    /// Bits that came out for each that was asked for: in all, and in the worst [`WINDOW`].
    rate: f64,
    worst: f64,
    /// The largest frame, in shares of one frame at the rate.
    largest: f64,
    encoding: [Duration; 2],
    decoding: Duration,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { psnr, ssim, rate, worst, largest, encoding: [p50, p95], decoding } = self;
        let [p50, p95, decoding] = [p50, p95, decoding].map(|time| time.as_secs_f64() * 1000.0);
        write!(
            f,
            "{psnr:.1} dB | {ssim:.4} | {rate:.2} × | {worst:.2} × | {largest:.1} × | {p50:.1} ms | {p95:.1} ms | {decoding:.1} ms"
        )
    }
}

fn run(scene: Scene, bitrate: u32, backend: Backend) -> Result<Row> {
    let config = EncoderConfig { size: SIZE, fps: FPS, bitrate, threads: THREADS };
    let (mut encoder, mut decoder) = (backend.encoder(config)?, pf_codec::decoder()?);
    let (mut pixels, mut picture) =
        (vec![0; SIZE.width as usize * SIZE.height as usize * 4], I420::new(SIZE));
    let (mut lengths, mut encoding, mut decoding) = (Vec::new(), Vec::new(), Vec::new());
    let (mut error, mut ssim) = (0.0, 0.0);
    for time in 0..LEARNING + PICTURES {
        scene.draw(time, SIZE, pixels.as_chunks_mut().0);
        let drawn = Bgrx::new(SIZE, SIZE.width as usize * 4, &pixels).context("a whole picture")?;
        picture.fill_from_bgrx(&drawn);
        let begun = Instant::now();
        let frame = encoder.encode(&picture, FrameKind::Auto)?;
        let took = begun.elapsed();
        let length = frame.access_unit.len();
        let begun = Instant::now();
        let seen = decoder.decode(frame.access_unit)?.context("no picture")?;
        if time >= LEARNING {
            encoding.push(took);
            decoding.push(begun.elapsed());
            lengths.push(length);
            error += squared_error(&picture.view(), &seen) / f64::from(PICTURES);
            ssim += similarity(&picture.view(), &seen) / f64::from(PICTURES);
        }
    }
    let share = f64::from(bitrate) / f64::from(FPS) / 8.0;
    let shares = |lengths: &[usize]| lengths.iter().sum::<usize>() as f64 / share / lengths.len() as f64;
    Ok(Row {
        psnr: 10.0 * (255.0 * 255.0 / error).log10(),
        ssim,
        rate: shares(&lengths),
        worst: lengths.windows(WINDOW).map(shares).fold(0.0, f64::max),
        largest: lengths.iter().map(|length| shares(&[*length])).fold(0.0, f64::max),
        encoding: [percentile(&mut encoding, 50), percentile(&mut encoding, 95)],
        decoding: percentile(&mut decoding, 50),
    })
}

/// The mean squared difference in brightness.
fn squared_error(a: &I420View<'_>, b: &I420View<'_>) -> f64 {
    let rows = luma_rows(a).zip(luma_rows(b));
    let of_row =
        |(a, b): (&[u8], &[u8])| a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum::<u64>();
    rows.map(of_row).sum::<u64>() as f64 / (f64::from(SIZE.width) * f64::from(SIZE.height))
}

/// The structural similarity of brightness (Wang et al. 2004), in blocks of 8 by 8 that do not overlap: 1 if equal.
fn similarity(a: &I420View<'_>, b: &I420View<'_>) -> f64 {
    let (a, b): (Vec<_>, Vec<_>) = (luma_rows(a).collect(), luma_rows(b).collect());
    let (mut sum, mut blocks) = (0.0, 0);
    for (a, b) in a.chunks_exact(BLOCK).zip(b.chunks_exact(BLOCK)) {
        for x in (0..=SIZE.width as usize - BLOCK).step_by(BLOCK) {
            let pairs = a.iter().zip(b).flat_map(|(a, b)| a[x..x + BLOCK].iter().zip(&b[x..x + BLOCK]));
            sum += similarity_of(pairs);
            blocks += 1;
        }
    }
    sum / f64::from(blocks)
}

fn similarity_of<'a>(pairs: impl Iterator<Item = (&'a u8, &'a u8)>) -> f64 {
    let mut sums = [0_u32; 5];
    for (&a, &b) in pairs {
        let (a, b) = (u32::from(a), u32::from(b));
        for (sum, term) in sums.iter_mut().zip([a, b, a * a, b * b, a * b]) {
            *sum += term;
        }
    }
    let [a, b, aa, bb, ab] = sums.map(|sum| f64::from(sum) / (BLOCK * BLOCK) as f64);
    let (steady, contrast) = ((0.01_f64 * 255.0).powi(2), (0.03_f64 * 255.0).powi(2));
    (2.0 * a * b + steady) * (2.0 * (ab - a * b) + contrast)
        / ((a * a + b * b + steady) * (aa - a * a + bb - b * b + contrast))
}

fn luma_rows<'a>(picture: &I420View<'a>) -> impl Iterator<Item = &'a [u8]> {
    let [luma, ..] = picture.planes();
    luma.samples.chunks(luma.stride).map(|row| &row[..SIZE.width as usize]).take(SIZE.height as usize)
}

/// The side of a block that similarity is taken of.
const BLOCK: usize = 8;
