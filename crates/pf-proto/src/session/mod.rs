//! Messages of the control stream of a session (`punktfunk/1`).

mod conversion;

use pf_base::{DeviceName, HardwareAddress};
use prost::Message as _;

use crate::{
    Malformed, Message,
    generated::{self as wire, session_client_datagram, session_client_message, session_host_message},
    input::{InputEvent, InputState},
};

/// The longest list of versions that a hello may carry.
const MAX_VERSIONS: usize = 16;

/// The most frames that one [`MediaFeedback`] tells of: at 120 a second and a report every 25 ms each is told of eight
/// times over.
pub const MAX_ARRIVALS: usize = 24;

/// The most pictures that one [`HostMessage::FrameTimes`] tells of.
pub const MAX_FRAME_TIMES: usize = 24;

/// The most hardware addresses that a host tells of itself.
pub const MAX_HARDWARE_ADDRESSES: usize = 4;

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMessage {
    /// The first message.
    Hello(SessionHello),
    /// The decoder cannot go on: only a key frame helps.
    KeyFrameRequest {
        /// The newest frame that was handed out.
        last_frame: u32,
    },
    /// One side of the clock exchange.
    ClockPing {
        /// When it was sent, on the client's clock, in microseconds.
        sent: u64,
    },
    /// Another size, speed, rate or sound from now on.
    Change(StreamWishes),
    /// What the person does.
    Input(InputEvent),
}

/// The first message of a session: who is there, and what it would like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionHello {
    /// The versions that the client speaks.
    pub versions: Vec<u32>,
    /// What the client calls itself.
    pub device_name: DeviceName,
    /// What it would like of the stream.
    pub wishes: StreamWishes,
}

/// What a client would like of the stream. 0 leaves a choice to the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamWishes {
    /// The wanted width, in pixels.
    pub width: u32,
    /// The wanted height, in pixels.
    pub height: u32,
    /// The most pictures a second that the client wants.
    pub frames_per_second: u32,
    /// The most that the client wants to receive, in bits a second.
    pub bits_per_second: u32,
    /// Whether it wants sound.
    pub sound: SoundWish,
}

/// Whether a client wants sound, and in frames of which length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SoundWish {
    /// None.
    #[default]
    Silent,
    /// In frames of 10 ms.
    Ms10,
    /// In frames of 5 ms.
    Ms5,
}

/// What a client sends as a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientDatagram {
    /// How the pictures arrive.
    Feedback(MediaFeedback),
    /// What the person does.
    Input(InputState),
}

/// How the pictures arrive, as their receiver sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaFeedback {
    /// Counts up by one; wraps.
    pub number: u32,
    /// When it left, on the client's clock, in microseconds.
    pub sent: u64,
    /// The newest frame of which anything came.
    pub newest_frame: u32,
    /// The newest frame that was handed to the decoder.
    pub decoded_frame: Option<u32>,
    /// The first frame that is missing, while a recovery is needed.
    pub first_lost: Option<u32>,
    /// How frames arrived of which nothing more is awaited, newest first; at most [`MAX_ARRIVALS`].
    pub frames: Vec<FrameArrival>,
}

/// How one frame arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameArrival {
    /// How many frames before the newest it is; at most [`MAX_REFERENCE`](crate::media::MAX_REFERENCE).
    pub before_newest: u16,
    /// How many different shards of it came, parity included; at least 1.
    pub shards: u16,
    /// How long before the report was sent the first of them came, in microseconds.
    pub first_before: u32,
    /// How long after the first the last of them came, in microseconds.
    pub spread: u32,
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
    /// How long the host took for its pictures; at most [`MAX_FRAME_TIMES`].
    FrameTimes(Vec<FrameTime>),
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
    /// By which hardware addresses the host may be woken, as far as it says; at most [`MAX_HARDWARE_ADDRESSES`].
    pub hardware_addresses: Vec<HardwareAddress>,
}

/// What the stream will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamStarted {
    /// What the pictures are of: `synthetic`, `x11`, `wayland`, `virtual`.
    pub source: String,
    /// Width of the first picture, in pixels.
    pub width: u32,
    /// Height of the first picture, in pixels.
    pub height: u32,
    /// The most pictures a second that will come.
    pub frames_per_second: u32,
    /// The most that will come, in bits a second.
    pub bits_per_second: u32,
    /// Whether there is sound.
    pub sound: Offer,
    /// Whether keys and pointer are taken.
    pub keys_and_pointer: Offer,
    /// Whether gamepads are.
    pub gamepads: Offer,
}

/// Whether a host gives something, or why it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It does.
    Given,
    /// It does not, for no reason that it names or that this version knows.
    Withheld,
    /// The client did not ask for it.
    NotAsked,
    /// Only paired devices get it, and this one is a guest.
    PairedOnly,
    /// What is shown has no such thing.
    NotHere,
    /// The host's machine lacks what it takes; its log says what.
    Unavailable,
}

/// How long the host took for one picture, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameTime {
    /// Its number.
    pub frame: u32,
    /// From its capture time until it was ready to be encoded.
    pub capture: u32,
    /// From then until its encoding began.
    pub wait: u32,
    /// From then until it was encoded.
    pub encode: u32,
    /// From then until the last of it had left.
    pub send: u32,
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
                wishes: Some(hello.wishes.into()),
            }),
            Self::KeyFrameRequest { last_frame } => {
                Kind::KeyFrameRequest(wire::KeyFrameRequest { last_frame })
            }
            Self::ClockPing { sent } => Kind::ClockPing(wire::ClockPing { sent }),
            Self::Change(wishes) => Kind::Change(wishes.into()),
            Self::Input(event) => Kind::Input(event.into()),
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
                    wishes: hello.wishes.unwrap_or_default().into(),
                }))
            }
            Kind::KeyFrameRequest(m) => Ok(Self::KeyFrameRequest { last_frame: m.last_frame }),
            Kind::ClockPing(m) => Ok(Self::ClockPing { sent: m.sent }),
            Kind::Change(wishes) => Ok(Self::Change(wishes.into())),
            Kind::Input(event) => event.try_into().map(Self::Input),
        }
    }
}

impl Message for ClientDatagram {
    const MAX_BYTES: usize = 1024;

    fn encode(&self) -> Vec<u8> {
        use session_client_datagram::Kind;
        let kind = match self.clone() {
            Self::Feedback(feedback) => Kind::Feedback(feedback.into()),
            Self::Input(state) => Kind::Input(state.into()),
        };
        wire::SessionClientDatagram { kind: Some(kind) }.encode_to_vec()
    }

    fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        use session_client_datagram::Kind;
        // A datagram has no length before it that would have been refused.
        if payload.len() > Self::MAX_BYTES {
            return Err(Malformed::TooLong);
        }
        match wire::SessionClientDatagram::decode(payload)?.kind.ok_or(Malformed::UnknownKind)? {
            Kind::Feedback(feedback) => feedback.try_into().map(Self::Feedback),
            Kind::Input(state) => state.try_into().map(Self::Input),
        }
    }
}

impl Message for HostMessage {
    const MAX_BYTES: usize = 1024;

    fn encode(&self) -> Vec<u8> {
        use session_host_message::Kind;
        let kind = match self.clone() {
            Self::Admitted(admitted) => Kind::Admitted(admitted.into()),
            Self::StreamStarted(started) => Kind::StreamStarted(started.into()),
            Self::ClockPong { ping_sent, received, sent } => {
                Kind::ClockPong(wire::ClockPong { ping_sent, received, sent })
            }
            Self::FrameTimes(frames) => {
                Kind::FrameTimes(wire::FrameTimes { frames: frames.into_iter().map(Into::into).collect() })
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
            Kind::FrameTimes(times) => {
                if times.frames.len() > MAX_FRAME_TIMES {
                    return Err(Malformed::Field("frames"));
                }
                Ok(Self::FrameTimes(times.frames.into_iter().map(Into::into).collect()))
            }
        }
    }
}
