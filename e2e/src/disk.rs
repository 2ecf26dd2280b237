//! A small disk, to be filled.

use std::{
    fs::File,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// A mounted file system of two megabytes, for which a test must run as root.
#[derive(Debug)]
pub struct SmallDisk(TempDir);

impl SmallDisk {
    /// An empty one.
    pub fn mount() -> Self {
        let temp = tempfile::Builder::new().prefix("pf-e2e-disk-").tempdir().unwrap();
        let options = ["-t", "tmpfs", "-o", "size=2m,mode=0700", "punktfunk-test"];
        let status = Command::new("mount").args(options).arg(temp.path()).status().unwrap();
        assert!(status.success(), "this test runs as root, where it may mount a file system");
        Self(temp)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves no space at all.
    pub fn fill(&self) {
        let mut filler = File::create(self.filler()).unwrap();
        loop {
            match filler.write_all(&[0; 4096]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Gives the space back.
    pub fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a program may still have files open there when a test failed.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}
