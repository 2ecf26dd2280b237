//! A connection to the sound server: requests with their answers, and what comes unasked.
//!
//! The protocol's messages are a header of 20 bytes and a body; a body is a command or, on a stream's channel, samples.
//! Everything runs on the thread that owns the connection, and every wait ends with its [`Stop`]. The server is this
//! machine's own and trusted with the sound; a message is bounded all the same.

use std::{
    collections::VecDeque,
    ffi::CString,
    io::{self, Read as _, Write as _},
    os::{fd::AsFd as _, unix::net::UnixStream},
    time::{Duration, Instant},
};

use pf_wait::{Interest, Stop, Wake};
use pulseaudio::protocol::{
    AuthParams, AuthReply, ChannelMap, Command, CommandTag, DESCRIPTOR_SIZE, MAX_VERSION, MIN_VERSION, Prop,
    Props, ProtocolError, PulseError, Request, SampleFormat, SampleSpec, ServerInfo, SetClientNameReply,
    SubscriptionEventFacility, TagStructRead, TagStructReader, Underflow, encode_command_message,
    read_descriptor, write_memblock,
};
use rustix::event::PollFlags;

use crate::{CHANNELS, RATE, SoundError, server::Server};

/// A connection that has been let in.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: UnixStream,
    stop: Stop,
    version: u16,
    next: u32,
    received: Vec<u8>,
    /// What has come in while an answer was waited for.
    events: VecDeque<Event>,
    unsent: VecDeque<u8>,
}

/// Something that the server sent.
#[derive(Debug)]
pub(crate) enum Event {
    /// Samples on a stream's channel.
    Samples { channel: u32, bytes: Vec<u8> },
    /// A stream that plays wants so many bytes.
    Wanted { channel: u32, bytes: u32 },
    /// A stream that plays ran out of samples.
    RanDry { channel: u32 },
    /// A stream was ended.
    Ended { channel: u32 },
    /// Another output may be the default one now.
    DefaultsChanged,
    /// The answer to the request of that number.
    Answer(Answer),
}

/// An answer that is not read yet.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) to: u32,
    body: Result<Vec<u8>, PulseError>,
    version: u16,
}

impl Answer {
    /// Reads the answer to the request to `what`.
    pub(crate) fn read<T: TagStructRead>(&self, what: &'static str) -> Result<T, SoundError> {
        let body = self.body.as_ref().map_err(|&error| SoundError::denied(what, error))?;
        let mut body = body.as_slice();
        Ok(TagStructReader::new(&mut body, self.version).read()?)
    }
}

/// An answer without content.
pub(crate) struct Done;

impl TagStructRead for Done {
    fn read(_: &mut TagStructReader<'_>, _: u16) -> Result<Self, ProtocolError> {
        Ok(Self)
    }
}

/// The answer to loading a module: its index.
pub(crate) struct ModuleIndex(pub(crate) u32);

impl TagStructRead for ModuleIndex {
    fn read(reader: &mut TagStructReader<'_>, _: u16) -> Result<Self, ProtocolError> {
        reader.read_u32().map(Self)
    }
}

impl Connection {
    /// Connects to `server`, and introduces itself.
    pub(crate) fn open(server: &Server, stop: &Stop) -> Result<Self, SoundError> {
        let mut connection = Self {
            stream: server.connect()?,
            stop: stop.clone(),
            version: MAX_VERSION,
            next: 0,
            received: Vec::new(),
            events: VecDeque::new(),
            unsent: VecDeque::new(),
        };
        let auth = AuthParams {
            version: MAX_VERSION,
            supports_shm: false,
            supports_memfd: false,
            cookie: server.read_cookie(),
        };
        let reply: AuthReply = connection.request("let us in", &Command::Auth(auth))?;
        if reply.version < MIN_VERSION {
            return Err(SoundError::lost(&format!("it speaks version {}", reply.version)));
        }
        connection.version = reply.version.min(MAX_VERSION);
        let mut props = Props::new();
        props.set(Prop::ApplicationName, c"Punktfunk");
        let _: SetClientNameReply = connection.request("take our name", &Command::SetClientName(props))?;
        Ok(connection)
    }

    /// Sends a request and waits for its answer; what comes in between is kept.
    pub(crate) fn request<T: TagStructRead>(
        &mut self,
        what: &'static str,
        command: &Command,
    ) -> Result<T, SoundError> {
        let number = self.send(command)?;
        let deadline = Instant::now() + ANSWER_PATIENCE;
        loop {
            match self.receive(deadline)? {
                Some(Event::Answer(answer)) if answer.to == number => return answer.read(what),
                Some(event) => self.events.push_back(event),
                None => return Err(SoundError::lost(&"it has stopped answering")),
            }
        }
    }

    /// Sends a request and returns the number that its answer will have.
    pub(crate) fn send(&mut self, command: &Command) -> Result<u32, SoundError> {
        let number = self.next;
        self.next = (self.next + 1) % u32::MAX;
        let mut message = Vec::new();
        encode_command_message(&mut message, number, command, self.version)?;
        self.unsent.extend(message);
        self.flush()?;
        Ok(number)
    }

    /// Sends samples for a stream to play.
    pub(crate) fn play(&mut self, channel: u32, bytes: &[u8]) -> Result<(), SoundError> {
        write_memblock(&mut self.unsent, channel, bytes, 0)?;
        self.flush()
    }

    /// The next thing that the server sends; `None` when there is nothing by `deadline`.
    pub(crate) fn next_event(&mut self, deadline: Instant) -> Result<Option<Event>, SoundError> {
        match self.events.pop_front() {
            Some(event) => Ok(Some(event)),
            None => self.receive(deadline),
        }
    }

    /// The name of the output that sound goes to by default.
    pub(crate) fn default_output(&mut self) -> Result<CString, SoundError> {
        let info: ServerInfo = self.request("tell about itself", &Command::GetServerInfo)?;
        info.default_sink_name.ok_or(SoundError::NoOutput)
    }

    fn receive(&mut self, deadline: Instant) -> Result<Option<Event>, SoundError> {
        loop {
            if let Some(event) = self.parse()? {
                return Ok(Some(event));
            }
            let flags = if self.unsent.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
            let interest = Interest { fd: self.stream.as_fd(), flags };
            let wake = self.stop.wait(Some(interest), Some(deadline));
            match wake.map_err(|error| SoundError::system("cannot wait for the sound server", &error))? {
                Wake::Stopped => return Err(SoundError::Stopped),
                Wake::Deadline => return Ok(None),
                Wake::Ready => {
                    self.flush()?;
                    self.read()?;
                }
            }
        }
    }

    fn read(&mut self) -> Result<(), SoundError> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(SoundError::lost(&"it closed the connection")),
            Ok(length) => {
                self.received.extend_from_slice(&buffer[..length]);
                Ok(())
            }
            Err(error) if is_for_later(&error) => Ok(()),
            Err(error) => Err(SoundError::lost(&error)),
        }
    }

    /// Sends as much as the socket takes.
    fn flush(&mut self) -> Result<(), SoundError> {
        while !self.unsent.is_empty() {
            match self.stream.write(self.unsent.make_contiguous()) {
                Ok(length) => drop(self.unsent.drain(..length)),
                Err(error) if is_for_later(&error) => break,
                Err(error) => return Err(SoundError::lost(&error)),
            }
        }
        if self.unsent.len() > MAX_MESSAGE {
            return Err(SoundError::lost(&"it has stopped listening"));
        }
        Ok(())
    }

    /// Takes the next whole message from what was received.
    fn parse(&mut self) -> Result<Option<Event>, SoundError> {
        loop {
            let Some(header) = self.received.get(..DESCRIPTOR_SIZE) else { return Ok(None) };
            let header = read_descriptor(&mut &*header)?;
            let length = header.length as usize;
            if length > MAX_MESSAGE {
                return Err(SoundError::lost(&format!("it sends {length} bytes at once")));
            }
            let Some(body) = self.received.get(DESCRIPTOR_SIZE..DESCRIPTOR_SIZE + length) else {
                return Ok(None);
            };
            let event = if header.channel == CONTROL {
                read_command(body, self.version)?
            } else {
                Some(Event::Samples { channel: header.channel, bytes: body.to_vec() })
            };
            self.received.drain(..DESCRIPTOR_SIZE + length);
            if event.is_some() {
                return Ok(event);
            }
        }
    }
}

/// Reads a command; `None` for one that is not known, which tells nothing that matters here.
fn read_command(body: &[u8], version: u16) -> Result<Option<Event>, SoundError> {
    let mut rest = body;
    let mut reader = TagStructReader::new(&mut rest, version);
    let tag = reader.read_enum::<CommandTag>();
    let to = reader.read_u32()?;
    match tag {
        Ok(CommandTag::Reply) => Ok(Some(Event::Answer(Answer { to, body: Ok(rest.to_vec()), version }))),
        Ok(CommandTag::Error) => {
            let error = reader.read_enum().unwrap_or(PulseError::Unknown);
            Ok(Some(Event::Answer(Answer { to, body: Err(error), version })))
        }
        _ => match Command::read_tag_prefixed(&mut &*body, version) {
            Ok((_, command)) => Ok(told(&command)),
            Err(error) => {
                tracing::debug!(%error, "the sound server sent a command that is passed over");
                Ok(None)
            }
        },
    }
}

/// What a command of the server's tells; `None` for what does not matter here.
fn told(command: &Command) -> Option<Event> {
    match *command {
        Command::Request(Request { channel, length }) => Some(Event::Wanted { channel, bytes: length }),
        Command::Underflow(Underflow { channel, .. }) => Some(Event::RanDry { channel }),
        Command::PlaybackStreamKilled(channel) | Command::RecordStreamKilled(channel) => {
            Some(Event::Ended { channel })
        }
        Command::SubscribeEvent(event) if event.event_facility == SubscriptionEventFacility::Server => {
            Some(Event::DefaultsChanged)
        }
        _ => None,
    }
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// The format of every stream: 32-bit floats, which every server converts from and to.
pub(crate) fn sample_spec() -> SampleSpec {
    SampleSpec { format: SampleFormat::Float32Le, channels: CHANNELS as u8, sample_rate: RATE }
}

/// Left and right.
pub(crate) fn channel_map() -> ChannelMap {
    ChannelMap::stereo()
}

/// How many bytes so many samples of each channel take.
pub(crate) const fn bytes_of(samples: usize) -> usize {
    samples * BYTES_PER_SAMPLE
}

/// The bytes of a sample of both channels.
pub(crate) const BYTES_PER_SAMPLE: usize = CHANNELS * size_of::<f32>();

/// The channel of commands.
const CONTROL: u32 = u32::MAX;

/// The longest message that is taken, and the most that waits to be sent: ten times what a list of modules takes.
const MAX_MESSAGE: usize = 1 << 20;

/// How long the server may take to answer: it does nothing slow but to open devices.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);
