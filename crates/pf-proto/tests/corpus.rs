//! Every input that a fuzzer once found worth keeping is decoded anew, on every run of the tests.

use std::{fs, path::PathBuf};

use pf_proto::{Message, media, pair, session};

/// The files of a fuzz target's corpus; a corpus that is gone is a failure.
#[expect(clippy::disallowed_methods, reason = "the crate reads no files, its corpus lies in some")]
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files = fs::read_dir(&folder).expect("the corpus is part of the tree");
    let inputs: Vec<_> = files
        .map(|file| fs::read(file.expect("the corpus can be listed").path()).expect("a seed can be read"))
        .collect();
    assert!(!inputs.is_empty(), "the corpus in {} holds nothing", folder.display());
    inputs
}

fn survives<M: Message + PartialEq + std::fmt::Debug>(payload: &[u8]) -> bool {
    let Ok(message) = M::decode(payload) else { return false };
    assert_eq!(M::decode(&message.encode()).as_ref(), Ok(&message));
    true
}

#[test]
fn inv_50_the_corpus_of_control_messages_decodes_without_harm() {
    let decoded = corpus("control").iter().fold([0; 5], |[a, b, c, d, e], payload| {
        [
            a + u32::from(survives::<pair::ClientMessage>(payload)),
            b + u32::from(survives::<pair::HostMessage>(payload)),
            c + u32::from(survives::<session::ClientMessage>(payload)),
            d + u32::from(survives::<session::HostMessage>(payload)),
            e + u32::from(survives::<session::ClientDatagram>(payload)),
        ]
    });
    assert!(decoded.iter().all(|&count| count > 0), "the corpus has each kind of message: {decoded:?}");
}

#[test]
fn inv_50_the_corpus_of_media_headers_decodes_without_harm() {
    let mut decoded = 0;
    for datagram in corpus("media") {
        if let Ok((header, shard)) = media::decode(&datagram) {
            assert_eq!(&header.encode()[..], &datagram[..datagram.len() - shard.len()]);
            decoded += 1;
        }
    }
    assert!(decoded > 0, "the corpus has a valid header");
}
