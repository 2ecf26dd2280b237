//! What happens, live.

use std::convert::Infallible;

use axum::{
    http::{HeaderMap, HeaderName},
    response::sse::{Event, Sse},
};
use futures_util::Stream;
use serde::Deserialize;

use super::{
    Owner,
    body::{Query, bad},
    error::ApiError,
};
use crate::events::events_of;

/// From where to go on.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct From {
    /// The last line of the audit log that is known: what came after it is sent first.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991.0)]
    after: Option<u64>,
}

/// What happens, live, as server-sent events.
///
/// `audit` is a line of the audit log, with its number as `id`. `changed` names the topics that are to be fetched again,
/// all of them at first. `figures` are the sessions, each second while there are any, and once when the last has ended.
/// `missed` says that there were more lines of the audit log than are repeated here. `alive` comes every five seconds.
/// The stream ends when the sign-in does.
#[utoipa::path(get, path = "/events", tag = "events",
    params(
        From,
        ("Last-Event-ID" = Option<u64>, Header, description = "As `after`; a browser sends it by itself",
            minimum = 0, maximum = 9_007_199_254_740_991.0),
    ),
    responses((status = 200, content_type = "text/event-stream", body = String)))]
pub(super) async fn events(
    owner: Owner,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let last = match headers.get(LAST_EVENT_ID) {
        None => None,
        Some(id) => Some(
            id.to_str()
                .ok()
                .and_then(|id| id.parse().ok())
                .ok_or_else(|| bad("Last-Event-ID is the number of a line of the audit log."))?,
        ),
    };
    Ok(Sse::new(events_of(owner, last.or(from.after)).await))
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
