//! When the sender answers a receiver that cannot decode anything any more.
//!
//! The receiver says that it needs a recovery in each report until one came. Of these reports most are of before the
//! answer arrived, so an answer is given again only if a report tells that it was lost, or nothing is heard of it for
//! long.

use std::time::Duration;

use pf_proto::session::MediaFeedback;

use crate::{packet::Reference, time::Micros};

/// Decides what the next picture refers to.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    /// What the receiver needs, and has not been sent since it said so.
    wanted: Option<Wanted>,
    /// Whether nothing but a key frame helps.
    key_demanded: bool,
    answer: Option<Answer>,
}

/// What helps a receiver that cannot decode anything any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A key frame, or one that refers to this frame, which the receiver has: the better answer of an encoder that
    /// still has it as a long-term reference.
    After(u32),
    /// A key frame.
    Key,
}

/// The last recovery that was sent.
#[derive(Clone, Copy, Debug)]
struct Answer {
    frame: u32,
    sent: Micros,
}

impl Recovery {
    /// Nothing is needed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a report; `round_trip` is the path's.
    pub fn handle_feedback(&mut self, now: Micros, feedback: &MediaFeedback, round_trip: Duration) {
        if feedback.first_lost.is_none() {
            // It was answered after all, or by itself.
            self.wanted = None;
        } else if !self.is_under_way(now, feedback.newest_frame, round_trip) {
            self.wanted = Some(feedback.decoded_frame.map_or(Wanted::Key, Wanted::After));
        }
    }

    /// The receiver's decoder needs a key frame, whatever it has.
    pub fn want_key_frame(&mut self) {
        self.key_demanded = true;
    }

    /// What the next picture should be, if not one that refers to the picture before it.
    pub fn wanted(&self) -> Option<Wanted> {
        if self.key_demanded { Some(Wanted::Key) } else { self.wanted }
    }

    /// The picture `frame` goes out now; one that refers to the picture before it answers nothing.
    pub fn sent(&mut self, now: Micros, frame: u32, reference: Reference) {
        match reference {
            Reference::Previous => return,
            Reference::Nothing => self.key_demanded = false,
            Reference::Frame(_) => {}
        }
        self.wanted = None;
        self.answer = Some(Answer { frame, sent: now });
    }

    /// Whether the last answer may still arrive, though the receiver saw parts of `newest` when it complained.
    fn is_under_way(&self, now: Micros, newest: u32, round_trip: Duration) -> bool {
        self.answer.is_some_and(|answer| {
            let seen_past = newest.wrapping_sub(answer.frame).cast_signed() > PAST;
            !seen_past && now.since(answer.sent) < round_trip + PATIENCE
        })
    }
}

/// How many frames after the answer the receiver must have seen before the answer counts as lost: two, since it gives
/// an incomplete frame up when the next is complete.
const PAST: i32 = 1;

/// How much longer than a round trip nothing may be heard of an answer: what sending a large key frame takes.
const PATIENCE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(20);

    fn feedback(newest_frame: u32, decoded_frame: Option<u32>, needs: bool) -> MediaFeedback {
        let first_lost = needs.then_some(newest_frame);
        MediaFeedback { number: 0, sent: 0, newest_frame, decoded_frame, first_lost, frames: Vec::new() }
    }

    #[test]
    fn a_loss_is_answered_once_while_the_answer_is_under_way() {
        let mut recovery = Recovery::new();
        recovery.handle_feedback(Micros(0), &feedback(10, Some(8), true), RTT);
        assert_eq!(recovery.wanted(), Some(Wanted::After(8)));
        recovery.sent(Micros(4_000), 11, Reference::Previous);
        assert!(recovery.wanted().is_some());
        recovery.sent(Micros(5_000), 12, Reference::Frame(8));
        for (at, newest) in [(10_000, 11), (30_000, 12), (50_000, 13)] {
            recovery.handle_feedback(Micros(at), &feedback(newest, Some(8), true), RTT);
            assert_eq!(recovery.wanted(), None);
        }
        recovery.handle_feedback(Micros(60_000), &feedback(14, Some(8), true), RTT);
        assert_eq!(recovery.wanted(), Some(Wanted::After(8)), "the answer was lost");
    }

    #[test]
    fn an_answer_that_nothing_is_heard_of_is_given_again() {
        let mut recovery = Recovery::new();
        recovery.handle_feedback(Micros(0), &feedback(10, None, true), RTT);
        assert_eq!(recovery.wanted(), Some(Wanted::Key));
        recovery.sent(Micros(0), 11, Reference::Nothing);
        let late = Micros::ZERO + RTT + PATIENCE;
        recovery.handle_feedback(late - Duration::from_micros(1), &feedback(10, None, true), RTT);
        assert_eq!(recovery.wanted(), None);
        recovery.handle_feedback(late, &feedback(10, None, true), RTT);
        assert_eq!(recovery.wanted(), Some(Wanted::Key));
    }

    /// A decoder that broke would stay so if a frame that refers to another were the answer.
    #[test]
    fn a_demanded_key_frame_is_not_replaced_by_anything_else() {
        let mut recovery = Recovery::new();
        recovery.want_key_frame();
        recovery.handle_feedback(Micros(0), &feedback(10, Some(8), false), RTT);
        recovery.sent(Micros(1), 11, Reference::Frame(8));
        assert_eq!(recovery.wanted(), Some(Wanted::Key));
        recovery.sent(Micros(2), 12, Reference::Nothing);
        assert_eq!(recovery.wanted(), None);
    }

    #[test]
    fn a_receiver_that_helped_itself_needs_no_answer() {
        let mut recovery = Recovery::new();
        recovery.handle_feedback(Micros(0), &feedback(10, Some(8), true), RTT);
        recovery.handle_feedback(Micros(1), &feedback(11, Some(11), false), RTT);
        assert_eq!(recovery.wanted(), None);
    }
}
