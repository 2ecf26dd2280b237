//! Getting in, proving the password again, and being found by one's cookie.

use std::{net::IpAddr, sync::Arc, time::Duration};

use pf_base::DeviceName;
use pf_store::{NewSignIn, SignedInBy};
use tokio::sync::watch;

use super::{
    Found, Password, SignInError, SignIns, Token, Unsaved, Visitor, book::Open, browser, finish,
    finish_blocking, limits::Wait, random,
};
use crate::{control::ConsoleEvent, view};

/// What somebody signs in with.
pub(crate) enum Credential {
    Password(Password),
    /// A link's secret; `None` for what cannot be one.
    Link(Option<Token>),
}

/// That somebody gave the password, or a link that was good: of which password it was a proof.
struct Proof {
    by: SignedInBy,
    password_number: u64,
}

impl SignIns {
    /// Signs somebody in. The token is for the cookie.
    pub(crate) async fn sign_in(
        &self,
        credential: Credential,
        visitor: Visitor,
    ) -> Result<(Token, view::SignIn), SignInError> {
        let this = self.clone();
        finish(async move {
            let proof = match credential {
                Credential::Password(password) => this.look_at(password, &visitor).await?,
                Credential::Link(token) => this.spend_link(token, &visitor)?,
            };
            this.blocking(move |this| this.admit(&proof, &visitor)).await
        })
        .await
    }

    /// Takes the password again, so that what needs a fresh one can be done.
    pub(crate) async fn prove(
        &self,
        id: u64,
        password: Password,
        visitor: Visitor,
    ) -> Result<view::SignIn, SignInError> {
        let this = self.clone();
        finish(async move {
            let proof = this.look_at(password, &visitor).await?;
            this.blocking(move |this| this.renew(id, &proof)).await
        })
        .await
    }

    /// The sign-in that a cookie belongs to, which is used by this.
    pub(crate) fn find(&self, token: &Token, from: IpAddr) -> Option<Found> {
        self.sweep();
        let now = self.now();
        let mut state = self.state();
        let open = state.book.find(token.hash())?;
        let is_to_store = now.since(open.stored_used_at) >= STORE_USE_EVERY || open.address != from;
        open.last_used_at = now;
        open.address = from;
        let found = Found {
            id: open.id,
            is_proved: open.is_proved(now),
            view: open.view(Some(open.id), now),
            over: open.over.subscribe(),
        };
        if is_to_store {
            open.stored_used_at = now;
        }
        drop(state);
        if is_to_store {
            let id = found.id;
            self.in_background("note that a sign-in was used", move |store| store.used(id, now, from));
        }
        Some(found)
    }

    /// Looks at a password, where one may be tried now.
    async fn look_at(&self, password: Password, visitor: &Visitor) -> Result<Proof, SignInError> {
        let (granted, hashed, password_number) = {
            let now = self.now();
            let mut state = self.state();
            let granted = state
                .limits
                .begin(visitor.address, now)
                .map_err(|Wait(duration)| SignInError::Wait(duration))?;
            (granted, state.password.clone(), state.password_number)
        };
        let seat = Arc::clone(&self.0.looks).acquire_owned().await.expect("it is never closed");
        let is_right = finish_blocking(move || {
            let is_right = hashed.is_of(&password);
            drop(seat);
            is_right
        })
        .await;
        if !is_right {
            self.note(ConsoleEvent::SignInFailed, Some(visitor));
            return Err(SignInError::WrongPassword);
        }
        self.state().limits.right(&granted);
        Ok(Proof { by: SignedInBy::Password, password_number })
    }

    /// Spends a link, whatever comes of it.
    fn spend_link(&self, token: Option<Token>, visitor: &Visitor) -> Result<Proof, SignInError> {
        let now = self.now();
        let mut state = self.state();
        if token.is_some_and(|token| state.links.spend(token.hash(), now)) {
            return Ok(Proof { by: SignedInBy::Link, password_number: state.password_number });
        }
        let is_worth_a_line = state.limits.note_wrong_link(now);
        drop(state);
        if is_worth_a_line {
            self.note(ConsoleEvent::SignInFailed, Some(visitor));
        }
        Err(SignInError::LinkUsed)
    }

    /// Stores a sign-in, then lets it hold. Blocks.
    fn admit(&self, proof: &Proof, visitor: &Visitor) -> Result<(Token, view::SignIn), SignInError> {
        let mut store = self.store();
        self.still_proves(proof)?;
        let now = self.now();
        let token = Token::new(random());
        let new = NewSignIn {
            token_hash: token.hash().0,
            browser: DeviceName::sanitise(&visitor.browser),
            address: visitor.address,
            by: proof.by,
            at: now,
        };
        let id = store.sign_in(&new).map_err(Unsaved::from)?;
        let open = Open {
            id,
            hash: token.hash(),
            browser: visitor.browser.clone(),
            address: visitor.address,
            by: proof.by,
            signed_in_at: now,
            last_used_at: now,
            proved_at: Some(now),
            stored_used_at: now,
            over: watch::Sender::new(()),
        };
        let shown = open.view(Some(id), now);
        let surplus = self.state().book.add(open);
        let surplus_ids: Vec<_> = surplus.iter().map(|open| open.id).collect();
        if let Err(error) = self.store_ends(&mut store, &surplus_ids) {
            tracing::warn!(%error, "cannot store that a sign-in made room for another");
        }
        drop(store);
        self.note(ConsoleEvent::SignedIn, Some(visitor));
        self.tell_ended(&surplus);
        self.tell_changed();
        Ok((token, shown))
    }

    /// Notes a fresh proof. Blocks.
    fn renew(&self, id: u64, proof: &Proof) -> Result<view::SignIn, SignInError> {
        let mut store = self.store();
        self.still_proves(proof)?;
        let now = self.now();
        let shown = {
            let mut state = self.state();
            let open = state.book.by_id(id).ok_or(SignInError::SignedOut)?;
            open.proved_at = Some(now);
            open.view(Some(id), now)
        };
        // It holds for a quarter of an hour: that a restart may forget it is no reason to refuse.
        if let Err(error) = store.proved(id, now) {
            tracing::warn!(%error, "cannot store that the console's password was given");
        }
        Ok(shown)
    }

    /// Whether the password is still the one that was proved. Under the store's lock, where alone it changes.
    fn still_proves(&self, proof: &Proof) -> Result<(), SignInError> {
        match proof.by {
            _ if self.state().password_number == proof.password_number => Ok(()),
            SignedInBy::Password => Err(SignInError::WrongPassword),
            SignedInBy::Link => Err(SignInError::LinkUsed),
        }
    }
}

impl Visitor {
    /// Who sent a request from an address, with these words about itself.
    pub(crate) fn new(address: IpAddr, user_agent: Option<&str>) -> Self {
        Self { address: address.to_canonical(), browser: browser::name(user_agent) }
    }
}

/// How often the use of a sign-in is stored: each is a write to disk.
const STORE_USE_EVERY: Duration = Duration::from_mins(1);
