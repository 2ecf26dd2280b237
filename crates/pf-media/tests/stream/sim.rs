//! Senders and receivers of streams over one bottleneck, on a virtual clock: deterministic for a seed.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use bytes::Bytes;
use pf_media::{
    packet::{AccessUnit, Reference},
    rate::Limits,
    reassembly::{LATE_AFTER, Output, Reassembler},
    recovery::Wanted,
    time::Micros,
    transmit::{Transmitter, WIRE_OVERHEAD},
};
use pf_proto::{
    Message,
    media::Stream,
    session::{ClientDatagram, MediaFeedback},
};

/// The link that all flows share, in one direction. What returns meets the same loss and delay, and no queue.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) bits_per_second: u64,
    pub(super) delay: Duration,
    /// How much longer a packet may take, at random.
    pub(super) jitter: Duration,
    /// How long a packet may wait before the link; what would wait longer is dropped.
    pub(super) queue: Duration,
    /// How many of a thousand packets are lost whatever we do.
    pub(super) loss_per_mille: u64,
    /// Every so often, so many packets in a row are lost.
    pub(super) bursts: Option<(Duration, u32)>,
}

impl Link {
    pub(super) fn of(megabits_per_second: u64) -> Self {
        Self {
            bits_per_second: megabits_per_second * 1_000_000,
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            queue: Duration::from_millis(300),
            loss_per_mille: 0,
            bursts: None,
        }
    }
}

/// How an encoder answers a loss, and how large its pictures are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Encoder {
    /// Whether it keeps long-term references, so that a recovery is no larger than another picture.
    pub(super) long_term: bool,
    /// The bytes of each picture; as many as the rate allows where that is `None`.
    pub(super) fixed: Option<usize>,
}

pub(super) const ENCODER: Encoder = Encoder { long_term: false, fixed: None };

/// One stream.
pub(super) struct Flow {
    pub(super) sender: Transmitter,
    pub(super) receiver: Reassembler,
    encoder: Encoder,
    interval: Duration,
    waiting: Option<Micros>,
    /// What is scheduled for the sender's pacing and for the receiver's deadlines.
    send_at: Option<Micros>,
    deadline: Option<Micros>,
    pub(super) figures: Figures,
}

/// What came of a stream since they were taken last.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    pub(super) pictures: u64,
    pub(super) sent: u64,
    pub(super) shown: u64,
    pub(super) on_time: u64,
    pub(super) wire_bytes: u64,
    pub(super) delays: Vec<Duration>,
    pub(super) keys: u64,
    pub(super) requests: u64,
}

impl Figures {
    pub(super) fn on_time_share(&self) -> f64 {
        self.on_time as f64 / self.pictures.max(1) as f64
    }

    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let mut delays = self.delays.clone();
        delays.sort_unstable();
        delays
            .get((delays.len() * percent / 100).min(delays.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    }
}

pub(super) struct Sim {
    pub(super) now: Micros,
    pub(super) link: Link,
    /// When the link has sent all that waits before it.
    busy_until: Micros,
    last_burst: Micros,
    lose_next: u32,
    pub(super) flows: Vec<Flow>,
    events: BinaryHeap<Reverse<(Micros, u64, usize, Event)>>,
    scheduled: u64,
    noise: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Picture,
    Send(Micros),
    Arrival(Bytes),
    Deadline(Micros),
    Report(Vec<u8>),
}

impl Sim {
    pub(super) fn new(seed: u64, link: Link) -> Self {
        Self {
            now: Micros(1_000_000),
            link,
            busy_until: Micros::ZERO,
            last_burst: Micros(1_000_000),
            lose_next: 0,
            flows: Vec::new(),
            events: BinaryHeap::new(),
            scheduled: 0,
            noise: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
        }
    }

    pub(super) fn start(&mut self, fps: u32, limits: Limits, encoder: Encoder) -> usize {
        let interval = Duration::from_secs(1) / fps;
        let flow = self.flows.len();
        self.flows.push(Flow {
            sender: Transmitter::new(self.now, Stream::Video, interval, limits)
                .with_round_trip(self.link.delay * 2),
            receiver: Reassembler::new(),
            encoder,
            interval,
            waiting: None,
            send_at: None,
            deadline: None,
            figures: Figures::default(),
        });
        self.schedule(self.now, flow, Event::Picture);
        flow
    }

    pub(super) fn take_figures(&mut self, flow: usize) -> Figures {
        std::mem::take(&mut self.flows[flow].figures)
    }

    /// How much is under way or to be done.
    pub(super) fn scheduled_now(&self) -> usize {
        self.events.len()
    }

    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.events.peek().is_some_and(|Reverse((at, ..))| *at <= end) {
            let Some(Reverse((at, _, flow, event))) = self.events.pop() else { break };
            self.now = at;
            match event {
                Event::Picture => self.picture(flow),
                Event::Send(at) => {
                    if self.flows[flow].send_at == Some(at) {
                        self.flows[flow].send_at = None;
                        self.transmit(flow);
                    }
                }
                Event::Arrival(datagram) => {
                    self.flows[flow].receiver.handle_datagram(self.now, &datagram).unwrap();
                    self.receive(flow);
                }
                Event::Deadline(at) => {
                    if self.flows[flow].deadline == Some(at) {
                        self.flows[flow].deadline = None;
                        self.receive(flow);
                    }
                }
                Event::Report(report) => {
                    let Ok(ClientDatagram::Feedback(feedback)) = ClientDatagram::decode(&report) else {
                        panic!("a report that is none")
                    };
                    self.flows[flow].sender.handle_feedback(self.now, &feedback);
                    self.encode(flow);
                }
            }
        }
        self.now = end;
    }

    fn schedule(&mut self, at: Micros, flow: usize, event: Event) {
        self.scheduled += 1;
        self.events.push(Reverse((at, self.scheduled, flow, event)));
    }

    fn random(&mut self, below: u64) -> u64 {
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        (self.noise >> 20) % below.max(1)
    }

    fn picture(&mut self, flow: usize) {
        let f = &mut self.flows[flow];
        f.figures.pictures += 1;
        f.waiting = Some(self.now);
        let next = self.now + f.interval;
        self.schedule(next, flow, Event::Picture);
        self.encode(flow);
    }

    /// Encodes the newest picture if it may go.
    fn encode(&mut self, flow: usize) {
        let now = self.now;
        let spread = self.random(41);
        let f = &mut self.flows[flow];
        let Some(captured) = f.waiting.filter(|_| f.sender.is_ready(now)) else { return };
        f.waiting = None;
        let wanted = f.sender.wanted();
        let reference = match wanted {
            Some(Wanted::After(frame)) if f.encoder.long_term => Reference::Frame(frame),
            Some(_) => Reference::Nothing,
            None if f.figures.sent == 0 && f.receiver.counters().complete == 0 => Reference::Nothing,
            None => Reference::Previous,
        };
        let fair = f.sender.encoder_rate(now) as f64 * f.interval.as_secs_f64() / 8.0;
        let mut len = f.encoder.fixed.unwrap_or((fair * (80 + spread) as f64 / 100.0) as usize).max(50);
        if reference == Reference::Nothing {
            len *= KEY_FRAME;
            f.figures.keys += 1;
        }
        let bytes = vec![len as u8; len];
        f.sender.send(now, AccessUnit { reference, captured, bytes: &bytes }, MAX_DATAGRAM).unwrap();
        f.figures.sent += 1;
        self.transmit(flow);
    }

    fn transmit(&mut self, flow: usize) {
        while let Some(datagram) = self.flows[flow].sender.poll_datagram(self.now) {
            self.flows[flow].figures.wire_bytes += (datagram.len() + WIRE_OVERHEAD) as u64;
            self.onto_the_link(flow, datagram);
        }
        if let Some(at) = self.flows[flow].sender.next_deadline() {
            let at = at.max(self.now + Duration::from_micros(1));
            if self.flows[flow].send_at != Some(at) {
                self.flows[flow].send_at = Some(at);
                self.schedule(at, flow, Event::Send(at));
            }
        } else {
            // What waited for this frame to leave.
            self.encode_if_waiting(flow);
        }
    }

    fn encode_if_waiting(&mut self, flow: usize) {
        if self.flows[flow].waiting.is_some() {
            self.encode(flow);
        }
    }

    fn onto_the_link(&mut self, flow: usize, datagram: Bytes) {
        let now = self.now;
        if let Some((every, count)) = self.link.bursts
            && now.since(self.last_burst) >= every
        {
            self.last_burst = now;
            self.lose_next = count;
        }
        let start = self.busy_until.max(now);
        if start.since(now) > self.link.queue {
            return;
        }
        let bits = (datagram.len() + WIRE_OVERHEAD) as u64 * 8_000_000;
        self.busy_until = start + Duration::from_micros(bits / self.link.bits_per_second);
        let unlucky = self.random(1000) < self.link.loss_per_mille || self.lose_next > 0;
        self.lose_next = self.lose_next.saturating_sub(1);
        if !unlucky {
            let jitter = Duration::from_micros(self.random(self.link.jitter.as_micros() as u64 + 1));
            self.schedule(self.busy_until + self.link.delay + jitter, flow, Event::Arrival(datagram));
        }
    }

    fn receive(&mut self, flow: usize) {
        let now = self.now;
        let delay = self.link.delay;
        let f = &mut self.flows[flow];
        while let Some(output) = f.receiver.poll(now) {
            match output {
                Output::AccessUnit { captured, bytes, .. } => {
                    assert!(bytes.iter().all(|&byte| byte == bytes.len() as u8), "what was sent comes out");
                    let took = now.since(captured);
                    f.figures.shown += 1;
                    f.figures.on_time += u64::from(took < delay + LATE_AFTER);
                    f.figures.delays.push(took.saturating_sub(delay));
                }
                Output::NeedRecovery { .. } => f.figures.requests += 1,
            }
        }
        let report = f.receiver.poll_feedback(now);
        let deadline =
            f.receiver.next_deadline().map(|deadline| deadline.max(now + Duration::from_micros(1)));
        if deadline != f.deadline {
            f.deadline = deadline;
            if let Some(at) = deadline {
                self.schedule(at, flow, Event::Deadline(at));
            }
        }
        if let Some(report) = report {
            self.report(flow, report);
        }
    }

    fn report(&mut self, flow: usize, report: MediaFeedback) {
        if self.random(1000) >= self.link.loss_per_mille {
            let jitter = Duration::from_micros(self.random(self.link.jitter.as_micros() as u64 + 1));
            let bytes = ClientDatagram::Feedback(report).encode();
            self.schedule(self.now + self.link.delay + jitter, flow, Event::Report(bytes));
        }
    }
}

/// A key frame is so many times larger than another picture.
const KEY_FRAME: usize = 4;

const MAX_DATAGRAM: usize = 1162;
