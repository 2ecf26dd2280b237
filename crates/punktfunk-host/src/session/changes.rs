//! When what a client wishes meanwhile is carried out, and when it is told what came of it.
//!
//! A window that is being dragged wishes another size with each step. Each one that is carried out costs a key frame at
//! least, so they are carried out a while apart, and only the last of those that came meanwhile.

use std::{future, time::Duration};

use pf_proto::session::StreamWishes;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::stream::Stream;

/// What a client wished and was not told of.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// What is still to be carried out.
    wished: Option<StreamWishes>,
    /// Until when the next one waits.
    rest: Option<Instant>,
    /// Until when to wait for what was carried out last to show; nothing when that was answered.
    unanswered: Option<Instant>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// To carry out what was wished.
    Change(StreamWishes),
    /// To say what it came to.
    Answer,
}

impl Changes {
    /// The client wishes something else.
    pub(super) fn wish(&mut self, wishes: StreamWishes) {
        self.wished = Some(wishes);
    }

    /// Waits until something is to be done, which is forgotten with that. Safe to cancel.
    pub(super) async fn due(&mut self, stream: &Stream) -> Due {
        if let Some(wished) = self.wished {
            if let Some(rest) = self.rest {
                sleep_until(rest).await;
            }
            let now = Instant::now();
            *self = Self { wished: None, rest: Some(now + APART), unanswered: Some(now + PATIENCE) };
            return Due::Change(wished);
        }
        let Some(until) = self.unanswered else { return future::pending().await };
        // What does not show by then never will, and the client is told what there is.
        let _ = timeout_at(until, stream.settled()).await;
        self.unanswered = None;
        Due::Answer
    }
}

/// How far apart changes are carried out.
const APART: Duration = Duration::from_millis(250);

/// How long a source may take to show pictures of another size.
const PATIENCE: Duration = Duration::from_secs(2);
