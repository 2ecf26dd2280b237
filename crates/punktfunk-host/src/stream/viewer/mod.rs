//! One session's side of a stream: what it is sent, when, and how it arrives.
//!
//! Its frames come from an encoder that it may share with others. From here on everything is its own: numbers, parity,
//! pacing, rate and recovery, and the thread that sends.

mod allowance;
mod departures;
mod numbers;
mod outgoing;
mod strain;
mod transmit;

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use pf_media::{picture::Size, rate::Limits, transmit::Transmitter};
use pf_net::Connection;
use pf_proto::{
    media,
    session::{FrameTime, MediaFeedback},
};
use tokio::sync::watch;

use super::{
    FIRST_BITRATE, LEAST_BITRATE, StreamError, Wishes, encode::audience::Standing, figures::Measures,
};
use crate::clock::Clock;
pub(super) use departures::Steps;
pub(super) use outgoing::{Encoded, Given, Outgoing};

/// One session that is shown pictures.
pub(super) struct Viewer {
    pub(super) outgoing: Arc<Outgoing>,
    connection: Connection,
    measures: Arc<Measures>,
    /// Where to say why there are no more pictures.
    end: watch::Sender<Option<Arc<StreamError>>>,
}

impl Viewer {
    /// A session that nothing was sent yet, and its sending thread.
    pub(super) fn start(
        wishes: Wishes,
        connection: Connection,
        measures: Arc<Measures>,
        clock: Clock,
        end: watch::Sender<Option<Arc<StreamError>>>,
    ) -> io::Result<Self> {
        let ceiling = u64::from(wishes.bitrate);
        let limits = Limits { floor: LEAST_BITRATE.min(ceiling), start: FIRST_BITRATE.min(ceiling), ceiling };
        let (now, interval) = (clock.media_time(Instant::now()), interval(wishes));
        let transmitter = Transmitter::new(now, media::Stream::Video, interval, limits)
            .with_round_trip(connection.figures().shortest_round_trip);
        let outgoing = Arc::new(Outgoing::new(clock, transmitter, interval));
        connection.follow_pace(Some(outgoing.pace()));
        transmit::start(connection.clone(), Arc::clone(&outgoing))?;
        Ok(Self { outgoing, connection, measures, end })
    }

    /// Another speed and ceiling from now on.
    pub(super) fn change(&self, wishes: Wishes) {
        self.outgoing.change(interval(wishes), u64::from(wishes.bitrate));
    }

    /// Sends a frame of pictures of `size`, if who stood like `standing` when it was encoded can use it. `is_fresh` when its
    /// picture was not sent before.
    pub(super) fn give(&self, standing: &Standing, frame: &Encoded<'_>, size: Size, is_fresh: bool) -> Given {
        let given = self.outgoing.give(standing, frame, self.connection.max_datagram());
        if given.is_sent {
            self.measures.note_picture(size, is_fresh.then_some(frame.steps));
        }
        given
    }

    /// Takes in a report of the client, and says which share of datagrams its path loses, 0 to 1.
    ///
    /// `beside` is what else leaves on the connection, in bits a second.
    pub(super) fn handle_feedback(&self, feedback: &MediaFeedback, beside: u32) -> f64 {
        let path = self.outgoing.handle_feedback(feedback);
        self.connection.follow_pace(Some(path.pace + u64::from(beside)));
        self.measures.note_path(path.loss, path.asks_anew);
        path.loss
    }

    /// Its next picture becomes a key frame.
    pub(super) fn want_key_frame(&self) {
        self.measures.note_key_frame_request();
        self.outgoing.want_key_frame();
    }

    /// How long the last frames took that have left and were not told of yet.
    pub(super) fn departed(&self) -> Vec<FrameTime> {
        let departed = self.outgoing.departed();
        self.measures.note_departures(&departed);
        departed
    }

    /// There are no more pictures.
    pub(super) fn fail(&self, error: &Arc<StreamError>) {
        self.outgoing.close();
        self.end.send_replace(Some(Arc::clone(error)));
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        // Also one that no scene took in: its sending thread would wait for ever.
        self.outgoing.close();
    }
}

fn interval(wishes: Wishes) -> Duration {
    Duration::from_secs(1) / wishes.fps.get()
}
