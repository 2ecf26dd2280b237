//! The host's end of the control socket.

use std::{io, path::Path, sync::Arc, time::Duration};

use pf_base::{Code, DeviceName, Fingerprint, PairPolicy, Timestamp};
use pf_store::{AuditQuery, AuditRow, StoreError};
use pf_trust::{
    admission::{Event, OwnerError, Reply, RequestId, State, Target},
    proof::Comparison,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};

use super::{protocol::Request, socket, view};
use crate::{
    answer::{Answer, Failure, sentence},
    cli::is_fingerprint_of,
    gate::{Gate, fresh_pin},
};

/// The longest request, in bytes.
const MAX_REQUEST: u64 = 4096;

/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(5);

/// What does not change while the host runs.
pub(crate) struct Facts {
    pub(crate) host_name: DeviceName,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) port: u16,
    pub(crate) policy: PairPolicy,
    pub(crate) source: String,
}

impl Facts {
    /// The facts as JSON.
    pub(crate) fn view(&self) -> Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "host_name": self.host_name.as_str(),
            "fingerprint": self.fingerprint.hex(),
            "fingerprint_shown": self.fingerprint.to_string(),
            "fingerprint_for_the_eye": self.fingerprint.for_the_eye(),
            "port": self.port,
            "policy": self.policy.word(),
            "source": self.source,
        })
    }
}

/// Answers on the control socket in `data_dir`, until cancelled. The socket is there when this returns.
pub(crate) fn serve(
    data_dir: &Path,
    gate: Gate,
    facts: Facts,
) -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let listener = socket::listen(data_dir)?;
    let cleanup = Cleanup(data_dir.to_owned());
    let desk = Arc::new(Desk { gate, facts });
    Ok(async move {
        let _cleanup = cleanup;
        accept(&listener, &desk).await;
    })
}

/// Takes the socket away when the host stops.
struct Cleanup(std::path::PathBuf);

impl Drop for Cleanup {
    fn drop(&mut self) {
        socket::remove(&self.0);
    }
}

async fn accept(listener: &UnixListener, desk: &Arc<Desk>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) if is_owner(&stream) => {
                let desk = Arc::clone(desk);
                tokio::spawn(async move {
                    if let Err(error) = desk.talk(stream).await {
                        tracing::debug!(%error, "a control connection broke");
                    }
                });
            }
            Ok(_) => tracing::warn!("another user tried the control socket"),
            Err(error) => {
                tracing::warn!(%error, "the control socket could not accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Whether the user at the other end is the one that the host runs as, or root.
fn is_owner(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}

/// Where the owner's acts are carried out.
struct Desk {
    gate: Gate,
    facts: Facts,
}

impl Desk {
    async fn talk(&self, stream: UnixStream) -> io::Result<()> {
        let (reader, mut writer) = stream.into_split();
        let mut line = String::new();
        let mut reader = BufReader::new(reader.take(MAX_REQUEST));
        tokio::time::timeout(PATIENCE, reader.read_line(&mut line)).await??;
        let result = match serde_json::from_str(&line) {
            Ok(Request::Watch) => return self.watch(writer).await,
            Ok(Request::Status) => self.status().await,
            Ok(Request::Arm { target, ttl_s }) => self.arm(target, ttl_s).await,
            Ok(Request::Disarm) => self.act(|_, _| Event::Disarm).await.map(|_| json!({})),
            Ok(Request::Requests) => {
                self.look(|state, now| json!({ "requests": view::requests(state, now) })).await
            }
            Ok(Request::Approve { request, label }) => self.approve(RequestId(request), label).await,
            Ok(Request::Deny { request }) => {
                let request = RequestId(request);
                self.act(move |_, _| Event::Deny { request }).await.map(|_| json!({}))
            }
            Ok(Request::Devices) => self.look(|state, _| json!({ "devices": view::devices(state) })).await,
            Ok(Request::Rename { fingerprint, label }) => self.rename(&fingerprint, &label).await,
            Ok(Request::Remove { fingerprint }) => self.remove(&fingerprint).await,
            Ok(Request::Sessions) => {
                self.look(|state, now| json!({ "sessions": view::sessions(state, now) })).await
            }
            Ok(Request::Audit { limit, before }) => self.audit(limit, before).await,
            Err(error) => Err(Failure::new(
                Code::Usage,
                format!("The host does not understand this request: {error}."),
                "Use the punktfunk-host program of the same version as the running host.",
            )),
        };
        writer.write_all((Answer::new(result).to_line() + "\n").as_bytes()).await
    }

    /// Writes trust events as they happen, until the watcher hangs up.
    async fn watch(&self, mut writer: tokio::net::unix::OwnedWriteHalf) -> io::Result<()> {
        let mut events = self.gate.watch();
        loop {
            let data = match events.recv().await {
                Ok(happened) => view::event(happened.at, &happened.event),
                Err(tokio::sync::broadcast::error::RecvError::Lagged(missed)) => {
                    json!({ "event": "missed", "count": missed })
                }
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return Ok(()),
            };
            writer.write_all((Answer::new(Ok(data)).to_line() + "\n").as_bytes()).await?;
        }
    }

    async fn status(&self) -> Result<Value, Failure> {
        let facts = self.facts.view();
        self.look(move |state, now| {
            let mut status = facts;
            status["window"] = state.window().map_or(Value::Null, |open| view::window(state, open, now));
            status["last_window"] = state.last_window().map_or(Value::Null, view::last_window);
            status["devices"] = json!(state.devices().count());
            status["requests"] = json!(state.requests().len());
            status["sessions"] = json!(state.live().count());
            status
        })
        .await
    }

    async fn arm(&self, target: Option<String>, ttl_s: Option<u64>) -> Result<Value, Failure> {
        let target = match target {
            None => Target::Anyone,
            Some(text) => Target::Device(self.device_to_arm(text).await?),
        };
        let ttl = ttl_s.map(Duration::from_secs);
        self.act(move |state, now| Event::Arm { target, ttl, pin: fresh_pin(state.pin_digits(target, now)) })
            .await?;
        self.look(|state, now| state.window().map(|open| view::window(state, open, now))).await?.ok_or_else(
            || Failure::new(Code::NotArmed, "The window is closed again already.", "Arm it once more."),
        )
    }

    /// The device that a window is to be opened for: of a waiting request, or by its fingerprint.
    async fn device_to_arm(&self, text: String) -> Result<Fingerprint, Failure> {
        if let Ok(fingerprint) = text.parse() {
            return Ok(fingerprint);
        }
        let unknown = Failure::new(
            Code::RequestExpired,
            format!("No request {text} is waiting, and it is no whole fingerprint."),
            "`punktfunk-host ctl requests` lists what is waiting.",
        );
        let Ok(number) = text.parse() else { return Err(unknown) };
        self.look(move |state, _| {
            let request = state.requests().iter().find(|request| request.id == RequestId(number));
            request.map(|request| request.peer.fingerprint)
        })
        .await?
        .ok_or(unknown)
    }

    async fn approve(&self, request: RequestId, label: Option<String>) -> Result<Value, Failure> {
        let label = label.as_deref().map(DeviceName::sanitise);
        let reply = self.act(move |_, _| Event::Approve { request, label }).await?;
        let Reply::Approved { fingerprint, compared } = reply else {
            return Err(stopping());
        };
        let label = self.look(move |state, _| state.label(fingerprint).cloned()).await?;
        Ok(json!({
            "fingerprint": fingerprint.hex(),
            "label": label.map(|label| label.to_string()),
            "compared": compared == Comparison::CodeShown,
        }))
    }

    async fn rename(&self, fingerprint: &str, label: &str) -> Result<Value, Failure> {
        let (fingerprint, _) = self.device(fingerprint).await?;
        let label = DeviceName::sanitise(label);
        let answer = json!({ "fingerprint": fingerprint.hex(), "label": label.as_str() });
        self.act(move |_, _| Event::Rename { fingerprint, label }).await?;
        Ok(answer)
    }

    async fn remove(&self, fingerprint: &str) -> Result<Value, Failure> {
        let (fingerprint, label) = self.device(fingerprint).await?;
        match self.gate.owner(move |_, _| Event::Remove { fingerprint }).await {
            Ok(reply) => done(reply)?,
            Err(error) => return Err(in_force_but_unsaved(&error)),
        };
        Ok(json!({ "fingerprint": fingerprint.hex(), "label": label.as_str() }))
    }

    /// The one paired device that a person means.
    async fn device(&self, text: &str) -> Result<(Fingerprint, DeviceName), Failure> {
        let wanted = text.to_owned();
        let meant: Vec<_> = self
            .look(move |state, _| {
                let meant = state.devices().filter(|device| is_fingerprint_of(&wanted, device.fingerprint));
                meant.map(|device| (device.fingerprint, device.label.clone())).collect()
            })
            .await?;
        match <[_; 1]>::try_from(meant) {
            Ok([device]) => Ok(device),
            Err(none_or_many) => {
                let how_many =
                    if none_or_many.is_empty() { "No paired device has" } else { "More devices have" };
                Err(Failure::new(
                    Code::Usage,
                    format!("{how_many} a fingerprint that begins with {text}."),
                    "`punktfunk-host ctl devices` lists the paired devices; 8 digits or more name one.",
                ))
            }
        }
    }

    async fn audit(&self, limit: u32, before: Option<u64>) -> Result<Value, Failure> {
        let query = AuditQuery { before, kind: None, limit };
        let rows = self.gate.inspect(move |_, store, _| store.audit(&query)).await.ok_or_else(stopping)?;
        let rows = rows.map_err(Failure::from)?;
        let entry = |row: &AuditRow| {
            let mut entry = view::event(row.at, &row.event);
            entry["id"] = json!(row.id);
            entry
        };
        Ok(json!({ "entries": rows.iter().map(entry).collect::<Vec<_>>() }))
    }

    /// Carries out an act of the owner.
    async fn act(
        &self,
        act: impl FnOnce(&State, Timestamp) -> Event + Send + 'static,
    ) -> Result<Reply, Failure> {
        done(self.gate.owner(act).await?)
    }

    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&State, Timestamp) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        self.gate.inspect(move |state, _, now| look(state, now)).await.ok_or_else(stopping)
    }
}

fn done(reply: Reply) -> Result<Reply, Failure> {
    match reply {
        Reply::Refused(error) => Err(refused(error)),
        Reply::None => Err(stopping()),
        reply => Ok(reply),
    }
}

/// A removal holds from when the owner asks for it, whether it could be stored or not.
fn in_force_but_unsaved(error: &StoreError) -> Failure {
    let message = format!("{} The removal is in force, and not stored yet.", sentence(&error.to_string()));
    let hint = format!("{}; the host stores it by itself then. Do not stop it before", error.hint());
    Failure::new(Code::StoreUnreadable, message, sentence(&hint))
}

fn refused(error: OwnerError) -> Failure {
    let (code, hint) = match error {
        OwnerError::NoSuchRequest => (
            Code::RequestExpired,
            "`punktfunk-host ctl requests` lists what is waiting; the device can ask again.",
        ),
        OwnerError::NoSuchDevice => (Code::Usage, "`punktfunk-host ctl devices` lists the paired devices."),
        OwnerError::PinTooShort => (Code::Usage, "Arm again."),
        OwnerError::NotArmed => (Code::NotArmed, "`punktfunk-host ctl arm` opens one."),
        OwnerError::AlwaysArmed => (Code::Usage, "Use `punktfunk-host serve` to arm pairing yourself."),
    };
    Failure::new(code, sentence(&error.to_string()), hint)
}

fn stopping() -> Failure {
    Failure::new(Code::Unreachable, "The host is stopping.", "Start it again.")
}
