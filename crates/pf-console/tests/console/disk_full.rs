//! The disk is full: nobody gets in that is not stored, and who is shut out is out all the same.
//!
//! On a small file system of its own, for which these tests must run as root.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::PathBuf,
    process::Command,
};

use serde_json::json;
use tempfile::TempDir;

use crate::support::{Console, PASSWORD, ask};

/// A mounted file system of two megabytes; unmounted when it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &TempDir) -> Self {
        let mount = ["-t", "tmpfs", "-o", "size=2m,mode=0700", "punktfunk-test"];
        let status = Command::new("mount").args(mount).arg(at.path()).status().unwrap();
        assert!(status.success(), "this test runs as root, where it may mount a file system");
        Self(at.path().to_owned())
    }

    /// Leaves no space at all.
    fn fill(&self) {
        let mut filler = File::create(self.0.join("filler")).unwrap();
        loop {
            match filler.write_all(&[0; 4096]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn free(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the store under test may still have files open when a test failed.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[tokio::test]
async fn r8_what_cannot_be_stored_lets_nobody_in_and_keeps_nobody_in() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(&dir);
    let console = Console::at(dir).await;
    let (lost, own) = (console.sign_in().await, console.sign_in().await);
    disk.fill();

    let sign_in = ask("POST", "/sign-in").json(&json!({ "password": PASSWORD })).of(&console).await;
    sign_in.assert_refused(503, "store_unreadable");
    assert_eq!(sign_in.header("set-cookie"), "");
    assert_eq!(console.sign_ins.list().await.len(), 2);

    let change = ask("PUT", "/password").json(&json!({ "password": "another good password" })).cookie(&own);
    change.of(&console).await.assert_refused(503, "store_unreadable");
    assert_eq!(ask("GET", "/status").cookie(&lost).of(&console).await.status.as_u16(), 200);

    ask("DELETE", "/sign-ins/1").cookie(&own).of(&console).await.assert_refused(503, "in_force_but_unsaved");
    ask("GET", "/status").cookie(&lost).of(&console).await.assert_refused(401, "signed_out");

    // Once there is space, the end is stored with the next one.
    disk.free();
    assert_eq!(ask("DELETE", "/sign-in").cookie(&own).of(&console).await.status.as_u16(), 204);
    let console = console.restart().await;
    assert!(console.sign_ins.list().await.is_empty());
    console.sign_in().await;
}
