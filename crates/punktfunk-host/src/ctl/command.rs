//! The `ctl` command: sends one request to the running host, and prints the answer.

use std::{io, path::Path};

use pf_base::{Code, DeviceName};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};

use super::{protocol::Request, render, socket};
use crate::{
    answer::{Answer, Failure},
    cli::{Ctl, CtlCommand},
};

/// Runs one command; what it returns is the exit code.
pub(crate) fn run(ctl: &Ctl, data_dir: &Path) -> u8 {
    let request = request(&ctl.command);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return show(ctl, &Answer::new(Err(unreachable_host(data_dir, &error)))),
    };
    runtime.block_on(async {
        let mut lines = match ask(data_dir, &request).await {
            Ok(stream) => BufReader::new(stream).lines(),
            Err(error) => return show(ctl, &Answer::new(Err(unreachable_host(data_dir, &error)))),
        };
        let mut exit = None;
        loop {
            match lines.next_line().await {
                Ok(Some(line)) => match serde_json::from_str::<Answer>(&line) {
                    Ok(answer) => exit = Some(show(ctl, &answer)),
                    Err(error) => {
                        return show(ctl, &Answer::new(Err(unreachable_host(data_dir, &error.into()))));
                    }
                },
                Ok(None) => break,
                Err(error) => return show(ctl, &Answer::new(Err(unreachable_host(data_dir, &error)))),
            }
        }
        match (exit, &ctl.command) {
            (Some(exit), command) if !matches!(command, CtlCommand::Watch) => exit,
            _ => show(
                ctl,
                &Answer::new(Err(Failure::new(
                    Code::Unreachable,
                    "The host closed the control socket.",
                    "It stopped, or was restarted: start it again, or run the command again.",
                ))),
            ),
        }
    })
}

async fn ask(data_dir: &Path, request: &Request) -> io::Result<UnixStream> {
    let mut stream = socket::connect(data_dir).await?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    Ok(stream)
}

fn request(command: &CtlCommand) -> Request {
    let text = |name: &DeviceName| name.to_string();
    match command {
        CtlCommand::Status => Request::Status,
        CtlCommand::Arm { target, ttl } => {
            Request::Arm { target: target.clone(), ttl_s: ttl.map(|ttl| ttl.as_secs()) }
        }
        CtlCommand::Disarm => Request::Disarm,
        CtlCommand::Requests => Request::Requests,
        CtlCommand::Approve { request, label } => {
            Request::Approve { request: *request, label: label.as_ref().map(text) }
        }
        CtlCommand::Deny { request } => Request::Deny { request: *request },
        CtlCommand::Devices => Request::Devices,
        CtlCommand::Rename { fingerprint, label } => {
            Request::Rename { fingerprint: fingerprint.clone(), label: text(label) }
        }
        CtlCommand::Remove { fingerprint } => Request::Remove { fingerprint: fingerprint.clone() },
        CtlCommand::Sessions => Request::Sessions,
        CtlCommand::Audit { limit, before } => Request::Audit { limit: *limit, before: *before },
        CtlCommand::Watch => Request::Watch,
    }
}

/// Prints an answer in the form that was asked for; what it returns is the exit code.
fn show(ctl: &Ctl, answer: &Answer) -> u8 {
    let result = answer.as_result();
    match (ctl.json, result) {
        (true, _) => println!("{}", answer.to_line()),
        (false, Ok(data)) => print!("{}", render::text(&ctl.command, data)),
        (false, Err(failure)) => eprintln!("{}\n{}", failure.message, failure.hint),
    }
    result.err().map_or(0, Failure::exit_code)
}

fn unreachable_host(data_dir: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Failure::new(
            Code::Unreachable,
            format!("No host is running on {}.", data_dir.display()),
            "Start it with `punktfunk-host serve`, or name its data directory with --data-dir.",
        ),
        io::ErrorKind::PermissionDenied => Failure::new(
            Code::Unreachable,
            format!("The control socket in {} belongs to another user.", data_dir.display()),
            "Run this as the user that the host runs as.",
        ),
        _ => Failure::new(
            Code::Unreachable,
            format!("The host on {} does not answer: {error}.", data_dir.display()),
            "See what the host printed, and start it again.",
        ),
    }
}
