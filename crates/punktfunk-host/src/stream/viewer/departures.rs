//! How long the host took for each frame, from capture until it had left.

use std::{collections::VecDeque, time::Duration};

use pf_media::time::Micros;
use pf_proto::session::FrameTime;

/// How long a picture's steps took until it was encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::stream) struct Steps {
    /// From its capture time until it was ready to be encoded.
    pub(in crate::stream) capture: Duration,
    /// From then until its encoding began.
    pub(in crate::stream) queue: Duration,
    /// From then until it was encoded.
    pub(in crate::stream) encode: Duration,
}

/// The frames that are leaving, and those that have left and were not told of yet.
#[derive(Debug, Default)]
pub(super) struct Departures {
    /// Oldest first, as they leave.
    leaving: VecDeque<Leaving>,
    /// Oldest first; at most [`MAX_UNTOLD`].
    untold: VecDeque<FrameTime>,
}

#[derive(Clone, Copy, Debug)]
struct Leaving {
    frame: u32,
    steps: Steps,
    encoded: Micros,
    /// When a datagram of it left last.
    last: Micros,
}

impl Departures {
    /// The frame is about to leave.
    pub(super) fn enter(&mut self, now: Micros, frame: u32, steps: Steps) {
        self.leaving.push_back(Leaving { frame, steps, encoded: now, last: now });
    }

    /// A datagram of `frame` leaves now, so all of every earlier frame has left.
    pub(super) fn left(&mut self, now: Micros, frame: u32) {
        while self.leaving.front().is_some_and(|leaving| leaving.frame != frame) {
            self.finish_oldest();
        }
        if let Some(leaving) = self.leaving.front_mut() {
            leaving.last = now;
        }
    }

    /// Nothing waits any more.
    pub(super) fn all_left(&mut self) {
        while !self.leaving.is_empty() {
            self.finish_oldest();
        }
    }

    /// What has left and was not told of, oldest first.
    pub(super) fn take(&mut self) -> Vec<FrameTime> {
        self.untold.drain(..).collect()
    }

    fn finish_oldest(&mut self) {
        let Some(Leaving { frame, steps, encoded, last }) = self.leaving.pop_front() else { return };
        let micros = |duration: Duration| u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
        if self.untold.len() == MAX_UNTOLD {
            self.untold.pop_front();
        }
        self.untold.push_back(FrameTime {
            frame,
            capture: micros(steps.capture),
            wait: micros(steps.queue),
            encode: micros(steps.encode),
            send: micros(last.since(encoded)),
        });
    }
}

/// How many frames are kept until they are told of: two thirds of a second at the highest speed.
const MAX_UNTOLD: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    fn steps() -> Steps {
        let ms = Duration::from_millis;
        Steps { capture: ms(1), queue: ms(2), encode: ms(3) }
    }

    #[test]
    fn a_frame_has_left_with_its_last_datagram() {
        let mut departures = Departures::default();
        departures.enter(Micros(1_000), 7, steps());
        departures.left(Micros(1_500), 7);
        departures.enter(Micros(2_000), 8, steps());
        departures.left(Micros(2_500), 7);
        assert_eq!(departures.take(), [], "it may have more");
        departures.left(Micros(3_000), 8);
        let time = |frame, send| FrameTime { frame, capture: 1_000, wait: 2_000, encode: 3_000, send };
        assert_eq!(departures.take(), [time(7, 1_500)]);
        departures.all_left();
        assert_eq!(departures.take(), [time(8, 1_000)]);
    }

    /// Whoever never asks must not cost memory.
    #[test]
    fn what_nobody_asks_for_is_forgotten() {
        let mut departures = Departures::default();
        for frame in 0..1_000 {
            departures.enter(Micros(0), frame, steps());
            departures.left(Micros(1), frame);
        }
        departures.all_left();
        assert_eq!(departures.untold.len(), MAX_UNTOLD);
        assert_eq!(departures.take().last().unwrap().frame, 999);
    }
}
