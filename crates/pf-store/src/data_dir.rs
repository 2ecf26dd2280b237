//! The directory that everything is kept in, and who may use it at once.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::{
    StoreError,
    private_file::{self, FILE_MODE},
};

/// A directory that belongs to us and that nobody else may enter.
#[derive(Clone, Debug)]
pub struct DataDir {
    path: PathBuf,
}

impl DataDir {
    /// The directory at `path`; created, with its parents, where there is none.
    ///
    /// One that others may enter, or that is another user's, is refused as it is.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let path = std::path::absolute(path).map_err(StoreError::io("find", path))?;
        private_file::create_dir(&path)?;
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where copies are kept; created where it is missing.
    pub(crate) fn backup(&self) -> Result<PathBuf, StoreError> {
        let path = self.backup_path();
        private_file::create_dir(&path)?;
        Ok(path)
    }

    pub(crate) fn backup_path(&self) -> PathBuf {
        self.path.join("backup")
    }

    /// The first file in the backup directory whose name begins like this, in no order.
    pub(crate) fn any_copy(&self, prefix: &str) -> Result<Option<PathBuf>, StoreError> {
        let path = self.backup_path();
        if !private_file::dir_exists(&path)? {
            return Ok(None);
        }
        for entry in fs::read_dir(&path).map_err(StoreError::io("list", &path))? {
            let entry = entry.map_err(StoreError::io("list", &path))?;
            if entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()) {
                return Ok(Some(entry.path()));
            }
        }
        Ok(None)
    }

    /// Waits until no other process makes, checks, copies or restores files here, and keeps others from it.
    ///
    /// Never held for longer than that takes.
    pub(crate) fn setup_lock(&self) -> Result<Lock, StoreError> {
        let path = self.file("setup.lock");
        let file = open_lock(&path)?;
        file.lock().map_err(StoreError::io("lock", &path))?;
        Ok(Lock { _file: file })
    }

    /// Takes a lock that processes of one program share, or that one has for itself.
    pub(crate) fn use_lock(
        &self,
        name: &str,
        sharing: Sharing,
        program: &'static str,
    ) -> Result<Lock, StoreError> {
        let path = self.file(name);
        let file = open_lock(&path)?;
        let taken = match sharing {
            Sharing::Alone => file.try_lock(),
            Sharing::Together => file.try_lock_shared(),
        };
        match taken {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: self.path.clone(), program }),
            Err(TryLockError::Error(e)) => Err(StoreError::io("lock", &path)(e)),
        }
    }
}

/// Whether one process at a time may hold a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// One at a time.
    Alone,
    /// As many as there are, as long as nobody holds it alone.
    Together,
}

/// A lock that is held until this is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

fn open_lock(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(path)
        .map_err(StoreError::io("open", path))
}

/// Where a program's data goes by default: `$XDG_DATA_HOME/<program>`, else `$HOME/.local/share/<program>`.
///
/// The two variables are handed in. As the XDG specification asks, a relative `$XDG_DATA_HOME` is ignored.
pub fn default_data_dir(
    program: &str,
    xdg_data_home: Option<&OsStr>,
    home: Option<&OsStr>,
) -> Result<PathBuf, StoreError> {
    let absolute = |value: Option<&OsStr>| value.map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(xdg_data_home)
        .or_else(|| absolute(home).map(|home| home.join(".local/share")))
        .map(|base| base.join(program))
        .ok_or(StoreError::NoHome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_place_follows_xdg() {
        let place = |xdg: Option<&str>, home: Option<&str>| {
            default_data_dir("punktfunk", xdg.map(OsStr::new), home.map(OsStr::new)).ok()
        };
        assert_eq!(place(Some("/data"), Some("/home/a")), Some("/data/punktfunk".into()));
        let in_home = Some(PathBuf::from("/home/a/.local/share/punktfunk"));
        for unusable in [None, Some(""), Some("relative")] {
            assert_eq!(place(unusable, Some("/home/a")), in_home, "{unusable:?}");
            assert_eq!(place(unusable, None), None, "{unusable:?}");
        }
    }
}
