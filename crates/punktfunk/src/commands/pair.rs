//! `pair`: by the PIN that the host shows.

use pf_base::Pin;
use pf_client::{Client, Failure};
use serde_json::json;

use crate::output::Output;

pub(super) async fn pair(
    client: &Client,
    host: &str,
    pin: Option<Pin>,
    json: bool,
) -> Result<Output, Failure> {
    let found = client.find(host).await?;
    let pin = if let Some(pin) = pin {
        pin
    } else {
        // Whether there is a PIN to be typed is known before a person is asked for it.
        let digits = client.look(&found).await?.pin?;
        ask_for_pin(digits.count(), json).await?
    };
    let paired = client.pair(&found, pin).await?;
    Ok(Output::new(
        json!({
            "name": paired.name.as_str(),
            "fingerprint": paired.fingerprint.hex(),
            "fingerprint_for_the_eye": paired.fingerprint.for_the_eye(),
        }),
        format!(
            "Paired with {} ({}). From now on: punktfunk connect {host}",
            paired.name,
            paired.fingerprint.for_the_eye()
        ),
    ))
}

/// Asks on the terminal, without an echo. Without a terminal, reads a line of the standard input.
async fn ask_for_pin(digits: u8, json: bool) -> Result<Pin, Failure> {
    let asked = tokio::task::spawn_blocking(move || {
        let prompt = format!("The PIN that the host shows ({digits} digits): ");
        let typed = rpassword::prompt_password(prompt).or_else(|_| {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).map(|_| line)
        });
        if !json {
            eprintln!();
        }
        typed
    });
    let typed = asked.await.map_err(|error| no_pin(&error))?.map_err(|error| no_pin(&error))?;
    Pin::parse(&typed).map_err(|_| Failure::PinLength { expected: digits })
}

fn no_pin(error: &impl ToString) -> Failure {
    Failure::Machine { what: "no PIN could be read", why: error.to_string() }
}
