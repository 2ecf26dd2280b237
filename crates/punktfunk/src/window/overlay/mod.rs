//! The overlay: the session's figures over its picture.

mod card;
mod layer;

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use pf_app::Level;
use pf_client::Live;
use pf_media::picture::Size;

use super::{canvas::Canvas, shown::Shown};

pub(crate) use layer::Layer;
#[cfg(test)]
pub(super) use layer::{Area, Colour};

/// The overlay of a window.
///
/// Lay it over every picture with [`draw`](Self::draw). At [`due`](Self::due) call [`refresh`](Self::refresh), and draw
/// the window again if that says so.
pub(super) struct Overlay {
    level: Level,
    card: Option<Rc<Layer>>,
    /// How far it is from the corner of the window, in pixels.
    margin: u32,
    /// When the card is out of date; `None` where there is nothing to do.
    due: Option<Instant>,
}

impl Overlay {
    pub(super) fn new(now: Instant, level: Level) -> Self {
        Self { level, card: None, margin: 0, due: (level != Level::Off).then_some(now) }
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

    /// Takes the figures of now if it is time to; whether the overlay is another now. In the `window` the
    /// picture has the size `shown`.
    pub(super) fn refresh(&mut self, now: Instant, live: &Live, shown: Size, window: &Shown) -> bool {
        if self.due.is_none_or(|due| now < due) {
            return false;
        }
        let scale = window.scale() as f32;
        let card = match self.level {
            Level::Off => None,
            Level::Short => card::short(&live.moment(), scale),
            Level::Full => card::full(&live.moment(), shown, window.drawn_by(), scale),
        };
        self.card = card.map(Rc::new);
        self.margin = (MARGIN * scale) as u32;
        self.due = self.card.is_some().then(|| now + SHOWN_FOR);
        true
    }

    /// Draws what is shown into a canvas.
    pub(super) fn draw(&self, canvas: &mut dyn Canvas) {
        if let Some(card) = &self.card {
            canvas.layer(card, self.margin);
        }
    }
}

/// How long figures stand: digits that change more often cannot be read.
const SHOWN_FOR: Duration = Duration::from_millis(500);

/// How far the overlay is from the corner of the window, in points.
const MARGIN: f32 = 14.0;
