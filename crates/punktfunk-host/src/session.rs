//! One session: from the handshake to the last picture.

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use pf_base::{Code, DeviceName};
use pf_desktop::{SourceConfig, Stop};
use pf_media::picture::Size;
use pf_net::{Arrival, Connection, ControlError, ControlStream};
use pf_proto::session::{
    Admitted, AdmittedAs, ClientMessage, HostMessage, Offer, SessionHello, StreamStarted, StreamWishes,
};
use pf_trust::admission::{ConnectionId, Effect, Event, Peer, Role};
use tokio::time::timeout;

use crate::{
    clock::Clock,
    gate::{Gate, Line},
    stream::{self, Opened, Stream, StreamError, Wishes, figures::Board},
};

/// How long a device may take to say hello.
const PATIENCE: Duration = Duration::from_secs(10);

/// What every session of a host is made of.
pub(crate) struct Studio {
    pub(crate) name: DeviceName,
    pub(crate) source: SourceConfig,
    pub(crate) clock: Clock,
    pub(crate) figures: Arc<Board>,
}

type Control = ControlStream<HostMessage, ClientMessage>;

/// Serves a device that asks for a session: to its refusal, or to the end of the session.
pub(crate) async fn serve(arrival: Arrival, gate: Gate, studio: Arc<Studio>) {
    let mut line = gate.line();
    let peer = Peer { fingerprint: arrival.fingerprint(), address: arrival.remote_address().ip() };
    line.tell(|connection| Event::Connect { connection, peer });
    let role = match line.decision().await {
        Effect::Admit { role, .. } => role,
        Effect::Refuse { code, .. } | Effect::Close { code, .. } => return arrival.refuse(code),
        _ => return arrival.refuse(Code::ProtocolError),
    };
    let connection = arrival.admit();
    let session = line.connection();
    // The gate may cut the session at any moment from now on, also while its source is being opened.
    let end = tokio::select! {
        biased;
        end = cut(&mut line) => end,
        end = run(&connection, session, role, &studio) => end,
    };
    if let End::Failed(error) = &end {
        tracing::warn!(%error, "a session had no pictures to show");
    }
    connection.close(end.code());
}

/// Why a session ended.
enum End {
    /// The gate cut it: the device was removed, or the host stops.
    Cut(Code),
    /// The client left, or was lost.
    Left,
    /// The client broke the protocol.
    Misbehaved,
    /// The two speak no version in common.
    NoCommonVersion,
    /// There are no more pictures.
    Failed(StreamError),
}

impl End {
    fn code(&self) -> Code {
        match self {
            Self::Cut(code) => *code,
            Self::Left => Code::Ended,
            Self::Misbehaved => Code::ProtocolError,
            Self::NoCommonVersion => Code::VersionMismatch,
            Self::Failed(_) => Code::MediaUnavailable,
        }
    }
}

impl From<ControlError> for End {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Closed(_) => Self::Left,
            ControlError::Malformed(_) | ControlError::Ended | ControlError::Broken => Self::Misbehaved,
        }
    }
}

async fn cut(line: &mut Line) -> End {
    match line.decision().await {
        Effect::Close { code, .. } | Effect::Refuse { code, .. } => End::Cut(code),
        _ => End::Cut(Code::Ended),
    }
}

async fn run(connection: &Connection, session: ConnectionId, role: Role, studio: &Studio) -> End {
    let (mut control, hello) = match greet(connection, role, studio).await {
        Ok(greeted) => greeted,
        Err(end) => return end,
    };
    let started = match start(connection, &hello, studio).await {
        Ok((stream, started)) => control.send(&HostMessage::StreamStarted(started)).await.map(|_| stream),
        Err(error) => return End::Failed(error),
    };
    match started {
        Ok(stream) => {
            studio.figures.put(session, stream.measures());
            converse(connection, &mut control, stream, studio.clock).await
        }
        Err(error) => error.into(),
    }
}

/// Hears the hello, and answers with [`Admitted`].
async fn greet(connection: &Connection, role: Role, studio: &Studio) -> Result<(Control, SessionHello), End> {
    let hearing = async {
        let mut control = connection.accept_control().await.map_err(|_| End::Left)?;
        let received = control.receive().await?;
        Ok::<_, End>((control, received.message))
    };
    let Ok((mut control, ClientMessage::Hello(hello))) =
        timeout(PATIENCE, hearing).await.map_err(|_| End::Misbehaved)?
    else {
        return Err(End::Misbehaved);
    };
    let version = pf_proto::common_version(&hello.versions).ok_or(End::NoCommonVersion)?;
    let admitted_as = match role {
        Role::Paired => AdmittedAs::Paired,
        Role::Guest => AdmittedAs::Guest,
    };
    let admitted = Admitted { version, host_name: studio.name.clone(), admitted_as };
    control.send(&HostMessage::Admitted(admitted)).await?;
    Ok((control, hello))
}

/// Opens the source and starts the stream, within what the client wishes and this host gives.
async fn start(
    connection: &Connection,
    hello: &SessionHello,
    studio: &Studio,
) -> Result<(Stream, StreamStarted), StreamError> {
    let wishes = wishes(&hello.wishes);
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

/// Answers the client for as long as there are pictures.
async fn converse(connection: &Connection, control: &mut Control, mut stream: Stream, clock: Clock) -> End {
    loop {
        let message = tokio::select! {
            error = stream.ended() => return End::Failed(error),
            datagram = connection.read_datagram() => match datagram {
                Ok(datagram) => {
                    stream.handle_datagram(&datagram);
                    continue;
                }
                Err(_) => return End::Left,
            },
            received = control.receive() => match received {
                Ok(received) => received.message,
                Err(error) => return error.into(),
            },
        };
        let arrived = Instant::now();
        match message {
            ClientMessage::KeyFrameRequest { .. } => stream.want_key_frame(),
            ClientMessage::ClockPing { sent: ping_sent } => {
                let pong = HostMessage::ClockPong {
                    ping_sent,
                    received: clock.media_time(arrived).0,
                    sent: clock.media_time(Instant::now()).0,
                };
                if let Err(error) = control.send(&pong).await {
                    return error.into();
                }
            }
            ClientMessage::Change(_) | ClientMessage::Input(_) => {}
            ClientMessage::Hello(_) => return End::Misbehaved,
        }
    }
}

fn wishes(wishes: &StreamWishes) -> Wishes {
    let size = Size::new(wishes.width, wishes.height);
    Wishes {
        size: if size.is_streamable() { size } else { stream::DEFAULT_SIZE },
        fps: NonZeroU32::new(wishes.frames_per_second.min(stream::MAX_FPS)).unwrap_or(stream::DEFAULT_FPS),
        bitrate: match wishes.bits_per_second {
            0 => stream::DEFAULT_BITRATE,
            asked => asked.clamp(pf_codec::MIN_BITRATE, pf_codec::MAX_BITRATE),
        },
    }
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
