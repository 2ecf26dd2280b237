//! From the client's wishes to a running stream.

use std::sync::Arc;

use pf_desktop::{SourceConfig, Stop};
use pf_net::Connection;
use pf_proto::session::{Offer, SessionHello, StreamStarted};

use super::{Studio, greet::within_reason};
use crate::{
    sound::{SessionSound, left_for_pictures},
    stream::{Opened, Stream, StreamError, Wishes},
};

/// Opens the source and starts the stream and its sound, within what the client wishes and this host gives.
pub(super) async fn open(
    connection: &Connection,
    hello: &SessionHello,
    studio: &Studio,
) -> Result<(Stream, SessionSound, StreamStarted), StreamError> {
    let wishes = within_reason(&hello.wishes);
    let stop = Stop::new()?;
    let stop_if_cancelled = StopOnDrop(Some(stop.clone()));
    let mut config = SourceConfig { size: wishes.size, fps: wishes.fps, ..studio.source.clone() };
    let house = Arc::clone(&studio.sound);
    let opening = tokio::task::spawn_blocking(move || {
        config.kind = pf_desktop::choose(&config, &stop).kind;
        let room = house.room(config.kind, &stop);
        if let Ok(room) = &room {
            let command = &mut config.virtual_display.command;
            *command = command.take().map(|command| room.furnish(command));
        }
        Opened::open(&config, stop).map(|opened| (opened, room))
    });
    let (opened, room) = opening.await.map_err(std::io::Error::other)??;
    let mut sound = SessionSound::new(room, connection.clone());
    let pictures = Wishes { bitrate: left_for_pictures(hello.wishes.sound, wishes.bitrate), ..wishes };
    let started = StreamStarted {
        source: opened.kind().name().to_owned(),
        width: opened.size().width,
        height: opened.size().height,
        frames_per_second: wishes.fps.get(),
        bits_per_second: wishes.bitrate,
        sound: sound.wish(hello.wishes.sound, wishes.bitrate),
        keys_and_pointer: Offer::Withheld,
        gamepads: Offer::Withheld,
    };
    let stream = opened.start(pictures, connection.clone(), studio.clock)?;
    stop_if_cancelled.disarm();
    Ok((stream, sound, started))
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
