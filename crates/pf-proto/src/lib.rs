//! Wire messages of the native protocol, their validation and size caps, and the media header.
//!
//! The schema in `proto/` is the one source for the bytes. Here each message gets a type whose fields are already
//! checked: what decodes is well-formed, and nothing after this crate looks at lengths or unknown numbers again.
//! `docs/protocol.md` is the normative text.

#![forbid(unsafe_code)]

pub mod frame;
mod generated;
pub mod input;
pub mod media;
pub mod pair;
pub mod session;

/// The ALPN of a session: for devices that the host admits.
pub const SESSION_ALPN: &[u8] = b"punktfunk/1";

/// The ALPN of pairing and of asking: all that an unpaired device can reach.
pub const PAIR_ALPN: &[u8] = b"punktfunk-pair/1";

/// The version of this protocol that this build speaks.
pub const VERSION: u32 = 1;

/// A message that is not what the protocol allows: the peer is broken or means harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes are not this message in protobuf.
    #[error("not a message of this stream")]
    Encoding,
    /// A message without a kind, or of one that this version does not know.
    #[error("a message of an unknown kind")]
    UnknownKind,
    /// A field of another length or range than the protocol says.
    #[error("the field `{0}` is out of range")]
    Field(&'static str),
    /// The message is longer than its stream allows.
    #[error("the message is too long")]
    TooLong,
}

impl From<prost::DecodeError> for Malformed {
    fn from(_: prost::DecodeError) -> Self {
        Self::Encoding
    }
}

/// A message of one direction of one stream: what can be framed, sent and read back.
pub trait Message: Sized {
    /// The longest payload, in bytes, that a reader of this stream takes.
    const MAX_BYTES: usize;

    /// The payload, without its length.
    fn encode(&self) -> Vec<u8>;

    /// The message of a whole payload.
    fn decode(payload: &[u8]) -> Result<Self, Malformed>;
}

/// Picks the version to speak: the newest in both lists.
pub fn common_version(theirs: &[u32]) -> Option<u32> {
    theirs.contains(&VERSION).then_some(VERSION)
}
