//! Several who watch one desktop, and one who wishes another picture of it while it runs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use pf_e2e::{
    Attacker, Bottleneck, ClientInstall, Host, Network, Relay, Running, Visit, soon, until,
    x_display::XDisplay,
};
use pf_media::{
    picture::Size,
    reassembly::{Output, Reassembler},
    time::Micros,
};
use pf_proto::{
    Message as _,
    session::{ClientDatagram, ClientMessage, HostMessage, SoundWish, StreamStarted, StreamWishes},
};
use serde_json::Value;

/// Small enough that a busy machine keeps up.
const SIZE: Size = Size::new(640, 360);

/// A device that is paired, with as many who watch as may be.
struct Household(ClientInstall);

impl Household {
    fn paired_with(host: &Host) -> Self {
        let client = ClientInstall::new("couch");
        client.pair(&host.address(), &host.pin());
        Self(client)
    }

    /// One more who watches, until it has seen so many pictures.
    fn watch(&self, address: &str, frames: u32) -> Running {
        let (size, frames) = (SIZE.to_string(), frames.to_string());
        self.0.spawn(&["connect", address, "--headless", "--size", &size, "--frames", &frames])
    }
}

/// The figures of all sessions, once there are so many that have some.
fn figures(host: &Host, count: usize) -> BTreeMap<u64, Value> {
    until("the figures of all sessions", || {
        let sessions = host.sessions();
        let figures = sessions.iter().filter(|session| !session["figures"].is_null());
        let figures: BTreeMap<_, _> =
            figures.map(|session| (session["id"].as_u64().unwrap(), session["figures"].clone())).collect();
        (figures.len() == count).then_some(figures)
    })
}

fn number(figures: &Value, name: &str) -> u64 {
    figures[name].as_u64().unwrap_or_else(|| panic!("{name}: {figures}"))
}

/// What each was sent, what was captured and what was encoded, while each was sent so many pictures.
fn counted(host: &Host, sessions: usize, pictures: u64) -> (Vec<u64>, u64, u64) {
    let before = figures(host, sessions);
    let after = until("more pictures for all", || {
        let after = figures(host, sessions);
        let has_more =
            |id: &u64| number(&after[id], "frames_sent") >= number(&before[id], "frames_sent") + pictures;
        before.keys().all(has_more).then_some(after)
    });
    let sent = before.keys().map(|id| number(&after[id], "frames_sent") - number(&before[id], "frames_sent"));
    let first = before.keys().next().unwrap();
    let grown = |name| number(&after[first], name) - number(&before[first], name);
    (sent.collect(), grown("captured"), grown("encoded"))
}

/// Eight who watch the same cost eight times the sending, and not eight times the rest.
#[test]
fn eight_clients_of_a_display_share_one_capture_and_one_encoder() {
    let display = XDisplay::start(SIZE);
    let _drawing = display.draw_time_codes();
    let host = Host::m3().source("x11").env("DISPLAY", &display.name()).start();
    let household = Household::paired_with(&host);
    let watching: Vec<_> = (0..8).map(|_| household.watch(&host.address(), 400)).collect();
    let (sent, captured, encoded) = counted(&host, 8, 60);
    println!("sent {sent:?}, captured {captured}, encoded {encoded}");
    // One who is just being told of, and one picture that was sent again, do not make a second encoder.
    assert!(encoded * 5 <= captured * 6 + 50, "{encoded} of {captured}");
    assert!(sent.iter().sum::<u64>() >= encoded * 6, "{sent:?} of {encoded}");
    for session in watching {
        let report = session.finish().expect_success();
        assert_eq!(report["source"], "x11");
        assert_eq!(report["decode_errors"], 0, "{report}");
    }
}

/// One who watches over a weak link must not make the picture of the others coarse, late or jerky.
#[test]
fn a_weak_link_gets_an_encoder_of_its_own_and_slows_nobody() {
    let host = Host::m3().start();
    let household = Household::paired_with(&host);
    let relay = Relay::start(Ipv4Addr::LOCALHOST, host.socket_address());
    let weak = Bottleneck { rate: 400_000, queue: Duration::from_millis(200) };
    relay.set(Network { bottleneck: Some(weak), ..Network::default() });
    let mut slow = household.watch(&relay.address(), 1_000_000);
    let mut fast = household.watch(&host.address(), 1_000_000);
    let (mut seen, begun) = (Vec::new(), Instant::now());
    let (sent, encoded) = loop {
        let (sent, _, encoded) = counted(&host, 2, 30);
        seen.push((sent.clone(), encoded));
        // An encoder for each: what both were sent is what both encoders made.
        if sent.iter().sum::<u64>() <= encoded + encoded / 20 {
            break (sent, encoded);
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "they still share one: {seen:?}");
    };
    println!("sent {sent:?}, encoded {encoded}; before {seen:?}");
    let rates: Vec<_> =
        figures(&host, 2).into_values().map(|figures| figures["bitrate_mbps"].as_f64()).collect();
    println!("{rates:?} Mbit/s");
    fast.terminate();
    slow.terminate();
    let report = fast.finish().expect_success();
    println!("{report}");
    assert_eq!(report["decode_errors"], 0, "{report}");
}

/// A person who looks at what another looks at must not wait until something moves.
#[test]
fn who_joins_sees_a_desktop_that_stands_still_and_who_leaves_takes_nothing_away() {
    let display = XDisplay::start(SIZE);
    let host = Host::m3().source("x11").env("DISPLAY", &display.name()).start();
    let household = Household::paired_with(&host);
    let staying = household.watch(&host.address(), 40);
    figures(&host, 1);
    let mut leaving = household.watch(&host.address(), 1_000_000);
    let both = figures(&host, 2);
    household.watch(&host.address(), 3).finish().expect_success();
    leaving.kill9();
    let report = staying.finish().expect_success();
    assert_eq!(report["decode_errors"], 0, "{report}");
    assert!(both.values().all(|figures| figures["source"] == "x11"));
    drop(leaving);
    // What was open for them is closed after them, and opened again for the next one.
    household.watch(&host.address(), 3).finish().expect_success();
}

/// A picture that stands for ever in place of a reason leaves a person guessing.
#[test]
fn a_display_that_is_lost_ends_the_sessions_of_all() {
    let display = XDisplay::start(SIZE);
    let drawing = display.draw_time_codes();
    let host = Host::m3().source("x11").env("DISPLAY", &display.name()).start();
    let household = Household::paired_with(&host);
    let watching = [0, 1].map(|_| household.watch(&host.address(), 1_000_000));
    figures(&host, 2);
    drop(drawing);
    drop(display);
    for session in watching {
        session.finish().expect_failure(24, "media_unavailable");
    }
    until("the end of the sessions", || host.sessions().is_empty().then_some(()));
}

/// What a visitor sees.
struct Screen {
    visit: Visit,
    reassembler: Reassembler,
    decoder: Box<dyn pf_codec::VideoDecoder>,
    begun: Instant,
}

/// One picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    size: Size,
    is_key: bool,
    /// Of a pixel above the middle, where the pointer is.
    luma: u8,
}

impl Screen {
    async fn open(host: &Host, wishes: StreamWishes) -> (Self, StreamStarted) {
        let laptop = Attacker::new();
        laptop.pair(host.socket_address(), "laptop", &host.pin()).await;
        let visit = laptop.enter_wishing(host.socket_address(), wishes).await.unwrap();
        let decoder = pf_codec::decoder().unwrap();
        let mut screen = Self { visit, reassembler: Reassembler::new(), decoder, begun: Instant::now() };
        let started = screen.hear_started().await;
        (screen, started)
    }

    /// What the host says the stream is.
    async fn hear_started(&mut self) -> StreamStarted {
        loop {
            if let HostMessage::StreamStarted(started) = soon("StreamStarted", self.visit.hear()).await {
                return started;
            }
        }
    }

    async fn wish(&mut self, wishes: StreamWishes) {
        self.visit.say(&ClientMessage::Change(wishes)).await;
    }

    fn now(&self) -> Micros {
        Micros(u64::try_from(self.begun.elapsed().as_micros()).unwrap())
    }

    /// The next picture.
    async fn see(&mut self) -> Seen {
        loop {
            let now = self.now();
            while let Some(output) = self.reassembler.poll(now) {
                let Output::AccessUnit { bytes, .. } = output else { continue };
                let is_key = bytes.windows(5).any(|unit| unit[..4] == [0, 0, 0, 1] && unit[4] & 0x1F == 5);
                if let Some(view) = self.decoder.decode(&bytes).unwrap() {
                    let (size, [luma, ..]) = (view.size(), view.planes());
                    let above_the_middle = size.height as usize / 3 * luma.stride + size.width as usize / 2;
                    return Seen { size, is_key, luma: luma.samples[above_the_middle] };
                }
            }
            if let Some(feedback) = self.reassembler.poll_feedback(now) {
                let report = ClientDatagram::Feedback(feedback).encode();
                self.visit.connection.send_datagram(report.into()).unwrap();
            }
            let datagram = soon("a datagram", self.visit.connection.read_datagram()).await.unwrap();
            let now = self.now();
            self.reassembler.handle_datagram(now, &datagram).unwrap();
        }
    }

    /// The first picture that is as wanted, and all before it.
    async fn see_until(&mut self, is_wanted: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        let mut seen = Vec::new();
        loop {
            let picture = self.see().await;
            seen.push(picture);
            if is_wanted(&picture) {
                return seen;
            }
            assert!(seen.len() < 2_000, "in vain: {:?}", seen.last());
        }
    }
}

fn wishes(width: u32, height: u32, frames_per_second: u32, bits_per_second: u32) -> StreamWishes {
    StreamWishes { width, height, frames_per_second, bits_per_second, sound: SoundWish::Silent }
}

/// A person who makes the window smaller, and a link that costs money by the megabyte.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_changes_size_speed_and_rate_while_it_watches() {
    let host = Host::m3().start();
    let (mut screen, started) = Screen::open(&host, wishes(640, 360, 60, 4_000_000)).await;
    assert_eq!((started.width, started.height, started.bits_per_second), (640, 360, 4_000_000));
    screen.see_until(|seen| seen.size == SIZE).await;

    // Another rate alone costs no key frame.
    screen.wish(wishes(640, 360, 60, 1_000_000)).await;
    let started = screen.hear_started().await;
    assert_eq!((started.width, started.bits_per_second), (640, 1_000_000));
    for _ in 0..60 {
        assert!(!screen.see().await.is_key, "a key frame for another rate");
    }

    screen.wish(wishes(320, 180, 30, 1_000_000)).await;
    let started = screen.hear_started().await;
    assert_eq!((started.width, started.height, started.frames_per_second), (320, 180, 30));
    screen.see_until(|seen| seen.size == Size::new(320, 180)).await;
    assert_eq!(screen.see().await.size, Size::new(320, 180));

    // Of a flood of wishes the last one holds.
    for width in (100..=200).chain([480]) {
        screen.wish(wishes(width, 270, 60, 0)).await;
    }
    let mut answers = 0;
    loop {
        answers += 1;
        if screen.hear_started().await.width == 480 {
            break;
        }
    }
    assert!(answers <= 20, "{answers}");
    screen.see_until(|seen| seen.size == Size::new(480, 270)).await;
}

/// A desktop that is larger than the client's screen is cut off, or costs what nobody sees.
#[tokio::test(flavor = "multi_thread")]
async fn a_mirrored_desktop_is_scaled_down_to_what_the_client_wishes() {
    let display = XDisplay::start(Size::new(1280, 960));
    let _drawing = display.draw_time_codes();
    display.fill([320, 240], Size::new(640, 480), 0x00A0_A0A0);
    let host = Host::m3().source("x11").env("DISPLAY", &display.name()).start();
    let (mut screen, started) = Screen::open(&host, wishes(640, 360, 0, 0)).await;
    assert_eq!((started.width, started.height), (480, 360), "its shape is kept");
    let small = screen.see().await;
    assert_eq!(small.size, Size::new(480, 360));
    assert!(is_grey(small.luma), "{}", small.luma);

    screen.wish(wishes(1920, 1080, 0, 0)).await;
    let started = screen.hear_started().await;
    assert_eq!((started.width, started.height), (1280, 960), "never larger than it is");
    let whole = screen.see_until(|seen| seen.size == Size::new(1280, 960)).await;
    let luma = whole.last().unwrap().luma;
    assert!(is_grey(luma), "the same desktop: {luma}");
}

/// Whether a decoded brightness may be that of a grey of 160: 153, in a range from 16 to 235.
fn is_grey(luma: u8) -> bool {
    luma.abs_diff(153) <= 8
}

/// A person who asks where the time goes needs to know what the host took of it.
#[tokio::test(flavor = "multi_thread")]
async fn the_host_tells_how_long_it_took_for_each_picture() {
    let host = Host::m3().start();
    let (mut screen, _) = Screen::open(&host, wishes(320, 180, 60, 0)).await;
    let mut told = Vec::new();
    while told.len() < 40 {
        if let HostMessage::FrameTimes(times) = soon("frame times", screen.visit.hear()).await {
            told.extend(times);
        }
    }
    assert!(told.windows(2).all(|pair| pair[1].frame == pair[0].frame + 1), "each once, in order");
    assert!(told.iter().all(|time| time.encode > 0), "encoding takes its time");
    let longest = told.iter().flat_map(|time| [time.capture, time.wait, time.encode, time.send]).max();
    assert!(longest < Some(60_000_000), "no stage took longer than the test: {longest:?}");
}
