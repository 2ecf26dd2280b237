//! When the next picture is due where a source gives more of them than are wanted.

use std::time::{Duration, Instant};

/// Keeps pictures an interval apart, and on an even beat while there is always a new one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beat {
    due: Option<Instant>,
}

impl Beat {
    /// The earliest moment for the next picture, `now` if that has passed.
    pub(super) fn due(&self, now: Instant) -> Instant {
        self.due.map_or(now, |due| due.max(now))
    }

    /// A picture was taken at `now`; one that is hardly late keeps the beat.
    pub(super) fn taken(&mut self, now: Instant, interval: Duration) {
        let beat = self.due.filter(|due| now < *due + interval / 2).unwrap_or(now);
        self.due = Some(beat + interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pictures at 60 a second of which every second one is late must still give 30, and not 20.
    #[test]
    fn half_of_the_pictures_make_half_of_the_speed() {
        let start = Instant::now();
        let interval = Duration::from_secs(1) / 30;
        let mut beat = Beat::default();
        let mut taken = 0;
        for picture in 0..600_u32 {
            let late = Duration::from_millis(u64::from(picture % 2) * 3);
            let now = start + Duration::from_secs(1) * picture / 60 + late;
            if beat.due(now) <= now {
                beat.taken(now, interval);
                taken += 1;
            }
        }
        assert!((295..=301).contains(&taken), "{taken}");
    }
}
