//! The host's sound: what is captured, and for whom.
//!
//! A [`Room`] is where an output is heard. What a mirrored desktop plays is heard in one room by all of its sessions; a
//! virtual display brings an output and a room of its own, in which nobody else is. In a room, each *coding* that
//! somebody wants is one thread: it captures, encodes once, and sends to each of its listeners. It starts with the first
//! of them and ends with the last.
//!
//! Sound goes out beside the pictures, as soon as it is encoded: it is a hundredth of them, and waits for nobody.

use std::{
    collections::{HashMap, VecDeque},
    ffi::OsString,
    io, mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use pf_audio::{
    FrameLength, Server, SoundError,
    capture::{Capture, CaptureConfig},
    opus::Encoder,
    output::Output,
    packet::{MAX_PACKET, Packetiser, Redundancy},
};
use pf_desktop::{SessionCommand, SourceKind, Stop};
use pf_media::time::Micros;
use pf_net::Connection;
use pf_proto::{
    media::Stream,
    session::{Offer, SoundWish},
};

use crate::clock::Clock;

/// All the rooms of a host.
pub(crate) struct House {
    clock: Clock,
    /// The machine's sound server, or why there is none.
    server: Result<Server, SoundError>,
    /// Where its default output is heard.
    desktop: Option<Arc<Room>>,
}

/// Where one output is heard. A session's own output ends with its room.
pub(crate) struct Room {
    clock: Clock,
    server: Server,
    output: Output,
    taps: Mutex<HashMap<Coding, Weak<Tap>>>,
}

/// What one session hears.
pub(crate) struct SessionSound {
    /// Where it listens, or why it cannot.
    room: Result<Arc<Room>, Offer>,
    connection: Connection,
    listener: Option<Listener>,
    /// How many streams of sound it was sent so far.
    streams: u32,
    losses: Mutex<Losses>,
    /// The share of packets that its path loses, in millionths.
    loss: Arc<AtomicU32>,
}

/// How many packets a path lost, over ten seconds, as QUIC counts them.
#[derive(Debug, Default)]
struct Losses {
    marks: VecDeque<Mark>,
}

/// What had been sent and lost by a moment.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Instant,
    sent: u64,
    lost: u64,
}

/// How sound is cut and coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Coding {
    length: FrameLength,
    /// Of Opus alone, in bits a second.
    bitrate: u32,
}

/// A thread that captures and encodes for its listeners.
struct Tap {
    stop: Stop,
    ears: Arc<Mutex<Vec<Ear>>>,
    thread: Option<JoinHandle<()>>,
}

/// A place among the listeners of a tap, until it is dropped.
struct Listener {
    coding: Coding,
    tap: Arc<Tap>,
    place: Arc<Place>,
}

/// What a listener's ear is known by.
struct Place;

/// Where one listener's packets go.
struct Ear {
    connection: Connection,
    packetiser: Packetiser,
    loss: Arc<AtomicU32>,
    place: Arc<Place>,
}

impl House {
    /// The rooms of a host with the sound server that its environment names.
    pub(crate) fn new(clock: Clock) -> Self {
        let server = Server::from_environment();
        let desktop = server.as_ref().ok().map(|server| Arc::new(Room::new(clock, server, Output::Default)));
        Self { clock, server, desktop }
    }

    /// Where a session on a source of this kind hears, or why it does not.
    ///
    /// The output of a virtual display is made here, so that it is there before the programs that play on it: that
    /// waits for the sound server, 5 s at most. `stop` ends the wait.
    pub(crate) fn room(&self, kind: SourceKind, stop: &Stop) -> Result<Arc<Room>, Offer> {
        if kind == SourceKind::Synthetic {
            return Err(Offer::NotHere);
        }
        let unavailable = |error: &SoundError| {
            tracing::warn!(%error, "sessions have no sound: {}", error.way_on());
            Offer::Unavailable
        };
        let server = self.server.as_ref().map_err(unavailable)?;
        match &self.desktop {
            Some(desktop) if kind != SourceKind::Virtual => Ok(Arc::clone(desktop)),
            _ => {
                let output = Output::of_session(server).map_err(|error| unavailable(&error))?;
                if let Err(error) = output.make(stop) {
                    // Whoever listens looks for the server again, and says what is wrong.
                    tracing::debug!(%error, "the session's output is not there yet");
                }
                Ok(Arc::new(Room::new(self.clock, server, output)))
            }
        }
    }
}

impl Room {
    fn new(clock: Clock, server: &Server, output: Output) -> Self {
        Self { clock, server: server.clone(), output, taps: Mutex::default() }
    }

    /// The command of a session, which is to play on the room's output.
    pub(crate) fn furnish(&self, command: SessionCommand) -> SessionCommand {
        match self.output.variable() {
            None => command,
            Some((name, value)) => with_variable(command, name, &value),
        }
    }

    /// Sends what is heard to `connection` from now on, packed by `packetiser`.
    fn listen(
        &self,
        coding: Coding,
        packetiser: Packetiser,
        connection: Connection,
        loss: Arc<AtomicU32>,
    ) -> Result<Listener, SoundError> {
        let mut taps = lock(&self.taps);
        let tap = if let Some(tap) = taps.get(&coding).and_then(Weak::upgrade) {
            tap
        } else {
            let tap = Arc::new(self.tap(coding)?);
            taps.retain(|_, tap| tap.strong_count() > 0);
            taps.insert(coding, Arc::downgrade(&tap));
            tap
        };
        let place = Arc::new(Place);
        lock(&tap.ears).push(Ear { connection, packetiser, loss, place: Arc::clone(&place) });
        Ok(Listener { coding, tap, place })
    }

    /// Starts to capture.
    fn tap(&self, coding: Coding) -> Result<Tap, SoundError> {
        let failed = |what| move |error: io::Error| SoundError::System { what, reason: error.to_string() };
        let stop = Stop::new().map_err(failed("cannot begin to capture sound"))?;
        let encoder = Encoder::new(coding.length, coding.bitrate).map_err(|error| SoundError::System {
            what: "cannot set up the sound encoder",
            reason: error.to_string(),
        })?;
        let config =
            CaptureConfig { server: self.server.clone(), output: self.output.clone(), length: coding.length };
        let capture = Capture::new(config, &stop);
        let ears = Arc::new(Mutex::new(Vec::new()));
        let (clock, listeners) = (self.clock, Arc::clone(&ears));
        let thread = thread::Builder::new()
            .name("sound".to_owned())
            .spawn(move || play(capture, encoder, clock, &listeners))
            .map_err(failed("cannot start the thread that captures sound"))?;
        Ok(Tap { stop, ears, thread: Some(thread) })
    }
}

/// Sends whatever is captured to all who listen, until it is stopped.
fn play(mut capture: Capture, mut encoder: Encoder, clock: Clock, ears: &Mutex<Vec<Ear>>) {
    loop {
        match capture.next_frame(Instant::now() + WHILE) {
            Ok(None) => {}
            Ok(Some(frame)) => match encoder.encode(frame.samples) {
                Ok(payload) => {
                    let heard = clock.media_time(frame.heard);
                    lock(ears).iter_mut().for_each(|ear| ear.send(heard, payload));
                }
                Err(error) => tracing::debug!(%error, "a frame of sound is left out"),
            },
            Err(_) => return,
        }
    }
}

impl Ear {
    fn send(&mut self, heard: Micros, payload: &[u8]) {
        let loss = self.loss.load(Ordering::Relaxed) as f32 / MILLION;
        let mut datagram = Vec::with_capacity(1 + MAX_PACKET);
        datagram.push(Stream::Sound.number());
        self.packetiser.pack(heard, payload, Redundancy::for_loss(loss), &mut datagram);
        if let Err(error) = self.connection.send_datagram(datagram.into()) {
            // As good as lost; a connection that is gone shows elsewhere.
            tracing::debug!(%error, "a packet of sound was not sent");
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        lock(&self.tap.ears).retain(|ear| !Arc::ptr_eq(&ear.place, &self.place));
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed when it happened.
            _ = thread.join();
        }
    }
}

impl SessionSound {
    /// A session that hears nothing yet.
    pub(crate) fn new(room: Result<Arc<Room>, Offer>, connection: Connection) -> Self {
        Self { room, connection, listener: None, streams: 0, losses: Mutex::default(), loss: Arc::default() }
    }

    /// Gives the session what it wishes, where the client takes `ceiling` bits a second of everything; says what it gets.
    pub(crate) fn wish(&mut self, wish: SoundWish, ceiling: u32) -> Offer {
        let wanted = Coding::of(wish, ceiling);
        if wanted != self.listener.as_ref().map(|listener| listener.coding) {
            let before = self.listener.take();
            off_the_runtime(before);
        }
        let (room, coding) = match (&self.room, wanted) {
            (_, None) => return Offer::NotAsked,
            (Err(offer), Some(_)) => return *offer,
            (Ok(room), Some(coding)) => (room, coding),
        };
        if self.listener.is_none() {
            let packetiser = Packetiser::new(coding.length).after(self.streams);
            match room.listen(coding, packetiser, self.connection.clone(), Arc::clone(&self.loss)) {
                Ok(listener) => {
                    self.listener = Some(listener);
                    self.streams = self.streams.wrapping_add(1);
                }
                Err(error) => {
                    tracing::warn!(%error, "a session has no sound: {}", error.way_on());
                    return Offer::Unavailable;
                }
            }
        }
        // What is not there now is looked for again.
        if room.server.probe().is_ok() { Offer::Given } else { Offer::Unavailable }
    }

    /// What of a client's `ceiling` is left for pictures beside the sound that it wishes, in bits a second: all of it
    /// where there never is any.
    pub(crate) fn left_for_pictures(&self, wish: SoundWish, ceiling: u32) -> u32 {
        if self.room.is_ok() { left_for_pictures(wish, ceiling) } else { ceiling }
    }

    /// The most that the session's sound takes now, in bits a second, with everything around it.
    pub(crate) fn most_on_the_wire(&self) -> u32 {
        self.listener.as_ref().map_or(0, |listener| listener.coding.most_on_the_wire())
    }

    /// Looks at how many packets the session's path loses. `of_pictures` is the share that its receiver reports, 0 to 1.
    ///
    /// Reports know nothing of pictures that were lost as a whole, and on a desktop most are one packet; QUIC learns late
    /// of a loss that just began. The larger counts.
    pub(crate) fn note_loss(&self, of_pictures: f64) {
        let figures = self.connection.figures();
        let mark = Mark { at: Instant::now(), sent: figures.sent_packets, lost: figures.lost_packets };
        let loss = lock(&self.losses).share(mark).max(of_pictures);
        self.loss.store((loss * f64::from(MILLION)) as u32, Ordering::Relaxed);
    }
}

impl Drop for SessionSound {
    fn drop(&mut self) {
        let room = mem::replace(&mut self.room, Err(Offer::Withheld));
        off_the_runtime((self.listener.take(), room));
    }
}

/// Drops something that waits for a thread or for the sound server.
fn off_the_runtime<T: Send + 'static>(gone: T) {
    tokio::task::spawn_blocking(move || drop(gone));
}

/// What of a client's `ceiling` is left for pictures beside the sound that it wishes, in bits a second.
///
/// Counted is the most that sound takes: all copies, with everything around them. Half is left in any case.
fn left_for_pictures(wish: SoundWish, ceiling: u32) -> u32 {
    let sound = Coding::of(wish, ceiling).map_or(0, Coding::most_on_the_wire);
    ceiling.saturating_sub(sound).max(ceiling / 2)
}

impl Coding {
    fn of(wish: SoundWish, ceiling: u32) -> Option<Self> {
        let length = match wish {
            SoundWish::Silent => return None,
            SoundWish::Ms10 => FrameLength::Ms10,
            SoundWish::Ms5 => FrameLength::Ms5,
        };
        let bitrate = RATES.iter().find(|(least, _)| ceiling >= *least).map_or(0, |(_, rate)| *rate);
        Some(Self { length, bitrate })
    }

    fn most_on_the_wire(self) -> u32 {
        let copies = pf_audio::packet::MAX_COPIES as u32;
        let frames = (Duration::from_secs(1).as_micros() / self.length.duration().as_micros()) as u32;
        self.bitrate * (1 + copies) + frames * AROUND * 8
    }
}

impl Losses {
    /// The share that was lost until `now`, 0 to 1.
    fn share(&mut self, now: Mark) -> f64 {
        if self.marks.back().is_none_or(|last| now.at - last.at >= STEP) {
            self.marks.push_back(now);
        }
        if self.marks.len() > STEPS {
            self.marks.pop_front();
        }
        let Some(first) = self.marks.front() else { return 0.0 };
        // A client that moved to another address has another path, which counts from 0.
        let (sent, lost) = (now.sent.saturating_sub(first.sent), now.lost.saturating_sub(first.lost));
        if sent < ENOUGH { 0.0 } else { (lost as f64 / sent as f64).min(1.0) }
    }
}

/// A command with one more variable in its environment.
fn with_variable(command: SessionCommand, name: &str, value: &str) -> SessionCommand {
    let words = match command {
        SessionCommand::Program { program, arguments } => [vec![program], arguments].concat(),
        SessionCommand::Shell(line) => vec!["sh".into(), "-c".into(), line],
    };
    let variable = OsString::from(format!("{name}={value}"));
    SessionCommand::Program { program: "env".into(), arguments: [vec![variable], words].concat() }
}

/// The value of a lock; what a thread that panicked left is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long to listen at a time; nothing happens in between.
const WHILE: Duration = Duration::from_hours(1);

/// What sound is coded at, in bits a second, from which ceiling of the client's on: with its copies it takes three times
/// as much, which is to be a tenth of all down to 4 Mbit/s, and less than a third below.
const RATES: [(u32, u32); 3] =
    [(4_000_000, pf_audio::opus::DEFAULT_BITRATE), (1_000_000, 64_000), (0, 32_000)];

/// The bytes around the payloads of a datagram: of UDP and IPv6 48, QUIC 32, the packet's header 18.
const AROUND: u32 = 98;

/// Loss is looked at over so many steps of [`STEP`].
const STEPS: usize = 10;

/// See [`STEPS`].
const STEP: Duration = Duration::from_secs(1);

/// Of fewer packets a share means nothing.
const ENOUGH: u64 = 50;

/// How losses are counted.
const MILLION: f32 = 1e6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_coded_by_what_the_client_takes() {
        assert_eq!(Coding::of(SoundWish::Silent, u32::MAX), None);
        let coding = |ceiling| Coding::of(SoundWish::Ms10, ceiling).unwrap();
        assert_eq!(
            [15_000_000, 4_000_000, 3_999_999, 500_000, 0].map(|ceiling| coding(ceiling).bitrate),
            [128_000, 128_000, 64_000, 32_000, 32_000]
        );
        assert_eq!(coding(0).length, FrameLength::Ms10);
        assert_eq!(Coding::of(SoundWish::Ms5, 0).unwrap().length, FrameLength::Ms5);
    }

    /// A client says how much its link takes. Sound on top of that is a standing queue.
    #[test]
    fn pictures_and_sound_together_stay_below_the_ceiling() {
        for ceiling in [100_000, 500_000, 1_000_000, 4_000_000, 15_000_000] {
            for wish in [SoundWish::Ms10, SoundWish::Ms5] {
                let sound = Coding::of(wish, ceiling).unwrap().most_on_the_wire();
                let pictures = left_for_pictures(wish, ceiling);
                assert!(pictures >= ceiling / 2);
                assert!(ceiling < 600_000 || pictures + sound <= ceiling, "{ceiling}: {sound}");
            }
            assert_eq!(left_for_pictures(SoundWish::Silent, ceiling), ceiling);
        }
    }

    /// A link that loses one in forty is to have two copies, and one that has recovered is to have one again.
    #[test]
    fn losses_are_counted_over_ten_seconds() {
        let start = Instant::now();
        let mut losses = Losses::default();
        let mut mark = Mark { at: start, sent: 900, lost: 70 };
        assert!(losses.share(mark).abs() < f64::EPSILON, "what was before says nothing");
        let mut run = |seconds: u32, lost: u64| {
            let mut share = 0.0;
            for _ in 0..seconds * 40 {
                mark.at += Duration::from_millis(25);
                mark.sent += 10;
                share = losses.share(mark);
            }
            mark.lost += lost;
            share.max(losses.share(mark))
        };
        assert!(run(5, 50) > 0.02);
        assert!(run(15, 0).abs() < f64::EPSILON);
    }

    /// What a session plays must not come out of the loudspeakers of another room.
    #[test]
    fn a_sessions_command_is_told_its_output() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let program =
            |words: Vec<OsString>| SessionCommand::Program { program: "env".into(), arguments: words };
        let shell = SessionCommand::Shell("a | b".into());
        assert_eq!(with_variable(shell, "X", "1"), program(words(&["X=1", "sh", "-c", "a | b"])));
        let icewm = SessionCommand::Program { program: "icewm".into(), arguments: words(&["--sync"]) };
        assert_eq!(with_variable(icewm, "X", "1"), program(words(&["X=1", "icewm", "--sync"])));
    }

    /// A test picture has no sound, and must not give away what its host's desktop plays.
    #[test]
    fn a_synthetic_picture_has_no_sound() {
        let house = House::new(Clock::start());
        let room = house.room(SourceKind::Synthetic, &Stop::new().unwrap());
        assert_eq!(room.err(), Some(Offer::NotHere));
    }
}
