//! The desktop app's state and pages: what it shows, and what its person can want.
//!
//! [`App`] is told of [`News`], shows itself in an [`egui::Ui`], and hands out [`Wish`]es. It opens no window and no
//! socket and reads no clock: whoever drives it does, grants the wishes with a [`pf_client::Client`], and tells what came
//! of them. So a test can drive every page without a host, and a window without a processor that draws is the same app.
//!
//! Call [`hear`](App::hear) for each news, [`poll`](App::poll) at [`due`](App::due), [`show`](App::show) to draw; and
//! grant what [`take_wishes`](App::take_wishes) hands out after each of these.

#![forbid(unsafe_code)]

mod app;
mod dialogs;
mod pages;
mod parts;
mod reconnect;
mod sentences;
mod settings;
mod stream;
pub mod theme;
mod visit;

pub use app::{App, News, Target, Wish};
pub use parts::PinText;
pub use reconnect::Reconnecting;
pub use sentences::{Sentence, sentence};
pub use settings::{GrabKeyboard, Level, Settings, StreamSize, UiScale};
pub use visit::{Notice, Offer, PairPage, Stage, Visit, VisitNews, WayOn, Why};
