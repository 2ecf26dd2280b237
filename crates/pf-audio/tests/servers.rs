//! Capture and playback against a real PulseAudio and a real PipeWire, and the whole way from one server's output to another's.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod support;

use std::{
    collections::VecDeque,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use pf_audio::{
    CHANNELS, FrameLength, RATE, Server, SoundError, Stop,
    capture::{Capture, CaptureConfig},
    opus::{DEFAULT_BITRATE, Encoder},
    output::Output,
    packet::{Packetiser, Redundancy},
    playback::Playback,
};
use pf_media::time::Micros;
use support::{Kind, PATIENCE, PAUSE, SoundServer, level, pitch, tone};

/// Each of these on both servers.
macro_rules! on_both_servers {
    ($($name:ident,)*) => {
        mod pulseaudio {
            $(#[test] fn $name() { super::$name(super::Kind::PulseAudio); })*
        }
        mod pipewire {
            $(#[test] fn $name() { super::$name(super::Kind::PipeWire); })*
        }
    };
}

on_both_servers! {
    a_tone_goes_from_output_to_output_through_five_percent_loss,
    a_click_arrives_soon_and_when_the_figures_say,
    capture_follows_the_default_output,
    capture_and_playback_outlive_their_server,
    playback_follows_the_default_output,
    a_session_has_an_output_of_its_own_that_goes_with_it,
    an_output_of_a_crashed_host_is_cleared_away,
    a_sessions_output_is_made_anew_for_a_restarted_server,
    capture_ends_at_once_when_it_is_stopped,
    without_a_server_both_say_so_and_wait_for_one,
}

/// Listens until the last second of what was heard is `enough`.
///
/// Waiting for a good second, and not for the first, makes room for a machine that is busy with everything else.
fn hear(capture: &mut Capture, enough: impl Fn(&[f32]) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let second = RATE as usize * CHANNELS;
    let mut heard = Vec::new();
    while let Some(frame) = capture.next_frame(deadline).unwrap() {
        heard.extend_from_slice(frame.samples);
        if heard.len() >= second {
            heard.drain(..heard.len() - second);
            if enough(&heard) {
                return;
            }
        }
    }
    panic!("it was not heard; what was has a level of {}", level(&heard));
}

/// A [`tone`] of that pitch, without a gap of 20 ms and alone: two together have a level of 0.5, and any pitch.
fn is_tone(hertz: f64) -> impl Fn(&[f32]) -> bool {
    move |heard| {
        let levels = || heard.chunks(1_920).map(level);
        levels().all(|level| (0.1..0.42).contains(&level)) && (pitch(heard) - hertz).abs() < 2.0
    }
}

/// A host and a client on servers of their own, and a network between them that loses one packet in twenty.
struct Link {
    playback: Arc<Playback>,
    stop: Stop,
    host: Option<thread::JoinHandle<()>>,
}

impl Link {
    /// Streams what `host` plays to `client`; each frame is shown to `watch` first, with when it was heard.
    fn start(
        host: &SoundServer,
        client: &SoundServer,
        mut watch: impl FnMut(&[f32], Instant) + Send + 'static,
    ) -> Self {
        let origin = Instant::now();
        let playback = Arc::new(Playback::start(client.server(), origin).unwrap());
        let stop = Stop::new().unwrap();
        let mut capture = host.listen(&stop);
        let host = thread::spawn({
            let playback = Arc::clone(&playback);
            move || {
                let mut encoder = Encoder::new(FrameLength::Ms10, DEFAULT_BITRATE).unwrap();
                let mut packetiser = Packetiser::new(FrameLength::Ms10);
                let media_time = |at: Instant| Micros::ZERO + at.saturating_duration_since(origin);
                let far = Instant::now() + PATIENCE * 10;
                for number in 0_u64.. {
                    let Ok(Some(frame)) = capture.next_frame(far) else { return };
                    watch(frame.samples, frame.heard);
                    let payload = encoder.encode(frame.samples).unwrap();
                    let mut bytes = Vec::new();
                    packetiser.pack(media_time(frame.heard), payload, Redundancy::Two, &mut bytes);
                    // One in twenty on average, two in a row now and then.
                    if !matches!(number % 80, 3 | 30 | 31 | 57) {
                        playback.receive(&bytes, media_time(Instant::now())).unwrap();
                    }
                }
            }
        });
        Self { playback, stop, host: Some(host) }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(host) = self.host.take() {
            _ = host.join();
        }
    }
}

fn a_tone_goes_from_output_to_output_through_five_percent_loss(kind: Kind) {
    let (host, client) = (SoundServer::start(kind, &["speaker"]), SoundServer::start(kind, &["speaker"]));
    let _tone = host.play("speaker", tone(440.0));
    let link = Link::start(&host, &client, |_, _| {});
    let stop = Stop::new().unwrap();
    let mut listener = client.listen(&stop);
    // Three seconds of the tone without a gap, while packets were lost and came back as copies.
    let deadline = Instant::now() + PATIENCE;
    let (mut heard, mut repaired) = (Vec::new(), VecDeque::new());
    loop {
        let frame = listener.next_frame(deadline).unwrap();
        heard.extend_from_slice(frame.expect("three good seconds within the time").samples);
        repaired.push_back(link.playback.figures().sound.counts.repaired);
        if repaired.len() > 300 {
            heard.drain(..FrameLength::Ms10.values());
            repaired.pop_front();
            if is_tone(440.0)(&heard) && repaired[300 - 1] - repaired[0] >= 9 {
                break;
            }
        }
    }
    assert_eq!(link.playback.figures().trouble, None);
}

/// Clicks a second apart: each is heard at the other end, and how much later is what a person would measure.
fn a_click_arrives_soon_and_when_the_figures_say(kind: Kind) {
    let (host, client) = (SoundServer::start(kind, &["speaker"]), SoundServer::start(kind, &["speaker"]));
    let click =
        |number: u64| if number % u64::from(RATE) < 240 { 0.9 * (number as f32 * 0.3).sin() } else { 0.0 };
    let (sent, clicks) = mpsc::channel();
    let mut finder = ClickFinder::default();
    let link = Link::start(&host, &client, move |samples, heard| {
        if let Some(at) = finder.find(samples, heard) {
            _ = sent.send(at);
        }
    });
    // As if pictures took no time: then sound is after them by as much as it takes itself.
    link.playback.picture_shown(Micros(1), Micros(1));
    let _clicks = host.play("speaker", click);
    let stop = Stop::new().unwrap();
    let mut listener = client.listen(&stop);
    let far = Instant::now() + PATIENCE;
    let mut finder = ClickFinder::default();
    let mut clicks_heard: Vec<(Duration, Duration)> = Vec::new();
    let mut asked = clicks.recv_timeout(PATIENCE).unwrap();
    while clicks_heard.len() < 6 {
        let frame = listener.next_frame(far).unwrap().expect("a click within the time");
        let Some(at) = finder.find(frame.samples, frame.heard) else { continue };
        // The latest click before this one is the one that it came from: they are a second apart.
        while let Ok(next) = clicks.try_recv() {
            asked = next;
        }
        // A machine that is too busy to play has nothing to say just then.
        let Some(said) = link.playback.figures().sound.after_picture else { continue };
        clicks_heard.push((at.saturating_duration_since(asked), Duration::from_micros(said.unsigned_abs())));
    }
    println!("heard and said: {clicks_heard:?}; {:?}", link.playback.figures());
    let median = |of: fn(&(Duration, Duration)) -> Duration| {
        let mut all: Vec<Duration> = clicks_heard.iter().map(of).collect();
        all.sort();
        all[all.len() / 2]
    };
    let (heard, error) = (median(|click| click.0), median(|click| click.0.abs_diff(click.1)));
    assert!(heard > Duration::from_millis(10), "nothing is that quick: {heard:?}");
    assert!(heard < Duration::from_millis(250), "{heard:?}");
    assert!(error < Duration::from_millis(40), "{clicks_heard:?}");
}

/// Finds the beginning of a click after silence.
#[derive(Default)]
struct ClickFinder {
    quiet: usize,
}

impl ClickFinder {
    fn find(&mut self, samples: &[f32], heard: Instant) -> Option<Instant> {
        let mut found = None;
        for (index, sample) in samples.chunks(CHANNELS).enumerate() {
            if sample[0].abs() < 0.2 {
                self.quiet += 1;
            } else {
                if self.quiet > RATE as usize / 4 {
                    found = Some(heard + Duration::from_secs(1) * index as u32 / RATE);
                }
                self.quiet = 0;
            }
        }
        found
    }
}

fn capture_follows_the_default_output(kind: Kind) {
    let server = SoundServer::start(kind, &["left", "right"]);
    let (low, _high) = (server.play("left", tone(440.0)), server.play("right", tone(880.0)));
    let stop = Stop::new().unwrap();
    let mut capture = server.listen(&stop);
    hear(&mut capture, is_tone(440.0));
    server.pactl(&["set-default-sink", "right"]);
    // PulseAudio moves what plays on the old default output to the new one, where both would be heard.
    drop(low);
    hear(&mut capture, is_tone(880.0));
}

fn capture_and_playback_outlive_their_server(kind: Kind) {
    let (mut host, mut client) =
        (SoundServer::start(kind, &["speaker"]), SoundServer::start(kind, &["speaker"]));
    let tone_before = host.play("speaker", tone(440.0));
    let link = Link::start(&host, &client, |_, _| {});
    let stop = Stop::new().unwrap();
    hear(&mut client.listen(&stop), is_tone(440.0));

    host.kill();
    client.kill();
    drop(tone_before);
    let deadline = Instant::now() + PATIENCE;
    while link.playback.figures().trouble.is_none() {
        assert!(Instant::now() < deadline, "playback does not notice");
        thread::sleep(PAUSE);
    }
    let trouble = link.playback.figures().trouble.unwrap();
    assert!(matches!(trouble, SoundError::Lost { .. } | SoundError::Unreachable { .. }), "{trouble:?}");

    host.restart();
    client.restart();
    let _tone = host.play("speaker", tone(660.0));
    hear(&mut client.listen(&stop), is_tone(660.0));
    assert_eq!(link.playback.figures().trouble, None);
}

/// A person who plugs in headphones while the host's sound is playing hears it there.
fn playback_follows_the_default_output(kind: Kind) {
    let (host, client) =
        (SoundServer::start(kind, &["speaker"]), SoundServer::start(kind, &["left", "right"]));
    let _tone = host.play("speaker", tone(440.0));
    let _link = Link::start(&host, &client, |_, _| {});
    let stop = Stop::new().unwrap();
    // A listener follows too, so that each hears what is the default output then.
    let mut listener = client.listen(&stop);
    hear(&mut listener, is_tone(440.0));
    client.pactl(&["set-default-sink", "right"]);
    hear(&mut client.listen(&stop), is_tone(440.0));
}

fn a_session_has_an_output_of_its_own_that_goes_with_it(kind: Kind) {
    let server = SoundServer::start(kind, &["speaker"]);
    let stop = Stop::new().unwrap();
    let output = Output::of_session(&server.server()).unwrap();
    let (variable, name) = output.variable().unwrap();
    assert_eq!(variable, "PULSE_SINK");
    assert_eq!(server.outputs(), ["speaker"]);
    output.make(&stop).unwrap();
    assert_eq!(server.outputs(), ["speaker".to_owned(), name.clone()]);

    let _other = server.play("speaker", tone(440.0));
    let _own = server.play(&name, tone(880.0));
    let config = CaptureConfig { server: server.server(), output, length: FrameLength::Ms5 };
    let mut capture = Capture::new(config, &stop);
    hear(&mut capture, is_tone(880.0));
    // The session's output is no default: what it plays stays its own when that changes.
    drop(capture);
    assert_eq!(server.outputs(), ["speaker"]);
}

/// A host that crashed leaves an output behind; the next one clears it away, and nobody else's.
fn an_output_of_a_crashed_host_is_cleared_away(kind: Kind) {
    use std::os::unix::fs::MetadataExt as _;
    let server = SoundServer::start(kind, &["speaker"]);
    let namespace = std::fs::metadata("/proc/self/ns/pid").unwrap().ino();
    // No process has a number this high.
    let gone = format!("punktfunk-session-{namespace}-4294967295-1");
    let elsewhere = format!("punktfunk-session-{}-4294967295-1", namespace + 1);
    for name in [&gone, &elsewhere] {
        server.pactl(&["load-module", "module-null-sink", &format!("sink_name={name}")]);
    }
    let output = Output::of_session(&server.server()).unwrap();
    output.make(&Stop::new().unwrap()).unwrap();
    let (_, name) = output.variable().unwrap();
    assert_eq!(server.outputs(), ["speaker".to_owned(), elsewhere, name]);
}

/// A restarted server has forgotten the session's output: it must be there again, under the name that programs know.
fn a_sessions_output_is_made_anew_for_a_restarted_server(kind: Kind) {
    let mut server = SoundServer::start(kind, &["speaker"]);
    let stop = Stop::new().unwrap();
    let output = Output::of_session(&server.server()).unwrap();
    let (_, name) = output.variable().unwrap();
    let config = CaptureConfig { server: server.server(), output, length: FrameLength::Ms10 };
    let mut capture = Capture::new(config, &stop);
    let deadline = Instant::now() + PATIENCE;
    assert!(capture.next_frame(deadline).unwrap().is_some());
    server.kill();
    server.restart();
    while capture.next_frame(deadline).unwrap().is_none() || !server.outputs().contains(&name) {
        assert!(Instant::now() < deadline, "{:?}", server.outputs());
    }
}

fn capture_ends_at_once_when_it_is_stopped(kind: Kind) {
    let server = SoundServer::start(kind, &["speaker"]);
    let stop = Stop::new().unwrap();
    let mut capture = server.listen(&stop);
    let listener = thread::spawn(move || {
        let far = Instant::now() + Duration::from_hours(24);
        loop {
            if let Err(error) = capture.next_frame(far) {
                return error;
            }
        }
    });
    stop.stop();
    assert_eq!(listener.join().unwrap(), SoundError::Stopped);
}

fn without_a_server_both_say_so_and_wait_for_one(kind: Kind) {
    let mut server = SoundServer::start(kind, &["speaker"]);
    server.kill();
    let config =
        CaptureConfig { server: server.server(), output: Output::Default, length: FrameLength::Ms10 };
    let mut capture = Capture::new(config, &Stop::new().unwrap());
    assert!(capture.next_frame(Instant::now()).unwrap().is_none());
    assert!(matches!(capture.trouble(), Some(SoundError::Unreachable { .. })), "{:?}", capture.trouble());

    let playback = Playback::start(server.server(), Instant::now()).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while playback.figures().trouble.is_none() {
        assert!(Instant::now() < deadline);
        thread::sleep(PAUSE);
    }
    server.restart();
    while playback.figures().trouble.is_some() {
        assert!(Instant::now() < deadline);
        thread::sleep(PAUSE);
    }
    assert!(capture.next_frame(deadline).unwrap().is_some());
    assert_eq!(capture.trouble(), None);
}

/// Something else that listens on a socket of that name is no sound server, and must not hang us.
#[test]
fn what_is_no_sound_server_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("socket");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let other = thread::spawn(move || {
        use std::io::Write as _;
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&[0xFF; 64]).unwrap();
    });
    let server = Server { socket, cookie: None };
    let config = CaptureConfig { server, output: Output::Default, length: FrameLength::Ms10 };
    let mut capture = Capture::new(config, &Stop::new().unwrap());
    assert!(capture.next_frame(Instant::now()).unwrap().is_none());
    assert!(matches!(capture.trouble(), Some(SoundError::Lost { .. })), "{:?}", capture.trouble());
    other.join().unwrap();
}
