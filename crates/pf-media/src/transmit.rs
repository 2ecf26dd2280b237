//! The sender of one stream: parity, pacing, rate and recovery in one place.
//!
//! # Order of calls
//!
//! - A picture is there: if [`is_ready`](Transmitter::is_ready), set the encoder to
//!   [`encoder_rate`](Transmitter::encoder_rate), encode the picture as [`wanted`](Transmitter::wanted) says, and hand
//!   the result to [`send`](Transmitter::send). If it is not, keep the picture until it is, or a newer one is there.
//! - After `send`, after a report, and when [`next_deadline`](Transmitter::next_deadline) is reached: put what
//!   [`poll_datagram`](Transmitter::poll_datagram) returns on the connection, until it returns `None`.
//! - A report came: [`handle_feedback`](Transmitter::handle_feedback).
//!
//! A picture that was encoded is sent to its end: since others refer to it, leaving out what is unsent of it would cost
//! a recovery. What becomes stale does so before it is encoded.

use std::time::Duration;

use bytes::Bytes;
use pf_proto::{
    media::{HEADER_LEN, Stream},
    session::MediaFeedback,
};

use crate::{
    pacer::{MAX_SPREAD, Pacer},
    packet::{AccessUnit, CannotPacketise, Packetiser},
    parity::ParitySizer,
    rate::{Limits, RateController},
    recovery::{Recovery, Wanted},
    time::Micros,
};

/// Sends the access units of one stream. `now` must never run backwards.
#[derive(Debug)]
pub struct Transmitter {
    packetiser: Packetiser,
    pacer: Pacer,
    parity: ParitySizer,
    rate: RateController,
    recovery: Recovery,
    interval: Duration,
    /// How long the next access unit takes to leave, at most.
    spread: Duration,
    /// The largest datagram that the last access unit was cut into.
    max_datagram: usize,
}

impl Transmitter {
    /// A sender of at most a picture each `interval`, over a path that nothing is known about.
    pub fn new(now: Micros, stream: Stream, interval: Duration, limits: Limits) -> Self {
        Self {
            packetiser: Packetiser::new(stream),
            pacer: Pacer::new(),
            parity: ParitySizer::new(now),
            rate: RateController::new(now, limits),
            recovery: Recovery::new(),
            interval,
            spread: MAX_SPREAD,
            max_datagram: SMALLEST_DATAGRAM,
        }
    }

    /// The same over a path of which the handshake has shown the round trip: the first access unit, for which somebody waits
    /// before an empty window, leaves within [`FIRST_TRIPS`] of these.
    #[must_use]
    pub fn with_round_trip(self, round_trip: Duration) -> Self {
        Self { spread: (round_trip * FIRST_TRIPS).clamp(FIRST_SPREAD, MAX_SPREAD), ..self }
    }

    /// Whether a picture may be encoded and sent now: what was sent before is all but gone, and the path can take it.
    pub fn is_ready(&self, now: Micros) -> bool {
        self.backlog() < self.interval / 4 && self.rate.may_send(now)
    }

    /// How long what waits takes to leave.
    pub fn backlog(&self) -> Duration {
        self.pacer.backlog(self.rate.pace())
    }

    /// What an encoder should make in bits a second, so that headers and parity have room beside it.
    pub fn encoder_rate(&self, now: Micros) -> u64 {
        let shard = (self.max_datagram - HEADER_LEN) as f64;
        let wire = (self.max_datagram + WIRE_OVERHEAD) as f64;
        let shards = self.bytes_of_a_picture() / wire;
        let with_parity = |data: f64| {
            let whole = data.round().clamp(1.0, 4096.0);
            shards / (1.0 + f64::from(self.parity_for(now, whole as u16, self.max_datagram)) / whole)
        };
        // Parity depends on how many data shards there are: twice is near enough.
        let data = with_parity(with_parity(shards));
        (data * shard * 8.0 / self.interval.as_secs_f64()) as u64
    }

    /// What the rate leaves one picture on the wire.
    fn bytes_of_a_picture(&self) -> f64 {
        self.rate.rate() as f64 * self.interval.as_secs_f64() / 8.0
    }

    /// How many parity shards go with a picture of `data` data shards: against bursts more than these, as far as the
    /// rate can pay for it.
    fn parity_for(&self, now: Micros, data: u16, max_datagram: usize) -> u16 {
        let affordable = self.bytes_of_a_picture() * MOST_PARITY / (max_datagram + WIRE_OVERHEAD) as f64;
        self.parity.parity_within(now, data, data.max(affordable as u16))
    }

    /// What the next picture should be, if not one that refers to the picture before it.
    pub fn wanted(&self) -> Option<Wanted> {
        self.recovery.wanted()
    }

    /// The receiver's decoder needs a key frame.
    pub fn want_key_frame(&mut self) {
        self.recovery.want_key_frame();
    }

    /// Takes in an access unit, cut into datagrams of at most `max_datagram` bytes, and says its number.
    pub fn send(
        &mut self,
        now: Micros,
        unit: AccessUnit<'_>,
        max_datagram: usize,
    ) -> Result<u32, CannotPacketise> {
        let data = Packetiser::data_shards(unit.bytes.len(), max_datagram)?;
        let parity = self.parity_for(now, data, max_datagram);
        let datagrams = self.packetiser.packetise(unit, max_datagram, parity)?;
        let frame = datagrams.frame();
        self.max_datagram = max_datagram.max(SMALLEST_DATAGRAM);
        self.recovery.sent(now, frame, unit.reference);
        self.pacer.push(datagrams, std::mem::replace(&mut self.spread, MAX_SPREAD));
        Ok(frame)
    }

    /// The next datagram that may leave now.
    pub fn poll_datagram(&mut self, now: Micros) -> Option<Bytes> {
        let (frame, datagram) = self.pacer.poll(now, self.rate.pace(), WIRE_OVERHEAD)?;
        self.rate.sent(now, frame, datagram.len() + WIRE_OVERHEAD);
        Some(datagram)
    }

    /// When [`poll_datagram`](Self::poll_datagram) has something again, if anything waits.
    pub fn next_deadline(&self) -> Option<Micros> {
        self.pacer.next_deadline()
    }

    /// Takes in a report of the receiver. One that is older than another that was taken in says nothing.
    pub fn handle_feedback(&mut self, now: Micros, feedback: &MediaFeedback) {
        if !self.rate.is_news(feedback) {
            return;
        }
        let was_congested = self.rate.is_congested();
        for fared in self.rate.handle_feedback(now, feedback) {
            // What a full queue dropped says nothing about the path.
            let lost = if was_congested || self.rate.is_congested() { 0 } else { fared.lost };
            self.parity.record(now, fared.sent, lost);
        }
        self.recovery.handle_feedback(now, feedback, self.rate.round_trip());
    }

    /// The rate of the stream, for figures and for the connection's own controller.
    pub fn rate(&self) -> &RateController {
        &self.rate
    }

    /// The loss that parity is sized for, for figures.
    pub fn parity(&self) -> &ParitySizer {
        &self.parity
    }

    /// The receiver asks for a picture each `interval` at most.
    pub fn set_interval(&mut self, interval: Duration) {
        self.interval = interval;
    }

    /// The receiver asks for another ceiling, in bits a second on the wire.
    pub fn set_ceiling(&mut self, ceiling: u64) {
        self.rate.set_ceiling(ceiling);
    }
}

/// In how many round trips the first access unit leaves: a key frame of 100 kB takes TCP three to four, which begins with ten
/// packets and doubles them with each.
pub const FIRST_TRIPS: u32 = 5;

/// How long the first access unit takes to leave at least, if it is longer than the rate takes in that time: where it is 100 kB,
/// it leaves with 32 Mbit/s, which a wireless link takes that is worth a stream.
pub const FIRST_SPREAD: Duration = Duration::from_millis(25);

/// The share of the rate that parity against bursts may take where it is more than the picture itself.
const MOST_PARITY: f64 = 0.5;

/// What carries a datagram: IPv4 and UDP 28 bytes, QUIC's short header with a connection id of 8 and its packet number
/// 12, the frame's type and length 3, the tag 16; rounded up.
pub const WIRE_OVERHEAD: usize = 60;

/// The datagram that each QUIC path takes, in bytes, if its receiver takes datagrams at all.
pub const SMALLEST_DATAGRAM: usize = 1_100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Reference;

    /// How long an access unit of so many bytes takes to leave, and another after it.
    fn departures(mut transmitter: Transmitter, bytes: usize) -> [Duration; 2] {
        let mut now = Micros(1_000_000);
        [(); 2].map(|()| {
            let unit = AccessUnit { reference: Reference::Nothing, captured: now, bytes: &vec![1; bytes] };
            transmitter.send(now, unit, SMALLEST_DATAGRAM).unwrap();
            let (begun, mut last) = (now, now);
            while let Some(deadline) = transmitter.next_deadline() {
                now = now.max(deadline);
                last = now;
                while transmitter.poll_datagram(now).is_some() {}
            }
            last.since(begun)
        })
    }

    /// A person waits before an empty window, and what the rate may become is not known yet.
    #[test]
    fn the_first_picture_leaves_as_soon_as_the_round_trip_allows_and_later_ones_do_not() {
        let limits = Limits { floor: 500_000, start: 6_000_000, ceiling: 20_000_000 };
        let interval = Duration::from_micros(16_667);
        let fresh = || Transmitter::new(Micros::ZERO, Stream::Video, interval, limits);
        let ms = Duration::from_millis;
        // What carries a datagram is not counted in the spread, and the first of them leaves at once.
        let about = |spread: Duration| spread * 2 / 3..=spread * 21 / 20;
        for (round_trip, spread) in [(0, 25), (10, 50), (200, 150)] {
            let [first, second] = departures(fresh().with_round_trip(ms(round_trip)), 100_000);
            assert!(about(ms(spread)).contains(&first), "{round_trip} ms there and back: {first:?}");
            assert!(about(MAX_SPREAD).contains(&second), "{second:?}");
        }
        let [small, _] = departures(fresh().with_round_trip(ms(0)), 10_000);
        assert!(small <= ms(20), "no slower than the rate: {small:?}");
    }

    /// On a slow link the picture would otherwise pay for parity many times its own size.
    #[test]
    fn small_pictures_are_kept_from_bursts_as_far_as_the_rate_pays_for_it() {
        let parity_at = |start: u64| {
            let limits = Limits { floor: 500_000, start, ceiling: 20_000_000 };
            let interval = Duration::from_micros(16_667);
            let mut transmitter = Transmitter::new(Micros::ZERO, Stream::Video, interval, limits);
            let mut now = Micros::ZERO;
            for frame in 0..600 {
                let lost = [5, 3].get(frame % 60).copied().unwrap_or(0);
                transmitter.parity.record(now, 5, lost);
                now = now + interval;
            }
            transmitter.parity_for(now, 3, SMALLEST_DATAGRAM)
        };
        assert_eq!(parity_at(20_000_000), 8);
        assert_eq!(parity_at(6_000_000), 5, "half of what a picture may take");
        assert!(parity_at(1_000_000) <= 4);
    }
}
