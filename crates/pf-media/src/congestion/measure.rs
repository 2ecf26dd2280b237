//! What acknowledgements and losses show of a path.

use std::time::Duration;

use super::{BASE_SPAN, LOSS_LIMIT, LOSS_SAMPLE, ROUND_PACKETS, ROUND_SPAN};
use crate::time::Micros;

/// The shortest round trip of the last five to ten seconds: what the path takes without a queue.
#[derive(Clone, Debug, Default)]
pub(super) struct BaseRtt {
    /// When `current` began.
    since: Micros,
    current: Option<Duration>,
    previous: Option<Duration>,
}

impl BaseRtt {
    pub(super) fn record(&mut self, now: Micros, sample: Duration) {
        if now.since(self.since) >= BASE_SPAN {
            self.since = now;
            self.previous = self.current.take();
        }
        self.current = Some(self.current.map_or(sample, |shortest| shortest.min(sample)));
    }

    pub(super) fn restart(&mut self, now: Micros, round_trip: Duration) {
        *self = Self { since: now, current: Some(round_trip), previous: None };
    }

    pub(super) fn shortest(&self) -> Duration {
        self.current.into_iter().chain(self.previous).min().unwrap_or_default()
    }
}

/// What the acknowledgements since `start` showed.
#[derive(Clone, Debug)]
pub(super) struct Round {
    start: Micros,
    /// When the latest of the packets was sent.
    pub(super) latest: Micros,
    packets: u32,
    pub(super) shortest: Duration,
    /// Whether sending waited for the window or its pacing at any time.
    pub(super) held_back: bool,
    /// The most bytes that were in flight.
    pub(super) peak: u64,
    /// The bytes of the acknowledgement that is being worked through.
    pub(super) acknowledging: u64,
}

impl Round {
    pub(super) fn starting(now: Micros) -> Self {
        Self {
            start: now,
            latest: Micros::ZERO,
            packets: 0,
            shortest: Duration::MAX,
            held_back: false,
            peak: 0,
            acknowledging: 0,
        }
    }

    pub(super) fn record(&mut self, sent: Micros, app_limited: bool, round_trip: Duration) {
        self.latest = self.latest.max(sent);
        self.packets += 1;
        self.shortest = self.shortest.min(round_trip);
        self.held_back |= !app_limited;
    }

    pub(super) fn end_acks(&mut self, in_flight: u64) {
        self.peak = self.peak.max(in_flight + self.acknowledging);
        self.acknowledging = 0;
    }

    /// Whether enough was seen to judge by.
    pub(super) fn is_complete(&self, now: Micros) -> bool {
        self.packets >= ROUND_PACKETS && now.since(self.start) >= ROUND_SPAN
    }
}

/// The share of bytes that are lost, over one sample of packets after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct LossMeter {
    delivered: u64,
    lost: u64,
    /// Whether loss was high in the last whole sample.
    pub(super) was_high: bool,
}

impl LossMeter {
    pub(super) fn delivered(&mut self, bytes: u64, mtu: u64) {
        self.delivered += bytes;
        if self.delivered + self.lost >= LOSS_SAMPLE * mtu {
            *self = Self::default();
        }
    }

    /// Whether loss is high with `bytes` more lost. It may be before the sample is whole.
    pub(super) fn lost(&mut self, bytes: u64, mtu: u64) -> bool {
        self.lost += bytes;
        let high = self.lost >= LOSS_SAMPLE * mtu * LOSS_LIMIT.0 / LOSS_LIMIT.1;
        if high {
            *self = Self { was_high: true, ..Self::default() };
        }
        high
    }
}
