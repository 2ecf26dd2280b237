//! What pages are made of.

mod card;
mod controls;
mod fingerprint;
mod pin;

pub(crate) use card::{card, dialog};
pub(crate) use controls::{Weight, button, hint, outline_focus, pill, problem, title};
pub(crate) use fingerprint::{check_code, fingerprint};
pub use pin::PinText;
pub(crate) use pin::pin_entry;
