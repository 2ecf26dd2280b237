//! Control messages of both streams, both ways, and a client's datagrams: whatever decodes is what it encodes to.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pf_proto::{Message, pair, session};

fuzz_target!(|payload: &[u8]| {
    survives::<pair::ClientMessage>(payload);
    survives::<pair::HostMessage>(payload);
    survives::<session::ClientMessage>(payload);
    survives::<session::HostMessage>(payload);
    survives::<session::ClientDatagram>(payload);
});

fn survives<M: Message + PartialEq + std::fmt::Debug>(payload: &[u8]) {
    if let Ok(message) = M::decode(payload) {
        assert_eq!(M::decode(&message.encode()).as_ref(), Ok(&message));
    }
}
