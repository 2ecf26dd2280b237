//! The host's console: the management API, sign-in, live events and the page, over HTTPS.
//!
//! The host is behind a [`control::HostControl`]: nothing here decides who is let in, and nothing here sees a socket of
//! the stream or a picture. The command line speaks to the same trait, so that neither can do what the other cannot.

#![forbid(unsafe_code)]

pub mod control;
pub mod view;
