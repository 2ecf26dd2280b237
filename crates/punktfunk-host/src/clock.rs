//! The host's clock: read from the wall once, then counted monotonically.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use pf_base::Timestamp;
use pf_media::time::Micros;

/// Makes the time that is handed to everything that decides. Setting the machine's clock back moves nothing here.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    started_at: Timestamp,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), started_at: Timestamp::EPOCH + since_epoch }
    }

    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        self.started_at + self.started.elapsed()
    }

    /// Media time of a moment: microseconds since the host started.
    pub(crate) fn media_time(&self, moment: Instant) -> Micros {
        Micros(u64::try_from(moment.saturating_duration_since(self.started).as_micros()).unwrap_or(u64::MAX))
    }
}
