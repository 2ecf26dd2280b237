//! One flow: the application, a sender modelled on quinn's, and the receiver's acknowledgements.
//!
//! Datagrams wait in a buffer that drops its oldest when full, go out paced at 1.25 windows per round trip, and are taken
//! for lost once three later ones are acknowledged, or after 9/8 of a round trip.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use pf_media::{congestion::Controller, time::Micros};

use crate::sim::MTU;

/// What an application sends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// A frame every `interval`.
    Stream { bits_per_second: u64, interval: Duration },
    /// As much as the controller lets through.
    Bulk,
}

/// What happened to one flow since the last [`Sim::take_figures`].
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    /// Over how long.
    pub(super) time: Duration,
    pub(super) offered: u64,
    pub(super) delivered: u64,
    pub(super) lost: u64,
    /// From when the application handed a datagram over to when it arrived, in µs.
    pub(super) latencies: Vec<u64>,
    pub(super) largest_window: u64,
    pub(super) smallest_window: u64,
}

impl Figures {
    /// Megabits a second that arrived.
    pub(super) fn mbits(&self) -> f64 {
        self.delivered as f64 * 8e-6 / self.time.as_secs_f64()
    }

    pub(super) fn latency(&self, percent: usize) -> Duration {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        Duration::from_micros(
            sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied().unwrap_or(0),
        )
    }
}

pub(super) struct Flow {
    pub(super) source: Source,
    pub(super) controller: Controller,
    pub(super) figures: Figures,
    pub(super) figures_since: Micros,
    /// Datagrams that wait for the controller.
    pub(super) buffer: VecDeque<(u64, Micros)>,
    pub(super) buffered: u64,
    pub(super) in_flight: BTreeMap<u64, InFlight>,
    pub(super) in_flight_bytes: u64,
    pub(super) next_number: u64,
    pub(super) largest_acked: Option<u64>,
    pub(super) app_limited: bool,
    pub(super) rtt: Rtt,
    pub(super) tokens: f64,
    pub(super) tokens_at: Micros,
    pub(super) send_at: Option<Micros>,
    pub(super) loss_at: Option<Micros>,
    pub(super) probes: u32,
    pub(super) last_sent: Micros,
    pub(super) unacked: Vec<(u64, Micros)>,
    pub(super) ack_deadline: Option<Micros>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct InFlight {
    pub(super) sent: Micros,
    pub(super) bytes: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Rtt {
    latest: Duration,
    pub(super) smoothed: Duration,
    variation: Duration,
    shortest: Option<Duration>,
}

impl Flow {
    pub(super) fn new(now: Micros, source: Source) -> Self {
        let controller = Controller::new(now, MTU);
        let window = controller.window();
        Self {
            source,
            controller,
            figures: Figures { largest_window: window, smallest_window: window, ..Figures::default() },
            figures_since: now,
            buffer: VecDeque::new(),
            buffered: 0,
            in_flight: BTreeMap::new(),
            in_flight_bytes: 0,
            next_number: 0,
            largest_acked: None,
            app_limited: true,
            rtt: Rtt::new(),
            tokens: 10.0 * f64::from(MTU),
            tokens_at: now,
            send_at: None,
            loss_at: None,
            probes: 0,
            last_sent: now,
            unacked: Vec::new(),
            ack_deadline: None,
        }
    }

    pub(super) fn offer(&mut self, bytes: u64, now: Micros) {
        self.figures.offered += bytes;
        self.buffer.push_back((bytes, now));
        self.buffered += bytes;
        while self.buffered > SEND_BUFFER {
            let Some((dropped, _)) = self.buffer.pop_front() else { return };
            self.buffered -= dropped;
        }
    }

    pub(super) fn pace(&mut self, now: Micros, bytes: u64) -> Option<Duration> {
        let window = self.controller.window() as f64;
        let rtt = self.rtt.smoothed.as_secs_f64().max(1e-6);
        let rate = 1.25 * window / rtt;
        let capacity = (window * 0.002 / rtt).clamp(10.0 * f64::from(MTU), 256.0 * f64::from(MTU));
        self.tokens = (self.tokens + rate * now.since(self.tokens_at).as_secs_f64()).min(capacity);
        self.tokens_at = now;
        if self.tokens >= bytes as f64 {
            self.tokens -= bytes as f64;
            return None;
        }
        Some(Duration::from_secs_f64((capacity - self.tokens) / rate).max(Duration::from_micros(1)))
    }

    pub(super) fn detect_lost(&mut self, now: Micros, by_ack: bool) {
        let Some(largest_acked) = self.largest_acked else { return };
        let too_old = self.rtt.loss_delay();
        let persistent_after = self.rtt.probe_timeout() * 3;
        let lost: Vec<(u64, InFlight)> = self
            .in_flight
            .range(..largest_acked)
            .filter(|&(&number, packet)| largest_acked >= number + 3 || now.since(packet.sent) >= too_old)
            .map(|(&number, &packet)| (number, packet))
            .collect();
        let Some(&(_, newest)) = lost.last() else { return };
        let consecutive = lost.windows(2).rev().take_while(|pair| pair[1].0 == pair[0].0 + 1).last();
        let persistent =
            by_ack && consecutive.is_some_and(|first| newest.sent.since(first[0].1.sent) > persistent_after);
        let mut bytes = 0;
        for (number, packet) in &lost {
            self.in_flight.remove(number);
            self.in_flight_bytes -= packet.bytes;
            bytes += packet.bytes;
        }
        self.figures.lost += bytes;
        self.controller.on_congestion_event(now, newest.sent, persistent, bytes);
    }

    pub(super) fn next_loss_time(&self) -> Option<Micros> {
        let largest_acked = self.largest_acked?;
        self.in_flight.range(..largest_acked).next().map(|(_, packet)| packet.sent + self.rtt.loss_delay())
    }

    pub(super) fn probe_time(&self) -> Option<Micros> {
        (!self.in_flight.is_empty())
            .then(|| self.last_sent + self.rtt.probe_timeout() * 2_u32.pow(self.probes.min(6)))
    }

    pub(super) fn note_window(&mut self) {
        let window = self.controller.window();
        self.figures.largest_window = self.figures.largest_window.max(window);
        self.figures.smallest_window = self.figures.smallest_window.min(window);
    }
}

impl Rtt {
    fn new() -> Self {
        let initial = Duration::from_millis(333);
        Self { latest: initial, smoothed: initial, variation: initial / 2, shortest: None }
    }

    pub(super) fn update(&mut self, sample: Duration, ack_delay: Duration) {
        self.latest = sample;
        let Some(shortest) = self.shortest else {
            *self = Self { latest: sample, smoothed: sample, variation: sample / 2, shortest: Some(sample) };
            return;
        };
        let shortest = shortest.min(sample);
        self.shortest = Some(shortest);
        let adjusted = if shortest + ack_delay <= sample { sample.saturating_sub(ack_delay) } else { sample };
        self.variation = (self.variation * 3 + self.smoothed.abs_diff(adjusted)) / 4;
        self.smoothed = (self.smoothed * 7 + adjusted) / 8;
    }

    fn loss_delay(&self) -> Duration {
        // Whole microseconds, as the clock has: else a timer could go off before what it waits for.
        let micros = (self.smoothed.max(self.latest) * 9 / 8).as_micros() as u64;
        Duration::from_micros(micros.max(1_000))
    }

    pub(super) fn probe_timeout(&self) -> Duration {
        self.smoothed + (self.variation * 4).max(Duration::from_millis(1)) + MAX_ACK_DELAY
    }
}

pub(super) const MAX_ACK_DELAY: Duration = Duration::from_millis(25);

/// What quinn's datagram buffer holds by default.
const SEND_BUFFER: u64 = 1 << 20;
