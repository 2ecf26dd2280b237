//! What an owner sees and does, through the API.

use axum::http::StatusCode;
use serde_json::json;

use crate::support::{Console, MemoryHost, ask, ask_page};

/// A device that waits for approval has a name that is markup, turns the line around, or ends the JSON.
#[tokio::test]
async fn inv_48_hostile_names_come_through_as_text() {
    let console = Console::new().await;
    let cookie = console.sign_in().await;
    let names = [
        "</script><script>alert(1)</script>",
        "\"},{\"id\":2,\"name\":\"",
        "a\u{2028}b\u{202e}c\\u0022\n\r\0",
        "<img src=x onerror=alert(1)>",
    ];
    for (id, name) in names.iter().enumerate() {
        console.host.park(id as u32, name);
        console.host.audit_line("requested", Some((*name).to_owned()));
    }
    for (path, list) in [("/requests", ""), ("/audit?kind=requested", "/entries")] {
        let answer = ask("GET", path).cookie(&cookie).of(&console).await;
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        let json = answer.json();
        let shown = json.pointer(list).unwrap().as_array().unwrap();
        assert_eq!(shown.len(), names.len());
        for name in names {
            assert!(shown.iter().any(|entry| entry["name"] == name), "{name:?} in {path}");
        }
    }
}

/// The PIN turns up where somebody else, or a log, can see it.
#[tokio::test]
async fn inv_22_the_pin_is_in_the_answers_about_the_window_alone() {
    let console = Console::new().await;
    let cookie = console.sign_in().await;
    let armed = ask("POST", "/pairing/window").json(&json!({})).cookie(&cookie).of(&console).await;
    assert_eq!(armed.json()["pin"], MemoryHost::PIN);
    for (path, has_pin) in [
        ("/pairing", true),
        ("/status", true),
        ("/requests", false),
        ("/devices", false),
        ("/sessions", false),
        ("/audit", false),
        ("/sign-ins", false),
        ("/sign-in", false),
    ] {
        let answer = ask("GET", path).cookie(&cookie).of(&console).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.text().contains(&format!("\"{}\"", MemoryHost::PIN)), has_pin, "{path}");
        let stranger = ask("GET", path).of(&console).await;
        assert!(!stranger.text().contains(MemoryHost::PIN), "{path}");
    }
    assert!(!ask_page("GET", "/").of(&console).await.text().contains(MemoryHost::PIN));
}

#[tokio::test]
async fn an_owner_arms_for_one_device_and_disarms() {
    let console = Console::new().await;
    let cookie = console.sign_in().await;
    console.host.park(7, "Steam Deck");
    let arm = |body| ask("POST", "/pairing/window").json(&body).cookie(&cookie).of(&console);
    let window = arm(json!({ "for_request": 7, "ttl_s": 300 })).await.json();
    assert_eq!((&window["for"], &window["ttl_s"]), (&json!("07".repeat(32)), &json!(300)));
    let window = arm(json!({ "for_device": "AB".repeat(32) })).await.json();
    assert_eq!((&window["for"], &window["ttl_s"]), (&json!("ab".repeat(32)), &json!(120)));
    arm(json!({ "for_request": 8 })).await.assert_refused(404, "no_such_request");
    let disarm = || ask("DELETE", "/pairing/window").cookie(&cookie).of(&console);
    assert_eq!(disarm().await.status, StatusCode::NO_CONTENT);
    disarm().await.assert_refused(409, "not_armed");
}

#[tokio::test]
async fn an_owner_approves_renames_and_removes_a_device() {
    let console = Console::new().await;
    let cookie = console.sign_in().await;
    console.host.park(7, "Steam Deck");
    console.host.park(8, "Nobody");
    let approve =
        ask("POST", "/requests/7/approve").json(&json!({ "label": "Deck\u{202e}" })).cookie(&cookie);
    assert_eq!(approve.clone().of(&console).await.json()["label"], "Deck", "labels are made harmless");
    approve.of(&console).await.assert_refused(404, "no_such_request");
    let deny = || ask("POST", "/requests/8/deny").cookie(&cookie).of(&console);
    assert_eq!(deny().await.status, StatusCode::NO_CONTENT);
    deny().await.assert_refused(404, "no_such_request");

    let path = format!("/devices/{}", "07".repeat(32));
    let rename =
        |label: &str| ask("PATCH", &path).json(&json!({ "label": label })).cookie(&cookie).of(&console);
    assert_eq!(rename("Couch").await.json()["label"], "Couch");
    rename("").await.assert_refused(422, "usage");
    rename(&"x".repeat(65)).await.assert_refused(422, "usage");
    let devices = ask("GET", "/devices").cookie(&cookie).of(&console).await.json();
    assert_eq!(devices[0]["label"], "Couch");
    let remove = || ask("DELETE", &path).cookie(&cookie).of(&console);
    assert_eq!(remove().await.json()["label"], "Couch");
    remove().await.assert_refused(404, "no_such_device");
    ask("DELETE", "/sessions/1").cookie(&cookie).of(&console).await.assert_refused(404, "no_such_session");
}

#[tokio::test]
async fn the_audit_log_is_read_page_by_page() {
    let console = Console::new().await;
    let cookie = console.sign_in().await;
    console.host.forget_audit();
    for _ in 0..60 {
        console.host.audit_line("paired", None);
    }
    let page = |query: String| ask("GET", &format!("/audit{query}")).cookie(&cookie).of(&console);
    let first = page(String::new()).await.json();
    let entries = first["entries"].as_array().unwrap();
    assert_eq!((entries.len(), &first["more"]), (50, &json!(true)));
    let second = page(format!("?before={}&limit=1000", entries[49]["id"])).await.json();
    assert_eq!((second["entries"].as_array().unwrap().len(), &second["more"]), (10, &json!(false)));
    assert!(page("?kind=nothing".to_owned()).await.json()["entries"].as_array().unwrap().is_empty());
}
