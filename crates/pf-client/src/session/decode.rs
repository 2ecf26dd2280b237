//! The decoding thread.

use std::{
    io::Write,
    sync::mpsc::{self, Receiver, SyncSender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use bytes::Bytes;
use pf_codec::VideoDecoder;
use pf_media::{picture::Size, time::Micros};
use tokio::sync::{mpsc::UnboundedSender, watch};

use super::{Live, PictureSink, Play, QUEUE, Showing, figures::Decoded};
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

/// A thread that decodes what is queued.
pub(super) struct Decoding {
    thread: JoinHandle<()>,
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
        live: Live,
        not_decoded: UnboundedSender<u32>,
    ) -> Result<Self, Failure> {
        let decoder = pf_codec::decoder().map_err(|error| Failure::machine("no decoder", &error))?;
        let (queue, units) = mpsc::sync_channel(QUEUE);
        let (progress_sender, progress) = watch::channel(Progress::Waiting);
        let worker = Worker {
            decoder,
            sink,
            play,
            live,
            not_decoded,
            progress: progress_sender,
            frames: 0,
            is_saving: false,
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

    /// Lets the thread finish what is queued. Fails where it panicked; what it measured until then stands.
    pub(super) async fn finish(self) -> Result<(), Failure> {
        let Self { thread, queue, .. } = self;
        drop(queue);
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        if matches!(joined, Ok(Ok(()))) {
            Ok(())
        } else {
            Err(Failure::machine("decoding broke off", &"its thread panicked"))
        }
    }
}

struct Worker {
    decoder: Box<dyn VideoDecoder>,
    sink: Box<dyn PictureSink>,
    play: Play,
    live: Live,
    not_decoded: UnboundedSender<u32>,
    progress: watch::Sender<Progress>,
    /// Pictures that were decoded.
    frames: u64,
    /// Whether the recording has begun.
    is_saving: bool,
}

impl Worker {
    fn run(mut self, units: &Receiver<Unit>) {
        for unit in units {
            self.save(&unit.bytes);
            self.decode(&unit);
            if self.play.frames.is_some_and(|enough| self.frames >= enough) {
                break;
            }
        }
        self.progress.send_replace(Progress::Enough);
    }

    fn decode(&mut self, unit: &Unit) {
        let picture = match self.decoder.decode(&unit.bytes) {
            Ok(Some(picture)) => picture,
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(%error, "an access unit could not be decoded");
                self.live.lock().decode_errors += 1;
                // The session may be about to end.
                let _ = self.not_decoded.send(unit.frame);
                return;
            }
        };
        let now = Instant::now();
        let decoded = Decoded {
            frame: unit.frame,
            captured: unit.captured,
            whole: unit.whole,
            done: self.live.clock().at(now),
            bytes: unit.bytes.len(),
        };
        self.live.lock().decoded(decoded, now);
        self.frames += 1;
        // A desktop that changed its size since is shown as it is coded.
        let size = unit.size.filter(|size| is_coded_as(*size, picture.size()));
        let picture = size.map_or(picture, |size| picture.cropped(size));
        self.sink.show(picture, Showing::new(&self.live, decoded));
        if self.frames == 1 {
            self.progress.send_replace(Progress::Showing);
        }
    }

    /// Keeps an access unit. A disk that is full ends the recording, not the session.
    fn save(&mut self, bytes: &[u8]) {
        let Some(file) = &mut self.play.save else { return };
        if !std::mem::replace(&mut self.is_saving, true) {
            // What is no file, as a pipe, has no length, and nothing to lose.
            let _ = file.set_len(0);
        }
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
