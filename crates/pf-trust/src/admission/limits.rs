//! The numbers that admission keeps to, each with what it buys and what it costs.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

/// How long a pairing window is open unless the owner says otherwise.
///
/// Long enough to walk from the console to the couch; whoever needs longer arms again.
pub const WINDOW_DEFAULT: Duration = Duration::from_mins(2);

/// The longest that a pairing window is open.
///
/// A forgotten window is a guess that anyone may make; five minutes bound it. Longer wishes are cut, not refused.
pub const WINDOW_MAX: Duration = Duration::from_mins(5);

/// How many PIN ceremonies run at once, and apart from them how many check-code exchanges.
///
/// Bounds memory and elliptic-curve work for strangers. Four strangers can keep a fifth device waiting for
/// [`CEREMONY_TIMEOUT`]; a bound window cannot be blocked so, for it lets nobody else begin, and askers have slots of
/// their own. Within either four there is one slot for each fingerprint and one for each address; a device's newer
/// ceremony takes the slot of its own older one, unless that has taken a PIN.
pub const AT_ONCE: usize = 4;

/// How many PIN ceremonies begin within a second, and apart from them how many check-code exchanges.
///
/// Each costs the host one scalar multiplication. People never reach it; a flood is answered with one small message.
pub const A_SECOND: usize = 10;

/// How long a PIN ceremony may take, from the first message to the outcome.
///
/// The person has typed the PIN before it begins, so this is time for messages alone: a silent peer holds its slot no
/// longer, and a slow link still gets through.
pub const CEREMONY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the check-code exchange may take: two round trips, and nobody types.
pub const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long no unbound window opens after the first burned one; it doubles with each that follows.
pub const COOL_DOWN_FIRST: Duration = Duration::from_secs(5);

/// The longest cool-down.
///
/// With it, always armed and never watched, a host of 4 digits still takes twelve guesses an hour; hence
/// [`BURNED_A_DAY`].
pub const COOL_DOWN_MAX: Duration = Duration::from_mins(5);

/// After how many burned unbound windows within [`DAY`] an unbound window takes six digits.
///
/// A guesser who goes on then needs a million tries, not ten thousand. An owner who mistyped ten times reads six
/// digits, or arms for one device.
pub const BURNED_A_DAY: usize = 10;

/// What counts as a day for [`BURNED_A_DAY`].
pub const DAY: Duration = Duration::from_hours(24);

/// How many requests for access are listed.
///
/// What a person can look through. A flood pushes out the oldest that nobody waits on; waiting ones stay.
pub const REQUESTS: usize = 32;

/// How many requests are listed for one address.
///
/// Filling the list takes eight addresses. Behind one address there are rarely more than four new devices at once.
pub const REQUESTS_PER_ADDRESS: usize = 4;

/// How long a request waits for the owner, counted from when the device asked last.
pub const REQUEST_LIFETIME: Duration = Duration::from_mins(5);

/// How many lines a minute strangers may cause in the audit log; the rest is counted in one.
///
/// Bounds what a stranger can write to the disk. What the owner does, what paired devices do, and every PIN attempt
/// is always a line of its own.
pub const AUDIT_LINES_A_MINUTE: u32 = 30;

/// For how long [`AUDIT_LINES_A_MINUTE`] counts.
pub const MINUTE: Duration = Duration::from_mins(1);

/// How long the always-armed host waits for a PIN that it asked for before it asks again.
///
/// It waits in vain only where the store could not be written; it comes back by itself when the disk does.
pub const REARM_AGAIN: Duration = Duration::from_secs(5);

/// What counts as one address: an IPv4 address, also where it is written as IPv6, or the /64 of an IPv6 address,
/// because whoever has one address of it has them all.
pub fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stranger with one IPv6 subnet, or with two spellings of one IPv4 address, counts once.
    #[test]
    fn inv_45_a_subnet_and_a_mapped_address_count_once() {
        let same = [
            ("2001:db8:1:2::3", "2001:db8:1:2:ffff:ffff:ffff:ffff"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("192.0.2.7", "192.0.2.7"),
        ];
        for (one, other) in same {
            assert_eq!(source(one.parse().unwrap()), source(other.parse().unwrap()), "{one} {other}");
        }
        let apart = [("2001:db8:1:2::3", "2001:db8:1:3::3"), ("192.0.2.7", "192.0.2.8")];
        for (one, other) in apart {
            assert_ne!(source(one.parse().unwrap()), source(other.parse().unwrap()), "{one} {other}");
        }
    }
}
