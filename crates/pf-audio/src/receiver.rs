//! Packets in, samples out: the jitter buffer, the decoder and the resampler in one, pure like the first.

use std::time::Duration;

use pf_media::time::Micros;

use crate::{
    frame::{CHANNELS, FrameLength, RATE, duration_of},
    jitter::{Counts, JitterBuffer, Take, transit},
    opus::{DecodeError, Decoder},
    packet::{AudioPacket, Malformed},
    resample::Resampler,
};

/// What a client makes of the host's sound.
///
/// [`receive`](Self::receive) each datagram as it arrives, report each picture with
/// [`picture_shown`](Self::picture_shown), and [`fill`](Self::fill) the device's buffer whenever it asks.
#[derive(Debug)]
pub struct Receiver {
    jitter: JitterBuffer,
    decoder: Decoder,
    resampler: Resampler,
    /// How long after its capture a picture is shown, smoothed, in µs; across two clocks.
    picture_lag: Option<f64>,
    /// How long after its capture sound is heard, in µs; across the same two clocks.
    sound_lag: Option<i64>,
    damaged: u64,
    samples: [f32; FrameLength::Ms10.values()],
}

/// How sound comes through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// What happened to frames.
    pub counts: Counts,
    /// Frames that were no Opus, and were concealed.
    pub damaged: u64,
    /// How long sound waits in the buffer, counted from when the quickest packets arrive.
    pub buffer: Duration,
    /// How long it should.
    pub target: Duration,
    /// By how many parts per million sound plays faster than it was sent.
    pub speed_ppm: f64,
    /// How many µs after its capture, on the sender's clock, sound is heard, on ours. `None` while there is none.
    pub lag: Option<i64>,
    /// How many µs after the picture of the same moment sound is heard; below 0 it is early. `None` without a picture.
    pub after_picture: Option<i64>,
}

impl Receiver {
    /// A receiver that has heard nothing yet.
    pub fn new() -> Result<Self, DecodeError> {
        Ok(Self {
            jitter: JitterBuffer::new(),
            decoder: Decoder::new()?,
            resampler: Resampler::new(),
            picture_lag: None,
            sound_lag: None,
            damaged: 0,
            samples: [0.0; FrameLength::Ms10.values()],
        })
    }

    /// Takes in a packet that arrived at `now`.
    pub fn receive(&mut self, bytes: &[u8], now: Micros) -> Result<(), Malformed> {
        self.jitter.insert(&AudioPacket::decode(bytes)?, now);
        Ok(())
    }

    /// Notes that the picture of `captured`, on the sender's clock, is on the screen at `shown`, on ours.
    ///
    /// Sound waits for the picture where the picture takes longer. The reverse is not done: where sound takes longer,
    /// it is by the few tens of milliseconds that nobody notices.
    pub fn picture_shown(&mut self, captured: Micros, shown: Micros) {
        let lag = transit(shown, captured) as f64;
        let smoothed = self.picture_lag.get_or_insert(lag);
        // After a jump of a second, the sender has started anew.
        *smoothed = if (lag - *smoothed).abs() > 1e6 {
            lag
        } else {
            *smoothed + (lag - *smoothed) * PICTURE_SMOOTHING
        };
    }

    /// Fills `out`, interleaved, with what is to be heard from `now` + `device` on.
    ///
    /// `device` is how long after being handed over a sample is heard.
    pub fn fill(&mut self, out: &mut [f32], now: Micros, device: Duration) {
        self.wait_for_picture(device);
        let ratio = self.jitter.ratio();
        for (index, sample) in out.as_chunks_mut::<CHANNELS>().0.iter_mut().enumerate() {
            while self.resampler.is_hungry() {
                self.feed(now, duration_of(index as u64), device);
            }
            *sample = self.resampler.pop(ratio);
        }
    }

    /// How sound comes through.
    pub fn figures(&self) -> Figures {
        Figures {
            counts: self.jitter.counts(),
            damaged: self.damaged,
            buffer: self.jitter.lag(),
            target: self.jitter.target(),
            speed_ppm: (self.jitter.ratio() - 1.0) * 1e6,
            lag: self.sound_lag,
            after_picture: self
                .picture_lag
                .zip(self.sound_lag)
                .map(|(picture, sound)| sound.saturating_sub(picture as i64)),
        }
    }

    /// Has the buffer hold sound back for as long as the picture takes longer.
    fn wait_for_picture(&mut self, device: Duration) {
        let wait = self
            .picture_lag
            .zip(self.jitter.base())
            .map_or(0.0, |(picture, base)| picture - base as f64 - device.as_micros() as f64);
        self.jitter.hold(Duration::from_micros(wait.max(0.0) as u64));
    }

    /// Hands the resampler the next sound, to be played `ahead` after `now`.
    ///
    /// Where sound is left out nothing more has to be done: the codec's frames overlap by 2.5 ms, so one blends into
    /// the next whichever it is.
    fn feed(&mut self, now: Micros, ahead: Duration, device: Duration) {
        let at = now + ahead;
        let (length, decoded) = match self.jitter.take(at, ahead) {
            Take::Frame(frame) => {
                self.sound_lag = Some(transit(at + device, frame.captured));
                let samples = &mut self.samples[..frame.length.values()];
                let decoded = self.decoder.decode(&frame.payload, frame.length, samples);
                self.damaged += u64::from(decoded.is_err());
                (frame.length, decoded.or_else(|_| self.decoder.conceal(frame.length, &mut self.samples)))
            }
            Take::Conceal(length) => (length, self.decoder.conceal(length, &mut self.samples)),
            Take::Silence => {
                self.sound_lag = None;
                self.resampler.push(&[0.0; SILENCE * CHANNELS]);
                return;
            }
        };
        if decoded.is_err() {
            self.samples.fill(0.0);
        }
        self.resampler.push(&self.samples[..length.values()]);
    }
}

/// How many samples of silence are handed on at a time: 1 ms, so that sound starts when it is due.
const SILENCE: usize = RATE as usize / 1000;

/// The share of a picture's lag that goes into the smoothed one: half after a second at 60 fps.
const PICTURE_SMOOTHING: f64 = 0.012;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{opus::Encoder, packet::Packetiser, packet::Redundancy, signal};

    /// The datagrams of `sent` in frames of 10 ms, each with its capture time in µs.
    fn datagrams(sent: &[f32], redundancy: Redundancy) -> Vec<(u64, Vec<u8>)> {
        datagrams_of(FrameLength::Ms10, sent, redundancy)
    }

    fn datagrams_of(length: FrameLength, sent: &[f32], redundancy: Redundancy) -> Vec<(u64, Vec<u8>)> {
        let mut encoder = Encoder::new(length, crate::opus::DEFAULT_BITRATE).unwrap();
        let mut packetiser = Packetiser::new(length);
        let frames = sent.chunks_exact(length.values()).enumerate();
        frames
            .map(|(index, frame)| {
                let captured = index as u64 * length.duration().as_micros() as u64;
                let mut bytes = Vec::new();
                packetiser.pack(
                    Micros(captured + ORIGIN),
                    encoder.encode(frame).unwrap(),
                    redundancy,
                    &mut bytes,
                );
                (captured, bytes)
            })
            .collect()
    }

    /// Plays datagrams that come 15 ms after their first sample on a device that asks for 5 ms at a time, `ppm` faster than it should.
    fn play(
        receiver: &mut Receiver,
        datagrams: &[(u64, Vec<u8>)],
        ppm: f64,
        lost: impl Fn(usize) -> bool,
    ) -> Vec<f32> {
        let mut heard = Vec::new();
        let mut waiting = datagrams.iter().enumerate().peekable();
        let mut now = 0.0;
        while waiting.peek().is_some() {
            while let Some((index, (captured, bytes))) =
                waiting.next_if(|(_, (at, _))| (at + 15_000) as f64 <= now)
            {
                if !lost(index) {
                    receiver.receive(bytes, Micros(captured + 15_000)).unwrap();
                }
            }
            let mut out = [0.0; 480];
            receiver.fill(&mut out, Micros(now as u64), DEVICE);
            heard.extend(out);
            now += 5_000.0 / (1.0 + ppm * 1e-6);
        }
        heard
    }

    /// A click is a step that the sound itself never makes: the second difference of a tone is bounded.
    fn roughest(samples: &[f32]) -> f32 {
        let left: Vec<f32> = samples.iter().step_by(2).copied().collect();
        left.windows(3).map(|three| (three[0] - 2.0 * three[1] + three[2]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_tone_comes_through_drift_and_loss_without_a_click() {
        let sent = signal::tone(440.0, 0.5, 48_000 * 20);
        for ppm in [-200.0, 200.0] {
            let mut receiver = Receiver::new().unwrap();
            let lost = |index: usize| index % 20 == 7 || index % 100 == 8;
            let heard = play(&mut receiver, &datagrams(&sent, Redundancy::Two), ppm, lost);
            let figures = receiver.figures();
            assert_eq!((figures.counts.concealed, figures.damaged), (0, 0), "{figures:?}");
            assert!(figures.counts.repaired > 100, "{figures:?}");
            let steady = &heard[96_000 * 3..heard.len() - 9_600];
            let smooth = 0.5 * (std::f32::consts::TAU * 440.0 / 48_000.0).powi(2);
            assert!(roughest(steady) < smooth * 3.0, "{ppm} ppm: {} of {smooth}", roughest(steady));
            let quietest = steady.chunks(960).map(signal::level).fold(1.0, f32::min);
            assert!(quietest > 0.3, "{ppm} ppm: a gap: {quietest}");
        }
    }

    #[test]
    fn sound_starts_and_stops_without_a_click() {
        let sent = signal::tone(440.0, 0.5, 48_000);
        let mut receiver = Receiver::new().unwrap();
        let heard =
            play(&mut receiver, &datagrams(&sent, Redundancy::One), 0.0, |index| (30..60).contains(&index));
        assert!(receiver.figures().counts.skipped > 20);
        let smooth = 0.5 * (std::f32::consts::TAU * 440.0 / 48_000.0).powi(2);
        assert!(roughest(&heard) < smooth * 12.0, "{} of {smooth}", roughest(&heard));
    }

    /// A device that stood still for 90 ms leaves as much out, in the middle of a tone.
    #[test]
    fn what_is_left_out_leaves_no_click() {
        let sent = signal::tone(333.0, 0.5, 48_000 * 3);
        let mut receiver = Receiver::new().unwrap();
        let sent = datagrams(&sent, Redundancy::One);
        let mut heard = play(&mut receiver, &sent[..200], 0.0, |_| false);
        for late in 0..100 {
            let now = 2_105_000 + late * 5_000;
            let arrived = |at: u64| at + 15_000 <= now && (late == 0 || at + 20_000 > now);
            for (captured, bytes) in sent[200..].iter().filter(|(at, _)| arrived(*at)) {
                receiver.receive(bytes, Micros(captured + 15_000)).unwrap();
            }
            let mut out = [0.0; 480];
            receiver.fill(&mut out, Micros(now), DEVICE);
            heard.extend(out);
        }
        assert!(receiver.figures().counts.skipped > 4, "{:?}", receiver.figures());
        let smooth = 0.5 * (std::f32::consts::TAU * 333.0 / 48_000.0).powi(2);
        let rough = roughest(&heard[100_000..]);
        assert!(rough < smooth * 3.0, "{rough} of {smooth}");
    }

    /// Picture and sound within 40 ms: here the picture takes 70 ms longer than the quickest sound.
    #[test]
    fn sound_is_heard_when_its_picture_is_shown() {
        let sent = signal::tone(440.0, 0.5, 48_000 * 40);
        let mut receiver = Receiver::new().unwrap();
        for shown in 0..600_u64 {
            receiver.picture_shown(Micros(ORIGIN + shown * 16_667), Micros(shown * 16_667 + 85_000));
        }
        play(&mut receiver, &datagrams(&sent, Redundancy::One), 0.0, |_| false);
        let after = receiver.figures().after_picture.unwrap();
        assert!(after.abs() < 8_000, "{after} µs");
    }

    /// Lips that move a while before they are heard. Here the picture takes 12 ms, 10 of them the network's, which loses
    /// 3 %; sound comes 5 ms later, by the length of its frames, and its device takes 20.
    #[test]
    fn sound_stays_within_40_ms_of_a_quick_picture_while_packets_are_lost() {
        let sent = signal::tone(440.0, 0.5, 48_000 * 30);
        for redundancy in [Redundancy::One, Redundancy::Two] {
            let mut receiver = Receiver::new().unwrap();
            for shown in 0..600_u64 {
                receiver.picture_shown(Micros(ORIGIN + shown * 16_667), Micros(shown * 16_667 + 12_000));
            }
            let sent = datagrams_of(FrameLength::Ms5, &sent, redundancy);
            // Knuth's MMIX generator: losses by themselves, now and then two or three in a row.
            let lost = |index: usize| {
                let random = (index as u64 + 1)
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (random ^ (random >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32 < (3 << 32) / 100
            };
            play(&mut receiver, &sent, 0.0, lost);
            let figures = receiver.figures();
            let (after, counts) = (figures.after_picture.unwrap(), figures.counts);
            assert!((0..40_000).contains(&after), "{after} µs: {figures:?}");
            assert!(counts.repaired > 120, "{counts:?}");
            let most = if redundancy == Redundancy::Two { 1_000 } else { 300 };
            assert!(counts.concealed * most <= counts.heard, "{counts:?}");
        }
    }

    /// A host whose payloads are no Opus gets concealment, and a count.
    #[test]
    fn payloads_that_are_no_opus_are_concealed_and_counted() {
        let mut receiver = Receiver::new().unwrap();
        let mut packetiser = Packetiser::new(FrameLength::Ms10);
        for index in 0..100_u64 {
            let mut bytes = Vec::new();
            let junk = [0xFF; 40];
            packetiser.pack(
                Micros(index * 10_000),
                &junk[..=index as usize % 40],
                Redundancy::One,
                &mut bytes,
            );
            receiver.receive(&bytes, Micros(index * 10_000)).unwrap();
            let mut out = [0.0; 960];
            receiver.fill(&mut out, Micros(index * 10_000 + 20_000), DEVICE);
            assert!(out.iter().all(|value| value.is_finite()));
        }
        assert!(receiver.figures().damaged > 50, "{:?}", receiver.figures());
    }

    /// The two clocks have origins of their own.
    const ORIGIN: u64 = 1 << 50;

    const DEVICE: Duration = Duration::from_millis(20);
}
