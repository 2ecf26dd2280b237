//! What an owner does with sign-ins: list and end them, make links, change the password.

use pf_store::PasswordHash;

use super::{
    ConsoleEvent, ConsoleNote, EndError, NewLink, Open, Password, PasswordError, SignIns, Token, Unsaved,
    Visitor, finish, finish_blocking, links, random,
};
use crate::view;

impl SignIns {
    /// The open sign-ins, most recently used first.
    #[expect(clippy::unused_async, reason = "all that an owner does with sign-ins is awaited")]
    pub async fn list(&self) -> Vec<view::SignIn> {
        self.list_for(None)
    }

    /// Ends a sign-in at once, and everything that it has open.
    pub async fn end(&self, id: u64) -> Result<(), EndError> {
        self.sweep();
        let this = self.clone();
        finish(async move { this.blocking(move |this| this.end_and_store(id)).await }).await
    }

    /// Makes a link that signs in whoever opens it first. `visitor` is who asked; none for the command line.
    pub fn make_link(&self, visitor: Option<&Visitor>) -> NewLink {
        let token = Token::new(random());
        let now = self.now();
        self.state().links.add(token.hash(), now);
        self.note(ConsoleEvent::LinkMade, visitor);
        NewLink { token, good_for: links::GOOD_FOR }
    }

    /// Makes a new password, and ends all sign-ins.
    pub async fn reset_password(&self) -> Result<Password, Unsaved> {
        let password = Password::generate(&random());
        let kept = Password::typed(password.reveal());
        self.replace_password(kept, None, None).await?;
        Ok(password)
    }

    /// Sets the password, and ends all sign-ins.
    pub async fn set_password(&self, text: &str) -> Result<(), PasswordError> {
        self.change_password(Password::typed(text), None, None).await
    }

    /// Sets the password, and ends all sign-ins but that one.
    pub(crate) async fn change_password(
        &self,
        password: Password,
        keep: Option<u64>,
        visitor: Option<Visitor>,
    ) -> Result<(), PasswordError> {
        password.check(&self.0.host.facts().host_name)?;
        Ok(self.replace_password(password, keep, visitor).await?)
    }

    /// The same list, with the one that asks flagged.
    pub(crate) fn list_for(&self, current: Option<u64>) -> Vec<view::SignIn> {
        self.sweep();
        let now = self.now();
        self.state().book.list(current, now)
    }

    /// Whether a sign-in still holds; to ask so is no use of it.
    pub(crate) fn holds(&self, id: u64) -> bool {
        self.sweep();
        self.state().book.by_id(id).is_some()
    }

    async fn replace_password(
        &self,
        password: Password,
        keep: Option<u64>,
        visitor: Option<Visitor>,
    ) -> Result<(), Unsaved> {
        let this = self.clone();
        finish(async move {
            let hashed = finish_blocking(move || password.hash(&random())).await;
            this.blocking(move |this| {
                let mut store = this.store();
                let set_at = this.now();
                store.set_password(&PasswordHash { phc: hashed.to_phc(), set_at }, keep)?;
                let ended = {
                    let mut state = this.state();
                    state.password = hashed;
                    state.password_number += 1;
                    state.links.clear();
                    state.book.end_all_but(keep)
                };
                drop(store);
                this.keep_copy();
                this.note(ConsoleEvent::PasswordChanged, visitor.as_ref());
                this.tell_ended(&ended);
                Ok(())
            })
            .await
        })
        .await
    }

    /// Blocks.
    fn end_and_store(&self, id: u64) -> Result<(), EndError> {
        let mut store = self.store();
        let ended = self.state().book.end(id).ok_or(EndError::NoSuchSignIn)?;
        let stored = self.store_ends(&mut store, &[id]);
        drop(store);
        self.keep_copy();
        self.tell_ended(&[ended]);
        stored.map_err(|error| EndError::InForceButUnsaved(error.into()))
    }

    /// Ends what has expired.
    pub(super) fn sweep(&self) {
        let now = self.now();
        let expired = self.state().book.expire(now);
        if expired.is_empty() {
            return;
        }
        self.state().unsaved_ends.extend(expired.iter().map(|open| open.id));
        self.in_background("forget expired sign-ins", |_| Ok(()));
        self.tell_ended(&expired);
    }

    /// Puts ends into the audit log: of whom, not by whom.
    pub(super) fn tell_ended(&self, ended: &[Open]) {
        for open in ended {
            let visitor = Visitor { address: open.address, browser: open.browser.clone() };
            self.note(ConsoleEvent::SignInEnded, Some(&visitor));
        }
        if !ended.is_empty() {
            self.tell_changed();
        }
    }

    pub(super) fn note(&self, what: ConsoleEvent, visitor: Option<&Visitor>) {
        self.0.host.note(ConsoleNote {
            what,
            address: visitor.map(|visitor| visitor.address),
            browser: visitor.map(|visitor| visitor.browser.clone()),
        });
    }
}
