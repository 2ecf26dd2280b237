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

pub(super) async fn request(client: &Client, host: &str) -> Result<Output, Failure> {
    let found = client.find(host).await?;
    let approved = ask_and_wait(client, &found).await?;
    client.shutdown().await;
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

/// Asks, shows the check code, and waits for the owner. What is shown goes to stderr, so that stdout stays JSON.
pub(super) async fn ask_and_wait(client: &Client, found: &Found) -> Result<Approved, Failure> {
    match client.ask(found).await? {
        Answered::Known { fingerprint } => {
            Ok(Approved { fingerprint, check_code: None, compared: Comparison::NothingToCompare })
        }
        Answered::Waiting(asking) => {
            let check_code = asking.code.to_string();
            show(&asking);
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

fn show(asking: &Asking) {
    let code = asking.code.to_string();
    eprintln!("Waiting for the owner of {} to approve request {}.", asking.host_name, asking.request);
    eprintln!("  Check code   {} {}", &code[..3], &code[3..]);
    eprintln!("  Host         {}", asking.fingerprint());
    eprintln!("Compare the code with the one that the host shows (`punktfunk-host ctl requests`).");
    if std::io::stdin().is_terminal() {
        eprintln!("If they are the same, type y and Enter, so that it is on record here, too.");
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
