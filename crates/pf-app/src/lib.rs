//! The desktop app's state and pages.

#![forbid(unsafe_code)]

pub mod theme;
