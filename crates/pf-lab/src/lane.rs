//! One direction of a link: a thread that delivers packets when their time has come.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::network::{Direction, Fate, Network, Verdict};

/// What has become of packets to the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Passed on.
    pub delivered: u64,
    /// How much that was, in bytes with the headers of UDP and IP.
    pub bytes: u64,
    /// Lost by themselves, in a burst or in an outage.
    pub lost: u64,
    /// Found the bottleneck's queue full.
    pub dropped: u64,
}

/// What all threads of a link share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    network: Mutex<Network>,
    is_over: AtomicBool,
    delivered: AtomicU64,
    bytes: AtomicU64,
    lost: AtomicU64,
    dropped: AtomicU64,
}

impl Shared {
    pub(crate) fn set(&self, network: Network) {
        *self.network.lock().unwrap_or_else(PoisonError::into_inner) = network;
    }

    pub(crate) fn passed(&self) -> Passed {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Passed {
            delivered: count(&self.delivered),
            bytes: count(&self.bytes),
            lost: count(&self.lost),
            dropped: count(&self.dropped),
        }
    }

    /// Tells whoever takes packets in to end.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

/// Takes the packets of one direction. Once it is dropped, and what is under way has been delivered, its thread ends.
pub(crate) struct Lane {
    fate: Fate,
    shared: Arc<Shared>,
    overhead: usize,
    line: Sender<(Instant, Vec<u8>)>,
}

impl Lane {
    /// A lane whose packets `deliver` gets, each with `overhead` bytes of headers that it does not hold itself.
    pub(crate) fn start(
        direction: Direction,
        shared: &Arc<Shared>,
        overhead: usize,
        deliver: impl Fn(&[u8]) + Send + 'static,
    ) -> (Self, JoinHandle<()>) {
        let (line, packets) = mpsc::channel::<(Instant, Vec<u8>)>();
        let thread = thread::spawn(move || {
            for (due, packet) in packets {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                deliver(&packet);
            }
        });
        (Self { fate: Fate::of(direction), shared: Arc::clone(shared), overhead, line }, thread)
    }

    /// Takes a packet, and does to it what the network does.
    pub(crate) fn take(&mut self, packet: &[u8]) {
        let network = *self.shared.network.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = packet.len() + self.overhead;
        let verdict = self.fate.decide(Instant::now(), &network, bytes);
        if let Verdict::ArrivesAt(due) = verdict {
            // Who delivers ends after us.
            let _ = self.line.send((due, packet.to_vec()));
        }
        if self.fate.direction() == Direction::ToHost {
            return;
        }
        let counter = match verdict {
            Verdict::ArrivesAt(_) => {
                self.shared.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                &self.shared.delivered
            }
            Verdict::Lost => &self.shared.lost,
            Verdict::Dropped => &self.shared.dropped,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// How often whoever takes packets in looks whether it is to end.
pub(crate) const STOP_WITHIN: Duration = Duration::from_millis(50);
