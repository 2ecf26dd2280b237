//! The capturing thread: waits for the source's pictures and converts each for the encoder.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use pf_codec::I420;
use pf_desktop::{Source, SourceError};
use tokio::sync::oneshot;

use super::{Captured, StreamError, newest::Newest};

/// How long to wait for a picture at a time. A pointer that a program moved shows no later than that.
const PATIENCE: Duration = Duration::from_millis(100);

/// Starts the thread. When it ends it waits for the encoding one, and reports the first of their errors.
pub(super) fn start(
    source: Box<dyn Source>,
    pictures: Arc<Newest<Captured>>,
    encoding: JoinHandle<Result<(), StreamError>>,
    report: oneshot::Sender<StreamError>,
) -> Result<(), std::io::Error> {
    thread::Builder::new().name("capture".to_owned()).spawn(move || {
        let captured = capture(source, &pictures);
        pictures.close();
        let encoded = encoding.join().unwrap_or(Ok(()));
        let failure = encoded.err().unwrap_or(StreamError::Source(captured));
        // A session that is gone asks for no reason.
        let _ = report.send(failure);
    })?;
    Ok(())
}

/// Puts each picture of the source in the place between the threads, until there are none.
fn capture(mut source: Box<dyn Source>, pictures: &Newest<Captured>) -> SourceError {
    loop {
        match source.next_picture(Instant::now() + PATIENCE) {
            Ok(None) => {}
            Ok(Some(picture)) => {
                let size = picture.pixels.size();
                let fits = |spare: &Captured| spare.picture.size() == size;
                let mut captured = pictures.spare().filter(fits).unwrap_or_else(|| Captured {
                    picture: I420::new(size),
                    at: picture.captured,
                    ready: picture.captured,
                });
                captured.picture.fill_from_bgrx(&picture.pixels);
                captured.at = picture.captured;
                captured.ready = Instant::now();
                pictures.put(captured);
            }
            Err(error) => return error,
        }
    }
}
