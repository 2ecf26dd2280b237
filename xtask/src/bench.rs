//! Measures: builds for release and runs `pf-bench`, or what measures the console.

use std::path::Path;

use anyhow::{Result, bail};

use crate::{
    browser, process,
    setup::{Purpose, setup, setup_peers},
};

/// What `pf-bench` measures, by its own words; `cargo xtask bench` alone is the first two.
const WORDS: &[&str] = &["trust", "stream", "latency", "link", "input", "app", "clients", "quality", "soak"];

/// All of these but the soak, which takes half an hour by itself.
const ALL: &str = "all";

/// See [`ALL`].
const SOAK: &str = "soak";

/// What is done on machines of the lab, or beside other programs.
const WITH_PEERS: &[&str] = &["latency", "link", "input", "app", ALL];

/// What compares encoders: all that can be built here.
const QUALITY: &str = "quality";

/// What is there where x264 can be built in.
const X264: &str = "/usr/include/x264.h";

/// Where `--docs` has results go.
const DOCS: &str = "--docs";

/// Builds the programs for release and measures what the first argument says; the rest goes to `pf-bench`.
pub(crate) fn bench(root: &Path, arguments: &[&str]) -> Result<()> {
    match arguments {
        [] => {
            prepare(root, &[])?;
            measure(root, &["trust"])?;
            measure(root, &["stream"])
        }
        ["console"] => {
            setup(root, Purpose::Test)?;
            build(root, &["--package", "punktfunk-host", "--package", "punktfunk", "--package", "pf-e2e"])?;
            browser::bench(root)
        }
        // One after the other, since only the last is built with another encoder.
        [ALL, rest @ ..] => {
            prepare(root, arguments)?;
            let words = WORDS.iter().filter(|word| **word != SOAK);
            words.copied().try_for_each(|word| measure(root, &[&[word][..], rest].concat()))
        }
        [word, ..] if WORDS.contains(word) => {
            prepare(root, arguments)?;
            measure(root, arguments)
        }
        other => {
            bail!(
                "cannot read {:?}: bench takes console, all, or one of {}",
                other.join(" "),
                WORDS.join(", ")
            )
        }
    }
}

fn prepare(root: &Path, arguments: &[&str]) -> Result<()> {
    setup(root, Purpose::Run)?;
    if arguments.first().is_some_and(|word| WITH_PEERS.contains(word)) {
        setup_peers();
    }
    build(root, &["--package", "punktfunk-host", "--package", "punktfunk"])
}

/// Runs `pf-bench`; a bare `--docs` means the book of this work tree.
fn measure(root: &Path, arguments: &[&str]) -> Result<()> {
    let mut bench = process::cargo(root, ["run", "--release", "--package", "pf-bench"]);
    if arguments.first() == Some(&QUALITY) && Path::new(X264).exists() {
        bench.args(["--features", "x264"]);
    }
    bench.arg("--").args(arguments.iter().filter(|argument| **argument != DOCS));
    if arguments.contains(&DOCS) {
        bench.arg(DOCS).arg(root.join("docs"));
    }
    process::run_to_end(&mut bench)
}

fn build(root: &Path, packages: &[&str]) -> Result<()> {
    process::run_to_end(&mut process::cargo(root, ["build", "--release"].iter().chain(packages)))
}
