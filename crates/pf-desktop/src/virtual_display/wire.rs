//! What host and supervisor say to each other, over the socket that also tells one of the other's end.
//!
//! The host sends one [`Request`] and nothing after it. The supervisor answers with [`Report`]s, one a line:
//! first how the start went, later that the command has exited. Each side takes the end of the stream for the
//! end of the other.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use pf_media::picture::Size;

/// What a virtual display is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// The directory to make for the display's files.
    pub(super) home: PathBuf,
    /// The X server program.
    pub(super) server: OsString,
    pub(super) size: Size,
    /// Program and arguments to run in the display; empty for none.
    pub(super) command: Vec<OsString>,
}

impl Request {
    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut message = Vec::new();
        message.extend(self.size.width.to_le_bytes());
        message.extend(self.size.height.to_le_bytes());
        for field in
            [self.home.as_os_str(), &self.server].into_iter().chain(self.command.iter().map(|a| &**a))
        {
            message.extend((field.len() as u32).to_le_bytes());
            message.extend(field.as_bytes());
        }
        to.write_all(&(message.len() as u32).to_le_bytes())?;
        to.write_all(&message)
    }

    pub(super) fn read(from: &mut impl Read) -> io::Result<Self> {
        let length = read_u32(from)?;
        let mut message = from.take(length.into());
        let size = Size::new(read_u32(&mut message)?, read_u32(&mut message)?);
        let home = read_field(&mut message)?.into();
        let server = read_field(&mut message)?;
        let mut command = Vec::new();
        while message.limit() > 0 {
            command.push(read_field(&mut message)?);
        }
        Ok(Self { home, server, size, command })
    }
}

fn read_u32(from: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn read_field(from: &mut impl Read) -> io::Result<OsString> {
    let length = read_u32(from)?;
    let mut bytes = Vec::new();
    if from.take(length.into()).read_to_end(&mut bytes)? < length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(OsString::from_vec(bytes))
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// The display with this number is up, and the command runs in it.
    Ready(u16),
    /// There is no such X server program.
    ServerMissing,
    /// The X server did not come up.
    ServerFailed(String),
    /// There is no such command.
    CommandNotFound,
    /// The command exists and cannot be started.
    CommandFailed(String),
    /// The machine refused something else.
    SystemFailed(String),
    /// The command has ended; the display stays.
    CommandExited(String),
}

impl Report {
    /// The report as one line, with its end.
    pub(super) fn to_line(&self) -> String {
        let (word, detail) = match self {
            Self::Ready(number) => ("ready", number.to_string()),
            Self::ServerMissing => ("server-missing", String::new()),
            Self::ServerFailed(reason) => ("server-failed", reason.clone()),
            Self::CommandNotFound => ("command-not-found", String::new()),
            Self::CommandFailed(reason) => ("command-failed", reason.clone()),
            Self::SystemFailed(reason) => ("system-failed", reason.clone()),
            Self::CommandExited(how) => ("command-exited", how.clone()),
        };
        format!("{word} {}\n", detail.replace('\n', " "))
    }

    /// The report in a line without its end; `None` for anything else.
    pub(super) fn from_line(line: &str) -> Option<Self> {
        let (word, detail) = line.split_once(' ')?;
        let text = detail.to_owned();
        Some(match word {
            "ready" => Self::Ready(detail.parse().ok()?),
            "server-missing" => Self::ServerMissing,
            "server-failed" => Self::ServerFailed(text),
            "command-not-found" => Self::CommandNotFound,
            "command-failed" => Self::CommandFailed(text),
            "system-failed" => Self::SystemFailed(text),
            "command-exited" => Self::CommandExited(text),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            home: "/tmp/a b".into(),
            server: "Xvfb".into(),
            size: Size::new(1280, 720),
            command: vec![
                "sh".into(),
                "-c".into(),
                OsString::from_vec(b"echo '\n\0\xFF'".to_vec()),
                "".into(),
            ],
        }
    }

    fn written(request: &Request) -> Vec<u8> {
        let mut bytes = Vec::new();
        request.write(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_request_arrives_as_it_was_sent() {
        for request in [request(), Request { command: vec![], ..request() }] {
            assert_eq!(Request::read(&mut written(&request).as_slice()).unwrap(), request);
        }
    }

    /// The host may die while it writes.
    #[test]
    fn a_request_that_breaks_off_is_an_error() {
        let bytes = written(&request());
        for length in 0..bytes.len() {
            assert!(Request::read(&mut &bytes[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_report_arrives_as_it_was_sent_on_one_line() {
        let reports = [
            Report::Ready(65_535),
            Report::ServerMissing,
            Report::ServerFailed("two words".to_owned()),
            Report::CommandNotFound,
            Report::CommandFailed("Permission denied (os error 13)".to_owned()),
            Report::SystemFailed(String::new()),
            Report::CommandExited("exit status: 1".to_owned()),
        ];
        for report in reports {
            let line = report.to_line();
            assert_eq!(Report::from_line(line.strip_suffix('\n').unwrap()), Some(report));
        }
        assert_eq!(Report::ServerFailed("a\nb".to_owned()).to_line(), "server-failed a b\n");
        assert_eq!(Report::from_line("ready 65536"), None);
        assert_eq!(Report::from_line("hello there"), None);
    }
}
