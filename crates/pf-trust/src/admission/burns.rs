//! Burned PINs and what they cost: a cool-down that doubles, and longer PINs after too many in a day.
//!
//! Only unbound windows count. A bound one cannot be burned by a stranger, and its success says nothing about who
//! guesses at the others.

use pf_base::Timestamp;

use crate::record::BurnCounters;

use super::limits::{BURNED_A_DAY, COOL_DOWN_FIRST, COOL_DOWN_MAX, DAY};

impl BurnCounters {
    /// Charges one burned window, before it is known whether the guess is right.
    pub(super) fn charge(&mut self, now: Timestamp) {
        let doublings = self.in_a_row.min(COOL_DOWN_MAX.as_secs().ilog2());
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.cool_down_until = Some(now + (COOL_DOWN_FIRST * 2_u32.pow(doublings)).min(COOL_DOWN_MAX));
        self.within_a_day.retain(|&burned| now.since(burned) < DAY);
        let too_many = (self.within_a_day.len() + 1).saturating_sub(BURNED_A_DAY);
        self.within_a_day.drain(..too_many);
        self.within_a_day.push(now);
    }

    /// Takes back the charge of a guess that was right, and ends the cool-down.
    ///
    /// The other guesses of the day stay counted: someone made them, and it was not this device.
    pub(super) fn succeeded(&mut self, charged_at: Timestamp) {
        self.in_a_row = 0;
        self.cool_down_until = None;
        if let Some(charge) = self.within_a_day.iter().rposition(|&burned| burned == charged_at) {
            self.within_a_day.remove(charge);
        }
    }

    /// When an unbound window may open: now, or when the cool-down is over.
    ///
    /// No later than the longest cool-down from now: a clock that was set back between two runs does not lock the
    /// owner out.
    pub(super) fn opens_at(&self, now: Timestamp) -> Timestamp {
        self.cool_down_until.map_or(now, |until| until.clamp(now, now + COOL_DOWN_MAX))
    }

    /// Whether so many were burned within a day that an unbound window takes six digits.
    pub(super) fn are_too_many(&self, now: Timestamp) -> bool {
        self.within_a_day.iter().filter(|&&burned| now.since(burned) < DAY).count() >= BURNED_A_DAY
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(43_200_000);

    /// A guesser who waits out each cool-down gets fewer guesses each time.
    #[test]
    fn the_cool_down_doubles_from_five_seconds_to_five_minutes() {
        let mut counters = BurnCounters::default();
        let mut waits = Vec::new();
        for _ in 0..9 {
            counters.charge(NOON);
            waits.push(counters.opens_at(NOON).since(NOON).as_secs());
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        counters.in_a_row = u32::MAX;
        counters.charge(NOON);
        assert_eq!(counters.opens_at(NOON).since(NOON), COOL_DOWN_MAX);
    }

    #[test]
    fn a_success_takes_back_its_own_charge_and_the_cool_down() {
        let mut counters = BurnCounters::default();
        let (first, second) = (NOON, NOON + Duration::from_mins(1));
        counters.charge(first);
        counters.charge(second);
        counters.succeeded(second);
        assert_eq!(counters.opens_at(second), second);
        assert_eq!((counters.in_a_row, counters.within_a_day), (0, vec![first]));
    }

    #[test]
    fn ten_within_a_day_are_too_many_and_older_ones_lapse() {
        let mut counters = BurnCounters::default();
        for burned in 0..10 {
            assert!(!counters.are_too_many(NOON), "after {burned}");
            counters.charge(NOON);
        }
        assert!(counters.are_too_many(NOON));
        assert!(!counters.are_too_many(NOON + DAY));
        counters.charge(NOON + Duration::from_secs(1));
        assert_eq!(counters.within_a_day.len(), BURNED_A_DAY, "no more are kept than are asked for");
    }

    /// The clock was set back by a year between two runs.
    #[test]
    fn a_cool_down_from_the_future_ends_within_the_longest_one() {
        let counters = BurnCounters { cool_down_until: Some(NOON + 365 * DAY), ..BurnCounters::default() };
        assert_eq!(counters.opens_at(NOON), NOON + COOL_DOWN_MAX);
    }
}
