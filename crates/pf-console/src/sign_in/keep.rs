//! Where sign-ins are kept over a restart.

use std::net::IpAddr;

use pf_base::Timestamp;

use super::{Unsaved, token::TokenHash};
use crate::view::SignedInBy;

/// Keeps the password's hash and the open sign-ins. Every call blocks until what it says is on disk.
pub trait Keep: Send + 'static {
    /// Replaces the password, and ends all sign-ins but one, in one step.
    fn set_password(&mut self, phc: &str, keep: Option<u64>) -> Result<(), Unsaved>;
    /// Opens a sign-in, and returns its number: never one that was used before.
    fn sign_in(&mut self, new: &Kept) -> Result<u64, Unsaved>;
    /// Ends a sign-in; one that is not there is ended.
    fn end(&mut self, id: u64) -> Result<(), Unsaved>;
    /// A sign-in was used.
    fn used(&mut self, id: u64, at: Timestamp) -> Result<(), Unsaved>;
    /// The password was given again.
    fn proved(&mut self, id: u64, at: Timestamp) -> Result<(), Unsaved>;
}

/// A sign-in as it is kept: of the cookie, only the hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The SHA-256 of the cookie's secret.
    pub hash: TokenHash,
    /// The browser, in a few words.
    pub browser: String,
    /// From where.
    pub address: IpAddr,
    /// How.
    pub by: SignedInBy,
    /// When.
    pub signed_in_at: Timestamp,
}
