//! Sound for tests, and how to measure it.

use crate::frame::RATE;

/// Something like music: six harmonics that change their pitch, a beat of noise, and two channels that differ.
pub(crate) fn music(samples: usize) -> Vec<f32> {
    let mut noise = 1_u32;
    let mut phase = 0.0_f64;
    let mut values = Vec::with_capacity(samples * 2);
    for index in 0..samples {
        let seconds = index as f64 / f64::from(RATE);
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let beat = (-(seconds * 2.0).fract() * 6.0).exp() * (f64::from(noise >> 8) / 8_388_608.0 - 1.0);
        phase += 110.0 * ((seconds * 2.0).floor() % 5.0 / 6.0).exp2() / f64::from(RATE);
        let tone: f64 = (1..=6)
            .map(|harmonic| {
                (phase * f64::from(harmonic) * std::f64::consts::TAU).sin() / (f64::from(harmonic) + 0.5)
            })
            .sum();
        values.push((0.2 * tone + 0.08 * beat) as f32);
        values.push((0.2 * tone * (0.7 + 0.3 * (seconds * 3.0).sin()) + 0.06 * beat) as f32);
    }
    values
}

/// A tone on both channels.
pub(crate) fn tone(hertz: f64, amplitude: f64, samples: usize) -> Vec<f32> {
    (0..samples)
        .flat_map(|index| {
            let value = amplitude * (index as f64 * hertz / f64::from(RATE) * std::f64::consts::TAU).sin();
            [value as f32; 2]
        })
        .collect()
}

/// The root of the mean square.
pub(crate) fn level(values: &[f32]) -> f32 {
    let sum: f64 = values.iter().map(|&value| f64::from(value).powi(2)).sum();
    (sum / values.len().max(1) as f64).sqrt() as f32
}

/// How far the signal stands above the difference between `sent` and what is heard `delay` samples later.
pub(crate) fn ratio_db(sent: &[f32], heard: &[f32], delay: usize) -> f64 {
    let pairs = sent.iter().zip(&heard[delay * 2..]);
    let (signal, difference) = pairs.fold((0.0, 0.0), |(signal, difference), (&sent, &heard)| {
        (signal + f64::from(sent).powi(2), difference + f64::from(sent - heard).powi(2))
    });
    10.0 * (signal / difference).log10()
}
