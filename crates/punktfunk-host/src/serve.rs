//! Running the host: everything is opened in order, said, and kept until a signal ends it.

use std::{
    io::Write,
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use pf_base::{Code, DeviceName, Identity, PairPolicy, Pin, Timestamp};
use pf_console::{
    control::HostControl,
    server::{ServeError, Server},
    view::Facts,
};
use pf_desktop::{SessionCommand, SourceConfig, Stop, VirtualConfig, WaylandConfig};
use pf_discovery::{Advertisement, Advertiser};
use pf_net::{Accepted, Cap, HostEndpoint, Limits, Listen};
use pf_store::{ConsoleStore, DataDir, HostStore};
use pf_trust::admission::{self, Arming, State};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    answer::{Answer, Failure, sentence},
    cli::{ConsoleOptions, HostOptions},
    clock::Clock,
    console::{self, Console, Running},
    control, ctl,
    gate::{Gate, SelfArmed},
    pairing, session,
    sound::House,
    stream::{self, figures::Board, source::Sources},
};

/// How many sessions there may be at once: each may be a capture and an encode of its own.
const MAX_SESSIONS: usize = 8;

/// What strangers may take of this host.
const LIMITS: Limits = Limits {
    handshakes: Cap { total: 64, per_address: 8 },
    pairings: Cap { total: 64, per_address: 8 },
    handshake_timeout: Duration::from_secs(5),
};

/// How many ports to try where any will do.
const PORT_TRIES: u32 = 16;

/// Runs the host until SIGTERM or SIGINT.
pub(crate) fn run(
    options: &HostOptions,
    policy: PairPolicy,
    arming: Arming,
    console: Option<&ConsoleOptions>,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| machine_failed(&error))?;
    runtime.block_on(async {
        let host = Host::open(options, policy, arming, console)?;
        host.run(options).await
    })
}

/// A host whose files are open and whose port is taken, and that lets nobody in yet.
struct Host {
    data_dir: DataDir,
    identity: Identity,
    name: DeviceName,
    policy: PairPolicy,
    arming: Arming,
    state: State,
    store: HostStore,
    clock: Clock,
    endpoint: HostEndpoint,
    console: Option<Console>,
    source: SourceConfig,
}

impl Host {
    /// Opens everything that can fail, in the order in which a person can mend it.
    fn open(
        options: &HostOptions,
        policy: PairPolicy,
        arming: Arming,
        console: Option<&ConsoleOptions>,
    ) -> Result<Self, Failure> {
        let data_dir = DataDir::open(data_dir(options.data_dir.as_ref())?)?;
        let clock = Clock::start();
        if options.restore {
            restore(&data_dir, clock.now())?;
        }
        let identity = pf_store::identity::load_or_create(&data_dir)?;
        let (store, loaded) = HostStore::open(&data_dir)?;
        let config = admission::Config {
            policy,
            arming,
            pin_digits: options.pin_digits,
            first_request: first_request(clock.now()),
            max_sessions: MAX_SESSIONS,
        };
        let state = State::new(config, loaded.devices, loaded.removed, loaded.counters);
        let (endpoint, server) = take_ports(&identity, options, console)?;
        let console = match console.zip(server) {
            Some((options, server)) => Some(Console::open(options, server, &data_dir, clock)?),
            None => None,
        };
        Ok(Self {
            data_dir,
            identity,
            name: options.name.clone().unwrap_or_else(machine_name),
            policy,
            arming,
            state,
            store,
            clock,
            endpoint,
            console,
            source: source(options),
        })
    }

    async fn run(self, options: &HostOptions) -> Result<(), Failure> {
        // Signals that come from here on are the host's to answer, with everything stored and said.
        let mut ended = Signals::listen().map_err(|error| machine_failed(&error))?;
        let port = self.endpoint.local_addr().port();
        let facts = control::facts(
            &self.name,
            self.identity.fingerprint(),
            port,
            self.policy,
            self.source.kind.to_string(),
        );
        if !options.json {
            self.introduce();
        }
        let is_json = options.json;
        let (gate, gate_thread) =
            Gate::start(self.state, self.store, self.clock, move |armed| announce(&armed, is_json))
                .map_err(|error| machine_failed(&error))?;
        let pin =
            gate.inspect(|state, _, _| state.window().map(|open| open.pin_for_the_owner().clone())).await;
        let figures = Arc::new(Board::default());
        let desk = Arc::new(control::Desk::new(gate.clone(), facts.clone(), Arc::clone(&figures)));
        let host: Arc<dyn HostControl> = Arc::clone(&desk) as _;
        let start = |console: Console| tokio::task::block_in_place(|| console.start(host));
        let mut console = self.console.map(start).transpose()?;
        let access = console.as_ref().map(|console| console.access.clone());
        if !is_json && let Some(console) = &mut console {
            // Whoever waits for the control socket has heard of it then.
            say(&console.introduce().join("\n"));
        }
        let control =
            ctl::serve(self.data_dir.path(), desk, access).map_err(|error| machine_failed(&error))?;
        let control = tokio::spawn(control);
        if is_json {
            // Whoever reads this may use the control socket at once.
            let console = console.as_mut().map(Running::introduction);
            say(&Answer::new(Ok(introduction(&facts, pin.flatten().as_ref(), console.as_ref()))).to_line());
        }
        let advertiser = (!options.no_mdns)
            .then(|| advertise(&self.name, &self.identity, self.policy, port, options.bind));

        let pairing_host = Arc::new(pairing::Host {
            fingerprint: self.identity.fingerprint(),
            name: self.name.clone(),
            policy: self.policy,
        });
        let studio = Arc::new(session::Studio {
            name: self.name,
            source: self.source,
            sources: Sources::new(self.clock),
            sound: Arc::new(House::new(self.clock)),
            clock: self.clock,
            figures,
        });
        tokio::select! {
            () = accept(&self.endpoint, &gate, &pairing_host, &studio) => {}
            () = ended.any() => {}
        }
        drop(advertiser);
        control.abort();
        let end_console = async {
            if let Some(console) = console {
                console.stop().await;
            }
        };
        tokio::join!(end_console, self.endpoint.shutdown(Code::Ended));
        gate.stop();
        let stopped = tokio::task::spawn_blocking(move || gate_thread.join()).await;
        if !matches!(stopped, Ok(Ok(()))) {
            return Err(Failure::new(
                Code::StoreUnreadable,
                "The host broke while it stopped; what it was just storing may be lost.",
                "Start it again: the store is checked at every start.",
            ));
        }
        Ok(())
    }

    /// Says who this host is and what it lets in.
    fn introduce(&self) {
        let fingerprint = self.identity.fingerprint();
        let pairing = match (self.policy, self.arming) {
            (PairPolicy::Optional, _) => "optional: trust on first use is ON",
            (PairPolicy::Required, Arming::ByOwner) => "required; `punktfunk-host ctl arm` makes a PIN",
            (PairPolicy::Required, Arming::Always) => "required; always armed, for tests",
        };
        let choice = Stop::new().map(|stop| pf_desktop::choose(&self.source, &stop));
        say(&format!("punktfunk-host {}", env!("CARGO_PKG_VERSION")));
        say(&format!("Name         {}", self.name));
        say(&format!("Fingerprint  {fingerprint}"));
        say(&format!("For the eye  {}", fingerprint.for_the_eye()));
        say(&format!("Listening    UDP {}", self.endpoint.local_addr()));
        say(&format!("Pairing      {pairing}"));
        if let Ok(choice) = choice {
            say(&format!("Source       {} ({})", choice.kind, choice.why));
        }
        say(&format!("Data         {}", self.data_dir.path().display()));
        if self.policy == PairPolicy::Optional {
            say(
                "Careful: any device on this network gets in as a guest, and its user cannot tell this host from an \
                 impostor. Leave the flag out to require pairing.",
            );
        }
    }
}

/// Takes the host's UDP port, and the TCP port of the same number for its console where there is one.
///
/// Where any free port will do, it may be free for the one and not for the other: then it is another one's turn.
fn take_ports(
    identity: &Identity,
    options: &HostOptions,
    console: Option<&ConsoleOptions>,
) -> Result<(HostEndpoint, Option<Server>), Failure> {
    let listen = match options.bind {
        Some(address) => Listen::On(SocketAddr::new(address, options.port)),
        None => Listen::Anywhere(options.port),
    };
    let mut tries = if options.port == 0 { PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        let endpoint = HostEndpoint::bind(identity, listen, LIMITS)?;
        let Some(console) = console else { return Ok((endpoint, None)) };
        match console::bind(console, identity, endpoint.local_addr()) {
            Err(ServeError::Socket { source, .. })
                if source.kind() == std::io::ErrorKind::AddrInUse && tries > 0 => {}
            server => return Ok((endpoint, Some(server?))),
        }
    }
}

/// Takes devices in as they come, each in a task of its own.
async fn accept(
    endpoint: &HostEndpoint,
    gate: &Gate,
    host: &Arc<pairing::Host>,
    studio: &Arc<session::Studio>,
) {
    while let Some(accepted) = endpoint.accept().await {
        match accepted {
            Accepted::Session(arrival) => {
                tokio::spawn(session::serve(arrival, gate.clone(), Arc::clone(studio)));
            }
            Accepted::Pairing(connection) => {
                tokio::spawn(pairing::serve(connection, gate.clone(), Arc::clone(host)));
            }
        }
    }
}

/// What `--json` prints once the host is up.
fn introduction(facts: &Facts, pin: Option<&Pin>, console: Option<&Value>) -> Value {
    let mut data = json!(facts);
    data["console"] = json!(console);
    if let Some(pin) = pin {
        data["pin"] = json!(pin.reveal());
    }
    data
}

/// Tells whoever runs the test host the PIN, on a line of its own.
fn announce(armed: &SelfArmed<'_>, is_json: bool) {
    let mut lines = String::new();
    if !armed.opens_in.is_zero() {
        let seconds = armed.opens_in.as_millis().div_ceil(1000);
        lines = format!("A wrong PIN was tried; the next one works in {seconds} s:\n");
    }
    lines = format!("{lines}PIN {}", armed.pin.reveal());
    if is_json {
        // A host whose owner no longer reads goes on all the same.
        let _ = writeln!(std::io::stderr(), "{lines}");
    } else {
        say(&lines);
    }
}

/// Says a line on stdout. A host whose owner no longer reads goes on all the same.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn advertise(
    name: &DeviceName,
    identity: &Identity,
    policy: PairPolicy,
    port: u16,
    bind: Option<IpAddr>,
) -> Option<Advertiser> {
    let advertisement =
        Advertisement { name: name.clone(), fingerprint: identity.fingerprint(), policy, port, bind };
    match Advertiser::start(&advertisement) {
        Ok(advertiser) => Some(advertiser),
        Err(error) => {
            eprintln!("{}\nClients can still connect by address.", sentence(&error.to_string()));
            None
        }
    }
}

fn restore(data_dir: &DataDir, now: Timestamp) -> Result<(), Failure> {
    let restored = [
        pf_store::identity::restore(data_dir, now)?,
        HostStore::restore(data_dir, now)?,
        ConsoleStore::restore(data_dir, now)?,
    ];
    for restored in restored.iter().flatten() {
        let made = std::time::UNIX_EPOCH + Duration::from_millis(restored.from.as_millis());
        eprintln!(
            "Restored the copy of {}; what changed after that is lost. Check `punktfunk-host ctl devices`.",
            humantime::format_rfc3339_seconds(made)
        );
        for file in &restored.set_aside {
            eprintln!("The broken file is kept as {}.", file.display());
        }
    }
    Ok(())
}

fn source(options: &HostOptions) -> SourceConfig {
    SourceConfig {
        kind: options.source,
        size: stream::DEFAULT_SIZE,
        fps: stream::DEFAULT_FPS,
        display: None,
        wayland: WaylandConfig { display: None, output: options.output.clone() },
        virtual_display: VirtualConfig {
            command: options.command.clone().map(|command| SessionCommand::Shell(command.into())),
            ..VirtualConfig::default()
        },
    }
}

/// Where the host's files are, unless the owner names a place.
pub(crate) fn data_dir(named: Option<&PathBuf>) -> Result<PathBuf, Failure> {
    if let Some(named) = named {
        return Ok(named.clone());
    }
    let [data_home, home] = ["XDG_DATA_HOME", "HOME"].map(std::env::var_os);
    Ok(pf_store::default_data_dir("punktfunk-host", data_home.as_deref(), home.as_deref())?)
}

fn machine_name() -> DeviceName {
    DeviceName::sanitise(&rustix::system::uname().nodename().to_string_lossy())
}

/// Request numbers start at another place with each start of the host, so that an old one names no new request.
fn first_request(now: Timestamp) -> u32 {
    const SPREAD: u64 = 9000;
    NonZeroU32::new((now.as_millis() / 1000 % SPREAD) as u32).map_or(1, NonZeroU32::get)
}

fn machine_failed(error: &std::io::Error) -> Failure {
    Failure::new(
        Code::Usage,
        sentence(&format!("the host cannot run here: {error}")),
        "Check the machine's limits.",
    )
}

/// The signals that end a host.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
