//! Every run of packets that a fuzzer once found worth keeping is received anew, on every run of the tests.

use std::{fs, path::Path, time::Duration};

use pf_audio::{packet::AudioPacket, receiver::Receiver};
use pf_media::time::Micros;

/// The host's packets are the host's word: damaged, reordered or forged, they must not bring a client down.
#[test]
fn the_corpus_of_sound_is_received_without_harm() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/audio");
    let (mut runs, mut heard, mut malformed) = (0, 0, 0);
    for file in fs::read_dir(corpus).unwrap() {
        let run = fs::read(file.unwrap().path()).unwrap();
        let mut receiver = Receiver::new().unwrap();
        let mut now = Micros::ZERO;
        let mut rest = run.as_slice();
        while let Some(([high, low, pause], after)) = rest.split_first_chunk() {
            let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
            let (bytes, after) = after.split_at(length);
            now = now + Duration::from_millis((*pause).into());
            if let Ok(packet) = AudioPacket::decode(bytes) {
                let mut again = Vec::new();
                packet.encode(&mut again);
                assert_eq!(again, bytes);
            }
            malformed += u32::from(receiver.receive(bytes, now).is_err());
            let mut out = [0.0; 960];
            receiver.fill(&mut out, now, Duration::from_millis(20));
            assert!(out.iter().all(|value| value.is_finite()));
            rest = after;
        }
        runs += 1;
        heard += receiver.figures().counts.heard;
    }
    assert!(
        runs >= 4 && heard > 0 && malformed > 0,
        "the corpus has each kind: {runs}, {heard}, {malformed}"
    );
}
