//! The console as this host serves it: its store, its port, its certificate, and what its owner is told of it.

mod place;

use std::{net::SocketAddr, sync::Arc};

use pf_base::{Code, Identity};
use pf_console::{
    Reach,
    control::HostControl,
    server::{Certificate, Config, Listen, ServeError, Server},
    sign_in::{OpenError, Password, SignIns},
};
use pf_store::{ConsoleLoaded, ConsoleStore, DataDir};
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{answer::Failure, cli::ConsoleOptions, clock::Clock};

/// A console whose store is open and whose port is taken, and that answers nobody yet.
pub(crate) struct Console {
    server: Server,
    store: ConsoleStore,
    loaded: ConsoleLoaded,
    clock: Clock,
    place: Place,
}

/// A console that answers browsers.
pub(crate) struct Running {
    pub(crate) access: Access,
    place: Place,
    /// The password that was made just now, at the first start.
    first_password: Option<Password>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

/// What its owner can do with the console itself.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) sign_ins: SignIns,
    /// Where it is, such as `https://192.168.1.4:9777`.
    pub(crate) origin: String,
    /// The SHA-256 of its certificate, as browsers show it.
    pub(crate) certificate_sha256: String,
}

/// Where a person finds the console, and what the browser says there.
struct Place {
    origin: String,
    /// Its address on networks where machines say their names by themselves.
    by_name: Option<String>,
    /// What is to be known about who is let in there.
    caution: Option<&'static str>,
    is_self_signed: bool,
}

/// Takes the console's port: `stream` is where the host's own is.
pub(crate) fn bind(
    options: &ConsoleOptions,
    identity: &Identity,
    stream: SocketAddr,
) -> Result<Server, ServeError> {
    let port = |asked: Option<u16>| asked.unwrap_or(stream.port());
    let listen = match options.console_bind {
        Some(bind) => on(SocketAddr::new(bind.address, port(bind.port))),
        None => on(stream),
    };
    let certificate = match (&options.console_cert, &options.console_key) {
        (Some(certificate), Some(key)) => {
            Certificate::Files { certificate: certificate.clone(), key: key.clone() }
        }
        _ => Certificate::Own(identity.clone()),
    };
    Server::bind(Config {
        listen,
        reach: reach(options),
        certificate,
        machine: machine_name(),
        names: options.console_name.clone(),
    })
}

fn reach(options: &ConsoleOptions) -> Reach {
    if options.console_public { Reach::Public } else { Reach::Local }
}

/// All addresses of IPv6 mean those of IPv4, too.
fn on(address: SocketAddr) -> Listen {
    if address.is_ipv6() && address.ip().is_unspecified() {
        Listen::Anywhere(address.port())
    } else {
        Listen::On(address)
    }
}

impl Console {
    /// Opens the console's store.
    pub(crate) fn open(
        options: &ConsoleOptions,
        server: Server,
        data_dir: &DataDir,
        clock: Clock,
    ) -> Result<Self, Failure> {
        let (store, loaded) = ConsoleStore::open(data_dir)?;
        let place = Place::new(options, server.address());
        Ok(Self { server, store, loaded, clock, place })
    }

    /// Starts to answer browsers. Blocks for some tenths of a second at the first start.
    pub(crate) fn start(self, host: Arc<dyn HostControl>) -> Result<Running, Failure> {
        let Self { server, store, loaded, clock, place } = self;
        let tell_time = Arc::new(move || clock.now());
        let (sign_ins, first_password) = SignIns::open(store, loaded, Arc::clone(&host), tell_time)?;
        let access = Access {
            sign_ins: sign_ins.clone(),
            origin: place.origin.clone(),
            certificate_sha256: server.certificate_sha256().to_owned(),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(server.run(host, sign_ins, async {
            // It is dropped where the host fails to start: a reason to stop, too.
            let _ = stopped.await;
        }));
        Ok(Running { access, place, first_password, stop, served })
    }
}

impl Place {
    fn new(options: &ConsoleOptions, address: SocketAddr) -> Self {
        let port = address.port();
        let reach = reach(options);
        let shown = place::authority(address, reach);
        let authority =
            options.console_name.first().map_or_else(|| shown.to_string(), |name| format!("{name}:{port}"));
        let is_for_itself = address.ip().is_unspecified() && shown.ip().is_loopback();
        Self {
            origin: format!("https://{authority}"),
            by_name: address.ip().is_unspecified().then(|| place::by_name(&machine_name(), port)),
            caution: (is_for_itself || !reach.admits(shown.ip())).then_some(NO_PRIVATE_ADDRESS),
            is_self_signed: options.console_cert.is_none(),
        }
    }
}

impl Running {
    /// What is said of it to a person at start, line by line: the password and a link at the first start, once.
    pub(crate) fn introduce(&mut self) -> Vec<String> {
        let (access, place) = (&self.access, &self.place);
        let mut lines = vec![format!("Console      {}", access.url())];
        lines.extend(place.by_name.as_ref().map(|by_name| format!("             {by_name}")));
        lines.extend(place.caution.map(|caution| format!("             {caution}")));
        lines.push(format!("Certificate  {}", access.certificate_sha256));
        let Some(password) = self.first_password.take() else {
            lines.push(
                "Sign in      with the password; `punktfunk-host ctl console-url` makes a link".to_owned(),
            );
            return lines;
        };
        let link = access.sign_ins.make_link(None);
        lines.extend([
            format!("Password     {}", password.reveal()),
            String::new(),
            "The password is not shown again. This link signs in, once, within the next hour:".to_owned(),
            link.url(&access.origin),
        ]);
        if place.is_self_signed {
            lines.extend([
                String::new(),
                "The browser warns at the first visit, for no authority vouches for this host: compare the SHA-256"
                    .to_owned(),
                "that it shows of the certificate with the one above.".to_owned(),
            ]);
        }
        lines
    }

    /// The same for a script.
    pub(crate) fn introduction(&mut self) -> Value {
        let mut data = self.access.link();
        if let Some(password) = self.first_password.take() {
            data["password"] = json!(password.reveal());
        }
        data
    }

    /// Ends it: what is open is finished, shortly.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        // A console that broke has ended, too.
        let _ = self.served.await;
    }
}

impl Access {
    /// Its address, as a person types it.
    pub(crate) fn url(&self) -> String {
        format!("{}/", self.origin)
    }

    /// Makes a link that signs in once, and says where that is.
    pub(crate) fn link(&self) -> Value {
        let link = self.sign_ins.make_link(None);
        json!({
            "url": self.url(),
            "certificate_sha256": self.certificate_sha256,
            "link": link.url(&self.origin),
            "expires_in_s": link.good_for.as_secs(),
        })
    }
}

/// Said where the console is on no address that private networks have.
const NO_PRIVATE_ADDRESS: &str =
    "There is no private address here: only this machine is let in, unless --console-public is given.";

fn machine_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        Self::new(Code::Usage, error.to_string(), error.way_on())
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::new(Code::StoreUnreadable, error.to_string(), error.way_on())
    }
}
