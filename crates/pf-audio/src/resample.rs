//! Plays a little faster or slower, so that two clocks that differ by some parts per million stay together.
//!
//! A windowed sinc (32 taps, Kaiser) is kept at 256 phases; between two of them the coefficients are interpolated. Its
//! errors stay below what 16 bits resolve (see the tests), and a change of the ratio is a change of speed only: the
//! position runs on, so that there is no click.

use std::sync::LazyLock;

use crate::frame::CHANNELS;

/// A resampler of interleaved stereo by a ratio close to 1.
#[derive(Clone, Debug)]
pub(crate) struct Resampler {
    /// The samples that are still needed, one array for each moment.
    history: Vec<[f32; CHANNELS]>,
    /// Where in `history` the next sample is taken: the taps reach from here [`TAPS`] on, and by less than 1.
    position: f64,
}

impl Resampler {
    pub(crate) fn new() -> Self {
        Self { history: vec![[0.0; CHANNELS]; TAPS - 1], position: 0.0 }
    }

    /// Takes in interleaved samples.
    pub(crate) fn push(&mut self, samples: &[f32]) {
        self.history.extend(samples.as_chunks::<CHANNELS>().0);
    }

    /// How many more samples must be pushed before another one comes out.
    #[must_use]
    pub(crate) fn is_hungry(&self) -> bool {
        self.position as usize + TAPS > self.history.len()
    }

    /// The next sample; the input then moves on by `ratio`. Not while [`is_hungry`](Self::is_hungry).
    pub(crate) fn pop(&mut self, ratio: f64) -> [f32; CHANNELS] {
        let start = self.position as usize;
        let phase = (self.position - start as f64) * PHASES as f64;
        let (row, between) = (phase as usize, phase.fract() as f32);
        let (lower, upper) = (&KERNEL[row], &KERNEL[row + 1]);
        let mut sum = [0.0; CHANNELS];
        for ((sample, lower), upper) in self.history[start..start + TAPS].iter().zip(lower).zip(upper) {
            let weight = lower + between * (upper - lower);
            for (sum, sample) in sum.iter_mut().zip(sample) {
                *sum += weight * sample;
            }
        }
        self.position += ratio;
        self.discard();
        sum
    }

    /// Forgets what no tap reaches any more; rarely, since it moves the rest.
    fn discard(&mut self) {
        let passed = self.position as usize;
        if passed >= DISCARD {
            self.history.drain(..passed.min(self.history.len()));
            self.position -= passed as f64;
        }
    }
}

/// The kernel at each phase; row `PHASES` is row 0 a sample later, for the interpolation.
static KERNEL: LazyLock<Vec<[f32; TAPS]>> = LazyLock::new(|| {
    (0..=PHASES)
        .map(|row| {
            let centre = (TAPS / 2 - 1) as f64 + row as f64 / PHASES as f64;
            let weights: [f64; TAPS] = std::array::from_fn(|tap| kernel(tap as f64 - centre));
            let sum: f64 = weights.iter().sum();
            weights.map(|weight| (weight / sum) as f32)
        })
        .collect()
});

/// The windowed sinc at a distance in samples.
fn kernel(distance: f64) -> f64 {
    let reach = distance / (TAPS as f64 / 2.0);
    if reach.abs() >= 1.0 {
        return 0.0;
    }
    let angle = std::f64::consts::PI * distance;
    let sinc = if angle == 0.0 { 1.0 } else { angle.sin() / angle };
    sinc * bessel(KAISER * (1.0 - reach * reach).sqrt()) / bessel(KAISER)
}

/// The modified Bessel function of order 0, by its series.
fn bessel(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..32 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

/// How many samples one is computed from: a third of a millisecond of delay.
const TAPS: usize = 32;

/// How many positions between two samples have coefficients of their own.
const PHASES: usize = 256;

/// The window's shape: more damps the side lobes further and widens the main one.
const KAISER: f64 = 9.0;

/// After how many samples the passed ones are forgotten.
const DISCARD: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{frame::RATE, signal};

    /// Resamples `samples` with a ratio that may change at each one.
    fn resample(samples: &[f32], mut ratio: impl FnMut(usize) -> f64) -> Vec<f32> {
        let mut resampler = Resampler::new();
        let mut out = Vec::new();
        for chunk in samples.chunks(960) {
            resampler.push(chunk);
            while !resampler.is_hungry() {
                out.extend(resampler.pop(ratio(out.len() / 2)));
            }
        }
        out
    }

    /// What is left of the left channel when the tone of `hertz` that fits best is taken out, relative to it.
    fn residue_db(samples: &[f32], hertz: f64) -> f64 {
        let angle = |index: usize| index as f64 * hertz / f64::from(RATE) * std::f64::consts::TAU;
        let left = || {
            samples
                .iter()
                .step_by(2)
                .enumerate()
                .map(|(index, &value)| (angle(index).sin_cos(), f64::from(value)))
        };
        let sum = |term: &dyn Fn(f64, f64, f64) -> f64| {
            left().map(|((sin, cos), value)| term(sin, cos, value)).sum::<f64>()
        };
        // Least squares in two unknowns.
        let (ss, sc, cc) = (sum(&|s, _, _| s * s), sum(&|s, c, _| s * c), sum(&|_, c, _| c * c));
        let (sv, cv) = (sum(&|s, _, v| s * v), sum(&|_, c, v| c * v));
        let determinant = ss * cc - sc * sc;
        let (sine, cosine) = ((sv * cc - cv * sc) / determinant, (cv * ss - sv * sc) / determinant);
        let rest = sum(&|s, c, v| (v - sine * s - cosine * c).powi(2));
        10.0 * (rest / sum(&|_, _, v| v * v)).log10()
    }

    #[test]
    fn at_ratio_one_nothing_changes_but_the_delay() {
        let sent = signal::music(10_000);
        let heard = resample(&sent, |_| 1.0);
        assert!(signal::ratio_db(&sent[..18_000], &heard, TAPS / 2) > 100.0);
    }

    #[test]
    fn a_tone_comes_out_at_another_pitch_and_clean() {
        for (hertz, clean) in [(440.0, -105.0), (1_000.0, -101.0), (10_000.0, -98.0)] {
            for ppm in [-5_000.0, -200.0, 200.0, 5_000.0] {
                let ratio = 1.0 + ppm * 1e-6;
                let heard = resample(&signal::tone(hertz, 0.5, 48_200), |_| ratio);
                let residue = residue_db(&heard[4_000..90_000], hertz * ratio);
                assert!(residue < clean, "{hertz} Hz at {ppm} ppm: {residue:.1} dB");
            }
        }
    }

    /// A step in the output would be far steeper than the tone itself ever is.
    #[test]
    fn a_change_of_the_ratio_makes_no_click() {
        let heard =
            resample(
                &signal::tone(440.0, 0.5, 96_000),
                |index| {
                    if index / 1_000 % 2 == 0 { 1.005 } else { 0.995 }
                },
            );
        let steepest = 0.5 * std::f64::consts::TAU * 440.0 / f64::from(RATE) * 1.02;
        for pair in heard[400..].as_chunks::<4>().0 {
            assert!(f64::from((pair[2] - pair[0]).abs()) < steepest);
        }
    }

    #[test]
    fn memory_does_not_grow() {
        let mut resampler = Resampler::new();
        for _ in 0..10_000 {
            resampler.push(&[0.5; 960]);
            while !resampler.is_hungry() {
                resampler.pop(1.0002);
            }
        }
        assert!(resampler.history.capacity() < 8 * DISCARD);
    }
}
