//! Getting in, staying in, and being shut out.

use std::time::Duration;

use axum::http::StatusCode;
use futures_util::{FutureExt, future::join_all};
use pf_console::control::HostControl;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{Answer, Ask, Console, PASSWORD, ask};

const DAY: Duration = Duration::from_hours(24);
const MOMENT: Duration = Duration::from_millis(1);
const ALMOST_A_WEEK: Duration = Duration::from_millis(7 * 24 * 3600 * 1000 - 1);

fn guess(password: &str) -> Ask {
    ask("POST", "/sign-in").json(&json!({ "password": password }))
}

async fn with_link(console: &Console, secret: &str) -> Answer {
    ask("POST", "/sign-in").json(&json!({ "link": secret })).of(console).await
}

/// The secret of a link, as the page takes it out of its own address.
fn secret(url: &str) -> &str {
    url.strip_prefix("https://box.local:9777/#link=").unwrap()
}

async fn status_of(console: &Console, cookie: &str) -> u16 {
    ask("GET", "/status").cookie(cookie).of(console).await.status.as_u16()
}

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status.as_u16() == status).count()
}

/// Fifty guesses are sent at once, before the first is found wrong.
#[tokio::test(flavor = "multi_thread")]
async fn inv_49_r8_guesses_side_by_side_get_no_more_tries_than_one_after_another() {
    let console = Console::new().await;
    let guesses = (0..50).map(|number| guess(&format!("wrong guess {number}")).of(&console));
    let answers = join_all(guesses).await;
    assert_eq!((count(&answers, 401), count(&answers, 429)), (5, 45));
    let limited = answers.iter().find(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS).unwrap();
    limited.assert_refused(429, "rate_limited");
    assert_eq!(limited.json()["retry_after_s"], 10);
    assert_eq!(limited.header("retry-after"), "10");
    assert_eq!(console.host.audited(), ["console_sign_in_failed"; 5], "what was not looked at is no failure");

    // The right password has to wait as any other does, or the answer would tell that it is right.
    guess(PASSWORD).of(&console).await.assert_refused(429, "rate_limited");
    assert_eq!(guess(PASSWORD).from([192, 168, 1, 8]).of(&console).await.status, StatusCode::OK);
    console.pass(Duration::from_secs(10));
    assert_eq!(guess(PASSWORD).of(&console).await.status, StatusCode::OK);
}

/// Guesses come from everywhere, to get in or to lock the owner out.
#[tokio::test(flavor = "multi_thread")]
async fn inv_49_r8_the_total_holds_against_many_addresses_and_a_link_gets_the_owner_in() {
    let console = Console::new().await;
    let guesses = (1..=40).map(|last| guess("wrong guess").from([192, 168, 1, last]).of(&console));
    let answers = join_all(guesses).await;
    assert_eq!((count(&answers, 401), count(&answers, 429)), (30, 10));
    let locked_out = guess(PASSWORD).from([192, 168, 1, 200]).of(&console).await;
    assert_eq!(locked_out.json()["retry_after_s"], 30);
    let link = console.sign_ins.make_link(None).url("https://box.local:9777");
    assert_eq!(with_link(&console, secret(&link)).await.status, StatusCode::OK);
}

/// A guesser hangs up before the answer, so that the try is neither counted nor noted.
#[tokio::test(flavor = "multi_thread")]
async fn inv_49_r8_who_hangs_up_has_tried_all_the_same() {
    let console = Console::new().await;
    let mut happenings = console.host.watch();
    for _ in 0..5 {
        let request = console.router.clone().oneshot(guess("wrong guess").request());
        assert!(request.now_or_never().is_none(), "the hash cannot be there yet");
    }
    for _ in 0..5 {
        happenings.recv().await.unwrap();
    }
    guess("wrong guess").of(&console).await.assert_refused(429, "rate_limited");
    assert_eq!(console.host.audited(), ["console_sign_in_failed"; 5]);
}

/// A cookie is stolen by a script, over plain HTTP, or by another site's request.
#[tokio::test]
async fn r8_the_cookie_has_exactly_these_attributes() {
    let console = Console::new().await;
    let answer = guess(PASSWORD).of(&console).await;
    let set = answer.header("set-cookie");
    let (cookie, attributes) = set.split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=2592000");
    assert_eq!(cookie.strip_prefix("__Host-punktfunk=").unwrap().len(), 43);
    let signed_out = ask("DELETE", "/sign-in").cookie(cookie).of(&console).await;
    assert_eq!(signed_out.status, StatusCode::NO_CONTENT);
    assert_eq!(
        signed_out.header("set-cookie"),
        "__Host-punktfunk=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"
    );
    assert_eq!(status_of(&console, cookie).await, 401);
}

#[tokio::test]
async fn a_sign_in_says_what_it_is() {
    let console = Console::new().await;
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
    let answer = guess(PASSWORD).header("user-agent", firefox).of(&console).await;
    let expected = json!({
        "id": 1,
        "browser": "Firefox on Linux",
        "address": "192.168.1.7",
        "by": "password",
        "signed_in_at": "2023-11-14T22:13:20Z",
        "last_used_at": "2023-11-14T22:13:20Z",
        "proof_expires_in_s": 900,
        "current": true,
    });
    assert_eq!(answer.json(), expected);
    console.pass(Duration::from_mins(1));
    let cookie = answer.cookie();
    let other = console.sign_in().await;
    let list = ask("GET", "/sign-ins").cookie(&other).of(&console).await.json();
    assert_eq!(list[0]["current"], Value::Bool(true));
    assert_eq!(list[1]["current"], Value::Bool(false));
    assert_eq!(list[1]["id"], 1);
    let current = ask("GET", "/sign-in").cookie(&cookie).from([192, 168, 1, 99]).of(&console).await.json();
    assert_eq!(current["proof_expires_in_s"], 840);
    assert_eq!(current["last_used_at"], "2023-11-14T22:14:20Z");
    assert_eq!(current["address"], "192.168.1.99", "a cookie that is used from elsewhere shows");
}

/// Somebody reads the link in the terminal's history, or opens it at the same moment as the owner.
#[tokio::test(flavor = "multi_thread")]
async fn r8_a_link_works_once_also_when_two_use_it_at_once() {
    let console = Console::new().await;
    let link = console.sign_ins.make_link(None).url("https://box.local:9777");
    let both = join_all((0..8).map(|_| with_link(&console, secret(&link)))).await;
    assert_eq!((count(&both, 200), count(&both, 401)), (1, 7));
    both.iter().find(|answer| answer.status != StatusCode::OK).unwrap().assert_refused(401, "link_used");
    let signed_in = both.iter().find(|answer| answer.status == StatusCode::OK).unwrap();
    assert_eq!(signed_in.json()["by"], "link");
    assert_eq!(signed_in.json()["proof_expires_in_s"], 900, "a link is a proof");
}

#[tokio::test]
async fn r8_a_link_that_is_old_made_up_or_of_an_older_password_is_no_good() {
    let console = Console::new().await;
    let old = console.sign_ins.make_link(None).url("https://box.local:9777");
    console.pass(Duration::from_hours(1));
    for secret in [secret(&old), "", "x", &"A".repeat(43), &"A".repeat(3000)] {
        with_link(&console, secret).await.assert_refused(401, "link_used");
    }
    let link = console.sign_ins.make_link(None).url("https://box.local:9777");
    console.sign_ins.reset_password().await.unwrap();
    with_link(&console, secret(&link)).await.assert_refused(401, "link_used");
}

#[tokio::test]
async fn an_owner_makes_a_link_for_another_device() {
    let console = Console::new().await;
    let cookie = console.sign_in().await;
    let made = ask("POST", "/sign-in-links").cookie(&cookie).of(&console).await.json();
    assert_eq!(made["expires_in_s"], 3600);
    let answer = with_link(&console, secret(made["url"].as_str().unwrap())).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(console.host.audited(), ["console_sign_in", "console_link_made", "console_sign_in"]);
}

/// Somebody sits down at the owner's browser, which is signed in, and lets their own device in.
#[tokio::test]
async fn r8_what_widens_trust_needs_the_password_of_the_last_quarter_of_an_hour() {
    let console = Console::new().await;
    let cookie = console.sign_in().await;
    let arm = || ask("POST", "/pairing/window").json(&json!({})).cookie(&cookie).of(&console);
    console.pass(Duration::from_mins(15));
    assert_eq!(arm().await.status, StatusCode::OK);
    console.pass(MOMENT);
    arm().await.assert_refused(403, "proof_needed");
    let prove = |password: &str| ask("POST", "/proof").json(&json!({ "password": password })).cookie(&cookie);
    prove("wrong guess").of(&console).await.assert_refused(401, "wrong_password");
    arm().await.assert_refused(403, "proof_needed");
    let proved = prove(PASSWORD).of(&console).await;
    assert_eq!(proved.json()["proof_expires_in_s"], 900);
    assert_eq!(arm().await.status, StatusCode::OK);
}

/// A signed-in browser is used to guess at the password without limit.
#[tokio::test(flavor = "multi_thread")]
async fn inv_49_r8_proofs_are_limited_as_sign_ins_are() {
    let console = Console::new().await;
    let cookie = console.sign_in().await;
    let proofs = (0..10).map(|_| {
        ask("POST", "/proof").json(&json!({ "password": "wrong guess" })).cookie(&cookie).of(&console)
    });
    let answers = join_all(proofs).await;
    assert_eq!((count(&answers, 401), count(&answers, 429)), (5, 5));
    guess(PASSWORD).of(&console).await.assert_refused(429, "rate_limited");
}

/// A cookie turns up months later, in a backup or on a computer that was sold.
#[tokio::test]
async fn r8_a_sign_in_ends_unused_after_a_week_and_used_after_thirty_days() {
    let console = Console::new().await;
    let (unused, used) = (console.sign_in().await, console.sign_in().await);
    for _ in 0..4 {
        console.pass(ALMOST_A_WEEK);
        assert_eq!(status_of(&console, &used).await, 200);
    }
    assert_eq!(status_of(&console, &unused).await, 401);
    console.pass(DAY * 2);
    assert_eq!(status_of(&console, &used).await, 200);
    console.pass(MOMENT * 4);
    ask("GET", "/status").cookie(&used).of(&console).await.assert_refused(401, "signed_out");
    let ends = console.host.audited().iter().filter(|event| *event == "console_sign_in_ended").count();
    assert_eq!(ends, 2);
}

/// The owner lost a phone that is signed in.
#[tokio::test]
async fn r8_an_owner_ends_another_sign_in() {
    let console = Console::new().await;
    let (lost, own) = (console.sign_in().await, console.sign_in().await);
    let end = |id: u64| ask("DELETE", &format!("/sign-ins/{id}")).cookie(&own).of(&console);
    assert_eq!(end(1).await.status, StatusCode::NO_CONTENT);
    assert_eq!(status_of(&console, &lost).await, 401);
    assert_eq!(status_of(&console, &own).await, 200);
    end(1).await.assert_refused(404, "no_such_sign_in");
}

/// Somebody else knows the password and is signed in with it.
#[tokio::test]
async fn r8_a_new_password_ends_all_other_sign_ins() {
    let console = Console::new().await;
    let (other, own) = (console.sign_in().await, console.sign_in().await);
    let change = |password: &str| {
        ask("PUT", "/password").json(&json!({ "password": password })).cookie(&own).of(&console)
    };
    for weak in ["short", "aaaaaaaaaaaa", "living room pc", &"long".repeat(33)] {
        change(weak).await.assert_refused(422, "weak_password");
    }
    assert_eq!(status_of(&console, &other).await, 200);
    assert_eq!(change("another good password").await.status, StatusCode::NO_CONTENT);
    assert_eq!(status_of(&console, &other).await, 401);
    assert_eq!(status_of(&console, &own).await, 200);
    guess(PASSWORD).of(&console).await.assert_refused(401, "wrong_password");
    assert_eq!(guess("another good password").of(&console).await.status, StatusCode::OK);
}

/// Somebody who knows the old password signs in with it at the moment at which it is changed.
#[tokio::test(flavor = "multi_thread")]
async fn r8_no_sign_in_with_an_old_password_outlasts_its_change() {
    let console = Console::new().await;
    let mut old = PASSWORD.to_owned();
    for round in 0..10 {
        let new = format!("password of round {round}");
        let (entered, changed) = tokio::join!(guess(&old).of(&console), console.sign_ins.set_password(&new));
        changed.unwrap();
        if entered.status == StatusCode::OK {
            assert_eq!(status_of(&console, &entered.cookie()).await, 401, "round {round}");
        }
        assert!(console.sign_ins.list().await.is_empty(), "round {round}");
        old = new;
    }
}

/// The host restarts while its owner is away: nobody is signed in who was not, and nobody stays who was ended.
#[tokio::test]
async fn r8_sign_ins_and_the_password_survive_a_restart_and_their_ends_do() {
    let console = Console::new().await;
    let (kept, ended) = (console.sign_in().await, console.sign_in().await);
    console.sign_ins.end(2).await.unwrap();
    let link = console.sign_ins.make_link(None).url("https://box.local:9777");
    let console = console.restart().await;
    assert_eq!(status_of(&console, &kept).await, 200);
    assert_eq!(status_of(&console, &ended).await, 401);
    with_link(&console, secret(&link)).await.assert_refused(401, "link_used");
    assert_eq!(guess(PASSWORD).of(&console).await.status, StatusCode::OK);
}

/// The machine's clock is set back, so that an old proof looks new.
#[tokio::test]
async fn r8_a_clock_that_was_set_back_makes_no_proof_fresh() {
    let console = Console::new().await;
    let cookie = console.sign_in().await;
    console.set_back(DAY * 365);
    let console = console.restart().await;
    assert_eq!(status_of(&console, &cookie).await, 200);
    let arm = ask("POST", "/pairing/window").json(&json!({})).cookie(&cookie).of(&console).await;
    arm.assert_refused(403, "proof_needed");
}

#[tokio::test]
async fn what_to_sign_in_with_is_one_of_two() {
    let console = Console::new().await;
    for body in [
        json!({}),
        json!({ "password": null }),
        json!({ "password": "x", "link": "y" }),
        json!({ "password": 1 }),
        json!({ "password": "x", "remember": true }),
        json!([]),
    ] {
        ask("POST", "/sign-in").json(&body).of(&console).await.assert_refused(422, "usage");
    }
    assert!(console.host.audited().is_empty());
}
