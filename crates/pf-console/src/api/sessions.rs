//! Sessions that are on.

use axum::{Json, http::StatusCode};

use super::{Owner, body::Path, error::ApiError};
use crate::view::{Refusal, Session};

/// The sessions that are on.
#[utoipa::path(get, path = "/sessions", operation_id = "list_sessions", tag = "sessions", responses((status = 200, body = [Session])))]
pub(super) async fn list(owner: Owner) -> Result<Json<Vec<Session>>, ApiError> {
    Ok(Json(owner.sessions().await?))
}

/// Cuts one session. Its device stays paired.
#[utoipa::path(delete, path = "/sessions/{id}", operation_id = "end_session", tag = "sessions",
    params(("id" = u64, Path, description = "The session's number", minimum = 0, maximum = 9_007_199_254_740_991.0)),
    responses((status = 204), (status = 404, body = Refusal, description = "`no_such_session`")))]
pub(super) async fn end(owner: Owner, Path(id): Path<u64>) -> Result<StatusCode, ApiError> {
    owner.end_session(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
