//! Gamepads as the Linux kernel shows them.
//!
//! [`description`] tells gamepads from other devices, [`layout`] knows which of their codes is what, and [`reading`] follows
//! one pad: these are functions of what the kernel says. [`watch`] listens to it.

mod description;
mod layout;
mod reading;
mod watch;

pub(crate) use watch::{Places, Watch};
