//! The `ctl` command: sends one request to the running host, and prints the answer.

use std::{
    io::{self, BufRead, Read, Write},
    path::Path,
};

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

/// More bytes than any password has that a host takes: 128 characters of up to 4 bytes.
const LONGEST_PASSWORD: u64 = 1024;

/// Runs one command; what it returns is the exit code.
pub(crate) fn run(ctl: &Ctl, data_dir: &Path) -> u8 {
    let ended = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(converse(ctl, data_dir)),
        Err(error) => Err(unreachable_host(data_dir, &error)),
    };
    ended.unwrap_or_else(|failure| {
        let answer = Answer::new(Err(failure));
        // Where nothing can be printed any more, the exit code still says it.
        let _ = show(ctl, &answer);
        exit_code(&answer)
    })
}

/// Sends the request, and shows every answer that comes.
async fn converse(ctl: &Ctl, data_dir: &Path) -> Result<u8, Failure> {
    let broken = |error: io::Error| unreachable_host(data_dir, &error);
    let stream = ask(data_dir, &request(&ctl.command)?).await.map_err(broken)?;
    let mut lines = BufReader::new(stream).lines();
    let mut exit = None;
    while let Some(line) = lines.next_line().await.map_err(broken)? {
        let answer: Answer = serde_json::from_str(&line).map_err(|error| broken(error.into()))?;
        if show(ctl, &answer).is_err() {
            // Whoever reads no more, as `head` does, has seen enough.
            return Ok(0);
        }
        exit = Some(exit_code(&answer));
    }
    exit.filter(|_| !matches!(ctl.command, CtlCommand::Watch)).ok_or_else(|| {
        Failure::new(
            Code::Unreachable,
            "The host closed the control socket.",
            "It stopped, or was restarted: start it again, or run the command again.",
        )
    })
}

async fn ask(data_dir: &Path, request: &Request) -> io::Result<UnixStream> {
    let mut stream = socket::connect(data_dir).await?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    Ok(stream)
}

fn request(command: &CtlCommand) -> Result<Request, Failure> {
    let text = |name: &DeviceName| name.to_string();
    Ok(match command {
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
        CtlCommand::EndSession { session } => Request::EndSession { session: *session },
        CtlCommand::Audit { limit, before, kind, device } => Request::Audit {
            limit: *limit,
            before: *before,
            kind: kind.map(|kind| kind.word().to_owned()),
            device: device.clone(),
        },
        CtlCommand::Watch => Request::Watch,
        CtlCommand::ConsoleUrl => Request::ConsoleUrl,
        CtlCommand::ConsolePassword { stdin, .. } => {
            Request::ConsolePassword { password: stdin.then(password_from_stdin).transpose()? }
        }
        CtlCommand::SignIns => Request::SignIns,
        CtlCommand::EndSignIn { sign_in } => Request::EndSignIn { sign_in: *sign_in },
    })
}

/// The one line that a script, or a person, gives as the new password.
fn password_from_stdin() -> Result<String, Failure> {
    let unread = |problem: String| {
        Failure::new(Code::Usage, problem, "Give the new password as one line on standard input.")
    };
    let mut lines = io::stdin().lock().take(LONGEST_PASSWORD).lines();
    match lines.next() {
        Some(Ok(line)) => Ok(line),
        Some(Err(error)) => Err(unread(format!("The new password cannot be read: {error}."))),
        None => Err(unread("There is no new password on standard input.".to_owned())),
    }
}

/// Prints an answer in the form that was asked for.
fn show(ctl: &Ctl, answer: &Answer) -> io::Result<()> {
    match (ctl.json, answer.as_result()) {
        (true, _) => writeln!(io::stdout(), "{}", answer.to_line()),
        (false, Ok(data)) => write!(io::stdout(), "{}", render::text(&ctl.command, data)),
        (false, Err(failure)) => writeln!(io::stderr(), "{}\n{}", failure.message, failure.hint),
    }
}

fn exit_code(answer: &Answer) -> u8 {
    answer.as_result().err().map_or(0, Failure::exit_code)
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
