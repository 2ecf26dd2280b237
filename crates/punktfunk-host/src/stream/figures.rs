//! What a session's stream measures of itself, for its owner to look at.
//!
//! The encoding thread notes one line a picture under a lock that nobody holds for longer than it takes to read a
//! second's worth of them; who looks does all the counting. Neither ever waits for the other's work.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use pf_console::view::{Figures, LatencyMs};
use pf_desktop::SourceKind;
use pf_media::picture::Size;
use pf_net::Connection;
use pf_proto::session::FrameTime;
use pf_trust::admission::ConnectionId;

use super::{source::Counts, viewer::Steps};

/// Over how long is measured.
const WINDOW: Duration = Duration::from_secs(1);

/// The figures of the sessions that stream.
#[derive(Default)]
pub(crate) struct Board {
    streams: Mutex<HashMap<ConnectionId, Weak<Measures>>>,
}

impl Board {
    /// Puts a stream on the board, for as long as it lives.
    pub(crate) fn put(&self, session: ConnectionId, stream: &Arc<Measures>) {
        let mut streams = lock(&self.streams);
        streams.retain(|_, stream| stream.strong_count() > 0);
        streams.insert(session, Arc::downgrade(stream));
    }

    /// What a session streams now; `None` until its first picture is sent, and after its end.
    pub(crate) fn of(&self, session: ConnectionId) -> Option<Figures> {
        let stream = lock(&self.streams).get(&session)?.upgrade()?;
        stream.figures(Instant::now())
    }
}

/// What one stream measures.
pub(crate) struct Measures {
    source: SourceKind,
    /// What was done for all sessions of the source.
    counts: Arc<Counts>,
    connection: Connection,
    key_frames_asked: AtomicU64,
    sent: Mutex<Sent>,
}

/// The pictures that were sent.
#[derive(Debug, Default)]
struct Sent {
    count: u64,
    size: Option<Size>,
    /// The share of datagrams that was lost, as the client reported last.
    loss: f64,
    /// When, and how many bytes the link had taken until then. Oldest first: those within [`WINDOW`], and the one before.
    pictures: VecDeque<(Instant, u64)>,
    /// Of those that were not sent before. Oldest first: those within [`WINDOW`], or else the last one.
    steps: VecDeque<(Instant, Steps)>,
    /// How long pictures took to leave, by when that was told. As the steps.
    sends: VecDeque<(Instant, Duration)>,
}

impl Measures {
    pub(super) fn new(source: SourceKind, counts: Arc<Counts>, connection: Connection) -> Self {
        Self { source, counts, connection, key_frames_asked: AtomicU64::new(0), sent: Mutex::default() }
    }

    /// Notes a picture that is on its way; `steps` when it is a fresh one, and not one that stands still.
    pub(super) fn note_picture(&self, size: Size, steps: Option<Steps>) {
        let bytes = self.connection.figures().sent_bytes;
        lock(&self.sent).note(Instant::now(), size, bytes, steps);
    }

    pub(super) fn note_key_frame_request(&self) {
        self.key_frames_asked.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes pictures that have left.
    pub(super) fn note_departures(&self, departed: &[FrameTime]) {
        let now = Instant::now();
        let sends = departed.iter().map(|time| (now, Duration::from_micros(time.send.into())));
        lock(&self.sent).sends.extend(sends);
    }

    /// Notes what a report of the client says of the path: the share that is lost, and whether it is the first to ask for
    /// a recovery.
    pub(super) fn note_path(&self, loss: f64, asks_anew: bool) {
        lock(&self.sent).loss = loss;
        if asks_anew {
            self.note_key_frame_request();
        }
    }

    fn figures(&self, now: Instant) -> Option<Figures> {
        let link = self.connection.figures();
        let mut sent = lock(&self.sent);
        let size = sent.size?;
        sent.forget_before(now);
        Some(Figures {
            source: self.source.name().to_owned(),
            width: size.width,
            height: size.height,
            fps: sent.pictures_within_window(now) as f64 / WINDOW.as_secs_f64(),
            bitrate_mbps: sent.megabits_per_second(now, link.sent_bytes),
            loss_percent: sent.loss * 100.0,
            rtt_ms: milliseconds(link.round_trip),
            frames_sent: sent.count,
            key_frames_asked: self.key_frames_asked.load(Ordering::Relaxed),
            captured: self.counts.captured(),
            encoded: self.counts.encoded(),
            latency_ms: LatencyMs {
                capture: median(&sent.steps, |steps| steps.capture),
                queue: median(&sent.steps, |steps| steps.queue),
                encode: median(&sent.steps, |steps| steps.encode),
                send: median(&sent.sends, |send| *send),
                network: milliseconds(link.round_trip / 2),
            },
        })
    }
}

impl Sent {
    fn note(&mut self, now: Instant, size: Size, bytes: u64, steps: Option<Steps>) {
        self.count += 1;
        self.size = Some(size);
        self.pictures.push_back((now, bytes));
        if let Some(steps) = steps {
            self.steps.push_back((now, steps));
        }
        self.forget_before(now);
    }

    /// Forgets what is no longer needed for the window that ends now.
    fn forget_before(&mut self, now: Instant) {
        let is_old = |at: Instant| now.saturating_duration_since(at) > WINDOW;
        while self.pictures.get(1).is_some_and(|(at, _)| is_old(*at)) {
            self.pictures.pop_front();
        }
        while self.steps.len() > 1 && self.steps.front().is_some_and(|(at, _)| is_old(*at)) {
            self.steps.pop_front();
        }
        while self.sends.len() > 1 && self.sends.front().is_some_and(|(at, _)| is_old(*at)) {
            self.sends.pop_front();
        }
    }

    fn pictures_within_window(&self, now: Instant) -> usize {
        self.pictures.iter().filter(|(at, _)| now.saturating_duration_since(*at) <= WINDOW).count()
    }

    /// What the link carried since the oldest picture here, when it has carried `bytes` since its beginning.
    fn megabits_per_second(&self, now: Instant, bytes: u64) -> f64 {
        let Some((since, before)) = self.pictures.front() else { return 0.0 };
        let seconds = now.saturating_duration_since(*since).as_secs_f64().max(SHORTEST);
        bytes.saturating_sub(*before) as f64 * 8.0 / 1e6 / seconds
    }
}

/// The median of a step, in milliseconds.
fn median<T>(pictures: &VecDeque<(Instant, T)>, step: impl Fn(&T) -> Duration) -> f64 {
    let mut times: Vec<_> = pictures.iter().map(|(_, times)| step(times)).collect();
    let middle = times.len() / 2;
    if times.is_empty() {
        return 0.0;
    }
    milliseconds(*times.select_nth_unstable(middle).1)
}

/// A rate over less than this says nothing, in seconds.
const SHORTEST: f64 = 0.1;

/// To a microsecond: more would be noise.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind it is whole after every step: a thread that panicked left nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(64, 64);

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn steps(encode: u64) -> Steps {
        Steps { capture: ms(1), queue: ms(2), encode: ms(encode) }
    }

    /// Sixty pictures a second, each of 10 kB.
    fn two_seconds(start: Instant) -> Sent {
        let mut sent = Sent::default();
        for number in 1..=120 {
            let at = start + Duration::from_secs(number) / 60;
            sent.note(at, SIZE, number * 10_000, Some(steps(number)));
        }
        sent
    }

    #[test]
    fn everything_but_the_counts_is_of_the_last_second() {
        let start = Instant::now();
        let sent = two_seconds(start);
        let now = start + Duration::from_secs(2);
        assert_eq!(sent.count, 120);
        assert!((59..=61).contains(&sent.pictures_within_window(now)));
        let bitrate = sent.megabits_per_second(now, 1_200_000);
        assert!((4.7..4.9).contains(&bitrate), "{bitrate}");
        assert!((88.0..=92.0).contains(&median(&sent.steps, |steps| steps.encode)));
        assert!(sent.pictures.len() <= 62, "what is not needed is forgotten");
    }

    /// A desktop that stands still would show no time at all, and a link that is stuck the rate of a minute ago.
    #[test]
    fn a_picture_that_stands_still_leaves_the_last_times_and_a_stuck_link_has_no_rate() {
        let start = Instant::now();
        let mut sent = two_seconds(start);
        for number in 1..=10 {
            sent.note(start + Duration::from_secs(2) + ms(200) * number, SIZE, 1_200_000, None);
        }
        let now = start + Duration::from_secs(4);
        assert_eq!(sent.steps.len(), 1);
        assert!((median(&sent.steps, |steps| steps.encode) - 120.0).abs() < 0.01);
        assert!(sent.megabits_per_second(now, 1_200_000).abs() < 0.001);
        sent.forget_before(now + ms(5000));
        assert_eq!(sent.pictures_within_window(now + ms(5000)), 0);
    }
}
