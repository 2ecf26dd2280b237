//! The answers of `ctl` as text for a person.

use std::fmt::Write;

use serde_json::Value;

use crate::cli::CtlCommand;

/// The text of a command's answer, with its line ends.
pub(super) fn text(command: &CtlCommand, data: &Value) -> String {
    match command {
        CtlCommand::Status => status(data),
        CtlCommand::Arm { .. } => armed(data),
        CtlCommand::Disarm => "The pairing window is closed.\n".to_owned(),
        CtlCommand::Requests => requests(data),
        CtlCommand::Approve { .. } => approved(data),
        CtlCommand::Deny { .. } => "Dismissed. The device may ask again.\n".to_owned(),
        CtlCommand::Devices => devices(data),
        CtlCommand::Rename { .. } => format!("Renamed to {}.\n", field(data, "label")),
        CtlCommand::Remove { .. } => {
            format!("Removed {}. It stays out until it is paired again.\n", field(data, "label"))
        }
        CtlCommand::Sessions => sessions(data),
        CtlCommand::EndSession { .. } => "Ended. Its device may connect again.\n".to_owned(),
        CtlCommand::Audit { .. } => {
            let lines: Vec<String> = list(data, "entries").iter().map(event_line).collect();
            table_or(&lines, "Nothing has happened yet.")
        }
        CtlCommand::Watch => event_line(data) + "\n",
        CtlCommand::ConsoleUrl => console_url(data),
        CtlCommand::ConsolePassword { .. } => password(data),
        CtlCommand::SignIns => sign_ins(data),
        CtlCommand::EndSignIn { .. } => "Ended. Whoever used it has to sign in again.\n".to_owned(),
    }
}

fn status(data: &Value) -> String {
    let mut text = String::new();
    for (name, key) in [
        ("Host", "host_name"),
        ("Fingerprint", "fingerprint_shown"),
        ("For the eye", "fingerprint_for_the_eye"),
        ("UDP port", "port"),
        ("Pairing", "policy"),
        ("Source", "source"),
        ("Devices", "devices"),
        ("Waiting", "requests"),
        ("Sessions", "sessions"),
    ] {
        line(&mut text, name, &field(data, key));
    }
    let window = &data["window"];
    if window.is_null() {
        line(&mut text, "PIN", "none; `punktfunk-host ctl arm` makes one");
    } else {
        line(&mut text, "PIN", &window_text(window));
    }
    if !data["last_window"].is_null() {
        let last = &data["last_window"];
        let by = who(last);
        line(&mut text, "Last window", &format!("{}{by}", field(last, "outcome").replace('_', " ")));
    }
    text
}

fn armed(data: &Value) -> String {
    format!("PIN {}\n{}\n", field(data, "pin"), capitalised(&window_terms(data)))
}

fn window_text(window: &Value) -> String {
    format!("{}, {}", field(window, "pin"), window_terms(window))
}

/// For whom a window is, from when and for how long.
fn window_terms(window: &Value) -> String {
    let target = match window["for"].as_str() {
        Some(_) => format!("for {} only", field(window, "for_shown")),
        None => "for whoever types it first".to_owned(),
    };
    let opens = match window["opens_in_s"].as_u64() {
        Some(seconds) if seconds > 0 => format!(", to be tried in {seconds} s (a wrong PIN was just tried)"),
        _ => String::new(),
    };
    let expires = window["expires_in_s"].as_u64().map_or_else(String::new, |s| format!(", for {s} s"));
    format!("{target}{opens}{expires}; one try")
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn requests(data: &Value) -> String {
    let mut lines = Vec::new();
    for request in list(data, "requests") {
        let code = match request["check_code"].as_str() {
            Some(code) => format!("check code {code}"),
            None => "no check code: it is not waiting".to_owned(),
        };
        lines.push(format!(
            "{:>5}  {}  {}  {}  {code}, {} s ago{}",
            field(request, "id"),
            field(request, "name"),
            field(request, "address"),
            field(request, "fingerprint_for_the_eye"),
            field(request, "age_s"),
            warning(request),
        ));
    }
    if lines.is_empty() {
        return "Nobody is waiting for approval.\n".to_owned();
    }
    lines.push(String::new());
    lines.push(
        "Compare the check code with the one on the device, then: punktfunk-host ctl approve ID".to_owned(),
    );
    lines.join("\n") + "\n"
}

fn warning(request: &Value) -> String {
    request["resembles"].as_str().map_or_else(String::new, |label| {
        format!(
            "\n       Careful: this name looks like your paired device “{label}”, and it is another device."
        )
    })
}

fn approved(data: &Value) -> String {
    let label = field(data, "label");
    if data["compared"] == Value::Bool(true) {
        format!("Approved {label}. It connects by itself from now on.\n")
    } else {
        format!(
            "Approved {label}, though there was nothing to compare: it was not waiting with a check code.\n\
             If you are not sure that it was your device: punktfunk-host ctl remove {}\n",
            field(data, "fingerprint")
        )
    }
}

fn devices(data: &Value) -> String {
    let lines: Vec<String> = list(data, "devices")
        .iter()
        .map(|device| {
            let how = match field(device, "paired_by").as_str() {
                "pin" => "PIN",
                "approved" => "approved",
                _ => "approved, not compared",
            };
            let seen =
                device["last_seen"].as_str().map_or("never seen".to_owned(), |at| format!("seen {at}"));
            let now = if device["connected"] == Value::Bool(true) { ", connected now" } else { "" };
            format!(
                "{}\n    {}\n    paired {} ({how}), {seen}{now}",
                field(device, "label"),
                field(device, "fingerprint_shown"),
                field(device, "paired_at"),
            )
        })
        .collect();
    table_or(&lines, "No device is paired.")
}

fn sessions(data: &Value) -> String {
    let lines: Vec<String> = list(data, "sessions")
        .iter()
        .map(|session| {
            format!(
                "{}  {}  {}  {}, since {} s{}",
                field(session, "id"),
                field(session, "name"),
                field(session, "address"),
                field(session, "admitted_as"),
                field(session, "age_s"),
                figures(&session["figures"]),
            )
        })
        .collect();
    table_or(&lines, "Nobody is connected.")
}

/// What a session streams, on a line of its own; nothing before its first picture.
fn figures(figures: &Value) -> String {
    if figures.is_null() {
        return String::new();
    }
    let number = |data: &Value, key: &str| data[key].as_f64().unwrap_or_default();
    let latency = &figures["latency_ms"];
    format!(
        "\n    {} {}x{}, {:.0} pictures/s, {:.1} Mbit/s, {:.1} % lost; \
         capture {:.1} ms, queue {:.1} ms, encode {:.1} ms, network {:.1} ms",
        field(figures, "source"),
        field(figures, "width"),
        field(figures, "height"),
        number(figures, "fps"),
        number(figures, "bitrate_mbps"),
        number(figures, "loss_percent"),
        number(latency, "capture"),
        number(latency, "queue"),
        number(latency, "encode"),
        number(latency, "network"),
    )
}

fn console_url(data: &Value) -> String {
    let seconds = data["expires_in_s"].as_u64().unwrap_or_default();
    format!(
        "Console      {}\nCertificate  {}\n\nThis link signs in once, within {} minutes:\n{}\n",
        field(data, "url"),
        field(data, "certificate_sha256"),
        seconds / 60,
        field(data, "link"),
    )
}

fn password(data: &Value) -> String {
    data["password"].as_str().map_or_else(
        || "The password is set. Everybody is signed out.\n".to_owned(),
        |password| format!("Password {password}\nIt is not shown again. Everybody is signed out.\n"),
    )
}

fn sign_ins(data: &Value) -> String {
    let lines: Vec<String> = list(data, "sign_ins")
        .iter()
        .map(|sign_in| {
            format!(
                "{}  {}  {}  by {}, signed in {}, used {}",
                field(sign_in, "id"),
                field(sign_in, "browser"),
                field(sign_in, "address"),
                field(sign_in, "by"),
                field(sign_in, "signed_in_at"),
                field(sign_in, "last_used_at"),
            )
        })
        .collect();
    table_or(&lines, "Nobody is signed in to the console.")
}

fn event_line(entry: &Value) -> String {
    format!("{}  {}{}", field(entry, "at"), field(entry, "event").replace('_', " "), who(entry))
}

/// Who it was, in brackets of words: name, address, fingerprint for the eye.
fn who(entry: &Value) -> String {
    let mut text = String::new();
    for key in ["name", "address", "fingerprint_for_the_eye"] {
        if let Some(value) = entry[key].as_str() {
            let _ = write!(text, "{}{value}", if text.is_empty() { ": " } else { ", " });
        }
    }
    if let Some(count) = entry["count"].as_u64() {
        let _ = write!(text, ": {count}");
    }
    text
}

fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "{name:<12} {value}");
}

fn field(data: &Value, key: &str) -> String {
    match &data[key] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn list<'a>(data: &'a Value, key: &str) -> &'a [Value] {
    data[key].as_array().map_or(&[], Vec::as_slice)
}

fn table_or(lines: &[String], empty: &str) -> String {
    if lines.is_empty() { format!("{empty}\n") } else { lines.join("\n") + "\n" }
}
