//! Paired devices.

use axum::Json;
use pf_base::Fingerprint;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Owner,
    body::{self, Path, bad, label},
    error::ApiError,
};
use crate::view::{Device, Refusal, Removed};

/// What a device is called from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rename {
    /// The label. Made harmless, and cut to 64 bytes.
    #[schema(min_length = 1, max_length = 64)]
    label: String,
}

/// The paired devices.
#[utoipa::path(get, path = "/devices", operation_id = "list_devices", tag = "devices", responses((status = 200, body = [Device])))]
pub(super) async fn list(owner: Owner) -> Result<Json<Vec<Device>>, ApiError> {
    Ok(Json(owner.devices().await?))
}

/// Calls a paired device something else.
#[utoipa::path(patch, path = "/devices/{fingerprint}", operation_id = "rename_device", tag = "devices",
    params(("fingerprint" = String, Path, description = "The device's fingerprint", pattern = "^[0-9a-fA-F]{64}$")),
    request_body = Rename,
    responses((status = 200, body = Device), (status = 404, body = Refusal, description = "`no_such_device`")))]
pub(super) async fn rename(
    owner: Owner,
    Path(fingerprint): Path<String>,
    body::Json(rename): body::Json<Rename>,
) -> Result<Json<Device>, ApiError> {
    Ok(Json(owner.rename(parse(&fingerprint)?, label(&rename.label)?).await?))
}

/// Takes a device off the allow-list and cuts its sessions at once.
#[utoipa::path(delete, path = "/devices/{fingerprint}", operation_id = "remove_device", tag = "devices",
    params(("fingerprint" = String, Path, description = "The device's fingerprint", pattern = "^[0-9a-fA-F]{64}$")),
    responses((status = 200, body = Removed), (status = 404, body = Refusal, description = "`no_such_device`")))]
pub(super) async fn remove(owner: Owner, Path(fingerprint): Path<String>) -> Result<Json<Removed>, ApiError> {
    Ok(Json(owner.remove(parse(&fingerprint)?).await?))
}

fn parse(fingerprint: &str) -> Result<Fingerprint, ApiError> {
    body::fingerprint(fingerprint).ok_or_else(|| bad("A fingerprint is 64 hexadecimal digits."))
}
