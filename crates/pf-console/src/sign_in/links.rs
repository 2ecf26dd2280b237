//! Sign-in links that are out: each good once, for an hour, and only in this run of the host.

use std::{collections::VecDeque, time::Duration};

use pf_base::Timestamp;

use super::token::TokenHash;

/// The links that nobody has used yet, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Links(VecDeque<Link>);

#[derive(Debug)]
struct Link {
    hash: TokenHash,
    made_at: Timestamp,
}

impl Links {
    /// Takes one more out. Where there are too many, the oldest is no good any more.
    pub(crate) fn add(&mut self, hash: TokenHash, now: Timestamp) {
        self.drop_old(now);
        if self.0.len() >= MAX_OUT {
            self.0.pop_front();
        }
        self.0.push_back(Link { hash, made_at: now });
    }

    /// Spends a link, whatever comes of it. Whether it was good.
    #[must_use]
    pub(crate) fn spend(&mut self, hash: TokenHash, now: Timestamp) -> bool {
        self.drop_old(now);
        let place = self.0.iter().position(|link| link.hash == hash);
        place.is_some_and(|place| self.0.remove(place).is_some())
    }

    /// Makes all of them no good.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    fn drop_old(&mut self, now: Timestamp) {
        self.0.retain(|link| now.since(link.made_at) < GOOD_FOR);
    }
}

/// How long a link is good for.
pub(crate) const GOOD_FOR: Duration = Duration::from_hours(1);
/// How many links can be out at once.
const MAX_OUT: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn hash(number: u8) -> TokenHash {
        TokenHash([number; 32])
    }

    /// Somebody reads the link over the owner's shoulder, or out of the terminal afterwards.
    #[test]
    fn r8_a_link_is_good_once_and_for_an_hour() {
        let mut links = Links::default();
        links.add(hash(1), NOW);
        links.add(hash(2), NOW);
        assert!(!links.spend(hash(9), NOW));
        assert!(links.spend(hash(1), NOW + GOOD_FOR - Duration::from_millis(1)));
        assert!(!links.spend(hash(1), NOW + GOOD_FOR - Duration::from_millis(1)));
        assert!(!links.spend(hash(2), NOW + GOOD_FOR));
    }

    #[test]
    fn the_oldest_of_too_many_links_is_no_good() {
        let mut links = Links::default();
        for number in 0..9 {
            links.add(hash(number), NOW);
        }
        assert!(!links.spend(hash(0), NOW));
        assert!((1..9).all(|number| links.spend(hash(number), NOW)));
    }
}
