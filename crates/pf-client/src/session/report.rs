//! What a session was like.

use std::time::{Duration, Instant};

use pf_media::figures::Latency;
use pf_proto::session::StreamStarted;

use super::{feed::Feed, figures::per_second};

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
    /// Of these, the ones that were put on a screen; the others were replaced by a newer one first, or nobody looked.
    pub frames_shown: u64,
    /// From the first picture to the last.
    pub watched_for: Duration,
    /// Bytes of video, without what carries them.
    pub media_bytes: u64,
    /// Access units that came whole and could not be decoded.
    pub decode_errors: u64,
    /// How pictures arrived.
    pub arrived: Arrived,
    /// How often a key frame was asked for outright, since the decoder broke.
    pub key_frame_requests: u64,
    /// The smoothed round trip at the end.
    pub round_trip: Duration,
    /// How long decoded pictures took.
    pub latency: Latencies,
    /// How sound came; `None` where none was played.
    pub sound: Option<SoundReport>,
}

/// The last second of a session that plays, and how its pictures arrived since the beginning.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    /// What the stream is, as the host said last.
    pub stream: Option<StreamStarted>,
    /// Pictures a second.
    pub frames_per_second: f64,
    /// Megabits of video a second, without what carries them.
    pub megabits_per_second: f64,
    /// How long the pictures of the last second took, and those that the host told of in it.
    pub latency: Latencies,
    /// How pictures arrived, since the beginning.
    pub arrived: Arrived,
    /// Pictures that were lost in the last second.
    pub lost_lately: u64,
    /// Pictures that were repaired in the last second.
    pub repaired_lately: u64,
    /// The smoothed round trip.
    pub round_trip: Duration,
}

/// How the pictures of a session arrived.
///
/// Those that were still on their way at the end are sent, and none of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Arrived {
    /// What the host sent: up to the newest that it told of or of which anything came.
    pub sent: u64,
    /// Came whole, in time for the decoder.
    pub on_time: u64,
    /// Came whole, and [`LATE_AFTER`](pf_media::reassembly::LATE_AFTER) or more after they should have.
    pub late: u64,
    /// Never became whole, or refer to one that did not.
    pub lost: u64,
    /// Of those, the ones that came whole themselves: the picture before stays in their place.
    pub concealed: u64,
    /// Of those that came whole, the ones that were repaired by parity.
    pub repaired: u64,
    /// The share of datagrams that the path lost, before any repair, 0 to 1.
    pub loss: f64,
    /// How often the host was told that nothing more could be decoded.
    pub recoveries_asked: u64,
}

/// How the sound of a session came, in frames of 5 or 10 ms unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoundReport {
    /// Were played as they were sent.
    pub frames: u64,
    /// Of those, the ones that were lost and came as a copy.
    pub repaired: u64,
    /// Were missing or broken when they were due, and made up for.
    pub concealed: u64,
    /// Were made up while nothing came; sound then went on from where it was.
    pub filled_in: u64,
    /// Left out, to catch up after the device or the network stood still.
    pub left_out: u64,
    /// How often the device ran out of samples.
    pub underruns: u64,
    /// From being heard on the host to being heard here, by both machines' sound servers, looked at twice a second.
    pub latency: Option<Percentiles>,
    /// How far sound was from the picture of the same moment, whichever was later, looked at twice a second.
    pub skew: Option<Percentiles>,
}

/// A stage of a picture's way from the host's desktop to the client's screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// On the host: from its capture until it can be encoded.
    Capture,
    /// On the host: its encoding.
    Encode,
    /// On the host: its wait for the encoder, and for the rate at which it may leave.
    Queue,
    /// From when the last of what it takes had left until it was whole here.
    Network,
    /// Here: from whole to decoded, with the wait for the decoder.
    Decode,
    /// Here: from decoded to handed to the screen. There is none where nobody looks.
    Display,
    /// From its capture to the end of its way: handed to the screen, or decoded where nobody looks.
    Total,
}

impl Stage {
    /// All, in their order.
    pub const ALL: [Self; 7] =
        [Self::Capture, Self::Encode, Self::Queue, Self::Network, Self::Decode, Self::Display, Self::Total];

    /// The name that scripts know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Encode => "encode",
            Self::Queue => "queue",
            Self::Network => "network",
            Self::Decode => "decode",
            Self::Display => "display",
            Self::Total => "total",
        }
    }
}

/// How long decoded pictures took, by stage.
///
/// [`Stage::Network`] and [`Stage::Total`] rest on the comparison of the two clocks; the host's stages on its word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latencies([Option<Percentiles>; Stage::ALL.len()]);

impl Latencies {
    pub(super) fn from_fn(of: impl Fn(Stage) -> Option<Percentiles>) -> Self {
        Self(Stage::ALL.map(of))
    }

    /// Those of one stage; `None` where it was not measured.
    pub fn of(&self, stage: Stage) -> Option<Percentiles> {
        self.0[stage as usize]
    }
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

impl Arrived {
    pub(super) fn of(feed: &Feed) -> Self {
        let counters = feed.reassembler().counters();
        Self {
            sent: feed.reassembler().frames_sent(),
            on_time: counters.complete - counters.late,
            late: counters.late,
            lost: counters.lost,
            concealed: counters.concealed,
            repaired: counters.repaired,
            loss: feed.reassembler().loss(),
            recoveries_asked: feed.recoveries_asked(),
        }
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
