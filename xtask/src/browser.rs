//! Runs what `web/e2e` holds: the console in a real browser, its API against its document, pictures of its pages, and
//! how fast it is. All of it starts the programs that cargo built, as processes.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::{
    process,
    setup::{BROWSERS, Purpose, python, setup},
};

/// The package.
const PACKAGE: &str = "web/e2e";

/// The variables by which the package learns where things are.
const PROGRAMS: &str = "PF_BIN_DIR";
const BROWSER: &str = "PF_BROWSER";
const SCHEMATHESIS: &str = "PF_SCHEMATHESIS";
const SCREENSHOTS: &str = "PF_SCREENSHOTS";

/// Where pictures go unless told otherwise, below cargo's target directory.
const PICTURES: &str = "screenshots";

/// The package's own types, lints and format.
pub(crate) fn check(root: &Path) -> Result<()> {
    process::run_to_end(&mut process::npm(&root.join(PACKAGE), ["run", "check"]))
}

/// The page's own checks: its types, its lints, its format.
pub(crate) fn check_page(root: &Path) -> Result<()> {
    process::run_to_end(&mut process::npm(&root.join("web"), ["run", "check"]))
}

/// The page's own unit tests.
pub(crate) fn test_page(root: &Path) -> Result<()> {
    process::run_to_end(&mut process::npm(&root.join("web"), ["test"]))
}

/// Holds the API against its document. The programs are built.
pub(crate) fn api(root: &Path) -> Result<()> {
    npm_run(root, "api", "debug", &[(SCHEMATHESIS, python::program(root, "schemathesis")?)])
}

/// Uses the page as its owner and its attackers do. The programs are built.
pub(crate) fn test(root: &Path) -> Result<()> {
    npm_run(root, "test", "debug", &[])
}

/// Builds the programs and takes pictures of every page of a host with something to show.
pub(crate) fn screenshots(root: &Path, arguments: &[&str]) -> Result<()> {
    let folder = match arguments {
        [] => process::target_directory(root)?.join(PICTURES),
        [folder] if !folder.starts_with('-') => env::current_dir()?.join(folder),
        other => bail!("cannot read {:?}: screenshots takes [FOLDER]", other.join(" ")),
    };
    setup(root, Purpose::Test)?;
    let build =
        ["build", "--workspace", "--bin", "punktfunk-host", "--bin", "punktfunk", "--bin", "pf-stranger"];
    process::run_to_end(&mut process::cargo(root, build))?;
    npm_run(root, "screenshots", "debug", &[(SCREENSHOTS, folder)])
}

/// Measures the console. The programs are built for release.
pub(crate) fn bench(root: &Path) -> Result<()> {
    npm_run(root, "bench", "release", &[])
}

/// Runs one of the package's scripts with the programs of a profile.
fn npm_run(root: &Path, script: &str, profile: &str, variables: &[(&str, PathBuf)]) -> Result<()> {
    let mut npm = process::npm(&root.join(PACKAGE), ["run", "--silent", script]);
    npm.env(PROGRAMS, process::target_directory(root)?.join(profile));
    if env::var_os(BROWSER).is_none() {
        npm.env(BROWSER, browser()?);
    }
    process::run_to_end(npm.envs(variables.iter().map(|(name, value)| (name, value))))
}

/// The browser to use where `PF_BROWSER` names none.
fn browser() -> Result<PathBuf> {
    let found = BROWSERS.iter().find_map(|name| process::find(name));
    found.with_context(|| {
        format!("no browser is installed: {}, or name one in {BROWSER}", BROWSERS.join(", "))
    })
}
