//! Messages of the control stream of a session (`punktfunk/1`).

use pf_base::DeviceName;
use prost::Message as _;

use crate::{
    Malformed, Message,
    generated::{self as wire, session_client_message, session_host_message},
};

/// The longest list of versions that a hello may carry.
const MAX_VERSIONS: usize = 16;

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMessage {
    /// The first message.
    Hello(SessionHello),
    /// A picture was lost: only a key frame helps.
    KeyFrameRequest {
        /// The newest frame that was handed out.
        last_frame: u32,
    },
    /// One side of the clock exchange.
    ClockPing {
        /// When it was sent, on the client's clock, in microseconds.
        sent: u64,
    },
}

/// The first message of a session: who is there, and what it would like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionHello {
    /// The versions that the client speaks.
    pub versions: Vec<u32>,
    /// What the client calls itself.
    pub device_name: DeviceName,
    /// The wanted width, in pixels; 0 for the host's own.
    pub width: u32,
    /// The wanted height, in pixels; 0 for the host's own.
    pub height: u32,
    /// The most pictures a second that the client wants; 0 for the host's own.
    pub frames_per_second: u32,
    /// The most that the client wants to receive, in bits a second; 0 for the host's own.
    pub bits_per_second: u32,
}

/// What a host sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostMessage {
    /// The first message: nothing earlier means success.
    Admitted(Admitted),
    /// The source is open; pictures follow.
    StreamStarted(StreamStarted),
    /// The answer to a ping.
    ClockPong {
        /// The ping's own time, on the client's clock.
        ping_sent: u64,
        /// When the ping came, on the host's clock, in microseconds.
        received: u64,
        /// When this answer left, on the host's clock, in microseconds.
        sent: u64,
    },
}

/// The host's yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// The version that the host chose.
    pub version: u32,
    /// What the host calls itself.
    pub host_name: DeviceName,
    /// As what the device was let in.
    pub admitted_as: AdmittedAs,
}

/// What the stream will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamStarted {
    /// What the pictures are of: `synthetic`, `x11`, `virtual`.
    pub source: String,
    /// Width of the first picture, in pixels.
    pub width: u32,
    /// Height of the first picture, in pixels.
    pub height: u32,
    /// The most pictures a second that will come.
    pub frames_per_second: u32,
    /// What the encoder aims at, in bits a second.
    pub bits_per_second: u32,
}

/// As what a device was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdmittedAs {
    /// It is on the allow-list.
    Paired,
    /// The owner opted in to trust on first use; it is on no list.
    Guest,
}

impl Message for ClientMessage {
    const MAX_BYTES: usize = 1024;

    fn encode(&self) -> Vec<u8> {
        use session_client_message::Kind;
        let kind = match self.clone() {
            Self::Hello(hello) => Kind::Hello(wire::SessionHello {
                versions: hello.versions,
                device_name: hello.device_name.to_string(),
                width: hello.width,
                height: hello.height,
                frames_per_second: hello.frames_per_second,
                bits_per_second: hello.bits_per_second,
            }),
            Self::KeyFrameRequest { last_frame } => {
                Kind::KeyFrameRequest(wire::KeyFrameRequest { last_frame })
            }
            Self::ClockPing { sent } => Kind::ClockPing(wire::ClockPing { sent }),
        };
        wire::SessionClientMessage { kind: Some(kind) }.encode_to_vec()
    }

    fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        use session_client_message::Kind;
        match wire::SessionClientMessage::decode(payload)?.kind.ok_or(Malformed::UnknownKind)? {
            Kind::Hello(hello) => {
                if hello.versions.len() > MAX_VERSIONS {
                    return Err(Malformed::Field("versions"));
                }
                Ok(Self::Hello(SessionHello {
                    versions: hello.versions,
                    device_name: DeviceName::sanitise(&hello.device_name),
                    width: hello.width,
                    height: hello.height,
                    frames_per_second: hello.frames_per_second,
                    bits_per_second: hello.bits_per_second,
                }))
            }
            Kind::KeyFrameRequest(m) => Ok(Self::KeyFrameRequest { last_frame: m.last_frame }),
            Kind::ClockPing(m) => Ok(Self::ClockPing { sent: m.sent }),
        }
    }
}

impl Message for HostMessage {
    const MAX_BYTES: usize = 1024;

    fn encode(&self) -> Vec<u8> {
        use session_host_message::Kind;
        let kind = match self.clone() {
            Self::Admitted(admitted) => Kind::Admitted(admitted.into()),
            Self::StreamStarted(started) => Kind::StreamStarted(wire::StreamStarted {
                source: started.source,
                width: started.width,
                height: started.height,
                frames_per_second: started.frames_per_second,
                bits_per_second: started.bits_per_second,
            }),
            Self::ClockPong { ping_sent, received, sent } => {
                Kind::ClockPong(wire::ClockPong { ping_sent, received, sent })
            }
        };
        wire::SessionHostMessage { kind: Some(kind) }.encode_to_vec()
    }

    fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        use session_host_message::Kind;
        match wire::SessionHostMessage::decode(payload)?.kind.ok_or(Malformed::UnknownKind)? {
            Kind::Admitted(admitted) => admitted.try_into().map(Self::Admitted),
            Kind::StreamStarted(started) => started.try_into().map(Self::StreamStarted),
            Kind::ClockPong(m) => {
                Ok(Self::ClockPong { ping_sent: m.ping_sent, received: m.received, sent: m.sent })
            }
        }
    }
}

impl From<Admitted> for wire::Admitted {
    fn from(admitted: Admitted) -> Self {
        let admitted_as = match admitted.admitted_as {
            AdmittedAs::Paired => wire::AdmittedAs::Paired,
            AdmittedAs::Guest => wire::AdmittedAs::Guest,
        };
        Self {
            version: admitted.version,
            host_name: admitted.host_name.to_string(),
            admitted_as: admitted_as.into(),
        }
    }
}

impl TryFrom<wire::Admitted> for Admitted {
    type Error = Malformed;

    fn try_from(admitted: wire::Admitted) -> Result<Self, Malformed> {
        let admitted_as = match admitted.admitted_as() {
            wire::AdmittedAs::Paired => AdmittedAs::Paired,
            wire::AdmittedAs::Guest => AdmittedAs::Guest,
            wire::AdmittedAs::Unspecified => return Err(Malformed::Field("admitted_as")),
        };
        Ok(Self {
            version: admitted.version,
            host_name: DeviceName::sanitise(&admitted.host_name),
            admitted_as,
        })
    }
}

impl TryFrom<wire::StreamStarted> for StreamStarted {
    type Error = Malformed;

    fn try_from(started: wire::StreamStarted) -> Result<Self, Malformed> {
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if started.source.len() > 32 || !started.source.chars().all(is_word) {
            return Err(Malformed::Field("source"));
        }
        Ok(Self {
            source: started.source,
            width: started.width,
            height: started.height,
            frames_per_second: started.frames_per_second,
            bits_per_second: started.bits_per_second,
        })
    }
}
