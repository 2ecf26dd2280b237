//! Sets up, runs, tests, tidies and measures the project: `cargo xtask help` lists the commands.

#![forbid(unsafe_code)]

mod codegen;

use std::{env, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
cargo xtask COMMAND

  codegen [--check]  compile proto/ into crates/pf-proto; with --check only compare
  help               this text
";

fn main() -> ExitCode {
    match dispatch(&env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the command that the arguments name.
fn dispatch(arguments: &[String]) -> Result<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] | ["help" | "--help" | "-h"] => print!("{USAGE}"),
        ["codegen"] => codegen::write(&root()?)?,
        ["codegen", "--check"] => codegen::check(&root()?)?,
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
