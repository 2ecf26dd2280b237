//! Signing in, and what an owner does with sign-ins.

use axum::{
    Json,
    http::{StatusCode, header},
    response::{AppendHeaders, IntoResponse},
};
use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::{
    Owner,
    body::{self, Path, unprocessable},
    cookie,
    error::ApiError,
    owner::{OwnOrigin, ProvedOwner, Stranger},
};
use crate::{
    sign_in::{Credential, Password, Token},
    view::{Refusal, SignIn, SignInLink},
};

/// What to sign in with: one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(min_properties = 1, max_properties = 1)]
pub(super) struct SigningIn {
    /// The password.
    #[serde(default)]
    #[schema(value_type = String, required = false, max_length = 128)]
    password: Option<Zeroizing<String>>,
    /// The secret of a one-time link: what follows `#link=`.
    #[serde(default)]
    #[schema(value_type = String, required = false, max_length = 64)]
    link: Option<Zeroizing<String>>,
}

/// A password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GivenPassword {
    /// The password.
    #[schema(value_type = String, max_length = 128)]
    password: Zeroizing<String>,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    /// The new password: 10 to 128 characters, not one over and over, and not the host's name.
    #[schema(value_type = String, min_length = 10, max_length = 128)]
    password: Zeroizing<String>,
}

/// Signs in, with the password or a one-time link.
///
/// The answer sets the cookie that all else needs. A link is spent by this, whatever comes of it.
#[utoipa::path(post, path = "/sign-in", tag = "sign-in", request_body = SigningIn, security(()), responses(
    (status = 200, body = SignIn, headers(("Set-Cookie" = String, description = "`__Host-punktfunk`, for 30 days"))),
    (status = 401, body = Refusal, description = "`wrong_password` or `link_used`"),
    (status = 429, body = Refusal, description = "`rate_limited`",
        headers(("Retry-After" = u64, description = "After how many seconds another try makes sense"))),
))]
pub(super) async fn sign_in(
    stranger: Stranger,
    body::Json(signing_in): body::Json<SigningIn>,
) -> Result<impl IntoResponse, ApiError> {
    let credential = match (signing_in.password, signing_in.link) {
        (Some(password), None) => Credential::Password(Password::typed(&password)),
        (None, Some(link)) => Credential::Link(Token::parse(&link)),
        _ => return Err(unprocessable("Sign in with a password or with a link: one of the two.")),
    };
    let (token, sign_in) = stranger.sign_in(credential).await?;
    Ok((AppendHeaders([(header::SET_COOKIE, cookie::set(&token))]), Json(sign_in)))
}

/// The sign-in that asks.
#[utoipa::path(get, path = "/sign-in", operation_id = "current_sign_in", tag = "sign-in", responses((status = 200, body = SignIn)))]
pub(super) async fn current(owner: Owner) -> Json<SignIn> {
    Json(owner.sign_in().clone())
}

/// Signs out.
#[utoipa::path(delete, path = "/sign-in", tag = "sign-in", responses(
    (status = 204, headers(("Set-Cookie" = String, description = "Takes the cookie away"))),
    (status = 404, body = Refusal, description = "`no_such_sign_in`: another request ended it meanwhile"),
))]
pub(super) async fn sign_out(owner: Owner) -> Result<impl IntoResponse, ApiError> {
    owner.sign_out().await?;
    Ok((StatusCode::NO_CONTENT, AppendHeaders([(header::SET_COOKIE, cookie::clear())])))
}

/// Gives the password again, for what needs a fresh one.
#[utoipa::path(post, path = "/proof", tag = "sign-in", request_body = GivenPassword, responses(
    (status = 200, body = SignIn),
    (status = 401, body = Refusal, description = "`signed_out` or `wrong_password`"),
    (status = 429, body = Refusal, description = "`rate_limited`",
        headers(("Retry-After" = u64, description = "After how many seconds another try makes sense"))),
))]
pub(super) async fn prove(
    owner: Owner,
    body::Json(given): body::Json<GivenPassword>,
) -> Result<Json<SignIn>, ApiError> {
    Ok(Json(owner.prove(Password::typed(&given.password)).await?))
}

/// The open sign-ins, most recently used first.
#[utoipa::path(get, path = "/sign-ins", operation_id = "list_sign_ins", tag = "sign-in", responses((status = 200, body = [SignIn])))]
pub(super) async fn list(owner: Owner) -> Json<Vec<SignIn>> {
    Json(owner.sign_ins())
}

/// Ends a sign-in at once, and the streams that it has open.
#[utoipa::path(delete, path = "/sign-ins/{id}", operation_id = "end_sign_in", tag = "sign-in",
    params(("id" = u64, Path, description = "The sign-in's number", minimum = 0, maximum = 9_007_199_254_740_991.0)),
    responses((status = 204), (status = 404, body = Refusal, description = "`no_such_sign_in`")))]
pub(super) async fn end(owner: Owner, Path(id): Path<u64>) -> Result<StatusCode, ApiError> {
    owner.end_sign_in(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a one-time link, to sign in on another device.
///
/// Needs the password or a link at most 15 minutes ago.
#[utoipa::path(post, path = "/sign-in-links", tag = "sign-in", responses(
    (status = 200, body = SignInLink),
    (status = 403, body = Refusal, description = "`proof_needed` or `foreign_origin`"),
))]
pub(super) async fn make_link(owner: ProvedOwner, OwnOrigin(origin): OwnOrigin) -> Json<SignInLink> {
    let link = owner.make_link();
    Json(SignInLink { url: link.url(&origin), expires_in_s: link.good_for.as_secs() })
}

/// Sets a new password, and ends all other sign-ins.
///
/// Needs the password or a link at most 15 minutes ago.
#[utoipa::path(put, path = "/password", tag = "sign-in", request_body = NewPassword, responses(
    (status = 204),
    (status = 403, body = Refusal, description = "`proof_needed` or `foreign_origin`"),
    (status = 422, body = Refusal, description = "`weak_password`, or `usage`: a value in the body cannot be"),
))]
pub(super) async fn change_password(
    owner: ProvedOwner,
    body::Json(new): body::Json<NewPassword>,
) -> Result<StatusCode, ApiError> {
    owner.change_password(Password::typed(&new.password)).await?;
    Ok(StatusCode::NO_CONTENT)
}
