//! The way from the network to the decoder, where the newest wins.

use std::sync::mpsc::{SyncSender, TrySendError};

use super::decode::Unit;

/// Puts access units in the decoder's queue, and keeps what cannot be decoded any more out of it.
pub(super) struct Feed {
    queue: SyncSender<Unit>,
    /// Whether one was left out since the last key frame: what refers to it cannot be decoded.
    is_broken: bool,
}

impl Feed {
    pub(super) fn new(queue: SyncSender<Unit>) -> Self {
        Self { queue, is_broken: false }
    }

    /// Queues an access unit. `false` when the decoder is so far behind that only a key frame helps, said once.
    pub(super) fn put(&mut self, unit: Unit) -> bool {
        if self.is_broken && !unit.key {
            return true;
        }
        match self.queue.try_send(unit) {
            Ok(()) => {
                self.is_broken = false;
                true
            }
            Err(TrySendError::Full(_)) => {
                self.is_broken = true;
                false
            }
            // The decoder is done; the session is about to end.
            Err(TrySendError::Disconnected(_)) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use bytes::Bytes;
    use pf_media::time::Micros;

    use super::*;

    fn unit(key: bool) -> Unit {
        Unit { key, captured: Micros(0), bytes: Bytes::new(), size: None }
    }

    /// A client that is too slow shows broken pictures, or asks for key frames until the link is full.
    #[test]
    fn a_decoder_that_is_behind_gets_the_next_key_frame_and_nothing_before() {
        let (queue, units) = sync_channel(1);
        let mut feed = Feed::new(queue);
        assert!(feed.put(unit(true)));
        assert!(!feed.put(unit(false)), "the queue is full: a key frame is asked for");
        assert!(feed.put(unit(false)), "and asked for once");
        units.recv().unwrap();
        assert!(feed.put(unit(false)));
        assert!(units.try_recv().is_err(), "what refers to a missing picture is left out");
        assert!(feed.put(unit(true)));
        assert!(units.recv().unwrap().key);
    }
}
