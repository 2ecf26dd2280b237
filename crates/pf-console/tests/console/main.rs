//! The console as a browser meets it: the real router, the real store, real password hashes, and where it matters a
//! real listener; only the host behind it is one in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod api;
mod disk_full;
mod document;
mod events;
mod guard;
mod listener;
mod sign_in;
mod support;
