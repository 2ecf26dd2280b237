//! The frame path of one session: from the source's picture to datagrams on the connection.
//!
//! Two threads and one place between them: *capture* waits for pictures and converts each, *send* encodes the newest
//! and sends it. Neither waits for the other, and when the encoder or the link is behind, the newest picture wins.
//! Tokio sees none of it.

mod capture;
pub(crate) mod figures;
mod newest;
mod send;

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use pf_codec::{EncodeError, I420};
use pf_desktop::{Source, SourceConfig, SourceError, SourceKind, Stop};
use pf_media::picture::Size;
use pf_net::Connection;
use tokio::sync::oneshot;

use crate::clock::Clock;
use figures::Measures;
use newest::Newest;

/// What a session streams when the client does not say.
pub(crate) const DEFAULT_SIZE: Size = Size::new(1280, 720);

/// What a session streams at most, in pictures a second, and what it does when the client does not say.
pub(crate) const MAX_FPS: u32 = 120;
/// See [`MAX_FPS`].
pub(crate) const DEFAULT_FPS: NonZeroU32 = NonZeroU32::new(60).expect("60 is not 0");

/// What the encoder aims at when the client does not say, in bits a second.
///
/// On a wired network the picture is clean at that; over a weak wireless link the client asks for less.
pub(crate) const DEFAULT_BITRATE: u32 = 15_000_000;

/// A picture on its way from capture to send.
struct Captured {
    picture: I420,
    /// When the source had it; a picture that stands still is as fresh as when it was looked at last.
    at: Instant,
    /// When it was ready to be encoded.
    ready: Instant,
}

/// A running stream. Dropping it ends both threads and the source with them.
pub(crate) struct Stream {
    stop: Stop,
    pictures: Arc<Newest<Captured>>,
    key_wanted: Arc<AtomicBool>,
    measures: Arc<Measures>,
    ended: oneshot::Receiver<StreamError>,
}

/// Why there are no more pictures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    /// The source could not be opened, or failed.
    #[error("{0}; {way_on}", way_on = .0.way_on())]
    Source(#[from] SourceError),
    /// The encoder could not be made, or failed.
    #[error(transparent)]
    Encoder(#[from] EncodeError),
    /// The machine gave no thread.
    #[error("no thread could be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// What the client asked for, within what this host gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wishes {
    pub(crate) size: Size,
    pub(crate) fps: NonZeroU32,
    pub(crate) bitrate: u32,
}

/// A source that is open and sends nothing yet.
pub(crate) struct Opened {
    kind: SourceKind,
    source: Box<dyn Source>,
    stop: Stop,
}

impl Opened {
    /// Opens the source; blocks while a virtual display starts. `stop` ends it from any thread.
    pub(crate) fn open(config: &SourceConfig, stop: Stop) -> Result<Self, StreamError> {
        let kind = pf_desktop::choose(config, &stop).kind;
        let source = pf_desktop::open(&SourceConfig { kind, ..config.clone() }, &stop)?;
        Ok(Self { kind, source, stop })
    }

    /// Which source it is: what `auto` stood for.
    pub(crate) fn kind(&self) -> SourceKind {
        self.kind
    }

    /// The size of the first picture.
    pub(crate) fn size(&self) -> Size {
        self.source.size()
    }

    /// Starts sending pictures on `connection`.
    pub(crate) fn start(
        self,
        wishes: Wishes,
        connection: Connection,
        clock: Clock,
    ) -> Result<Stream, StreamError> {
        let pictures = Arc::new(Newest::new());
        let key_wanted = Arc::new(AtomicBool::new(false));
        let (report, ended) = oneshot::channel();
        let measures = Arc::new(Measures::new(self.kind, connection.clone()));
        let stream = Stream { stop: self.stop, pictures, key_wanted, measures, ended };

        let sender = send::Sender::new(
            connection,
            clock,
            wishes,
            Arc::clone(&stream.key_wanted),
            Arc::clone(&stream.measures),
        );
        let pictures = Arc::clone(&stream.pictures);
        let stop = stream.stop.clone();
        let sending = thread::Builder::new().name("send".to_owned()).spawn(move || {
            let sent = sender.run(&pictures);
            pictures.close();
            stop.stop();
            sent
        })?;
        capture::start(self.source, Arc::clone(&stream.pictures), sending, report)?;
        Ok(stream)
    }
}

impl Stream {
    /// The next picture becomes a key frame.
    pub(crate) fn want_key_frame(&self) {
        self.measures.note_key_frame_request();
        self.key_wanted.store(true, Ordering::Relaxed);
    }

    /// What this stream measures of itself.
    pub(crate) fn measures(&self) -> &Arc<Measures> {
        &self.measures
    }

    /// Waits until there are no more pictures, and says why. Safe to cancel.
    pub(crate) async fn ended(&mut self) -> StreamError {
        (&mut self.ended).await.unwrap_or(StreamError::Source(SourceError::Stopped))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.stop.stop();
        self.pictures.close();
    }
}
