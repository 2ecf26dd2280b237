//! Files that only their owner may read or write, and making them so that a crash leaves none or a whole one.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::StoreError;

/// The widest modes that are accepted, and those that files and directories are made with.
pub(crate) const FILE_MODE: u32 = 0o600;
pub(crate) const DIR_MODE: u32 = 0o700;

/// Opens a file for reading once it is sure that nobody else could have written or read it; `None` where there is none.
pub(crate) fn open(path: &Path) -> Result<Option<File>, StoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(StoreError::io("open", path)(e)),
    };
    let metadata = file.metadata().map_err(StoreError::io("look at", path))?;
    require_private_file(path, &metadata)?;
    Ok(Some(file))
}

/// Whether there is such a file; refuses one that others have access to.
pub(crate) fn exists(path: &Path) -> Result<bool, StoreError> {
    match fs::metadata(path) {
        Ok(metadata) => require_private_file(path, &metadata).map(|()| true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(StoreError::io("look at", path)(e)),
    }
}

/// Creates a file that was not there, for its owner alone.
pub(crate) fn create(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
        .map_err(StoreError::io("create", path))
}

/// Writes a whole new file, down to the disk.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut file = create(path)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(StoreError::io("write", path))
}

/// Copies a file into a whole new one, down to the disk.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let mut source = File::open(from).map_err(StoreError::io("open", from))?;
    let mut file = create(to)?;
    io::copy(&mut source, &mut file).and_then(|_| file.sync_all()).map_err(StoreError::io("write", to))
}

/// Gives a finished file its name, durably; never replaces another.
pub(crate) fn publish(finished: &Path, name: &Path) -> Result<(), StoreError> {
    fs::hard_link(finished, name).map_err(StoreError::io("create", name))?;
    fs::remove_file(finished).map_err(StoreError::io("remove", finished))?;
    sync_parent(name)
}

/// Renames a file durably, in place of whatever has that name.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(StoreError::io("rename", from))?;
    sync_parent(to)
}

/// Removes a file that may be there.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(StoreError::io("remove", path)(e)),
        _ => Ok(()),
    }
}

/// Makes the names in a file's directory durable.
pub(crate) fn sync_parent(path: &Path) -> Result<(), StoreError> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    File::open(parent).and_then(|dir| dir.sync_all()).map_err(StoreError::io("write", parent))
}

/// Creates a directory for its owner alone, parents too where they are missing; accepts one that is there and private.
pub(crate) fn create_dir(path: &Path) -> Result<(), StoreError> {
    let missing: Vec<PathBuf> = path.ancestors().take_while(|p| !p.exists()).map(PathBuf::from).collect();
    fs::DirBuilder::new().recursive(true).mode(DIR_MODE).create(path).map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            StoreError::NotADirectory { path: path.to_owned() }
        }
        _ => StoreError::io("create", path)(e),
    })?;
    for created in &missing {
        sync_parent(created)?;
    }
    dir_exists(path).map(drop)
}

/// Whether there is such a directory; refuses one that others may enter.
pub(crate) fn dir_exists(path: &Path) -> Result<bool, StoreError> {
    match fs::metadata(path) {
        Ok(metadata) => require_private(path, &metadata, DIR_MODE).map(|()| true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(StoreError::io("look at", path)(e)),
    }
}

fn require_private_file(path: &Path, metadata: &Metadata) -> Result<(), StoreError> {
    if !metadata.is_file() {
        return Err(StoreError::NotAFile { path: path.to_owned() });
    }
    require_private(path, metadata, FILE_MODE)
}

fn require_private(path: &Path, metadata: &Metadata, widest: u32) -> Result<(), StoreError> {
    let ours = rustix::process::geteuid().as_raw();
    if metadata.uid() != ours {
        return Err(StoreError::NotOurs { path: path.to_owned(), owner: metadata.uid(), ours });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(StoreError::TooOpen { path: path.to_owned(), mode, widest });
    }
    Ok(())
}
