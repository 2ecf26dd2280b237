//! Which output is captured: the default one, or one of the session's own.
//!
//! A virtual display has no loudspeaker. [`Output::of_session`] is an output that plays into nothing, which the sound
//! server makes; the session's programs are pointed at it by an environment variable, and what they play is captured
//! there. It bears the name of the process that it is for: whoever makes the next one removes those of processes that
//! are gone.

use std::{
    ffi::{CStr, CString},
    fmt,
    path::Path,
    sync::Arc,
};

use pulseaudio::protocol::{Command, GetSinkInfo, LoadModuleParams, ModuleInfoList, SinkInfo};

use crate::{
    SoundError, Stop,
    connection::{Connection, Done, ModuleIndex},
    server::Server,
};

/// What to capture. Clones are the same output.
#[derive(Clone, Debug)]
pub enum Output {
    /// Where sound goes by default, also when that changes.
    Default,
    /// An output of a session's own.
    Session(Arc<SessionOutput>),
}

impl Output {
    /// An output for a session, which ends with the last clone. There is none yet: see [`make`](Self::make).
    pub fn of_session(server: &Server) -> Result<Self, SoundError> {
        let name = Name::new(Home::of_this_process().as_ref())?;
        Ok(Self::Session(Arc::new(SessionOutput { server: server.clone(), name })))
    }

    /// Has the server make the output, where it is a session's own; waits for the server's answer, 5 s at most.
    ///
    /// Where that fails, a capture of the output tries again.
    pub fn make(&self, stop: &Stop) -> Result<(), SoundError> {
        match self {
            Self::Default => Ok(()),
            Self::Session(output) => output.make(stop),
        }
    }

    /// The environment variable that points a program at this output, and its value; `None` where there is no need.
    pub fn variable(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Default => None,
            Self::Session(output) => Some(("PULSE_SINK", output.name.to_string())),
        }
    }

    /// The name of the output that is meant now.
    pub(crate) fn name(&self, connection: &mut Connection) -> Result<CString, SoundError> {
        match self {
            Self::Default => connection.default_output(),
            Self::Session(output) => output.ensure(connection),
        }
    }
}

/// An output that plays into nothing, there for one session. It is removed when this is dropped, which waits for the
/// server's answer.
#[derive(Debug)]
pub struct SessionOutput {
    server: Server,
    name: Name,
}

impl SessionOutput {
    fn make(&self, stop: &Stop) -> Result<(), SoundError> {
        let mut connection = Connection::open(&self.server, stop)?;
        let home = Home::of_this_process();
        unload(&mut connection, |name| home.as_ref().is_some_and(|home| home.knows_gone(name)))?;
        self.ensure(&mut connection)?;
        Ok(())
    }

    /// Has the server make the output unless it is there: a server that was restarted has forgotten it.
    fn ensure(&self, connection: &mut Connection) -> Result<CString, SoundError> {
        let name = self.name.to_c_string();
        let find = Command::GetSinkInfo(GetSinkInfo { index: None, name: Some(name.clone()) });
        match connection.request::<SinkInfo>("find the session's output", &find) {
            Ok(_) => return Ok(name),
            Err(SoundError::NoOutput) => {}
            Err(error) => return Err(error),
        }
        let arguments = format!(
            "sink_name={} rate={} channels=2 format=float32le sink_properties=device.description=Punktfunk",
            self.name,
            crate::RATE
        );
        let load = LoadModuleParams { name: MODULE.to_owned(), arguments: CString::new(arguments).ok() };
        let ModuleIndex(index) =
            connection.request("make an output for the session", &Command::LoadModule(load))?;
        tracing::debug!(index, "the session has an output of its own");
        Ok(name)
    }
}

impl Drop for SessionOutput {
    fn drop(&mut self) {
        let remove = || {
            let stop = Stop::new().map_err(|error| SoundError::no_handle(&error))?;
            let mut connection = Connection::open(&self.server, &stop)?;
            unload(&mut connection, |name| *name == self.name)
        };
        if let Err(error) = remove() {
            // A server that is gone has taken the output along; any other forgets it when the next one is made.
            tracing::debug!(%error, "the session's output could not be removed");
        }
    }
}

/// Removes the outputs of sessions that are `unwanted`.
fn unload(connection: &mut Connection, unwanted: impl Fn(&Name) -> bool) -> Result<(), SoundError> {
    let modules: ModuleInfoList = connection.request("list its modules", &Command::GetModuleInfoList)?;
    for module in modules.iter().filter(|module| module.name.as_c_str() == MODULE) {
        let argument = module.argument.as_deref().map(CStr::to_string_lossy).unwrap_or_default();
        if Name::in_arguments(&argument).is_some_and(|name| unwanted(&name)) {
            let _: Done = connection.request("remove an output", &Command::UnloadModule(module.index))?;
        }
    }
    Ok(())
}

/// The name of a session's output: whose it is, and a number that tells two of one process apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Name {
    home: Home,
    number: u32,
}

/// A process, and the namespace in which its number means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Home {
    namespace: u64,
    process: u32,
}

impl Name {
    fn new(home: Option<&Home>) -> Result<Self, SoundError> {
        // Without a namespace nobody can tell that the process is gone, and the output may stay behind after a crash.
        let home = home.copied().unwrap_or(Home { namespace: 0, process: std::process::id() });
        let number = getrandom::u32().map_err(|error| SoundError::System {
            what: "cannot draw a random number",
            reason: error.to_string(),
        })?;
        Ok(Self { home, number })
    }

    fn to_c_string(self) -> CString {
        // Digits, letters and dashes: there is no zero in it.
        CString::new(self.to_string()).unwrap_or_default()
    }

    /// The name in a module's arguments, if it is one of ours.
    fn in_arguments(arguments: &str) -> Option<Self> {
        let name = arguments.split_whitespace().find_map(|argument| argument.strip_prefix("sink_name="))?;
        let mut parts = name.strip_prefix(PREFIX)?.split('-');
        let home = Home { namespace: parts.next()?.parse().ok()?, process: parts.next()?.parse().ok()? };
        let number = parts.next()?.parse().ok()?;
        parts.next().is_none().then_some(Self { home, number })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}-{}-{}", self.home.namespace, self.home.process, self.number)
    }
}

impl Home {
    fn of_this_process() -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let namespace = std::fs::metadata("/proc/self/ns/pid").ok()?.ino();
        Some(Self { namespace, process: std::process::id() })
    }

    /// Whether the process of `name` is one that we would see, and is gone.
    fn knows_gone(&self, name: &Name) -> bool {
        name.home.namespace == self.namespace && !Path::new(&format!("/proc/{}", name.home.process)).exists()
    }
}

/// How the names of sessions' outputs begin.
const PREFIX: &str = "punktfunk-session-";

/// What makes an output that plays into nothing, in both servers.
const MODULE: &CStr = c"module-null-sink";

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Name = Name { home: Home { namespace: 4_026_531_836, process: 77 }, number: 5 };

    #[test]
    fn a_name_is_found_in_the_arguments_that_it_was_made_with() {
        assert_eq!(NAME.to_string(), "punktfunk-session-4026531836-77-5");
        assert_eq!(Name::in_arguments(&format!("sink_name={NAME} rate=48000")), Some(NAME));
        for other in [
            "",
            "sink_name=null",
            "sink_name=punktfunk-session-",
            "sink_name=punktfunk-session-1-2-x",
            "rate=5",
        ] {
            assert_eq!(Name::in_arguments(other), None, "{other}");
        }
        assert_eq!(Name::in_arguments("sink_name=punktfunk-session-1-2-3-4"), None);
    }

    /// A container that shares the sound server has processes of its own numbers: theirs must be left alone.
    #[test]
    fn only_outputs_of_processes_that_are_surely_gone_are_removed() {
        let home = Home::of_this_process().unwrap();
        let of = |namespace, process| Name { home: Home { namespace, process }, number: 1 };
        assert!(!home.knows_gone(&of(home.namespace, home.process)));
        // No process has a number this high: it is beyond the kernel's limit.
        assert!(home.knows_gone(&of(home.namespace, u32::MAX)));
        assert!(!home.knows_gone(&of(home.namespace + 1, u32::MAX)));
    }
}
