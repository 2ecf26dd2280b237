//! Points in media time.

use std::{
    fmt,
    ops::{Add, Sub},
    time::Duration,
};

/// A point in time on one machine's media clock: microseconds since an origin that is arbitrary.
///
/// Host and client each have such a clock, with an origin of its own; [`crate::clock::ClockOffset`] carries a point
/// from one to the other. Arithmetic stops at the ends of the range: a point that came over the wire may be anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub u64);

impl Micros {
    /// The origin of the clock.
    pub const ZERO: Self = Self(0);

    /// The last point that there is.
    pub const MAX: Self = Self(u64::MAX);

    /// How long after `earlier` this is; zero when it is before.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Micros {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(whole_micros(duration)))
    }
}

impl Sub<Duration> for Micros {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(whole_micros(duration)))
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} µs", self.0)
    }
}

fn whole_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer's time stamp may be any number: arithmetic on it must not panic, nor wrap into a plausible value.
    #[test]
    fn arithmetic_stops_at_both_ends() {
        let second = Duration::from_secs(1);
        assert_eq!(Micros(5) + second, Micros(1_000_005));
        assert_eq!(Micros::MAX + second, Micros::MAX);
        assert_eq!(Micros(5) + Duration::MAX, Micros::MAX);
        assert_eq!(Micros(5) - second, Micros::ZERO);
        assert_eq!(Micros(7).since(Micros(5)), Duration::from_micros(2));
        assert_eq!(Micros(5).since(Micros(7)), Duration::ZERO);
    }
}
