//! Where pictures come from, and which sessions share that.
//!
//! What is mirrored is captured once for all who watch. A virtual display is for one session alone.

mod capture;
mod fit;
mod lanes;
mod scene;
mod shot;

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use pf_desktop::{SourceConfig, SourceKind, Stop};
use pf_media::fec;
use tokio::sync::Mutex;

use super::StreamError;
use crate::clock::Clock;
pub(super) use lanes::{LaneId, ViewerId};
pub(crate) use scene::Scene;
pub(super) use scene::{Brief, Core, Counts, Format};
pub(super) use shot::{Rendition, Shot};

/// All the sources of a host that are open.
pub(crate) struct Sources {
    clock: Clock,
    /// Those that sessions may share.
    shared: Mutex<HashMap<Shared, Weak<Scene>>>,
}

/// What sessions share a source by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Shared {
    /// A desktop has one size and one speed for all.
    Desktop(SourceKind),
    /// A picture that is made is made for a size and a speed.
    Made(u32, u32, u32),
}

impl Sources {
    /// None are open.
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, shared: Mutex::default() }
    }

    /// The source of `config`, whose kind is settled, for one more session: one that is open, or else a new one, which is
    /// closed after its last session. `stop` ends the opening.
    pub(crate) async fn open(&self, config: SourceConfig, stop: Stop) -> Result<Arc<Scene>, StreamError> {
        let Some(key) = shared(&config) else {
            return open(config, stop, self.clock).await;
        };
        // Who comes while it is being opened waits for that, and opens it if it comes to nothing.
        let mut open_ones = self.shared.lock().await;
        if let Some(scene) = open_ones.get(&key).and_then(Weak::upgrade).filter(|scene| !scene.is_over()) {
            return Ok(scene);
        }
        let scene = open(config, stop, self.clock).await?;
        open_ones.retain(|_, scene| scene.strong_count() > 0);
        open_ones.insert(key, Arc::downgrade(&scene));
        Ok(scene)
    }
}

fn shared(config: &SourceConfig) -> Option<Shared> {
    match config.kind {
        SourceKind::Auto | SourceKind::Virtual => None,
        SourceKind::Synthetic => Some(Shared::Made(config.size.width, config.size.height, config.fps.get())),
        SourceKind::X11 | SourceKind::Wayland => Some(Shared::Desktop(config.kind)),
    }
}

/// Opens a source; that may take as long as a virtual display takes to start.
async fn open(config: SourceConfig, stop: Stop, clock: Clock) -> Result<Arc<Scene>, StreamError> {
    let opening = tokio::task::spawn_blocking(move || {
        // The first parity of a process takes 22 ms, of which no picture should be late.
        fec::warm_up();
        let source = pf_desktop::open(&config, &stop)?;
        let asked = Format { size: config.size, fps: config.fps };
        Scene::start(config.kind, source, asked, stop, clock).map(Arc::new)
    });
    opening.await.map_err(std::io::Error::other)?
}
