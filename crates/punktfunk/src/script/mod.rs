//! Scripts of what a person would do: for tests, and for whoever sets a machine up by hand again and again.
//!
//! A script is a text file, one step a line; `docs/input-scripts.md` describes it. It is read whole before anything is
//! done, so that a slip in its last line shows at once.

mod parse;
mod play;

pub(crate) use parse::{Script, Slip};
pub(crate) use play::play;
