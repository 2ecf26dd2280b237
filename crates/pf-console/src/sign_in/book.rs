//! The sign-ins that are open.
//!
//! Pure: the time is handed in. What is ended or has expired is taken out and returned, for the caller to note and to
//! take out of the store.

use std::{net::IpAddr, time::Duration};

use pf_base::Timestamp;
use pf_store::SignedInBy;
use tokio::sync::watch;

use super::token::TokenHash;
use crate::view;

/// The open sign-ins, in no order.
#[derive(Debug, Default)]
pub(crate) struct Book(Vec<Open>);

/// One of them.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) id: u64,
    pub(crate) hash: TokenHash,
    pub(crate) browser: String,
    /// From where it was used last.
    pub(crate) address: IpAddr,
    pub(crate) by: SignedInBy,
    pub(crate) signed_in_at: Timestamp,
    pub(crate) last_used_at: Timestamp,
    /// When the password or a link was given last.
    pub(crate) proved_at: Option<Timestamp>,
    /// What the store has as [`Open::last_used_at`].
    pub(crate) stored_used_at: Timestamp,
    /// Dropped with this: whoever holds the other end knows that the sign-in is over.
    pub(crate) over: watch::Sender<()>,
}

impl Book {
    /// Opens one more. Returns those that had to go for it: the least recently used.
    #[must_use]
    pub(crate) fn add(&mut self, open: Open) -> Vec<Open> {
        let mut gone = Vec::new();
        while self.0.len() >= MAX_OPEN {
            let oldest = self.0.iter().enumerate().min_by_key(|(_, open)| open.last_used_at);
            let Some((place, _)) = oldest else { break };
            gone.push(self.0.swap_remove(place));
        }
        self.0.push(open);
        gone
    }

    /// Takes out what has expired.
    #[must_use]
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<Open> {
        self.0.extract_if(.., |open| open.has_expired(now)).collect()
    }

    /// The sign-in of a cookie.
    pub(crate) fn find(&mut self, hash: TokenHash) -> Option<&mut Open> {
        self.0.iter_mut().find(|open| open.hash == hash)
    }

    /// A sign-in by its number.
    pub(crate) fn by_id(&mut self, id: u64) -> Option<&mut Open> {
        self.0.iter_mut().find(|open| open.id == id)
    }

    /// Takes one out.
    #[must_use]
    pub(crate) fn end(&mut self, id: u64) -> Option<Open> {
        let place = self.0.iter().position(|open| open.id == id)?;
        Some(self.0.swap_remove(place))
    }

    /// Takes all out but one.
    #[must_use]
    pub(crate) fn end_all_but(&mut self, keep: Option<u64>) -> Vec<Open> {
        self.0.extract_if(.., |open| Some(open.id) != keep).collect()
    }

    /// All of them, most recently used first, as their owner sees them; `current` is the one that asks.
    pub(crate) fn list(&self, current: Option<u64>, now: Timestamp) -> Vec<view::SignIn> {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by_key(|open| (std::cmp::Reverse(open.last_used_at), open.id));
        all.into_iter().map(|open| open.view(current, now)).collect()
    }
}

impl Open {
    /// Whether the password was given a short while ago.
    pub(crate) fn is_proved(&self, now: Timestamp) -> bool {
        self.proved_at.is_some_and(|at| now.since(at) <= PROOF_FRESH)
    }

    /// This, as its owner sees it.
    pub(crate) fn view(&self, current: Option<u64>, now: Timestamp) -> view::SignIn {
        let proof = self.proved_at.map_or(Duration::ZERO, |at| PROOF_FRESH.saturating_sub(now.since(at)));
        view::SignIn {
            id: self.id,
            browser: self.browser.clone(),
            address: self.address.to_string(),
            by: match self.by {
                SignedInBy::Password => view::SignedInBy::Password,
                SignedInBy::Link => view::SignedInBy::Link,
            },
            signed_in_at: rfc3339(self.signed_in_at),
            last_used_at: rfc3339(self.last_used_at),
            proof_expires_in_s: proof.as_secs(),
            current: current == Some(self.id),
        }
    }

    fn has_expired(&self, now: Timestamp) -> bool {
        now.since(self.last_used_at) >= UNUSED_FOR || now.since(self.signed_in_at) >= MAX_AGE
    }
}

fn rfc3339(at: Timestamp) -> String {
    let moment = std::time::UNIX_EPOCH + Duration::from_millis(at.as_millis());
    humantime::format_rfc3339_seconds(moment).to_string()
}

/// A sign-in ends this long after it was used last.
const UNUSED_FOR: Duration = Duration::from_hours(7 * 24);
/// A sign-in ends this long after it was made, however much it is used.
pub(crate) const MAX_AGE: Duration = Duration::from_hours(30 * 24);
/// How long the password counts as just given.
const PROOF_FRESH: Duration = Duration::from_mins(15);
/// How many sign-ins can be open.
const MAX_OPEN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const MOMENT: Duration = Duration::from_millis(1);

    fn open(id: u64, at: Timestamp) -> Open {
        Open {
            id,
            hash: TokenHash([id as u8; 32]),
            browser: "Firefox on Linux".to_owned(),
            address: [192, 168, 1, 7].into(),
            by: SignedInBy::Password,
            signed_in_at: at,
            last_used_at: at,
            proved_at: Some(at),
            stored_used_at: at,
            over: watch::Sender::new(()),
        }
    }

    /// A laptop is sold with the cookie still in it.
    #[test]
    fn r8_a_sign_in_ends_a_week_after_its_last_use() {
        let mut book = Book::default();
        assert!(book.add(open(1, NOW)).is_empty());
        assert!(book.expire(NOW + UNUSED_FOR - MOMENT).is_empty());
        book.by_id(1).unwrap().last_used_at = NOW + MOMENT;
        assert!(book.expire(NOW + UNUSED_FOR).is_empty());
        assert_eq!(book.expire(NOW + UNUSED_FOR + MOMENT).len(), 1);
        assert!(book.find(TokenHash([1; 32])).is_none());
    }

    /// A stolen cookie is kept alive by using it.
    #[test]
    fn r8_a_sign_in_ends_thirty_days_after_it_was_made() {
        let mut book = Book::default();
        assert!(book.add(open(1, NOW)).is_empty());
        book.by_id(1).unwrap().last_used_at = NOW + MAX_AGE - MOMENT;
        assert!(book.expire(NOW + MAX_AGE - MOMENT).is_empty());
        assert_eq!(book.expire(NOW + MAX_AGE).len(), 1);
    }

    /// Somebody sits down at the owner's unlocked browser.
    #[test]
    fn r8_a_proof_is_fresh_for_a_quarter_of_an_hour() {
        let mut open = open(1, NOW);
        assert_eq!(open.view(None, NOW).proof_expires_in_s, 900);
        assert!(open.is_proved(NOW + PROOF_FRESH));
        assert!(!open.is_proved(NOW + PROOF_FRESH + MOMENT));
        assert_eq!(open.view(None, NOW + PROOF_FRESH + MOMENT).proof_expires_in_s, 0);
        open.proved_at = None;
        assert!(!open.is_proved(NOW));
    }

    #[test]
    fn the_least_recently_used_goes_when_there_are_too_many() {
        let mut book = Book::default();
        for id in 0..64 {
            assert!(book.add(open(id, NOW + MOMENT * id as u32)).is_empty());
        }
        book.by_id(0).unwrap().last_used_at = NOW + MOMENT * 100;
        let gone: Vec<_> = book.add(open(64, NOW + MOMENT * 101)).iter().map(|open| open.id).collect();
        assert_eq!(gone, [1]);
    }

    #[tokio::test]
    async fn whoever_watches_a_sign_in_learns_of_its_end() {
        let mut book = Book::default();
        assert!(book.add(open(1, NOW)).is_empty());
        assert!(book.add(open(2, NOW)).is_empty());
        let mut watched = [1, 2].map(|id| book.by_id(id).unwrap().over.subscribe());
        assert_eq!(book.end_all_but(Some(2)).len(), 1);
        assert!(watched[0].changed().await.is_err());
        assert!(!watched[1].has_changed().unwrap());
    }
}
