//! The Punktfunk host: `serve`, `m3-host`, `ctl`.

#![forbid(unsafe_code)]

mod answer;
mod cli;
mod clock;
mod console;
mod control;
mod ctl;
mod gate;
mod hardware;
mod input;
mod pairing;
mod serve;
mod session;
mod sound;
mod stream;

use std::{io::Write, process::ExitCode};

use clap::{Parser, error::ErrorKind};
use pf_base::{Code, PairPolicy};
use pf_trust::admission::Arming;

use answer::{Answer, Failure};
use cli::{Cli, Command};

fn main() -> ExitCode {
    // A virtual display is cleaned up by this very program, started anew.
    pf_desktop::virtual_display::run_if_supervisor();
    log_to_stderr();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let (result, json) = match &cli.command {
        Command::Serve(serve) => {
            let policy = if serve.open { PairPolicy::Optional } else { PairPolicy::Required };
            let console = (!serve.console.no_console).then_some(&serve.console);
            (serve::run(&serve.host, policy, Arming::ByOwner, console), serve.host.json)
        }
        Command::M3Host(test) => {
            let policy = if test.allow_tofu { PairPolicy::Optional } else { PairPolicy::Required };
            (serve::run(&test.host, policy, Arming::Always, None), test.host.json)
        }
        Command::Openapi => {
            // Whoever reads no more, as `head` does, has seen enough.
            let _ = std::io::stdout().write_all(pf_console::openapi().as_bytes());
            return ExitCode::SUCCESS;
        }
        Command::Ctl(ctl) => match serve::data_dir(ctl.data_dir.as_ref()) {
            Ok(data_dir) => return ctl::run(ctl, &data_dir).into(),
            Err(failure) => (Err(failure), ctl.json),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(failure, json),
    }
}

/// Logs what a person who looks for a fault asks for with `RUST_LOG`; warnings otherwise.
fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

/// Shows what is wrong with the command line, in the form that it asks for.
fn usage(error: &clap::Error) -> ExitCode {
    let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if is_help || !std::env::args_os().any(|argument| argument == "--json") {
        // The error knows where it belongs; a closed terminal is no reason to do more.
        let _ = error.print();
        return if is_help { ExitCode::SUCCESS } else { Code::Usage.number().into() };
    }
    let text = error.to_string();
    let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    fail(Failure::new(Code::Usage, message, "See --help."), true)
}

fn fail(failure: Failure, json: bool) -> ExitCode {
    let exit = failure.exit_code();
    if json {
        println!("{}", Answer::new(Err(failure)).to_line());
    } else {
        eprintln!("{}\n{}", failure.message, failure.hint);
    }
    exit.into()
}
