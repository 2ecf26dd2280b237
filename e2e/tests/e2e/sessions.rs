//! Sessions as their owner sees them: what they stream, and how one is ended.

use std::fs;

use pf_base::Code;
use pf_e2e::{Attacker, ClientInstall, Host, soon, until};
use serde_json::Value;

/// A session that the owner wants to be over goes on, the wrong one ends, or the device is locked out with it.
#[test]
fn r7_ending_a_session_ends_that_one_and_its_device_may_come_back() {
    let host = Host::m3().start();
    let [couch, desk] = ["couch", "desk"].map(ClientInstall::new);
    let mut watching = Vec::new();
    for (client, number) in [(&couch, 1), (&desk, 2)] {
        client.pair(&host.address(), &host.await_pin(number));
        watching.push(client.spawn(&["connect", &host.address(), "--headless", "--seconds", "600"]));
        host.await_session_of(&client.fingerprint());
    }
    let session_of = |client: &ClientInstall| {
        let fingerprint = client.fingerprint();
        host.sessions().into_iter().find(|session| session["fingerprint"] == fingerprint.as_str())
    };
    let id = session_of(&couch).unwrap()["id"].to_string();

    assert_eq!(host.ctl(&["end-session", &id]), serde_json::json!({}));
    assert!(session_of(&couch).is_none(), "it is over once the owner has the answer");
    watching.remove(0).finish().expect_failure(25, "ended");
    assert!(session_of(&desk).is_some(), "the other goes on");
    host.try_ctl(&["end-session", &id]).expect_failure(2, "usage");

    assert_eq!(host.devices().len(), 2);
    couch.expect_pictures(&host.address());
    assert!(host.events().iter().any(|event| event == "session_ended"));
}

/// Somebody watches for an hour, the host stops, and what the session was like is gone with it; or the recording of yesterday
/// is gone because the host was not there today.
#[test]
fn what_was_watched_is_told_and_what_was_recorded_is_kept_when_a_session_breaks_off() {
    let mut host = Host::m3().start();
    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.pin());
    let file = couch.file("recording.h264");
    fs::write(&file, "of yesterday").unwrap();
    let arguments =
        ["connect", &host.address(), "--headless", "--save", file.to_str().unwrap()].map(str::to_owned);
    let arguments = arguments.each_ref().map(String::as_str);

    let watching = couch.spawn(&arguments);
    until("a recording", || fs::read(&file).unwrap().starts_with(&[0, 0, 0, 1]).then_some(()));
    host.terminate();
    let told = watching.finish();
    told.expect_failure(25, "ended");
    assert!(told.stderr.contains(" pictures, "), "{}", told.stderr);

    let recorded = fs::read(&file).unwrap();
    assert_ne!(couch.run(&arguments).exit, 0, "nobody is there");
    assert_eq!(fs::read(&file).unwrap(), recorded);
}

/// An owner who looks at a session that stutters, and is shown nothing, or numbers of another one.
#[test]
fn a_session_shows_what_it_streams() {
    let host = Host::m3().start();
    let couch = ClientInstall::new("couch");
    couch.pair(&host.address(), &host.pin());
    let address = host.address();
    let mut watching =
        couch.spawn(&["connect", &address, "--headless", "--size", "320x240", "--seconds", "600"]);
    let sent = |figures: &Value| figures["frames_sent"].as_u64().unwrap();
    let first = await_figures(&host, |_| true);
    let figures = await_figures(&host, |figures| sent(figures) > sent(&first) + 10);

    assert_eq!(figures["source"], "synthetic");
    assert_eq!((&figures["width"], &figures["height"]), (&320.into(), &240.into()));
    for key in ["fps", "bitrate_mbps", "rtt_ms"] {
        assert!(figures[key].as_f64() > Some(0.0), "{key}: {figures}");
    }
    assert!(figures["loss_percent"].as_f64().is_some_and(|loss| (0.0..=100.0).contains(&loss)), "{figures}");
    for stage in ["capture", "queue", "encode", "network"] {
        assert!(figures["latency_ms"][stage].as_f64() >= Some(0.0), "{stage}: {figures}");
    }
    assert!(figures["latency_ms"]["encode"].as_f64() > Some(0.0), "encoding takes its time: {figures}");
    let [way, there_and_back] = [&figures["latency_ms"]["network"], &figures["rtt_ms"]];
    assert!(way.as_f64() <= there_and_back.as_f64(), "{figures}");

    watching.terminate();
    until("the session's end", || host.sessions().is_empty().then_some(()));
}

/// A client that asks for key frames all the time, and an owner who wonders why the picture is poor.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_shows_how_often_its_client_asked_for_a_key_frame() {
    let host = Host::m3().start();
    let laptop = Attacker::new();
    laptop.pair(host.socket_address(), "laptop", &host.pin()).await;
    let mut visit = laptop.enter(host.socket_address()).await.unwrap();
    let before = await_figures(&host, |_| true);
    assert_eq!(before["key_frames_asked"], 0);
    for _ in 0..3 {
        visit.ask_for_key_frame().await;
    }
    await_figures(&host, |figures| figures["key_frames_asked"] == 3);

    let id = host.sessions()[0]["id"].to_string();
    host.ctl(&["end-session", &id]);
    assert_eq!(soon("the end", visit.connection.closed()).await.code(), Code::Ended);
}

/// The figures of the one session, once they are as wanted.
fn await_figures(host: &Host, is_wanted: impl Fn(&Value) -> bool) -> Value {
    until("the figures", || {
        let sessions = host.sessions();
        let figures = sessions.first().map(|session| session["figures"].clone())?;
        (!figures.is_null() && is_wanted(&figures)).then_some(figures)
    })
}
