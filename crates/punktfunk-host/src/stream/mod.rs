//! From a source's picture to datagrams on the connections of those who watch it.
//!
//! Three folders, in the order in which a picture passes through:
//!
//! - [`source`]: what is open, and who shares it. One thread a source waits for its pictures and converts each.
//! - [`encode`]: one thread for each *lane*, an encoder that some sessions share. It takes the newest picture when one of
//!   them has room for it.
//! - [`viewer`]: what each session has by itself. One thread a session puts each datagram on the connection when its
//!   time has come.
//!
//! When an encoder or a link is behind, the newest picture wins. A session alone is the usual case, and then a picture
//! is encoded only when its link has room. Several in a lane get what the first that has room gets; see
//! `docs/decisions/`.
//!
//! Encoding and sending have a thread each because the end of a picture is still leaving when the next one is encoded: a
//! thread for both would hold it back for as long as encoding takes, half of a picture's interval on a slow machine.
//!
//! Tokio brings the receivers' reports, and nothing here waits for it.

mod bell;
mod encode;
pub(crate) mod figures;
pub(crate) mod source;
mod viewer;

use std::{num::NonZeroU32, sync::Arc};

use pf_codec::EncodeError;
use pf_desktop::SourceError;
use pf_media::picture::Size;
use pf_net::Connection;
use pf_proto::session::{FrameTime, MediaFeedback};
use tokio::sync::watch;

use crate::clock::Clock;
use figures::Measures;
use source::{Scene, ViewerId};
use viewer::Viewer;

/// What a session streams when the client does not say.
pub(crate) const DEFAULT_SIZE: Size = Size::new(1280, 720);

/// What a session streams at most, in pictures a second, and what it does when the client does not say.
pub(crate) const MAX_FPS: u32 = 120;
/// See [`MAX_FPS`].
pub(crate) const DEFAULT_FPS: NonZeroU32 = NonZeroU32::new(60).expect("60 is not 0");

/// What a stream takes of the link at most when the client does not say, in bits a second, with all that goes with the
/// pictures.
///
/// On a wired network the picture is clean at that; over a weak wireless link the client asks for less.
pub(crate) const DEFAULT_BITRATE: u32 = 15_000_000;

/// The least that a stream takes, in bits a second: text can still be read.
const LEAST_BITRATE: u64 = 500_000;

/// What a stream begins with, in bits a second: any link worth the name takes it, and where there is room it doubles
/// within a second.
const FIRST_BITRATE: u64 = 6_000_000;

/// A running stream. Dropping it ends it, and its source with the last one.
pub(crate) struct Stream {
    scene: Arc<Scene>,
    viewer: Arc<Viewer>,
    id: ViewerId,
    measures: Arc<Measures>,
    ended: watch::Receiver<Option<Arc<StreamError>>>,
}

/// Why there are no more pictures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    /// The source could not be opened, or failed.
    #[error("{0}; {way_on}", way_on = .0.way_on())]
    Source(#[from] SourceError),
    /// The encoder could not be made, or failed.
    #[error(transparent)]
    Encoder(#[from] EncodeError),
    /// The machine gave no thread.
    #[error("no thread could be started: {0}")]
    Thread(#[from] std::io::Error),
    /// A thread of the stream panicked; what it said about that is on stderr.
    #[error("the program broke while it made pictures")]
    Broke,
}

/// What the client asked for, within what this host gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wishes {
    pub(crate) size: Size,
    pub(crate) fps: NonZeroU32,
    pub(crate) bitrate: u32,
}

impl Stream {
    /// Starts sending the pictures of `scene` on `connection`.
    pub(crate) fn start(
        scene: Arc<Scene>,
        wishes: Wishes,
        connection: Connection,
        clock: Clock,
    ) -> Result<Self, Arc<StreamError>> {
        let (end, ended) = watch::channel(None);
        let measures = Arc::new(Measures::new(scene.kind(), Arc::clone(scene.counts()), connection.clone()));
        let viewer = Viewer::start(wishes, connection, Arc::clone(&measures), clock, end);
        let viewer = Arc::new(viewer.map_err(StreamError::Thread)?);
        let id = scene.join(Arc::clone(&viewer), wishes)?;
        Ok(Self { scene, viewer, id, measures, ended })
    }

    /// Gives the client something else from now on, from `scene`, which may be another one.
    pub(crate) fn change(&mut self, scene: Arc<Scene>, wishes: Wishes) -> Result<(), Arc<StreamError>> {
        self.viewer.change(wishes);
        if Arc::ptr_eq(&scene, &self.scene) {
            return self.scene.change(self.id, wishes);
        }
        self.scene.leave(self.id);
        self.id = scene.join(Arc::clone(&self.viewer), wishes)?;
        self.scene = scene;
        Ok(())
    }

    /// Where its pictures come from.
    pub(crate) fn scene(&self) -> &Arc<Scene> {
        &self.scene
    }

    /// The size of the pictures.
    pub(crate) fn size(&self) -> Size {
        self.scene.size_for(self.id)
    }

    /// Waits until the pictures are what the client was given, or never will be. Safe to cancel.
    pub(crate) async fn settled(&self) {
        self.scene.settled().await;
    }

    /// The next picture becomes a key frame.
    pub(crate) fn want_key_frame(&self) {
        self.viewer.want_key_frame();
    }

    /// Takes in a report of the client, and says which share of datagrams its path loses, 0 to 1.
    ///
    /// `beside` is what else leaves on the connection, in bits a second.
    pub(crate) fn handle_feedback(&self, feedback: &MediaFeedback, beside: u32) -> f64 {
        self.viewer.handle_feedback(feedback, beside)
    }

    /// How long the last pictures took that have left and were not told of yet, oldest first.
    pub(crate) fn departed(&self) -> Vec<FrameTime> {
        self.viewer.departed()
    }

    /// What this stream measures of itself.
    pub(crate) fn measures(&self) -> &Arc<Measures> {
        &self.measures
    }

    /// Waits until there are no more pictures, and says why. Safe to cancel.
    pub(crate) async fn ended(&self) -> Arc<StreamError> {
        let mut ended = self.ended.clone();
        let why = ended.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        why.unwrap_or_else(|| Arc::new(StreamError::Source(SourceError::Stopped)))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.scene.leave(self.id);
        self.viewer.outgoing.close();
    }
}
