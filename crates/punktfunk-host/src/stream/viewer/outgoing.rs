//! What encoding, sending and the receiver's reports share: the sender of a stream behind one lock.
//!
//! Three come here: the encoding thread, which looks for room and brings frames; the sending thread, which waits for the
//! next datagram's time and takes it away; and tokio, which brings reports. Nobody holds the lock for longer than it
//! takes to cut a picture into datagrams, or to compute its parity.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use pf_media::{
    packet::{AccessUnit, Reference},
    recovery::Wanted,
    time::Micros,
    transmit::Transmitter,
};
use pf_proto::{
    media,
    session::{FrameTime, MediaFeedback},
};

use super::{
    allowance::Allowance,
    departures::{Departures, Steps},
    numbers::Numbers,
    strain::Strain,
};
use crate::{
    clock::Clock,
    stream::{
        bell::Bell,
        encode::audience::{Room, Standing},
    },
};

/// A [`Transmitter`] that several threads use, and what its receiver has of the encoder's frames.
pub(in crate::stream) struct Outgoing {
    clock: Clock,
    inner: Mutex<Inner>,
    /// Something was put in, or it is over.
    filled: Condvar,
}

struct Inner {
    transmitter: Transmitter,
    interval: Duration,
    /// Of the encoder's frames, those that were sent.
    numbers: Numbers,
    /// The newest frame that the receiver said it had decoded.
    decoded: Option<u32>,
    /// Whether the encoder's last frame was sent, so that the next may refer to it.
    is_in_step: bool,
    /// Whether a picture may be sent, as the encoding thread knows.
    is_free: bool,
    /// Whom to tell that one may.
    bell: Arc<Bell>,
    /// How many encoders it has followed.
    stay: u64,
    allowance: Allowance,
    strain: Strain,
    departures: Departures,
    is_closed: bool,
}

/// A frame as its encoder made it; numbers are the encoder's.
#[derive(Clone, Copy, Debug)]
pub(in crate::stream) struct Encoded<'a> {
    pub(in crate::stream) number: u32,
    pub(in crate::stream) reference: Reference,
    pub(in crate::stream) captured: Micros,
    pub(in crate::stream) bytes: &'a [u8],
    pub(in crate::stream) steps: Steps,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::stream) struct Given {
    /// Whether it is on its way.
    pub(in crate::stream) is_sent: bool,
    /// Whether so many were not of late that this encoder is no good for the path.
    pub(in crate::stream) is_strained: bool,
}

/// What the stream knows of its path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::stream) struct Path {
    /// At most how fast its datagrams leave, in bits a second.
    pub(in crate::stream) pace: u64,
    /// The share of datagrams that was lost lately, 0 to 1.
    pub(in crate::stream) loss: f64,
    /// Whether the last report is the first to ask for a recovery.
    pub(in crate::stream) asks_anew: bool,
}

/// The stream is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Over;

impl Outgoing {
    /// The sender of a stream of at most a picture each `interval`.
    pub(super) fn new(clock: Clock, transmitter: Transmitter, interval: Duration) -> Self {
        let inner = Inner {
            transmitter,
            interval,
            numbers: Numbers::default(),
            decoded: None,
            is_in_step: false,
            is_free: false,
            bell: Arc::default(),
            stay: 0,
            allowance: Allowance::default(),
            strain: Strain::default(),
            departures: Departures::default(),
            is_closed: false,
        };
        Self { clock, inner: Mutex::new(inner), filled: Condvar::new() }
    }

    /// From now on frames come from another encoder, whose thread listens to `bell`.
    pub(in crate::stream) fn follow(&self, bell: Arc<Bell>) {
        let mut inner = self.lock();
        inner.bell = bell;
        inner.stay += 1;
        inner.numbers.clear();
        inner.is_in_step = false;
        inner.strain = Strain::default();
    }

    /// Another speed, and another most of the link, in bits a second, from now on.
    pub(in crate::stream) fn change(&self, interval: Duration, ceiling: u64) {
        let mut inner = self.lock();
        inner.interval = interval;
        inner.transmitter.set_interval(interval);
        inner.transmitter.set_ceiling(ceiling);
    }

    /// How it stands here with the next picture. Where others share the encoder, a receiver may not ask for recoveries
    /// as often as it likes.
    pub(in crate::stream) fn look(&self, now: Instant, is_shared: bool) -> Standing {
        let mut inner = self.lock();
        let now = self.clock.media_time(now);
        let room = inner.room(now);
        inner.is_free = room == Room::Free;
        let may_ask = !is_shared || inner.allowance.is_left(now);
        Standing {
            stay: inner.stay,
            room,
            rate: inner.transmitter.encoder_rate(now),
            wanted: inner.wanted().filter(|_| may_ask),
            decoded: inner.decoded.and_then(|decoded| inner.numbers.encoded_as(decoded)),
        }
    }

    /// Sends a frame, if who stood like `standing` when it was encoded can use it. One that cannot get it falls out of step: it
    /// gets nothing more until there is a frame that refers to one that it was sent.
    pub(in crate::stream) fn give(
        &self,
        standing: &Standing,
        frame: &Encoded<'_>,
        max_datagram: usize,
    ) -> Given {
        let mut inner = self.lock();
        if standing.stay != inner.stay {
            // It was moved while the frame was being encoded, and this encoder's numbers mean nothing any more.
            return Given::default();
        }
        let now = self.clock.media_time(Instant::now());
        let reference = match frame.reference {
            Reference::Nothing => Some(Reference::Nothing),
            Reference::Previous => inner.is_in_step.then_some(Reference::Previous),
            Reference::Frame(encoded) => inner.numbers.sent_as(encoded).map(Reference::Frame),
        };
        if frame.reference != Reference::Previous && standing.wanted.is_some() {
            inner.allowance.spend(now);
        }
        let usable = reference.filter(|_| standing.room != Room::None && !inner.is_closed);
        let is_sent = usable.is_some_and(|reference| inner.send(now, reference, frame, max_datagram));
        inner.is_in_step = is_sent;
        inner.is_free = false;
        let is_strained = inner.strain.note(now, is_sent);
        drop(inner);
        if is_sent {
            self.filled.notify_one();
        }
        Given { is_sent, is_strained }
    }

    /// Waits for datagrams whose time has come, and puts them in `due`, which is empty.
    pub(super) fn take(&self, due: &mut Vec<Bytes>) -> Result<(), Over> {
        let mut inner = self.lock();
        loop {
            if inner.is_closed {
                return Err(Over);
            }
            let now = self.clock.media_time(Instant::now());
            due.extend(std::iter::from_fn(|| inner.transmitter.poll_datagram(now)));
            if !due.is_empty() {
                inner.note_departures(now, due);
                inner.tell_of_room(now);
                return Ok(());
            }
            inner = match inner.transmitter.next_deadline() {
                Some(deadline) => wait(&self.filled, inner, deadline.since(now).max(GRANULARITY)),
                None => self.filled.wait(inner).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Takes in a report of the receiver.
    pub(in crate::stream) fn handle_feedback(&self, feedback: &MediaFeedback) -> Path {
        let mut inner = self.lock();
        let now = self.clock.media_time(Instant::now());
        if inner.transmitter.rate().is_news(feedback) {
            inner.decoded = feedback.decoded_frame.or(inner.decoded);
        }
        let asked_before = inner.transmitter.wanted().is_some();
        inner.transmitter.handle_feedback(now, feedback);
        let asks_anew = inner.transmitter.wanted().is_some() && !asked_before;
        if asks_anew {
            inner.bell.ring();
        }
        inner.tell_of_room(now);
        let transmitter = &inner.transmitter;
        Path { pace: transmitter.rate().pace(), loss: transmitter.parity().loss(), asks_anew }
    }

    /// The receiver's decoder needs a key frame.
    pub(in crate::stream) fn want_key_frame(&self) {
        let mut inner = self.lock();
        inner.transmitter.want_key_frame();
        inner.bell.ring();
    }

    /// How fast datagrams leave, in bits a second.
    pub(super) fn pace(&self) -> u64 {
        self.lock().transmitter.rate().pace()
    }

    /// What an encoder may make for it, in bits a second.
    pub(in crate::stream) fn encoder_rate(&self, now: Instant) -> u64 {
        self.lock().transmitter.encoder_rate(self.clock.media_time(now))
    }

    /// How long the last frames took that have left and were not told of yet, oldest first.
    pub(super) fn departed(&self) -> Vec<FrameTime> {
        self.lock().departures.take()
    }

    /// Ends it: whoever waits is woken, and nothing goes in or out any more.
    pub(in crate::stream) fn close(&self) {
        let mut inner = self.lock();
        inner.is_closed = true;
        self.filled.notify_all();
        inner.bell.ring();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A thread that panicked takes the stream with it; what it left is still good enough to close.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn room(&self, now: Micros) -> Room {
        if self.is_closed || !self.transmitter.rate().may_send(now) {
            Room::None
        } else if self.transmitter.is_ready(now) {
            Room::Free
        } else if self.transmitter.backlog() < self.interval * MOST_WAITING {
            Room::Little
        } else {
            Room::None
        }
    }

    /// What would help the receiver, in the encoder's numbers.
    fn wanted(&self) -> Option<Wanted> {
        let after = |frame: Option<u32>| frame.map_or(Wanted::Key, Wanted::After);
        match self.transmitter.wanted() {
            Some(Wanted::Key) => Some(Wanted::Key),
            Some(Wanted::After(decoded)) => Some(after(self.numbers.encoded_as(decoded))),
            None if self.is_in_step => None,
            None => Some(after(self.numbers.newest())),
        }
    }

    /// Whether it could be sent.
    fn send(&mut self, now: Micros, reference: Reference, frame: &Encoded<'_>, max_datagram: usize) -> bool {
        let unit = AccessUnit { reference, captured: frame.captured, bytes: frame.bytes };
        match self.transmitter.send(now, unit, max_datagram) {
            Ok(sent) => {
                self.numbers.note(frame.number, sent);
                self.departures.enter(now, sent, frame.steps);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "a picture could not be sent");
                self.transmitter.want_key_frame();
                false
            }
        }
    }

    fn note_departures(&mut self, now: Micros, datagrams: &[Bytes]) {
        for (header, _) in datagrams.iter().filter_map(|datagram| media::decode(datagram).ok()) {
            self.departures.left(now, header.frame);
        }
        if self.transmitter.next_deadline().is_none() {
            self.departures.all_left();
        }
    }

    /// Wakes the encoding thread when there is room for a picture that it does not know of.
    fn tell_of_room(&mut self, now: Micros) {
        if !self.is_free && self.transmitter.is_ready(now) {
            self.is_free = true;
            self.bell.ring();
        }
    }
}

fn wait<'a>(condition: &Condvar, inner: MutexGuard<'a, Inner>, patience: Duration) -> MutexGuard<'a, Inner> {
    condition.wait_timeout(inner, patience).unwrap_or_else(PoisonError::into_inner).0
}

/// The shortest wait between two datagrams: what falls due meanwhile leaves together.
///
/// It costs two wake-ups a millisecond while a picture is on its way, and none in between. At 100 Mbit/s four
/// datagrams leave at once, which any queue takes.
const GRANULARITY: Duration = Duration::from_micros(500);

/// How much may wait for another frame to be put behind it, in intervals between pictures.
///
/// It comes into play where several share an encoder, and one of them has just taken more time than the others to send a
/// large frame. With more it lags behind for longer; with less it loses frames for each key frame.
const MOST_WAITING: u32 = 2;

#[cfg(test)]
mod tests {
    use std::thread;

    use pf_media::rate::Limits;
    use pf_proto::media::Stream;

    use super::*;

    const LIMITS: Limits = Limits { floor: 500_000, start: 4_000_000, ceiling: 20_000_000 };

    fn outgoing() -> Outgoing {
        let interval = Duration::from_secs(1) / 60;
        let clock = Clock::start();
        let now = clock.media_time(Instant::now());
        Outgoing::new(clock, Transmitter::new(now, Stream::Video, interval, LIMITS), interval)
    }

    /// A frame of so many bytes, as if it was made for nobody else.
    fn give(outgoing: &Outgoing, number: u32, reference: Reference, length: usize) -> bool {
        let standing = outgoing.look(Instant::now(), false);
        give_to(outgoing, standing, number, reference, length)
    }

    fn give_to(
        outgoing: &Outgoing,
        standing: Standing,
        number: u32,
        reference: Reference,
        length: usize,
    ) -> bool {
        let (bytes, steps) = (vec![1; length], Steps::default());
        let frame = Encoded { number, reference, captured: Micros::ZERO, bytes: &bytes, steps };
        outgoing.give(&standing, &frame, 1200).is_sent
    }

    /// Takes what is due until nothing waits, and says when how many left.
    fn drain(outgoing: &Outgoing) -> Vec<usize> {
        let mut batches = Vec::new();
        while outgoing.lock().transmitter.next_deadline().is_some() {
            let mut due = Vec::new();
            outgoing.take(&mut due).unwrap();
            batches.push(due.len());
        }
        batches
    }

    /// A picture that leaves at once fills the queue of the slowest link; one that nobody wakes up for never leaves.
    #[test]
    fn a_picture_wakes_the_sending_thread_and_leaves_bit_by_bit() {
        let outgoing = outgoing();
        thread::scope(|scope| {
            let sending = scope.spawn(|| {
                let (mut due, mut batches) = (Vec::new(), Vec::new());
                while batches.iter().sum::<usize>() < 40 {
                    outgoing.take(&mut due).unwrap();
                    batches.push(due.drain(..).count());
                }
                batches
            });
            assert!(give(&outgoing, 0, Reference::Nothing, 40 * 1100));
            let batches = sending.join().unwrap();
            assert!(batches.len() > 4, "{batches:?}");
        });
    }

    /// Whoever waits for ever keeps its thread, its source and the session for ever.
    #[test]
    fn closing_wakes_whoever_waits() {
        let outgoing = outgoing();
        let bell = Arc::<Bell>::default();
        outgoing.follow(Arc::clone(&bell));
        thread::scope(|scope| {
            let sending = scope.spawn(|| outgoing.take(&mut Vec::new()));
            let encoding = scope.spawn(|| bell.wait(None));
            outgoing.close();
            encoding.join().unwrap();
            assert_eq!(sending.join().unwrap(), Err(Over));
            assert_eq!(outgoing.look(Instant::now(), false).room, Room::None);
        });
    }

    /// A picture that is encoded while another is on its way has to wait, and is old when it leaves; an encoder that is
    /// not told of room leaves the link idle.
    #[test]
    fn there_is_room_again_when_what_was_sent_is_all_but_gone() {
        let outgoing = outgoing();
        let bell = Arc::<Bell>::default();
        outgoing.follow(Arc::clone(&bell));
        let room = || outgoing.look(Instant::now(), false).room;
        assert_eq!(room(), Room::Free);
        assert!(give(&outgoing, 0, Reference::Nothing, 20_000));
        assert_ne!(room(), Room::Free);
        thread::scope(|scope| {
            scope.spawn(|| drain(&outgoing));
            bell.wait(None);
            assert_eq!(room(), Room::Free);
        });
    }

    /// A frame that refers to one that was left out is noise on the screen.
    #[test]
    fn who_misses_a_frame_gets_nothing_more_until_one_that_it_can_use() {
        let outgoing = outgoing();
        let send = |number, reference| {
            let sent = give(&outgoing, number, reference, 100);
            drain(&outgoing);
            sent
        };
        let wanted = || outgoing.look(Instant::now(), false).wanted;
        assert_eq!(wanted(), Some(Wanted::Key), "who joins has nothing");
        assert!(!send(7, Reference::Previous));
        assert!(send(8, Reference::Nothing));
        assert!(send(9, Reference::Previous));
        assert_eq!(wanted(), None);

        let standing = outgoing.look(Instant::now(), false);
        let missed = Standing { room: Room::None, ..standing };
        assert!(!give_to(&outgoing, missed, 10, Reference::Previous, 100));
        assert_eq!(wanted(), Some(Wanted::After(9)));
        assert!(!send(11, Reference::Previous));
        assert!(!send(12, Reference::Frame(10)), "that one was not sent");
        assert!(send(13, Reference::Frame(8)));
        assert!(send(14, Reference::Previous));
        assert_eq!(wanted(), None);

        let before = outgoing.look(Instant::now(), false);
        outgoing.follow(Arc::default());
        assert_eq!(wanted(), Some(Wanted::Key), "another encoder has made none of that");
        assert!(!give_to(&outgoing, before, 15, Reference::Nothing, 100), "a frame of the encoder before");
        assert!(!send(40, Reference::Previous));
        assert_eq!(wanted(), Some(Wanted::Key));
    }

    /// What a receiver says is told in its own numbers, of which the encoder knows nothing.
    #[test]
    fn reports_are_taken_in_by_the_encoders_numbers() {
        let outgoing = outgoing();
        let next = Reference::Previous;
        for (number, reference) in [(50, Reference::Nothing), (51, next), (52, next)] {
            assert!(give(&outgoing, number, reference, 100));
            drain(&outgoing);
        }
        let report = |number, decoded_frame, first_lost| MediaFeedback {
            number,
            sent: 0,
            newest_frame: 2,
            decoded_frame,
            first_lost,
            frames: Vec::new(),
        };
        outgoing.handle_feedback(&report(1, Some(2), None));
        let standing = outgoing.look(Instant::now(), false);
        assert_eq!((standing.decoded, standing.wanted), (Some(52), None));
        outgoing.handle_feedback(&report(2, Some(0), Some(1)));
        assert_eq!(outgoing.look(Instant::now(), false).wanted, Some(Wanted::After(50)));
        // One that another overtook must not take back what is needed.
        outgoing.handle_feedback(&report(1, Some(2), None));
        let standing = outgoing.look(Instant::now(), false);
        assert_eq!((standing.decoded, standing.wanted), (Some(50), Some(Wanted::After(50))));
    }

    /// One that shares an encoder and complains for ever must not make a recovery of each frame for all others.
    #[test]
    fn who_shares_an_encoder_is_not_heard_as_often_as_it_likes() {
        let outgoing = outgoing();
        let mut heard = 0;
        for number in 0..100 {
            outgoing.want_key_frame();
            let standing = outgoing.look(Instant::now(), true);
            heard += u32::from(standing.wanted.is_some());
            give_to(&outgoing, standing, number, Reference::Nothing, 100);
            drain(&outgoing);
        }
        assert!(heard <= 10, "{heard}");
        assert!(outgoing.look(Instant::now(), false).wanted.is_none());
        outgoing.want_key_frame();
        assert!(outgoing.look(Instant::now(), false).wanted.is_some(), "alone it may");
    }
}
