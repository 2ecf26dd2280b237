//! What a script can do, a browser can, and the other way round: who adds to one adds to the other, or says here why not.

use std::collections::BTreeSet;

use clap::CommandFactory;
use serde_json::Value;

use crate::cli::Cli;

/// What the console's API does, and the command that does the same.
const SAME: &[(&str, &str)] = &[
    ("GET /status", "status"),
    ("GET /pairing", "status"),
    ("POST /pairing/window", "arm"),
    ("DELETE /pairing/window", "disarm"),
    ("GET /requests", "requests"),
    ("POST /requests/{id}/approve", "approve"),
    ("POST /requests/{id}/deny", "deny"),
    ("GET /devices", "devices"),
    ("PATCH /devices/{fingerprint}", "rename"),
    ("DELETE /devices/{fingerprint}", "remove"),
    ("GET /sessions", "sessions"),
    ("DELETE /sessions/{id}", "end-session"),
    ("GET /audit", "audit"),
    ("GET /events", "watch"),
    ("GET /sign-ins", "sign-ins"),
    ("DELETE /sign-ins/{id}", "end-sign-in"),
    ("POST /sign-in-links", "console-url"),
    ("PUT /password", "console-password"),
];

/// What there is for browsers alone, and why.
const BROWSERS_ONLY: &[(&str, &str)] = &[
    ("POST /sign-in", "the control socket is the owner's by its file mode: nobody signs in there"),
    ("GET /sign-in", "the same"),
    ("DELETE /sign-in", "the same"),
    ("POST /proof", "the same"),
    ("GET /openapi.json", "`punktfunk-host openapi` prints it, without a running host"),
];

#[test]
fn r7_a_script_and_a_browser_can_do_the_same() {
    let listed: BTreeSet<_> =
        SAME.iter().map(|(route, _)| *route).chain(BROWSERS_ONLY.iter().map(|(route, _)| *route)).collect();
    let routes = routes();
    assert_eq!(routes.iter().map(String::as_str).collect::<BTreeSet<_>>(), listed, "routes");

    let cli = Cli::command();
    let ctl = cli.find_subcommand("ctl").unwrap();
    let commands: BTreeSet<_> = ctl.get_subcommands().map(clap::Command::get_name).collect();
    assert_eq!(commands, SAME.iter().map(|(_, command)| *command).collect(), "commands");
}

/// The routes of the API, from its own document.
fn routes() -> Vec<String> {
    let document: Value = serde_json::from_str(&pf_console::openapi()).unwrap();
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            routes.push(format!("{} {}", method.to_uppercase(), path.strip_prefix("/api/v1").unwrap()));
        }
    }
    routes
}
