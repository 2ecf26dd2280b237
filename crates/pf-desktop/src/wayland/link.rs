//! The connection to a Wayland compositor, which a [`Stop`] can interrupt at any point.

use std::ops::RangeInclusive;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use wayland_client::backend::WaylandError;
use wayland_client::protocol::wl_callback::{self, WlCallback};
use wayland_client::protocol::wl_registry::{self, WlRegistry};
use wayland_client::{Connection, Dispatch, DispatchError, EventQueue, Proxy, QueueHandle};

use super::output::Output;
use crate::stop::{Interest, Wake};
use crate::{SourceError, Stop};

/// A compositor, and all that it has told.
pub(super) struct Link<T> {
    connection: Connection,
    queue: EventQueue<Desk<T>>,
    stop: Stop,
    pub(super) desk: Desk<T>,
    /// Where the compositor listens.
    pub(super) socket: PathBuf,
}

/// What every client of a compositor knows of it, and what this one learns beyond that.
pub(super) struct Desk<T> {
    registry: Option<WlRegistry>,
    globals: Vec<Global>,
    /// In the order in which the compositor named them.
    pub(super) outputs: Vec<Output>,
    answered: u32,
    pub(super) own: T,
}

/// Something that the compositor offers.
struct Global {
    name: u32,
    interface: String,
    version: u32,
}

impl<T: 'static> Link<T> {
    /// Connects to the compositor that `display` or else `$WAYLAND_DISPLAY` names, and learns what it offers.
    pub(super) fn connect(display: Option<&Path>, own: T, stop: &Stop) -> Result<Self, SourceError> {
        let no_compositor =
            |reason: String| SourceError::NoCompositor { display: display_name(display), reason };
        let socket = socket_path(display).map_err(|reason| no_compositor(reason.to_owned()))?;
        let stream = UnixStream::connect(&socket).map_err(|error| no_compositor(error.to_string()))?;
        let connection = Connection::from_socket(stream).map_err(|error| no_compositor(error.to_string()))?;
        let queue = connection.new_event_queue();
        let registry = connection.display().get_registry(&queue.handle(), ());
        let desk =
            Desk { registry: Some(registry), globals: Vec::new(), outputs: Vec::new(), answered: 0, own };
        let mut link = Self { connection, queue, stop: stop.clone(), desk, socket };
        // The first answer brings the list of what there is, the second what the outputs are.
        for _ in 0..2 {
            link.round_trip().map_err(|error| match error {
                SourceError::Lost { reason } => no_compositor(reason),
                other => other,
            })?;
        }
        Ok(link)
    }

    /// The handle that interrupts this connection.
    pub(super) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// What new objects report to.
    pub(super) fn handle(&self) -> QueueHandle<Desk<T>> {
        self.queue.handle()
    }

    /// Takes on something that the compositor offers, in the newest of these versions.
    pub(super) fn bind<P>(&self, versions: RangeInclusive<u32>) -> Result<P, SourceError>
    where
        P: Proxy + 'static,
        Desk<T>: Dispatch<P, ()>,
    {
        self.desk
            .bind(versions, &self.handle())
            .ok_or(SourceError::MissingProtocol { protocol: P::interface().name })
    }

    /// Waits until the compositor has done all that was asked of it, and has told what came of it.
    pub(super) fn round_trip(&mut self) -> Result<(), SourceError> {
        self.connection.display().sync(&self.handle(), ());
        let expected = self.desk.answered + 1;
        self.until(|desk| (desk.answered >= expected).then_some(()))
    }

    /// Waits until something has been told, for [`PATIENCE`] at most.
    pub(super) fn until<R>(&mut self, told: impl Fn(&Desk<T>) -> Option<R>) -> Result<R, SourceError> {
        let limit = Instant::now() + PATIENCE;
        loop {
            if let Some(result) = told(&self.desk) {
                return Ok(result);
            }
            if !self.listen(limit)? {
                return Err(SourceError::Lost { reason: "the compositor does not answer".to_owned() });
            }
        }
    }

    /// Sends what is to be sent and waits for what the compositor tells; whether anything came before `deadline`.
    pub(super) fn listen(&mut self, deadline: Instant) -> Result<bool, SourceError> {
        loop {
            if self.take_in()? > 0 {
                return Ok(true);
            }
            let mut flags = PollFlags::IN;
            flags.set(PollFlags::OUT, !self.try_flush()?);
            if !self.read(flags, deadline)? {
                return Ok(false);
            }
        }
    }

    /// Sends all that is to be sent, and takes in what has come meanwhile.
    pub(super) fn flush(&mut self) -> Result<(), SourceError> {
        let limit = Instant::now() + PATIENCE;
        while !self.try_flush()? {
            self.take_in()?;
            // Room is enough: a compositor that has nothing to tell tells nothing.
            if !self.read(PollFlags::IN | PollFlags::OUT, limit)? {
                return Err(SourceError::Lost { reason: "the compositor takes in nothing".to_owned() });
            }
        }
        self.read(PollFlags::IN, Instant::now())?;
        self.take_in()?;
        Ok(())
    }

    /// Waits until the connection is ready for one of `flags`, and reads what has come; whether it was before `deadline`.
    fn read(&self, flags: PollFlags, deadline: Instant) -> Result<bool, SourceError> {
        // There is none while something that was read waits to be taken in.
        let Some(guard) = self.queue.prepare_read() else { return Ok(true) };
        let interest = Interest { fd: guard.connection_fd(), flags };
        match self.stop.wait(Some(interest), Some(deadline)) {
            Ok(Wake::Ready) => match guard.read() {
                Err(WaylandError::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(true),
                Err(error) => Err(self.lost(&error)),
                Ok(_) => Ok(true),
            },
            Ok(Wake::Stopped) => Err(SourceError::Stopped),
            Ok(Wake::Deadline) => Ok(false),
            Err(error) => Err(SourceError::system("cannot wait")(error)),
        }
    }

    fn take_in(&mut self) -> Result<usize, SourceError> {
        self.queue.dispatch_pending(&mut self.desk).map_err(|error| match error {
            DispatchError::Backend(error) => self.lost(&error),
            DispatchError::BadMessage { .. } => SourceError::Lost { reason: error.to_string() },
        })
    }

    /// Sends what the socket takes; whether that is all.
    fn try_flush(&self) -> Result<bool, SourceError> {
        match self.connection.flush() {
            Ok(()) => Ok(true),
            Err(WaylandError::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// What a failure of the connection means: that it was stopped, or that the compositor is gone.
    fn lost(&self, error: &WaylandError) -> SourceError {
        if self.stop.is_stopped() {
            SourceError::Stopped
        } else {
            SourceError::Lost { reason: error.to_string() }
        }
    }
}

impl<T: 'static> Desk<T> {
    /// Takes on something that the compositor offers; `None` where it does not, or only in other versions.
    pub(super) fn bind<P>(&self, versions: RangeInclusive<u32>, handle: &QueueHandle<Self>) -> Option<P>
    where
        P: Proxy + 'static,
        Self: Dispatch<P, ()>,
    {
        let interface = P::interface().name;
        let is_wanted =
            |global: &&Global| global.interface == interface && global.version >= *versions.start();
        let global = self.globals.iter().find(is_wanted)?;
        let version = global.version.min(*versions.end());
        Some(self.registry.as_ref()?.bind(global.name, version, handle, ()))
    }
}

impl<T: 'static> Dispatch<WlRegistry, ()> for Desk<T> {
    fn event(
        desk: &mut Self,
        registry: &WlRegistry,
        event: wl_registry::Event,
        (): &(),
        _: &Connection,
        handle: &QueueHandle<Self>,
    ) {
        match event {
            wl_registry::Event::Global { name, interface, version } => {
                if interface == Output::INTERFACE {
                    let proxy = registry.bind(name, version.min(Output::VERSION), handle, name);
                    desk.outputs.push(Output::new(name, proxy));
                }
                desk.globals.push(Global { name, interface, version });
            }
            wl_registry::Event::GlobalRemove { name } => {
                desk.globals.retain(|global| global.name != name);
                desk.outputs.retain(|output| output.global != name);
            }
            _ => {}
        }
    }
}

impl<T: 'static> Dispatch<WlCallback, ()> for Desk<T> {
    fn event(
        desk: &mut Self,
        _: &WlCallback,
        event: wl_callback::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let wl_callback::Event::Done { .. } = event {
            desk.answered += 1;
        }
    }
}

/// The compositor's name for a person.
pub(super) fn display_name(display: Option<&Path>) -> String {
    let named = display.map(|display| display.display().to_string());
    named
        .or_else(|| std::env::var(VARIABLE).ok().filter(|name| !name.is_empty()))
        .unwrap_or_else(|| format!("${VARIABLE}"))
}

/// Where the compositor of this name listens.
fn socket_path(display: Option<&Path>) -> Result<PathBuf, &'static str> {
    let named = display.map(Path::to_owned).or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from));
    let name = named.filter(|name| !name.as_os_str().is_empty()).ok_or("it is not set")?;
    if name.is_absolute() {
        return Ok(name);
    }
    let directory = std::env::var_os("XDG_RUNTIME_DIR").ok_or("XDG_RUNTIME_DIR is not set")?;
    Ok(Path::new(&directory).join(name))
}

const VARIABLE: &str = "WAYLAND_DISPLAY";

/// How long a compositor may take for one answer: one that is silent for longer counts as gone.
const PATIENCE: Duration = Duration::from_secs(30);
