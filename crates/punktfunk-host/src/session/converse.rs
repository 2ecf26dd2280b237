//! What the two say to each other while there are pictures.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pf_net::{Connection, ControlError};
use pf_proto::{
    Message,
    session::{ClientDatagram, ClientMessage, HostMessage, MAX_FRAME_TIMES, StreamStarted},
};

use tokio::time::{self, MissedTickBehavior};

use super::{
    Control, End, Studio,
    changes::{Changes, Due},
    open,
};
use crate::{
    input::{self, Inbox},
    sound::SessionSound,
    stream::Stream,
};

/// All that a session has while it streams.
pub(super) struct Conversation {
    pub(super) connection: Connection,
    pub(super) control: Control,
    pub(super) stream: Stream,
    pub(super) sound: SessionSound,
    /// Where what the person does goes; `None` for a guest.
    pub(super) input: Option<Arc<Inbox>>,
    /// What the client was told last.
    pub(super) started: StreamStarted,
    pub(super) changes: Changes,
    pub(super) studio: Arc<Studio>,
    /// When the client said something last.
    pub(super) heard: Instant,
}

impl Conversation {
    /// Answers the client for as long as there are pictures.
    pub(super) async fn run(mut self) -> End {
        let mut telling = time::interval(FRAME_TIMES);
        telling.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let handled = tokio::select! {
                error = self.stream.ended() => return End::Failed(error),
                datagram = self.connection.read_datagram() => match datagram {
                    Ok(datagram) => {
                        self.heard = Instant::now();
                        self.handle_datagram(&datagram);
                        Ok(())
                    }
                    Err(_) => return End::Left,
                },
                received = self.control.receive() => match received {
                    Ok(received) => {
                        self.heard = Instant::now();
                        self.handle_message(received.message).await
                    }
                    Err(error) => return error.into(),
                },
                due = self.changes.due(&self.stream) => self.handle_change(due).await,
                _ = telling.tick() => {
                    self.mind_silence();
                    self.tell_frame_times().await.map_err(End::from)
                }
            };
            if let Err(end) = handled {
                return end;
            }
        }
    }

    async fn handle_message(&mut self, message: ClientMessage) -> Result<(), End> {
        match message {
            ClientMessage::KeyFrameRequest { .. } => self.stream.want_key_frame(),
            ClientMessage::ClockPing { sent } => self.answer_ping(sent).await?,
            ClientMessage::Change(wishes) => self.changes.wish(wishes),
            ClientMessage::Input(event) => {
                if let Some(input) = &self.input {
                    input.event(event);
                }
            }
            ClientMessage::Hello(_) => return Err(End::Misbehaved),
        }
        Ok(())
    }

    /// Gives the client what it wishes from now on, or says what that came to.
    async fn handle_change(&mut self, due: Due) -> Result<(), End> {
        match due {
            Due::Change(wishes) => {
                let Self { stream, sound, started, studio, .. } = self;
                open::change(stream, sound, started, &wishes, studio).await.map_err(End::Failed)?;
            }
            Due::Answer => {
                let size = self.stream.size();
                (self.started.width, self.started.height) = (size.width, size.height);
                self.control.send(&HostMessage::StreamStarted(self.started.clone())).await?;
            }
        }
        Ok(())
    }

    /// Tells how long the host took for the pictures that left meanwhile.
    async fn tell_frame_times(&mut self) -> Result<(), ControlError> {
        for times in self.stream.departed().chunks(MAX_FRAME_TIMES) {
            self.control.send(&HostMessage::FrameTimes(times.to_vec())).await?;
        }
        Ok(())
    }

    /// Lets go of what the client holds when nothing is heard of it any more.
    fn mind_silence(&self) {
        if let Some(input) = self.input.as_ref().filter(|_| self.heard.elapsed() > input::SILENCE) {
            input.release_all();
        }
    }

    /// Takes in a datagram of the client. One that says nothing is as good as lost.
    fn handle_datagram(&self, datagram: &[u8]) {
        match ClientDatagram::decode(datagram) {
            Ok(ClientDatagram::Feedback(feedback)) => {
                let loss = self.stream.handle_feedback(&feedback, self.sound.most_on_the_wire());
                self.sound.note_loss(loss);
            }
            Ok(ClientDatagram::Input(state)) => {
                if let Some(input) = &self.input {
                    input.state(state);
                }
            }
            Err(error) => tracing::debug!(%error, "a client's datagram was refused"),
        }
    }

    async fn answer_ping(&mut self, ping_sent: u64) -> Result<(), ControlError> {
        let now = self.studio.clock.media_time(Instant::now()).0;
        self.control.send(&HostMessage::ClockPong { ping_sent, received: now, sent: now }).await.map(|_| ())
    }
}

/// How often the client is told how long the host took for its pictures.
const FRAME_TIMES: Duration = Duration::from_millis(250);
