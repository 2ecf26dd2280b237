//! Measures: builds for release and runs `pf-bench`, or what measures the console.

use std::path::Path;

use anyhow::{Result, bail};

use crate::{
    browser, process,
    setup::{Purpose, setup},
};

/// Builds the programs for release and measures: the stream, or with `console` the console.
pub(crate) fn bench(root: &Path, arguments: &[&str]) -> Result<()> {
    match arguments {
        [] => {
            setup(root, Purpose::Run)?;
            build(root, &["--package", "punktfunk-host", "--package", "punktfunk"])?;
            process::run_to_end(&mut process::cargo(root, ["run", "--release", "--package", "pf-bench"]))
        }
        ["console"] => {
            setup(root, Purpose::Test)?;
            build(root, &["--package", "punktfunk-host", "--package", "punktfunk", "--package", "pf-e2e"])?;
            browser::bench(root)
        }
        other => bail!("cannot read {:?}: bench takes [console]", other.join(" ")),
    }
}

fn build(root: &Path, packages: &[&str]) -> Result<()> {
    process::run_to_end(&mut process::cargo(root, ["build", "--release"].iter().chain(packages)))
}
