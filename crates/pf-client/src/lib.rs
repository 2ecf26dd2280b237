//! The client core: discover, decide, pair, ask, connect, receive.
//!
//! Every client program drives the same few calls on a [`Client`]: [`find`](Client::find) the host that its person
//! named, [`connect`](Client::connect) to it, and when that offers ways instead of a session, [`pair`](Client::pair),
//! [`ask`](Client::ask) or, where it is offered, [`trust_first_use`](Client::trust_first_use). What is offered is
//! decided by [`pf_trust::route`] and by nothing here.

#![forbid(unsafe_code)]

mod approach;
mod ask;
mod client;
mod clock;
mod connect;
mod failure;
mod find;
pub mod input;
mod neighbourhood;
mod pair;
mod session;
mod spent;
mod wake;
mod watch;

pub use approach::Heard;
pub use ask::{Answered, Asking};
pub use client::Client;
pub use connect::{Connected, Wishes};
pub use failure::Failure;
pub use find::Found;
pub use neighbourhood::{Listed, ListedIdentity, ListedKey, Neighbourhood};
pub use pair::Paired;
pub use pf_net::DialError;
pub use session::{
    Arrived, Latencies, Live, Moment, Percentiles, PictureSink, Play, Remote, Report, Session, Showing,
    SoundReport, Stage,
};
pub use wake::{WakeBy, Woken};
pub use watch::{Around, Search, Watch};
