//! What only sway itself can be asked for: an output into nothing.
//!
//! Source: `sway-ipc(7)`.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::SourceError;

/// A connection to a running sway.
pub(super) struct Sway {
    stream: UnixStream,
}

impl Sway {
    /// The sway whose Wayland socket is at `wayland`; `None` when that is another compositor.
    ///
    /// Both sockets are in one directory. Where more than one sway has its own there, nobody can tell which it is.
    pub(super) fn beside(wayland: &Path) -> Option<Self> {
        let entries = std::fs::read_dir(wayland.parent()?).ok()?;
        let is_its = |name: &str| name.starts_with("sway-ipc.");
        let mut answering = entries
            .flatten()
            .filter(|entry| entry.file_name().to_str().is_some_and(is_its))
            // A sway that was killed leaves its socket.
            .filter_map(|entry| UnixStream::connect(entry.path()).ok());
        let stream = answering.next()?;
        if answering.next().is_some() {
            tracing::info!("more than one sway runs for this user: none is asked for an output");
            return None;
        }
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_write_timeout(Some(PATIENCE)).ok()?;
        Some(Self { stream })
    }

    /// Adds an output into nothing; whether sway does that.
    pub(super) fn add_output(&mut self) -> Result<bool, SourceError> {
        self.run("create_output")
    }

    /// Takes an output away again; whether sway does that, which it can since 1.8.
    pub(super) fn remove_output(&mut self, name: &str) -> Result<bool, SourceError> {
        self.run(&format!("output {name} unplug"))
    }

    /// Runs a command; whether it succeeded.
    fn run(&mut self, command: &str) -> Result<bool, SourceError> {
        let answer = self.ask(command).map_err(SourceError::system("cannot talk to sway"))?;
        // A list with one result, in JSON.
        let answer: String = String::from_utf8_lossy(&answer).split_whitespace().collect();
        Ok(answer.contains("\"success\":true"))
    }

    fn ask(&mut self, command: &str) -> io::Result<Vec<u8>> {
        let mut message = MAGIC.to_vec();
        message.extend_from_slice(&(command.len() as u32).to_ne_bytes());
        message.extend_from_slice(&RUN_COMMAND.to_ne_bytes());
        message.extend_from_slice(command.as_bytes());
        self.stream.write_all(&message)?;
        let mut header = [0; HEADER];
        self.stream.read_exact(&mut header)?;
        let length = header[MAGIC.len()..].first_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes));
        let mut answer = vec![0; length.min(MOST_ANSWER) as usize];
        self.stream.read_exact(&mut answer)?;
        Ok(answer)
    }
}

const MAGIC: &[u8] = b"i3-ipc";
const RUN_COMMAND: u32 = 0;

/// The magic word, a length and a type.
const HEADER: usize = MAGIC.len() + 8;

/// More than any answer to a command has.
const MOST_ANSWER: u32 = 64 * 1024;

/// How long sway may take for an answer: nothing ends this wait, also not the end of the source.
const PATIENCE: Duration = Duration::from_secs(2);
