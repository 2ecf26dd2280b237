//! Whether a host takes unpaired devices.

use std::{fmt, str::FromStr};

/// What a host asks of a device that it does not know: the `pair` key of its advert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairPolicy {
    /// Pairing first. The default.
    Required,
    /// The owner opted in to trust on first use: unpaired devices are let in as guests.
    Optional,
}

impl PairPolicy {
    /// The word for it, as in adverts and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Optional => "optional",
        }
    }

    /// The stricter of two that disagree.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        if self == Self::Required { self } else { other }
    }
}

impl fmt::Display for PairPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The text is neither `required` nor `optional`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a pairing policy")]
pub struct UnknownPolicy;

impl FromStr for PairPolicy {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "required" => Ok(Self::Required),
            "optional" => Ok(Self::Optional),
            _ => Err(UnknownPolicy),
        }
    }
}
