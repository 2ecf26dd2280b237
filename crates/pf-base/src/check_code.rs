//! The six digits that both sides show while a request waits.

use std::{fmt, str::FromStr};

/// A six-digit check code: shown on both machines while a request waits, compared by the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckCode(u32);

impl CheckCode {
    /// How many codes there are.
    pub const RANGE: u32 = 1_000_000;

    /// The code of a number; what is over six digits is folded in.
    pub const fn new(number: u32) -> Self {
        Self(number % Self::RANGE)
    }
}

impl fmt::Display for CheckCode {
    /// Always six digits, leading zeros included, without a gap.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

impl FromStr for CheckCode {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self::new)
    }
}
