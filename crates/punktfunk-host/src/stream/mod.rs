//! The frame path of one session: from the source's picture to datagrams on the connection.
//!
//! Three threads: *capture* waits for pictures and converts each, *encode* takes the newest when the path has room for
//! it, *send* puts each datagram on the connection when its time has come. When the encoder or the link is behind, the
//! newest picture wins.
//!
//! Encoding and sending have a thread each because the end of a picture is still leaving when the next one is encoded: a
//! thread for both would hold it back for as long as encoding takes, half of a picture's interval on a slow machine.
//!
//! Tokio brings the receiver's reports, and nothing here waits for it.

mod capture;
mod encode;
pub(crate) mod figures;
mod newest;
mod outgoing;
mod transmit;

use std::{
    num::NonZeroU32,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use pf_codec::{EncodeError, I420};
use pf_desktop::{Source, SourceConfig, SourceError, SourceKind, Stop};
use pf_media::{fec, picture::Size, rate::Limits, transmit::Transmitter};
use pf_net::Connection;
use pf_proto::{media, session::MediaFeedback};
use tokio::sync::oneshot;

use crate::clock::Clock;
use figures::Measures;
use newest::Newest;
use outgoing::Outgoing;

/// What a session streams when the client does not say.
pub(crate) const DEFAULT_SIZE: Size = Size::new(1280, 720);

/// What a session streams at most, in pictures a second, and what it does when the client does not say.
pub(crate) const MAX_FPS: u32 = 120;
/// See [`MAX_FPS`].
pub(crate) const DEFAULT_FPS: NonZeroU32 = NonZeroU32::new(60).expect("60 is not 0");

/// What a stream takes of the link at most when the client does not say, in bits a second, with all that goes with the
/// pictures.
///
/// On a wired network the picture is clean at that; over a weak wireless link the client asks for less.
pub(crate) const DEFAULT_BITRATE: u32 = 15_000_000;

/// The least that a stream takes, in bits a second: text can still be read.
const LEAST_BITRATE: u64 = 500_000;

/// What a stream begins with, in bits a second: any link worth the name takes it, and where there is room it doubles
/// within a second.
const FIRST_BITRATE: u64 = 6_000_000;

/// A picture on its way from capture to encode.
struct Captured {
    picture: I420,
    /// When the source had it; a picture that stands still is as fresh as when it was looked at last.
    at: Instant,
    /// When it was ready to be encoded.
    ready: Instant,
}

/// A running stream. Dropping it ends its threads and the source with them.
pub(crate) struct Stream {
    stop: Stop,
    pictures: Arc<Newest<Captured>>,
    outgoing: Arc<Outgoing>,
    connection: Connection,
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
        // The first parity of a process takes 22 ms, of which no picture should be late.
        fec::warm_up();
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
        let outgoing = Arc::new(Outgoing::new(clock, transmitter(clock, wishes)));
        let (report, ended) = oneshot::channel();
        let measures = Arc::new(Measures::new(self.kind, connection.clone()));
        let stream = Stream { stop: self.stop, pictures, outgoing, connection, measures, ended };
        stream.connection.follow_pace(Some(stream.outgoing.pace()));

        let sending = transmit::start(stream.connection.clone(), Arc::clone(&stream.outgoing))?;
        let encoding = encode::Encoding::new(
            stream.connection.clone(),
            clock,
            wishes,
            Arc::clone(&stream.outgoing),
            Arc::clone(&stream.measures),
        );
        let (pictures, outgoing) = (Arc::clone(&stream.pictures), Arc::clone(&stream.outgoing));
        let stop = stream.stop.clone();
        let encoding = thread::Builder::new().name("encode".to_owned()).spawn(move || {
            let encoded = encoding.run(&pictures);
            pictures.close();
            outgoing.close();
            stop.stop();
            // What it has to say was said to the connection.
            let _ = sending.join();
            encoded
        })?;
        capture::start(self.source, Arc::clone(&stream.pictures), encoding, report)?;
        Ok(stream)
    }
}

impl Stream {
    /// The next picture becomes a key frame.
    pub(crate) fn want_key_frame(&self) {
        self.measures.note_key_frame_request();
        self.outgoing.want_key_frame();
    }

    /// Takes in a report of the client, and says which share of datagrams its path loses, 0 to 1.
    ///
    /// `beside` is what else leaves on the connection, in bits a second.
    pub(crate) fn handle_feedback(&self, feedback: &MediaFeedback, beside: u32) -> f64 {
        let path = self.outgoing.handle_feedback(feedback);
        self.connection.follow_pace(Some(path.pace + u64::from(beside)));
        self.measures.note_path(path);
        path.loss
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
        self.outgoing.close();
    }
}

fn transmitter(clock: Clock, wishes: Wishes) -> Transmitter {
    let ceiling = u64::from(wishes.bitrate);
    let limits = Limits { floor: LEAST_BITRATE.min(ceiling), start: FIRST_BITRATE.min(ceiling), ceiling };
    let interval = Duration::from_secs(1) / wishes.fps.get();
    Transmitter::new(clock.media_time(Instant::now()), media::Stream::Video, interval, limits)
}
