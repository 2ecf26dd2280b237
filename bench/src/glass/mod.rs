//! Glass to glass: how old a picture is when it is on the client's screen.
//!
//! A [`Painter`] draws a scene on the host's display and, within it, a code that tells the number and the time of each
//! picture. A [`Watcher`] sees every change of the client's display, and reads the code in whatever window it is. Both
//! read one clock, `CLOCK_MONOTONIC`; nothing between them needs to know that it is measured.
//!
//! What they take themselves is measured, too, by a watcher of the painter's own display.

mod painter;
mod scene;
mod watcher;

use std::time::Duration;

pub(crate) use painter::{ANSWER, Answerer, Painter, WORD, answer, draw};
pub(crate) use scene::Scene;
pub(crate) use watcher::Watcher;

/// What was seen of a scene.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Each picture that was seen, when it was for the first time.
    pub(crate) pictures: Vec<Picture>,
    /// For how long it was watched.
    pub(crate) watched: Duration,
}

/// A picture that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    /// Its number, as it was drawn.
    pub(crate) frame: u32,
    /// When it was drawn, on [`clock`].
    pub(crate) drawn: Duration,
    /// When it was seen, on [`clock`].
    pub(crate) seen: Duration,
}

impl Picture {
    pub(crate) fn latency(&self) -> Duration {
        self.seen.saturating_sub(self.drawn)
    }
}

impl Seen {
    /// All latencies, shortest first.
    pub(crate) fn latencies(&self) -> Vec<Duration> {
        let mut latencies: Vec<_> = self.pictures.iter().map(Picture::latency).collect();
        latencies.sort_unstable();
        latencies
    }

    /// Different pictures seen each second.
    pub(crate) fn fps(&self) -> f64 {
        self.pictures.len() as f64 / self.watched.as_secs_f64().max(f64::EPSILON)
    }
}

/// The clock of all that is drawn and seen: since the machine was started.
pub(crate) fn clock() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use clap::ValueEnum as _;
    use pf_media::picture::Size;

    use super::*;
    use crate::x_server::XServer;

    /// The tool is a ruler: it must see what it draws, all of it, wherever it is, and at once.
    #[test]
    fn what_is_drawn_is_seen_with_its_number_and_its_time() {
        let size = Size::new(640, 360);
        for scene in Scene::value_variants() {
            let display = XServer::xvfb(size).unwrap();
            let over = std::sync::atomic::AtomicBool::new(false);
            let fps = NonZeroU32::new(20).unwrap();
            let seen = std::thread::scope(|scope| {
                let painting = scope.spawn(|| draw(display.name(), *scene, fps, &over));
                let mut watcher = Watcher::open(display.name()).unwrap();
                let seen = watcher
                    .find(Duration::from_secs(20))
                    .and_then(|()| watcher.watch(Duration::from_secs(2)));
                over.store(true, std::sync::atomic::Ordering::Relaxed);
                painting.join().unwrap().unwrap();
                seen.unwrap()
            });
            assert!(seen.pictures.len() >= 10, "{scene:?}: {} pictures", seen.pictures.len());
            assert!(seen.pictures.iter().all(|picture| picture.seen > picture.drawn), "{seen:?}");
            assert!(seen.pictures.windows(2).all(|pair| pair[0].frame < pair[1].frame), "{seen:?}");
            let now = clock();
            assert!(seen.pictures.iter().all(|picture| picture.seen <= now));
        }
    }
}
