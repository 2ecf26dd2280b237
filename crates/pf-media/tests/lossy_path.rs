//! Packetiser to reassembler over a path that loses, repeats and reorders, for any such path.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use pf_media::{
    packet::{AccessUnit, Packetiser, Reference},
    reassembly::{Output, REORDERING, REQUEST_TIMEOUT, Reassembler},
    time::Micros,
};
use pf_proto::media::Stream;
use proptest::prelude::*;

const FRAME_INTERVAL: Duration = Duration::from_micros(16_667);

/// What the path does to one datagram.
#[derive(Clone, Debug)]
struct Fate {
    copies: usize,
    delay: Duration,
}

/// A frame as sent.
#[derive(Clone, Debug)]
struct Sent {
    /// How many frames before it is the one that it refers to; 0 for a key frame.
    distance: u32,
    bytes: Vec<u8>,
}

impl Sent {
    fn reference(&self, frame: u32) -> Reference {
        match (self.distance, frame.checked_sub(self.distance)) {
            (0, _) | (_, None) => Reference::Nothing,
            (1, _) => Reference::Previous,
            (_, Some(referred)) => Reference::Frame(referred),
        }
    }
}

/// How it went.
struct Run {
    reassembler: Reassembler,
    /// What came out, and when.
    outputs: Vec<(Micros, Output)>,
    /// The highest frame of which any shard got through.
    newest_arrived: Option<u32>,
}

/// Sends each frame at its time and lets its datagrams meet the fates in turn; polls as the reassembler asks for.
fn run(frames: &[Sent], max_datagram: usize, parity: u16, fates: &[Fate]) -> Run {
    let mut packetiser = Packetiser::new(Stream::Video);
    let mut fates = fates.iter().cycle();
    let mut arrivals: Vec<(Micros, Bytes)> = Vec::new();
    let mut newest_arrived = None;
    for (index, frame) in (0_u32..).zip(frames) {
        let sent_at = Micros::ZERO + FRAME_INTERVAL * index;
        let unit = AccessUnit { reference: frame.reference(index), captured: sent_at, bytes: &frame.bytes };
        for datagram in packetiser.packetise(unit, max_datagram, parity).unwrap() {
            let fate = fates.next().unwrap();
            newest_arrived = if fate.copies > 0 { Some(index) } else { newest_arrived };
            arrivals.extend(std::iter::repeat_n((sent_at + fate.delay, datagram), fate.copies));
        }
    }
    arrivals.sort_by_key(|&(at, _)| at);

    let mut reassembler = Reassembler::new();
    let mut outputs = Vec::new();
    let mut arrivals = VecDeque::from(arrivals);
    // Requests go on for as long as there is no key frame: a second of them shows what there is to show.
    let end = Micros::ZERO + FRAME_INTERVAL * frames.len() as u32 + Duration::from_secs(1);
    loop {
        let arrival = arrivals.front().map(|&(at, _)| at);
        let Some(now) =
            [arrival, reassembler.next_deadline()].into_iter().flatten().min().filter(|&at| at < end)
        else {
            return Run { reassembler, outputs, newest_arrived };
        };
        while let Some((_, datagram)) = arrivals.pop_front_if(|(at, _)| *at <= now) {
            reassembler.handle_datagram(now, &datagram).unwrap();
        }
        outputs.extend(std::iter::from_fn(|| reassembler.poll(now)).map(|output| (now, output)));
        reassembler.poll_feedback(now);
    }
}

fn frames() -> impl Strategy<Value = Vec<Sent>> {
    let distance = prop_oneof![3 => Just(0_u32), 15 => Just(1), 3 => 2..9_u32];
    let frame = (distance, prop::collection::vec(any::<u8>(), 1..600))
        .prop_map(|(distance, bytes)| Sent { distance, bytes });
    prop::collection::vec(frame, 1..40)
}

/// Delays short of what a later frame waits for an earlier one, and repeats, but no loss.
fn reordering_fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = (1..=2_usize, 0..REORDERING.as_micros() as u64)
        .prop_map(|(copies, delay)| Fate { copies, delay: Duration::from_micros(delay) });
    prop::collection::vec(fate, 1..200)
}

/// Anything: one datagram in eight is lost, and delays span several frames.
fn hostile_fates() -> impl Strategy<Value = Vec<Fate>> {
    let copies = prop_oneof![1 => Just(0_usize), 6 => Just(1), 1 => Just(2)];
    let delay = prop_oneof![4 => 0..3_000_u64, 1 => 0..60_000_u64];
    let fate =
        (copies, delay).prop_map(|(copies, delay)| Fate { copies, delay: Duration::from_micros(delay) });
    prop::collection::vec(fate, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn without_loss_every_frame_comes_out_in_order_and_nothing_is_asked_for(
        frames in frames(),
        max_datagram in 60..300_usize,
        parity in 0..5_u16,
        fates in reordering_fates(),
    ) {
        // A frame that refers further back goes out at once, before older ones that are still under way.
        let frames: Vec<Sent> = frames.iter().enumerate().map(|(index, sent)| Sent { distance: u32::from(index > 0), ..sent.clone() }).collect();
        let Run { reassembler, outputs, .. } = run(&frames, max_datagram, parity, &fates);
        prop_assert_eq!(outputs.len(), frames.len());
        for (index, ((at, output), sent)) in (0_u32..).zip(outputs.iter().zip(&frames)) {
            let captured = Micros::ZERO + FRAME_INTERVAL * index;
            let bytes = sent.bytes.clone().into();
            let expected = Output::AccessUnit { frame: index, key: index == 0, captured, late: false, bytes };
            prop_assert_eq!(output, &expected);
            prop_assert!(at.since(captured) < REORDERING);
        }
        let counters = reassembler.counters();
        prop_assert_eq!((counters.complete, counters.lost), (frames.len() as u64, 0));
    }

    /// Whatever is lost: the decoder never sees a frame that refers to one that it did not get, nor one out of order or
    /// altered; and it is never left without a key frame being asked for.
    #[test]
    fn with_any_loss_what_comes_out_can_be_decoded(
        frames in frames(),
        max_datagram in 60..300_usize,
        parity in 0..5_u16,
        fates in hostile_fates(),
    ) {
        let Run { reassembler, outputs, newest_arrived } = run(&frames, max_datagram, parity, &fates);
        let mut previous: Option<u32> = None;
        let mut decoded = BTreeSet::new();
        let mut asked: Option<Micros> = None;
        let mut asked_anew = 0;
        for (at, output) in &outputs {
            match output {
                Output::AccessUnit { frame, key, bytes, .. } => {
                    let sent = &frames[*frame as usize];
                    prop_assert_eq!(&bytes[..], &sent.bytes[..]);
                    prop_assert!(previous.is_none_or(|previous| *frame > previous));
                    match sent.reference(*frame) {
                        Reference::Nothing => prop_assert!(*key),
                        Reference::Previous => prop_assert!(decoded.contains(&(*frame - 1)), "{} after {:?}", frame, previous),
                        Reference::Frame(referred) => prop_assert!(decoded.contains(&referred)),
                    }
                    decoded.insert(*frame);
                    previous = Some(*frame);
                    asked = None;
                    asked_anew = 0;
                }
                Output::NeedRecovery { .. } => {
                    asked_anew += usize::from(asked.is_some_and(|asked| at.since(asked) < REQUEST_TIMEOUT));
                    let since = frames.iter().skip(previous.map_or(0, |frame| frame as usize + 1));
                    let recoveries = since.filter(|sent| sent.distance != 1).count();
                    prop_assert!(asked_anew <= recoveries, "only a lost recovery makes it ask again so soon");
                    asked = Some(*at);
                }
            }
        }
        prop_assert!(asked.is_some() || previous == newest_arrived, "stuck after {:?}", previous);

        let counters = reassembler.counters();
        let handed_out = outputs.iter().filter(|(_, output)| matches!(output, Output::AccessUnit { .. })).count();
        prop_assert_eq!(counters.complete, handed_out as u64);
        prop_assert!(counters.complete + counters.lost <= frames.len() as u64);
    }
}
