//! The host's console: the management API, sign-in, live events and the page, over HTTPS.
//!
//! The host is behind a [`control::HostControl`]: nothing here decides who is let in, and nothing here sees a socket of
//! the stream or a picture. The command line speaks to the same trait, so that neither can do what the other cannot.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`control`], [`view`] | what an owner can do, and is shown |
//! | [`sign_in`] | the password, links, sign-ins and their limits |
//! | `api` | the routes of `/api/v1`, thin, with their `OpenAPI` document |
//! | `events` | what happens, live |
//! | `page` | the page, as it was built from `web/` |
//! | [`server`] | the listener: who may connect, TLS, and how much anybody can take of it |

#![forbid(unsafe_code)]

mod api;
pub mod control;
mod events;
mod names;
mod network;
mod page;
pub mod server;
pub mod sign_in;
pub mod view;

pub use api::{Peer, app, openapi};
pub use names::HostNames;
pub use network::Reach;
