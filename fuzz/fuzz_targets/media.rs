//! The header of a media datagram: whatever decodes is what it encodes to.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pf_proto::media;

fuzz_target!(|datagram: &[u8]| {
    if let Ok((header, shard)) = media::decode(datagram) {
        assert!(shard.len() <= datagram.len());
        assert_eq!(&header.encode()[..], &datagram[..datagram.len() - shard.len()]);
    }
});
