//! A bottleneck link with flows over it, on a virtual clock: deterministic for a seed.
//!
//! A receiver acknowledges every second packet, or one alone after 25 ms; acknowledgements return over a path of the same
//! delay, unharmed.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::Duration,
};

use pf_media::{congestion::Controller, time::Micros};

use crate::sender::{Figures, Flow, InFlight, MAX_ACK_DELAY, Source};

pub(super) const MTU: u16 = 1200;

/// The link that all flows share, in one direction.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) bits_per_second: u64,
    /// The way there, and the way back.
    pub(super) delay: Duration,
    /// Bytes that wait before it at most; what comes on top is dropped.
    pub(super) queue: u64,
    /// How many of a thousand packets are lost whatever we do.
    pub(super) loss_per_mille: u64,
    /// How many of the next packets are lost besides.
    pub(super) lose_next: u64,
}

pub(super) struct Sim {
    now: Micros,
    link: Link,
    queue: VecDeque<Packet>,
    queued_bytes: u64,
    flows: Vec<Flow>,
    events: BinaryHeap<Reverse<(Micros, u64, Event)>>,
    scheduled: u64,
    noise: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Packet {
    flow: usize,
    number: u64,
    bytes: u64,
    /// When the application handed it over.
    born: Micros,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The packet at the head of the queue has left it.
    Departure,
    Arrival(Packet),
    /// The receiver's time to wait for a second packet is over.
    AckTimer {
        flow: usize,
        deadline: Micros,
    },
    Ack {
        flow: usize,
        numbers: Vec<u64>,
        delay: Duration,
    },
    Frame {
        flow: usize,
    },
    /// The pacer lets a packet go.
    Send {
        flow: usize,
        at: Micros,
    },
    /// Time to take packets for lost, or to probe.
    LossTimer {
        flow: usize,
        at: Micros,
    },
}

impl Sim {
    pub(super) fn new(seed: u64, link: Link) -> Self {
        Self {
            now: Micros::ZERO,
            link,
            queue: VecDeque::new(),
            queued_bytes: 0,
            flows: Vec::new(),
            events: BinaryHeap::new(),
            scheduled: 0,
            noise: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
        }
    }

    /// Starts a flow now, and says its index.
    pub(super) fn start(&mut self, source: Source) -> usize {
        let flow = self.flows.len();
        self.flows.push(Flow::new(self.now, source));
        match source {
            Source::Stream { .. } => self.schedule(self.now, Event::Frame { flow }),
            Source::Bulk => self.send(flow),
        }
        flow
    }

    pub(super) fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    pub(super) fn set_source(&mut self, flow: usize, source: Source) {
        self.flows[flow].source = source;
    }

    pub(super) fn now(&self) -> Micros {
        self.now
    }

    pub(super) fn controller(&self, flow: usize) -> &Controller {
        &self.flows[flow].controller
    }

    pub(super) fn in_flight(&self, flow: usize) -> u64 {
        self.flows[flow].in_flight_bytes
    }

    /// How long a packet that came to the link now would wait.
    pub(super) fn queue_delay(&self) -> Duration {
        Duration::from_micros(self.queued_bytes * 8_000_000 / self.link.bits_per_second.max(1))
    }

    pub(super) fn take_figures(&mut self, flow: usize) -> Figures {
        let flow = &mut self.flows[flow];
        let window = flow.controller.window();
        let fresh = Figures { largest_window: window, smallest_window: window, ..Figures::default() };
        let time = self.now.since(std::mem::replace(&mut flow.figures_since, self.now));
        Figures { time, ..std::mem::replace(&mut flow.figures, fresh) }
    }

    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.events.peek().is_some_and(|Reverse((at, ..))| *at <= end) {
            let Some(Reverse((at, _, event))) = self.events.pop() else { break };
            self.now = at;
            self.handle(event);
        }
        self.now = end;
    }

    fn schedule(&mut self, at: Micros, event: Event) {
        self.scheduled += 1;
        self.events.push(Reverse((at, self.scheduled, event)));
    }

    fn random(&mut self, below: u64) -> u64 {
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        (self.noise >> 20) % below
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Departure => self.depart(),
            Event::Arrival(packet) => self.arrive(packet),
            Event::AckTimer { flow, deadline } => {
                if self.flows[flow].ack_deadline == Some(deadline) {
                    self.acknowledge(flow);
                }
            }
            Event::Ack { flow, numbers, delay } => self.on_ack(flow, &numbers, delay),
            Event::Frame { flow } => self.frame(flow),
            Event::Send { flow, at } => {
                if self.flows[flow].send_at == Some(at) {
                    self.send(flow);
                }
            }
            Event::LossTimer { flow, at } => {
                if self.flows[flow].loss_at == Some(at) {
                    self.on_loss_timer(flow);
                }
            }
        }
    }

    fn frame(&mut self, flow: usize) {
        let Source::Stream { bits_per_second, interval } = self.flows[flow].source else { return };
        let mut left = (bits_per_second as f64 / 8.0 * interval.as_secs_f64()) as u64;
        while left > 0 {
            let bytes = left.min(u64::from(MTU));
            self.flows[flow].offer(bytes, self.now);
            left -= bytes;
        }
        self.schedule(self.now + interval, Event::Frame { flow });
        self.send(flow);
    }

    /// Sends what controller and pacer let go.
    fn send(&mut self, flow: usize) {
        loop {
            let now = self.now;
            let f = &mut self.flows[flow];
            f.send_at = None;
            if matches!(f.source, Source::Bulk) && f.buffer.is_empty() {
                f.offer(u64::from(MTU), now);
            }
            let Some(&(bytes, born)) = f.buffer.front() else {
                f.app_limited = true;
                break;
            };
            f.app_limited = false;
            if f.in_flight_bytes + bytes >= f.controller.window() {
                break;
            }
            if let Some(wait) = f.pace(now, bytes) {
                let at = now + wait;
                f.send_at = Some(at);
                self.schedule(at, Event::Send { flow, at });
                break;
            }
            f.buffer.pop_front();
            f.buffered -= bytes;
            self.transmit(flow, bytes, born);
        }
        self.set_loss_timer(flow);
    }

    fn transmit(&mut self, flow: usize, bytes: u64, born: Micros) {
        let f = &mut self.flows[flow];
        let packet = Packet { flow, number: f.next_number, bytes, born };
        f.next_number += 1;
        f.in_flight.insert(packet.number, InFlight { sent: self.now, bytes });
        f.in_flight_bytes += bytes;
        f.last_sent = self.now;
        if self.queued_bytes + bytes > self.link.queue {
            return;
        }
        self.queue.push_back(packet);
        self.queued_bytes += bytes;
        if self.queue.len() == 1 {
            self.schedule_departure(bytes);
        }
    }

    fn schedule_departure(&mut self, bytes: u64) {
        // A link that is down looks again now and then.
        let micros = (bytes * 8_000_000).checked_div(self.link.bits_per_second).unwrap_or(10_000);
        self.schedule(self.now + Duration::from_micros(micros), Event::Departure);
    }

    fn depart(&mut self) {
        if self.link.bits_per_second == 0 {
            self.schedule_departure(0);
            return;
        }
        let Some(packet) = self.queue.pop_front() else { return };
        self.queued_bytes -= packet.bytes;
        let unlucky = self.random(1000) < self.link.loss_per_mille || self.link.lose_next > 0;
        self.link.lose_next = self.link.lose_next.saturating_sub(1);
        if !unlucky {
            self.schedule(self.now + self.link.delay, Event::Arrival(packet));
        }
        if let Some(next) = self.queue.front().copied() {
            self.schedule_departure(next.bytes);
        }
    }

    fn arrive(&mut self, packet: Packet) {
        let now = self.now;
        let f = &mut self.flows[packet.flow];
        f.figures.delivered += packet.bytes;
        f.figures.latencies.push(now.since(packet.born).as_micros() as u64);
        f.unacked.push((packet.number, now));
        if f.unacked.len() >= 2 {
            self.acknowledge(packet.flow);
        } else {
            let deadline = now + MAX_ACK_DELAY;
            f.ack_deadline = Some(deadline);
            self.schedule(deadline, Event::AckTimer { flow: packet.flow, deadline });
        }
    }

    fn acknowledge(&mut self, flow: usize) {
        let now = self.now;
        let f = &mut self.flows[flow];
        f.ack_deadline = None;
        let newest = f.unacked.iter().map(|&(_, at)| at).max().unwrap_or(now);
        let numbers = f.unacked.drain(..).map(|(number, _)| number).collect();
        self.schedule(now + self.link.delay, Event::Ack { flow, numbers, delay: now.since(newest) });
    }

    fn on_ack(&mut self, flow: usize, numbers: &[u64], delay: Duration) {
        let now = self.now;
        let f = &mut self.flows[flow];
        let mut newest = None;
        for number in numbers {
            let Some(packet) = f.in_flight.remove(number) else { continue };
            f.in_flight_bytes -= packet.bytes;
            f.controller.on_ack(now, packet.sent, packet.bytes, f.app_limited, f.rtt.smoothed);
            newest = newest.max(Some(packet.sent));
        }
        let Some(newest) = newest else { return };
        f.largest_acked = f.largest_acked.max(numbers.iter().max().copied());
        f.controller.on_end_acks(now, f.in_flight_bytes);
        f.rtt.update(now.since(newest), delay);
        f.detect_lost(now, true);
        f.probes = 0;
        f.note_window();
        self.send(flow);
    }

    fn set_loss_timer(&mut self, flow: usize) {
        let f = &mut self.flows[flow];
        let at = f.next_loss_time().or_else(|| f.probe_time());
        f.loss_at = at;
        if let Some(at) = at {
            let at = at.max(self.now);
            f.loss_at = Some(at);
            self.schedule(at, Event::LossTimer { flow, at });
        }
    }

    fn on_loss_timer(&mut self, flow: usize) {
        let now = self.now;
        let f = &mut self.flows[flow];
        if f.next_loss_time().is_some() {
            f.detect_lost(now, false);
            f.note_window();
        } else {
            f.probes += 1;
            // A probe ignores the window.
            self.transmit(flow, 100, now);
        }
        self.send(flow);
    }
}
