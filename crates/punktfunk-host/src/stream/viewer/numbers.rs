//! Which frame of an encoder went to a session under which number.
//!
//! An encoder that works for several sessions counts its frames, and each session counts the ones that it was sent: on
//! the wire no number is left out. A session that could not take a frame has other numbers from then on.

use std::collections::VecDeque;

/// The frames of one encoder that one session was sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    /// Oldest first; at most [`MAX_RUNS`].
    runs: VecDeque<Run>,
}

/// Frames that were sent one after the other.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// The first one's number with the encoder.
    encoded: u32,
    /// And in the session.
    sent: u32,
    length: u32,
}

impl Numbers {
    /// The encoder's frame `encoded` was sent as `sent`.
    pub(super) fn note(&mut self, encoded: u32, sent: u32) {
        if let Some(run) = self.runs.back_mut()
            && (run.encoded.wrapping_add(run.length), run.sent.wrapping_add(run.length)) == (encoded, sent)
        {
            run.length = run.length.saturating_add(1);
            return;
        }
        if self.runs.len() == MAX_RUNS {
            self.runs.pop_front();
        }
        self.runs.push_back(Run { encoded, sent, length: 1 });
    }

    /// As what the encoder's frame was sent.
    pub(super) fn sent_as(&self, encoded: u32) -> Option<u32> {
        self.find(encoded, |run| run.encoded).map(|(run, nth)| run.sent.wrapping_add(nth))
    }

    /// Which of the encoder's frames was sent as this one.
    pub(super) fn encoded_as(&self, sent: u32) -> Option<u32> {
        self.find(sent, |run| run.sent).map(|(run, nth)| run.encoded.wrapping_add(nth))
    }

    /// The newest one's number with the encoder.
    pub(super) fn newest(&self) -> Option<u32> {
        self.runs.back().map(|run| run.encoded.wrapping_add(run.length - 1))
    }

    /// Forgets all: the next frame is of another encoder.
    pub(super) fn clear(&mut self) {
        self.runs.clear();
    }

    fn find(&self, number: u32, first: impl Fn(&Run) -> u32) -> Option<(&Run, u32)> {
        let nth = |run: &Run| number.wrapping_sub(first(run));
        self.runs.iter().rev().map(|run| (run, nth(run))).find(|(run, nth)| *nth < run.length)
    }
}

/// How many runs are remembered: what was sent before that many gaps is of no use any more.
const MAX_RUNS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// A reference that is told wrong has the receiver decode from a picture that it does not have.
    #[test]
    fn frames_are_found_by_either_number_across_gaps_and_the_wrap() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.newest(), None);
        let start = u32::MAX - 2;
        // Frames 0 to 4 of the encoder, then 7 to 9.
        let encoded = (0..5).chain(7..10).map(|nth: u32| start.wrapping_add(nth));
        for (sent, encoded) in (100..).zip(encoded.clone()) {
            numbers.note(encoded, sent);
        }
        for (sent, encoded) in (100..).zip(encoded) {
            assert_eq!(numbers.sent_as(encoded), Some(sent));
            assert_eq!(numbers.encoded_as(sent), Some(encoded));
        }
        assert_eq!(numbers.newest(), Some(start.wrapping_add(9)));
        for missing in [5, 6, 10] {
            assert_eq!(numbers.sent_as(start.wrapping_add(missing)), None);
        }
        assert_eq!([99, 108].map(|sent| numbers.encoded_as(sent)), [None, None]);
        numbers.clear();
        assert_eq!(numbers.sent_as(start), None);
    }

    #[test]
    fn what_lies_many_gaps_back_is_forgotten() {
        let mut numbers = Numbers::default();
        for sent in 0..1000 {
            numbers.note(sent * 2, sent);
        }
        assert_eq!(numbers.runs.len(), MAX_RUNS);
        assert_eq!(numbers.sent_as(1998), Some(999));
        assert_eq!(numbers.sent_as(0), None);
    }
}
