//! The app as its person meets it, without a host and without a window.
//!
//! What it looks like is kept in `tests/snapshots`: look at a picture that changed before it is kept.

mod dialogs;
mod pages;
mod support;
