//! `request`: asks for access and waits, with a check code to compare.

use std::io::{BufRead, IsTerminal};

use pf_base::Fingerprint;
use pf_client::{Answered, Asking, Client, Failure, Found};
use pf_trust::proof::Comparison;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::output::Output;

/// What became of a request.
pub(super) struct Approved {
    fingerprint: Fingerprint,
    /// The code that was shown, where one was.
    check_code: Option<String>,
    compared: Comparison,
}

pub(super) async fn request(client: &Client, host: &str, json: bool) -> Result<Output, Failure> {
    let found = client.find(host).await?;
    let approved = ask_and_wait(client, &found, json).await?;
    let note = match approved.compared {
        Comparison::CodeShown => "",
        Comparison::NothingToCompare => " The check code was not confirmed here.",
    };
    Ok(Output::new(
        json!({
            "fingerprint": approved.fingerprint.hex(),
            "check_code": approved.check_code,
            "compared": approved.compared == Comparison::CodeShown,
        }),
        format!("Approved.{note} From now on: punktfunk connect {host}"),
    ))
}

/// Asks, shows the check code, and waits for the owner.
pub(super) async fn ask_and_wait(client: &Client, found: &Found, json: bool) -> Result<Approved, Failure> {
    match client.ask(found).await? {
        Answered::Known { fingerprint } => {
            Ok(Approved { fingerprint, check_code: None, compared: Comparison::NothingToCompare })
        }
        Answered::Waiting(asking) => {
            let check_code = asking.code.to_string();
            show(&asking, json);
            let confirmed = confirmations();
            let mut compared = Comparison::NothingToCompare;
            let fingerprint = client
                .wait(*asking, || {
                    if *confirmed.borrow() {
                        compared = Comparison::CodeShown;
                    }
                    compared
                })
                .await?;
            Ok(Approved { fingerprint, check_code: Some(check_code), compared })
        }
    }
}

impl Approved {
    /// What was shown, as JSON, for the report of a session that follows.
    pub(super) fn check_code(&self) -> Value {
        json!(self.check_code)
    }
}

/// Shows what the owner compares: on stdout, unless that is to be one JSON object.
fn show(asking: &Asking, json: bool) {
    let mut lines = format!(
        "Waiting for the owner of {} to approve request {}.\n  Check code   {}\n  Host         {}\nCompare the code with \
         the one that the host shows (`punktfunk-host ctl requests`).",
        asking.host_name,
        asking.request,
        asking.code,
        asking.fingerprint()
    );
    if std::io::stdin().is_terminal() {
        lines += "\nIf they are the same, type y and Enter, so that it is on record here, too.";
    }
    if json {
        eprintln!("{lines}");
    } else {
        println!("{lines}");
    }
}

/// Whether the person at this terminal has confirmed the code, by now.
fn confirmations() -> watch::Receiver<bool> {
    let (confirm, confirmed) = watch::channel(false);
    if std::io::stdin().is_terminal() {
        // The thread waits for the terminal for as long as the program runs; nothing waits for the thread.
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                confirm.send_replace(matches!(line.trim(), "y" | "Y" | "yes"));
            }
        });
    }
    confirmed
}
