//! Where the control socket is, and how to reach it whatever the length of its path.

use std::{
    fs::File,
    io,
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
};

use tokio::net::{UnixListener, UnixStream};

const FILE_NAME: &str = "ctl.sock";

/// Listens in `data_dir`. The caller holds the directory's lock, so a socket that is there is a dead one's.
pub(super) fn listen(data_dir: &Path) -> io::Result<UnixListener> {
    let path = data_dir.join(FILE_NAME);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let (_directory, short) = short_path(data_dir)?;
    // The directory is 0700, so nobody else gets at the socket before its mode is set.
    let listener = UnixListener::bind(short)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Connects to the host that runs on `data_dir`.
pub(super) async fn connect(data_dir: &Path) -> io::Result<UnixStream> {
    let (_directory, short) = short_path(data_dir)?;
    UnixStream::connect(short).await
}

/// The socket's path through the open directory: a socket's own path may be no longer than 107 bytes.
fn short_path(data_dir: &Path) -> io::Result<(File, PathBuf)> {
    let directory = File::open(data_dir)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{FILE_NAME}", directory.as_raw_fd()));
    Ok((directory, path))
}

/// Takes the socket away again.
pub(super) fn remove(data_dir: &Path) {
    // What is left is replaced at the next start.
    let _ = std::fs::remove_file(data_dir.join(FILE_NAME));
}
