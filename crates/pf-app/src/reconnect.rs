//! Taking up a session again that was lost.

use std::time::{Duration, Instant};

use crate::sentences::Sentence;

/// A session that was lost, and is tried again until it is back or its person stops.
#[derive(Clone, Debug)]
pub struct Reconnecting {
    /// Why it is not there.
    pub why: Sentence,
    /// Since when.
    pub since: Instant,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next; `None` while it is being tried.
    pub next: Option<Instant>,
}

impl Reconnecting {
    /// What follows a loss, or a try that failed where there was one before.
    pub(crate) fn after(before: Option<&Self>, why: Sentence, now: Instant) -> Self {
        let (since, tries) = before.map_or((now, 0), |before| (before.since, before.tries));
        Self { why, since, tries, next: Some(now + pause(tries)) }
    }

    /// Whether it is time to try; it counts as tried then.
    pub(crate) fn poll(&mut self, now: Instant) -> bool {
        let is_due = self.next.take_if(|next| *next <= now).is_some();
        self.tries += u32::from(is_due);
        is_due
    }
}

/// How long to wait before a try, after so many: at once at first, since most drops are short, and then longer, up to
/// 8 s. A host that restarts is found at most so much later.
fn pause(tries: u32) -> Duration {
    match tries {
        0 => Duration::ZERO,
        tries => Duration::from_secs(1 << (tries - 1).min(3)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(before: Option<&Reconnecting>, now: Instant) -> Reconnecting {
        Reconnecting::after(before, Sentence::default(), now)
    }

    #[test]
    fn a_lost_session_is_tried_at_once_then_ever_more_rarely_and_never_given_up() {
        let start = Instant::now();
        let mut now = start;
        let mut reconnecting = lost(None, now);
        for pause in [0, 1, 2, 4, 8, 8, 8] {
            let due = now + Duration::from_secs(pause);
            if pause > 0 {
                assert!(!reconnecting.poll(now + Duration::from_millis(pause * 1000 - 1)));
            }
            assert!(reconnecting.poll(due));
            assert!(!reconnecting.poll(due), "it is being tried");
            now = due + Duration::from_millis(300);
            reconnecting = lost(Some(&reconnecting), now);
        }
        assert_eq!((reconnecting.since, reconnecting.tries), (start, 7));
    }
}
