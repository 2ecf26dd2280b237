//! What a reassembler hands out, and when, frame by frame.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use pf_media::{
    packet::{AccessUnit, Packetiser, Reference},
    reassembly::{
        Counters, FEEDBACK_INTERVAL, Malformed, Output, REORDERING, REQUEST_TIMEOUT, Reassembler, STALLED,
    },
    time::Micros,
};
use pf_proto::{
    media::{self, HEADER_LEN, Header, Stream},
    session::FrameArrival,
};

/// A receiver, and the time there.
struct Receiver {
    reassembler: Reassembler,
    now: Micros,
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Frame(u32),
    Request,
}

impl Receiver {
    fn new() -> Self {
        Self { reassembler: Reassembler::new(), now: Micros(1_000_000) }
    }

    /// A receiver that got the key frame 0 and handed it out.
    fn started() -> Self {
        let mut receiver = Self::new();
        receiver.deliver(&key(0));
        assert_eq!(receiver.drain(), [Seen::Frame(0)]);
        receiver
    }

    fn deliver(&mut self, datagrams: &[Vec<u8>]) {
        for datagram in datagrams {
            self.reassembler.handle_datagram(self.now, datagram).unwrap();
        }
    }

    fn wait(&mut self, duration: Duration) {
        self.now = self.now + duration;
    }

    /// Waits until just before `duration` has passed.
    fn wait_almost(&mut self, duration: Duration) {
        self.now = self.now + duration - Duration::from_micros(1);
    }

    /// Everything that comes out now; each access unit must be what was sent under its number.
    fn drain(&mut self) -> Vec<Seen> {
        let outputs: Vec<Output> = std::iter::from_fn(|| self.reassembler.poll(self.now)).collect();
        outputs
            .into_iter()
            .map(|output| match output {
                Output::AccessUnit { frame, key, captured, bytes, .. } => {
                    assert_eq!(captured, capture_time(frame));
                    assert_eq!(bytes, bytes_of(frame, key));
                    Seen::Frame(frame)
                }
                Output::NeedRecovery { .. } => Seen::Request,
            })
            .collect()
    }

    /// How long from now the reassembler wants to be polled, reports aside.
    fn deadline(&self) -> Option<Duration> {
        self.reassembler.poll_deadline().map(|deadline| deadline.since(self.now))
    }
}

/// The three shards of a key frame.
fn key(frame: u32) -> Vec<Vec<u8>> {
    shards(frame, true)
}

/// The three shards of a frame that refers to the one before it.
fn delta(frame: u32) -> Vec<Vec<u8>> {
    shards(frame, false)
}

fn shards(frame: u32, key: bool) -> Vec<Vec<u8>> {
    let bytes = bytes_of(frame, key);
    let header = Header {
        stream: Stream::Video,
        length: bytes.len() as u32,
        reference: u16::from(!key),
        frame,
        index: 0,
        data: 3,
        parity: 0,
        captured: capture_time(frame).0,
    };
    let chunks = bytes.chunks(header.shard_len()).zip(0..);
    chunks.map(|(shard, index)| datagram(Header { index, ..header }, shard)).collect()
}

fn bytes_of(frame: u32, key: bool) -> Vec<u8> {
    let kind = if key { b'K' } else { b'D' };
    std::iter::once(kind).chain((0..40).flat_map(|n| (frame ^ n).to_be_bytes())).collect()
}

fn capture_time(frame: u32) -> Micros {
    Micros(u64::from(frame) * 16_667)
}

fn datagram(header: Header, shard: &[u8]) -> Vec<u8> {
    [&header.encode()[..], shard].concat()
}

#[test]
fn a_complete_frame_is_handed_out_at_once_and_in_turn() {
    let mut receiver = Receiver::started();
    for frame in 1..5 {
        let shards = delta(frame);
        receiver.deliver(&shards[..2]);
        assert_eq!(receiver.drain(), []);
        receiver.deliver(&shards[2..]);
        assert_eq!(receiver.drain(), [Seen::Frame(frame)]);
        assert_eq!(receiver.deadline(), None);
    }
}

#[test]
fn shards_may_come_in_any_order_within_a_frame() {
    let mut receiver = Receiver::new();
    let mut shards = key(0);
    shards.rotate_left(1);
    receiver.deliver(&shards);
    assert_eq!(receiver.drain(), [Seen::Frame(0)]);
}

#[test]
fn a_later_frame_waits_for_an_earlier_one_that_comes_within_the_tolerance() {
    let mut receiver = Receiver::started();
    receiver.deliver(&delta(2));
    assert_eq!(receiver.drain(), []);
    assert_eq!(receiver.deadline(), Some(REORDERING));
    receiver.wait_almost(REORDERING);
    assert_eq!(receiver.drain(), []);
    receiver.deliver(&delta(1));
    assert_eq!(receiver.drain(), [Seen::Frame(1), Seen::Frame(2)]);
    assert_eq!(receiver.reassembler.counters().lost, 0);
}

#[test]
fn what_does_not_come_within_the_tolerance_is_lost_and_asks_for_a_key_frame_once() {
    let mut receiver = Receiver::started();
    receiver.deliver(&delta(1)[..2]);
    receiver.deliver(&delta(2));
    receiver.wait(REORDERING);
    assert_eq!(receiver.drain(), [Seen::Request]);
    for frame in 3..8 {
        receiver.deliver(&delta(frame));
        receiver.wait(REORDERING);
        assert_eq!(
            receiver.drain(),
            [],
            "what refers to a lost frame is of no use, and one request is enough"
        );
    }
    receiver.deliver(&key(8));
    assert_eq!(receiver.drain(), [Seen::Frame(8)]);
    receiver.deliver(&delta(9));
    assert_eq!(receiver.drain(), [Seen::Frame(9)]);
    let expected = Counters { complete: 3, lost: 7, concealed: 6, shards: 29, ..Counters::default() };
    assert_eq!(receiver.reassembler.counters(), expected);
}

#[test]
fn frames_of_which_nothing_came_are_lost_like_any_other() {
    let mut receiver = Receiver::started();
    receiver.deliver(&delta(3));
    receiver.wait(REORDERING);
    assert_eq!(receiver.drain(), [Seen::Request]);
    assert_eq!(receiver.reassembler.counters().lost, 3);
}

#[test]
fn a_loss_after_recovery_is_a_new_loss() {
    let mut receiver = Receiver::started();
    for lost in [1, 4] {
        receiver.deliver(&delta(lost + 1));
        receiver.wait(REORDERING);
        assert_eq!(receiver.drain(), [Seen::Request]);
        receiver.deliver(&key(lost + 2));
        assert_eq!(receiver.drain(), [Seen::Frame(lost + 2)]);
    }
}

#[test]
fn a_request_that_nothing_came_of_is_repeated_after_the_time_out() {
    let mut receiver = Receiver::started();
    receiver.deliver(&delta(2));
    receiver.wait(REORDERING);
    assert_eq!(receiver.drain(), [Seen::Request]);
    for _ in 0..3 {
        assert_eq!(receiver.deadline(), Some(REQUEST_TIMEOUT));
        receiver.wait_almost(REQUEST_TIMEOUT);
        assert_eq!(receiver.drain(), []);
        receiver.wait(Duration::from_micros(1));
        assert_eq!(receiver.drain(), [Seen::Request]);
    }
}

/// A key frame takes long on a slow link: asking for another while it arrives would make the link's trouble worse.
#[test]
fn a_key_frame_that_is_under_way_is_not_asked_for_again() {
    let mut receiver = Receiver::started();
    receiver.deliver(&delta(2));
    receiver.wait(REORDERING);
    assert_eq!(receiver.drain(), [Seen::Request]);
    let mut pause = REQUEST_TIMEOUT;
    for shard in key(3) {
        receiver.wait_almost(pause);
        assert_eq!(receiver.drain(), []);
        receiver.deliver(&[shard]);
        pause = STALLED;
    }
    assert_eq!(receiver.drain(), [Seen::Frame(3)]);
}

#[test]
fn a_key_frame_that_was_asked_for_and_is_lost_is_asked_for_anew_at_once() {
    let mut receiver = Receiver::started();
    receiver.deliver(&delta(2));
    receiver.wait(REORDERING);
    assert_eq!(receiver.drain(), [Seen::Request]);
    receiver.deliver(&key(3)[..2]);
    receiver.deliver(&delta(4));
    receiver.wait(REORDERING);
    assert_eq!(receiver.drain(), [Seen::Request]);
}

#[test]
fn a_key_frame_overtakes_everything_that_is_open() {
    let mut receiver = Receiver::started();
    receiver.deliver(&delta(1)[..1]);
    receiver.deliver(&delta(2));
    receiver.deliver(&delta(3)[..1]);
    assert_eq!(receiver.drain(), []);
    receiver.deliver(&key(4));
    assert_eq!(receiver.drain(), [Seen::Frame(4)]);
    receiver.deliver(&delta(5));
    assert_eq!(receiver.drain(), [Seen::Frame(5)]);
    assert_eq!(receiver.reassembler.counters().lost, 3);
    assert_eq!(receiver.deadline(), None);
}

#[test]
fn a_key_frame_under_way_spares_the_request() {
    let mut receiver = Receiver::started();
    receiver.deliver(&delta(2));
    receiver.deliver(&key(3)[..2]);
    receiver.wait(REORDERING);
    assert_eq!(receiver.drain(), []);
    receiver.deliver(&key(3)[2..]);
    assert_eq!(receiver.drain(), [Seen::Frame(3)]);
}

/// The screen stands still after a picture whose tail was lost: no later frame shows that something is missing.
#[test]
fn the_last_frame_is_given_up_when_nothing_more_of_it_comes() {
    let mut receiver = Receiver::started();
    receiver.deliver(&delta(1)[..2]);
    assert_eq!(receiver.deadline(), Some(STALLED));
    receiver.wait(STALLED / 2);
    receiver.deliver(&delta(1)[..1]);
    assert_eq!(receiver.deadline(), Some(STALLED / 2), "a duplicate is no progress");
    receiver.wait(STALLED / 2);
    assert_eq!(receiver.drain(), [Seen::Request]);
}

#[test]
fn a_session_whose_first_key_frame_is_lost_asks_for_another() {
    let part_of_it_came = [key(0)[..2].to_vec(), delta(1)].concat();
    let nothing_of_it_came = delta(1);
    for first in [part_of_it_came, nothing_of_it_came] {
        let mut receiver = Receiver::new();
        receiver.deliver(&first);
        receiver.wait(REORDERING);
        assert_eq!(receiver.drain(), [Seen::Request]);
        receiver.deliver(&key(2));
        assert_eq!(receiver.drain(), [Seen::Frame(2)]);
    }
}

#[test]
fn the_first_key_frame_may_be_overtaken_by_its_followers() {
    let mut receiver = Receiver::new();
    receiver.deliver(&delta(1));
    assert_eq!(receiver.drain(), []);
    receiver.deliver(&key(0));
    assert_eq!(receiver.drain(), [Seen::Frame(0), Seen::Frame(1)]);
}

#[test]
fn duplicates_and_late_shards_are_counted_and_otherwise_nothing() {
    let mut receiver = Receiver::started();
    receiver.deliver(&delta(1)[..2]);
    receiver.deliver(&delta(1)[..2]);
    receiver.deliver(&delta(1)[2..]);
    assert_eq!(receiver.drain(), [Seen::Frame(1)]);
    receiver.deliver(&delta(1));
    receiver.deliver(&key(0));
    assert_eq!(receiver.drain(), []);
    let expected = Counters { complete: 2, shards: 14, duplicates: 2, surplus: 6, ..Counters::default() };
    assert_eq!(receiver.reassembler.counters(), expected);
}

#[test]
fn the_frame_number_wraps_without_a_gap() {
    let mut receiver = Receiver::new();
    receiver.deliver(&key(u32::MAX - 1));
    assert_eq!(receiver.drain(), [Seen::Frame(u32::MAX - 1)]);
    receiver.deliver(&delta(0));
    assert_eq!(receiver.drain(), []);
    receiver.deliver(&delta(u32::MAX));
    assert_eq!(receiver.drain(), [Seen::Frame(u32::MAX), Seen::Frame(0)]);
    receiver.deliver(&delta(1));
    assert_eq!(receiver.drain(), [Seen::Frame(1)]);
    assert_eq!(receiver.reassembler.counters().lost, 0);
}

/// A peer that changes its mind about a frame must not grow it, mix it, or finish it early.
#[test]
fn shards_that_disagree_are_refused_and_change_nothing() {
    let mut receiver = Receiver::started();
    let shards = delta(1);
    receiver.deliver(&shards[..1]);
    let before = receiver.reassembler.counters();
    let (header, shard) = media::decode(&shards[1]).unwrap();
    let wrong = [
        (Header { parity: 1, ..header }, shard),
        (Header { reference: 0, ..header }, shard),
        (Header { reference: 2, ..header }, shard),
        (Header { captured: 1, ..header }, shard),
        (Header { length: header.length + 1, ..header }, shard),
    ];
    for (header, shard) in wrong {
        let refused = receiver.reassembler.handle_datagram(receiver.now, &datagram(header, shard));
        assert_eq!(refused, Err(Malformed::Disagrees), "{header:?}");
    }
    assert_eq!(receiver.reassembler.counters(), before);
    receiver.deliver(&shards[1..]);
    assert_eq!(receiver.drain(), [Seen::Frame(1)]);
}

#[test]
fn a_header_that_is_none_is_refused_with_its_reason() {
    let mut receiver = Receiver::started();
    assert_eq!(
        receiver.reassembler.handle_datagram(receiver.now, &[0; HEADER_LEN]),
        Err(Malformed::Header(media::Malformed::Truncated(HEADER_LEN)))
    );
}

/// The shards of a frame of `data` of them with parity, as a sender makes them.
fn coded(frame: u32, reference: Reference, data: u16, parity: u16) -> Vec<Vec<u8>> {
    let bytes = bytes_of(frame, reference == Reference::Nothing);
    let unit = AccessUnit { reference, captured: capture_time(frame), bytes: &bytes };
    let mut packetiser = Packetiser::new(Stream::Video);
    for _ in 0..frame {
        packetiser.packetise(AccessUnit { reference: Reference::Nothing, ..unit }, 1162, 0).unwrap();
    }
    let room = bytes.len().div_ceil(data.into()).next_multiple_of(2);
    let datagrams = packetiser.packetise(unit, HEADER_LEN + room, parity).unwrap();
    assert_eq!((datagrams.data(), datagrams.parity()), (data, parity));
    datagrams.map(|datagram| datagram.to_vec()).collect()
}

#[test]
fn a_frame_goes_out_the_moment_that_enough_of_it_came_whatever_that_is() {
    for lost in [[0, 1], [2, 8], [7, 9], [8, 10]] {
        let mut receiver = Receiver::started();
        let shards = coded(1, Reference::Previous, 9, 2);
        let came: Vec<Vec<u8>> =
            (0..).zip(shards).filter(|(at, _)| !lost.contains(at)).map(|(_, s)| s).collect();
        receiver.deliver(&came[..8]);
        assert_eq!(receiver.drain(), []);
        receiver.deliver(&came[8..]);
        assert_eq!(receiver.drain(), [Seen::Frame(1)]);
        let counters = receiver.reassembler.counters();
        assert_eq!(counters.repaired_shards, lost.iter().filter(|&&at| at < 9).count() as u64);
        assert_eq!(counters.repaired, u64::from(counters.repaired_shards > 0));
    }
}

#[test]
fn parity_that_is_not_needed_is_surplus() {
    let mut receiver = Receiver::started();
    receiver.deliver(&coded(1, Reference::Previous, 9, 4));
    assert_eq!(receiver.drain(), [Seen::Frame(1)]);
    let expected = Counters { complete: 2, shards: 16, surplus: 4, ..Counters::default() };
    assert_eq!(receiver.reassembler.counters(), expected);
}

#[test]
fn a_frame_that_refers_to_a_decoded_one_recovers_without_a_key_frame() {
    let mut receiver = Receiver::started();
    receiver.deliver(&delta(1));
    assert_eq!(receiver.drain(), [Seen::Frame(1)]);
    receiver.deliver(&delta(3));
    receiver.wait(REORDERING);
    assert_eq!(
        receiver.reassembler.poll(receiver.now),
        Some(Output::NeedRecovery { first_lost: 2, newest: 3, decoded: Some(1) })
    );
    receiver.deliver(&coded(4, Reference::Frame(2), 3, 0));
    assert_eq!(receiver.drain(), [], "what refers to a lost frame recovers nothing");
    receiver.deliver(&coded(5, Reference::Frame(1), 3, 0));
    assert_eq!(receiver.drain(), [Seen::Frame(5)]);
    receiver.deliver(&delta(6));
    assert_eq!(receiver.drain(), [Seen::Frame(6)]);
    let counters = receiver.reassembler.counters();
    assert_eq!((counters.lost, counters.concealed), (3, 2));
}

/// A decoder that failed would be fed what refers to what it does not have, for as long as the stream lasts.
#[test]
fn what_the_decoder_did_not_get_is_referred_to_by_nothing_that_comes_out() {
    let mut receiver = Receiver::started();
    receiver.deliver(&delta(1));
    receiver.deliver(&delta(2));
    assert_eq!(receiver.drain(), [Seen::Frame(1), Seen::Frame(2)]);
    receiver.reassembler.not_decoded(1);
    receiver.reassembler.not_decoded(2);
    receiver.reassembler.not_decoded(77);
    assert_eq!(
        receiver.reassembler.poll(receiver.now),
        Some(Output::NeedRecovery { first_lost: 1, newest: 2, decoded: Some(0) })
    );
    receiver.deliver(&delta(3));
    assert_eq!(receiver.drain(), []);
    receiver.deliver(&coded(4, Reference::Frame(0), 3, 0));
    assert_eq!(receiver.drain(), [Seen::Frame(4)]);
}

#[test]
fn a_report_tells_what_came_when_and_what_is_missing() {
    let mut receiver = Receiver::started();
    let first = receiver.reassembler.poll_feedback(receiver.now).unwrap();
    assert_eq!(
        (first.number, first.newest_frame, first.decoded_frame, first.first_lost),
        (1, 0, Some(0), None)
    );
    assert_eq!(first.frames, [FrameArrival { before_newest: 0, shards: 3, first_before: 0, spread: 0 }]);
    assert_eq!(receiver.reassembler.poll_feedback(receiver.now), None);

    receiver.wait(Duration::from_millis(3));
    receiver.deliver(&delta(1)[..1]);
    receiver.wait(Duration::from_millis(2));
    receiver.deliver(&delta(1)[2..]);
    receiver.wait(Duration::from_millis(10));
    receiver.deliver(&delta(2));
    assert_eq!(receiver.drain(), []);
    assert_eq!(receiver.reassembler.poll_feedback(receiver.now), None, "reports have their interval");
    receiver.wait(REORDERING);
    assert_eq!(receiver.drain(), [Seen::Request]);
    let second = receiver.reassembler.poll_feedback(receiver.now).unwrap();
    assert_eq!(
        (second.number, second.first_lost, second.decoded_frame),
        (2, Some(1), Some(0)),
        "and a loss has none"
    );
    assert_eq!(second.frames.len(), 1, "a part of the frame before may still come: {:?}", second.frames);

    receiver.deliver(&delta(3));
    receiver.wait(FEEDBACK_INTERVAL);
    let third = receiver.reassembler.poll_feedback(receiver.now).unwrap();
    let told: Vec<_> =
        third.frames.iter().map(|arrival| (arrival.before_newest, arrival.shards, arrival.spread)).collect();
    assert_eq!(told, [(0, 3, 0), (1, 3, 0), (2, 2, 2_000), (3, 3, 0)]);
    assert_eq!(third.sent - u64::from(third.frames[2].first_before), 1_003_000);
}

/// The last report before the answer may be lost: the need is said again until it is met.
#[test]
fn the_need_of_a_recovery_is_said_in_each_report_until_it_is_met() {
    let mut receiver = Receiver::started();
    receiver.reassembler.poll_feedback(receiver.now);
    receiver.deliver(&delta(2));
    receiver.wait(REORDERING);
    assert_eq!(receiver.drain(), [Seen::Request]);
    for _ in 0..4 {
        let report = receiver.reassembler.poll_feedback(receiver.now).unwrap();
        assert_eq!(report.first_lost, Some(1));
        let next = receiver.reassembler.next_deadline().unwrap();
        assert_eq!(next, receiver.now + FEEDBACK_INTERVAL);
        receiver.now = next;
    }
    receiver.deliver(&key(3));
    assert_eq!(receiver.drain(), [Seen::Frame(3)]);
    assert_eq!(receiver.reassembler.poll_feedback(receiver.now).unwrap().first_lost, None);
}

#[test]
fn a_frame_that_took_much_longer_than_others_is_late() {
    let mut receiver = Receiver::new();
    let mut late = Vec::new();
    for (frame, took) in [(0, 30), (1, 30), (2, 79), (3, 80), (4, 30)] {
        receiver.now = capture_time(frame) + Duration::from_secs(5) + Duration::from_millis(took);
        receiver.deliver(&if frame == 0 { key(0) } else { delta(frame) });
        while let Some(Output::AccessUnit { frame, late: true, .. }) = receiver.reassembler.poll(receiver.now)
        {
            late.push(frame);
        }
    }
    assert_eq!(late, [3]);
    assert_eq!(receiver.reassembler.counters().late, 1);
}

/// The figure that a person reads: what the link loses, and not what is left of it after repair.
#[test]
fn loss_is_the_share_of_shards_that_did_not_come_whatever_was_repaired() {
    let mut receiver = Receiver::new();
    assert!(receiver.reassembler.loss().abs() < f64::EPSILON);
    assert_eq!(receiver.reassembler.frames_sent(), 0);
    for frame in 0..100 {
        let reference = if frame == 0 { Reference::Nothing } else { Reference::Previous };
        let mut datagrams = coded(frame, reference, 8, 2);
        datagrams.remove(frame as usize % 10);
        // One that comes twice came once.
        datagrams.push(datagrams[0].clone());
        receiver.deliver(&datagrams);
        receiver.drain();
        receiver.wait(Duration::from_millis(16));
    }
    let loss = receiver.reassembler.loss();
    assert!((loss - 0.1).abs() < 0.001, "{loss}");
    assert_eq!(receiver.reassembler.frames_sent(), 100);
    assert_eq!(receiver.reassembler.counters().lost, 0);
}
