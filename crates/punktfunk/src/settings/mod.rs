//! What a person wants the same at every start, as `settings.toml` has it.
//!
//! [`Settings`] are the values, [`SettingsFile`] reads and writes them. `docs/settings.md` is their reference: a key that is
//! added here is added there.

mod fault;
mod file;
mod key;

pub(crate) use pf_app::{GrabKeyboard, Level, Settings, StreamSize};

pub(crate) use self::{
    file::{SettingsFile, default_path},
    key::{grab_keyboard, level, size, sound},
};
