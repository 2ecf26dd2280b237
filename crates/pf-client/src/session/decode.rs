//! The decoding thread.

use std::{
    io::Write,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, SyncSender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use bytes::Bytes;
use pf_codec::VideoDecoder;
use pf_media::{clock::ClockOffset, figures::Latency, picture::Size, time::Micros};
use tokio::sync::{mpsc::UnboundedSender, watch};

use super::{Latencies, LocalClock, Percentiles, PictureSink, Play, QUEUE};
use crate::Failure;

/// One access unit on its way to the decoder.
pub(super) struct Unit {
    pub(super) frame: u32,
    /// On the host's clock.
    pub(super) captured: Micros,
    /// When it had come whole, on ours.
    pub(super) whole: Micros,
    pub(super) bytes: Bytes,
    /// The size of the desktop, where the stream codes a slightly larger one.
    pub(super) size: Option<Size>,
}

/// What was watched.
#[derive(Debug, Default)]
pub(super) struct Watched {
    pub(super) frames: u64,
    pub(super) bytes: u64,
    pub(super) errors: u64,
    pub(super) first_at: Option<Instant>,
    pub(super) last_at: Option<Instant>,
    pub(super) latencies: Histograms,
}

/// How long decoded pictures took, by stage.
#[derive(Debug, Default)]
pub(super) struct Histograms {
    arrival: Latency,
    decode: Latency,
    total: Latency,
}

impl Histograms {
    /// Counts a picture; `captured` is on this machine's clock, where it is known.
    fn record(&mut self, captured: Option<Micros>, whole: Micros, decoded: Micros) {
        self.decode.record(decoded.since(whole));
        if let Some(captured) = captured {
            self.arrival.record(whole.since(captured));
            self.total.record(decoded.since(captured));
        }
    }

    pub(super) fn percentiles(&self) -> Latencies {
        Latencies {
            arrival: Percentiles::of(&self.arrival),
            decode: Percentiles::of(&self.decode),
            total: Percentiles::of(&self.total),
        }
    }
}

impl Watched {
    /// From the first picture to the last.
    pub(super) fn watched_for(&self) -> Duration {
        match (self.first_at, self.last_at) {
            (Some(first), Some(last)) => last.saturating_duration_since(first),
            _ => Duration::ZERO,
        }
    }
}

/// A thread that decodes what is queued.
pub(super) struct Decoding {
    thread: JoinHandle<Watched>,
    queue: SyncSender<Unit>,
    progress: watch::Receiver<Progress>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Waiting,
    Showing,
    Enough,
}

impl Decoding {
    pub(super) fn start(
        play: Play,
        sink: Box<dyn PictureSink>,
        clock: Arc<Mutex<ClockOffset>>,
        local: LocalClock,
        not_decoded: UnboundedSender<u32>,
    ) -> Result<Self, Failure> {
        let decoder = pf_codec::decoder().map_err(|error| Failure::machine("no decoder", &error))?;
        let (queue, units) = mpsc::sync_channel(QUEUE);
        let (progress_sender, progress) = watch::channel(Progress::Waiting);
        let worker = Worker {
            decoder,
            sink,
            play,
            clock,
            local,
            not_decoded,
            progress: progress_sender,
            watched: Watched::default(),
        };
        let thread = thread::Builder::new()
            .name("decode".to_owned())
            .spawn(move || worker.run(&units))
            .map_err(|error| Failure::machine("no thread for decoding", &error))?;
        Ok(Self { thread, queue, progress })
    }

    pub(super) fn queue(&self) -> SyncSender<Unit> {
        self.queue.clone()
    }

    /// Waits until enough was watched: as many pictures as asked for, or for as long.
    pub(super) async fn is_done(&self, duration: Option<Duration>) {
        let mut progress = self.progress.clone();
        let enough = async {
            let mut counted = self.progress.clone();
            // A thread that is gone has seen enough, too.
            let _ = counted.wait_for(|now| *now == Progress::Enough).await;
        };
        let Some(duration) = duration else { return enough.await };
        let timed = async {
            if progress.wait_for(|now| *now != Progress::Waiting).await.is_ok() {
                tokio::time::sleep(duration).await;
            }
        };
        tokio::select! {
            () = enough => {}
            () = timed => {}
        }
    }

    /// Lets the thread finish what is queued, and takes what it has seen.
    pub(super) async fn finish(self) -> Watched {
        let Self { thread, queue, .. } = self;
        drop(queue);
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        joined.ok().and_then(Result::ok).unwrap_or_default()
    }
}

struct Worker {
    decoder: Box<dyn VideoDecoder>,
    sink: Box<dyn PictureSink>,
    play: Play,
    clock: Arc<Mutex<ClockOffset>>,
    local: LocalClock,
    not_decoded: UnboundedSender<u32>,
    progress: watch::Sender<Progress>,
    watched: Watched,
}

impl Worker {
    fn run(mut self, units: &Receiver<Unit>) -> Watched {
        for unit in units {
            self.save(&unit.bytes);
            self.decode(&unit);
            if self.play.frames.is_some_and(|enough| self.watched.frames >= enough) {
                break;
            }
        }
        self.progress.send_replace(Progress::Enough);
        self.watched
    }

    fn decode(&mut self, unit: &Unit) {
        let picture = match self.decoder.decode(&unit.bytes) {
            Ok(Some(picture)) => picture,
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(%error, "an access unit could not be decoded");
                self.watched.errors += 1;
                // The session may be about to end.
                let _ = self.not_decoded.send(unit.frame);
                return;
            }
        };
        let decoded = self.local.now();
        let now = Instant::now();
        let captured = self.clock.lock().unwrap_or_else(PoisonError::into_inner).to_local(unit.captured);
        self.watched.latencies.record(captured, unit.whole, decoded);
        self.watched.frames += 1;
        self.watched.bytes += unit.bytes.len() as u64;
        self.watched.first_at.get_or_insert(now);
        self.watched.last_at = Some(now);
        // A desktop that changed its size since is shown as it is coded.
        let size = unit.size.filter(|size| is_coded_as(*size, picture.size()));
        self.sink.show(size.map_or(picture, |size| picture.cropped(size)));
        if self.watched.frames == 1 {
            self.progress.send_replace(Progress::Showing);
        }
    }

    /// Keeps an access unit. A disk that is full ends the recording, not the session.
    fn save(&mut self, bytes: &[u8]) {
        let Some(file) = &mut self.play.save else { return };
        if let Err(error) = file.write_all(bytes) {
            tracing::error!(%error, "the recording ends here");
            self.play.save = None;
        }
    }
}

/// Whether pictures of `size` are coded at `coded`: sides are rounded up to an even number, of at least 16.
fn is_coded_as(size: Size, coded: Size) -> bool {
    let rounded = |pixels: u32| pixels.max(16).next_multiple_of(2);
    coded == Size::new(rounded(size.width), rounded(size.height))
}
