//! What the two say to each other while there are pictures.

use std::time::Instant;

use pf_net::{Connection, ControlError};
use pf_proto::{
    Message,
    session::{ClientDatagram, ClientMessage, HostMessage, StreamStarted, StreamWishes},
};

use super::{Control, End};
use crate::{clock::Clock, sound::SessionSound, stream::Stream};

/// All that a session has while it streams.
pub(super) struct Conversation {
    pub(super) connection: Connection,
    pub(super) control: Control,
    pub(super) stream: Stream,
    pub(super) sound: SessionSound,
    /// What the client was told last.
    pub(super) started: StreamStarted,
    pub(super) clock: Clock,
}

impl Conversation {
    /// Answers the client for as long as there are pictures.
    pub(super) async fn run(mut self) -> End {
        loop {
            let handled = tokio::select! {
                error = self.stream.ended() => return End::Failed(error),
                datagram = self.connection.read_datagram() => match datagram {
                    Ok(datagram) => {
                        self.handle_datagram(&datagram);
                        Ok(())
                    }
                    Err(_) => return End::Left,
                },
                received = self.control.receive() => match received {
                    Ok(received) => self.handle_message(received.message).await,
                    Err(error) => return error.into(),
                },
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
            ClientMessage::Change(wishes) => self.change(&wishes).await?,
            ClientMessage::Input(_) => {}
            ClientMessage::Hello(_) => return Err(End::Misbehaved),
        }
        Ok(())
    }

    /// Gives the client what it wishes from now on, and says what that is.
    async fn change(&mut self, wishes: &StreamWishes) -> Result<(), ControlError> {
        self.started.sound = self.sound.wish(wishes.sound, self.started.bits_per_second);
        self.control.send(&HostMessage::StreamStarted(self.started.clone())).await.map(|_| ())
    }

    /// Takes in a datagram of the client. One that says nothing is as good as lost.
    fn handle_datagram(&self, datagram: &[u8]) {
        match ClientDatagram::decode(datagram) {
            Ok(ClientDatagram::Feedback(feedback)) => {
                let loss = self.stream.handle_feedback(&feedback, self.sound.most_on_the_wire());
                self.sound.note_loss(loss);
            }
            Ok(ClientDatagram::Input(_)) => {}
            Err(error) => tracing::debug!(%error, "a client's datagram was refused"),
        }
    }

    async fn answer_ping(&mut self, ping_sent: u64) -> Result<(), ControlError> {
        let now = self.clock.media_time(Instant::now()).0;
        self.control.send(&HostMessage::ClockPong { ping_sent, received: now, sent: now }).await.map(|_| ())
    }
}
