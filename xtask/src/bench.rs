//! Measures: builds for release and runs `pf-bench`.

use std::path::Path;

use anyhow::Result;

use crate::{
    process,
    setup::{Purpose, setup},
};

/// Builds the programs and `pf-bench` for release, and runs it with `arguments`.
pub(crate) fn bench(root: &Path, arguments: &[&str]) -> Result<()> {
    setup(root, Purpose::Run)?;
    let programs = ["build", "--release", "--package", "punktfunk-host", "--package", "punktfunk"];
    process::run_to_end(&mut process::cargo(root, programs))?;
    let bench = ["run", "--release", "--package", "pf-bench", "--"];
    process::run_to_end(&mut process::cargo(root, bench.iter().chain(arguments)))
}
