//! Between the messages and their protobuf: what is out of range is refused here.

use pf_base::{DeviceName, HardwareAddress};

use super::{
    Admitted, AdmittedAs, FrameArrival, FrameTime, MAX_ARRIVALS, MAX_HARDWARE_ADDRESSES, MediaFeedback,
    Offer, SoundWish, StreamStarted, StreamWishes,
};
use crate::{Malformed, generated as wire, media};

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
            hardware_addresses: admitted.hardware_addresses.iter().map(|a| a.bytes().into()).collect(),
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
        if admitted.hardware_addresses.len() > MAX_HARDWARE_ADDRESSES {
            return Err(Malformed::Field("hardware_addresses"));
        }
        let hardware_address = |bytes: &Vec<u8>| {
            let bytes = bytes.as_slice().try_into().ok();
            bytes.and_then(HardwareAddress::new).ok_or(Malformed::Field("hardware_addresses"))
        };
        Ok(Self {
            version: admitted.version,
            host_name: DeviceName::sanitise(&admitted.host_name),
            admitted_as,
            hardware_addresses: admitted
                .hardware_addresses
                .iter()
                .map(hardware_address)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl From<StreamStarted> for wire::StreamStarted {
    fn from(started: StreamStarted) -> Self {
        Self {
            source: started.source,
            width: started.width,
            height: started.height,
            frames_per_second: started.frames_per_second,
            bits_per_second: started.bits_per_second,
            sound: wire::Offer::from(started.sound).into(),
            keys_and_pointer: wire::Offer::from(started.keys_and_pointer).into(),
            gamepads: wire::Offer::from(started.gamepads).into(),
        }
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
            sound: started.sound().into(),
            keys_and_pointer: started.keys_and_pointer().into(),
            gamepads: started.gamepads().into(),
            source: started.source,
            width: started.width,
            height: started.height,
            frames_per_second: started.frames_per_second,
            bits_per_second: started.bits_per_second,
        })
    }
}

impl From<StreamWishes> for wire::StreamWishes {
    fn from(wishes: StreamWishes) -> Self {
        let sound = match wishes.sound {
            SoundWish::Silent => wire::SoundWish::Unspecified,
            SoundWish::Ms10 => wire::SoundWish::SoundWish10Ms,
            SoundWish::Ms5 => wire::SoundWish::SoundWish5Ms,
        };
        Self {
            width: wishes.width,
            height: wishes.height,
            frames_per_second: wishes.frames_per_second,
            bits_per_second: wishes.bits_per_second,
            sound: sound.into(),
        }
    }
}

impl From<wire::StreamWishes> for StreamWishes {
    fn from(wishes: wire::StreamWishes) -> Self {
        let sound = match wishes.sound() {
            wire::SoundWish::Unspecified => SoundWish::Silent,
            wire::SoundWish::SoundWish10Ms => SoundWish::Ms10,
            wire::SoundWish::SoundWish5Ms => SoundWish::Ms5,
        };
        Self {
            width: wishes.width,
            height: wishes.height,
            frames_per_second: wishes.frames_per_second,
            bits_per_second: wishes.bits_per_second,
            sound,
        }
    }
}

impl From<Offer> for wire::Offer {
    fn from(offer: Offer) -> Self {
        match offer {
            Offer::Withheld => Self::Unspecified,
            Offer::Given => Self::Given,
            Offer::NotAsked => Self::NotAsked,
            Offer::PairedOnly => Self::PairedOnly,
            Offer::NotHere => Self::NotHere,
            Offer::Unavailable => Self::Unavailable,
        }
    }
}

impl From<wire::Offer> for Offer {
    fn from(offer: wire::Offer) -> Self {
        match offer {
            wire::Offer::Unspecified => Self::Withheld,
            wire::Offer::Given => Self::Given,
            wire::Offer::NotAsked => Self::NotAsked,
            wire::Offer::PairedOnly => Self::PairedOnly,
            wire::Offer::NotHere => Self::NotHere,
            wire::Offer::Unavailable => Self::Unavailable,
        }
    }
}

impl From<FrameTime> for wire::FrameTime {
    fn from(FrameTime { frame, capture, wait, encode, send }: FrameTime) -> Self {
        Self { frame, capture, wait, encode, send }
    }
}

impl From<wire::FrameTime> for FrameTime {
    fn from(wire::FrameTime { frame, capture, wait, encode, send }: wire::FrameTime) -> Self {
        Self { frame, capture, wait, encode, send }
    }
}

impl From<MediaFeedback> for wire::MediaFeedback {
    fn from(feedback: MediaFeedback) -> Self {
        let frames = feedback.frames.iter().map(|arrival| wire::FrameArrival {
            before_newest: arrival.before_newest.into(),
            shards: arrival.shards.into(),
            first_before: arrival.first_before,
            spread: arrival.spread,
        });
        Self {
            number: feedback.number,
            sent: feedback.sent,
            newest_frame: feedback.newest_frame,
            decoded_frame: feedback.decoded_frame,
            first_lost: feedback.first_lost,
            frames: frames.collect(),
        }
    }
}

impl TryFrom<wire::MediaFeedback> for MediaFeedback {
    type Error = Malformed;

    fn try_from(feedback: wire::MediaFeedback) -> Result<Self, Malformed> {
        if feedback.frames.len() > MAX_ARRIVALS {
            return Err(Malformed::Field("frames"));
        }
        Ok(Self {
            number: feedback.number,
            sent: feedback.sent,
            newest_frame: feedback.newest_frame,
            decoded_frame: feedback.decoded_frame,
            first_lost: feedback.first_lost,
            frames: feedback.frames.into_iter().map(FrameArrival::try_from).collect::<Result<_, _>>()?,
        })
    }
}

impl TryFrom<wire::FrameArrival> for FrameArrival {
    type Error = Malformed;

    fn try_from(arrival: wire::FrameArrival) -> Result<Self, Malformed> {
        let within = |value: u32, most: u16| u16::try_from(value).ok().filter(|&value| value <= most);
        let most_shards = media::MAX_DATA_SHARDS + media::max_parity(media::MAX_DATA_SHARDS);
        Ok(Self {
            before_newest: within(arrival.before_newest, media::MAX_REFERENCE)
                .ok_or(Malformed::Field("before_newest"))?,
            shards: within(arrival.shards, most_shards)
                .filter(|&shards| shards > 0)
                .ok_or(Malformed::Field("shards"))?,
            first_before: arrival.first_before,
            spread: arrival.spread,
        })
    }
}
