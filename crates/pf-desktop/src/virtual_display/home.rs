//! A virtual display's files: its directory, and what its X server leaves in `/tmp`.
//!
//! The directory holds the cookie that opens the display (`Xauthority`), the X server's process id and log,
//! which socket is its own, and the request. Who is responsible for a display holds a shared `flock` on the
//! directory, which the kernel drops when that process ends in whatever way: a directory that can be locked
//! exclusively has been abandoned, and anyone of the same user may clear it away.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, geteuid};

use super::processes;

/// A virtual display's directory, held by this process.
pub(super) struct Home {
    path: PathBuf,
    /// Open for its lock.
    _lock: File,
}

impl Home {
    /// A path for a new display's directory, which nobody can guess.
    pub(super) fn new_path() -> io::Result<PathBuf> {
        let mut name = [0; 16];
        getrandom::fill(&mut name).map_err(io::Error::other)?;
        Ok(std::env::temp_dir().join(format!("{PREFIX}{:032x}", u128::from_ne_bytes(name))))
    }

    /// Makes the directory, for this user only, with a fresh cookie in it.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        loop {
            DirBuilder::new().mode(0o700).create(path)?;
            if let Some(home) = Self::join(path)? {
                let mut cookie = [0; COOKIE_LENGTH];
                getrandom::fill(&mut cookie).map_err(io::Error::other)?;
                home.write(AUTHORITY, &authority(&cookie))?;
                return Ok(home);
            }
            // A sweep took it for abandoned before it was locked.
        }
    }

    /// Shares the responsibility for an existing directory; `None` when it has just been cleared away.
    pub(super) fn join(path: &Path) -> io::Result<Option<Self>> {
        let directory = match File::open(path) {
            Ok(directory) => directory,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        flock(&directory, FlockOperation::LockShared)?;
        Ok(path.exists().then(|| Self { path: path.to_owned(), _lock: directory }))
    }

    /// Takes over a directory for which nobody is responsible any more.
    fn seize(path: &Path) -> io::Result<Self> {
        let directory = File::open(path)?;
        flock(&directory, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { path: path.to_owned(), _lock: directory })
    }

    /// The file in which X clients and the X server find the cookie.
    pub(super) fn authority(&self) -> PathBuf {
        authority_path(&self.path)
    }

    /// Where a file of this name is.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A new file that only this user can read, in place of any other of this name.
    pub(super) fn new_file(&self, name: &str) -> io::Result<File> {
        _ = fs::remove_file(self.file(name));
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.file(name))
    }

    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        self.new_file(name)?.write_all(content)
    }

    /// Notes the X server, for [`Self::clear`].
    pub(super) fn note_server(&self, server: Pid) -> io::Result<()> {
        self.write(SERVER, server.to_string().as_bytes())
    }

    /// Notes the display's socket, for [`Self::clear`].
    pub(super) fn note_socket(&self, number: u16) -> io::Result<()> {
        match fs::symlink_metadata(socket_path(number)) {
            Ok(file) => self.write(SOCKET, format!("{number} {}", file.ino()).as_bytes()),
            // See `connect`: there is nothing to clear then.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes the directory and what the X server left; its processes are to be gone by then.
    pub(super) fn clear(&self) {
        let note = |name| fs::read_to_string(self.file(name)).ok();
        if let Some(server) = note(SERVER).and_then(|text| text.parse().ok()).and_then(Pid::from_raw) {
            remove_locks_of(server);
        }
        if let Some(socket) = note(SOCKET) {
            remove_socket(&socket);
        }
        // Another one who is responsible may be removing it at the same time: both succeed in the end.
        _ = fs::remove_dir_all(&self.path);
    }
}

/// The cookie in a display's directory.
pub(super) fn read_cookie(home: &Path) -> io::Result<Vec<u8>> {
    let authority = fs::read(authority_path(home))?;
    let start = authority.len().checked_sub(COOKIE_LENGTH).ok_or(io::ErrorKind::InvalidData)?;
    Ok(authority[start..].to_vec())
}

/// Where a display's directory keeps the cookie.
pub(super) fn authority_path(home: &Path) -> PathBuf {
    home.join(AUTHORITY)
}

/// Connects to a local X server.
///
/// It listens on a file, and on a name of Linux's abstract namespace that goes with it. An X server that ends
/// removes its file a little after it has let go of its number, and then it is perhaps the file of another one
/// that has just started: that one answers by its name only.
pub(super) fn connect(number: u16) -> io::Result<UnixStream> {
    let path = socket_path(number);
    UnixStream::connect(&path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let name = SocketAddr::from_abstract_name(path.as_os_str().as_encoded_bytes())?;
            UnixStream::connect_addr(&name)
        }
        _ => Err(error),
    })
}

/// The file that a local X server listens on.
fn socket_path(number: u16) -> PathBuf {
    Path::new("/tmp/.X11-unix").join(format!("X{number}"))
}

/// Clears a display away, processes included, if nobody is responsible for it any more.
pub(super) fn clear_if_abandoned(path: &Path) {
    if let Ok(home) = Home::seize(path) {
        processes::kill_users_of(&home.authority());
        home.clear();
    }
}

/// Clears a display away whose supervisors have all ended, or are about to.
///
/// A process that ends lets go of its descriptors one by one: its socket may end before its lock does.
pub(super) fn clear_when_abandoned(path: &Path) {
    let begin = Instant::now();
    while path.exists() && begin.elapsed() < LOCK_PATIENCE {
        clear_if_abandoned(path);
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Clears away every display of this user that was abandoned in `directory`, as when everything was killed at
/// once.
pub(super) fn sweep(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            // Not through a link: that would lead to a directory that was never a display's.
            && entry.metadata().is_ok_and(|meta| meta.is_dir() && meta.uid() == geteuid().as_raw());
        if is_ours {
            clear_if_abandoned(&entry.path());
        }
    }
}

/// Removes the lock of an X server that had no chance to do so.
///
/// Most that choose their number themselves take no lock; this is for those that do.
fn remove_locks_of(server: Pid) {
    if processes::is_alive(server) {
        return;
    }
    let Ok(entries) = fs::read_dir("/tmp") else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with(".X") && name.ends_with("-lock")) {
            let holder = fs::read_to_string(entry.path()).ok().and_then(|text| text.trim().parse().ok());
            if holder == Some(server.as_raw_pid()) {
                _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Removes a socket as [noted](Home::note_socket), unless its number is in use again.
fn remove_socket(note: &str) -> Option<()> {
    let (number, file) = note.split_once(' ')?;
    let path = socket_path(number.parse().ok()?);
    let is_the_same = fs::symlink_metadata(&path).ok()?.ino() == file.parse().ok()?;
    let error = UnixStream::connect(&path).err()?;
    if is_the_same && error.kind() == io::ErrorKind::ConnectionRefused {
        _ = fs::remove_file(path);
    }
    Some(())
}

/// A cookie as `Xauthority` files hold it: one entry, for any host and any display.
///
/// The display's number is not known before its X server has started, and that wants the file.
fn authority(cookie: &[u8; COOKIE_LENGTH]) -> Vec<u8> {
    let mut entry = Vec::new();
    entry.extend(ANY_HOST.to_be_bytes());
    for field in [b"".as_slice(), b"", b"MIT-MAGIC-COOKIE-1", cookie] {
        entry.extend((field.len() as u16).to_be_bytes());
        entry.extend(field);
    }
    entry
}

/// How the names of the directories begin; a prefix that does not contain the name of the host program, so
/// that whoever kills that by its name does not hit the supervisor as well.
const PREFIX: &str = "pf-display-";

/// How long to wait for the lock of a process that is ending.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

const AUTHORITY: &str = "Xauthority";
const SERVER: &str = "server.pid";
const SOCKET: &str = "socket";
const COOKIE_LENGTH: usize = 16;

/// `FamilyWild` of Xauth.h.
const ANY_HOST: u16 = 0xFFFF;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_its_user_can_read_the_cookie() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("home");
        let home = Home::create(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&home.authority()), 0o600);
        assert_eq!(read_cookie(&path).unwrap().len(), COOKIE_LENGTH);
    }

    #[test]
    fn no_two_displays_share_a_cookie() {
        let parent = tempfile::tempdir().unwrap();
        let cookie = |name| {
            let path = parent.path().join(name);
            Home::create(&path).unwrap();
            read_cookie(&path).unwrap()
        };
        assert_ne!(cookie("one"), cookie("other"));
    }

    #[test]
    fn a_sweep_takes_what_was_abandoned_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let path = |name| parent.path().join(name);
        let held = Home::create(&path("pf-display-held")).unwrap();
        let shared = Home::join(&path("pf-display-held")).unwrap().unwrap();
        drop(Home::create(&path("pf-display-abandoned")).unwrap());
        drop(Home::create(&path("other-abandoned")).unwrap());
        fs::write(path("pf-display-file"), "").unwrap();
        std::os::unix::fs::symlink(path("other-abandoned"), path("pf-display-link")).unwrap();

        let left = || {
            sweep(parent.path());
            let entries = fs::read_dir(parent.path()).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let others = ["other-abandoned", "pf-display-file", "pf-display-link"];
        assert_eq!(left(), ["other-abandoned", "pf-display-file", "pf-display-held", "pf-display-link"]);
        drop(held);
        assert_eq!(left().len(), 4, "the other holder still is responsible");
        drop(shared);
        assert_eq!(left(), others);
    }
}
