//! `ctl`: everything that the owner does, for a script.

use pf_e2e::{ClientInstall, Host};

/// A script that takes *no host* for *nobody is paired*.
#[test]
fn without_a_host_every_command_says_so() {
    let mut host = Host::serve().start();
    let commands: [&[&str]; 13] = [
        &["status"],
        &["arm"],
        &["disarm"],
        &["requests"],
        &["approve", "1"],
        &["deny", "1"],
        &["devices"],
        &["rename", "01234567", "x"],
        &["remove", "01234567"],
        &["sessions"],
        &["end-session", "1"],
        &["audit"],
        &["watch"],
    ];
    let before = Host::serve();
    for command in commands {
        before.ctl(command).expect_failure(3, "unreachable");
    }
    // What a killed host leaves behind is no host either.
    host.kill9();
    assert!(host.data_dir().join("ctl.sock").exists());
    for command in commands {
        host.try_ctl(command).expect_failure(3, "unreachable");
    }
}

/// A script whose mistake is taken for something else.
#[test]
fn every_refusal_has_its_exit_code() {
    let host = Host::serve().start();
    let refusals: [(&[&str], i32, &str); 17] = [
        (&["disarm"], 12, "not_armed"),
        (&["approve", "4711"], 17, "request_expired"),
        (&["deny", "4711"], 17, "request_expired"),
        (&["arm", "--for", "4711"], 17, "request_expired"),
        (&["arm", "--for", "nobody"], 17, "request_expired"),
        (&["remove", "0123456789abcdef"], 2, "usage"),
        (&["rename", "0123456789abcdef", "x"], 2, "usage"),
        (&["arm", "--ttl", "0"], 2, "usage"),
        (&["arm", "--ttl", "301"], 2, "usage"),
        (&["arm", "--pin", "0000"], 2, "usage"),
        (&["approve", "x"], 2, "usage"),
        (&["approve", "1", "--label", "\u{202e}"], 2, "usage"),
        (&["end-session", "4711"], 2, "usage"),
        (&["audit", "--limit", "0"], 2, "usage"),
        (&["audit", "--kind", "arrived"], 2, "usage"),
        (&["audit", "--device", "0123"], 2, "usage"),
        (&["obey"], 2, "usage"),
    ];
    for (command, exit, code) in refusals {
        host.try_ctl(command).expect_failure(exit, code);
    }
    assert!(host.ctl(&["status"])["window"].is_null());

    let always_armed = Host::m3().start();
    always_armed.try_ctl(&["disarm"]).expect_failure(2, "usage");
    assert_eq!(always_armed.ctl(&["status"])["window"]["pin"], always_armed.pin());
}

/// A field that a script relies on and that is gone one day.
#[test]
fn the_answers_have_the_fields_that_scripts_rely_on() {
    let host = Host::serve().arg("--pin-digits").arg("6").start();
    let status = host.ctl(&["status"]);
    for key in [
        "version",
        "host_name",
        "fingerprint",
        "fingerprint_shown",
        "fingerprint_for_the_eye",
        "policy",
        "source",
    ] {
        assert!(status[key].is_string(), "{key}: {status}");
    }
    assert_eq!(status["port"], host.socket_address().port());
    assert_eq!(status["fingerprint"], host.fingerprint());
    for key in ["devices", "requests", "sessions"] {
        assert_eq!(status[key], 0, "{key}: {status}");
    }
    let window = host.ctl(&["arm", "--ttl", "30"]);
    assert_eq!(window["pin"].as_str().unwrap().len(), 6);
    assert!(window["expires_in_s"].as_u64().is_some_and(|seconds| seconds <= 30), "{window}");
    assert_eq!(window["opens_in_s"], 0);
    assert!(window["for"].is_null());
    host.ctl(&["disarm"]);

    let couch = ClientInstall::new("couch");
    let fingerprint = couch.fingerprint();
    let window = host.ctl(&["arm", "--for", &fingerprint]);
    assert_eq!(window["for"], fingerprint.as_str());
    couch.pair(&host.address(), window["pin"].as_str().unwrap());
    let watching = couch.spawn(&["connect", &host.address(), "--headless", "--seconds", "600"]);
    host.await_session_of(&fingerprint);
    let session = &host.sessions()[0];
    for key in ["name", "address", "fingerprint", "fingerprint_for_the_eye", "since"] {
        assert!(session[key].is_string(), "{key}: {session}");
    }
    assert_eq!(session["admitted_as"], "paired");
    let device = &host.devices()[0];
    for key in
        ["label", "fingerprint", "fingerprint_shown", "fingerprint_for_the_eye", "paired_at", "last_seen"]
    {
        assert!(device[key].is_string(), "{key}: {device}");
    }
    drop(watching);
}

/// An owner who looks at a list that is minutes old.
#[test]
fn watch_shows_what_happens_as_it_happens() {
    let mut host = Host::serve().start();
    let mut watch = std::process::Command::new(pf_e2e::program("punktfunk-host"));
    watch.args(["ctl", "--json", "watch", "--data-dir"]).arg(host.data_dir());
    let watching = pf_e2e::Running::start(&mut watch);
    // What happens before it watches is not its business: arm until it sees one.
    pf_e2e::until("the first event", || {
        host.arm(&[]);
        watching.stdout().contains("\"armed\"").then_some(())
    });
    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.arm(&[]));
    for word in ["\"attempt\"", "\"paired\""] {
        watching.hear_stdout(word, |said| said.contains(word).then_some(()));
    }
    host.terminate();
    let outcome = watching.finish();
    assert_eq!(outcome.exit, 3, "{outcome:#?}");
    for line in outcome.stdout.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(object["v"], 1);
        assert!(object["data"]["event"].is_string() || object["error"]["code"].is_string(), "{line}");
    }
}
