//! The stores on real files: what survives, what is refused, and what a person can go back to.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod calling;
mod client;
mod common;
mod console;
mod crash;
mod damage;
mod data_dir;
mod disk_full;
mod host;
mod identity;
mod restore;
