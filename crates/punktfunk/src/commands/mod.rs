//! The commands, each a short walk along the client core.

mod connect;
mod hosts;
mod open;
mod pair;
mod report;
mod request;

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use pf_base::{Code, DeviceName, Timestamp};
use pf_client::{Client, Failure};
use pf_store::{ClientStore, DataDir, StoreError};
use tokio::runtime::Runtime;

use crate::{
    cli::{Cli, Command},
    output,
    settings::{SettingsFile, default_path},
};

/// Runs one command of a program that was `started` then; what it returns is the exit code.
pub(crate) fn run(cli: Cli, started: Instant) -> ExitCode {
    let json = cli.json;
    if cli.command.is_none() && json {
        return output::fail(Code::Usage, "The app prints no JSON.", "Name a command. See --help.", json);
    }
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            let failure = Failure::Machine { what: "the client cannot run here", why: error.to_string() };
            return output::finish(Err((failure, String::new())), json);
        }
    };
    let client = match runtime.block_on(async { open(&cli) }) {
        Ok(client) => Arc::new(client),
        Err(failure) => {
            if matches!(cli.command, None | Some(Command::Open { .. })) && !json {
                open::tell(&runtime, &failure);
            }
            return output::finish(Err((failure, String::new())), json);
        }
    };
    let command = cli.command.unwrap_or(Command::Open { link: None });
    let host = named_host(&command);
    let result = match command {
        Command::Discover { seconds } => runtime.block_on(hosts::discover(Duration::from_secs(seconds))),
        Command::Hosts => hosts::hosts(&client),
        Command::Pair { host, pin } => runtime.block_on(pair::pair(&client, &host, pin, json)),
        Command::Request { host } => runtime.block_on(request::request(&client, &host, json)),
        Command::Connect(options) => connect::connect(&runtime, Arc::clone(&client), options, json, started),
        Command::Open { link } => match open::open(&runtime, &client, link.as_ref(), json) {
            Ok(output) => Ok(output),
            Err(code) => {
                runtime.block_on(client.shutdown());
                return code;
            }
        },
        Command::Rename { host, label } => hosts::rename(&client, &host, &label),
        Command::Wake { host, to } => runtime.block_on(hosts::wake(&client, &host, to)),
        Command::Forget { host } => hosts::forget(&client, &host),
        Command::Identity => Ok(hosts::identity(&client)),
    };
    // However it ended: a host that is not told holds a place for this machine until it notices by itself.
    runtime.block_on(client.shutdown());
    output::finish(result.map_err(|failure| (failure, host)), json)
}

fn open(cli: &Cli) -> Result<Client, Failure> {
    let data_dir = match &cli.data_dir {
        Some(named) => named.clone(),
        None => default_data_dir()?,
    };
    if cli.restore {
        restore(&data_dir)?;
    }
    Client::open(data_dir, cli.name.clone().unwrap_or_else(machine_name))
}

fn restore(data_dir: &PathBuf) -> Result<(), Failure> {
    let data_dir = DataDir::open(data_dir)?;
    let now = Timestamp::EPOCH + std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    for restored in
        [pf_store::identity::restore(&data_dir, now)?, ClientStore::restore(&data_dir, now)?].iter().flatten()
    {
        eprintln!("Restored the copy of {}; what changed after that is lost.", time(restored.from));
        for file in &restored.set_aside {
            eprintln!("The broken file is kept as {}.", file.display());
        }
    }
    Ok(())
}

/// What this person wants at every start. What is wrong with their file is told, and keeps nobody from the picture.
fn settings() -> SettingsFile {
    let [config_home, home] = ["XDG_CONFIG_HOME", "HOME"].map(std::env::var_os);
    let file = SettingsFile::open(default_path(config_home.as_deref(), home.as_deref()));
    for remark in file.remarks() {
        eprintln!("{remark}");
    }
    file
}

fn default_data_dir() -> Result<PathBuf, StoreError> {
    let [data_home, home] = ["XDG_DATA_HOME", "HOME"].map(std::env::var_os);
    pf_store::default_data_dir("punktfunk", data_home.as_deref(), home.as_deref())
}

fn machine_name() -> DeviceName {
    DeviceName::sanitise(&rustix::system::uname().nodename().to_string_lossy())
}

/// What the person calls the host that a command is about.
fn named_host(command: &Command) -> String {
    match command {
        Command::Pair { host, .. }
        | Command::Request { host }
        | Command::Rename { host, .. }
        | Command::Wake { host, .. }
        | Command::Forget { host } => host.clone(),
        Command::Connect(options) => options.host.clone(),
        Command::Open { link } => link.as_ref().map(|link| link.host().to_owned()).unwrap_or_default(),
        Command::Discover { .. } | Command::Hosts | Command::Identity => String::new(),
    }
}

/// A moment as RFC 3339, in UTC, to the second.
fn time(at: Timestamp) -> String {
    let moment = std::time::UNIX_EPOCH + Duration::from_millis(at.as_millis());
    humantime::format_rfc3339_seconds(moment).to_string()
}
