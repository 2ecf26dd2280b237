//! What every request goes through before anything looks at it, and every answer before it leaves.
//!
//! In this order: the machine has to be called by a name of its own (against DNS rebinding), a change has to come from
//! the console's own page (against cross-site requests), and a body has to be small and JSON. A handler that breaks is a
//! 500 and no more. Every answer carries the headers that keep a browser strict.

use std::panic::AssertUnwindSafe;

use axum::{
    body::HttpBody,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;

use super::{App, MAX_BODY, error::ApiError};

/// The middleware around everything.
pub(super) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_api = is_api(request.uri());
    let mut response = match check(&app, &request) {
        Ok(()) => AssertUnwindSafe(next.run(request))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| refuse(ApiError::internal(), is_api)),
        Err(error) => refuse(error, is_api),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_api || !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// Whether something is asked of the API rather than of the page.
pub(super) fn is_api(uri: &Uri) -> bool {
    uri.path() == "/api" || uri.path().starts_with("/api/")
}

fn refuse(error: ApiError, is_api: bool) -> Response {
    if is_api { error.into_response() } else { error.into_text() }
}

fn check(app: &App, request: &Request) -> Result<(), ApiError> {
    let host = host(request.uri(), request.headers()).ok_or_else(ApiError::foreign_host)?;
    if !app.names().admit(host) {
        return Err(ApiError::foreign_host());
    }
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    if !is_own_page(request.headers(), host) {
        return Err(ApiError::foreign_origin());
    }
    check_body(request)
}

/// The name that a request calls this machine by: one, whichever way HTTP says it.
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let mut given = headers.get_all(header::HOST).iter();
    let in_header = match (given.next(), given.next()) {
        (Some(host), None) => Some(host.to_str().ok()?),
        (None, _) => None,
        (Some(_), Some(_)) => return None,
    };
    match (uri.authority(), in_header) {
        (Some(authority), Some(host)) if !authority.as_str().eq_ignore_ascii_case(host) => None,
        (Some(authority), _) => Some(authority.as_str()),
        (None, host) => host,
    }
}

/// Whether a change is asked for by the console's own page. A browser says from where, and a page cannot make it lie.
fn is_own_page(headers: &HeaderMap, host: &str) -> bool {
    let is_origin = |origin: &HeaderValue| {
        origin.to_str().ok().and_then(|origin| origin.strip_prefix("https://")) == Some(host)
    };
    let mut origins = headers.get_all(header::ORIGIN).iter().peekable();
    origins.peek().is_some()
        && origins.all(is_origin)
        && headers.get_all(SEC_FETCH_SITE).iter().all(|site| site == "same-origin")
}

/// Whether a body is one that a handler may read, also where none does.
fn check_body(request: &Request) -> Result<(), ApiError> {
    let body = request.body();
    if body.is_end_stream() {
        return Ok(());
    }
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(too_large());
    }
    let is_json = request.headers().get(header::CONTENT_TYPE).is_some_and(|content_type| {
        let essence = content_type.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("application/json")
    });
    if is_json {
        Ok(())
    } else {
        Err(ApiError::usage(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The request's body is not marked as application/json.",
        ))
    }
}

/// The body is more than anybody needs to send.
pub(super) fn too_large() -> ApiError {
    ApiError::usage(StatusCode::PAYLOAD_TOO_LARGE, "The request's body is larger than 4 KiB.")
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What every answer says. `Strict-Transport-Security` is not there on purpose: with a certificate of the host's own it
/// would take the way past the browser's warning from the owner.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), \
         microphone=(), midi=(), payment=(), usb=(), clipboard-read=(), clipboard-write=(self)",
    ),
    (header::X_FRAME_OPTIONS, "DENY"),
];
