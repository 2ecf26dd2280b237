//! What a request says, taken apart: its body, path and query, each refused in the one form of the API.

use std::time::Duration;

use axum::{
    body::to_bytes,
    extract::{
        FromRequest, FromRequestParts, Request,
        rejection::{PathRejection, QueryRejection},
    },
    http::{StatusCode, request::Parts},
};
use pf_base::{DeviceName, Fingerprint};
use serde::de::DeserializeOwned;

use super::{App, MAX_BODY, error::ApiError, guard::too_large};

/// A body of JSON; that it is marked as such, the guard has seen to.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &App) -> Result<Self, ApiError> {
        let body = to_bytes(request.into_body(), MAX_BODY);
        let bytes = tokio::time::timeout(BODY_TIMEOUT, body)
            .await
            .map_err(|_| {
                ApiError::usage(StatusCode::REQUEST_TIMEOUT, "The request's body did not arrive in time.")
            })?
            .map_err(|_| too_large())?;
        parse(&bytes).map(Self)
    }
}

/// Reads an object. What reads it would take a list for one as well, field by field.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let refuse = |status, error: serde_json::Error| {
        ApiError::usage(status, format!("The request's body is not as it should be: {error}."))
    };
    let is_list = bytes.trim_ascii_start().starts_with(b"[");
    match serde_json::from_slice(bytes) {
        Err(error) if error.is_data() => Err(refuse(StatusCode::UNPROCESSABLE_ENTITY, error)),
        Err(error) => Err(refuse(StatusCode::BAD_REQUEST, error)),
        Ok(_) if is_list => Err(unprocessable("The request's body is a list, and should be an object.")),
        Ok(body) => Ok(body),
    }
}

/// The parts of a path.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let path = axum::extract::Path::from_request_parts(parts, app).await;
        path.map(|axum::extract::Path(path)| Self(path)).map_err(|error: PathRejection| {
            bad(&format!("The address cannot be read: {}.", error.body_text()))
        })
    }
}

/// The fields of a query.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let query = axum::extract::Query::from_request_parts(parts, app).await;
        query.map(|axum::extract::Query(query)| Self(query)).map_err(|error: QueryRejection| {
            bad(&format!("The query cannot be read: {}.", error.body_text()))
        })
    }
}

/// A fingerprint as the API writes it: 64 hexadecimal digits and nothing between them.
pub(crate) fn fingerprint(text: &str) -> Option<Fingerprint> {
    text.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| text.parse().ok()).flatten()
}

/// A label, made harmless.
pub(crate) fn label(text: &str) -> Result<DeviceName, ApiError> {
    match text.chars().count() {
        1..=MAX_LABEL => Ok(DeviceName::sanitise(text)),
        _ => Err(unprocessable("A label has 1 to 64 characters.")),
    }
}

/// A value in the path or the query is none that can be.
pub(crate) fn bad(what: &str) -> ApiError {
    ApiError::usage(StatusCode::BAD_REQUEST, what)
}

/// A value in the body is none that can be.
pub(crate) fn unprocessable(what: &str) -> ApiError {
    ApiError::usage(StatusCode::UNPROCESSABLE_ENTITY, what)
}

/// How long a body may take to arrive: four kilobytes over any network.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest label, in characters; also in the schemas of what takes one.
const MAX_LABEL: usize = 64;
