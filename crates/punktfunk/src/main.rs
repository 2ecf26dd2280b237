//! The Punktfunk client: commands to discover, pair, request and connect, and the desktop app.

#![deny(unsafe_code)]

mod app;
mod cli;
mod commands;
mod keys;
mod link;
mod output;
mod script;
mod sentences;
mod settings;
mod window;

use std::{process::ExitCode, time::Instant};

use clap::{
    Parser,
    error::{ContextKind, ContextValue, ErrorKind},
};
use pf_base::Code;

use cli::Cli;

fn main() -> ExitCode {
    let started = Instant::now();
    log_to_stderr();
    match Cli::try_parse() {
        Ok(cli) => commands::run(cli, started),
        Err(error) => usage(&without_pin(error)),
    }
}

/// The same error, which does not repeat what was typed as a PIN: with a slip in it, it is still most of one.
fn without_pin(mut error: clap::Error) -> clap::Error {
    let is_about_pin = matches!(
        error.get(ContextKind::InvalidArg),
        Some(ContextValue::String(argument)) if argument.starts_with("--pin ")
    );
    if is_about_pin {
        error.insert(ContextKind::InvalidValue, ContextValue::String("…".to_owned()));
    }
    error
}

/// Logs what a person who looks for a fault asks for with `RUST_LOG`; errors otherwise, and why there is no sound, or
/// why a GPU is not used, since the session goes on without.
fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| LOGGED.into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

/// See [`log_to_stderr`].
const LOGGED: &str = "error,pf_audio=warn,pf_client::session::sound=warn,punktfunk::window=warn";

/// Shows what is wrong with the command line, in the form that it asks for.
fn usage(error: &clap::Error) -> ExitCode {
    let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if is_help || !std::env::args_os().any(|argument| argument == "--json") {
        // The error knows where it belongs; a closed terminal is no reason to do more.
        let _ = error.print();
        return if is_help { ExitCode::SUCCESS } else { Code::Usage.number().into() };
    }
    let text = error.to_string();
    let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    output::fail(Code::Usage, message, "See --help.", true)
}
