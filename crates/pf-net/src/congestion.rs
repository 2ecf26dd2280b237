//! Carries [`pf_media::congestion::Controller`] into quinn.
//!
//! quinn owns the controllers and asks them what to do; what a stream has to say to the one of its connection's path
//! goes through a number that both share.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use pf_media::{congestion, time::Micros};
use quinn::congestion::{Controller, ControllerFactory};
use quinn_proto::RttEstimator;

/// Makes a controller for each connection and path.
#[derive(Debug)]
pub(crate) struct MediaControllers;

impl ControllerFactory for MediaControllers {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        let inner = congestion::Controller::new(Micros::ZERO, current_mtu);
        Box::new(Adapter { origin: now, inner, pace: Arc::default() })
    }
}

/// Has the controller of the path that `connection` uses now follow a stream of `pace` bits a second, or none.
///
/// A client that moves to another address gets a new path with a controller that follows nobody, so this wants saying
/// again and again. It counts from the next acknowledgement on.
pub(crate) fn follow(connection: &quinn::Connection, pace: Option<u64>) {
    if let Ok(adapter) = connection.congestion_state().into_any().downcast::<Adapter>() {
        // A pace of nothing would be no stream either.
        adapter.pace.store(pace.unwrap_or(0), Ordering::Relaxed);
    }
}

/// One controller, and the instant that its clock counts from.
#[derive(Clone, Debug)]
struct Adapter {
    origin: Instant,
    inner: congestion::Controller,
    /// The pace of the stream that governs, in bits a second; 0 when none does. Copies of a controller share it.
    pace: Arc<AtomicU64>,
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
        let pace = self.pace.load(Ordering::Relaxed);
        self.inner.follow((pace > 0).then_some(pace));
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
