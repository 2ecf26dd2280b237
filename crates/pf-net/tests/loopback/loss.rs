//! A picture's worth of datagrams over a path that loses some.

use std::time::Duration;

use bytes::Bytes;
use pf_net::{Expect, Plane, transport};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    Client, Host,
    relay::{Path, Relay},
};

/// 12 Mbit/s, as frames.
const FRAMES: u32 = 180;
const FRAMES_PER_SECOND: u32 = 60;
const FRAME_BYTES: usize = 25_000;

/// A radio link loses a packet in a hundred, for as long as it likes. QUIC's usual controllers take each for a full
/// queue and let a 20 Mbit/s stream fall to a third; ours must let it through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twelve_megabits_keep_flowing_at_one_per_cent_of_loss() {
    let host = Host::start();
    let path = Path { delay: Duration::from_millis(5), loss: 100, seed: 0x5EED };
    let relay = Relay::start(host.address(), path).await;
    let client = Client::new();
    let expect = Expect::Exactly(host.identity.fingerprint());
    let at_client = client.dial(relay.address, Plane::Session, expect).await.unwrap();
    let at_host = host.arrival().await.admit();

    let received = tokio::spawn(async move {
        let mut bytes = 0;
        while let Ok(datagram) = at_client.read_datagram().await {
            bytes += datagram.len();
        }
        bytes
    });

    // Newest frame wins: one that finds much of an earlier one waiting is not even begun.
    let mut clock = interval(Duration::from_secs(1) / FRAMES_PER_SECOND);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut skipped = 0;
    for _ in 0..FRAMES {
        clock.tick().await;
        let waiting = transport::DATAGRAM_SEND_BUFFER - at_host.datagram_send_buffer_space();
        if waiting > FRAME_BYTES {
            skipped += 1;
            continue;
        }
        let frame = Bytes::from(vec![0; FRAME_BYTES]);
        let size = at_host.max_datagram();
        for start in (0..FRAME_BYTES).step_by(size) {
            at_host.send_datagram(frame.slice(start..FRAME_BYTES.min(start + size))).unwrap();
        }
    }
    let figures = at_host.figures();
    client.endpoint.shutdown(pf_base::Code::Ended).await;
    let received = received.await.unwrap();

    let offered = FRAMES as usize * FRAME_BYTES;
    let report = format!(
        "{received} of {offered} bytes, {skipped} frames skipped, seed {:#x}, {figures:?}",
        path.seed
    );
    println!("{report}");
    assert!(figures.lost_packets > 0, "the path loses: {report}");
    assert!(received * 10 >= offered * 9, "nine tenths arrive: {report}");
}
