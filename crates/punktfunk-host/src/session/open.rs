//! From the client's wishes to a running stream.

use std::sync::Arc;

use pf_desktop::{SourceConfig, SourceKind, Stop};
use pf_net::Connection;
use pf_proto::session::{SessionHello, StreamStarted, StreamWishes};

use super::{Studio, greet::within_reason};
use crate::{
    input::SessionInput,
    sound::SessionSound,
    stream::{Stream, StreamError, Wishes, source::Scene},
};

/// Opens the source and starts the stream and its sound, within what the client wishes and this host gives.
pub(super) async fn open(
    connection: &Connection,
    hello: &SessionHello,
    input: &SessionInput,
    studio: &Studio,
) -> Result<(Stream, SessionSound, StreamStarted), Arc<StreamError>> {
    let wishes = within_reason(&hello.wishes);
    let stop = Stop::new().map_err(StreamError::Thread)?;
    let stop_if_cancelled = StopOnDrop(Some(stop.clone()));
    let (scene, mut sound) = open_source(wishes, stop, connection, studio).await?;
    stop_if_cancelled.disarm();
    let pictures = Wishes { bitrate: sound.left_for_pictures(hello.wishes.sound, wishes.bitrate), ..wishes };
    let kind = scene.kind();
    let stream = Stream::start(scene, pictures, connection.clone(), studio.clock)?;
    let offers = input.take(stream.scene().seat()).await;
    let started = StreamStarted {
        source: kind.name().to_owned(),
        width: stream.size().width,
        height: stream.size().height,
        frames_per_second: wishes.fps.get(),
        bits_per_second: wishes.bitrate,
        sound: sound.wish(hello.wishes.sound, wishes.bitrate),
        keys_and_pointer: offers.keys_and_pointer,
        gamepads: offers.gamepads,
    };
    Ok((stream, sound, started))
}

/// Gives a session that streams something else, within what the client wishes from now on and this host gives.
///
/// What it comes to may show a while later: see [`Stream::settled`].
pub(super) async fn change(
    stream: &mut Stream,
    sound: &mut SessionSound,
    started: &mut StreamStarted,
    asked: &StreamWishes,
    studio: &Studio,
) -> Result<(), Arc<StreamError>> {
    let wishes = within_reason(asked);
    let mut scene = Arc::clone(stream.scene());
    if scene.kind() == SourceKind::Synthetic {
        // It is made for a size and a speed, and others may watch the one that is open.
        let (kind, stop) = (scene.kind(), Stop::new().map_err(StreamError::Thread)?);
        let config = SourceConfig { kind, size: wishes.size, fps: wishes.fps, ..studio.source.clone() };
        scene = studio.sources.open(config, stop).await?;
    }
    let pictures = Wishes { bitrate: sound.left_for_pictures(asked.sound, wishes.bitrate), ..wishes };
    stream.change(scene, pictures)?;
    started.frames_per_second = wishes.fps.get();
    started.bits_per_second = wishes.bitrate;
    started.sound = sound.wish(asked.sound, wishes.bitrate);
    Ok(())
}

/// What is to be seen, and what is heard of it, which is nothing yet.
async fn open_source(
    wishes: Wishes,
    stop: Stop,
    connection: &Connection,
    studio: &Studio,
) -> Result<(Arc<Scene>, SessionSound), StreamError> {
    let mut config = SourceConfig { size: wishes.size, fps: wishes.fps, ..studio.source.clone() };
    let (house, stop_of_room) = (Arc::clone(&studio.sound), stop.clone());
    let furnishing = tokio::task::spawn_blocking(move || {
        config.kind = pf_desktop::choose(&config, &stop_of_room).kind;
        let room = house.room(config.kind, &stop_of_room);
        if let Ok(room) = &room {
            let command = &mut config.virtual_display.command;
            *command = command.take().map(|command| room.furnish(command));
        }
        (config, room)
    });
    let (config, room) = furnishing.await.map_err(std::io::Error::other)?;
    // Whatever ends the session from here on ends the room as its sound does: not on a thread that others wait for.
    let sound = SessionSound::new(room, connection.clone());
    Ok((studio.sources.open(config, stop).await?, sound))
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
