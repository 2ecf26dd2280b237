//! The handle by which a running session is told what its person does.

use pf_proto::{
    input::{InputEvent, InputState},
    session::{ClientDatagram, ClientMessage},
};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::Wishes;

/// Speaks for the person to the host of a session, from any thread. Clones are handles to one session.
///
/// What is said before the session plays waits for it; what is said after its end is lost. Nothing here blocks: a
/// person makes some hundred events a second at most, and each is a few bytes.
#[derive(Clone, Debug)]
pub struct Remote {
    said: UnboundedSender<Said>,
}

/// Something for the host.
#[derive(Debug)]
pub(super) enum Said {
    /// Over the control stream: arrives, and in order.
    Message(ClientMessage),
    /// As a datagram: may be lost.
    Datagram(ClientDatagram),
}

impl Remote {
    pub(crate) fn new() -> (Self, Sayings) {
        let (said, sayings) = mpsc::unbounded_channel();
        (Self { said }, Sayings(sayings))
    }

    /// What must arrive, and in this order.
    pub fn event(&self, event: InputEvent) {
        self.say(Said::Message(ClientMessage::Input(event)));
    }

    /// What the next one makes stale.
    pub fn state(&self, state: InputState) {
        self.say(Said::Datagram(ClientDatagram::Input(state)));
    }

    /// Another size, speed, rate or sound from now on.
    pub fn change(&self, wishes: Wishes) {
        self.say(Said::Message(ClientMessage::Change(wishes.into())));
    }

    fn say(&self, said: Said) {
        // A session that is over has nobody to tell.
        let _ = self.said.send(said);
    }
}

/// What was said to a session, in order.
#[derive(Debug)]
pub(crate) struct Sayings(UnboundedReceiver<Said>);

impl Sayings {
    /// The next; never ends, since the session itself holds a handle. Safe to cancel.
    pub(super) async fn next(&mut self) -> Said {
        match self.0.recv().await {
            Some(said) => said,
            None => std::future::pending().await,
        }
    }
}
