//! Where the sound server is: the rules that PulseAudio's own clients go by, as far as they lead to this machine.

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use crate::SoundError;

/// A sound server of this machine: PulseAudio, or PipeWire in its clothes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its socket.
    pub socket: PathBuf,
    /// The file with the cookie that opens it to who is not its user; `None` for none.
    pub cookie: Option<PathBuf>,
}

impl Server {
    /// The server that the environment names: `PULSE_SERVER`, `PULSE_RUNTIME_PATH`, `XDG_RUNTIME_DIR`, and in the end
    /// the place where one is usually.
    ///
    /// A server on another machine is refused: its sound would take a detour that nothing accounts for.
    pub fn from_environment() -> Result<Self, SoundError> {
        Self::from_variables(|name| env::var_os(name).filter(|value| !value.is_empty()), env::home_dir())
    }

    fn from_variables(
        variable: impl Fn(&str) -> Option<OsString>,
        home: Option<PathBuf>,
    ) -> Result<Self, SoundError> {
        let cookie = variable("PULSE_COOKIE").map(PathBuf::from).or_else(|| {
            let home = home?;
            [".config/pulse/cookie", ".pulse-cookie"]
                .map(|name| home.join(name))
                .into_iter()
                .find(|path| path.exists())
        });
        let socket = match variable("PULSE_SERVER") {
            Some(address) => socket_of(&address.to_string_lossy())?,
            None => variable("PULSE_RUNTIME_PATH")
                .map(|path| Path::new(&path).join("native"))
                .or_else(|| variable("XDG_RUNTIME_DIR").map(|path| Path::new(&path).join("pulse/native")))
                .unwrap_or_else(usual_socket),
        };
        Ok(Self { socket, cookie })
    }

    /// Whether anything takes connections there now; why not, if not.
    pub fn probe(&self) -> Result<(), SoundError> {
        self.connect().map(drop)
    }

    pub(crate) fn connect(&self) -> Result<UnixStream, SoundError> {
        let unreachable = |error: std::io::Error| SoundError::Unreachable {
            socket: self.socket.clone(),
            reason: error.to_string(),
        };
        let stream = UnixStream::connect(&self.socket).map_err(unreachable)?;
        stream.set_nonblocking(true).map_err(unreachable)?;
        Ok(stream)
    }

    /// The cookie, or zeros: the server looks at the user too, and says when that is not enough.
    ///
    /// A cookie of any other length is a breach of protocol to the server, and no answer comes.
    pub(crate) fn read_cookie(&self) -> Vec<u8> {
        let mut cookie = self.cookie.as_ref().and_then(|path| fs::read(path).ok()).unwrap_or_default();
        cookie.resize(COOKIE_LEN, 0);
        cookie
    }
}

/// The length of every cookie.
const COOKIE_LEN: usize = 256;

/// The first socket of this machine in an address list such as `{machine}unix:/run/user/1000/pulse/native tcp:other`.
fn socket_of(addresses: &str) -> Result<PathBuf, SoundError> {
    let local = addresses.split_whitespace().find_map(|address| {
        let address = address.split_once('}').map_or(address, |(_, rest)| rest);
        let path = address.strip_prefix("unix:").unwrap_or(address);
        path.starts_with('/').then(|| PathBuf::from(path))
    });
    local.ok_or_else(|| SoundError::NoServer {
        reason: format!("PULSE_SERVER is {addresses:?}, which is no socket of this machine"),
    })
}

/// The place of the server of this process' user.
fn usual_socket() -> PathBuf {
    let user = rustix::process::getuid().as_raw();
    PathBuf::from(format!("/run/user/{user}/pulse/native"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Result<Server, SoundError> {
        let variable = |name: &str| {
            variables.iter().find(|(there, _)| *there == name).map(|(_, value)| OsString::from(value))
        };
        Server::from_variables(variable, None)
    }

    #[test]
    fn the_environment_is_read_in_the_order_that_pulseaudio_reads_it() {
        let all = [("PULSE_SERVER", "unix:/a"), ("PULSE_RUNTIME_PATH", "/b"), ("XDG_RUNTIME_DIR", "/c")];
        for (variables, socket) in
            [(&all[..], "/a"), (&all[1..], "/b/native"), (&all[2..], "/c/pulse/native")]
        {
            assert_eq!(found(variables).unwrap().socket, Path::new(socket));
        }
        assert!(found(&[]).unwrap().socket.ends_with("pulse/native"));
        assert_eq!(found(&[("PULSE_COOKIE", "/d")]).unwrap().cookie, Some(PathBuf::from("/d")));
    }

    #[test]
    fn every_form_of_a_local_address_is_understood_and_no_other() {
        for address in ["unix:/a", "/a", "{0123}unix:/a", "tcp:host:4713 unix:/a", "{0123}/a host"] {
            assert_eq!(socket_of(address).unwrap(), Path::new("/a"), "{address}");
        }
        for address in ["tcp:host", "host", "unix:a", "{}", " "] {
            assert!(matches!(socket_of(address), Err(SoundError::NoServer { .. })), "{address}");
        }
    }

    #[test]
    fn a_server_that_is_not_there_says_where_and_what_to_do() {
        let server = Server { socket: "/no/such/socket".into(), cookie: None };
        let error = server.probe().unwrap_err();
        assert!(error.to_string().contains("/no/such/socket"));
        assert!(error.way_on().contains("PipeWire"));
    }
}
