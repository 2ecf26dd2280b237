//! What encoding, sending and the receiver's reports share: the sender of a stream behind one lock.
//!
//! Three come here: the encoding thread, which waits for room and brings access units; the sending thread, which waits
//! for the next datagram's time and takes it away; and tokio, which brings reports. Nobody holds the lock for longer
//! than it takes to cut a picture into datagrams.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use pf_media::{
    packet::{AccessUnit, CannotPacketise},
    recovery::Wanted,
    transmit::Transmitter,
};
use pf_proto::session::MediaFeedback;

use crate::clock::Clock;

/// A [`Transmitter`] that several threads use.
pub(super) struct Outgoing {
    clock: Clock,
    inner: Mutex<Inner>,
    /// Something was put in, or it is over.
    filled: Condvar,
    /// There may be room for another picture, or it is over.
    drained: Condvar,
}

struct Inner {
    transmitter: Transmitter,
    /// The newest frame that the receiver said it had decoded.
    decoded: Option<u32>,
    is_closed: bool,
}

/// What the next picture is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// What the encoder should aim at, in bits a second.
    pub(super) rate: u64,
    /// What it should refer to, if not the picture before.
    pub(super) wanted: Option<Wanted>,
    /// The newest frame that the receiver has decoded, as far as is known.
    pub(super) decoded: Option<u32>,
}

/// What the stream knows of its path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Path {
    /// At most how fast its datagrams leave, in bits a second.
    pub(super) pace: u64,
    /// The share of datagrams that was lost lately, 0 to 1.
    pub(super) loss: f64,
    /// Whether the last report is the first to ask for a recovery.
    pub(super) asks_anew: bool,
}

/// The stream is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Over;

impl Outgoing {
    pub(super) fn new(clock: Clock, transmitter: Transmitter) -> Self {
        let inner = Mutex::new(Inner { transmitter, decoded: None, is_closed: false });
        Self { clock, inner, filled: Condvar::new(), drained: Condvar::new() }
    }

    /// Waits until a picture may be encoded and sent, and says what it is to be.
    pub(super) fn await_room(&self) -> Result<Order, Over> {
        let mut inner = self.lock();
        loop {
            if inner.is_closed {
                return Err(Over);
            }
            let now = self.clock.media_time(Instant::now());
            let transmitter = &inner.transmitter;
            if transmitter.is_ready(now) {
                let (rate, wanted) = (transmitter.encoder_rate(now), transmitter.wanted());
                return Ok(Order { rate, wanted, decoded: inner.decoded });
            }
            inner = wait(&self.drained, inner, SILENT_PATH);
        }
    }

    /// Takes in an access unit.
    pub(super) fn put(&self, unit: AccessUnit<'_>, max_datagram: usize) -> Result<u32, CannotPacketise> {
        let now = self.clock.media_time(Instant::now());
        let sent = self.lock().transmitter.send(now, unit, max_datagram);
        self.filled.notify_one();
        sent
    }

    /// Waits for datagrams whose time has come, and puts them in `due`, which is empty.
    pub(super) fn take(&self, due: &mut Vec<Bytes>) -> Result<(), Over> {
        let mut inner = self.lock();
        loop {
            if inner.is_closed {
                return Err(Over);
            }
            let now = self.clock.media_time(Instant::now());
            due.extend(std::iter::from_fn(|| inner.transmitter.poll_datagram(now)));
            if !due.is_empty() {
                drop(inner);
                self.drained.notify_one();
                return Ok(());
            }
            inner = match inner.transmitter.next_deadline() {
                Some(deadline) => wait(&self.filled, inner, deadline.since(now).max(GRANULARITY)),
                None => self.filled.wait(inner).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Takes in a report of the receiver.
    pub(super) fn handle_feedback(&self, feedback: &MediaFeedback) -> Path {
        let mut inner = self.lock();
        inner.decoded = feedback.decoded_frame.or(inner.decoded);
        let transmitter = &mut inner.transmitter;
        let asked_before = transmitter.wanted().is_some();
        transmitter.handle_feedback(self.clock.media_time(Instant::now()), feedback);
        let path = Path {
            pace: transmitter.rate().pace(),
            loss: transmitter.parity().loss(),
            asks_anew: transmitter.wanted().is_some() && !asked_before,
        };
        drop(inner);
        self.drained.notify_one();
        path
    }

    /// The receiver's decoder, or our own encoder, needs a key frame.
    pub(super) fn want_key_frame(&self) {
        self.lock().transmitter.want_key_frame();
    }

    /// How fast datagrams leave, in bits a second.
    pub(super) fn pace(&self) -> u64 {
        self.lock().transmitter.rate().pace()
    }

    /// Ends it: whoever waits is woken, and nothing goes in or out any more.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_all();
        self.drained.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A thread that panicked takes the stream with it; what it left is still good enough to close.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<'a>(condition: &Condvar, inner: MutexGuard<'a, Inner>, patience: Duration) -> MutexGuard<'a, Inner> {
    condition.wait_timeout(inner, patience).unwrap_or_else(PoisonError::into_inner).0
}

/// The shortest wait between two datagrams: what falls due meanwhile leaves together.
///
/// It costs two wake-ups a millisecond while a picture is on its way, and none in between. At 100 Mbit/s four
/// datagrams leave at once, which any queue takes.
const GRANULARITY: Duration = Duration::from_micros(500);

/// How often to look whether the path was silent for so long that a picture is to be tried: nothing else makes room
/// without a word.
const SILENT_PATH: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use std::thread;

    use pf_media::{packet::Reference, rate::Limits, time::Micros};
    use pf_proto::media::Stream;

    use super::*;

    const LIMITS: Limits = Limits { floor: 500_000, start: 4_000_000, ceiling: 20_000_000 };

    fn outgoing() -> Outgoing {
        let interval = Duration::from_secs(1) / 60;
        let clock = Clock::start();
        let now = clock.media_time(Instant::now());
        Outgoing::new(clock, Transmitter::new(now, Stream::Video, interval, LIMITS))
    }

    fn put(outgoing: &Outgoing, length: usize) {
        let bytes = vec![1; length];
        let unit = AccessUnit { reference: Reference::Nothing, captured: Micros::ZERO, bytes: &bytes };
        outgoing.put(unit, 1200).unwrap();
    }

    /// A picture that leaves at once fills the queue of the slowest link; one that nobody wakes up for never leaves.
    #[test]
    fn a_picture_wakes_the_sending_thread_and_leaves_bit_by_bit() {
        let outgoing = outgoing();
        thread::scope(|scope| {
            let sending = scope.spawn(|| {
                let (mut due, mut batches) = (Vec::new(), Vec::new());
                while batches.iter().sum::<usize>() < 40 {
                    outgoing.take(&mut due).unwrap();
                    batches.push(due.drain(..).count());
                }
                batches
            });
            put(&outgoing, 40 * 1100);
            let batches = sending.join().unwrap();
            assert!(batches.len() > 4, "{batches:?}");
        });
    }

    /// Whoever waits for ever keeps its thread, its source and the session for ever.
    #[test]
    fn closing_wakes_whoever_waits() {
        let outgoing = outgoing();
        thread::scope(|scope| {
            let sending = scope.spawn(|| outgoing.take(&mut Vec::new()));
            put(&outgoing, 1_000_000);
            let encoding = scope.spawn(|| outgoing.await_room());
            sending.join().unwrap().unwrap();
            outgoing.close();
            assert_eq!(encoding.join().unwrap(), Err(Over));
            assert_eq!(outgoing.take(&mut Vec::new()), Err(Over));
        });
    }

    /// A picture that is encoded while another is on its way has to wait, and is old when it leaves.
    #[test]
    fn there_is_room_again_when_what_was_sent_is_all_but_gone() {
        let outgoing = outgoing();
        assert!(outgoing.await_room().is_ok());
        put(&outgoing, 20_000);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut due = Vec::new();
                while outgoing.take(&mut due).is_ok() {
                    due.clear();
                }
            });
            assert!(outgoing.await_room().is_ok());
            let now = outgoing.clock.media_time(Instant::now());
            assert!(outgoing.lock().transmitter.is_ready(now), "a quarter of an interval is left at most");
            outgoing.close();
        });
    }
}
