//! Fuzzes the decoders of what comes from the network, with the targets in `fuzz/`.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    process,
    setup::{Tool, install_tool},
};

/// How long each target runs unless told otherwise.
const DEFAULT_SECONDS: u32 = 60;

/// The fuzzer, which `cargo xtask test` does without.
const CARGO_FUZZ: Tool = Tool { name: "cargo-fuzz", why: "drives the fuzzers" };

/// Fuzzes the target that the arguments name, or every one in turn.
pub(crate) fn fuzz(root: &Path, arguments: &[&str]) -> Result<()> {
    let wish = Wish::parse(arguments)?;
    if !process::is_installed(CARGO_FUZZ.name) {
        install_tool(root, &CARGO_FUZZ)?;
    }
    let listing = process::read(&mut cargo_fuzz(root, "list"))?;
    let all: Vec<_> = listing.lines().map(str::trim).filter(|name| !name.is_empty()).collect();
    for target in wish.targets(&all)? {
        println!("fuzz: {target} for {} seconds", wish.seconds);
        // The first folder takes what is found new, the second is the committed corpus, which stays as it is.
        let found = root.join("target/fuzz-corpus").join(target);
        let committed = root.join("fuzz/corpus").join(target);
        fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
        let mut run = cargo_fuzz(root, "run");
        run.arg(target).arg(&found);
        if committed.is_dir() {
            run.arg(&committed);
        }
        process::run_to_end(run.arg("--").arg(format!("-max_total_time={}", wish.seconds)))?;
    }
    Ok(())
}

/// A `cargo fuzz` command. It wants a nightly's flags for its sanitiser, which the stable compiler takes under this name.
fn cargo_fuzz(root: &Path, command: &str) -> Command {
    let mut fuzz = process::cargo(root, ["fuzz", command]);
    fuzz.env("RUSTC_BOOTSTRAP", "1");
    fuzz
}

/// What to fuzz and for how long.
#[derive(Debug, PartialEq, Eq)]
struct Wish<'a> {
    /// `None` for every target.
    target: Option<&'a str>,
    seconds: u32,
}

impl<'a> Wish<'a> {
    fn parse(arguments: &[&'a str]) -> Result<Self> {
        let (target, rest) = match arguments {
            [target, rest @ ..] if !target.starts_with('-') => (Some(*target), rest),
            rest => (None, rest),
        };
        let seconds = match rest {
            [] => DEFAULT_SECONDS,
            ["--seconds", number] => number.parse().context("--seconds takes a number")?,
            other => bail!("cannot read {:?}: fuzz takes [TARGET] [--seconds N]", other.join(" ")),
        };
        // The fuzzer takes 0 for "never stop".
        ensure!(seconds > 0, "--seconds takes at least 1");
        Ok(Self { target, seconds })
    }

    /// The targets among `all` that are meant.
    fn targets<'b>(&self, all: &[&'b str]) -> Result<Vec<&'b str>> {
        let meant: Vec<_> =
            all.iter().copied().filter(|name| self.target.is_none_or(|target| target == *name)).collect();
        ensure!(!meant.is_empty(), "no such target; there are: {}", all.join(", "));
        Ok(meant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_read() {
        let wish = |target, seconds| Wish { target, seconds };
        assert_eq!(Wish::parse(&[]).unwrap(), wish(None, DEFAULT_SECONDS));
        assert_eq!(Wish::parse(&["pair"]).unwrap(), wish(Some("pair"), DEFAULT_SECONDS));
        assert_eq!(Wish::parse(&["pair", "--seconds", "5"]).unwrap(), wish(Some("pair"), 5));
        assert_eq!(Wish::parse(&["--seconds", "5"]).unwrap(), wish(None, 5));
        for wrong in
            [&["pair", "media"][..], &["--seconds"], &["--seconds", "0"], &["--seconds", "x"], &["-x"]]
        {
            assert!(Wish::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_unknown_target_is_an_error_and_not_nothing_to_do() {
        let all = ["pair", "media"];
        assert_eq!(Wish::parse(&[]).unwrap().targets(&all).unwrap(), all);
        assert_eq!(Wish::parse(&["media"]).unwrap().targets(&all).unwrap(), ["media"]);
        assert!(
            Wish::parse(&["med"]).unwrap().targets(&all).unwrap_err().to_string().contains("pair, media")
        );
        assert!(Wish::parse(&[]).unwrap().targets(&[]).is_err());
    }
}
