//! `punktfunk-host ctl`: everything that the owner can do, over a Unix socket in the data directory.
//!
//! One request a connection, a line of JSON; the answer is a line of the same shape that `--json` prints, for `watch`
//! one line after the other. The socket is 0600, and the host asks the kernel who is at the other end.

mod command;
mod console;
#[cfg(test)]
mod parity;
mod protocol;
mod render;
mod server;
mod socket;

pub(crate) use command::run;
pub(crate) use server::serve;
