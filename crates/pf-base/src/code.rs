//! The codes of everything that can be refused or fail: one word each, the same on the wire, in JSON and in the docs.
//!
//! The sentence that a person reads for each stands in the programs, in one table.

/// Why something was refused or failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The command line or the call makes no sense.
    Usage,
    /// No answer from the other side.
    Unreachable,
    /// The host does not know this device.
    PairingRequired,
    /// The PIN was not the host's; it is spent.
    WrongPin,
    /// The host has no PIN out.
    NotArmed,
    /// The host has a PIN out, for another device.
    ArmedForAnother,
    /// Too many tries; later is fine.
    RateLimited,
    /// The host is not who it was.
    FingerprintChanged,
    /// The owner said no.
    Denied,
    /// Nobody approved in time, or the request was replaced by a newer one.
    RequestExpired,
    /// The owner removed this device.
    Removed,
    /// The host cannot take one more.
    Busy,
    /// The two speak no version in common.
    VersionMismatch,
    /// A file that trust depends on cannot be read or written.
    StoreUnreadable,
    /// Trust on first use was asked for where it is not offered.
    TofuNotOffered,
    /// The other side broke the protocol.
    ProtocolError,
    /// A video source or codec cannot work here.
    MediaUnavailable,
    /// The session came to its end: the host stops, or the owner ended it.
    Ended,
}

impl Code {
    /// Every code, in the order of the table in `docs/protocol.md`.
    pub const ALL: [Self; 18] = [
        Self::Usage,
        Self::Unreachable,
        Self::PairingRequired,
        Self::WrongPin,
        Self::NotArmed,
        Self::ArmedForAnother,
        Self::RateLimited,
        Self::FingerprintChanged,
        Self::Denied,
        Self::RequestExpired,
        Self::Removed,
        Self::Busy,
        Self::VersionMismatch,
        Self::StoreUnreadable,
        Self::TofuNotOffered,
        Self::ProtocolError,
        Self::MediaUnavailable,
        Self::Ended,
    ];

    /// The word for it, as in JSON and in the docs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Unreachable => "unreachable",
            Self::PairingRequired => "pairing_required",
            Self::WrongPin => "wrong_pin",
            Self::NotArmed => "not_armed",
            Self::ArmedForAnother => "armed_for_another",
            Self::RateLimited => "rate_limited",
            Self::FingerprintChanged => "fingerprint_changed",
            Self::Denied => "denied",
            Self::RequestExpired => "request_expired",
            Self::Removed => "removed",
            Self::Busy => "busy",
            Self::VersionMismatch => "version_mismatch",
            Self::StoreUnreadable => "store_unreadable",
            Self::TofuNotOffered => "tofu_not_offered",
            Self::ProtocolError => "protocol_error",
            Self::MediaUnavailable => "media_unavailable",
            Self::Ended => "ended",
        }
    }

    /// The exit code of a command that ends so, which is also the QUIC application error code on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::PairingRequired => 10,
            Self::WrongPin => 11,
            Self::NotArmed => 12,
            Self::ArmedForAnother => 13,
            Self::RateLimited => 14,
            Self::FingerprintChanged => 15,
            Self::Denied => 16,
            Self::RequestExpired => 17,
            Self::Removed => 18,
            Self::Busy => 19,
            Self::VersionMismatch => 20,
            Self::StoreUnreadable => 21,
            Self::TofuNotOffered => 22,
            Self::ProtocolError => 23,
            Self::MediaUnavailable => 24,
            Self::Ended => 25,
        }
    }

    /// The code with this number, where there is one.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|code| u64::from(code.number()) == number)
    }

    /// The code with this word, where there is one.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_name_one_code_each() {
        for code in Code::ALL {
            assert_eq!(Code::from_number(code.number().into()), Some(code));
            assert_eq!(Code::from_word(code.word()), Some(code));
        }
        assert_eq!(Code::from_number(0), None);
        assert_eq!(Code::from_word("success"), None);
    }
}
