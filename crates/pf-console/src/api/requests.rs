//! Devices that wait for approval.

use axum::{Json, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Owner,
    body::{self, Path, label},
    error::ApiError,
    owner::ProvedOwner,
};
use crate::view::{Approved, Refusal, Request};

/// How a device is let in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Approve {
    /// What it is called from now on; unless told, what it calls itself. Made harmless, and cut to 64 bytes.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    label: Option<String>,
}

/// Who waits for approval, in the order in which they asked last.
#[utoipa::path(get, path = "/requests", operation_id = "list_requests", tag = "requests", responses((status = 200, body = [Request])))]
pub(super) async fn list(owner: Owner) -> Result<Json<Vec<Request>>, ApiError> {
    Ok(Json(owner.requests().await?))
}

/// Lets a waiting device in for good.
///
/// Compare the check code first. Needs the password or a link at most 15 minutes ago.
#[utoipa::path(post, path = "/requests/{id}/approve", tag = "requests",
    params(("id" = u32, Path, description = "The request's number", minimum = 0, maximum = 4_294_967_295.0)),
    request_body = Approve,
    responses(
        (status = 200, body = Approved),
        (status = 403, body = Refusal, description = "`proof_needed` or `foreign_origin`"),
        (status = 404, body = Refusal, description = "`no_such_request`"),
    ))]
pub(super) async fn approve(
    owner: ProvedOwner,
    Path(id): Path<u32>,
    body::Json(approve): body::Json<Approve>,
) -> Result<Json<Approved>, ApiError> {
    let label = approve.label.as_deref().map(label).transpose()?;
    Ok(Json(owner.approve(id, label).await?))
}

/// Dismisses a waiting device. It may ask again.
#[utoipa::path(post, path = "/requests/{id}/deny", tag = "requests",
    params(("id" = u32, Path, description = "The request's number", minimum = 0, maximum = 4_294_967_295.0)),
    responses((status = 204), (status = 404, body = Refusal, description = "`no_such_request`")))]
pub(super) async fn deny(owner: Owner, Path(id): Path<u32>) -> Result<StatusCode, ApiError> {
    owner.deny(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
