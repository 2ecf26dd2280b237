//! Who may pair, connect, or is turned away: PIN ceremony, check code, admission policy, trust route.
//!
//! Everything here is pure. Time, randomness and bytes are handed in; decisions and bytes come out. Start with
//! [`admission`] for the host and [`route`] for the client.

#![forbid(unsafe_code)]

pub mod admission;
pub mod ceremony;
pub mod check_code;
pub mod look_alike;
pub mod proof;
pub mod record;
pub mod route;
pub mod spake2;
