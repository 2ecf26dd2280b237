//! What the host's loudspeakers play, frame by frame.
//!
//! Every output of a sound server has a *monitor*, an input that hears what it plays. A [`Capture`] listens to one. It
//! belongs to one thread, which may block in it; a [`Stop`] handle ends it from any other.

use std::{
    ffi::CString,
    time::{Duration, Instant},
};

use pulseaudio::protocol::{
    Command, CreateRecordStreamReply, GetSinkInfo, LatencyParams, Prop, Props, RecordLatency,
    RecordStreamParams, SinkInfo, SubscriptionMask,
    stream::{BufferAttr, StreamFlags},
};

use crate::{
    CHANNELS, FrameLength, SoundError, Stop,
    connection::{Answer, Connection, Done, Event, bytes_of, channel_map, sample_spec},
    frame::duration_of,
    output::Output,
    server::Server,
    stamps::{Stamps, samples_in, shifted},
};

/// What to capture, and how.
#[derive(Clone, Debug)]
pub struct CaptureConfig {
    /// The sound server.
    pub server: Server,
    /// Which of its outputs.
    pub output: Output,
    /// How long each frame is.
    pub length: FrameLength,
}

/// The sound of an output.
///
/// When the default output changes, it follows. While the server is not there it looks for it now and then; meanwhile
/// there are no frames, and [`trouble`](Self::trouble) says why. The log hears of each trouble once.
#[derive(Debug)]
pub struct Capture {
    config: CaptureConfig,
    stop: Stop,
    stream: Option<Stream>,
    trouble: Option<SoundError>,
    /// When to look for the server again, and how long to wait after that.
    retry: Instant,
    pause: Duration,
    frame: Vec<f32>,
}

/// A frame of sound, borrowed from its capture until the next one.
#[derive(Clone, Copy, Debug)]
pub struct Captured<'a> {
    /// Interleaved samples, as many as a frame of the length asked for has.
    pub samples: &'a [f32],
    /// When the first of them is heard at the host's loudspeaker; for one with a long buffer that is yet to come.
    pub heard: Instant,
}

impl Capture {
    /// A capture that listens from the first [`next_frame`](Self::next_frame) on.
    pub fn new(config: CaptureConfig, stop: &Stop) -> Self {
        Self {
            config,
            stop: stop.clone(),
            stream: None,
            trouble: None,
            retry: Instant::now(),
            pause: FIRST_PAUSE,
            frame: Vec::new(),
        }
    }

    /// Why there are no frames; `None` while there are, and before the first look for the server.
    pub fn trouble(&self) -> Option<&SoundError> {
        self.trouble.as_ref()
    }

    /// Waits for the next frame; `None` when there is none by `deadline`.
    ///
    /// An output that nothing plays on may deliver silence, or nothing. The only error is [`SoundError::Stopped`].
    pub fn next_frame(&mut self, deadline: Instant) -> Result<Option<Captured<'_>>, SoundError> {
        loop {
            let Some(stream) = &mut self.stream else {
                if !self.reopen(deadline)? {
                    return Ok(None);
                }
                continue;
            };
            if let Some(heard) = stream.take(self.config.length, &mut self.frame) {
                (self.trouble, self.pause) = (None, FIRST_PAUSE);
                return Ok(Some(Captured { samples: &self.frame, heard }));
            }
            match stream.advance(&self.config.output, deadline) {
                Ok(Step::Listened) => {}
                Ok(Step::Deadline) => return Ok(None),
                Ok(Step::Moved) => self.stream = None,
                Err(SoundError::Stopped) => return Err(SoundError::Stopped),
                Err(error) => self.lost(error),
            }
        }
    }

    /// Looks for the server again, when it is time before `deadline`; whether there is reason to go on.
    fn reopen(&mut self, deadline: Instant) -> Result<bool, SoundError> {
        self.stop.sleep_until(self.retry.min(deadline))?;
        if self.retry > deadline {
            return Ok(false);
        }
        match Stream::open(&self.config, &self.stop) {
            Ok(stream) => {
                tracing::debug!(output = ?stream.output, "the host's sound is captured");
                self.stream = Some(stream);
            }
            Err(SoundError::Stopped) => return Err(SoundError::Stopped),
            Err(error) => self.lost(error),
        }
        Ok(true)
    }

    /// Gives up the stream, and waits longer each time before the next look: a server that is not installed never comes.
    fn lost(&mut self, error: SoundError) {
        if self.trouble.as_ref() == Some(&error) {
            tracing::debug!(%error, "there is still no sound");
        } else {
            tracing::warn!(%error, "the host's sound is not captured: {}", error.way_on());
        }
        self.stream = None;
        self.trouble = Some(error);
        self.retry = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

/// A stream from one output's monitor.
#[derive(Debug)]
struct Stream {
    connection: Connection,
    output: CString,
    channel: u32,
    /// What has come and is in no frame yet.
    samples: Vec<f32>,
    /// How many samples of each channel were put into frames.
    taken: u64,
    stamps: Stamps,
    /// The question for the latency that is under way, and since when.
    question: Option<(u32, Instant)>,
    next_question: Instant,
}

/// How far a stream has come.
enum Step {
    Listened,
    Deadline,
    /// Another output is meant now, or this one is gone.
    Moved,
}

impl Stream {
    fn open(config: &CaptureConfig, stop: &Stop) -> Result<Self, SoundError> {
        let mut connection = Connection::open(&config.server, stop)?;
        let mask = SubscriptionMask::SERVER;
        let _: Done = connection.request("tell about changes", &Command::Subscribe(mask))?;
        let output = config.output.name(&mut connection)?;
        let find = Command::GetSinkInfo(GetSinkInfo { index: None, name: Some(output.clone()) });
        let info: SinkInfo = connection.request("find its output", &find)?;
        let fragment = bytes_of(FrameLength::Ms5.samples()) as u32;
        let mut props = Props::new();
        props.set(Prop::MediaName, c"Punktfunk: the host's sound");
        let params = RecordStreamParams {
            sample_spec: sample_spec(),
            channel_map: channel_map(),
            source_name: Some(info.monitor_source_name.ok_or(SoundError::NoOutput)?),
            buffer_attr: BufferAttr { fragment_size: fragment, ..BufferAttr::default() },
            flags: StreamFlags { adjust_latency: true, no_move: true, ..StreamFlags::default() },
            props,
            ..RecordStreamParams::default()
        };
        let reply: CreateRecordStreamReply =
            connection.request("let us listen to its output", &Command::CreateRecordStream(params))?;
        Ok(Self {
            connection,
            output,
            channel: reply.channel,
            samples: Vec::new(),
            taken: 0,
            stamps: Stamps::default(),
            question: None,
            next_question: Instant::now(),
        })
    }

    /// Moves the next frame to `frame`, and says when it is heard; `None` while it has not all come.
    fn take(&mut self, length: FrameLength, frame: &mut Vec<f32>) -> Option<Instant> {
        let heard = self.stamps.of(self.taken)?;
        if self.samples.len() < length.values() {
            return None;
        }
        frame.clear();
        frame.extend(self.samples.drain(..length.values()));
        self.taken += length.samples() as u64;
        Some(heard)
    }

    /// Takes in the next thing that the server sends.
    fn advance(&mut self, meant: &Output, deadline: Instant) -> Result<Step, SoundError> {
        self.ask_for_latency()?;
        match self.connection.next_event(deadline)? {
            None => return Ok(Step::Deadline),
            Some(Event::Samples { channel, bytes }) if channel == self.channel => self.listen(&bytes),
            Some(Event::Answer(answer)) => self.answered(&answer)?,
            Some(Event::Ended { channel }) if channel == self.channel => return Ok(Step::Moved),
            Some(Event::DefaultsChanged) if meant.name(&mut self.connection)? != self.output => {
                return Ok(Step::Moved);
            }
            Some(_) => {}
        }
        Ok(Step::Listened)
    }

    fn listen(&mut self, bytes: &[u8]) {
        let values = bytes.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value));
        // Programs play what they like; the encoder wants numbers.
        self.samples.extend(values.map(|value| if value.is_finite() { value } else { 0.0 }));
    }

    fn ask_for_latency(&mut self) -> Result<(), SoundError> {
        let now = Instant::now();
        if self.question.is_none() && now >= self.next_question {
            let params = LatencyParams { channel: self.channel, now: std::time::SystemTime::now() };
            self.question = Some((self.connection.send(&Command::GetRecordLatency(params))?, now));
            self.next_question = now + QUESTIONS;
        }
        Ok(())
    }

    /// Takes in when the next sample that will come was heard.
    ///
    /// The server answers in the order in which it sends samples, so that is where we both are. It has heard `source`
    /// ago what it has put in line last, and what a monitor hears the loudspeaker plays `sink` later.
    fn answered(&mut self, answer: &Answer) -> Result<(), SoundError> {
        let Some((_, asked)) = self.question.filter(|&(number, _)| number == answer.to) else {
            return Ok(());
        };
        self.question = None;
        let latency: RecordLatency = answer.read("tell its latency")?;
        let now = Instant::now();
        let queued = duration_of(samples_in(latency.write_offset.saturating_sub(latency.read_offset)));
        let earlier =
            (now - asked) / 2 + Duration::from_micros(latency.source_usec.min(MAX_LATENCY)) + queued;
        let heard = shifted(now, Duration::from_micros(latency.sink_usec.min(MAX_LATENCY)), earlier);
        let next = self.taken + (self.samples.len() / CHANNELS) as u64;
        self.stamps.observe(next, heard);
        Ok(())
    }
}

/// How long to wait before looking again for a server that is gone: one that is restarted takes about that long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// How long to wait before looking again for a server that stays away.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often to ask when samples are heard.
const QUESTIONS: Duration = Duration::from_millis(100);

/// The longest latency that is believed, in µs; the servers' own limit is 2 s.
const MAX_LATENCY: u64 = 5_000_000;
