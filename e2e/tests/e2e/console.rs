//! The console as the host serves it: who gets in, what a browser can do and see, and what outlives a restart.

use std::{fs, net::TcpStream};

use hyper::Method;
use pf_e2e::{Browser, ClientInstall, Host, another_pin, until};
use serde_json::{Value, json};

/// A password that everybody finds in a log, or that nobody finds at all.
#[tokio::test(flavor = "multi_thread")]
async fn r8_the_first_start_shows_a_password_and_no_other_start_does() {
    let host = Host::serve().env("RUST_LOG", "trace").start();
    let first = host.console();
    let password = first.password.unwrap();
    assert_eq!(password.split('-').map(str::len).collect::<Vec<_>>(), [4; 4], "{password}");
    assert_eq!(host.stdout().matches(&password).count(), 1, "it is shown once");
    assert!(!host.stderr().contains(&password), "and is in no log");
    assert!(first.link.is_some());
    for file in fs::read_dir(host.data_dir()).unwrap().map(|entry| entry.unwrap().path()) {
        let bytes = fs::read(&file).unwrap_or_default();
        assert!(!contains(&bytes, password.as_bytes()), "the password is in {}", file.display());
    }

    let host = host.stopped_and_started_again();
    let second = host.console();
    assert_eq!((second.password, second.link), (None, None));
    assert_eq!((second.url, second.certificate), (first.url, first.certificate));
    Browser::signed_in(&host, &password).await.get("/status").await.expect(200);
}

/// Whoever comes first to a new host, while its owner is on the way to it, makes it theirs.
#[tokio::test(flavor = "multi_thread")]
async fn inv_49_r8_nobody_can_claim_a_fresh_host() {
    let host = Host::serve().start();
    let password = host.console().password.unwrap();
    let stranger = Browser::at(&host);
    let new = json!({ "password": "the-strangers-own-password" });
    let mut changes = vec![
        (Method::PUT, "/password", Some(new.clone())),
        (Method::POST, "/proof", Some(new.clone())),
        (Method::POST, "/sign-in-links", None),
        (Method::POST, "/pairing/window", Some(json!({}))),
        (Method::POST, "/requests/1/approve", Some(json!({}))),
        (Method::DELETE, "/sign-ins/1", None),
        (Method::DELETE, "/sign-in", None),
    ];
    for path in
        ["/status", "/pairing", "/devices", "/requests", "/sessions", "/audit", "/sign-ins", "/events"]
    {
        changes.push((Method::GET, path, None));
    }
    for (method, path, body) in changes {
        let reply = stranger.ask(method.clone(), path, body.as_ref()).await;
        assert_eq!(reply.status, 401, "{method} {path}: {reply:?}");
    }
    for credential in
        [new, json!({ "password": "" }), json!({ "link": "" }), json!({ "link": "A".repeat(43) })]
    {
        let reply = stranger.clone().sign_in(&credential).await;
        assert_eq!(reply.status, 401, "{credential}: {reply:?}");
        assert!(!reply.headers.contains_key("set-cookie"));
    }
    assert!(host.ctl(&["status"])["window"].is_null());
    Browser::signed_in(&host, &password).await;
}

/// A link that is found in a browser's history, or a shell's, opens the console again.
#[tokio::test(flavor = "multi_thread")]
async fn r8_a_link_signs_in_once() {
    let host = Host::serve().start();
    let made = host.ctl(&["console-url"]);
    assert_eq!(made["url"].as_str().unwrap(), host.console().url);
    for link in [&host.console().link.unwrap(), made["link"].as_str().unwrap()] {
        let (address, secret) = link.split_once("/#link=").unwrap();
        assert_eq!(format!("{address}/"), host.console().url);
        let credential = json!({ "link": secret });
        let mut browser = Browser::at(&host);
        browser.sign_in(&credential).await.expect(200);
        browser.get("/status").await.expect(200);
        browser.clone().signed_out().sign_in(&credential).await.expect_refusal(401, "link_used");
        // A link is a proof: what needs the password goes through with it.
        browser.ask(Method::POST, "/sign-in-links", None).await.expect(200);
    }
    let signed_in = host.ctl(&["sign-ins"]);
    assert_eq!(signed_in["sign_ins"].as_array().unwrap().len(), 2, "{signed_in}");
}

/// A guesser who can go on for ever, or an owner who is told nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn r8_wrong_passwords_are_refused_limited_and_audited() {
    let host = Host::serve().start();
    let password = host.console().password.unwrap();
    let mut guesser = Browser::at(&host);
    for _ in 0..5 {
        guesser
            .sign_in(&json!({ "password": another(&password) }))
            .await
            .expect_refusal(401, "wrong_password");
    }
    let reply = guesser.sign_in(&json!({ "password": password })).await;
    reply.expect_refusal(429, "rate_limited");
    assert!(reply.headers.contains_key("retry-after"), "{reply:?}");
    until("the failures in the log", || (host.count_events("console_sign_in_failed") == 5).then_some(()));
    assert_eq!(host.count_events("console_sign_in"), 0);
    // The owner is never shut out: a link needs no password.
    let link = host.ctl(&["console-url"])["link"].as_str().unwrap().to_owned();
    let secret = link.split_once("/#link=").unwrap().1.to_owned();
    guesser.sign_in(&json!({ "link": secret })).await.expect(200);
    assert_eq!(host.count_events("console_sign_in"), 1);
}

/// A stolen laptop that goes on watching while its owner looks at *removed*.
#[tokio::test(flavor = "multi_thread")]
async fn inv_33_removing_a_device_in_the_console_cuts_its_session() {
    let host = Host::serve().start();
    let browser = Browser::signed_in(&host, &host.console().password.unwrap()).await;
    let couch = ClientInstall::new("couch");
    let window = browser.post("/pairing/window", &json!({})).await.expect(200);
    couch.pair(&host.address(), window["pin"].as_str().unwrap());
    let watching = couch.spawn(&["connect", &host.address(), "--headless", "--seconds", "600"]);
    let fingerprint = couch.fingerprint();
    host.await_session_of(&fingerprint);
    assert_eq!(browser.get("/devices").await.expect(200)[0]["sessions"], 1);

    let removed = browser.delete(&format!("/devices/{fingerprint}")).await.expect(200);
    assert_eq!(removed["sessions_cut"], 1);
    assert_eq!(browser.get("/sessions").await.expect(200), json!([]));
    watching.finish().expect_failure(18, "removed");
    couch.connect(&host.address()).expect_failure(18, "removed");
}

/// The same act by the page and by a script: one must not be able to do what the other cannot see.
#[tokio::test(flavor = "multi_thread")]
async fn r7_the_console_ends_a_session_and_the_device_stays() {
    let host = Host::serve().start();
    let browser = Browser::signed_in(&host, &host.console().password.unwrap()).await;
    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.arm(&[]));
    let watching = couch.spawn(&["connect", &host.address(), "--headless", "--seconds", "600"]);
    host.await_session_of(&couch.fingerprint());
    let sessions = browser.get("/sessions").await.expect(200);
    assert_eq!(sessions[0]["id"], host.sessions()[0]["id"]);
    let path = format!("/sessions/{}", sessions[0]["id"]);
    browser.delete(&path).await.expect(204);
    watching.finish().expect_failure(25, "ended");
    browser.delete(&path).await.expect_refusal(404, "no_such_session");
    couch.expect_pictures(&host.address());
}

/// A page that lost the thread shows a hole in what happened, or the same twice.
#[tokio::test(flavor = "multi_thread")]
async fn events_go_on_where_they_ended_after_a_kill_and_a_restart() {
    let host = Host::serve().start();
    let browser = Browser::signed_in(&host, &host.console().password.unwrap()).await;
    let mut events = browser.events(None).await;
    assert_eq!(events.next().await.unwrap().event, "changed", "everything is to be fetched first");
    host.arm(&[]);
    let armed = loop {
        // The line of the sign-in itself may come first.
        let told = events.next_of("audit").await.unwrap();
        if told.data["event"] == "armed" {
            break told;
        }
    };
    host.ctl(&["disarm"]);
    host.arm(&[]);

    let host = host.killed_and_started_again();
    host.ctl(&["arm"]);
    host.ctl(&["disarm"]);
    let mut events = browser.now_at(&host).events(armed.id).await;
    let mut told = Vec::new();
    while told.len() < 4 {
        let next = events.next_of("audit").await.unwrap();
        told.push((next.id.unwrap(), next.data["event"].as_str().unwrap().to_owned()));
    }
    assert!(told.is_sorted_by(|one, next| one.0 < next.0), "{told:?}");
    assert!(told[0].0 > armed.id.unwrap());
    let words: Vec<_> = told.iter().map(|(_, word)| word.as_str()).collect();
    assert_eq!(words, ["disarmed", "armed", "armed", "disarmed"]);
    host.arm(&[]);
    let live = events.next_of("audit").await.unwrap();
    assert_eq!((live.data["event"].as_str(), live.id > Some(told[3].0)), (Some("armed"), true));
}

/// A restart that signs everybody out, or one that brings back who was signed out.
#[tokio::test(flavor = "multi_thread")]
async fn r8_sign_ins_and_their_ends_outlive_a_restart() {
    let host = Host::serve().start();
    let password = host.console().password.unwrap();
    let [stays, leaves, is_ended] = [
        Browser::signed_in(&host, &password).await,
        Browser::signed_in(&host, &password).await,
        Browser::signed_in(&host, &password).await,
    ];
    let id = is_ended.get("/sign-in").await.expect(200)["id"].to_string();
    let mut open = is_ended.events(None).await;
    open.next().await.unwrap();
    leaves.delete("/sign-in").await.expect(204);
    host.ctl(&["end-sign-in", &id]);
    open.end().await;
    host.try_ctl(&["end-sign-in", &id]).expect_failure(2, "usage");

    let host = host.killed_and_started_again();
    stays.now_at(&host).get("/status").await.expect(200);
    for gone in [leaves, is_ended] {
        gone.now_at(&host).get("/status").await.expect_refusal(401, "signed_out");
    }
    assert_eq!(host.ctl(&["sign-ins"])["sign_ins"].as_array().unwrap().len(), 1);
}

/// Somebody who knows the old password stays in after it was changed.
#[tokio::test(flavor = "multi_thread")]
async fn r8_a_new_password_ends_everything_that_the_old_one_opened() {
    let host = Host::serve().start();
    let first = host.console().password.unwrap();
    let browser = Browser::signed_in(&host, &first).await;
    let link = host.ctl(&["console-url"])["link"].as_str().unwrap().to_owned();
    let second = host.ctl(&["console-password", "--reset"])["password"].as_str().unwrap().to_owned();
    browser.get("/status").await.expect_refusal(401, "signed_out");
    let mut other = Browser::at(&host);
    other.sign_in(&json!({ "password": first })).await.expect_refusal(401, "wrong_password");
    let secret = link.split_once("/#link=").unwrap().1;
    other.sign_in(&json!({ "link": secret })).await.expect_refusal(401, "link_used");
    Browser::signed_in(&host, &second).await;

    for weak in ["short", "", "aaaaaaaaaaaaaaaa"] {
        host.try_ctl_reading(&["console-password", "--stdin"], weak).expect_failure(2, "usage");
    }
    let own = "correct horse battery";
    host.try_ctl_reading(&["console-password", "--stdin"], &format!("{own}\n")).expect_success();
    let host = host.killed_and_started_again();
    Browser::at(&host).sign_in(&json!({ "password": second })).await.expect_refusal(401, "wrong_password");
    Browser::signed_in(&host, own).await;
    host.try_ctl(&["console-password"]).expect_failure(2, "usage");
}

/// A broken store of passwords that is replaced by an empty one: the next to come sets the password.
#[tokio::test(flavor = "multi_thread")]
async fn inv_36_a_broken_console_store_stops_the_host_and_restore_mends_it() {
    let mut host = Host::serve().start();
    let password = host.console().password.unwrap();
    let browser = Browser::signed_in(&host, &password).await;
    host.terminate();
    let setup = host.into_setup();
    let file = setup.path().join("console.sqlite");
    for broken in [Some(&b"no database at all"[..]), None] {
        match broken {
            Some(bytes) => fs::write(&file, bytes).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let error = setup.fail_to_start().expect_failure(21, "store_unreadable");
        assert!(error["message"].as_str().unwrap().contains(file.to_str().unwrap()), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("--restore"), "{error}");
    }
    let host = setup.arg("--restore").start();
    assert_eq!(host.console().password, None, "the password is the old one");
    browser.now_at(&host).get("/status").await.expect_refusal(401, "signed_out");
    Browser::signed_in(&host, &password).await;
}

/// An owner who wants no console has an open port all the same.
#[test]
fn r8_without_the_console_there_is_no_port_and_the_commands_say_so() {
    for host in [Host::serve().arg("--no-console").start(), Host::m3().start()] {
        assert!(TcpStream::connect(host.socket_address()).is_err(), "somebody listens");
        let commands: [&[&str]; 4] =
            [&["console-url"], &["console-password", "--reset"], &["sign-ins"], &["end-sign-in", "1"]];
        for command in commands {
            let error = host.try_ctl(command).expect_failure(2, "usage");
            assert!(error["message"].as_str().unwrap().contains("without the console"), "{error}");
        }
        assert!(!host.data_dir().join("console.sqlite").exists());
        assert!(!host.stdout().contains("https://"));
    }
}

/// A script that has to read what is meant for people.
#[tokio::test(flavor = "multi_thread")]
async fn the_introduction_tells_a_script_where_the_console_is() {
    let setup = Host::serve();
    let mut command = setup.command();
    let running = pf_e2e::Running::start(command.arg("--json"));
    let said = running.hear_stdout("the introduction", |said| said.lines().next().map(str::to_owned));
    let introduction: Value = serde_json::from_str(&said).unwrap();
    let console = &introduction["data"]["console"];
    let url = format!("https://127.0.0.1:{}/", introduction["data"]["port"]);
    assert_eq!(console["url"], url.as_str(), "{introduction}");
    assert!(console["link"].as_str().unwrap().starts_with(&format!("{url}#link=")), "{introduction}");
    assert_eq!(console["certificate_sha256"].as_str().map(str::len), Some(32 * 3 - 1), "{introduction}");
    assert!(console["password"].is_string(), "{introduction}");
}

/// A link with an address in it, where the owner's certificate is for a name.
#[test]
fn the_console_is_shown_under_the_name_that_its_owner_gave() {
    let host = Host::serve().arg("--console-name").arg("tv.example").start();
    let url = format!("https://tv.example:{}/", host.socket_address().port());
    let made = host.ctl(&["console-url"]);
    assert_eq!(made["url"], url.as_str());
    assert!(made["link"].as_str().unwrap().starts_with(&format!("{url}#link=")), "{made}");
    assert_eq!(host.console().url, url);
}

/// The console is silently missing, or somebody else's is shown in its place.
#[test]
fn a_taken_port_is_an_error_with_a_way_on() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let setup = Host::serve().port(port);
    let error = setup.fail_to_start().expect_failure(2, "usage");
    assert!(error["message"].as_str().unwrap().contains(&format!("TCP 127.0.0.1:{port}")), "{error}");
    for way_on in ["--console-bind", "--no-console"] {
        assert!(error["hint"].as_str().unwrap().contains(way_on), "{error}");
    }
    let host = setup.arg("--console-bind").arg("127.0.0.1:0").start();
    assert_ne!(host.console().url, format!("https://127.0.0.1:{port}/"));
    drop(taken);
}

/// A browser that stays open keeps the host from stopping, or an update waits for a minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_stops_while_a_browser_listens() {
    let mut host = Host::serve().start();
    let browser = Browser::signed_in(&host, &host.console().password.unwrap()).await;
    let mut events = browser.events(None).await;
    events.next().await.unwrap();
    host.terminate();
    events.end().await;
}

/// A PIN on a screen that somebody shares, in a log, in an event that the page keeps.
#[tokio::test(flavor = "multi_thread")]
async fn inv_22_a_pin_is_in_no_event_log_or_audit_line_of_the_console() {
    let host = Host::serve().long_pins().env("RUST_LOG", "trace").start();
    let browser = Browser::signed_in(&host, &host.console().password.unwrap()).await;
    let mut events = browser.events(None).await;
    events.next().await.unwrap();
    let [couch, guesser] = ["couch", "guesser"].map(ClientInstall::new);
    let window = json!({ "for_device": guesser.fingerprint() });
    let burned = pin(&browser.post("/pairing/window", &window).await.expect(200));
    guesser.run(&["pair", &host.address(), "--pin", &another_pin(&burned)]).expect_failure(11, "wrong_pin");
    let used = pin(&browser
        .post("/pairing/window", &json!({ "for_device": couch.fingerprint() }))
        .await
        .expect(200));
    assert_eq!(pin(&browser.get("/pairing").await.expect(200)["window"]), used, "the owner sees it");
    couch.pair(&host.address(), &used);
    couch.expect_pictures(&host.address());
    let open = pin(&browser.post("/pairing/window", &json!({})).await.expect(200));
    browser.delete("/pairing/window").await.expect(204);

    let mut said = String::new();
    loop {
        let told = events.next().await.unwrap();
        said += &told.event;
        said += &told.data.to_string();
        if told.data["event"] == "disarmed" {
            break;
        }
    }
    for word in ["wrong_pin", "paired", "changed"] {
        assert!(said.contains(word), "{word} is missing in {said}");
    }
    for path in ["/audit?limit=1000", "/devices", "/requests", "/sessions", "/sign-ins"] {
        said += &browser.get(path).await.body;
    }
    said += &host.stdout();
    said += &host.stderr();
    for pin in [burned, used, open] {
        assert!(!said.contains(&pin), "a PIN is in {said}");
    }
}

/// A page that any site can frame or script, or that a browser keeps.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_served_with_strict_headers() {
    let host = Host::serve().start();
    let page = Browser::at(&host).page("/").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("<html"), "{page:?}");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    for rule in ["default-src 'none'", "frame-ancestors 'none'", "script-src 'self'"] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    Browser::at(&host).get("/status").await.expect_refusal(401, "signed_out");
}

fn pin(window: &Value) -> String {
    window["pin"].as_str().unwrap().to_owned()
}

/// A password of the same form that is not this one.
fn another(password: &str) -> String {
    password.chars().rev().chain("x".chars()).collect()
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}
