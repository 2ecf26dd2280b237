//! The host's sound, on this machine's loudspeaker.
//!
//! Packets come with the session's datagrams and go to [`Playback`], which has a thread of its own. It starts with the
//! first packet, and only where sound was wished for: no host makes a noise that nobody asked for. Where there is no sound
//! server the session goes on without sound.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use pf_audio::{Server, playback::Playback};
use pf_media::{clock::ClockOffset, figures::Latency, time::Micros};
use pf_proto::session::{Offer, SoundWish};

use super::report::{Percentiles, SoundReport};

/// The sound of one session.
#[derive(Debug)]
pub(super) struct Sound {
    /// When the session's media clock says 0.
    origin: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    wish: SoundWish,
    /// What the host said last.
    offer: Option<Offer>,
    speaker: Speaker,
    /// From being heard on the host to being heard here.
    latency: Latency,
    /// How far sound is from the picture of the same moment, either way.
    skew: Latency,
}

#[derive(Debug, Default)]
enum Speaker {
    /// Nothing came yet.
    #[default]
    Idle,
    Playing(Playback),
    /// There can be no playback here, or the session is over.
    Off,
}

impl Sound {
    /// That of a session whose media clock begins at `origin`.
    pub(super) fn new(origin: Instant, wish: SoundWish) -> Self {
        Self { origin, state: Mutex::new(State { wish, ..State::default() }) }
    }

    /// What the person wishes from now on.
    pub(super) fn wish(&self, wish: SoundWish) {
        self.lock().wish = wish;
    }

    /// The host says whether it gives what was wished for.
    pub(super) fn offered(&self, offer: Offer) {
        let before = self.lock().offer.replace(offer);
        if offer == Offer::Unavailable && before != Some(offer) {
            tracing::warn!("the host has no sound now; its log says why");
        }
    }

    /// Takes in a packet of the host. One that says nothing is as good as lost.
    pub(super) fn take_in(&self, now: Micros, packet: &[u8]) {
        let mut state = self.lock();
        if state.wish == SoundWish::Silent {
            return;
        }
        if matches!(state.speaker, Speaker::Idle) {
            state.speaker = start(self.origin);
        }
        if let Speaker::Playing(playback) = &state.speaker
            && let Err(error) = playback.receive(packet, now)
        {
            tracing::debug!(%error, "a packet of sound was refused");
        }
    }

    /// The picture of `captured`, on the host's clock, is on the screen at `shown`, on ours: its sound waits for it.
    pub(super) fn picture_shown(&self, captured: Micros, shown: Micros) {
        if let Speaker::Playing(playback) = &self.lock().speaker {
            playback.picture_shown(captured, shown);
        }
    }

    /// Writes down how late sound is now, by the comparison of the clocks.
    pub(super) fn measure(&self, now: Micros, clock: &ClockOffset) {
        let mut state = self.lock();
        let Speaker::Playing(playback) = &state.speaker else { return };
        let figures = playback.figures().sound;
        // Nothing that is heard now was captured later, on whatever clock.
        let captured = figures.lag.map(|lag| Micros(now.0.wrapping_sub(lag.cast_unsigned())));
        if let Some(captured) = captured.and_then(|captured| clock.to_local(captured)) {
            state.latency.record(now.since(captured));
        }
        if let Some(after) = figures.after_picture {
            state.skew.record(Duration::from_micros(after.unsigned_abs()));
        }
    }

    /// Ends it, and says how it was; `None` where nothing was ever played.
    pub(super) fn end(&self) -> Option<SoundReport> {
        let mut state = self.lock();
        let speaker = std::mem::replace(&mut state.speaker, Speaker::Off);
        let (latency, skew) = (Percentiles::of(&state.latency), Percentiles::of(&state.skew));
        drop(state);
        let Speaker::Playing(playback) = speaker else { return None };
        let figures = playback.figures();
        let counts = figures.sound.counts;
        Some(SoundReport {
            frames: counts.heard.saturating_sub(figures.sound.damaged),
            repaired: counts.repaired,
            concealed: counts.concealed + figures.sound.damaged,
            filled_in: counts.stretched,
            left_out: counts.skipped,
            underruns: figures.underruns,
            latency,
            skew,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts to play, or says why there will be no sound in this session.
fn start(origin: Instant) -> Speaker {
    match Server::from_environment().and_then(|server| Playback::start(server, origin)) {
        Ok(playback) => Speaker::Playing(playback),
        Err(error) => {
            tracing::warn!(%error, "no sound is played: {}", error.way_on());
            Speaker::Off
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host must not make a noise in a room whose person wants none.
    #[test]
    fn sound_that_nobody_wished_for_starts_nothing() {
        let sound = Sound::new(Instant::now(), SoundWish::Silent);
        sound.take_in(Micros::ZERO, &[0; 40]);
        assert!(matches!(sound.lock().speaker, Speaker::Idle));
        assert_eq!(sound.end(), None);
    }

    /// Sound that starts after the end would play into the next session, or for ever.
    #[test]
    fn sound_that_comes_after_the_end_starts_nothing() {
        let sound = Sound::new(Instant::now(), SoundWish::Ms10);
        assert_eq!(sound.end(), None);
        sound.take_in(Micros::ZERO, &[0; 40]);
        assert!(matches!(sound.lock().speaker, Speaker::Off));
    }
}
