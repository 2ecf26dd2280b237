//! Sound from the host's output to the client's, each with a real sound server of its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "the tests of the sound crate use more of it")]
#[path = "../../crates/pf-audio/tests/support/mod.rs"]
mod support;

use std::{
    f64::consts::TAU,
    fs,
    net::Ipv4Addr,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use pf_audio::{CHANNELS, RATE, Stop, capture::Capture};
use pf_e2e::{
    Attacker, ClientInstall, Host, HostSetup, Network, PATIENCE, Relay, Running, soon, until,
    x_display::XDisplay,
};
use pf_media::picture::Size;
use pf_proto::{
    media,
    session::{ClientMessage, SoundWish, StreamWishes},
};
use serde_json::Value;
use support::{Kind, SoundServer, level, pitch, tone};

/// A desktop that is mirrored, with a sound server beside it.
struct Desk {
    display: XDisplay,
    sound: SoundServer,
}

impl Desk {
    fn new() -> Self {
        let display = XDisplay::start(Size::new(320, 240));
        Self { display, sound: SoundServer::start(Kind::PulseAudio, &["speaker"]) }
    }

    fn host(&self) -> HostSetup {
        let host = Host::m3().long_pins().source("x11").env("DISPLAY", &self.display.name());
        host.env("PULSE_SERVER", &address(&self.sound))
    }
}

/// A client with a sound server, whose output a test listens to.
struct Couch {
    client: ClientInstall,
    sound: SoundServer,
}

impl Couch {
    fn new() -> Self {
        let sound = SoundServer::start(Kind::PulseAudio, &["speaker"]);
        let client = ClientInstall::new("couch").env("PULSE_SERVER", &address(&sound));
        Self { client, sound }
    }

    fn paired_with(host: &Host) -> Self {
        let couch = Self::new();
        couch.client.pair(&host.address(), &host.pin());
        couch
    }

    fn play(&self, address: &str) -> Running {
        let arguments =
            ["connect", address, "--headless", "--sound", "on", "--size", "320x240", "--seconds", "600"];
        self.client.spawn(&arguments)
    }

    fn listen(&self) -> Capture {
        self.sound.listen(&Stop::new().unwrap())
    }
}

fn address(server: &SoundServer) -> String {
    format!("unix:{}", server.server().socket.display())
}

/// Listens until the last so many seconds of what was heard are `enough`, and returns them.
///
/// Waiting for good ones, and not for the first, makes room for a machine that is busy with everything else.
#[track_caller]
fn hear(capture: &mut Capture, seconds: usize, enough: impl Fn(&[f32]) -> bool) -> Vec<f32> {
    let deadline = Instant::now() + PATIENCE;
    let length = seconds * RATE as usize * CHANNELS;
    let mut heard = Vec::new();
    let mut fresh = 0;
    while let Some(frame) = capture.next_frame(deadline).unwrap() {
        heard.extend_from_slice(frame.samples);
        fresh += frame.samples.len();
        if heard.len() >= length && fresh >= length / 10 {
            heard.drain(..heard.len() - length);
            if enough(&heard) {
                return heard;
            }
            fresh = 0;
        }
    }
    panic!("it was not heard; what was has a level of {}", level(&heard));
}

/// A tone of that pitch without a gap.
fn is_tone(hertz: f64) -> impl Fn(&[f32]) -> bool {
    move |heard| heard.chunks(1_920).all(|part| level(part) > 0.2) && (pitch(heard) - hertz).abs() < 2.0
}

fn is_silence(heard: &[f32]) -> bool {
    level(heard) < 1e-4
}

/// The largest step in a tone's slope, in parts of its own largest: a click is one that the tone does not make.
fn roughness(samples: &[f32], hertz: f64) -> f64 {
    let left: Vec<f64> = samples.iter().step_by(CHANNELS).map(|&sample| f64::from(sample)).collect();
    let bend = left.windows(3).map(|three| (three[0] - 2.0 * three[1] + three[2]).abs()).fold(0.0, f64::max);
    bend / (0.5 * (TAU * hertz / f64::from(RATE)).powi(2))
}

fn figure(sound: &Value, name: &str) -> f64 {
    sound[name].as_f64().unwrap_or_else(|| panic!("no {name} in {sound}"))
}

/// What a person would notice first: the wrong pitch, another loudness, clicks.
#[test]
fn a_tone_on_the_host_is_the_same_tone_on_the_client() {
    let desk = Desk::new();
    let _tone = desk.sound.play("speaker", tone(440.0));
    let host = desk.host().start();
    let couch = Couch::paired_with(&host);
    let mut session = couch.play(&host.address());

    let clean = |heard: &[f32]| is_tone(440.0)(heard) && roughness(heard, 440.0) < 3.0;
    let heard = hear(&mut couch.listen(), 3, clean);
    let played = hear(&mut desk.sound.listen(&Stop::new().unwrap()), 1, is_tone(440.0));
    assert!((pitch(&heard) - 440.0).abs() < 1.0, "{} Hz", pitch(&heard));
    let louder = 20.0 * (level(&heard) / level(&played)).log10();
    assert!(louder.abs() < 1.0, "{louder} dB");

    session.terminate();
    let sound = session.finish().expect_success()["sound"].clone();
    println!("{sound}");
    assert!(figure(&sound, "frames") > 250.0, "{sound}");
}

/// A weak wireless link: what it loses is heard all the same.
#[test]
fn at_three_percent_loss_999_of_1000_frames_are_heard() {
    let desk = Desk::new();
    let drawing = desk.display.draw_time_codes();
    let _tone = desk.sound.play("speaker", tone(440.0));
    let host = desk.host().start();
    let couch = Couch::paired_with(&host);
    let relay = Relay::start(Ipv4Addr::LOCALHOST, host.socket_address());
    relay.set(Network { loss: 0.03, delay: Duration::from_millis(10), ..Network::default() });
    let arguments = ["connect", &relay.address(), "--headless", "--sound", "on", "--size", "320x240"];
    // A machine that is too busy to play misses frames that came. One good stretch tells that the link is not why.
    let (sound, frames) = until("a stretch in which nothing is missed", || {
        let report = couch.client.run(&[&arguments[..], &["--seconds", "12"]].concat()).expect_success();
        println!("{report}");
        let (frames, concealed) = (figure(&report["sound"], "frames"), figure(&report["sound"], "concealed"));
        (concealed <= frames * 0.001).then(|| (report["sound"].clone(), frames))
    });
    drop(drawing);
    assert!(frames > 1_500.0, "{sound}");
    assert!(figure(&sound, "repaired") > frames * 0.015, "{sound}");
}

/// A person who is told that picture and sound are together, and sees that they are not. What the figures say is what a
/// microphone in front of both machines would hear.
#[test]
fn the_figures_of_sound_are_true() {
    let desk = Desk::new();
    let drawing = desk.display.draw_time_codes();
    let click =
        |number: u64| if number % u64::from(RATE) < 240 { 0.9 * (number as f32 * 0.3).sin() } else { 0.0 };
    let _clicks = desk.sound.play("speaker", click);
    let host = desk.host().start();
    let couch = Couch::paired_with(&host);
    let mut session = couch.play(&host.address());

    let (played, heard) = (Clicks::of(&desk.sound), Clicks::of(&couch.sound));
    let mut later: Vec<f64> = Vec::new();
    let mut before = played.next();
    while later.len() < 8 {
        let at = heard.next();
        // They are a second apart: the latest one on the host before this is where it came from.
        while before + Duration::from_millis(700) < at {
            before = played.next();
        }
        later.extend(at.checked_duration_since(before).map(|late| late.as_secs_f64() * 1000.0));
    }
    session.terminate();
    let report = session.finish().expect_success();
    drop(drawing);
    later.sort_by(f64::total_cmp);
    println!("clicks came {later:?} ms later; {report}");
    let said = figure(&report["sound"]["latency_ms"], "p50");
    assert!((later[0] - 20.0..later[7] + 20.0).contains(&said), "{later:?}, and not {said}");
    let (skew, picture) =
        (figure(&report["sound"]["skew_ms"], "p50"), figure(&report["latency_ms"]["total"], "p50"));
    assert!((said - picture - skew).abs() < 20.0, "{said} - {picture} ms, and not {skew}");
}

/// When clicks after silence are heard on a server's output, as they come.
///
/// A thread of its own listens: what is taken from a capture late is stamped late.
struct Clicks(mpsc::Receiver<Instant>);

impl Clicks {
    fn of(server: &SoundServer) -> Self {
        let mut capture = server.listen(&Stop::new().unwrap());
        let (found, clicks) = mpsc::channel();
        thread::spawn(move || {
            let mut quiet = 0;
            while let Ok(Some(frame)) = capture.next_frame(Instant::now() + PATIENCE) {
                for (index, sample) in frame.samples.chunks(CHANNELS).enumerate() {
                    let is_loud = sample[0].abs() > 0.2;
                    let at = frame.heard + Duration::from_secs(1) * index as u32 / RATE;
                    if is_loud && quiet > RATE / 4 && found.send(at).is_err() {
                        return;
                    }
                    quiet = if is_loud { 0 } else { quiet + 1 };
                }
            }
        });
        Self(clicks)
    }

    #[track_caller]
    fn next(&self) -> Instant {
        self.0.recv_timeout(PATIENCE).expect("a click")
    }
}

/// A device whose owner removed it must not go on listening in the room.
#[test]
fn inv_33_removing_a_device_ends_its_sound() {
    let desk = Desk::new();
    let _tone = desk.sound.play("speaker", tone(440.0));
    let host = desk.host().start();
    let couch = Couch::paired_with(&host);
    let session = couch.play(&host.address());
    let mut listener = couch.listen();
    hear(&mut listener, 1, is_tone(440.0));
    let fingerprint = couch.client.fingerprint();
    assert_ne!(desk.sound.pactl(&["list", "short", "source-outputs"]), "", "the host captures");
    host.ctl(&["remove", &fingerprint[..8]]);
    session.finish().expect_failure(18, "removed");
    hear(&mut listener, 1, is_silence);
    until("the end of the capture", || {
        desk.sound.pactl(&["list", "short", "source-outputs"]).is_empty().then_some(())
    });
}

/// Two people on one host: neither hears the other, nobody hears what the host's own desktop plays, and that stays quiet.
#[test]
fn a_virtual_display_is_heard_in_its_own_session_alone() {
    let server = SoundServer::start(Kind::PulseAudio, &["speaker"]);
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name).display().to_string();
    for (name, hertz) in [("low", 440.0), ("high", 880.0)] {
        // A second of it, which ends where it began.
        let sample = tone(hertz);
        let second: Vec<u8> = (0..u64::from(RATE))
            .flat_map(|number| [sample(number); CHANNELS])
            .flat_map(f32::to_le_bytes)
            .collect();
        fs::write(place(name), second).unwrap();
    }
    // The first session plays the low tone, the second the high one.
    let command = format!(
        "if mkdir {}; then tone={}; else tone={}; fi; while cat $tone; do :; done | \
         pacat --playback --raw --format=float32le --rate=48000 --channels=2 --latency-msec=40",
        place("first"),
        place("low"),
        place("high"),
    );
    let host = Host::m3().long_pins().source("virtual").arg("--command").arg(&command);
    let host = host.env("PULSE_SERVER", &address(&server)).start();
    let first = Couch::paired_with(&host);
    let second = Couch::new();
    second.client.pair(&host.address(), &host.await_pin(2));

    let mut one = first.play(&host.address());
    hear(&mut first.listen(), 1, is_tone(440.0));
    let mut two = second.play(&host.address());
    hear(&mut second.listen(), 2, is_tone(880.0));
    hear(&mut first.listen(), 2, is_tone(440.0));
    assert_eq!(server.outputs().len(), 3);
    hear(&mut server.listen(&Stop::new().unwrap()), 1, is_silence);

    for session in [&mut one, &mut two] {
        session.terminate();
    }
    until("the end of the sessions' outputs", || (server.outputs() == ["speaker"]).then_some(()));
}

/// Sound servers come later than hosts, and crash: the session goes on, and sound comes when it can.
#[test]
fn sound_begins_when_the_hosts_sound_server_does() {
    let mut desk = Desk::new();
    let drawing = desk.display.draw_time_codes();
    desk.sound.kill();
    let host = desk.host().start();
    let couch = Couch::paired_with(&host);
    let mut session = couch.play(&host.address());
    host.await_session_of(&couch.client.fingerprint());
    until("a word on what to do", || host.stderr().contains("start PipeWire").then_some(()));
    session.hear_stderr("a word on it", |said| said.contains("the host has no sound now").then_some(()));
    desk.sound.restart();
    let _tone = desk.sound.play("speaker", tone(660.0));
    hear(&mut couch.listen(), 1, is_tone(660.0));
    session.terminate();
    assert!(session.finish().expect_success()["frames"].as_u64() > Some(0));
    drop(drawing);
    let said = host.stderr();
    // A server that has begun to answer, and has no output yet, is another trouble.
    let is_told = |line: &&str| line.contains("sound is not captured") && line.contains("does not answer");
    assert_eq!(said.lines().filter(is_told).count(), 1, "{said}");
}

/// A client without loudspeakers has its picture.
#[test]
fn without_a_sound_server_the_client_has_its_picture_and_says_so_once() {
    let desk = Desk::new();
    let drawing = desk.display.draw_time_codes();
    let host = desk.host().start();
    let client = ClientInstall::new("mute").env("PULSE_SERVER", "unix:/nonexistent/of-this-test");
    client.pair(&host.address(), &host.pin());
    let arguments = ["connect", &host.address(), "--headless", "--sound", "on", "--seconds", "5"];
    let outcome = client.run(&arguments);
    let report = outcome.expect_success();
    drop(drawing);
    assert!(report["frames"].as_u64() > Some(1), "{report}");
    let said = outcome.everything();
    assert_eq!(said.matches("no sound is played").count(), 1, "{said}");
}

/// A device that wants no sound gets none, and one that changes its mind gets what it wants, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn sound_is_sent_while_it_is_wished_for_and_never_else() {
    let desk = Desk::new();
    let _drawing = desk.display.draw_time_codes();
    let host = desk.host().start();
    let laptop = Attacker::new();
    laptop.pair(host.socket_address(), "laptop", &host.pin()).await;
    let mut visit = laptop.enter(host.socket_address()).await.unwrap();
    let datagram =
        async |visit: &pf_e2e::Visit| soon("media", visit.connection.read_datagram()).await.unwrap();
    for _ in 0..50 {
        assert_eq!(media::sound(&datagram(&visit).await), None, "nobody wished for it");
    }
    for (wish, is_5_ms) in [(SoundWish::Ms10, false), (SoundWish::Ms5, true)] {
        visit.say(&ClientMessage::Change(StreamWishes { sound: wish, ..StreamWishes::default() })).await;
        soon("sound", async {
            loop {
                let datagram = datagram(&visit).await;
                let Some(packet) = media::sound(&datagram) else { continue };
                let packet = pf_audio::packet::AudioPacket::decode(packet).unwrap();
                if (packet.length == pf_audio::FrameLength::Ms5) == is_5_ms {
                    break;
                }
            }
        })
        .await;
    }
    visit.say(&ClientMessage::Change(StreamWishes::default())).await;
    soon("the end of sound", async {
        let mut in_a_row = 0;
        while in_a_row < 50 {
            in_a_row = if media::sound(&datagram(&visit).await).is_some() { 0 } else { in_a_row + 1 };
        }
    })
    .await;
}
