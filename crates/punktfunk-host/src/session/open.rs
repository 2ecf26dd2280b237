//! From the client's wishes to a running stream.

use pf_desktop::{SourceConfig, Stop};
use pf_net::Connection;
use pf_proto::session::{Offer, SessionHello, StreamStarted};

use super::{Studio, greet::within_reason};
use crate::stream::{Opened, Stream, StreamError};

/// Opens the source and starts the stream, within what the client wishes and this host gives.
pub(super) async fn open(
    connection: &Connection,
    hello: &SessionHello,
    studio: &Studio,
) -> Result<(Stream, StreamStarted), StreamError> {
    let wishes = within_reason(&hello.wishes);
    let stop = Stop::new()?;
    let stop_if_cancelled = StopOnDrop(Some(stop.clone()));
    let config = SourceConfig { size: wishes.size, fps: wishes.fps, ..studio.source.clone() };
    let opening = tokio::task::spawn_blocking(move || Opened::open(&config, stop));
    let opened = opening.await.map_err(std::io::Error::other)??;
    let started = StreamStarted {
        source: opened.kind().name().to_owned(),
        width: opened.size().width,
        height: opened.size().height,
        frames_per_second: wishes.fps.get(),
        bits_per_second: wishes.bitrate,
        sound: Offer::Withheld,
        keys_and_pointer: Offer::Withheld,
        gamepads: Offer::Withheld,
    };
    let stream = opened.start(wishes, connection.clone(), studio.clock)?;
    stop_if_cancelled.disarm();
    Ok((stream, started))
}

/// Stops a source that is still being opened when its session is cut.
struct StopOnDrop(Option<Stop>);

impl StopOnDrop {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if let Some(stop) = &self.0 {
            stop.stop();
        }
    }
}
