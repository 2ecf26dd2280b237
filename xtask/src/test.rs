//! Runs every check of the project, the quick ones first, and the tests last so that their summary closes the run.
//!
//! Everything is built in the one `dev` profile, and with the features that the tests need, so that nothing is
//! compiled twice.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::{
    browser,
    codegen::{self, Part},
    process,
    setup::{Purpose, setup},
    tidy::tidy,
};

/// Runs every check, and stops at the first that fails. `nextest` is passed on to the test runner.
pub(crate) fn test(root: &Path, nextest: &[&str]) -> Result<()> {
    setup(root, Purpose::Test)?;
    let steps = steps(nextest);
    let count = steps.len();
    for (index, step) in steps.iter().enumerate() {
        println!("\n=== {}/{count} {} ===", index + 1, step.title);
        let start = Instant::now();
        step.run(root).with_context(|| format!("{} failed", step.title))?;
        if index + 1 < count {
            println!("=== {} passed in {} s ===", step.title, round_up(start.elapsed()));
        }
    }
    Ok(())
}

/// One check.
struct Step<'a> {
    title: &'static str,
    check: Check<'a>,
}

enum Check<'a> {
    /// A cargo command, with what it is to find in its environment.
    Cargo(Vec<&'a str>, Option<(&'static str, &'static str)>),
    /// A function of this program.
    Own(fn(&Path) -> Result<()>),
}

impl Step<'_> {
    fn run(&self, root: &Path) -> Result<()> {
        match &self.check {
            Check::Cargo(arguments, variable) => {
                let mut cargo: Command = process::cargo(root, arguments);
                cargo.envs(*variable);
                process::run_to_end(&mut cargo)
            }
            Check::Own(check) => check(root),
        }
    }
}

/// The checks in their order. Advisories are not among them: their database cannot be fetched everywhere, and what
/// it says changes while the code does not.
fn steps<'a>(nextest: &[&'a str]) -> Vec<Step<'a>> {
    let cargo = |title, line: &'static str| {
        let check = Check::Cargo(line.split(' ').collect(), None);
        Step { title, check }
    };
    let own = |title, check| Step { title, check: Check::Own(check) };
    let docs =
        Check::Cargo("doc --workspace --no-deps".split(' ').collect(), Some(("RUSTDOCFLAGS", "-D warnings")));
    let tests = ["nextest", "run", "--workspace"].iter().chain(nextest).copied().collect();
    vec![
        cargo("format", "fmt --all --check"),
        own("tidy", tidy),
        own("page: types, lints and format", browser::check_page),
        own("page: unit tests", browser::test_page),
        own("page: the built one is current", |root| codegen::check(root, Part::Page)),
        own("browser tests: types, lints and format", browser::check),
        cargo("lints", "clippy --workspace --all-targets -- -D warnings"),
        Step { title: "documentation", check: docs },
        cargo("licences, bans and sources", "deny check licenses bans sources"),
        cargo("build", "build --workspace --all-targets"),
        own("the API's document is current", |root| codegen::check(root, Part::Openapi)),
        cargo("examples in the documentation", "test --workspace --doc"),
        cargo("x264: lints", "clippy --package pf-codec --all-targets --features x264 -- -D warnings"),
        cargo("x264: tests", "nextest run --package pf-codec --features x264"),
        own("the API keeps to its document", browser::api),
        own("browser tests", browser::test),
        Step { title: "tests", check: Check::Cargo(tests, None) },
    ]
}

/// Whole seconds, so that nothing takes none.
fn round_up(time: Duration) -> u64 {
    time.as_secs() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(steps: &[Step<'_>]) -> Vec<String> {
        let line = |step: &Step<'_>| match &step.check {
            Check::Cargo(arguments, _) => arguments.join(" "),
            Check::Own(_) => step.title.to_owned(),
        };
        steps.iter().map(line).collect()
    }

    #[test]
    fn the_runner_comes_last_and_takes_what_is_passed_on() {
        let lines = lines(&steps(&["-E", "test(inv_)"]));
        assert_eq!(lines.last().unwrap(), "nextest run --workspace -E test(inv_)");
    }

    /// Another profile would compile every dependency again.
    #[test]
    fn everything_is_built_in_one_profile() {
        for line in lines(&steps(&[])) {
            assert!(!line.contains("--release") && !line.contains("--profile"), "{line}");
        }
    }

    /// The browser would otherwise be shown programs of the last run.
    #[test]
    fn what_runs_the_programs_comes_after_the_build() {
        let lines = lines(&steps(&[]));
        let place = |title: &str| lines.iter().position(|line| line == title).unwrap();
        let build = place("build --workspace --all-targets");
        for late in ["the API's document is current", "the API keeps to its document", "browser tests"] {
            assert!(place(late) > build, "{late}");
        }
    }

    #[test]
    fn a_failing_step_is_an_error() {
        let step = Step { title: "nonsense", check: Check::Cargo(vec!["no-such-command"], None) };
        assert!(step.run(Path::new(".")).is_err());
        let own = Step { title: "nonsense", check: Check::Own(|_| anyhow::bail!("no")) };
        assert!(own.run(Path::new(".")).is_err());
    }
}
