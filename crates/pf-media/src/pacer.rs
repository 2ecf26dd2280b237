//! When each datagram of a frame may leave.
//!
//! Frames are sent at the link's rate, not the encoder's: the datagrams of one are spread so that they neither pile up
//! before the slowest link nor take longer than they must. A frame that would take longer than it may, mostly
//! [`MAX_SPREAD`], is sent faster, and the network's queue takes what is too much.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;

use crate::{packet::Datagrams, time::Micros};

/// The datagrams that wait, and when the next may leave.
///
/// `now` must never run backwards.
#[derive(Clone, Debug, Default)]
pub struct Pacer {
    frames: VecDeque<Datagrams>,
    /// When the next datagram may leave.
    next: Micros,
    /// The pace with which what waits takes no longer than it may.
    least: u64,
}

impl Pacer {
    /// A pacer that nothing waits in.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a frame behind those that wait; all of them leave within `spread`.
    pub fn push(&mut self, datagrams: Datagrams, spread: Duration) {
        self.frames.push_back(datagrams);
        let pace = self.bytes_left() as u128 * 8_000_000 / spread.as_micros().max(1);
        self.least = self.least.max(pace as u64);
    }

    /// The next datagram and the frame that it is of, if one may leave now at `pace` bits a second; `overhead` are the
    /// bytes that carry it.
    pub fn poll(&mut self, now: Micros, pace: u64, overhead: usize) -> Option<(u32, Bytes)> {
        if now < self.next {
            return None;
        }
        let frame = self.frames.front_mut()?;
        let number = frame.frame();
        let datagram = frame.next();
        if frame.len() == 0 {
            self.frames.pop_front();
        }
        let datagram = datagram?;
        let takes = time_for(datagram.len() + overhead, pace.max(self.least));
        // Who comes late by up to a timer's step catches up; who comes later does not send all at once.
        self.next = self.next.max(now - CATCH_UP) + takes;
        if self.frames.is_empty() {
            self.least = 0;
        }
        Some((number, datagram))
    }

    /// When the next datagram may leave.
    pub fn next_deadline(&self) -> Option<Micros> {
        (!self.frames.is_empty()).then_some(self.next)
    }

    /// How long what waits will take at `pace` bits a second.
    pub fn backlog(&self, pace: u64) -> Duration {
        time_for(self.bytes_left(), pace.max(self.least))
    }

    fn bytes_left(&self) -> usize {
        self.frames.iter().map(Datagrams::bytes_left).sum()
    }
}

fn time_for(bytes: usize, pace: u64) -> Duration {
    Duration::from_micros(bytes as u64 * 8_000_000 / pace.max(1))
}

/// How long all that waits takes at most: nine frames at 60 fps.
///
/// It is reached by a key frame that is nine times larger than what the link takes in a frame's interval. Longer would
/// make such a frame's latency ours alone; shorter would fill queues that others share.
pub const MAX_SPREAD: Duration = Duration::from_millis(150);

/// How much may be caught up: a step of a coarse timer.
const CATCH_UP: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use pf_proto::media::Stream;

    use super::*;
    use crate::packet::{AccessUnit, Packetiser, Reference};

    fn frame(len: usize) -> Datagrams {
        let bytes = vec![1; len];
        let unit = AccessUnit { reference: Reference::Nothing, captured: Micros::ZERO, bytes: &bytes };
        Packetiser::new(Stream::Video).packetise(unit, 1024, 0).unwrap()
    }

    /// Sends all that waits, polling every `step`, and says when each left.
    fn departures(pacer: &mut Pacer, step: Duration, pace: u64) -> Vec<Micros> {
        let mut now = Micros(1_000_000);
        let mut left = Vec::new();
        while pacer.next_deadline().is_some() {
            while pacer.poll(now, pace, 0).is_some() {
                left.push(now);
            }
            now = now + step;
        }
        left
    }

    #[test]
    fn datagrams_are_spread_at_the_pace_also_with_a_coarse_timer() {
        for step in [100, 1_000] {
            let mut pacer = Pacer::new();
            pacer.push(frame(10_000), MAX_SPREAD);
            let left = departures(&mut pacer, Duration::from_micros(step), 8_192_000);
            let took = left.last().unwrap().since(left[0]);
            let near = Duration::from_millis(8)..=Duration::from_millis(11);
            assert!(near.contains(&took), "{} datagrams took {took:?}", left.len());
        }
    }

    #[test]
    fn a_pause_is_not_saved_up() {
        let mut pacer = Pacer::new();
        pacer.push(frame(50_000), MAX_SPREAD);
        let now = Micros(60_000_000);
        let at_once = std::iter::from_fn(|| pacer.poll(now, 8_192_000, 0)).count();
        assert!(at_once <= 3, "{at_once}");
    }

    #[test]
    fn what_waits_never_takes_longer_than_the_longest_spread() {
        for spread in [MAX_SPREAD, MAX_SPREAD / 5] {
            let mut pacer = Pacer::new();
            pacer.push(frame(1_000_000), spread);
            assert!(pacer.backlog(1_000) <= spread);
            let left = departures(&mut pacer, Duration::from_micros(100), 1_000);
            let took = left.last().unwrap().since(left[0]);
            assert!(took <= spread && took >= spread / 2, "{took:?}");
        }
    }
}
