//! The sending thread: encodes the newest picture and puts it on the connection.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use pf_codec::{EncodeError, EncoderConfig, FrameKind, VideoEncoder};
use pf_media::{
    packet::{AccessUnit, Packetiser, Reference},
    picture::Size,
};
use pf_net::{Connection, transport};
use pf_proto::media::Stream as MediaStream;

use super::{
    Captured, StreamError, Wishes,
    figures::{Measures, Steps},
    newest::{Newest, Taken},
};
use crate::clock::Clock;

/// How many times a picture that stands still is sent again at [`SETTLING`], so that it becomes clean.
const SETTLING_REPEATS: u32 = 8;

/// How often a picture that has just come to a stand is sent again.
const SETTLING: Duration = Duration::from_millis(33);

/// How often a picture that stands still is sent again: a client that has lost one is never blind for longer, and
/// an idle desktop costs next to nothing.
const STANDING: Duration = Duration::from_millis(200);

/// How much may lie unsent in the connection before the next picture waits, in bytes: about what a wireless link
/// sends in two milliseconds. More would be delay, less would starve the link between two pictures.
const BACKLOG: usize = 32 * 1024;

/// How long to wait for a link that is behind before looking again.
const LINK_PATIENCE: Duration = Duration::from_millis(1);

/// Threads to encode with: one slice each.
const ENCODER_THREADS: u8 = 2;

pub(super) struct Sender {
    connection: Connection,
    clock: Clock,
    wishes: Wishes,
    key_wanted: Arc<AtomicBool>,
    measures: Arc<Measures>,
    packetiser: Packetiser,
    encoder: Option<(Size, Box<dyn VideoEncoder>)>,
}

impl Sender {
    pub(super) fn new(
        connection: Connection,
        clock: Clock,
        wishes: Wishes,
        key_wanted: Arc<AtomicBool>,
        measures: Arc<Measures>,
    ) -> Self {
        let packetiser = Packetiser::new(MediaStream::Video);
        Self { connection, clock, wishes, key_wanted, measures, packetiser, encoder: None }
    }

    /// Sends until the place is closed or the connection is gone.
    pub(super) fn run(mut self, pictures: &Newest<Captured>) -> Result<(), StreamError> {
        let mut current: Option<Captured> = None;
        let mut is_unsent = false;
        let mut repeats = 0;
        loop {
            let pause = match (is_unsent, repeats) {
                (true, _) => LINK_PATIENCE,
                (false, 0..SETTLING_REPEATS) => SETTLING,
                (false, _) => STANDING,
            };
            match (pictures.take(Instant::now() + pause), &mut current) {
                (Taken::Item(newer), _) => {
                    if let Some(older) = current.replace(newer) {
                        pictures.give_back(older);
                    }
                    is_unsent = true;
                    repeats = 0;
                }
                // What stands still is as fresh as when it was captured.
                (Taken::TimedOut, Some(standing)) if !is_unsent => {
                    standing.at = Instant::now();
                    is_unsent = true;
                    repeats += 1;
                }
                (Taken::TimedOut, _) => {}
                (Taken::Closed, _) => return Ok(()),
            }
            if let Some(picture) = &current
                && is_unsent
                && !self.link_is_behind()
            {
                let freshness = if repeats == 0 { Freshness::Fresh } else { Freshness::Standing };
                if self.send(picture, freshness)? == Sent::ConnectionGone {
                    return Ok(());
                }
                is_unsent = false;
            }
        }
    }

    /// Whether so much lies unsent that one more picture would only wait behind it.
    fn link_is_behind(&self) -> bool {
        transport::DATAGRAM_SEND_BUFFER.saturating_sub(self.connection.datagram_send_buffer_space()) > BACKLOG
    }

    fn send(&mut self, captured: &Captured, freshness: Freshness) -> Result<Sent, StreamError> {
        let begun = Instant::now();
        let size = captured.picture.size();
        let mut kind = FrameKind::Auto;
        if self.key_wanted.swap(false, Ordering::Relaxed) {
            kind = FrameKind::Key;
        }
        if self.encoder.as_ref().is_none_or(|(made_for, _)| *made_for != size) {
            self.encoder = Some((size, self.make_encoder(size)?));
        }
        let Some((_, encoder)) = &mut self.encoder else { return Ok(Sent::Picture) };
        let frame = encoder.encode(&captured.picture, kind)?;
        let ended = Instant::now();
        let unit = AccessUnit {
            reference: if frame.is_key { Reference::Nothing } else { Reference::Previous },
            captured: self.clock.media_time(captured.at),
            bytes: frame.access_unit,
        };
        match self.packetiser.packetise(unit, self.connection.max_datagram(), 0) {
            Ok(datagrams) => {
                for datagram in datagrams {
                    if self.connection.send_datagram(datagram).is_err() {
                        return Ok(Sent::ConnectionGone);
                    }
                }
                let steps = || Steps {
                    capture: captured.ready.saturating_duration_since(captured.at),
                    queue: begun.saturating_duration_since(captured.ready),
                    encode: ended - begun,
                };
                self.measures.note_picture(size, (freshness == Freshness::Fresh).then(steps));
            }
            Err(error) => {
                tracing::warn!(%error, "a picture could not be sent");
                self.key_wanted.store(true, Ordering::Relaxed);
            }
        }
        Ok(Sent::Picture)
    }

    fn make_encoder(&self, size: Size) -> Result<Box<dyn VideoEncoder>, EncodeError> {
        pf_codec::encoder(EncoderConfig {
            size,
            fps: self.wishes.fps.get(),
            bitrate: self.wishes.bitrate,
            threads: ENCODER_THREADS,
        })
    }
}

/// Whether a picture is sent for the first time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Freshness {
    Fresh,
    Standing,
}

/// What came of sending one picture.
#[derive(PartialEq, Eq)]
enum Sent {
    Picture,
    ConnectionGone,
}
