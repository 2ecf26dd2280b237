//! What happens on the host, as a stream for one owner.
//!
//! The host is watched **before** the lines that were missed are read, and a line that came both ways is sent once: so a
//! watcher that comes back with the number of its last line misses none and gets none twice. A watcher that falls too far
//! behind is told so, and looks at everything again.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use axum::response::sse::Event;
use futures_util::{Stream, stream};
use serde::Serialize;
use serde_json::json;
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        watch,
    },
    time::{Interval, MissedTickBehavior, interval},
};

use crate::{
    api::Owner,
    control::{Happening, Topics},
    server::stopped,
    view::AuditEntry,
};

/// What happens from now on, after the lines of the audit log that came after line `after`.
pub(crate) async fn events_of(
    owner: Owner,
    after: Option<u64>,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let mut live = Live::new(owner);
    live.open(after).await;
    stream::unfold(live, |mut live| async { live.next().await.map(|event| (Ok(event), live)) })
}

/// One owner's stream.
struct Live {
    happenings: broadcast::Receiver<Happening>,
    sign_in_changes: watch::Receiver<()>,
    over: watch::Receiver<()>,
    stopping: watch::Receiver<bool>,
    every_second: Interval,
    alive: Interval,
    /// What is to be sent first.
    ready: VecDeque<Event>,
    /// The last line of the audit log that was sent.
    last_line: u64,
    /// What the owner was told of the sessions.
    sessions: Sessions,
    owner: Owner,
}

/// What an owner knows of the sessions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sessions {
    /// That there are none.
    None,
    /// That there are none, and there may be some now.
    Perhaps,
    /// That there are some.
    Some,
}

impl Live {
    fn new(owner: Owner) -> Self {
        Self {
            happenings: owner.watch(),
            sign_in_changes: owner.sign_in_changes(),
            over: owner.over(),
            stopping: owner.stopping(),
            every_second: ticking(Duration::from_secs(1)),
            alive: ticking(Duration::from_secs(5)),
            ready: VecDeque::new(),
            last_line: 0,
            sessions: Sessions::Perhaps,
            owner,
        }
    }

    /// What a watcher gets first.
    async fn open(&mut self, after: Option<u64>) {
        self.ready.push_back(event("changed", &json!({ "topics": ALL_TOPICS })).retry(RETRY));
        let Some(after) = after else { return };
        self.last_line = after;
        match self.owner.audit_after(after, MAX_BACKLOG + 1).await {
            Ok(lines) => {
                let are_more = lines.len() > MAX_BACKLOG as usize;
                for line in lines.into_iter().take(MAX_BACKLOG as usize) {
                    self.send_line(&line);
                }
                if are_more {
                    self.ready.push_back(event("missed", &json!({})));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot read on in the audit log");
                self.ready.push_back(event("missed", &json!({})));
            }
        }
    }

    /// What comes next; `None` when the sign-in or the host has ended.
    ///
    /// Dropping this between events loses none: what was taken from a source is in `ready` before the next await.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.over.has_changed().is_err() {
                return None;
            }
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            tokio::select! {
                _ = self.over.changed() => return None,
                () = stopped(&mut self.stopping) => return None,
                happening = self.happenings.recv() => self.take(happening)?,
                changed = self.sign_in_changes.changed() => {
                    changed.ok()?;
                    self.send_changed(&["sign_ins"]);
                }
                _ = self.alive.tick() => self.ready.push_back(event("alive", &json!({}))),
                _ = self.every_second.tick() => {
                    if !self.owner.is_signed_in() {
                        return None;
                    }
                    self.send_figures().await;
                }
            }
        }
    }

    fn take(&mut self, happening: Result<Happening, RecvError>) -> Option<()> {
        match happening {
            Ok(Happening::Audited(line)) => self.send_line(&line),
            Ok(Happening::Changed(topics)) => {
                if topics.sessions && self.sessions == Sessions::None {
                    self.sessions = Sessions::Perhaps;
                }
                self.send_changed(&names(topics));
            }
            Err(RecvError::Lagged(_)) => {
                self.sessions = Sessions::Perhaps;
                self.ready.push_back(event("missed", &json!({})));
                self.send_changed(&ALL_TOPICS);
            }
            Err(RecvError::Closed) => return None,
        }
        Some(())
    }

    fn send_line(&mut self, line: &AuditEntry) {
        if line.id > self.last_line {
            self.last_line = line.id;
            self.ready.push_back(event("audit", line).id(line.id.to_string()));
        }
    }

    fn send_changed(&mut self, topics: &[&str]) {
        if !topics.is_empty() {
            self.ready.push_back(event("changed", &json!({ "topics": topics })));
        }
    }

    async fn send_figures(&mut self) {
        if self.sessions == Sessions::None {
            return;
        }
        let Ok(sessions) = self.owner.sessions().await else { return };
        let now = if sessions.is_empty() { Sessions::None } else { Sessions::Some };
        if now == Sessions::Some || self.sessions == Sessions::Some {
            self.ready.push_back(event("figures", &sessions));
        }
        self.sessions = now;
    }
}

fn names(topics: Topics) -> Vec<&'static str> {
    let Topics { pairing, requests, devices, sessions } = topics;
    [("pairing", pairing), ("requests", requests), ("devices", devices), ("sessions", sessions)]
        .into_iter()
        .filter_map(|(name, changed)| changed.then_some(name))
        .collect()
}

fn event(name: &str, data: &impl Serialize) -> Event {
    Event::default().event(name).data(serde_json::to_string(data).expect("what is shown is plain JSON"))
}

fn ticking(period: Duration) -> Interval {
    let mut ticking = interval(period);
    ticking.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticking
}

const ALL_TOPICS: [&str; 5] = ["pairing", "requests", "devices", "sessions", "sign_ins"];
/// When a browser is to come back after the stream broke.
const RETRY: Duration = Duration::from_secs(1);
/// How many lines of the audit log are repeated to a watcher that comes back: some 100 KiB.
const MAX_BACKLOG: u32 = 500;
