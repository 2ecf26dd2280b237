//! A client's sound under a hostile host: no panic, whatever is decoded is what it encodes to, and samples are numbers.
//!
//! The input is a run of packets, each after two bytes of length and one of milliseconds that pass before it.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pf_audio::{
    jitter::{MAX_HOLD, MIN_TARGET},
    packet::AudioPacket,
    receiver::Receiver,
};
use pf_media::time::Micros;

fuzz_target!(|run: &[u8]| {
    let mut receiver = Receiver::new().expect("a decoder");
    let mut now = Micros::ZERO;
    let mut rest = run;
    while let Some(([high, low, pause], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (bytes, after) = after.split_at(length);
        now = now + Duration::from_millis((*pause).into());
        if let Ok(packet) = AudioPacket::decode(bytes) {
            let mut again = Vec::new();
            packet.encode(&mut again);
            assert_eq!(again, bytes);
        }
        let _ = receiver.receive(bytes, now);
        let mut out = [0.0; 960];
        receiver.fill(&mut out, now, Duration::from_millis(20));
        assert!(out.iter().all(|value: &f32| value.is_finite()));
        assert!((MIN_TARGET..=MAX_HOLD).contains(&receiver.figures().target));
        rest = after;
    }
});
