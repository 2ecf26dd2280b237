//! For tests and benches: machines of their own, and the networks between them.
//!
//! A [`Namespace`] is a machine as far as its network goes. A [`Lan`] joins several by a switch, a [`Span`] joins two by
//! a link that loses, delays and holds back as a [`Network`] says, whatever they send each other. A [`Relay`] does the
//! same to the UDP packets of one client, within one machine, and needs no root.
//!
//! What is not set up right ends a test: where a function panics, its documentation says so.

#![deny(unsafe_code)]

mod lan;
mod lane;
mod namespace;
mod network;
mod relay;
mod span;
mod tun;

pub use lan::{Lan, Machine};
pub use lane::Passed;
pub use namespace::Namespace;
pub use network::{Bottleneck, Bursts, Network, Outages};
pub use relay::Relay;
pub use span::Span;
