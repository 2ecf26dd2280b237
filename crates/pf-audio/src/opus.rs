//! Sound to Opus packets and back.
//!
//! The encoder runs in Opus' low-delay mode (RFC 6716, section 2.1: CELT alone), which looks ahead by 2.5 ms where the
//! general mode takes 6.5 ms. That mode has no forward error correction of its own; what is lost is repaired from
//! copies, see [`crate::packet`]. Silence is coded like sound and comes out as a few bytes: discontinuous
//! transmission stays off, since a receiver that hears nothing for a while cannot tell silence from loss.

use opus_pure::{Application, OpusDecoder, OpusEncoder};
use thiserror::Error;

use crate::frame::{CHANNELS, FrameLength, RATE};

/// Turns frames of sound into Opus packets, one for one.
#[derive(Debug)]
pub struct Encoder {
    opus: OpusEncoder,
    length: FrameLength,
    payload: Box<[u8; MAX_PAYLOAD]>,
}

impl Encoder {
    /// An encoder of frames of `length` at `bits_per_second`, held between [`MIN_BITRATE`] and [`MAX_BITRATE`].
    pub fn new(length: FrameLength, bits_per_second: u32) -> Result<Self, EncodeError> {
        let mut opus = OpusEncoder::new(RATE.cast_signed(), CHANNELS, Application::RestrictedLowDelay)
            .map_err(|error| failed(&error))?;
        opus.complexity = COMPLEXITY;
        let mut encoder = Self { opus, length, payload: Box::new([0; MAX_PAYLOAD]) };
        encoder.set_bitrate(bits_per_second);
        Ok(encoder)
    }

    /// Sets the target rate from the next frame on, held between [`MIN_BITRATE`] and [`MAX_BITRATE`].
    pub fn set_bitrate(&mut self, bits_per_second: u32) {
        self.opus.bitrate_bps = bits_per_second.clamp(MIN_BITRATE, MAX_BITRATE).cast_signed();
    }

    /// Encodes one frame of interleaved samples between −1 and 1; the packet stays valid until the next call.
    pub fn encode(&mut self, samples: &[f32]) -> Result<&[u8], EncodeError> {
        let expected = self.length.values();
        if samples.len() != expected {
            return Err(EncodeError::WrongLength { expected, found: samples.len() });
        }
        let length = self
            .opus
            .encode(samples, self.length.samples(), &mut self.payload[..])
            .map_err(|error| failed(&error))?;
        Ok(&self.payload[..length])
    }
}

/// Turns Opus packets into frames of sound, and makes up for those that are missing.
#[derive(Debug)]
pub struct Decoder {
    opus: OpusDecoder,
}

impl Decoder {
    /// A decoder that has heard nothing yet.
    pub fn new() -> Result<Self, DecodeError> {
        let opus = OpusDecoder::new(RATE.cast_signed(), CHANNELS).map_err(|error| damaged(&error))?;
        Ok(Self { opus })
    }

    /// Decodes one packet into `samples`, which is as long as a frame of `length`.
    ///
    /// A packet of another length is damaged. After an error the decoder can be used on.
    pub fn decode(
        &mut self,
        payload: &[u8],
        length: FrameLength,
        samples: &mut [f32],
    ) -> Result<(), DecodeError> {
        if payload.is_empty() {
            return Err(DecodeError { reason: "it is empty".to_owned() });
        }
        self.run(payload, length, samples)
    }

    /// Goes on for one frame from what was heard before: what a listener notices least where a packet is missing.
    ///
    /// In a row of these the sound fades out within 60 ms; after that comes noise, which is better left out.
    pub fn conceal(&mut self, length: FrameLength, samples: &mut [f32]) -> Result<(), DecodeError> {
        self.run(&[], length, samples)
    }

    fn run(&mut self, payload: &[u8], length: FrameLength, samples: &mut [f32]) -> Result<(), DecodeError> {
        let samples = &mut samples[..length.values()];
        let count = self.opus.decode(payload, length.samples(), samples).map_err(|error| damaged(&error))?;
        if count != length.samples() {
            return Err(DecodeError { reason: format!("it holds {count} samples of {}", length.samples()) });
        }
        Ok(())
    }
}

/// Why a frame was not encoded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// The caller handed a frame of another length than the encoder is made for.
    #[error("the encoder takes {expected} values, the frame has {found}")]
    WrongLength {
        /// What the encoder is made for.
        expected: usize,
        /// What it was handed.
        found: usize,
    },
    /// The codec library failed.
    #[error("the sound encoder failed: {reason}")]
    Backend {
        /// What it said.
        reason: String,
    },
}

/// The sender's sound is damaged, or is no Opus of the length that it says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the sound is damaged: {reason}")]
pub struct DecodeError {
    /// What the codec library said.
    pub reason: String,
}

fn failed(error: &opus_pure::Error) -> EncodeError {
    EncodeError::Backend { reason: error.to_string() }
}

fn damaged(error: &opus_pure::Error) -> DecodeError {
    DecodeError { reason: error.to_string() }
}

/// The lowest rate that sound is coded at, in bits per second: music is recognisable.
pub const MIN_BITRATE: u32 = 32_000;

/// The rate that sound is coded at unless told otherwise: few can tell it from the original.
pub const DEFAULT_BITRATE: u32 = 128_000;

/// The highest rate that sound is coded at; beyond it nobody hears a difference.
pub const MAX_BITRATE: u32 = 256_000;

/// The longest packet, in bytes: a tenth more than the highest rate takes for 10 ms.
///
/// A datagram holds three of them, and fits what QUIC carries right after connect.
pub const MAX_PAYLOAD: usize = 352;

/// How hard the encoder tries, 0 to 10.
///
/// At 9, which is where libopus' own default stands, 10 ms take 60 to 75 µs. Less would save little of little.
const COMPLEXITY: i32 = 9;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal;

    fn round_trip(
        length: FrameLength,
        bitrate: u32,
        lose: impl Fn(usize) -> bool,
    ) -> (Vec<f32>, Vec<f32>, usize) {
        let sent = signal::music(RATE as usize * 2);
        let mut encoder = Encoder::new(length, bitrate).unwrap();
        let mut decoder = Decoder::new().unwrap();
        let (mut heard, mut bytes) = (Vec::new(), 0);
        let mut samples = vec![0.0; length.values()];
        for (index, frame) in sent.chunks_exact(length.values()).enumerate() {
            let payload = encoder.encode(frame).unwrap();
            bytes += payload.len();
            if lose(index) {
                decoder.conceal(length, &mut samples).unwrap();
            } else {
                decoder.decode(payload, length, &mut samples).unwrap();
            }
            heard.extend_from_slice(&samples);
        }
        (sent, heard, bytes)
    }

    #[test]
    fn music_survives_at_both_frame_lengths_and_keeps_its_rate() {
        for (length, at_least) in [(FrameLength::Ms5, 17.0), (FrameLength::Ms10, 20.0)] {
            let (sent, heard, bytes) = round_trip(length, DEFAULT_BITRATE, |_| false);
            let quality = signal::ratio_db(&sent, &heard, LOOKAHEAD);
            assert!(quality > at_least, "{length:?}: {quality:.1} dB");
            let rate = bytes * 8 / 2;
            assert!((120_000..=136_000).contains(&rate), "{length:?}: {rate} bit/s");
        }
    }

    /// Where nothing can be repaired, a lost frame is a blemish: neither a hole nor a click.
    #[test]
    fn a_concealed_frame_goes_on_from_the_sound_before_it() {
        let lost = |index: usize| index % 20 == 10;
        let (sent, heard, _) = round_trip(FrameLength::Ms10, DEFAULT_BITRATE, lost);
        let values = FrameLength::Ms10.values();
        for index in (10..190).filter(|&index| lost(index)) {
            let level = |signal: &[f32]| signal::level(&signal[index * values..(index + 1) * values]);
            assert!(level(&heard) > level(&sent) * 0.4, "frame {index}: a hole");
        }
        let quality = signal::ratio_db(&sent, &heard, LOOKAHEAD);
        assert!(quality > 12.0, "{quality:.1} dB");
    }

    #[test]
    fn a_long_loss_fades_out_within_60_ms() {
        let (_, heard, _) = round_trip(FrameLength::Ms10, DEFAULT_BITRATE, |index| index >= 100);
        let values = FrameLength::Ms10.values();
        assert!(signal::level(&heard[100 * values..101 * values]) > 0.05);
        assert!(signal::level(&heard[106 * values..107 * values]) < 0.005);
    }

    #[test]
    fn silence_takes_a_few_bytes() {
        let mut encoder = Encoder::new(FrameLength::Ms10, DEFAULT_BITRATE).unwrap();
        let silence = [0.0; FrameLength::Ms10.values()];
        for _ in 0..10 {
            encoder.encode(&silence).unwrap();
        }
        assert!(encoder.encode(&silence).unwrap().len() <= 8);
    }

    #[test]
    fn a_frame_of_the_wrong_length_is_the_callers_mistake() {
        let mut encoder = Encoder::new(FrameLength::Ms5, DEFAULT_BITRATE).unwrap();
        assert_eq!(encoder.encode(&[0.0; 960]), Err(EncodeError::WrongLength { expected: 480, found: 960 }));
    }

    /// A packet that says 20 ms where the header says 10 would overrun whoever trusted either.
    #[test]
    fn a_packet_of_another_length_is_damaged() {
        let mut encoder = Encoder::new(FrameLength::Ms10, DEFAULT_BITRATE).unwrap();
        let payload = encoder.encode(&[0.1; FrameLength::Ms10.values()]).unwrap().to_vec();
        let mut decoder = Decoder::new().unwrap();
        let mut samples = [0.0; FrameLength::Ms10.values()];
        decoder.decode(&payload, FrameLength::Ms5, &mut samples).unwrap_err();
        decoder.decode(&[], FrameLength::Ms10, &mut samples).unwrap_err();
        decoder.decode(&payload, FrameLength::Ms10, &mut samples).unwrap();
    }

    /// What the low-delay mode looks ahead, in samples.
    const LOOKAHEAD: usize = 120;
}
