//! What happens, live: none missed, none twice, and nothing for those who are not signed in any more.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::body::Body;
use http_body_util::BodyExt;
use pf_console::{
    control::Topics,
    view::{AdmittedAs, Session},
};
use serde_json::{Value, json};

use crate::support::{Ask, Console, MemoryHost, ask};

/// One event, as a browser takes it apart.
#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    id: Option<u64>,
    data: Value,
}

/// A stream, read event by event.
struct Stream(Body);

impl Stream {
    async fn open(console: &Console, ask: Ask) -> Self {
        let mut stream = Self(ask.stream_of(console).await);
        let first = stream.next().await.unwrap();
        let topics = json!({ "topics": ["pairing", "requests", "devices", "sessions", "sign_ins"] });
        assert_eq!(first, Event { name: "changed".to_owned(), id: None, data: topics });
        stream
    }

    /// The next event; `None` when the stream ended.
    async fn next(&mut self) -> Option<Event> {
        let frame = self.0.frame().await?.unwrap().into_data().unwrap();
        let text = std::str::from_utf8(&frame).unwrap();
        assert!(text.ends_with("\n\n"), "one event a frame: {text:?}");
        assert!(!text.contains(MemoryHost::PIN), "no PIN in any event");
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        Some(Event {
            name: field("event:").unwrap().to_owned(),
            id: field("id:").map(|id| id.parse().unwrap()),
            data: serde_json::from_str(field("data:").unwrap()).unwrap(),
        })
    }

    /// The next event that is not `alive`.
    async fn news(&mut self) -> Option<Event> {
        for _ in 0..100 {
            match self.next().await {
                Some(event) if event.name == "alive" => {}
                event => return event,
            }
        }
        panic!("nothing came in all that time");
    }

    /// The numbers of the next lines of the audit log.
    async fn lines(&mut self, count: usize) -> Vec<u64> {
        let mut lines = Vec::new();
        while lines.len() < count {
            let event = self.news().await.unwrap();
            if event.name == "audit" {
                assert_eq!(event.id, event.data["id"].as_u64());
                lines.push(event.id.unwrap());
            }
        }
        lines
    }
}

fn events(cookie: &str, query: &str) -> Ask {
    ask("GET", &format!("/events{query}")).cookie(cookie)
}

async fn with_lines(count: usize) -> (Console, String) {
    let console = Console::new().await;
    let cookie = console.sign_in().await;
    console.host.forget_audit();
    for _ in 0..count {
        console.host.audit_line("paired", None);
    }
    (console, cookie)
}

/// The connection breaks, and something happens before it is back.
#[tokio::test(start_paused = true)]
async fn r8_a_watcher_that_comes_back_misses_nothing_and_gets_nothing_twice() {
    let (console, cookie) = with_lines(10).await;
    let last = console.host.last_line();
    // Two lines are audited while the stream is opened: one comes both ways, the other only to who already watches.
    console.host.audit_while_reading.store(true, Ordering::SeqCst);
    let mut stream = Stream::open(&console, events(&cookie, &format!("?after={}", last - 3))).await;
    console.host.audit_line("removed", None);
    let expected: Vec<_> = (last - 2..=last + 3).collect();
    assert_eq!(stream.lines(6).await, expected);

    let newer = events(&cookie, "?after=1").header("last-event-id", &(last + 2).to_string());
    assert_eq!(Stream::open(&console, newer).await.lines(1).await, [last + 3], "the header is the newer one");
}

#[tokio::test(start_paused = true)]
async fn a_first_watch_begins_now() {
    let (console, cookie) = with_lines(3).await;
    let mut stream = Stream::open(&console, events(&cookie, "")).await;
    console.host.audit_line("removed", None);
    assert_eq!(stream.lines(1).await, [console.host.last_line()]);
}

#[tokio::test(start_paused = true)]
async fn who_was_away_for_too_long_is_told_so() {
    let (console, cookie) = with_lines(501).await;
    let last = console.host.last_line();
    let mut stream = Stream::open(&console, events(&cookie, &format!("?after={}", last - 501))).await;
    assert_eq!(stream.lines(500).await.last(), Some(&(last - 1)));
    assert_eq!(stream.news().await.unwrap().name, "missed");
    let mut stream = Stream::open(&console, events(&cookie, &format!("?after={}", last - 500))).await;
    assert_eq!(stream.lines(500).await.last(), Some(&last));
}

/// A browser sleeps, and more happens than is kept for it.
#[tokio::test(start_paused = true)]
async fn a_watcher_that_falls_behind_looks_at_everything_again() {
    let (console, cookie) = with_lines(0).await;
    let mut stream = Stream::open(&console, events(&cookie, "")).await;
    for _ in 0..100 {
        console.host.audit_line("paired", None);
    }
    assert_eq!(stream.news().await.unwrap().name, "missed");
    let changed = stream.news().await.unwrap();
    assert_eq!(changed.data["topics"].as_array().unwrap().len(), 5);
    let kept = stream.lines(64).await;
    assert_eq!(kept.last(), Some(&console.host.last_line()));
}

#[tokio::test(start_paused = true)]
async fn a_watcher_learns_what_to_look_at_again() {
    let (console, cookie) = with_lines(0).await;
    let mut stream = Stream::open(&console, events(&cookie, "")).await;
    console.host.changed(Topics { devices: true, sessions: true, ..Topics::default() });
    assert_eq!(stream.news().await.unwrap().data, json!({ "topics": ["devices", "sessions"] }));
    console.sign_in().await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.push(stream.news().await.unwrap());
    }
    assert!(seen.iter().any(|event| event.data == json!({ "topics": ["sign_ins"] })), "{seen:?}");
    assert!(seen.iter().any(|event| event.data["event"] == "console_sign_in"), "{seen:?}");
}

/// The owner ends a sign-in on a lost phone, and the phone goes on watching.
#[tokio::test(start_paused = true)]
async fn r8_a_stream_ends_at_once_with_its_sign_in() {
    let (console, cookie) = with_lines(0).await;
    for _ in 0..64 {
        console.host.audit_line("paired", None);
    }
    let own = console.sign_in().await;
    let mut lost = Stream::open(&console, events(&cookie, "?after=0")).await;
    let mut kept = Stream::open(&console, events(&own, "")).await;
    let before = tokio::time::Instant::now();
    console.sign_ins.end(1).await.unwrap();
    assert_eq!(lost.next().await, None, "what was still to be sent is not");
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert!(kept.news().await.is_some());
    events(&cookie, "").of(&console).await.assert_refused(401, "signed_out");
}

#[tokio::test(start_paused = true)]
async fn r8_a_stream_ends_when_its_sign_in_expires() {
    let (console, cookie) = with_lines(0).await;
    let mut stream = Stream::open(&console, events(&cookie, "")).await;
    console.pass(Duration::from_hours(24 * 7));
    assert_eq!(stream.news().await, None, "watching is no use of a sign-in");
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_the_host() {
    let (console, cookie) = with_lines(0).await;
    let mut stream = Stream::open(&console, events(&cookie, "")).await;
    console.stopping.send_replace(true);
    assert_eq!(stream.news().await, None);
}

#[tokio::test(start_paused = true)]
async fn figures_come_each_second_and_once_when_the_last_session_ends() {
    let (console, cookie) = with_lines(0).await;
    let mut stream = Stream::open(&console, events(&cookie, "")).await;
    let session = Session {
        id: 1,
        name: "Steam Deck".to_owned(),
        admitted_as: AdmittedAs::Paired,
        since: "2026-01-02T03:04:05Z".to_owned(),
        age_s: 1,
        address: "192.168.1.20".to_owned(),
        fingerprint: "07".repeat(32),
        fingerprint_for_the_eye: "AAAA-AAAA-AAAA-AAAA".to_owned(),
        figures: None,
    };
    console.host.set_sessions(vec![session]);
    let mut at = Vec::new();
    while at.len() < 3 {
        let event = stream.news().await.unwrap();
        if event.name == "figures" {
            assert_eq!(event.data[0]["id"], 1);
            at.push(tokio::time::Instant::now());
        }
    }
    assert_eq!(at[2] - at[1], Duration::from_secs(1));
    console.host.set_sessions(Vec::new());
    assert_eq!(stream.news().await.unwrap().name, "changed");
    assert_eq!(stream.news().await.unwrap(), Event { name: "figures".to_owned(), id: None, data: json!([]) });
    for _ in 0..3 {
        assert_eq!(stream.next().await.unwrap().name, "alive", "there are none any more");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_says_that_it_is_alive() {
    let (console, cookie) = with_lines(0).await;
    let mut stream = Stream::open(&console, events(&cookie, "")).await;
    let first = loop {
        let event = stream.next().await.unwrap();
        if event.name == "alive" {
            break tokio::time::Instant::now();
        }
    };
    assert_eq!(stream.next().await.unwrap(), Event { name: "alive".to_owned(), id: None, data: json!({}) });
    assert_eq!(first.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn nobody_keeps_the_console_from_watching_by_leaving() {
    let (console, cookie) = with_lines(0).await;
    let before = Arc::strong_count(&console.host);
    for _ in 0..10 {
        drop(Stream::open(&console, events(&cookie, "")).await);
    }
    assert_eq!(Arc::strong_count(&console.host), before);
}
