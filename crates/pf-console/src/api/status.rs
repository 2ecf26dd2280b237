//! The host at a glance.

use axum::Json;

use super::{Owner, error::ApiError};
use crate::view::Status;

/// The host at a glance.
#[utoipa::path(get, path = "/status", tag = "host", responses((status = 200, body = Status)))]
pub(super) async fn status(owner: Owner) -> Result<Json<Status>, ApiError> {
    Ok(Json(owner.status().await?))
}
