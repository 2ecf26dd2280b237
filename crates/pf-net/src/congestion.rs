//! Carries [`pf_media::congestion::Controller`] into quinn.

use std::{any::Any, sync::Arc, time::Instant};

use pf_media::{congestion, time::Micros};
use quinn::congestion::{Controller, ControllerFactory};
use quinn_proto::RttEstimator;

/// Makes a controller for each connection and path.
#[derive(Debug)]
pub(crate) struct MediaControllers;

impl ControllerFactory for MediaControllers {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(Adapter { origin: now, inner: congestion::Controller::new(Micros::ZERO, current_mtu) })
    }
}

/// One controller, and the instant that its clock counts from.
#[derive(Clone, Debug)]
struct Adapter {
    origin: Instant,
    inner: congestion::Controller,
}

impl Adapter {
    fn micros(&self, instant: Instant) -> Micros {
        Micros::ZERO + instant.saturating_duration_since(self.origin)
    }
}

impl Controller for Adapter {
    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        self.inner.on_ack(self.micros(now), self.micros(sent), bytes, app_limited, rtt.get());
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, _app_limited: bool, _largest: Option<u64>) {
        self.inner.on_end_acks(self.micros(now), in_flight);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.inner.on_congestion_event(
            self.micros(now),
            self.micros(sent),
            is_persistent_congestion,
            lost_bytes,
        );
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.inner.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        self.inner.window()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        self.inner.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
