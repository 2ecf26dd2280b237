//! A connection whose other end proved a key, and how it ends.

use std::{
    fmt,
    future::Future,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use pf_base::{Code, Fingerprint};
use pf_proto::Message;
use quinn::{ConnectionError, SendDatagramError, VarInt};
use thiserror::Error;

use crate::{ControlStream, Plane, address::canonical, congestion, slots::Slot, transport};

/// A connection to a peer that proved the key of its fingerprint in this very handshake.
///
/// Clones are handles to one connection, and all methods may be called from any thread. Dropping the last handle,
/// streams included, ends the connection without a code: call [`close`](Self::close) to say why.
#[derive(Clone, Debug)]
pub struct Connection {
    quinn: quinn::Connection,
    about: Arc<About>,
}

/// What tells one connection of an endpoint from all its others, for as long as the endpoint lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub(crate) u64);

#[derive(Debug)]
struct About {
    id: ConnectionId,
    fingerprint: Fingerprint,
    plane: Plane,
    /// Counts an open connection of the pairing plane on a host.
    _slot: Option<Slot>,
}

/// A device that asks for a session and is not in yet.
///
/// The caller decides by the fingerprint, and by that alone: there is nothing here to read from. Until then the
/// device counts against the host's cap on handshakes.
#[derive(Debug)]
#[must_use = "a device that is neither admitted nor refused is cut off without a reason"]
pub struct Arrival {
    connection: Connection,
    slot: Slot,
}

/// A handle that can end a connection and nothing else, for tables of who is there. It keeps the connection open.
#[derive(Clone, Debug)]
pub struct Closer(quinn::Connection);

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Closed {
    /// The other side said why.
    #[error("the other side closed the connection: {}", .0.word())]
    ByPeer(Code),
    /// The other side closed with a number that this version has no word for; 0 when its program just dropped it.
    #[error("the other side closed the connection with the unknown code {0}")]
    ByPeerUnnamed(u64),
    /// This side closed it.
    #[error("this side closed the connection")]
    Here,
    /// Nothing was heard for [`transport::IDLE_TIMEOUT`].
    #[error("nothing was heard from the other side any more")]
    TimedOut,
    /// The other side does not know the connection any more, and what it said when it ended it was lost.
    #[error("the other side lost the connection")]
    Lost,
    /// One side found the other to break QUIC or TLS. A host that takes no certificate of ours ends so, too.
    #[error("the connection broke the rules of QUIC or TLS")]
    Broken,
}

/// Why a datagram was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DatagramError {
    /// It is longer than [`Connection::max_datagram`], which may have shrunk meanwhile.
    #[error("the datagram is too long for the path")]
    TooLong,
    /// The other side takes no datagrams.
    #[error("the other side takes no datagrams")]
    Unsupported,
    /// The connection is over.
    #[error(transparent)]
    Closed(Closed),
}

/// What a connection has seen of its path so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// The smoothed round trip.
    pub round_trip: Duration,
    /// The shortest round trip.
    pub shortest_round_trip: Duration,
    /// How many bytes the congestion controller lets be in flight.
    pub congestion_window: u64,
    /// The largest UDP payload that the path is known to take, in bytes.
    pub mtu: u16,
    /// UDP payload bytes that were sent, with all that QUIC adds.
    pub sent_bytes: u64,
    /// UDP payload bytes that were received.
    pub received_bytes: u64,
    /// QUIC packets that were sent.
    pub sent_packets: u64,
    /// QUIC packets that were sent and did not arrive.
    pub lost_packets: u64,
    /// The bytes of these.
    pub lost_bytes: u64,
    /// Datagrams that went out; those that were pushed out of the send buffer are not among them.
    pub sent_datagrams: u64,
    /// Datagrams that came in, read or not.
    pub received_datagrams: u64,
}

impl Connection {
    pub(crate) fn new(
        quinn: quinn::Connection,
        id: ConnectionId,
        fingerprint: Fingerprint,
        plane: Plane,
        slot: Option<Slot>,
    ) -> Self {
        Self { quinn, about: Arc::new(About { id, fingerprint, plane, _slot: slot }) }
    }

    /// Which connection of its endpoint this is.
    pub fn id(&self) -> ConnectionId {
        self.about.id
    }

    /// The key that the other side proved to hold.
    pub fn fingerprint(&self) -> Fingerprint {
        self.about.fingerprint
    }

    /// What the connection is for.
    pub fn plane(&self) -> Plane {
        self.about.plane
    }

    /// Where the other side is now; an IPv4 address as such. A client may move to another address.
    pub fn remote_address(&self) -> SocketAddr {
        canonical(self.quinn.remote_address())
    }

    /// 32 bytes that only the two ends of this connection know (RFC 8446, 7.5); the same at both for one label and
    /// context.
    #[expect(clippy::missing_panics_doc, reason = "a connection's handshake is finished, so it never does")]
    pub fn export_keying_material(&self, label: &[u8], context: &[u8]) -> [u8; 32] {
        let mut material = [0; 32];
        let exported = self.quinn.export_keying_material(&mut material, label, context);
        // It fails before the end of the handshake, which is before there is a `Connection`, and for lengths beyond
        // 255 hashes. A constant in place of a secret must not get out of here by either.
        assert!(exported.is_ok(), "a finished handshake exports 32 bytes");
        material
    }

    /// Opens the control stream. The other side sees it with the first message.
    ///
    /// Cancel-safe.
    pub async fn open_control<Out: Message, In: Message>(&self) -> Result<ControlStream<Out, In>, Closed> {
        let (send, receive) = self.quinn.open_bi().await?;
        Ok(ControlStream::new(self.clone(), send, receive))
    }

    /// Waits for the other side to open the control stream.
    ///
    /// Cancel-safe.
    pub async fn accept_control<Out: Message, In: Message>(&self) -> Result<ControlStream<Out, In>, Closed> {
        let (send, receive) = self.quinn.accept_bi().await?;
        Ok(ControlStream::new(self.clone(), send, receive))
    }

    /// The longest datagram that can be sent now, in bytes; 0 when the other side takes none.
    ///
    /// It grows when path MTU discovery finds more, and shrinks when the path does: ask for each frame.
    pub fn max_datagram(&self) -> usize {
        self.quinn.max_datagram_size().unwrap_or(0)
    }

    /// Queues a datagram. It never waits: when the buffer is full, the oldest waiting datagrams are given up.
    pub fn send_datagram(&self, datagram: Bytes) -> Result<(), DatagramError> {
        self.quinn.send_datagram(datagram).map_err(DatagramError::from)
    }

    /// How many bytes can be queued before [`send_datagram`](Self::send_datagram) gives up older ones.
    ///
    /// [`transport::DATAGRAM_SEND_BUFFER`], less some bytes for the next datagram, when nothing waits.
    pub fn datagram_send_buffer_space(&self) -> usize {
        self.quinn.datagram_send_buffer_space()
    }

    /// A stream with a rate control of its own sends its datagrams at up to `pace` bits a second, and no other control
    /// governs it; `None` when there is none any more.
    ///
    /// Say it with each report of the stream's receiver: it holds for the path of now, which a client may leave.
    pub fn follow_pace(&self, pace: Option<u64>) {
        congestion::follow(&self.quinn, pace);
    }

    /// The next datagram of the other side.
    ///
    /// Cancel-safe.
    pub async fn read_datagram(&self) -> Result<Bytes, Closed> {
        Ok(self.quinn.read_datagram().await?)
    }

    /// What was seen of the path so far.
    pub fn figures(&self) -> Figures {
        let stats = self.quinn.stats();
        Figures {
            round_trip: stats.path.rtt,
            shortest_round_trip: stats.path.min_rtt,
            congestion_window: stats.path.cwnd,
            mtu: stats.path.current_mtu,
            sent_bytes: stats.udp_tx.bytes,
            received_bytes: stats.udp_rx.bytes,
            sent_packets: stats.path.sent_packets,
            lost_packets: stats.path.lost_packets,
            lost_bytes: stats.path.lost_bytes,
            sent_datagrams: stats.frame_tx.datagram,
            received_datagrams: stats.frame_rx.datagram,
        }
    }

    /// Ends the connection, at once: what is still on its way, in either direction, may not arrive.
    ///
    /// The code goes out as soon as the endpoint's task runs; it needs the endpoint, or at least the runtime, to live
    /// on a little. To be sure that a last message arrives first, [`finish`](crate::ControlSender::finish) its stream.
    pub fn close(&self, code: Code) {
        close(&self.quinn, code);
    }

    /// A handle that can end this connection and nothing else.
    pub fn closer(&self) -> Closer {
        Closer(self.quinn.clone())
    }

    /// Waits for the end.
    ///
    /// Cancel-safe.
    pub async fn closed(&self) -> Closed {
        self.quinn.closed().await.into()
    }

    /// How it ended; `None` while it has not.
    pub fn close_reason(&self) -> Option<Closed> {
        self.quinn.close_reason().map(Closed::from)
    }

    /// Throws away what came as datagrams so far.
    fn discard_datagrams(&self) {
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Ok(_)) = pin!(self.quinn.read_datagram()).poll(&mut context) {}
    }
}

impl Arrival {
    pub(crate) fn new(connection: Connection, slot: Slot) -> Self {
        Self { connection, slot }
    }

    /// Which connection of its endpoint this is.
    pub fn id(&self) -> ConnectionId {
        self.connection.id()
    }

    /// The key that the device proved to hold.
    pub fn fingerprint(&self) -> Fingerprint {
        self.connection.fingerprint()
    }

    /// Where the device is; an IPv4 address as such.
    pub fn remote_address(&self) -> SocketAddr {
        self.connection.remote_address()
    }

    /// A handle that can end the connection and nothing else, also after it was admitted.
    pub fn closer(&self) -> Closer {
        self.connection.closer()
    }

    /// Lets the device in: raises the limits, and hands out the connection. What it sent as datagrams before is gone.
    pub fn admit(self) -> Connection {
        let Self { connection, slot } = self;
        drop(slot);
        connection.discard_datagrams();
        connection.quinn.set_receive_window(transport::WINDOW_OF_A_SESSION.into());
        connection.quinn.set_max_concurrent_bi_streams(transport::STREAMS_OF_A_SESSION.into());
        connection
    }

    /// Turns the device away with a reason.
    pub fn refuse(self, code: Code) {
        self.connection.close(code);
    }
}

impl Closer {
    /// Ends the connection, as [`Connection::close`] does.
    pub fn close(&self, code: Code) {
        close(&self.0, code);
    }
}

impl Closed {
    /// The code of a command or session that ends so.
    pub fn code(self) -> Code {
        match self {
            Self::ByPeer(code) => code,
            Self::ByPeerUnnamed(_) | Self::Broken => Code::ProtocolError,
            Self::Here => Code::Ended,
            Self::TimedOut | Self::Lost => Code::Unreachable,
        }
    }
}

impl From<ConnectionError> for Closed {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::ApplicationClosed(close) => {
                let number = close.error_code.into_inner();
                Code::from_number(number).map_or(Self::ByPeerUnnamed(number), Self::ByPeer)
            }
            ConnectionError::LocallyClosed => Self::Here,
            ConnectionError::TimedOut => Self::TimedOut,
            ConnectionError::Reset => Self::Lost,
            ConnectionError::VersionMismatch
            | ConnectionError::TransportError(_)
            | ConnectionError::ConnectionClosed(_)
            | ConnectionError::CidsExhausted => Self::Broken,
        }
    }
}

impl From<SendDatagramError> for DatagramError {
    fn from(error: SendDatagramError) -> Self {
        match error {
            SendDatagramError::TooLarge => Self::TooLong,
            SendDatagramError::UnsupportedByPeer | SendDatagramError::Disabled => Self::Unsupported,
            SendDatagramError::ConnectionLost(error) => Self::Closed(error.into()),
        }
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The code of a close as QUIC carries it.
pub(crate) fn wire_code(code: Code) -> VarInt {
    VarInt::from_u32(code.number().into())
}

fn close(connection: &quinn::Connection, code: Code) {
    connection.close(wire_code(code), &[]);
}
