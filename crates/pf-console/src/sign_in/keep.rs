//! What is kept of sign-ins over a restart, as the store of this host does it.

use std::net::IpAddr;

use pf_base::Timestamp;
use pf_store::{ConsoleStore, NewSignIn, PasswordHash, StoreError};

use super::Unsaved;

/// The store, as far as it is used here. Every call blocks until what it says is on disk.
pub(super) trait Keep: Send + 'static {
    /// Replaces the password, and ends all sign-ins but one, in one step.
    fn set_password(&mut self, password: &PasswordHash, keep: Option<u64>) -> Result<(), Unsaved>;
    /// Opens a sign-in, and returns its number: never one that was used before.
    fn sign_in(&mut self, new: &NewSignIn) -> Result<u64, Unsaved>;
    /// Ends sign-ins; one that is not there is ended.
    fn end(&mut self, ids: &[u64], now: Timestamp) -> Result<(), Unsaved>;
    /// A sign-in was used.
    fn used(&mut self, id: u64, at: Timestamp, address: IpAddr) -> Result<(), Unsaved>;
    /// The password was given again.
    fn proved(&mut self, id: u64, at: Timestamp) -> Result<(), Unsaved>;
    /// Keeps a copy of what changed, where something did that matters.
    fn keep_copy(&mut self) -> Result<(), Unsaved>;
}

impl Keep for ConsoleStore {
    fn set_password(&mut self, password: &PasswordHash, keep: Option<u64>) -> Result<(), Unsaved> {
        Ok(self.set_password(password, keep)?)
    }

    fn sign_in(&mut self, new: &NewSignIn) -> Result<u64, Unsaved> {
        Ok(self.sign_in(new)?)
    }

    fn end(&mut self, ids: &[u64], now: Timestamp) -> Result<(), Unsaved> {
        self.end(ids, now)?;
        Ok(())
    }

    fn used(&mut self, id: u64, at: Timestamp, address: IpAddr) -> Result<(), Unsaved> {
        Ok(self.used(id, at, address)?)
    }

    fn proved(&mut self, id: u64, at: Timestamp) -> Result<(), Unsaved> {
        Ok(self.proved(id, at)?)
    }

    fn keep_copy(&mut self) -> Result<(), Unsaved> {
        Ok(self.keep_copy()?)
    }
}

impl From<StoreError> for Unsaved {
    fn from(error: StoreError) -> Self {
        Self { message: sentence(&error.to_string()), way_on: sentence(&error.hint()) }
    }
}

/// A store's words as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).chain(['.']).collect()
}
