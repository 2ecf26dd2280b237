//! How messages lie on a stream: a length of two bytes, big-endian, then the payload.

use crate::{Malformed, Message};

/// How many bytes the length takes.
pub const LENGTH_BYTES: usize = 2;

/// The bytes of a message on its stream: length and payload.
pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    let payload = message.encode();
    debug_assert!(payload.len() <= M::MAX_BYTES, "a message of ours fits its own cap");
    let mut bytes = Vec::with_capacity(LENGTH_BYTES + payload.len());
    bytes.extend_from_slice(&(payload.len() as u16).to_be_bytes());
    bytes.extend_from_slice(&payload);
    bytes
}

/// The payload's length, of the length's two bytes; an error when a reader must not read it.
pub fn payload_length<M: Message>(length: [u8; LENGTH_BYTES]) -> Result<usize, Malformed> {
    let length = usize::from(u16::from_be_bytes(length));
    if length > M::MAX_BYTES { Err(Malformed::TooLong) } else { Ok(length) }
}
