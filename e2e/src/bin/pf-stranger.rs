//! A device that leaves a request under any name, byte for byte: for tests and measurements in other languages.
//!
//! `pf-stranger HOST:PORT < NAME` knocks once, with a fresh identity. It prints one JSON object: `knocked_at_us`, the
//! microseconds since 1970 at which the knock went out; `fingerprint`, its own; and `answer`, which is `left` or the
//! word of the code with which the host refused.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test's tool stops wherever the test cannot go on, and says where")]

use std::{
    io::Read as _,
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use pf_e2e::{Attacker, Raw, soon};
use pf_net::{ControlStream, Plane};
use pf_proto::pair::HostMessage;
use serde_json::json;

fn main() {
    let address: SocketAddr = std::env::args().nth(1).expect("pf-stranger HOST:PORT").parse().unwrap();
    let mut name = Vec::new();
    std::io::stdin().read_to_end(&mut name).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(knock(address, &name));
}

async fn knock(address: SocketAddr, name: &[u8]) {
    let stranger = Attacker::new();
    let connection = stranger.dial(address, Plane::Pairing).await;
    let mut control: ControlStream<Raw, HostMessage> = connection.open_control().await.unwrap();
    let knock = Raw::knock(name);
    let knocked_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    // A host that hung up on it says why in its close.
    let _ = control.send(&knock).await;
    let answer = match soon("an answer", control.receive()).await {
        Ok(received) => match received.message {
            HostMessage::RequestLeft { .. } => "left",
            HostMessage::Unavailable { code, .. } => code.word(),
            other => panic!("{other:?} in the place of the answer to a knock"),
        },
        Err(_) => soon("the reason", connection.closed()).await.code().word(),
    };
    let knocked_at = u64::try_from(knocked_at.as_micros()).unwrap();
    let fingerprint = stranger.fingerprint().to_string().replace(' ', "");
    println!("{}", json!({ "knocked_at_us": knocked_at, "fingerprint": fingerprint, "answer": answer }));
}
