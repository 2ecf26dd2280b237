//! How much an encoder makes.

use std::time::{Duration, Instant};

/// What was made of late, in bits a second; what was made a second ago counts for little more than a third.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    bits: f64,
    at: Option<Instant>,
}

impl Load {
    /// So many more bytes were made; what is made a second by now.
    pub(super) fn note(&mut self, now: Instant, bytes: usize) -> u64 {
        let since = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.bits = self.bits * (-since.as_secs_f64()).exp() + bytes as f64 * 8.0;
        self.at = Some(now);
        self.bits as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_to_what_is_made_and_falls_when_nothing_is() {
        let start = Instant::now();
        let mut load = Load::default();
        let made: Vec<_> =
            (0..300).map(|frame| load.note(start + Duration::from_secs(1) * frame / 60, 10_000)).collect();
        assert!((4_600_000..5_000_000).contains(&made[299]), "{}", made[299]);
        assert!(load.note(start + Duration::from_secs(10), 0) < 50_000);
    }
}
