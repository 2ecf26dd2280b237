//! The client's loudspeaker: a thread that plays what a [`Receiver`] has, at about 20 ms of the device's own latency.
//!
//! The stream goes to the default output, and the server moves it along when that changes; its volume is the server's
//! business. Where there is no server, or it goes away, the thread says so once and looks again every few seconds.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use pf_media::time::Micros;
use pulseaudio::protocol::{
    Command, CreatePlaybackStreamReply, LatencyParams, PlaybackLatency, PlaybackStreamParams, Prop, Props,
    stream::{BufferAttr, StreamFlags},
};

use crate::{
    CHANNELS, SoundError, Stop,
    connection::{Answer, BYTES_PER_SAMPLE, Connection, Event, bytes_of, channel_map, sample_spec},
    packet::Malformed,
    receiver::{Figures, Receiver},
    server::Server,
    stamps::{Stamps, samples_in, shifted},
};

/// Sound that is being played, until this is dropped.
#[derive(Debug)]
pub struct Playback {
    shared: Arc<Shared>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

/// How playback goes.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaybackFigures {
    /// How sound comes through the network.
    pub sound: Figures,
    /// How long after being handed to the server a sample is heard.
    pub device: Duration,
    /// How often the device ran out of samples.
    pub underruns: u64,
    /// Why nothing is played now.
    pub trouble: Option<SoundError>,
}

#[derive(Debug)]
struct Shared {
    receiver: Mutex<Receiver>,
    device: Mutex<Device>,
}

#[derive(Clone, Debug)]
struct Device {
    latency: Duration,
    underruns: u64,
    trouble: Option<SoundError>,
}

impl Playback {
    /// Starts to play on `server`'s default output, whenever there is one.
    ///
    /// `origin` is when the media clock says 0 that the times of [`receive`](Self::receive) and
    /// [`picture_shown`](Self::picture_shown) are on.
    pub fn start(server: Server, origin: Instant) -> Result<Self, SoundError> {
        let receiver = Receiver::new().map_err(|error| SoundError::System {
            what: "cannot set up the decoder",
            reason: error.reason,
        })?;
        let device = Device { latency: TARGET, underruns: 0, trouble: None };
        let shared = Arc::new(Shared { receiver: Mutex::new(receiver), device: Mutex::new(device) });
        let stop = Stop::new().map_err(|error| SoundError::no_handle(&error))?;
        let player = Player { server, origin, shared: Arc::clone(&shared), stop: stop.clone() };
        let thread = thread::Builder::new()
            .name("sound".to_owned())
            .spawn(move || player.run())
            .map_err(|error| SoundError::system("cannot start the thread that plays sound", &error))?;
        Ok(Self { shared, stop, thread: Some(thread) })
    }

    /// Takes in a packet that arrived at `now`.
    pub fn receive(&self, bytes: &[u8], now: Micros) -> Result<(), Malformed> {
        lock(&self.shared.receiver).receive(bytes, now)
    }

    /// Notes that the picture of `captured`, on the host's clock, is on the screen at `shown`, on ours.
    pub fn picture_shown(&self, captured: Micros, shown: Micros) {
        lock(&self.shared.receiver).picture_shown(captured, shown);
    }

    /// How it goes.
    pub fn figures(&self) -> PlaybackFigures {
        let sound = lock(&self.shared.receiver).figures();
        let Device { latency, underruns, trouble } = lock(&self.shared.device).clone();
        PlaybackFigures { sound, device: latency, underruns, trouble }
    }
}

impl Drop for Playback {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed when it happened.
            _ = thread.join();
        }
    }
}

/// What the thread works with.
struct Player {
    server: Server,
    origin: Instant,
    shared: Arc<Shared>,
    stop: Stop,
}

impl Player {
    fn run(&self) {
        loop {
            let error = match self.play() {
                Err(SoundError::Stopped) => return,
                Err(error) => error,
                // The stream was ended by the server: the next one may find another output.
                Ok(()) => {
                    if self.stop.sleep_until(Instant::now() + MOVED).is_err() {
                        return;
                    }
                    continue;
                }
            };
            let known = lock(&self.shared.device).trouble.replace(error.clone());
            if known.as_ref() == Some(&error) {
                tracing::debug!(%error, "there is still no sound");
            } else {
                tracing::warn!(%error, "no sound is played: {}", error.way_on());
            }
            if self.stop.sleep_until(Instant::now() + RETRY).is_err() {
                return;
            }
        }
    }

    /// Plays until the stream ends.
    fn play(&self) -> Result<(), SoundError> {
        let mut stream = Stream::open(&self.server, &self.stop)?;
        lock(&self.shared.device).trouble = None;
        let mut wanted = stream.wanted;
        loop {
            self.write(&mut stream, wanted)?;
            wanted = 0;
            stream.ask_for_latency()?;
            match stream.connection.next_event(stream.next_question)? {
                Some(Event::Wanted { channel, bytes }) if channel == stream.channel => {
                    wanted = bytes as usize / BYTES_PER_SAMPLE;
                }
                Some(Event::RanDry { channel }) if channel == stream.channel => {
                    lock(&self.shared.device).underruns += 1;
                    stream.next_question = Instant::now();
                }
                Some(Event::Ended { channel }) if channel == stream.channel => return Ok(()),
                Some(Event::Answer(answer)) => stream.answered(&answer)?,
                Some(_) | None => {}
            }
        }
    }

    /// Hands so many samples of each channel to the server.
    fn write(&self, stream: &mut Stream, samples: usize) -> Result<(), SoundError> {
        let mut left = samples.min(MAX_WRITE);
        while left > 0 {
            let count = left.min(CHUNK);
            let now = Instant::now();
            let device =
                stream.stamps.of(stream.written).map_or(TARGET, |heard| heard.saturating_duration_since(now));
            let mut values = [0.0; CHUNK * CHANNELS];
            let values = &mut values[..count * CHANNELS];
            lock(&self.shared.receiver).fill(values, self.media_time(now), device);
            lock(&self.shared.device).latency = device;
            let bytes: Vec<u8> =
                values.iter().flat_map(|value| value.clamp(-1.0, 1.0).to_le_bytes()).collect();
            stream.connection.play(stream.channel, &bytes)?;
            stream.written += count as u64;
            left -= count;
        }
        Ok(())
    }

    fn media_time(&self, now: Instant) -> Micros {
        Micros::ZERO + now.saturating_duration_since(self.origin)
    }
}

/// A stream to the default output.
struct Stream {
    connection: Connection,
    channel: u32,
    /// How many samples the server wants to begin with.
    wanted: usize,
    /// How many samples of each channel it was given.
    written: u64,
    stamps: Stamps,
    question: Option<(u32, Instant)>,
    next_question: Instant,
}

impl Stream {
    fn open(server: &Server, stop: &Stop) -> Result<Self, SoundError> {
        let mut connection = Connection::open(server, stop)?;
        let bytes = |time: Duration| bytes_of((time.as_millis() * 48) as usize) as u32;
        let mut props = Props::new();
        props.set(Prop::MediaName, c"Punktfunk: the host's sound");
        let params = PlaybackStreamParams {
            sample_spec: sample_spec(),
            channel_map: channel_map(),
            buffer_attr: BufferAttr {
                target_length: bytes(TARGET),
                pre_buffering: bytes(REQUEST),
                minimum_request_length: bytes(REQUEST),
                ..BufferAttr::default()
            },
            flags: StreamFlags { adjust_latency: true, ..StreamFlags::default() },
            props,
            ..PlaybackStreamParams::default()
        };
        let reply: CreatePlaybackStreamReply =
            connection.request("let us play", &Command::CreatePlaybackStream(params))?;
        Ok(Self {
            connection,
            channel: reply.channel,
            wanted: reply.requested_bytes as usize / BYTES_PER_SAMPLE,
            written: 0,
            stamps: Stamps::default(),
            question: None,
            next_question: Instant::now(),
        })
    }

    fn ask_for_latency(&mut self) -> Result<(), SoundError> {
        let now = Instant::now();
        if now < self.next_question {
            return Ok(());
        }
        self.next_question = now + QUESTIONS;
        if self.question.is_none() {
            let params = LatencyParams { channel: self.channel, now: std::time::SystemTime::now() };
            self.question = Some((self.connection.send(&Command::GetPlaybackLatency(params))?, now));
        }
        Ok(())
    }

    /// Takes in when the sample is heard that the device takes next.
    fn answered(&mut self, answer: &Answer) -> Result<(), SoundError> {
        let Some((_, asked)) = self.question.filter(|&(number, _)| number == answer.to) else {
            return Ok(());
        };
        self.question = None;
        let latency: PlaybackLatency = answer.read("tell its latency")?;
        let now = Instant::now();
        let sink = Duration::from_micros(latency.sink_usec.min(MAX_LATENCY));
        self.stamps.observe(samples_in(latency.read_offset), shifted(now, sink, (now - asked) / 2));
        Ok(())
    }
}

/// The value of a lock; what a thread that panicked left is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How much sound is asked to be between us and the loudspeaker: less runs out on a busy machine.
const TARGET: Duration = Duration::from_millis(20);

/// How much the server asks for at a time, and how much it wants before it begins.
const REQUEST: Duration = Duration::from_millis(5);

/// How many samples are made at a time: 5 ms.
const CHUNK: usize = 240;

/// The most samples that are handed over at once, whatever is asked for: a second.
const MAX_WRITE: usize = 48_000;

/// How long to wait after a server has ended a stream: one that ends each at once is not asked without a pause.
const MOVED: Duration = Duration::from_millis(50);

/// How long to wait before looking for a server again.
const RETRY: Duration = Duration::from_secs(3);

/// How often to ask when samples are heard.
const QUESTIONS: Duration = Duration::from_millis(200);

/// The longest latency that is believed, in µs.
const MAX_LATENCY: u64 = 5_000_000;
