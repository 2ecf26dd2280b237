//! What a session was like.

use std::time::{Duration, Instant};

use pf_media::figures::Latency;
use pf_proto::session::StreamStarted;

/// The figures of one session.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What the stream was, as the host said.
    pub stream: Option<StreamStarted>,
    /// From the dial to the first decoded picture.
    pub first_frame: Option<Duration>,
    /// When the first picture was decoded.
    pub first_frame_at: Option<Instant>,
    /// From the dial to the host's yes.
    pub admitted_after: Duration,
    /// Pictures that were decoded.
    pub frames: u64,
    /// From the first picture to the last.
    pub watched_for: Duration,
    /// Bytes of video, without what carries them.
    pub media_bytes: u64,
    /// Access units that came whole and could not be decoded.
    pub decode_errors: u64,
    /// Pictures that the host sent and that never became whole.
    pub frames_lost: u64,
    /// How often a key frame was asked for.
    pub key_frame_requests: u64,
    /// The smoothed round trip at the end.
    pub round_trip: Duration,
    /// From capture on the host to decoded here.
    pub latency: Option<Percentiles>,
}

/// The middle and the tail of a latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentiles {
    /// Half were faster.
    pub p50: Duration,
    /// One in twenty was slower.
    pub p95: Duration,
    /// One in a hundred was slower.
    pub p99: Duration,
}

impl Report {
    /// Pictures a second, from the first to the last.
    pub fn frames_per_second(&self) -> f64 {
        per_second(self.frames.saturating_sub(1) as f64, self.watched_for)
    }

    /// Megabits of video a second, from the first picture to the last.
    pub fn megabits_per_second(&self) -> f64 {
        per_second(self.media_bytes as f64 * 8.0 / 1e6, self.watched_for)
    }
}

impl Percentiles {
    /// Of what was recorded; `None` when that is nothing.
    pub fn of(latency: &Latency) -> Option<Self> {
        Some(Self {
            p50: latency.percentile(50.0)?,
            p95: latency.percentile(95.0)?,
            p99: latency.percentile(99.0)?,
        })
    }
}

fn per_second(amount: f64, duration: Duration) -> f64 {
    if duration.is_zero() { 0.0 } else { amount / duration.as_secs_f64() }
}
