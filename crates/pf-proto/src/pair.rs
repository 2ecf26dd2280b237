//! Messages of the pairing stream (`punktfunk-pair/1`).
//!
//! | message | from | carries |
//! | --- | --- | --- |
//! | [`ClientMessage::Hello`] | client | versions, device name, purpose: PIN (M1), ask (with a commitment), knock |
//! | [`HostMessage::PinOffer`] | host | greeting, PIN length (M2) |
//! | [`ClientMessage::PinShare`] | client | pA (M3) |
//! | [`HostMessage::PinShare`] | host | pB (M4) |
//! | [`ClientMessage::PinConfirmation`] | client | cA (M5) |
//! | [`HostMessage::PinConfirmation`] | host | cB (M6) |
//! | [`ClientMessage::PinAcknowledged`] | client | (M7) |
//! | [`HostMessage::CodeNonce`] | host | greeting, nH |
//! | [`ClientMessage::CodeReveal`] | client | nC |
//! | [`HostMessage::RequestParked`] | host | the request's number |
//! | [`HostMessage::RequestLeft`] | host | greeting |
//! | [`HostMessage::RequestApproved`] | host | |
//! | [`HostMessage::Unavailable`] | host | code, when to try again; greeting when it is the first answer |

use std::time::Duration;

use pf_base::{Code, DeviceName, PairPolicy, PinDigits};
use prost::Message as _;

use crate::{
    Malformed, Message,
    generated::{self as wire, pair_client_message, pair_hello, pair_host_message},
};

/// The longest list of versions that a hello may carry.
const MAX_VERSIONS: usize = 16;

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMessage {
    /// The first message.
    Hello(Hello),
    /// M3: pA, 65 bytes uncompressed.
    PinShare([u8; 65]),
    /// M5: cA.
    PinConfirmation([u8; 32]),
    /// M7: the client has stored its pin.
    PinAcknowledged,
    /// nC, opening the commitment.
    CodeReveal([u8; 32]),
}

/// The first message of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The versions that it speaks.
    pub versions: Vec<u32>,
    /// What it calls itself.
    pub device_name: DeviceName,
    /// What it came for.
    pub purpose: HelloPurpose,
}

/// What a client came for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelloPurpose {
    /// To see what the host offers, and to pair by PIN.
    Pin,
    /// To ask for access and wait.
    Ask {
        /// H(nC).
        commitment: [u8; 32],
    },
    /// To leave a request without waiting.
    Knock,
}

/// What a host sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostMessage {
    /// M2: there is a PIN to be guessed once.
    PinOffer {
        /// Who the host says it is.
        greeting: Greeting,
        /// How many digits the PIN has.
        digits: PinDigits,
    },
    /// M4: pB, 65 bytes uncompressed.
    PinShare([u8; 65]),
    /// M6: cB; the device is stored.
    PinConfirmation([u8; 32]),
    /// No, and why; the last message.
    Unavailable {
        /// Present when this is the host's first answer.
        greeting: Option<Greeting>,
        /// Why.
        code: Code,
        /// When another try makes sense, where waiting helps.
        retry_after: Option<Duration>,
    },
    /// nH.
    CodeNonce {
        /// Who the host says it is.
        greeting: Greeting,
        /// Its nonce.
        nonce: [u8; 32],
    },
    /// The request is in the list.
    RequestParked {
        /// The number by which the owner sees it.
        request: u32,
    },
    /// The request of a device that does not wait is in the list; the last message.
    RequestLeft {
        /// Who the host says it is.
        greeting: Greeting,
    },
    /// The owner said yes; the last message.
    RequestApproved,
}

/// What a host says of itself in its first answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The version that it chose.
    pub version: u32,
    /// What it calls itself.
    pub host_name: DeviceName,
    /// What it asks of a device that it does not know.
    pub policy: PairPolicy,
}

impl Message for ClientMessage {
    const MAX_BYTES: usize = 1024;

    fn encode(&self) -> Vec<u8> {
        use pair_client_message::Kind;
        let kind = match self.clone() {
            Self::Hello(hello) => Kind::Hello(hello.into()),
            Self::PinShare(share) => Kind::PinShare(wire::PinShare { share: share.to_vec() }),
            Self::PinConfirmation(mac) => Kind::PinConfirmation(wire::PinConfirmation { mac: mac.to_vec() }),
            Self::PinAcknowledged => Kind::PinAcknowledged(wire::PinAcknowledged {}),
            Self::CodeReveal(nonce) => Kind::CodeReveal(wire::CodeReveal { nonce: nonce.to_vec() }),
        };
        wire::PairClientMessage { kind: Some(kind) }.encode_to_vec()
    }

    fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        use pair_client_message::Kind;
        match wire::PairClientMessage::decode(payload)?.kind.ok_or(Malformed::UnknownKind)? {
            Kind::Hello(hello) => hello.try_into().map(Self::Hello),
            Kind::PinShare(m) => exactly("share", &m.share).map(Self::PinShare),
            Kind::PinConfirmation(m) => exactly("mac", &m.mac).map(Self::PinConfirmation),
            Kind::PinAcknowledged(_) => Ok(Self::PinAcknowledged),
            Kind::CodeReveal(m) => exactly("nonce", &m.nonce).map(Self::CodeReveal),
        }
    }
}

impl Message for HostMessage {
    const MAX_BYTES: usize = 1024;

    fn encode(&self) -> Vec<u8> {
        use pair_host_message::Kind;
        let kind = match self.clone() {
            Self::PinOffer { greeting, digits } => Kind::PinOffer(wire::PinOffer {
                greeting: Some(greeting.into()),
                digits: digits.count().into(),
            }),
            Self::PinShare(share) => Kind::PinShare(wire::PinShare { share: share.to_vec() }),
            Self::PinConfirmation(mac) => Kind::PinConfirmation(wire::PinConfirmation { mac: mac.to_vec() }),
            Self::Unavailable { greeting, code, retry_after } => Kind::Unavailable(wire::Unavailable {
                greeting: greeting.map(Into::into),
                code: code.number().into(),
                retry_after_ms: retry_after
                    .map_or(0, |wait| u32::try_from(wait.as_millis()).unwrap_or(u32::MAX).max(1)),
            }),
            Self::CodeNonce { greeting, nonce } => {
                Kind::CodeNonce(wire::CodeNonce { greeting: Some(greeting.into()), nonce: nonce.to_vec() })
            }
            Self::RequestParked { request } => Kind::RequestParked(wire::RequestParked { request }),
            Self::RequestLeft { greeting } => {
                Kind::RequestLeft(wire::RequestLeft { greeting: Some(greeting.into()) })
            }
            Self::RequestApproved => Kind::RequestApproved(wire::RequestApproved {}),
        };
        wire::PairHostMessage { kind: Some(kind) }.encode_to_vec()
    }

    fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        use pair_host_message::Kind;
        match wire::PairHostMessage::decode(payload)?.kind.ok_or(Malformed::UnknownKind)? {
            Kind::PinOffer(m) => Ok(Self::PinOffer {
                greeting: required(m.greeting)?,
                digits: u8::try_from(m.digits)
                    .ok()
                    .and_then(PinDigits::new)
                    .ok_or(Malformed::Field("digits"))?,
            }),
            Kind::PinShare(m) => exactly("share", &m.share).map(Self::PinShare),
            Kind::PinConfirmation(m) => exactly("mac", &m.mac).map(Self::PinConfirmation),
            Kind::Unavailable(m) => Ok(Self::Unavailable {
                greeting: m.greeting.map(TryInto::try_into).transpose()?,
                code: Code::from_number(m.code.into()).ok_or(Malformed::Field("code"))?,
                retry_after: (m.retry_after_ms > 0).then(|| Duration::from_millis(m.retry_after_ms.into())),
            }),
            Kind::CodeNonce(m) => {
                Ok(Self::CodeNonce { greeting: required(m.greeting)?, nonce: exactly("nonce", &m.nonce)? })
            }
            Kind::RequestParked(m) => Ok(Self::RequestParked { request: m.request }),
            Kind::RequestLeft(m) => Ok(Self::RequestLeft { greeting: required(m.greeting)? }),
            Kind::RequestApproved(_) => Ok(Self::RequestApproved),
        }
    }
}

impl From<Hello> for wire::PairHello {
    fn from(hello: Hello) -> Self {
        let purpose = match hello.purpose {
            HelloPurpose::Pin => pair_hello::Purpose::Pin(wire::PinPurpose {}),
            HelloPurpose::Ask { commitment } => {
                pair_hello::Purpose::Ask(wire::AskPurpose { commitment: commitment.to_vec() })
            }
            HelloPurpose::Knock => pair_hello::Purpose::Knock(wire::KnockPurpose {}),
        };
        Self { versions: hello.versions, device_name: hello.device_name.to_string(), purpose: Some(purpose) }
    }
}

impl TryFrom<wire::PairHello> for Hello {
    type Error = Malformed;

    fn try_from(hello: wire::PairHello) -> Result<Self, Malformed> {
        if hello.versions.len() > MAX_VERSIONS {
            return Err(Malformed::Field("versions"));
        }
        let purpose = match hello.purpose.ok_or(Malformed::Field("purpose"))? {
            pair_hello::Purpose::Pin(_) => HelloPurpose::Pin,
            pair_hello::Purpose::Ask(ask) => {
                HelloPurpose::Ask { commitment: exactly("commitment", &ask.commitment)? }
            }
            pair_hello::Purpose::Knock(_) => HelloPurpose::Knock,
        };
        Ok(Self { versions: hello.versions, device_name: DeviceName::sanitise(&hello.device_name), purpose })
    }
}

impl From<Greeting> for wire::HostGreeting {
    fn from(greeting: Greeting) -> Self {
        let policy = match greeting.policy {
            PairPolicy::Required => wire::PairPolicy::Required,
            PairPolicy::Optional => wire::PairPolicy::Optional,
        };
        Self { version: greeting.version, host_name: greeting.host_name.to_string(), policy: policy.into() }
    }
}

impl TryFrom<wire::HostGreeting> for Greeting {
    type Error = Malformed;

    fn try_from(greeting: wire::HostGreeting) -> Result<Self, Malformed> {
        // A policy that this version does not know is no opt-in.
        let policy = match greeting.policy() {
            wire::PairPolicy::Optional => PairPolicy::Optional,
            wire::PairPolicy::Required | wire::PairPolicy::Unspecified => PairPolicy::Required,
        };
        Ok(Self { version: greeting.version, host_name: DeviceName::sanitise(&greeting.host_name), policy })
    }
}

fn required(greeting: Option<wire::HostGreeting>) -> Result<Greeting, Malformed> {
    greeting.ok_or(Malformed::Field("greeting"))?.try_into()
}

fn exactly<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N], Malformed> {
    bytes.try_into().map_err(|_| Malformed::Field(field))
}
