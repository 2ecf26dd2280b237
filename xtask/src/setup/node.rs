//! Node and the packages below `web/`: for the page and its tests, never for building or running the programs.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};

use crate::process;

/// The oldest Node that the page's build tool runs on: major and minor version.
const OLDEST: (u32, u32) = (20, 19);

/// Left behind in `node_modules` when all is installed: the lock file that it was installed from.
const STAMP: &str = "node_modules/.installed-from";

/// Installs what a package's lock file names, unless that was done before.
pub(super) fn install(package: &Path) -> Result<()> {
    let lock = package.join("package-lock.json");
    let lock = fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let stamp = package.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    println!("setup: installing the packages of {}", package.display());
    // It begins by taking `node_modules` away, with the stamp.
    process::run_to_end(&mut process::npm(package, ["ci", "--no-audit", "--no-fund"]))?;
    fs::write(&stamp, lock).with_context(|| format!("cannot write {}", stamp.display()))
}

/// Fails, with the way on, when Node is older than [`OLDEST`]: some distributions have nothing newer.
pub(super) fn check_version() -> Result<()> {
    judge(process::read(Command::new("node").arg("--version"))?.trim())
}

fn judge(version: &str) -> Result<()> {
    let mut numbers = version.trim_start_matches('v').split('.').map(str::parse::<u32>);
    let found = numbers.next().zip(numbers.next()).and_then(|(major, minor)| major.ok().zip(minor.ok()));
    let found = found.with_context(|| format!("node says that it is {version:?}, which is no version"))?;
    let (major, minor) = OLDEST;
    ensure!(
        found >= OLDEST,
        "node {version} is too old, and this system's package is no newer: install Node {major}.{minor} or later \
         in another way (see https://nodejs.org/en/download), put it first in PATH, then run this again. Only the \
         page and its tests need it: `cargo xtask run` does without."
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_node_is_refused_with_the_way_on() {
        for new in ["v20.19.0", "v20.20.2", "v24.0.1"] {
            judge(new).unwrap();
        }
        for old in ["v18.20.4", "v20.18.3", "v0.10.0"] {
            let error = judge(old).unwrap_err().to_string();
            assert!(error.contains(old) && error.contains("20.19") && error.contains("PATH"), "{error}");
        }
        for nonsense in ["", "v20", "node"] {
            assert!(judge(nonsense).is_err(), "{nonsense:?}");
        }
    }

    /// What is there is not installed again, or every test run would wait for the network.
    #[test]
    fn an_unchanged_lock_file_is_installed_once() {
        let package = tempfile::tempdir().unwrap();
        assert!(install(package.path()).unwrap_err().to_string().contains("package-lock.json"));
        fs::write(package.path().join("package-lock.json"), "{}").unwrap();
        fs::create_dir(package.path().join("node_modules")).unwrap();
        fs::write(package.path().join(STAMP), "{}").unwrap();
        // There is no package.json here: npm would fail.
        install(package.path()).unwrap();
        fs::write(package.path().join("package-lock.json"), "{ }").unwrap();
        assert!(install(package.path()).is_err());
    }
}
