//! UDP sockets: dual-stack where the machine is, with room for a burst of media.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use socket2::{Domain, Protocol, Socket, Type};
use tracing::debug;

/// A socket for both IPv6 and IPv4 on `port`, or for IPv4 alone where the machine has no IPv6.
pub(crate) fn bind_any(port: u16) -> io::Result<UdpSocket> {
    bind((Ipv6Addr::UNSPECIFIED, port).into()).or_else(|error| {
        if error.kind() == io::ErrorKind::AddrInUse {
            return Err(error);
        }
        debug!(%error, "no IPv6 here: listening on IPv4 alone");
        bind((Ipv4Addr::UNSPECIFIED, port).into())
    })
}

/// A socket on one address; `[::]` takes IPv4 too.
pub(crate) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    enlarge_buffers(&socket);
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Whether the system knows a way to `address`. It sends nothing, and knows nothing of who is there.
pub(crate) fn has_route(address: SocketAddr) -> bool {
    if address.port() == 0 || address.ip().to_canonical().is_unspecified() {
        return false;
    }
    let from: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    UdpSocket::bind(from).and_then(|socket| socket.connect(address)).is_ok()
}

/// Asks for [`BUFFER_BYTES`] each way; what the system grants is enough to work, if not at its best.
fn enlarge_buffers(socket: &Socket) {
    let asked = socket.set_recv_buffer_size(BUFFER_BYTES).and(socket.set_send_buffer_size(BUFFER_BYTES));
    match (asked, socket.recv_buffer_size(), socket.send_buffer_size()) {
        (Ok(()), Ok(receive), Ok(send)) => debug!(receive, send, "socket buffers"),
        (asked, ..) => debug!(?asked, "socket buffers stay as the system made them"),
    }
}

/// What one key frame at a high rate may put on the wire before the other side's task runs: 2 MiB.
///
/// It costs kernel memory only while it is used. Linux grants no more than `net.core.rmem_max` and `wmem_max`.
const BUFFER_BYTES: usize = 2 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_for_any_address_takes_ipv4() {
        let any = bind_any(0).unwrap();
        let to = (Ipv4Addr::LOCALHOST, any.local_addr().unwrap().port());
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        sender.send_to(b"hello", to).unwrap();
        let mut buffer = [0; 8];
        let (len, from) = any.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], b"hello");
        assert_eq!(crate::address::canonical(from), sender.local_addr().unwrap());
    }

    /// A second host on the machine must learn that the port is taken, not end up on IPv4 alone.
    #[test]
    fn a_port_in_use_is_an_error() {
        let first = bind_any(0).unwrap();
        let error = bind_any(first.local_addr().unwrap().port()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
