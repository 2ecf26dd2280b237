//! A virtual environment of Python for the one tool that comes from there: schemathesis, which holds the console's API
//! against its document.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::process;

/// What is installed, to the last version.
const REQUIREMENTS: &str = "web/e2e/requirements.txt";

/// Where, below cargo's target directory.
const PLACE: &str = "python";

/// Left behind there when all is installed: the requirements that it was installed from.
const STAMP: &str = "installed-from";

/// Makes the environment and installs the requirements, unless that was done before.
pub(super) fn install(root: &Path) -> Result<()> {
    let requirements = root.join(REQUIREMENTS);
    let wanted = fs::read_to_string(&requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let place = process::target_directory(root)?.join(PLACE);
    let stamp = place.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    println!("setup: installing schemathesis into {}", place.display());
    process::run_to_end(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place))?;
    let mut pip = Command::new(place.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    process::run_to_end(pip.arg(&requirements))?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

/// A program of the environment.
pub(crate) fn program(root: &Path, name: &str) -> Result<PathBuf> {
    Ok(process::target_directory(root)?.join(PLACE).join("bin").join(name))
}
