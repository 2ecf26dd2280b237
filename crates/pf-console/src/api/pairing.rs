//! The pairing window.

use std::time::Duration;

use axum::{Json, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Owner,
    body::{self, fingerprint, unprocessable},
    error::ApiError,
    owner::ProvedOwner,
};
use crate::{
    control::ArmFor,
    view::{Pairing, Refusal, Window},
};

/// For whom a pairing window is opened, and for how long.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Arm {
    /// Only for the device of this request.
    #[serde(default)]
    #[schema(maximum = 4_294_967_295.0)]
    for_request: Option<u32>,
    /// Only for the device of this fingerprint. Not together with `for_request`.
    #[serde(default)]
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    for_device: Option<String>,
    /// For how many seconds; 120 unless told.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 300)]
    ttl_s: Option<u16>,
}

/// The pairing window with its PIN, and how the last one ended.
#[utoipa::path(get, path = "/pairing", tag = "pairing", responses((status = 200, body = Pairing)))]
pub(super) async fn pairing(owner: Owner) -> Result<Json<Pairing>, ApiError> {
    Ok(Json(owner.pairing().await?))
}

/// Opens a pairing window with a fresh PIN; one that is open is replaced.
///
/// Needs the password or a link at most 15 minutes ago.
#[utoipa::path(post, path = "/pairing/window", tag = "pairing", request_body = Arm, responses(
    (status = 200, body = Window),
    (status = 403, body = Refusal, description = "`proof_needed` or `foreign_origin`"),
    (status = 404, body = Refusal, description = "`no_such_request`"),
    (status = 409, body = Refusal, description = "`always_armed`"),
))]
pub(super) async fn arm(
    owner: ProvedOwner,
    body::Json(arm): body::Json<Arm>,
) -> Result<Json<Window>, ApiError> {
    let target = match (arm.for_request, arm.for_device) {
        (Some(_), Some(_)) => {
            return Err(unprocessable("A window is for a request or for a device, not for both."));
        }
        (Some(request), None) => ArmFor::Request(request),
        (None, Some(device)) => ArmFor::Device(
            fingerprint(&device).ok_or_else(|| unprocessable("A fingerprint is 64 hexadecimal digits."))?,
        ),
        (None, None) => ArmFor::Anyone,
    };
    let ttl = match arm.ttl_s {
        None => None,
        Some(seconds @ 1..=300) => Some(Duration::from_secs(seconds.into())),
        Some(_) => return Err(unprocessable("A window is open for 1 to 300 seconds.")),
    };
    Ok(Json(owner.arm(target, ttl).await?))
}

/// Closes the pairing window.
#[utoipa::path(delete, path = "/pairing/window", tag = "pairing", responses(
    (status = 204),
    (status = 409, body = Refusal, description = "`not_armed` or `always_armed`"),
))]
pub(super) async fn disarm(owner: Owner) -> Result<StatusCode, ApiError> {
    owner.disarm().await?;
    Ok(StatusCode::NO_CONTENT)
}
