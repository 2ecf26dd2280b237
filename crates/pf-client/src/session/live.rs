//! The figures of a session while it plays, shared between those who write them and those who look.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use pf_media::time::Micros;
use pf_proto::session::SoundWish;

use super::{
    figures::{Decoded, Figures},
    report::Moment,
    sound::Sound,
};

/// Looks at the figures of a session, from any thread, while it plays and after. Clones are handles to one session.
#[derive(Clone, Debug)]
pub struct Live(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: LocalClock,
    figures: Mutex<Figures>,
    sound: Sound,
}

impl Live {
    /// Those of a session whose media clock begins at `origin`, with the sound that is wished for at first.
    pub(crate) fn new(origin: Instant, wish: SoundWish) -> Self {
        let (clock, sound) = (LocalClock(origin), Sound::new(origin, wish));
        Self(Arc::new(Shared { clock, figures: Mutex::default(), sound }))
    }

    /// The last second. Cheap enough for every picture, and meant for a few times a second.
    pub fn moment(&self) -> Moment {
        let now = self.0.clock.now();
        self.lock().moment(now)
    }

    /// Writes down what is looked at now and then.
    pub(super) fn measure(&self, round_trip: Duration) {
        let mut figures = self.lock();
        figures.round_trip = round_trip;
        self.0.sound.measure(self.0.clock.now(), figures.clock());
    }

    pub(super) fn clock(&self) -> LocalClock {
        self.0.clock
    }

    pub(super) fn sound(&self) -> &Sound {
        &self.0.sound
    }

    /// Held for as long as it takes to write something down, and never while anything is waited for.
    pub(super) fn lock(&self) -> MutexGuard<'_, Figures> {
        self.0.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A decoded picture's way to the screen. Whoever puts it there says so; one that is dropped was replaced by a newer one
/// before its turn.
#[derive(Debug)]
#[must_use = "the figures know of no picture on the screen but from this"]
pub struct Showing {
    live: Live,
    picture: Decoded,
}

impl Showing {
    pub(super) fn new(live: &Live, picture: Decoded) -> Self {
        Self { live: live.clone(), picture }
    }

    /// The picture was handed to the screen just now.
    pub fn shown(self) {
        let now = self.live.clock().now();
        self.live.lock().shown(now, self.picture.captured, self.picture.done);
        self.live.sound().picture_shown(self.picture.captured, now);
    }

    /// Nobody looks: the picture's way ended when it was decoded.
    pub fn unseen(self) {
        self.live.lock().way_ended(self.picture.done, self.picture.captured);
        self.live.sound().picture_shown(self.picture.captured, self.picture.done);
    }
}

/// This machine's media clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalClock(Instant);

impl LocalClock {
    pub(super) fn now(self) -> Micros {
        self.at(Instant::now())
    }

    pub(super) fn at(self, instant: Instant) -> Micros {
        Micros(instant.saturating_duration_since(self.0).as_micros() as u64)
    }
}
