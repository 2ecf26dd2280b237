//! A console to test, and what a browser sends it.

mod host;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use http_body_util::BodyExt;
use pf_base::Timestamp;
use pf_console::{
    HostNames, Peer, app,
    sign_in::{Clock, SignIns},
};
use pf_store::{ConsoleLoaded, ConsoleStore, DataDir, StoreError};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt;

pub(crate) use host::MemoryHost;

/// What a browser calls the console in these tests.
pub(crate) const HOST: &str = "box.local:9777";
/// Where the page of that console is.
pub(crate) const ORIGIN: &str = "https://box.local:9777";
/// The password of a console in these tests.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// When a console is opened, in milliseconds since the Unix epoch.
const START: u64 = 1_700_000_000_000;

/// A console with a host in memory, a store on disk, and a clock that stands still.
pub(crate) struct Console {
    pub(crate) router: Router,
    pub(crate) host: Arc<MemoryHost>,
    pub(crate) sign_ins: SignIns,
    pub(crate) stopping: watch::Sender<bool>,
    now: Arc<AtomicU64>,
    dir: TempDir,
}

impl Console {
    /// One whose password is [`PASSWORD`].
    pub(crate) async fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap()).await
    }

    /// One on a disk of the test's own.
    pub(crate) async fn at(dir: TempDir) -> Self {
        let data = DataDir::open(dir.path().join("data")).unwrap();
        let console = Self::open(dir, ConsoleStore::open(&data).unwrap(), Arc::new(AtomicU64::new(START)));
        console.sign_ins.set_password(PASSWORD).await.unwrap();
        console.host.forget_audit();
        console
    }

    fn open(dir: TempDir, (store, loaded): (ConsoleStore, ConsoleLoaded), now: Arc<AtomicU64>) -> Self {
        let host = Arc::new(MemoryHost::new());
        let (sign_ins, _) = SignIns::open(store, loaded, host.clone(), clock(&now)).unwrap();
        let (stopping, seen) = watch::channel(false);
        let names = HostNames::new("box", &[], 9777);
        let router = app(host.clone(), sign_ins.clone(), names, seen);
        Self { router, host, sign_ins, stopping, now, dir }
    }

    /// The same console after a restart. Waits until the old one has let go of its store.
    pub(crate) async fn restart(self) -> Self {
        let Self { router, host, sign_ins, stopping, now, dir } = self;
        drop((router, host, sign_ins, stopping));
        let data = DataDir::open(dir.path().join("data")).unwrap();
        let opened = loop {
            match ConsoleStore::open(&data) {
                Ok(opened) => break opened,
                // What it still writes holds the store.
                Err(StoreError::InUse { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        };
        Self::open(dir, opened, now)
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: Duration) {
        self.now.fetch_add(time.as_millis() as u64, Ordering::SeqCst);
    }

    /// Sets the clock back, as only a restart can see it.
    pub(crate) fn set_back(&self, time: Duration) {
        self.now.fetch_sub(time.as_millis() as u64, Ordering::SeqCst);
    }

    /// Signs in with the password, and returns the cookie.
    pub(crate) async fn sign_in(&self) -> String {
        let answer = ask("POST", "/sign-in").json(&json!({ "password": PASSWORD })).of(self).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.cookie()
    }
}

fn clock(now: &Arc<AtomicU64>) -> Clock {
    let now = Arc::clone(now);
    Arc::new(move || Timestamp::from_millis(now.load(Ordering::SeqCst)))
}

/// A request, as the page sends it unless told otherwise.
#[derive(Clone)]
pub(crate) struct Ask {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    peer: IpAddr,
}

/// Asks something of the API.
pub(crate) fn ask(method: &str, path: &str) -> Ask {
    ask_page(method, &format!("/api/v1{path}"))
}

/// Asks something at a path of its own.
pub(crate) fn ask_page(method: &str, path: &str) -> Ask {
    let mut headers = vec![("host".to_owned(), HOST.to_owned())];
    if !matches!(method, "GET" | "HEAD") {
        headers.push(("origin".to_owned(), ORIGIN.to_owned()));
    }
    Ask {
        method: method.to_owned(),
        path: path.to_owned(),
        headers,
        body: None,
        peer: [192, 168, 1, 7].into(),
    }
}

impl Ask {
    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    pub(crate) fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: Some(body.into()), ..self }
    }

    pub(crate) fn cookie(self, cookie: &str) -> Self {
        self.header("cookie", cookie)
    }

    pub(crate) fn from(self, peer: [u8; 4]) -> Self {
        Self { peer: peer.into(), ..self }
    }

    /// Sends a header once, whether or not it was sent before.
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        self.without(name).and_header(name, value)
    }

    /// Sends a header once more.
    pub(crate) fn and_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(given, _)| given != name);
        self
    }

    /// The request itself.
    pub(crate) fn request(self) -> Request<Body> {
        let mut request = Request::builder().method(self.method.as_str()).uri(self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let peer = Peer(SocketAddr::new(self.peer, 50_000));
        request.extension(peer).body(self.body.map_or_else(Body::empty, Body::from)).unwrap()
    }

    /// Sends it, and reads the whole answer.
    pub(crate) async fn of(self, console: &Console) -> Answer {
        let response = console.router.clone().oneshot(self.request()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Sends it, and returns the body as it comes.
    pub(crate) async fn stream_of(self, console: &Console) -> Body {
        let response = console.router.clone().oneshot(self.request()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.into_body()
    }
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    /// What is refused, in the one form that the API has for it.
    #[track_caller]
    pub(crate) fn assert_refused(&self, status: u16, code: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        let refusal = self.json();
        assert_eq!(refusal["code"], code);
        for sentence in ["message", "hint"] {
            let text = refusal[sentence].as_str().unwrap();
            assert!(text.ends_with('.') && text.len() > 10, "{text}");
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// What a browser sends back from now on.
    pub(crate) fn cookie(&self) -> String {
        let set = self.headers[header::SET_COOKIE].to_str().unwrap();
        set.split(';').next().unwrap().to_owned()
    }
}
