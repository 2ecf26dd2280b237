//! Whether a path can keep up with an encoder that others set the rate of.

use std::time::Duration;

use pf_media::time::Micros;

/// How many frames one session was not sent of late.
#[derive(Clone, Debug, Default)]
pub(super) struct Strain {
    since: Option<Micros>,
    frames: u32,
    missed: u32,
}

impl Strain {
    /// One more frame was made; whether the session cannot go on like this.
    pub(super) fn note(&mut self, now: Micros, is_sent: bool) -> bool {
        let since = *self.since.get_or_insert(now);
        self.frames += 1;
        self.missed += u32::from(!is_sent);
        if now.since(since) < WINDOW || self.frames < ENOUGH {
            return false;
        }
        let is_strained = self.missed * PART > self.frames;
        *self = Self::default();
        is_strained
    }
}

/// Over how long it is judged: the rate control of a path finds a new rate in less.
const WINDOW: Duration = Duration::from_millis(500);

/// Fewer frames say nothing.
const ENOUGH: u32 = 8;

/// One part in this many may be missed.
const PART: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it is ever strained in four seconds of 60 pictures each, when `is_sent` says what is sent.
    fn is_strained(is_sent: impl Fn(u64) -> bool) -> bool {
        let mut strain = Strain::default();
        (0..240).any(|frame| strain.note(Micros(frame * 16_667), is_sent(frame)))
    }

    /// A session that moves to an encoder of its own for each hiccup has everybody pay for its key frames.
    #[test]
    fn a_hiccup_is_no_strain_and_missing_every_third_is() {
        assert!(!is_strained(|_| true));
        assert!(!is_strained(|frame| !(100..107).contains(&frame)), "a tenth of a second");
        assert!(!is_strained(|frame| frame % 5 > 0));
        assert!(is_strained(|frame| frame % 3 > 0));
        assert!(is_strained(|_| false));
    }
}
