//! Who asks, and what that lets them do.
//!
//! The host and the sign-ins cannot be reached from a handler but through these: [`Owner`] is somebody who is signed in,
//! [`ProvedOwner`] one who gave the password a short while ago. A handler that forgets to ask for one does not compile.

use std::{net::SocketAddr, time::Duration};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use pf_base::{DeviceName, Fingerprint};
use tokio::sync::{broadcast, watch};

use super::{App, cookie, error::ApiError};
use crate::{
    control::{ArmFor, AuditFilter, ControlError, Happening},
    sign_in::{Credential, EndError, Found, NewLink, Password, PasswordError, SignInError, Token, Visitor},
    view::{
        Approved, AuditEntry, AuditPage, Device, Pairing, Removed, Request, Session, SignIn, Status, Window,
    },
};

/// From where a connection comes. The listener puts it into each of its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Somebody who is not signed in, and can do nothing but that.
pub(crate) struct Stranger {
    app: App,
    visitor: Visitor,
}

/// Somebody who is signed in.
pub(crate) struct Owner {
    app: App,
    visitor: Visitor,
    found: Found,
}

/// Somebody who is signed in and gave the password, or opened a link, at most a quarter of an hour ago.
pub(crate) struct ProvedOwner(Owner);

impl FromRequestParts<App> for Stranger {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Peer(peer) = *parts.extensions.get().expect("the listener says who connects");
        let user_agent = parts.headers.get(header::USER_AGENT).and_then(|said| said.to_str().ok());
        Ok(Self { app: app.clone(), visitor: Visitor::new(peer.ip(), user_agent) })
    }
}

impl FromRequestParts<App> for Owner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Stranger { app, visitor } = Stranger::from_request_parts(parts, app).await?;
        let found =
            cookie::read(&parts.headers).and_then(|token| app.0.sign_ins.find(&token, visitor.address));
        found.map(|found| Self { app, visitor, found }).ok_or_else(ApiError::signed_out)
    }
}

impl FromRequestParts<App> for ProvedOwner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let owner = Owner::from_request_parts(parts, app).await?;
        if owner.found.is_proved { Ok(Self(owner)) } else { Err(ApiError::proof_needed()) }
    }
}

impl Stranger {
    pub(crate) async fn sign_in(self, credential: Credential) -> Result<(Token, SignIn), SignInError> {
        self.app.0.sign_ins.sign_in(credential, self.visitor).await
    }
}

impl Owner {
    pub(crate) fn sign_in(&self) -> &SignIn {
        &self.found.view
    }

    /// Ends when the sign-in does.
    pub(crate) fn over(&self) -> watch::Receiver<()> {
        self.found.over.clone()
    }

    /// Whether the sign-in still holds.
    pub(crate) fn is_signed_in(&self) -> bool {
        self.app.0.sign_ins.holds(self.found.id)
    }

    /// Ends when the host does.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.app.0.stopping.clone()
    }

    pub(crate) async fn prove(&self, password: Password) -> Result<SignIn, SignInError> {
        self.app.0.sign_ins.prove(self.found.id, password, self.visitor.clone()).await
    }

    pub(crate) async fn sign_out(&self) -> Result<(), EndError> {
        self.app.0.sign_ins.end(self.found.id).await
    }

    pub(crate) fn sign_ins(&self) -> Vec<SignIn> {
        self.app.0.sign_ins.list_for(Some(self.found.id))
    }

    /// Tells when [`Owner::sign_ins`] changes.
    pub(crate) fn sign_in_changes(&self) -> watch::Receiver<()> {
        self.app.0.sign_ins.changes()
    }

    pub(crate) async fn end_sign_in(&self, id: u64) -> Result<(), EndError> {
        self.app.0.sign_ins.end(id).await
    }

    pub(crate) async fn status(&self) -> Result<Status, ControlError> {
        self.app.0.host.status().await
    }

    pub(crate) async fn pairing(&self) -> Result<Pairing, ControlError> {
        self.app.0.host.pairing().await
    }

    pub(crate) async fn disarm(&self) -> Result<(), ControlError> {
        self.app.0.host.disarm().await
    }

    pub(crate) async fn requests(&self) -> Result<Vec<Request>, ControlError> {
        self.app.0.host.requests().await
    }

    pub(crate) async fn deny(&self, request: u32) -> Result<(), ControlError> {
        self.app.0.host.deny(request).await
    }

    pub(crate) async fn devices(&self) -> Result<Vec<Device>, ControlError> {
        self.app.0.host.devices().await
    }

    pub(crate) async fn rename(
        &self,
        fingerprint: Fingerprint,
        label: DeviceName,
    ) -> Result<Device, ControlError> {
        self.app.0.host.rename(fingerprint, label).await
    }

    pub(crate) async fn remove(&self, fingerprint: Fingerprint) -> Result<Removed, ControlError> {
        self.app.0.host.remove(fingerprint).await
    }

    pub(crate) async fn sessions(&self) -> Result<Vec<Session>, ControlError> {
        self.app.0.host.sessions().await
    }

    pub(crate) async fn end_session(&self, id: u64) -> Result<(), ControlError> {
        self.app.0.host.end_session(id).await
    }

    pub(crate) async fn audit(&self, filter: AuditFilter) -> Result<AuditPage, ControlError> {
        self.app.0.host.audit(filter).await
    }

    pub(crate) async fn audit_after(&self, id: u64, limit: u32) -> Result<Vec<AuditEntry>, ControlError> {
        self.app.0.host.audit_after(id, limit).await
    }

    pub(crate) fn watch(&self) -> broadcast::Receiver<Happening> {
        self.app.0.host.watch()
    }
}

impl ProvedOwner {
    pub(crate) async fn arm(&self, target: ArmFor, ttl: Option<Duration>) -> Result<Window, ControlError> {
        self.0.app.0.host.arm(target, ttl).await
    }

    pub(crate) async fn approve(
        &self,
        request: u32,
        label: Option<DeviceName>,
    ) -> Result<Approved, ControlError> {
        self.0.app.0.host.approve(request, label).await
    }

    pub(crate) fn make_link(&self) -> NewLink {
        self.0.app.0.sign_ins.make_link(Some(&self.0.visitor))
    }

    /// Ends all sign-ins but this one.
    pub(crate) async fn change_password(&self, password: Password) -> Result<(), PasswordError> {
        let owner = &self.0;
        owner
            .app
            .0
            .sign_ins
            .change_password(password, Some(owner.found.id), Some(owner.visitor.clone()))
            .await
    }
}

/// The origin of the page that asks; [`guard`](super::guard) saw to its being the console's own.
pub(crate) struct OwnOrigin(pub(crate) String);

impl FromRequestParts<App> for OwnOrigin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        origin(&parts.headers).map(Self).ok_or_else(ApiError::foreign_origin)
    }
}

fn origin(headers: &HeaderMap) -> Option<String> {
    Some(headers.get(header::ORIGIN)?.to_str().ok()?.to_owned())
}
