//! The overlay: the session's figures over its picture.

mod card;
mod layer;

use std::time::{Duration, Instant};

use pf_app::Level;
use pf_client::Live;
use pf_media::picture::Size;

use layer::Layer;

/// The overlay of a window.
///
/// Lay it over every picture with [`draw`](Self::draw). At [`due`](Self::due) call [`refresh`](Self::refresh), and draw
/// the window again if that says so.
pub(super) struct Overlay {
    level: Level,
    card: Option<Layer>,
    /// When the card is out of date; `None` where there is nothing to do.
    due: Option<Instant>,
}

impl Overlay {
    pub(super) fn new(now: Instant, level: Level) -> Self {
        Self { level, card: None, due: (level != Level::Off).then_some(now) }
    }

    /// Shows more, up to everything, and then nothing.
    pub(super) fn step(&mut self, now: Instant) {
        self.set(now, self.level.next());
    }

    /// Shows so much.
    pub(super) fn set(&mut self, now: Instant, level: Level) {
        self.level = level;
        self.due = Some(now);
    }

    /// When to call [`refresh`](Self::refresh) next, if ever.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Takes the figures of now if it is time to; whether the overlay is another now. `shown` is the size of the picture
    /// in the window.
    pub(super) fn refresh(&mut self, now: Instant, live: &Live, shown: Size, scale: f64) -> bool {
        if self.due.is_none_or(|due| now < due) {
            return false;
        }
        let scale = scale as f32;
        self.card = match self.level {
            Level::Off => None,
            Level::Short => card::short(&live.moment(), scale),
            Level::Full => card::full(&live.moment(), shown, scale),
        };
        self.due = self.card.is_some().then(|| now + SHOWN_FOR);
        true
    }

    /// Draws what is shown into a canvas, scaled as the window is.
    pub(super) fn draw(&self, canvas: &mut [u32], room: Size, scale: f64) {
        if let Some(card) = &self.card {
            let margin = (MARGIN * scale) as u32;
            card.lay_over(canvas, room, margin, margin);
        }
    }
}

/// How long figures stand: digits that change more often cannot be read.
const SHOWN_FOR: Duration = Duration::from_millis(500);

/// How far the overlay is from the corner of the window, in points.
const MARGIN: f64 = 14.0;
