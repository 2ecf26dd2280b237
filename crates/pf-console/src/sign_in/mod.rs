//! Who is signed in to the console, and how one gets in: with the password, or with a one-time link.
//!
//! What decides is pure and beside this: `limits` how often a password may be tried, `links` which links are good,
//! `book` which sign-ins are open. [`SignIns`] puts them together with the store, the clock and chance.
//!
//! Three rules hold throughout. A try is counted before the password is looked at. A sign-in is stored before it holds,
//! and over before its end is stored. And whatever was begun is finished, also when the
//! browser that asked for it is gone: nobody escapes the audit log by hanging up.

mod book;
mod browser;
mod entry;
mod limits;
mod links;
mod password;
mod token;
mod upkeep;

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use pf_base::Timestamp;
use pf_store::{ConsoleLoaded, ConsoleStore, PasswordHash, SignInRow, StoreError};
use tokio::sync::{Semaphore, watch};

pub use self::password::{Password, WeakPassword};
pub(crate) use self::{book::MAX_AGE, entry::Credential, token::Token};
use self::{
    book::{Book, Open},
    limits::Limits,
    links::Links,
    password::Hashed,
    token::TokenHash,
};
use crate::{
    control::{ConsoleEvent, ConsoleNote, HostControl},
    view,
};

/// Tells the time. It never runs backwards within one run.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The sign-ins of a running host; clones are handles to the same.
///
/// Its methods are called from within a tokio runtime.
#[derive(Clone)]
pub struct SignIns(Arc<Inner>);

struct Inner {
    /// Taken before `state` by whatever changes both, and only where blocking is fine.
    store: Mutex<ConsoleStore>,
    state: Mutex<State>,
    /// Each look at a password takes 19 MiB and a processor.
    looks: Arc<Semaphore>,
    host: Arc<dyn HostControl>,
    clock: Clock,
    changes: watch::Sender<()>,
}

struct State {
    password: Hashed,
    /// Another one with each password: what began under an old one comes to nothing.
    password_number: u64,
    limits: Limits,
    links: Links,
    book: Book,
    /// Sign-ins that are over, and that the store could not be told of yet.
    unsaved_ends: Vec<u64>,
}

/// Who asks for something, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// From where.
    pub address: IpAddr,
    /// With what, in a few words.
    pub browser: String,
}

/// A sign-in as a request finds it.
pub(crate) struct Found {
    pub(crate) id: u64,
    pub(crate) is_proved: bool,
    pub(crate) view: view::SignIn,
    pub(crate) over: watch::Receiver<()>,
}

/// A link that was just made.
pub struct NewLink {
    token: Token,
    /// How long it is good for.
    pub good_for: Duration,
}

impl NewLink {
    /// The link, for a console at an origin such as `https://host:9777`. Its secret is in the fragment: in no request
    /// line, no log and no `Referer`.
    pub fn url(&self, origin: &str) -> String {
        format!("{origin}/#link={}", self.token.reveal().as_str())
    }
}

/// Why somebody is not signed in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignInError {
    /// The password is another one.
    #[error("wrong password")]
    WrongPassword,
    /// The link is unknown, used or old.
    #[error("link unknown, used or old")]
    LinkUsed,
    /// The password was tried too often.
    #[error("tried too often")]
    Wait(Duration),
    /// The sign-in that was to be proved is over.
    #[error("signed out")]
    SignedOut,
    /// It could not be stored.
    #[error(transparent)]
    Unsaved(#[from] Unsaved),
}

/// Why a sign-in is not ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndError {
    /// There is none of that number.
    #[error("no such sign-in is open")]
    NoSuchSignIn,
    /// It is over, and would be open again after a restart.
    #[error(transparent)]
    InForceButUnsaved(Unsaved),
}

/// Why the password is the old one still.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// The new one will not do.
    #[error(transparent)]
    Weak(#[from] WeakPassword),
    /// It could not be stored.
    #[error(transparent)]
    Unsaved(#[from] Unsaved),
}

/// The store could not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unsaved {
    /// What is wrong, as a sentence.
    pub message: String,
    /// What to do, as a sentence.
    pub way_on: String,
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

/// Why the sign-ins cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// What is stored as the hash of the password is none.
    #[error("The stored hash of the console's password cannot be read.")]
    BrokenPassword,
    /// The store could not be written.
    #[error(transparent)]
    Unsaved(#[from] Unsaved),
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Unsaved(error.into())
    }
}

impl OpenError {
    /// What to do, as a sentence.
    pub fn way_on(&self) -> &str {
        match self {
            Self::BrokenPassword => {
                "Run again with --restore, or move console.sqlite and its copies aside: the host then makes a new \
                 password."
            }
            Self::Unsaved(unsaved) => &unsaved.way_on,
        }
    }
}

impl SignIns {
    /// Goes on from what was stored. Where there is no password yet, one is made and returned: to be shown once.
    ///
    /// Blocks: for some tenths of a second at first start. To be called within a tokio runtime all the same.
    pub fn open(
        mut store: ConsoleStore,
        loaded: ConsoleLoaded,
        host: Arc<dyn HostControl>,
        clock: Clock,
    ) -> Result<(Self, Option<Password>), OpenError> {
        let now = clock();
        let (password, first) = if let Some(stored) = loaded.password {
            (Hashed::parse(&stored.phc).ok_or(OpenError::BrokenPassword)?, None)
        } else {
            let first = Password::generate(&random());
            let hashed = first.hash(&random());
            store.set_password(&PasswordHash { phc: hashed.to_phc(), set_at: now }, None)?;
            (hashed, Some(first))
        };
        let mut book = Book::default();
        let surplus = loaded.sign_ins.iter().flat_map(|row| book.add(reopened(row, now)));
        let surplus: Vec<_> = surplus.map(|open| open.id).collect();
        store.end(&surplus, now)?;
        let state = State {
            password,
            password_number: 0,
            limits: Limits::default(),
            links: Links::default(),
            book,
            unsaved_ends: Vec::new(),
        };
        let inner = Inner {
            store: Mutex::new(store),
            state: Mutex::new(state),
            looks: Arc::new(Semaphore::new(LOOKS_AT_ONCE)),
            host,
            clock,
            changes: watch::Sender::new(()),
        };
        let this = Self(Arc::new(inner));
        this.keep_copy();
        Ok((this, first))
    }

    /// Tells when the list of sign-ins changes.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.0.changes.subscribe()
    }

    fn tell_changed(&self) {
        self.0.changes.send_replace(());
    }

    fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks while it is being written.
    fn store(&self) -> MutexGuard<'_, ConsoleStore> {
        self.0.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something that blocks, where that is fine.
    async fn blocking<T: Send + 'static>(&self, act: impl FnOnce(&Self) -> T + Send + 'static) -> T {
        let this = self.clone();
        finish_blocking(move || act(&this)).await
    }

    /// Keeps a copy of the store, after what a restore must not undo.
    fn keep_copy(&self) {
        self.in_background("keep a copy of the console's store", ConsoleStore::keep_copy);
    }

    /// Stores that sign-ins are over, with those that could not be stored before.
    fn store_ends(&self, store: &mut ConsoleStore, ids: &[u64]) -> Result<(), StoreError> {
        let mut ends = self.state().unsaved_ends.clone();
        ends.extend(ids);
        if ends.is_empty() {
            return Ok(());
        }
        let stored = store.end(&ends, self.now());
        self.state().unsaved_ends = if stored.is_ok() { Vec::new() } else { ends };
        stored.map(drop)
    }

    /// Writes something that nobody waits for, and that may be lost.
    fn in_background(
        &self,
        what: &'static str,
        write: impl FnOnce(&mut ConsoleStore) -> Result<(), StoreError> + Send + 'static,
    ) {
        let this = self.clone();
        drop(tokio::task::spawn_blocking(move || {
            let mut store = this.store();
            if let Err(error) = this.store_ends(&mut store, &[]).and_then(|()| write(&mut store)) {
                tracing::warn!(%error, "cannot {what}");
            }
        }));
    }
}

/// A sign-in after a restart. A clock that was set back since makes nothing fresher than it is.
fn reopened(row: &SignInRow, now: Timestamp) -> Open {
    Open {
        id: row.id,
        hash: TokenHash(row.token_hash),
        browser: row.browser.to_string(),
        address: row.address,
        by: row.by,
        signed_in_at: row.signed_in_at.min(now),
        last_used_at: row.last_used_at.min(now),
        proved_at: Some(row.proved_at).filter(|at| *at <= now),
        stored_used_at: row.last_used_at.min(now),
        over: watch::Sender::new(()),
    }
}

/// Carries something through to its end, also when nobody waits for it any more.
async fn finish<T: Send + 'static>(act: impl Future<Output = T> + Send + 'static) -> T {
    joined(tokio::spawn(act).await)
}

/// The same for what blocks.
async fn finish_blocking<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    joined(tokio::task::spawn_blocking(act).await)
}

/// A panic goes on where it was waited for.
fn joined<T>(ended: Result<T, tokio::task::JoinError>) -> T {
    ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// So many fresh random bytes.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has randomness");
    bytes
}

/// How many passwords are looked at side by side: two take 38 MiB, and leave processors to the stream.
const LOOKS_AT_ONCE: usize = 2;
