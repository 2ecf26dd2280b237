//! Which access units come late.

use std::time::Duration;

use crate::time::Micros;

/// Compares how long access units took with the fastest of the last seconds.
///
/// Neither clock is known to the other, and for this need not be: what one took more than another is the same on both.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lateness {
    since: Micros,
    current: Option<i128>,
    previous: Option<i128>,
}

impl Lateness {
    /// Whether an access unit that was captured at `captured`, on the sender's clock, and goes out now is late.
    pub(super) fn is_late(&mut self, now: Micros, captured: Micros) -> bool {
        let took = i128::from(now.0) - i128::from(captured.0);
        if now.since(self.since) >= SPAN {
            self.since = now;
            self.previous = self.current.take();
        }
        self.current = Some(self.current.map_or(took, |fastest| fastest.min(took)));
        let fastest = self.current.into_iter().chain(self.previous).min().unwrap_or(took);
        took - fastest >= LATE_AFTER.as_micros().cast_signed()
    }
}

/// An access unit that takes so much longer than the fastest of the last seconds is late: three frame intervals at
/// 60 fps, which a person sees as a stutter.
pub const LATE_AFTER: Duration = Duration::from_millis(50);

/// Half of the time over which the fastest counts. The clocks drift apart by 1 ms in it.
const SPAN: Duration = Duration::from_secs(10);
