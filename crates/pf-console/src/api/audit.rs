//! The audit log.

use axum::Json;
use serde::Deserialize;

use super::{
    Owner,
    body::{Query, bad, fingerprint},
    error::ApiError,
};
use crate::{control::AuditFilter, view::AuditPage};

/// Which lines of the audit log to read.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Only lines with smaller numbers: the last of the page before.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991.0)]
    before: Option<u64>,
    /// Only lines of this kind, such as `paired`.
    kind: Option<String>,
    /// Only lines about the device of this fingerprint.
    #[param(pattern = "^[0-9a-fA-F]{64}$")]
    fingerprint: Option<String>,
    /// How many lines; 50 unless told.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// A page of the audit log, newest first.
#[utoipa::path(get, path = "/audit", operation_id = "read_audit", tag = "audit", params(Which), responses((status = 200, body = AuditPage)))]
pub(super) async fn page(owner: Owner, Query(which): Query<Which>) -> Result<Json<AuditPage>, ApiError> {
    let limit = which.limit.unwrap_or(50);
    if !(1..=1000).contains(&limit) {
        return Err(bad("A page has 1 to 1000 lines."));
    }
    let about = which
        .fingerprint
        .map(|text| fingerprint(&text).ok_or_else(|| bad("A fingerprint is 64 hexadecimal digits.")));
    let filter =
        AuditFilter { before: which.before, kind: which.kind, fingerprint: about.transpose()?, limit };
    Ok(Json(owner.audit(filter).await?))
}
