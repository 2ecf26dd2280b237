//! One session: from the handshake to the last picture.

mod changes;
mod converse;
mod greet;
mod open;

use std::{pin::pin, sync::Arc, time::Instant};

use pf_base::{Code, DeviceName};
use pf_desktop::SourceConfig;
use pf_net::{Arrival, Connection, ControlError, ControlStream};
use pf_proto::session::{ClientMessage, HostMessage};
use pf_trust::admission::{ConnectionId, Effect, Event, Peer, Role};

use crate::{
    clock::Clock,
    gate::{Gate, Line},
    input::SessionInput,
    sound::House,
    stream::{StreamError, figures::Board, source::Sources},
};
use changes::Changes;
use converse::Conversation;

/// What every session of a host is made of.
pub(crate) struct Studio {
    pub(crate) name: DeviceName,
    pub(crate) source: SourceConfig,
    pub(crate) sources: Sources,
    pub(crate) sound: Arc<House>,
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
    let input = SessionInput::of(role);
    let end = {
        let mut running = pin!(run(&connection, session, role, &input, &studio));
        // The gate may cut the session at any moment from now on, also while its source is being opened.
        let end = tokio::select! {
            biased;
            end = cut(&mut line) => end,
            end = &mut running => end,
        };
        // Before what is cut goes, and its stream with it: the device would hear of an end without a reason first.
        connection.close(end.code());
        end
    };
    if let End::Failed(error) = &end {
        tracing::warn!(%error, "a session had no pictures to show");
    }
    if let (End::Cut(_), Some(inbox)) = (&end, input.inbox()) {
        // What a device said before it was removed is not done any more.
        inbox.release_all();
    }
    input.end().await;
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
    Failed(Arc<StreamError>),
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

async fn run(
    connection: &Connection,
    session: ConnectionId,
    role: Role,
    input: &SessionInput,
    studio: &Arc<Studio>,
) -> End {
    match begin(connection, session, role, input, studio).await {
        Ok(conversation) => conversation.run().await,
        Err(end) => end,
    }
}

/// Greets the client and starts its stream.
async fn begin(
    connection: &Connection,
    session: ConnectionId,
    role: Role,
    input: &SessionInput,
    studio: &Arc<Studio>,
) -> Result<Conversation, End> {
    let (mut control, hello) = greet::greet(connection, role, studio).await?;
    let (stream, sound, started) =
        open::open(connection, &hello, input, studio).await.map_err(End::Failed)?;
    control.send(&HostMessage::StreamStarted(started.clone())).await?;
    studio.figures.put(session, stream.measures());
    let (connection, studio) = (connection.clone(), Arc::clone(studio));
    let (changes, input) = (Changes::default(), input.inbox());
    let heard = Instant::now();
    Ok(Conversation { connection, control, stream, sound, input, started, changes, studio, heard })
}
