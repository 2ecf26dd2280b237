//! How QUIC is tuned, for both sides: each number with its policy and what it costs.

use std::{sync::Arc, time::Duration};

use quinn::{IdleTimeout, MtuDiscoveryConfig, TransportConfig, VarInt};

use crate::congestion::MediaControllers;

/// How often a client says that it is still there: every 2.5 s.
///
/// Only clients do, on both planes. The host hears from each and answers, which keeps both sides' idle clocks back;
/// a device that waits five minutes for an approval is kept by its own packets, and costs nothing once it is gone.
pub const KEEP_ALIVE: Duration = Duration::from_millis(2500);

/// After how long a silence either side takes the other to be gone: 10 s, four keep-alives.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an endpoint that ends waits for the other sides to take note: at most 1 s.
///
/// On a live path it is a few round trips. Without it a program's end would look like a cut cable.
pub const FAREWELL: Duration = Duration::from_secs(1);

/// How many bytes of datagrams a connection holds back for the congestion controller: 4.5 MiB.
///
/// The longest access unit that is ever sent (4 MiB) fits with its headers, so that a frame never pushes its own
/// beginning out. The size is no latency: a stream paces its datagrams by itself and has the window follow
/// ([`Connection::follow_pace`](crate::Connection::follow_pace)), so that they wait here only while nothing is heard of
/// the path.
pub const DATAGRAM_SEND_BUFFER: usize = (4 << 20) + (1 << 19);

/// How many bytes of received datagrams a client keeps for its reader: 4.5 MiB, the same frame.
///
/// A reader that stalls loses the oldest first.
pub const CLIENT_DATAGRAM_BUFFER: usize = DATAGRAM_SEND_BUFFER;

/// How many bytes of received datagrams a host keeps for its reader: 64 KiB.
///
/// What clients send so is small and soon stale. A peer that is not admitted yet can fill this, and no more.
pub const HOST_DATAGRAM_BUFFER: usize = 64 << 10;

/// How many bytes of one stream a reader has waiting before its sender must pause: 16 KiB.
///
/// Control messages are at most 1 KiB.
pub const STREAM_WINDOW: u32 = 16 << 10;

/// How many streams a client may have open before it is admitted: the control stream.
pub const STREAMS_BEFORE_ADMISSION: u32 = 1;

/// How many bytes all streams of a client may have waiting before it is admitted: as many as one.
pub const WINDOW_BEFORE_ADMISSION: u32 = STREAM_WINDOW;

/// How many streams an admitted client may have open.
pub const STREAMS_OF_A_SESSION: u32 = 8;

/// How many bytes all streams of an admitted client may have waiting.
pub const WINDOW_OF_A_SESSION: u32 = STREAMS_OF_A_SESSION * STREAM_WINDOW;

/// How many bytes a side keeps of what it wrote to streams and the other has not acknowledged: 256 KiB.
pub const STREAM_SEND_WINDOW: u64 = 256 << 10;

/// The round trip that is assumed until one was measured: 100 ms.
///
/// A lost first packet is sent again after three of these. QUIC's own 333 ms is for links across the world; on a
/// local network it would make one lost packet cost a second.
pub const ASSUMED_ROUND_TRIP: Duration = Duration::from_millis(100);

/// The largest UDP payload that path MTU discovery looks for: what fits an Ethernet frame over IPv6.
///
/// Loopback would carry more, but a datagram size that no real link has would only make tests there prove less.
pub const LARGEST_UDP_PAYLOAD: u16 = 1452;

/// For a host, whose peers are strangers until it admits them.
pub(crate) fn host() -> Arc<TransportConfig> {
    let mut config = common();
    config
        .max_concurrent_bidi_streams(STREAMS_BEFORE_ADMISSION.into())
        .receive_window(WINDOW_BEFORE_ADMISSION.into())
        .datagram_receive_buffer_size(Some(HOST_DATAGRAM_BUFFER));
    Arc::new(config)
}

/// For a client; hosts open no streams.
pub(crate) fn client() -> Arc<TransportConfig> {
    let mut config = common();
    config
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .receive_window(WINDOW_OF_A_SESSION.into())
        .datagram_receive_buffer_size(Some(CLIENT_DATAGRAM_BUFFER))
        .keep_alive_interval(Some(KEEP_ALIVE));
    Arc::new(config)
}

fn common() -> TransportConfig {
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.upper_bound(LARGEST_UDP_PAYLOAD);
    let mut config = TransportConfig::default();
    config
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(STREAM_WINDOW.into())
        .send_window(STREAM_SEND_WINDOW)
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_TIMEOUT.as_millis() as u32))))
        .initial_rtt(ASSUMED_ROUND_TRIP)
        .mtu_discovery_config(Some(mtu))
        .datagram_send_buffer_size(DATAGRAM_SEND_BUFFER)
        .congestion_controller_factory(Arc::new(MediaControllers));
    config
}
