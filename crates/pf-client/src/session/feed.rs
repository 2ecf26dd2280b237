//! The way from the network to the decoder.
//!
//! What the decoder has no room for is left out, and with it whatever refers to it, up to the picture with which the
//! host answers the report of that: the newest wins.

use std::sync::mpsc::{SyncSender, TrySendError};

use pf_media::{
    picture::Size,
    reassembly::{Output, Reassembler},
    time::Micros,
};
use pf_proto::{Message, session::ClientDatagram};

use super::decode::Unit;

/// Puts datagrams together, and access units in the decoder's queue.
pub(super) struct Feed {
    reassembler: Reassembler,
    queue: SyncSender<Unit>,
    last_frame: u32,
    recoveries_asked: u64,
}

impl Feed {
    pub(super) fn new(queue: SyncSender<Unit>) -> Self {
        Self { reassembler: Reassembler::new(), queue, last_frame: 0, recoveries_asked: 0 }
    }

    /// Takes in a datagram of the host. One that says nothing is as good as lost.
    pub(super) fn take_in(&mut self, now: Micros, datagram: &[u8]) {
        if let Err(error) = self.reassembler.handle_datagram(now, datagram) {
            tracing::debug!(%error, "a datagram was refused");
        }
    }

    /// Queues whatever is whole, and says what to tell the host now, if anything. `size` is the desktop's.
    ///
    /// Call it after each datagram, after [`not_decoded`](Self::not_decoded), and at
    /// [`next_deadline`](Self::next_deadline).
    pub(super) fn hand_out(&mut self, now: Micros, size: Option<Size>) -> Option<Vec<u8>> {
        while let Some(output) = self.reassembler.poll(now) {
            match output {
                Output::AccessUnit { frame, captured, bytes, .. } => {
                    self.last_frame = frame;
                    // A decoder that is done wants nothing more, and the session is about to end.
                    let unit = Unit { frame, captured, whole: now, bytes, size };
                    if let Err(TrySendError::Full(_)) = self.queue.try_send(unit) {
                        self.reassembler.not_decoded(frame);
                    }
                }
                Output::NeedRecovery { .. } => self.recoveries_asked += 1,
            }
        }
        self.reassembler.poll_feedback(now).map(|feedback| ClientDatagram::Feedback(feedback).encode())
    }

    /// The decoder could not decode `frame`.
    pub(super) fn not_decoded(&mut self, frame: u32) {
        self.reassembler.not_decoded(frame);
    }

    /// When to call [`hand_out`](Self::hand_out) next if no datagram comes before.
    pub(super) fn next_deadline(&self) -> Option<Micros> {
        self.reassembler.next_deadline()
    }

    /// The newest frame that was handed out.
    pub(super) fn last_frame(&self) -> u32 {
        self.last_frame
    }

    /// How often the host was told that nothing more can be decoded.
    pub(super) fn recoveries_asked(&self) -> u64 {
        self.recoveries_asked
    }

    pub(super) fn reassembler(&self) -> &Reassembler {
        &self.reassembler
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc::sync_channel, time::Duration};

    use pf_media::packet::{AccessUnit, Packetiser, Reference};
    use pf_proto::{media::Stream, session::MediaFeedback};

    use super::*;

    /// A host whose pictures all arrive, 16 ms apart.
    struct Host {
        packetiser: Packetiser,
        now: Micros,
    }

    impl Host {
        fn new() -> Self {
            Self { packetiser: Packetiser::new(Stream::Video), now: Micros(1_000_000) }
        }

        /// Sends one picture, and returns what the client reports.
        fn send(&mut self, feed: &mut Feed, reference: Reference) -> Option<MediaFeedback> {
            self.now = self.now + Duration::from_millis(16);
            let unit = AccessUnit { reference, captured: self.now, bytes: b"a picture" };
            for datagram in self.packetiser.packetise(unit, 1200, 0).unwrap() {
                feed.take_in(self.now, &datagram);
            }
            feed.hand_out(self.now, None).map(|report| match ClientDatagram::decode(&report).unwrap() {
                ClientDatagram::Feedback(feedback) => feedback,
                ClientDatagram::Input(_) => panic!("the feed knows of no input"),
            })
        }
    }

    /// A client that is too slow shows broken pictures, or falls behind for ever.
    #[test]
    fn a_decoder_that_is_behind_gets_the_recovery_and_nothing_before() {
        let (queue, units) = sync_channel(2);
        let (mut host, mut feed) = (Host::new(), Feed::new(queue));
        host.send(&mut feed, Reference::Nothing);
        host.send(&mut feed, Reference::Previous);
        let report = host.send(&mut feed, Reference::Previous).unwrap();
        assert_eq!((report.decoded_frame, report.first_lost), (Some(1), Some(2)), "the queue is full");
        assert_eq!(feed.recoveries_asked(), 1);
        assert_eq!([units.recv().unwrap().frame, units.recv().unwrap().frame], [0, 1]);
        host.send(&mut feed, Reference::Previous);
        assert!(units.try_recv().is_err(), "what refers to a missing picture is left out");
        host.send(&mut feed, Reference::Frame(1));
        assert_eq!(units.recv().unwrap().frame, 4);
        assert_eq!(feed.recoveries_asked(), 1, "asked for once");
    }

    /// A host that is not told goes on with pictures that refer to the broken one.
    #[test]
    fn what_the_decoder_cannot_decode_is_told() {
        let (queue, _units) = sync_channel(9);
        let (mut host, mut feed) = (Host::new(), Feed::new(queue));
        host.send(&mut feed, Reference::Nothing);
        host.send(&mut feed, Reference::Previous);
        feed.not_decoded(1);
        let report = host.send(&mut feed, Reference::Previous).unwrap();
        assert_eq!((report.decoded_frame, report.first_lost), (Some(0), Some(1)));
    }
}
