//! The sending thread: puts each datagram on the connection when its time has come.

use std::{io, sync::Arc, thread};

use pf_net::{Connection, DatagramError};

use super::outgoing::Outgoing;

/// Starts the thread, which ends with the stream or the connection and closes `outgoing` then.
pub(super) fn start(connection: Connection, outgoing: Arc<Outgoing>) -> io::Result<()> {
    thread::Builder::new().name("send".to_owned()).spawn(move || {
        transmit(&connection, &outgoing);
        outgoing.close();
    })?;
    Ok(())
}

fn transmit(connection: &Connection, outgoing: &Outgoing) {
    let mut due = Vec::new();
    while outgoing.take(&mut due).is_ok() {
        for datagram in due.drain(..) {
            match connection.send_datagram(datagram) {
                // The path became narrower since the picture was cut: lost, like any other that the path loses.
                Ok(()) | Err(DatagramError::TooLong) => {}
                Err(DatagramError::Closed(_) | DatagramError::Unsupported) => return,
            }
        }
    }
}
