//! Typed messages over a bidirectional stream.

use std::{fmt, marker::PhantomData};

use bytes::{Buf, Bytes, BytesMut};
use pf_proto::{
    Malformed, Message,
    frame::{self, LENGTH_BYTES},
};
use quinn::{ReadError, RecvStream, SendStream, StoppedError, WriteError};
use thiserror::Error;

use crate::{Closed, Connection};

/// A stream of messages both ways: `Out` are sent, `In` are received.
///
/// Each half keeps the connection open.
#[derive(Debug)]
pub struct ControlStream<Out, In> {
    sender: ControlSender<Out>,
    receiver: ControlReceiver<In>,
}

/// The half that sends.
pub struct ControlSender<Out> {
    stream: SendStream,
    /// Bytes of messages that a cancelled call left behind.
    unsent: BytesMut,
    _connection: Connection,
    _messages: PhantomData<fn(Out)>,
}

/// The half that receives.
pub struct ControlReceiver<In> {
    stream: RecvStream,
    /// The beginning of the next message, length included.
    begun: Vec<u8>,
    _connection: Connection,
    _messages: PhantomData<fn() -> In>,
}

/// A message, and the bytes that it came as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received<In> {
    /// What it says.
    pub message: In,
    /// Its length and payload as they were on the stream: what a transcript is made of.
    pub framed: Bytes,
}

/// Why a message was not sent or not received. No call after it succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ControlError {
    /// The peer sent what the protocol does not allow.
    #[error(transparent)]
    Malformed(Malformed),
    /// The peer sends no more messages: it ended the stream after a whole one.
    #[error("the other side has ended its messages")]
    Ended,
    /// The peer ended the stream inside of a message, or abandoned it.
    #[error("the other side broke the stream off")]
    Broken,
    /// The connection is over.
    #[error(transparent)]
    Closed(Closed),
}

impl<Out: Message, In: Message> ControlStream<Out, In> {
    pub(crate) fn new(connection: Connection, send: SendStream, receive: RecvStream) -> Self {
        let sender = ControlSender {
            stream: send,
            unsent: BytesMut::new(),
            _connection: connection.clone(),
            _messages: PhantomData,
        };
        let receiver = ControlReceiver {
            stream: receive,
            begun: Vec::new(),
            _connection: connection,
            _messages: PhantomData,
        };
        Self { sender, receiver }
    }

    /// See [`ControlSender::send`].
    pub async fn send(&mut self, message: &Out) -> Result<Bytes, ControlError> {
        self.sender.send(message).await
    }

    /// See [`ControlReceiver::receive`].
    pub async fn receive(&mut self) -> Result<Received<In>, ControlError> {
        self.receiver.receive().await
    }

    /// See [`ControlSender::finish`].
    pub async fn finish(&mut self) -> Result<(), ControlError> {
        self.sender.finish().await
    }

    /// Both halves on their own, for two tasks.
    pub fn split(self) -> (ControlSender<Out>, ControlReceiver<In>) {
        (self.sender, self.receiver)
    }
}

impl<Out: Message> ControlSender<Out> {
    /// Sends one message, and returns the bytes that it went as, length included.
    ///
    /// It waits only when the other side does not read. Cancelled while it waits, the message is not lost and not cut:
    /// the rest of it goes before the next one, or with [`finish`](Self::finish).
    pub async fn send(&mut self, message: &Out) -> Result<Bytes, ControlError> {
        let framed = frame::encode(message);
        self.unsent.extend_from_slice(&framed);
        self.flush().await?;
        Ok(framed.into())
    }

    /// Ends this direction and waits until the other side's QUIC has everything that was sent.
    ///
    /// After that the connection may be closed, and the last message is still there to be read. Cancel-safe: call it
    /// again to go on waiting.
    pub async fn finish(&mut self) -> Result<(), ControlError> {
        self.flush().await?;
        // An error says that it was finished before.
        let _ = self.stream.finish();
        match self.stream.stopped().await {
            Ok(None) => Ok(()),
            Ok(Some(_)) | Err(StoppedError::ZeroRttRejected) => Err(ControlError::Broken),
            Err(StoppedError::ConnectionLost(error)) => Err(ControlError::Closed(error.into())),
        }
    }

    async fn flush(&mut self) -> Result<(), ControlError> {
        while !self.unsent.is_empty() {
            let written = self.stream.write(&self.unsent).await?;
            self.unsent.advance(written);
        }
        Ok(())
    }
}

impl<In: Message> ControlReceiver<In> {
    /// The next message.
    ///
    /// Cancel-safe: what came of a message before is kept for the next call. A message that is too long is refused
    /// by its length, before its payload is read. After [`ControlError::Malformed`] the stream has no next message.
    pub async fn receive(&mut self) -> Result<Received<In>, ControlError> {
        while let Some(missing) = missing_bytes::<In>(&self.begun)? {
            match self.stream.read_chunk(missing, true).await? {
                Some(chunk) => self.begun.extend_from_slice(&chunk.bytes),
                None if self.begun.is_empty() => return Err(ControlError::Ended),
                None => return Err(ControlError::Broken),
            }
        }
        let message = In::decode(&self.begun[LENGTH_BYTES..])?;
        Ok(Received { message, framed: std::mem::take(&mut self.begun).into() })
    }
}

/// How many bytes are still to come of the message that begins with `begun`; `None` when it is whole.
fn missing_bytes<In: Message>(begun: &[u8]) -> Result<Option<usize>, Malformed> {
    let Some((length, payload)) = begun.split_first_chunk::<LENGTH_BYTES>() else {
        return Ok(Some(LENGTH_BYTES - begun.len()));
    };
    let missing = frame::payload_length::<In>(*length)?.saturating_sub(payload.len());
    Ok((missing > 0).then_some(missing))
}

impl<Out> fmt::Debug for ControlSender<Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlSender").field("stream", &self.stream.id()).finish_non_exhaustive()
    }
}

impl<In> fmt::Debug for ControlReceiver<In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlReceiver").field("stream", &self.stream.id()).finish_non_exhaustive()
    }
}

impl From<Malformed> for ControlError {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<ReadError> for ControlError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::ConnectionLost(error) => Self::Closed(error.into()),
            ReadError::Reset(_)
            | ReadError::ClosedStream
            | ReadError::IllegalOrderedRead
            | ReadError::ZeroRttRejected => Self::Broken,
        }
    }
}

impl From<WriteError> for ControlError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::ConnectionLost(error) => Self::Closed(error.into()),
            WriteError::Stopped(_) | WriteError::ClosedStream | WriteError::ZeroRttRejected => Self::Broken,
        }
    }
}
