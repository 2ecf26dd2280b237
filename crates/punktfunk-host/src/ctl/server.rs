//! The host's end of the control socket.

use std::{io, path::Path, sync::Arc, time::Duration};

use pf_base::{Code, DeviceName, Fingerprint};
use pf_console::{
    control::{ArmFor, AuditFilter, ControlError, Happening, HostControl},
    view::Device,
};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream, unix::OwnedWriteHalf},
    sync::broadcast::error::RecvError,
};

use super::{console, protocol::Request, socket};
use crate::{
    answer::{Answer, Failure, sentence},
    cli::is_fingerprint_of,
    console::Access,
};

/// The longest request, in bytes.
const MAX_REQUEST: u64 = 4096;

/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers on the control socket in `data_dir`, until cancelled. The socket is there when this returns.
pub(crate) fn serve(
    data_dir: &Path,
    host: Arc<dyn HostControl>,
    console: Option<Access>,
) -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let listener = socket::listen(data_dir)?;
    let cleanup = Cleanup(data_dir.to_owned());
    let desk = Arc::new(Desk { host, console });
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

/// Puts what a person asks for to the host, and its answers into the words of the command line.
struct Desk {
    host: Arc<dyn HostControl>,
    console: Option<Access>,
}

impl Desk {
    async fn talk(&self, stream: UnixStream) -> io::Result<()> {
        let (reader, mut writer) = stream.into_split();
        let mut line = String::new();
        let mut reader = BufReader::new(reader.take(MAX_REQUEST));
        tokio::time::timeout(PATIENCE, reader.read_line(&mut line)).await??;
        let result = match serde_json::from_str(&line) {
            Ok(Request::Watch) => return self.watch(writer).await,
            Ok(request) => self.answer(request).await,
            Err(error) => Err(Failure::new(
                Code::Usage,
                format!("The host does not understand this request: {error}."),
                "Use the punktfunk-host program of the same version as the running host.",
            )),
        };
        writer.write_all((Answer::new(result).to_line() + "\n").as_bytes()).await
    }

    async fn answer(&self, request: Request) -> Result<Value, Failure> {
        let host = &self.host;
        match request {
            Request::Status => Ok(shown(host.status().await?)),
            Request::Arm { target, ttl_s } => {
                let target = target.as_deref().map_or(Ok(ArmFor::Anyone), arm_for)?;
                Ok(shown(host.arm(target, ttl_s.map(Duration::from_secs)).await?))
            }
            Request::Disarm => Ok(nothing(host.disarm().await?)),
            Request::Requests => Ok(json!({ "requests": host.requests().await? })),
            Request::Approve { request, label } => {
                let label = label.as_deref().map(DeviceName::sanitise);
                Ok(shown(host.approve(request, label).await?))
            }
            Request::Deny { request } => Ok(nothing(host.deny(request).await?)),
            Request::Devices => Ok(json!({ "devices": host.devices().await? })),
            Request::Rename { fingerprint, label } => {
                let fingerprint = self.paired(&fingerprint).await?;
                Ok(shown(host.rename(fingerprint, DeviceName::sanitise(&label)).await?))
            }
            Request::Remove { fingerprint } => {
                let fingerprint = self.paired(&fingerprint).await?;
                Ok(shown(host.remove(fingerprint).await?))
            }
            Request::Sessions => Ok(json!({ "sessions": host.sessions().await? })),
            Request::EndSession { session } => Ok(nothing(host.end_session(session).await?)),
            Request::Audit { limit, before, kind, device } => {
                let fingerprint = match device {
                    Some(text) => Some(self.any_device(&text).await?),
                    None => None,
                };
                Ok(shown(host.audit(AuditFilter { before, kind, fingerprint, limit }).await?))
            }
            Request::Watch => Ok(nothing(())),
            Request::ConsoleUrl => Ok(self.console()?.link()),
            Request::ConsolePassword { password } => console::set_password(self.console()?, password).await,
            Request::SignIns => Ok(console::sign_ins(self.console()?).await),
            Request::EndSignIn { sign_in } => console::end_sign_in(self.console()?, sign_in).await,
        }
    }

    /// Writes trust events as they happen, until the watcher hangs up.
    async fn watch(&self, mut writer: OwnedWriteHalf) -> io::Result<()> {
        let mut happenings = self.host.watch();
        loop {
            let data = match happenings.recv().await {
                Ok(Happening::Audited(entry)) => shown(entry),
                Ok(Happening::Changed(_)) => continue,
                Err(RecvError::Lagged(missed)) => json!({ "event": "missed", "count": missed }),
                Err(RecvError::Closed) => return Ok(()),
            };
            writer.write_all((Answer::new(Ok(data)).to_line() + "\n").as_bytes()).await?;
        }
    }

    fn console(&self) -> Result<&Access, Failure> {
        self.console.as_ref().ok_or_else(console::no_console)
    }

    /// The device that a person means, paired or not: by its whole fingerprint, or by the beginning of a paired one's.
    async fn any_device(&self, text: &str) -> Result<Fingerprint, Failure> {
        match text.parse() {
            Ok(fingerprint) => Ok(fingerprint),
            Err(_) => self.paired(text).await,
        }
    }

    /// The one paired device that a person means.
    async fn paired(&self, text: &str) -> Result<Fingerprint, Failure> {
        let devices = self.host.devices().await?;
        let fingerprint = |device: &Device| device.fingerprint.parse::<Fingerprint>().ok();
        let meant: Vec<_> = devices
            .iter()
            .filter_map(fingerprint)
            .filter(|device| is_fingerprint_of(text, *device))
            .collect();
        match meant[..] {
            [fingerprint] => Ok(fingerprint),
            ref none_or_many => {
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
}

/// For whom a person wants a window: a waiting request, or a device by its fingerprint.
fn arm_for(text: &str) -> Result<ArmFor, Failure> {
    let request = || text.parse().map(ArmFor::Request);
    text.parse().map(ArmFor::Device).or_else(|_| request()).map_err(|_| {
        Failure::new(
            Code::RequestExpired,
            format!("No request {text} is waiting, and it is no whole fingerprint."),
            "`punktfunk-host ctl requests` lists what is waiting.",
        )
    })
}

fn shown(view: impl Serialize) -> Value {
    serde_json::to_value(view).expect("what an owner is shown is plain JSON")
}

/// The answer to an act that leaves nothing to say.
fn nothing((): ()) -> Value {
    json!({})
}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        let message = sentence(&error.to_string());
        let (code, hint) = match error {
            ControlError::NoSuchRequest => (
                Code::RequestExpired,
                "`punktfunk-host ctl requests` lists what is waiting; the device can ask again.",
            ),
            ControlError::NoSuchDevice => {
                (Code::Usage, "`punktfunk-host ctl devices` lists the paired devices.")
            }
            ControlError::NoSuchSession => {
                (Code::Usage, "`punktfunk-host ctl sessions` lists who is connected.")
            }
            ControlError::NotArmed => (Code::NotArmed, "`punktfunk-host ctl arm` opens one."),
            ControlError::AlwaysArmed => (Code::Usage, "Use `punktfunk-host serve` to arm pairing yourself."),
            ControlError::Stopping => (Code::Unreachable, "Start it again."),
            ControlError::Store { message, way_on } | ControlError::InForceButUnsaved { message, way_on } => {
                return Self::new(Code::StoreUnreadable, message, way_on);
            }
        };
        Self::new(code, message, hint)
    }
}
