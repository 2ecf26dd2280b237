//! What a script gets: one object, one exit code.

use pf_base::Code;
use pf_e2e::{Attacker, ClientInstall, Host};
use pf_proto::pair::{ClientMessage, Hello, HelloPurpose, HostMessage};

/// A wrong command line is text where a script expects an object.
#[test]
fn a_wrong_command_line_is_an_object_too() {
    let couch = ClientInstall::new("couch");
    let wrong: [&[&str]; 9] = [
        &["obey"],
        &["pair"],
        &["pair", "desk", "--pin", "123"],
        &["pair", "desk", "--pin", "12345678901"],
        &["connect", "desk", "--frames", "0"],
        &["connect", "desk", "--size", "1x1x1"],
        &["connect", "desk", "--wait", "--trust-first-use"],
        &["connect", "desk", "--accept-changed-fingerprint"],
        &["discover", "--seconds", "0"],
    ];
    for arguments in wrong {
        couch.run(arguments).expect_failure(2, "usage");
        let text = couch.run_text(arguments);
        assert_eq!(text.exit, 2, "{arguments:?}");
        assert!(text.stdout.is_empty() && !text.stderr.is_empty(), "{text:#?}");
    }
    // Without a command it is the app, which has nothing for a script.
    couch.run(&[]).expect_failure(2, "usage");
    Host::serve().arg("--pin-digits").arg("3").fail_to_start().expect_failure(2, "usage");
    Host::serve().arg("--source").arg("magic").fail_to_start().expect_failure(2, "usage");
    assert_eq!(couch.run_text(&["--help"]).exit, 0);
}

/// A failure that prints on stdout what a script takes for data.
#[test]
fn a_failure_for_a_person_is_on_stderr() {
    let host = Host::serve().start();
    let couch = ClientInstall::new("couch");
    let refused = couch.run_text(&["pair", &host.address(), "--pin", "0417"]);
    assert_eq!(refused.exit, 12);
    assert!(refused.stdout.is_empty(), "{refused:#?}");
    assert_eq!(refused.stderr.lines().count(), 2, "what happened, and what to do: {refused:#?}");
}

/// A client that hangs at an address where nobody is.
#[test]
fn an_absent_host_is_unreachable() {
    let mut host = Host::serve().start();
    host.terminate();
    let couch = ClientInstall::new("couch");
    let address = host.address();
    for arguments in [&["pair", &address, "--pin", "0417"][..], &["connect", &address, "--headless"]] {
        couch.run(arguments).expect_failure(3, "unreachable");
    }
    couch.run(&["forget", &address]).expect_failure(3, "unreachable");
}

/// The PIN that was typed is shorter than the host's: a slip, and not a guess.
#[test]
fn a_pin_of_another_length_is_not_offered() {
    let host = Host::serve().arg("--pin-digits").arg("6").start();
    let pin = host.arm(&[]);
    let couch = ClientInstall::new("couch");
    couch.run(&["pair", &host.address(), "--pin", &pin[..5]]).expect_failure(2, "usage");
    assert_eq!(host.count_events("attempt"), 0);
    couch.run_when_let(&["pair", &host.address(), "--pin", &pin]).expect_success();
}

/// A client of next year's protocol is told to go away without a word.
#[tokio::test(flavor = "multi_thread")]
async fn another_version_is_told_so() {
    let host = Host::serve().start();
    let visitor = Attacker::new();
    for versions in [vec![], vec![pf_proto::VERSION + 1]] {
        let mut line = visitor.open(host.socket_address()).await;
        let device_name = pf_base::DeviceName::sanitise("visitor");
        line.say(&ClientMessage::Hello(Hello { versions, device_name, purpose: HelloPurpose::Pin })).await;
        let Ok(HostMessage::Unavailable { code: Code::VersionMismatch, .. }) = line.hear().await else {
            panic!("the host went on without a version in common");
        };
    }
}

/// A host that cannot have its port starts all the same, on none.
#[test]
fn a_taken_port_is_said() {
    let host = Host::serve().start();
    let error = Host::serve().port(host.socket_address().port()).fail_to_start().expect_failure(2, "usage");
    assert!(error["hint"].as_str().unwrap().contains("--port"), "{error}");
}

/// A script that starts a host and asks it at once.
#[test]
fn a_started_host_says_who_it_is_in_one_object_and_is_up_by_then() {
    let setup = Host::m3();
    let mut host = pf_e2e::Running::start(setup.command().arg("--json"));
    let line = host.hear_stdout("the object", |said| said.lines().next().map(str::to_owned));
    let status = setup.ctl(&["status"]).expect_success();
    let object: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(object["v"], 1);
    for key in ["fingerprint", "port", "policy", "host_name"] {
        assert_eq!(object["data"][key], status[key], "{key}");
    }
    assert_eq!(object["data"]["pin"], status["window"]["pin"]);
    host.terminate();
    let outcome = host.finish();
    assert_eq!(outcome.exit, 0);
    assert_eq!(outcome.stdout.lines().count(), 1, "{outcome:#?}");
}
