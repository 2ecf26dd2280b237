//! The capturing thread: waits for the source's pictures and converts each for the encoders.

use std::{
    io,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use pf_desktop::{Source, SourceError};

use super::{scene::Core, shot::Camera};
use crate::stream::StreamError;

/// How long to wait for a picture at a time. A pointer that a program moved shows no later than that, and another size or
/// speed is asked for no later.
const PATIENCE: Duration = Duration::from_millis(100);

/// Starts the thread, which ends with its source and ends the scene with it, also when it panics: a picture that stands
/// for ever says nothing.
pub(super) fn start(source: Box<dyn Source>, core: Arc<Core>) -> io::Result<()> {
    thread::Builder::new().name("capture".to_owned()).spawn(move || {
        let ended = panic::catch_unwind(AssertUnwindSafe(|| capture(source, &core)));
        core.end(ended.map_or(StreamError::Broke, StreamError::from));
    })?;
    Ok(())
}

/// Shows each picture of the source, until there are none.
fn capture(mut source: Box<dyn Source>, core: &Arc<Core>) -> SourceError {
    let mut camera = Camera::default();
    loop {
        if let Some(demand) = core.new_demand() {
            match source.change(demand.size, demand.fps) {
                Ok(sizing) => core.answer(demand, sizing),
                Err(error) => return error,
            }
        }
        match source.next_picture(Instant::now() + PATIENCE) {
            Ok(None) => {}
            Ok(Some(picture)) => core.show(camera.take(picture)),
            Err(error) => return error,
        }
    }
}
