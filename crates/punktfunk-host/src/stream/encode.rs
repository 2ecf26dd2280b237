//! The encoding thread: encodes the newest picture when the path has room for it.
//!
//! A picture that the path has no room for is not encoded; it waits until there is, or a newer one takes its place.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pf_codec::{EncodeError, EncoderConfig, FrameKind, VideoEncoder};
use pf_media::{
    packet::{AccessUnit, Reference},
    picture::Size,
    recovery::Wanted,
};
use pf_net::Connection;

use super::{
    Captured, StreamError, Wishes,
    figures::{Measures, Steps},
    newest::{Newest, Taken},
    outgoing::{Order, Outgoing},
};
use crate::clock::Clock;

/// How many times a picture that stands still is sent again at [`SETTLING`], so that it becomes clean.
const SETTLING_REPEATS: u32 = 8;

/// How often a picture that has just come to a stand is sent again.
const SETTLING: Duration = Duration::from_millis(33);

/// How often a picture that stands still is sent again: a client that has lost one is never blind for longer, and
/// an idle desktop costs next to nothing.
const STANDING: Duration = Duration::from_millis(200);

/// A new rate is set when it differs by more than one part in this many: two per cent, which no link shows.
const LEAST_CHANGE: u32 = 50;

/// Threads to encode with: one slice each.
const ENCODER_THREADS: u8 = 2;

pub(super) struct Encoding {
    connection: Connection,
    clock: Clock,
    outgoing: Arc<Outgoing>,
    measures: Arc<Measures>,
    encoders: Encoders,
    /// The number in the stream of the encoder's frame 0.
    first: u32,
}

/// The encoder of the pictures' size of now.
struct Encoders {
    fps: u32,
    made: Option<Encoder>,
}

struct Encoder {
    size: Size,
    bitrate: u32,
    codec: Box<dyn VideoEncoder>,
}

/// The picture to send next.
struct Current {
    captured: Captured,
    /// How many times it was sent since it stands still.
    repeats: u32,
}

impl Encoding {
    pub(super) fn new(
        connection: Connection,
        clock: Clock,
        wishes: Wishes,
        outgoing: Arc<Outgoing>,
        measures: Arc<Measures>,
    ) -> Self {
        let encoders = Encoders { fps: wishes.fps.get(), made: None };
        Self { connection, clock, outgoing, measures, encoders, first: 0 }
    }

    /// Encodes until the place of pictures is closed, or nothing goes out any more.
    pub(super) fn run(mut self, pictures: &Newest<Captured>) -> Result<(), StreamError> {
        let mut current = None;
        while let Some(mut picture) = next(pictures, current.take()) {
            let Ok(order) = self.outgoing.await_room() else { break };
            refresh(pictures, &mut picture);
            self.encode(&picture, order)?;
            current = Some(picture);
        }
        Ok(())
    }

    fn encode(&mut self, picture: &Current, order: Order) -> Result<(), StreamError> {
        let Current { captured, repeats } = picture;
        let begun = Instant::now();
        let kind = match order.wanted {
            None => FrameKind::Auto,
            Some(Wanted::After(frame)) => FrameKind::After(frame.wrapping_sub(self.first)),
            Some(Wanted::Key) => FrameKind::Key,
        };
        let encoder = self.encoders.made_for(captured.picture.size(), order.rate)?;
        if let Some(decoded) = order.decoded {
            encoder.acknowledge(decoded.wrapping_sub(self.first));
        }
        let frame = encoder.encode(&captured.picture, kind)?;
        let number = frame.number;
        let ended = Instant::now();
        let unit = AccessUnit {
            reference: match frame.reference {
                Reference::Frame(frame) => Reference::Frame(frame.wrapping_add(self.first)),
                reference => reference,
            },
            captured: self.clock.media_time(captured.at),
            bytes: frame.access_unit,
        };
        match self.outgoing.put(unit, self.connection.max_datagram()) {
            Ok(sent) => {
                self.first = sent.wrapping_sub(number);
                let steps = || Steps {
                    capture: captured.ready.saturating_duration_since(captured.at),
                    queue: begun.saturating_duration_since(captured.ready),
                    encode: ended - begun,
                };
                self.measures.note_picture(captured.picture.size(), (*repeats == 0).then(steps));
            }
            Err(error) => {
                tracing::warn!(%error, "a picture could not be sent");
                self.outgoing.want_key_frame();
            }
        }
        Ok(())
    }
}

impl Encoders {
    /// The encoder of this size, set to this rate.
    fn made_for(&mut self, size: Size, rate: u64) -> Result<&mut dyn VideoEncoder, EncodeError> {
        let bitrate = u32::try_from(rate).unwrap_or(u32::MAX);
        let encoder = match self.made.take() {
            Some(mut encoder) if encoder.size == size => {
                if bitrate.abs_diff(encoder.bitrate) > encoder.bitrate / LEAST_CHANGE {
                    encoder.codec.set_bitrate(bitrate);
                    encoder.bitrate = bitrate;
                }
                encoder
            }
            _ => {
                let config = EncoderConfig { size, fps: self.fps, bitrate, threads: ENCODER_THREADS };
                Encoder { size, bitrate, codec: pf_codec::encoder(config)? }
            }
        };
        Ok(self.made.insert(encoder).codec.as_mut())
    }
}

/// Waits for the next picture to send: a newer one, or the current one when it has stood still for long enough. `None`
/// when there will be none.
fn next(pictures: &Newest<Captured>, mut current: Option<Current>) -> Option<Current> {
    loop {
        let pause = match &current {
            Some(Current { repeats: 0..SETTLING_REPEATS, .. }) => SETTLING,
            _ => STANDING,
        };
        match (pictures.take(Instant::now() + pause), current) {
            (Taken::Item(newer), older) => {
                if let Some(older) = older {
                    pictures.give_back(older.captured);
                }
                return Some(Current { captured: newer, repeats: 0 });
            }
            (Taken::TimedOut, Some(standing)) => {
                return Some(Current { repeats: standing.repeats + 1, ..standing });
            }
            (Taken::TimedOut, None) => current = None,
            (Taken::Closed, _) => return None,
        }
    }
}

/// Puts a picture that came meanwhile in the place of this one. One that stands still is as fresh as when it was looked
/// at last, which is now.
fn refresh(pictures: &Newest<Captured>, picture: &mut Current) {
    if let Taken::Item(newer) = pictures.take(Instant::now()) {
        let older = std::mem::replace(picture, Current { captured: newer, repeats: 0 });
        pictures.give_back(older.captured);
    } else if picture.repeats > 0 {
        picture.captured.at = Instant::now();
    }
}
