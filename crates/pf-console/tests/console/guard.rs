//! What every request has to pass, whatever it asks for.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use serde_json::json;

use crate::{
    document::operations,
    support::{Console, HOST, ORIGIN, ask, ask_page},
};

/// The only thing that can be done by somebody who is not signed in.
const SIGN_IN: (&str, &str) = ("POST", "/api/v1/sign-in");

/// A route is added, and forgets to ask who is there.
#[tokio::test]
async fn inv_49_every_route_but_signing_in_needs_a_session() {
    let console = Console::new().await;
    let ended = console.sign_in().await;
    console.sign_in().await;
    console.sign_ins.end(1).await.unwrap();
    let operations = operations();
    assert!(operations.len() > 20, "the document is read");
    for (method, path, _) in operations {
        if (method.as_str(), path.as_str()) == SIGN_IN {
            continue;
        }
        for cookie in ["", "__Host-punktfunk=", &format!("__Host-punktfunk={}", "A".repeat(43)), &ended] {
            let answer = ask_page(&method, &path).json(&json!({})).cookie(cookie).of(&console).await;
            answer.assert_refused(401, "signed_out");
        }
    }
}

/// Another site has the owner's browser send a change here, with the owner's cookie.
#[tokio::test]
async fn inv_49_r8_every_change_needs_the_consoles_own_origin() {
    let console = Console::new().await;
    let cookie = console.sign_in().await;
    let changes: Vec<_> = operations().into_iter().filter(|(method, ..)| method != "GET").collect();
    assert!(changes.len() > 10, "the document is read");
    for (method, path, _) in changes {
        let change = ask_page(&method, &path).json(&json!({})).cookie(&cookie);
        let foreign = [
            change.clone().without("origin"),
            change.clone().header("origin", "null"),
            change.clone().header("origin", ""),
            change.clone().header("origin", "https://evil.example"),
            change.clone().header("origin", "http://box.local:9777"),
            change.clone().header("origin", "https://box.local"),
            change.clone().header("origin", "https://box.local:9778"),
            change.clone().header("origin", "https://box.local:9777.evil.example"),
            change.clone().header("origin", "https://192.168.1.4:9777"),
            change.clone().and_header("origin", "https://evil.example"),
            change.clone().header("sec-fetch-site", "cross-site"),
            change.clone().header("sec-fetch-site", "same-site"),
            change.clone().header("sec-fetch-site", "none"),
            change.clone().header("sec-fetch-site", "same-origin").and_header("sec-fetch-site", "cross-site"),
        ];
        for request in foreign {
            request.of(&console).await.assert_refused(403, "foreign_origin");
        }
        let own = change.header("sec-fetch-site", "same-origin").of(&console).await;
        assert_ne!(own.status, StatusCode::FORBIDDEN, "{method} {path}: {}", own.text());
        if path.ends_with("/sign-in") && method == "DELETE" {
            break;
        }
    }
}

/// A site points its own name at this machine, so that the browser takes it for that site (DNS rebinding).
#[tokio::test]
async fn inv_49_r8_no_route_answers_under_a_foreign_name() {
    let console = Console::new().await;
    let cookie = console.sign_in().await;
    for (method, path, _) in operations() {
        let request = ask_page(&method, &path).json(&json!({})).cookie(&cookie);
        let foreign = [
            request.clone().header("host", "evil.example:9777").header("origin", "https://evil.example:9777"),
            request.clone().header("host", "box.local:9778").header("origin", "https://box.local:9778"),
            request.clone().without("host"),
            request.clone().and_header("host", "evil.example:9777"),
        ];
        for request in foreign {
            request.of(&console).await.assert_refused(421, "foreign_host");
        }
    }
    for path in ["/", "/favicon.svg", "/nothing"] {
        let answer = ask_page("GET", path).header("host", "evil.example:9777").of(&console).await;
        assert_eq!(answer.status.as_u16(), 421);
        assert!(!answer.text().contains("Punktfunk"));
    }
}

/// HTTP/2 names the machine in the request line, and a header beside it may name another.
#[tokio::test]
async fn r8_two_names_for_the_machine_have_to_be_one() {
    let console = Console::new().await;
    let by_line = |host: &str| ask_page("GET", &format!("https://{host}/"));
    assert_eq!(by_line(HOST).of(&console).await.status, StatusCode::OK);
    assert_eq!(by_line(HOST).without("host").of(&console).await.status, StatusCode::OK);
    assert_eq!(by_line("evil.example").without("host").of(&console).await.status.as_u16(), 421);
    assert_eq!(by_line("evil.example").of(&console).await.status.as_u16(), 421);
    assert_eq!(by_line(HOST).header("host", "192.168.1.4").of(&console).await.status.as_u16(), 421);
}

/// A page of another site sends JSON as a form, for which a browser asks nobody.
#[tokio::test]
async fn r8_a_body_has_to_be_marked_as_json_and_small() {
    let console = Console::new().await;
    let cookie = console.sign_in().await;
    let post = |path: &str| ask("POST", path).cookie(&cookie);
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
        let form = post("/pairing/window").header("content-type", content_type).body("{}");
        form.of(&console).await.assert_refused(415, "usage");
    }
    post("/pairing/window").body("{}").of(&console).await.assert_refused(415, "usage");
    post("/requests/1/deny").body("x=1").of(&console).await.assert_refused(415, "usage");
    let marked = post("/pairing/window").header("content-type", "Application/JSON; charset=utf-8").body("{}");
    assert_eq!(marked.of(&console).await.status, StatusCode::OK);

    let padded = |size: usize| format!("{{{}}}", " ".repeat(size - 2));
    let json = |body: String| post("/pairing/window").header("content-type", "application/json").body(body);
    assert_eq!(json(padded(4096)).of(&console).await.status, StatusCode::OK);
    json(padded(4097)).of(&console).await.assert_refused(413, "usage");
    let unread = post("/requests/1/deny").header("content-type", "application/json").body(padded(4097));
    unread.of(&console).await.assert_refused(413, "usage");
}

/// A script meets an answer that is not of the API's own form, and breaks on it.
#[tokio::test]
async fn what_makes_no_sense_is_refused_in_one_form() {
    let console = Console::new().await;
    let cookie = console.sign_in().await;
    let get = |path: &str| ask("GET", path).cookie(&cookie);
    get("/nothing").of(&console).await.assert_refused(404, "usage");
    ask_page("GET", "/api").of(&console).await.assert_refused(404, "usage");
    ask_page("GET", "/api/v2/status").of(&console).await.assert_refused(404, "usage");
    let wrong_method = ask("PUT", "/status").cookie(&cookie).of(&console).await;
    wrong_method.assert_refused(405, "usage");
    assert_eq!(wrong_method.header("allow"), "GET,HEAD");
    for path in [
        "/audit?limit=0",
        "/audit?limit=1001",
        "/audit?limit=x",
        "/audit?before=-1",
        "/audit?unknown=1",
        "/audit?fingerprint=01",
        "/audit?limit=1&limit=2",
        "/events?after=x",
    ] {
        get(path).of(&console).await.assert_refused(400, "usage");
    }
    get("/events").header("last-event-id", "x").of(&console).await.assert_refused(400, "usage");
    for path in
        ["/sessions/x", "/sessions/-1", "/sessions/%ff", "/devices/01", "/sign-ins/99999999999999999999"]
    {
        ask("DELETE", path).cookie(&cookie).of(&console).await.assert_refused(400, "usage");
    }
    ask("DELETE", &format!("/devices/{}", "01:".repeat(32)))
        .cookie(&cookie)
        .of(&console)
        .await
        .assert_refused(400, "usage");
    for body in ["", "{", "{}x", "\u{feff}{}"] {
        let post = ask("POST", "/pairing/window").cookie(&cookie).header("content-type", "application/json");
        post.body(body).of(&console).await.assert_refused(400, "usage");
    }
    for body in [
        json!({ "ttl_s": 0 }),
        json!({ "ttl_s": 301 }),
        json!({ "ttl_s": 1.5 }),
        json!({ "for_device": "01" }),
        json!({ "for_request": -1 }),
        json!({ "for_request": 1, "for_device": "01".repeat(32) }),
        json!({ "pin": "0000" }),
        json!([]),
        json!("x"),
    ] {
        let post = ask("POST", "/pairing/window").cookie(&cookie).json(&body);
        post.of(&console).await.assert_refused(422, "usage");
    }
}

/// A page that is framed, sniffed, cached or scripted gives away what an owner sees.
#[tokio::test]
async fn r8_every_answer_keeps_the_browser_strict() {
    let console = Console::new().await;
    let cookie = console.sign_in().await;
    let answers = [
        ask_page("GET", "/").of(&console).await,
        ask_page("GET", "/nothing").of(&console).await,
        ask_page("GET", "/").header("host", "evil.example").of(&console).await,
        ask_page("POST", "/").of(&console).await,
        ask("GET", "/status").cookie(&cookie).of(&console).await,
        ask("GET", "/status").of(&console).await,
        ask("POST", "/sign-in").json(&json!({})).of(&console).await,
        ask("GET", "/nothing").of(&console).await,
    ];
    for answer in &answers {
        let policy = answer.header("content-security-policy");
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
        assert_eq!(answer.header("strict-transport-security"), "", "it would lock the owner out");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
    for answer in &answers[4..] {
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("content-encoding"), "", "compressed answers tell of their secrets");
    }
}

#[tokio::test]
async fn the_page_is_kept_by_browsers_as_long_as_it_stays_the_same() {
    let console = Console::new().await;
    let index = ask_page("GET", "/").of(&console).await;
    assert_eq!(index.status, StatusCode::OK);
    assert_eq!(index.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(index.header("cache-control"), "no-cache");
    let again = ask_page("GET", "/").header("if-none-match", index.header("etag")).of(&console).await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    let script = index.text().split('"').find(|value| value.starts_with("/assets/") && value.contains(".js"));
    let plain = ask_page("GET", script.unwrap()).of(&console).await;
    assert_eq!(plain.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(plain.header("content-encoding"), "");
    let gzip = ask_page("GET", script.unwrap()).header("accept-encoding", "gzip, br").of(&console).await;
    assert_eq!(gzip.header("content-encoding"), "gzip");
    assert!(gzip.body.len() < plain.body.len());
    for path in ["/nothing", "/index.html", "/assets/../Cargo.toml", "/assets/", "//", "/%2e%2e/Cargo.toml"] {
        assert_eq!(ask_page("GET", path).of(&console).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let posted = ask_page("POST", "/").of(&console).await;
    assert_eq!((posted.status, posted.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD"));
}

/// A handler breaks, and takes the console with it.
#[tokio::test]
async fn a_handler_that_breaks_is_one_answer_of_500() {
    let console = Console::new().await;
    let cookie = console.sign_in().await;
    console.host.break_once.store(true, Ordering::SeqCst);
    let status = || ask("GET", "/status").cookie(&cookie).of(&console);
    let broken = status().await;
    broken.assert_refused(500, "internal");
    assert!(!broken.text().contains("on purpose"));
    assert_eq!(broken.header("cache-control"), "no-store");
    assert_eq!(status().await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_address_will_do_as_a_name() {
    let console = Console::new().await;
    for host in ["192.168.1.4:9777", "[fd00::1]:9777", "localhost:9777", "box", "BOX.local:9777"] {
        let password = json!({ "password": crate::support::PASSWORD });
        let sign_in = ask("POST", "/sign-in").json(&password).header("host", host);
        let answer = sign_in.clone().header("origin", &format!("https://{host}")).of(&console).await;
        assert_eq!(answer.status, StatusCode::OK, "{host}");
        sign_in
            .header("origin", ORIGIN)
            .header("origin", "https://10.0.0.1")
            .of(&console)
            .await
            .assert_refused(403, "foreign_origin");
    }
}
