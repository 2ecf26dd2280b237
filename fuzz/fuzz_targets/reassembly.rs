//! A reassembler under a hostile sender: no panic, memory that does not run away (the fuzzer stops at 2 GiB), and reports
//! that fit their own cap.
//!
//! The input is a run of datagrams, each after two bytes of length and one of milliseconds that pass before it.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pf_media::{
    reassembly::{Output, Reassembler},
    time::Micros,
};
use pf_proto::{Message, session::ClientDatagram};

fuzz_target!(|run: &[u8]| {
    let mut reassembler = Reassembler::new();
    let mut now = Micros::ZERO;
    let mut rest = run;
    while let Some(([high, low, pause], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (datagram, after) = after.split_at(length);
        now = now + Duration::from_millis((*pause).into());
        let _ = reassembler.handle_datagram(now, datagram);
        while let Some(output) = reassembler.poll(now) {
            // A decoder that fails on one in eight.
            if let Output::AccessUnit { frame, .. } = output
                && frame % 8 == 7
            {
                reassembler.not_decoded(frame);
            }
        }
        if let Some(feedback) = reassembler.poll_feedback(now) {
            let datagram = ClientDatagram::Feedback(feedback);
            assert_eq!(ClientDatagram::decode(&datagram.encode()), Ok(datagram));
        }
        rest = after;
    }
});
