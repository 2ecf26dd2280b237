//! What happens, live.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, request::Parts},
    response::sse::{Event, Sse},
};
use futures_util::Stream;
use serde::Deserialize;

use super::{
    App, Owner,
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

/// The last line of the audit log that a browser saw; it says so by itself when it comes back.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
pub(super) struct Seen {
    /// As `after`, and stronger.
    #[param(rename = "Last-Event-ID", minimum = 0, maximum = 9_007_199_254_740_991.0)]
    last: Option<u64>,
}

impl FromRequestParts<App> for Seen {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let number = |id: &HeaderValue| id.to_str().ok()?.parse().ok();
        let last = parts.headers.get(LAST_EVENT_ID).map(|id| {
            number(id).ok_or_else(|| bad("Last-Event-ID is the number of a line of the audit log."))
        });
        Ok(Self { last: last.transpose()? })
    }
}

/// What happens, live, as server-sent events.
///
/// `audit` is a line of the audit log, with its number as `id`. `changed` names the topics that are to be fetched again,
/// all of them at first. `figures` are the sessions, each second while there are any, and once when the last has ended.
/// `missed` says that there were more lines of the audit log than are repeated here. `alive` comes every five seconds.
/// The stream ends when the sign-in does.
#[utoipa::path(get, path = "/events", tag = "events", params(From, Seen),
    responses((status = 200, content_type = "text/event-stream", body = String)))]
pub(super) async fn events(
    owner: Owner,
    Query(from): Query<From>,
    seen: Seen,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    Sse::new(events_of(owner, seen.last.or(from.after)).await)
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
