//! What survives a restart: identity files, and the trust stores of host and client.
//!
//! Everything lives in one directory that only its owner may enter ([`DataDir`]):
//!
//! | file | what it is |
//! | --- | --- |
//! | `identity.pem` | the key and certificate of this install |
//! | `host.sqlite`, `client.sqlite` | the trust store of a host, of a client |
//! | `console.sqlite` | the password of a host's console, and who is signed in to it |
//! | `backup/` | verified copies of all of these; its being there says that they once were |
//! | `host.lock`, `client.lock`, `console.lock`, `setup.lock` | empty; held while a store is open, and while files are made or checked |
//! | `*.broken-<ms>` | what [`HostStore::restore`] and its like set aside; nothing here is ever deleted but old copies |
//!
//! The one rule is that **a file that was there is never silently replaced by an empty one**. What is missing,
//! truncated, altered, newer than this program or open to others is a [`StoreError`] that names the file, says why
//! and how to go on, and nothing is touched until a person asks for it.
//!
//! Everything here blocks; call it from a thread that may.

#![forbid(unsafe_code)]

mod client;
mod console;
mod copies;
mod data_dir;
mod database;
mod error;
mod host;
pub mod identity;
mod private_file;
mod words;

pub use client::{ClientStore, HostFacts, HostState, KnownHost, PinError, SpendError, comparable_name};
pub use console::{ConsoleLoaded, ConsoleStore, NewSignIn, PasswordHash, SignInRow, SignedInBy};
pub use data_dir::{DataDir, default_data_dir};
pub use error::{DatabaseFault, IdentityFault, StoreError};
pub use host::{AuditQuery, AuditRow, HostStore, Loaded};

use std::path::PathBuf;

use pf_base::Timestamp;

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// When the copy was made that is in place now. What changed after that is lost.
    pub from: Timestamp,
    /// Where the broken files are now, with their secrets still in them.
    pub set_aside: Vec<PathBuf>,
}
