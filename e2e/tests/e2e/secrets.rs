//! Where a PIN may be read: at the owner's own screen, and nowhere else.

use std::{fs, path::Path};

use pf_e2e::{ClientInstall, Host, another_pin};

/// A PIN in a log that is pasted into a bug report, in a store that is backed up, in an answer to a stranger.
#[test]
fn inv_22_a_pin_is_in_no_file_log_audit_or_answer_to_others() {
    // Ten digits: no four-digit number that happens to be in a file is taken for it.
    let host = Host::serve().long_pins().env("RUST_LOG", "trace").start();
    let [couch, guesser] = ["couch", "guesser"].map(|name| ClientInstall::new(name).env("RUST_LOG", "trace"));
    let burned = host.arm(&["--for", &guesser.fingerprint()]);
    assert_eq!(burned.len(), 10);
    let guess = another_pin(&burned);
    let wrong = guesser.run(&["pair", &host.address(), "--pin", &guess]);
    wrong.expect_failure(11, "wrong_pin");
    let used = host.arm(&[]);
    assert_eq!(host.ctl(&["status"])["window"]["pin"], used.as_str(), "the owner sees it");
    let right = couch.run(&["pair", &host.address(), "--pin", &used]);
    right.expect_success();
    let open = host.arm(&[]);

    let owner_lists = [&["devices"][..], &["requests"], &["sessions"], &["audit", "--limit", "1000"]]
        .map(|command| host.ctl(command).to_string());
    let outputs = [wrong.everything(), right.everything(), host.stdout(), host.stderr()];
    assert!(outputs[1].len() > 2000 && outputs[3].len() > 2000, "both programs log what they do");
    for (number, pin) in
        [("the burned", &burned), ("the guessed", &guess), ("the used", &used), ("the open", &open)]
    {
        for (place, text) in owner_lists.iter().chain(&outputs).enumerate() {
            assert!(!text.contains(pin.as_str()), "{number} PIN is in output {place}:\n{text}");
        }
        for directory in [host.data_dir(), couch.data_dir(), guesser.data_dir()] {
            assert_not_in_files(directory, pin);
        }
    }
}

/// The test host says its PIN to whoever runs it, on a line of its own; the rest of what it says is a log like any.
#[test]
fn inv_22_the_test_host_says_its_pin_on_its_own_line_alone() {
    let host = Host::m3().long_pins().env("RUST_LOG", "trace").start();
    let couch = ClientInstall::new("couch");
    let pin = host.await_pin(1);
    couch.pair(&host.address(), &pin);
    let next = host.await_pin(2);
    for pin in [&pin, &next] {
        let lines: Vec<_> =
            host.stdout().lines().filter(|line| line.contains(pin.as_str())).map(str::to_owned).collect();
        assert_eq!(lines, [format!("PIN {pin}")]);
        assert!(!host.stderr().contains(pin.as_str()));
        assert_not_in_files(host.data_dir(), pin);
    }
}

/// A command line with a slip in it is repeated in an error, and so in a log.
#[test]
fn inv_22_a_mistyped_pin_is_not_repeated() {
    let couch = ClientInstall::new("couch");
    for run in [ClientInstall::run, ClientInstall::run_text] {
        let outcome = run(&couch, &["pair", "127.0.0.1:9", "--pin", "73918264O5"]);
        assert_eq!(outcome.exit, 2);
        assert!(!outcome.everything().contains("73918264"), "{outcome:#?}");
    }
}

fn assert_not_in_files(directory: &Path, pin: &str) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_not_in_files(&path, pin);
        } else if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            let found = bytes.windows(pin.len()).any(|window| window == pin.as_bytes());
            assert!(!found, "the PIN is in {}", path.display());
        }
    }
}
