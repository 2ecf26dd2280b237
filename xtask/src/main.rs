//! Sets up, runs, tests, tidies and measures the project: `cargo xtask help` lists the commands.

#![forbid(unsafe_code)]

mod bench;
mod browser;
mod codegen;
mod fuzz;
mod process;
mod run;
mod setup;
mod test;
mod tidy;

use std::{env, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};

use crate::setup::Purpose;

const USAGE: &str = "\
cargo xtask COMMAND

  run [ARGS]         set up, build, and start a host with a virtual desktop; ARGS go to `punktfunk-host serve`
  test [-- ARGS]     set up, and run every check of the project; ARGS go to `cargo nextest run`
  setup [--for run|page|test]
                     install what a Debian or Ubuntu machine lacks; the others do this by themselves
  tidy               check the rules that the compiler does not check
  codegen [--check] [proto] [openapi] [page]
                     make anew what is made from something else and committed; with --check only compare
  bench [trust|stream|latency|link|input|clients|quality|soak|all|console] [--seconds N] [--docs]
                     build for release and measure: without a word trust and stream; with --docs the results go into
                     docs/benchmarks.md
  screenshots [FOLDER]
                     take pictures of every page of the console (into target/screenshots)
  fuzz [TARGET] [--seconds N]
                     fuzz one decoder, or each in turn, for N seconds (60)
  help               this text
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match dispatch(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the command that the arguments name.
fn dispatch(arguments: &[&str]) -> Result<()> {
    match arguments {
        [] | ["help" | "--help" | "-h"] => print!("{USAGE}"),
        ["run", rest @ ..] => run::run(&root()?, rest)?,
        [run::ANNOUNCE, rest @ ..] => run::announce(&root()?, rest)?,
        ["test"] => test::test(&root()?, &[])?,
        ["test", "--", rest @ ..] => test::test(&root()?, rest)?,
        ["setup"] | ["setup", "--for", "test"] => setup::setup(&root()?, Purpose::Test)?,
        ["setup", "--for", "run"] => setup::setup(&root()?, Purpose::Run)?,
        ["setup", "--for", "page"] => setup::setup(&root()?, Purpose::Page)?,
        ["tidy"] => tidy::tidy(&root()?)?,
        ["codegen", rest @ ..] => codegen::codegen(&root()?, rest)?,
        ["screenshots", rest @ ..] => browser::screenshots(&root()?, rest)?,
        ["bench", rest @ ..] => bench::bench(&root()?, rest)?,
        ["fuzz", rest @ ..] => fuzz::fuzz(&root()?, rest)?,
        other => bail!("no such command: {}\n\n{USAGE}", other.join(" ")),
    }
    Ok(())
}

/// The root of the work tree: the parent of this package, which `cargo run` names at run time.
fn root() -> Result<PathBuf> {
    let package =
        env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`, not as a bare program")?;
    Ok(PathBuf::from(package).parent().context("xtask has no parent folder")?.to_owned())
}
