//! A session: pictures come as datagrams, are put together, decoded, and handed to a sink.
//!
//! The network is tokio's; decoding has a thread of its own, and between them stands a short queue. When decoding is
//! behind, what finds no room is left out and a recovery asked for: the newest picture wins. Reports on how pictures
//! arrive go back as datagrams, by which the host chooses rate and parity.

mod decode;
mod feed;
mod figures;
mod live;
mod remote;
mod report;
mod sound;

use std::{
    fs::File,
    time::{Duration, Instant},
};

use pf_base::Code;
use pf_codec::I420View;
use pf_media::{clock::Exchange, picture::Size, time::Micros};
use pf_net::{Connection, ControlSender, ControlStream};
use pf_proto::{
    Message, media,
    session::{Admitted, ClientMessage, HostMessage},
};
use tokio::{sync::mpsc, time::MissedTickBehavior};

use crate::Failure;
use decode::Decoding;
use feed::Feed;
use live::LocalClock;
pub use live::{Live, Showing};
pub use remote::Remote;
use remote::Said;
pub(crate) use remote::Sayings;
pub use report::{Arrived, Latencies, Moment, Percentiles, Report, SoundReport, Stage};

/// How often the clocks are compared.
const PING_INTERVAL: Duration = Duration::from_millis(500);

/// How many access units may wait for the decoder: at 60 a second, 100 ms of them.
///
/// A machine that was busy for so long catches up without losing a picture, since decoding takes a tenth of the time
/// that pictures are apart. One that is too slow for the stream shows them so much later.
const QUEUE: usize = 6;

/// Where pictures go.
pub trait PictureSink: Send {
    /// Takes one picture, on the decoding thread, and what tells where its way ended. Whatever it takes long for, later
    /// pictures wait for.
    fn show(&mut self, picture: I420View<'_>, showing: Showing);
}

/// How long to watch, and what to keep.
#[derive(Debug, Default)]
pub struct Play {
    /// Stop after this many pictures.
    pub frames: Option<u64>,
    /// Stop after this long, counted from the first picture.
    pub duration: Option<Duration>,
    /// Write the access units to this file as they come: an H.264 stream that any player takes. The first replaces what the
    /// file holds.
    pub save: Option<File>,
}

/// A session that the host admitted, before its first picture.
#[derive(Debug)]
pub struct Session {
    pub(crate) connection: Connection,
    pub(crate) control: ControlStream<ClientMessage, HostMessage>,
    pub(crate) admitted: Admitted,
    pub(crate) dialled: Instant,
    pub(crate) admitted_after: Duration,
    pub(crate) remote: Remote,
    pub(crate) sayings: Sayings,
    pub(crate) live: Live,
}

impl Session {
    /// What the host said when it let us in.
    pub fn admitted(&self) -> &Admitted {
        &self.admitted
    }

    /// A handle to tell the host what the person does, also while the session plays.
    pub fn remote(&self) -> Remote {
        self.remote.clone()
    }

    /// A handle to look at the session's figures.
    pub fn live(&self) -> Live {
        self.live.clone()
    }

    /// Watches until the person stops, `play` is fulfilled, or the host ends it.
    ///
    /// The report stands also where the session failed in the end.
    pub async fn play(
        self,
        play: Play,
        sink: Box<dyn PictureSink>,
        stop: impl Future<Output = ()>,
    ) -> (Report, Result<(), Failure>) {
        let (errors, not_decoded) = mpsc::unbounded_channel();
        let duration = play.duration;
        let decoding = match Decoding::start(play, sink, self.live.clone(), errors) {
            Ok(decoding) => decoding,
            Err(failure) => {
                self.connection.close(Code::Ended);
                return (Report::default(), Err(failure));
            }
        };
        let (control, messages) = self.control.split();
        let mut receiving = Receiving {
            connection: self.connection.clone(),
            control,
            local: self.live.clock(),
            live: self.live.clone(),
            feed: Feed::new(decoding.queue()),
            size: None,
            sayings: self.sayings,
        };
        let result = tokio::select! {
            () = stop => Ok(()),
            () = decoding.is_done(duration) => Ok(()),
            failure = receiving.run(messages, not_decoded) => Err(failure),
        };
        self.connection.close(match &result {
            Err(Failure::Protocol) => Code::ProtocolError,
            _ => Code::Ended,
        });
        let round_trip = self.connection.figures().round_trip;
        let arrived = Arrived::of(&receiving.feed);
        let sound = self.live.sound().end();
        // The thread ends when nobody can queue anything more.
        drop(receiving);
        let finished = decoding.finish().await;
        let figures = self.live.lock();
        let report = Report {
            stream: figures.stream.clone(),
            first_frame: figures.first_at.map(|at| at.saturating_duration_since(self.dialled)),
            first_frame_at: figures.first_at,
            admitted_after: self.admitted_after,
            frames: figures.frames,
            frames_shown: figures.shown,
            watched_for: figures.watched_for(),
            media_bytes: figures.bytes,
            decode_errors: figures.decode_errors,
            arrived: Arrived { sent: figures.sent(arrived.sent), ..arrived },
            key_frame_requests: figures.key_frame_requests,
            round_trip,
            latency: figures.latencies(),
            sound,
        };
        drop(figures);
        (report, result.and(finished))
    }
}

/// The network's side of a session.
struct Receiving {
    connection: Connection,
    control: ControlSender<ClientMessage>,
    local: LocalClock,
    live: Live,
    feed: Feed,
    /// The desktop's size, as the host said.
    size: Option<Size>,
    sayings: Sayings,
}

impl Receiving {
    /// Receives until something fails; that is how a session ends that nobody stops.
    async fn run(
        &mut self,
        mut messages: pf_net::ControlReceiver<HostMessage>,
        mut not_decoded: mpsc::UnboundedReceiver<u32>,
    ) -> Failure {
        let mut pings = tokio::time::interval(PING_INTERVAL);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let deadline = self.feed.next_deadline();
            let done = tokio::select! {
                datagram = self.connection.read_datagram() => match datagram {
                    Ok(datagram) => {
                        self.take_in(&datagram);
                        Ok(())
                    }
                    Err(closed) => Err(closed.into()),
                },
                received = messages.receive() => match received {
                    Ok(received) => self.hear(received.message),
                    Err(error) => Err(error.into()),
                },
                () = until(deadline, self.local) => {
                    self.hand_out();
                    Ok(())
                }
                Some(frame) = not_decoded.recv() => self.ask_for_key_frame(frame).await,
                said = self.sayings.next() => self.pass_on(said).await,
                _ = pings.tick() => self.ping().await,
            };
            if let Err(failure) = done {
                return self.connection.close_reason().map_or(failure, Failure::from);
            }
        }
    }

    /// Takes in a datagram of the host, of sound or of a picture.
    fn take_in(&mut self, datagram: &[u8]) {
        let now = self.local.now();
        if let Some(packet) = media::sound(datagram) {
            self.live.sound().take_in(now, packet);
        } else {
            self.feed.take_in(now, datagram);
            self.hand_out();
        }
    }

    /// Hands out whatever is whole, and reports when it is time to.
    fn hand_out(&mut self) {
        let now = self.local.now();
        let Some(report) = self.feed.hand_out(now, self.size) else { return };
        self.live.lock().arrived(now, Arrived::of(&self.feed));
        if let Err(error) = self.connection.send_datagram(report.into()) {
            // The next report tells the same; a connection that is gone shows elsewhere.
            tracing::debug!(%error, "a report was not sent");
        }
    }

    /// The decoder broke at `frame`, and takes nothing but a key frame.
    async fn ask_for_key_frame(&mut self, frame: u32) -> Result<(), Failure> {
        self.feed.not_decoded(frame);
        self.hand_out();
        self.live.lock().key_frame_requests += 1;
        self.say(ClientMessage::KeyFrameRequest { last_frame: self.feed.last_frame() }).await
    }

    fn hear(&mut self, message: HostMessage) -> Result<(), Failure> {
        match message {
            HostMessage::StreamStarted(started) => {
                self.size = Some(Size::new(started.width, started.height));
                self.live.sound().offered(started.sound);
                self.live.lock().stream = Some(started);
            }
            HostMessage::ClockPong { ping_sent, received, sent } => {
                let (t0, t1, t2) = (Micros(ping_sent), Micros(received), Micros(sent));
                self.live.lock().clock_compared(Exchange { t0, t1, t2, t3: self.local.now() });
            }
            HostMessage::FrameTimes(times) => self.live.lock().host_told(self.local.now(), &times),
            HostMessage::Admitted(_) => return Err(Failure::Protocol),
        }
        Ok(())
    }

    /// Tells the host what the person did.
    async fn pass_on(&mut self, said: Said) -> Result<(), Failure> {
        if let Said::Message(ClientMessage::Change(wishes)) = &said {
            self.live.sound().wish(wishes.sound);
        }
        match said {
            Said::Message(message) => self.say(message).await,
            Said::Datagram(datagram) => {
                if let Err(error) = self.connection.send_datagram(datagram.encode().into()) {
                    // As good as lost, which a datagram may be; a connection that is gone shows elsewhere.
                    tracing::debug!(%error, "what the person did was not sent");
                }
                Ok(())
            }
        }
    }

    /// Compares the clocks, by the host's answer.
    async fn ping(&mut self) -> Result<(), Failure> {
        self.live.measure(self.connection.figures().round_trip);
        self.say(ClientMessage::ClockPing { sent: self.local.now().0 }).await
    }

    async fn say(&mut self, message: ClientMessage) -> Result<(), Failure> {
        self.control.send(&message).await?;
        Ok(())
    }
}

/// Waits for a point in media time; for ever where there is none.
async fn until(deadline: Option<Micros>, local: LocalClock) {
    match deadline {
        Some(deadline) => tokio::time::sleep(deadline.since(local.now())).await,
        None => std::future::pending().await,
    }
}
