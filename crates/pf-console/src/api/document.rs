//! The document that describes the API, for scripts and for the page's own types.

use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::{
        Content, HttpMethod, Ref, RefOr, Response, ResponseBuilder,
        path::Operation,
        security::{ApiKey, ApiKeyValue, SecurityScheme},
    },
};

use super::{Owner, cookie, routes};
use crate::view::Refusal;

/// The `OpenAPI` document of the console, as JSON.
///
/// # Panics
///
/// Never: a document is plain JSON.
pub fn openapi() -> String {
    let mut document = routes().into_openapi();
    for item in document.paths.paths.values_mut() {
        let operations = [
            (HttpMethod::Get, &mut item.get),
            (HttpMethod::Post, &mut item.post),
            (HttpMethod::Put, &mut item.put),
            (HttpMethod::Patch, &mut item.patch),
            (HttpMethod::Delete, &mut item.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                add_common_answers(operation, method != HttpMethod::Get);
            }
        }
    }
    let mut json = document.to_pretty_json().expect("a document is plain JSON");
    json.push('\n');
    json
}

/// The document itself.
#[utoipa::path(get, path = "/openapi.json", operation_id = "openapi", tag = "host", responses(
    (status = 200, content_type = "application/json", body = serde_json::Value),
))]
pub(super) async fn document(_: Owner) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], openapi())
}

/// What the document says besides the routes.
pub(super) fn frame() -> utoipa::openapi::OpenApi {
    Frame::openapi()
}

/// What every route can answer, and what the rules that all go through make of it.
fn add_common_answers(operation: &mut Operation, is_change: bool) {
    let has_body = operation.request_body.is_some();
    let has_parameters = operation.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty());
    let is_public = operation.security.is_some();
    let mut answers = vec![
        (StatusCode::MISDIRECTED_REQUEST, "`foreign_host`: the `Host` is none of this machine's names"),
        (StatusCode::INTERNAL_SERVER_ERROR, "`internal`: the console broke"),
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "`store_unreadable` or `in_force_but_unsaved`: the disk; `unreachable`: the host stops",
        ),
    ];
    if !is_public {
        answers.push((StatusCode::UNAUTHORIZED, "`signed_out`"));
    }
    if is_change {
        answers.extend([
            (StatusCode::FORBIDDEN, "`foreign_origin`: `Origin` is not `https://` and the `Host`"),
            (StatusCode::PAYLOAD_TOO_LARGE, "`usage`: the body is larger than 4 KiB"),
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "`usage`: the body is not marked as `application/json`"),
        ]);
    }
    if has_body || has_parameters {
        answers.push((StatusCode::BAD_REQUEST, "`usage`: the request cannot be read"));
    }
    if has_body {
        answers.extend([
            (StatusCode::REQUEST_TIMEOUT, "`usage`: the body did not arrive in time"),
            (StatusCode::UNPROCESSABLE_ENTITY, "`usage`: a value in the body cannot be"),
        ]);
    }
    let responses = &mut operation.responses.responses;
    for response in responses.values_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description.push_str("Done");
        }
    }
    for (status, description) in answers {
        responses.entry(status.as_str().to_owned()).or_insert_with(|| RefOr::T(refusal(description)));
    }
}

fn refusal(description: &str) -> Response {
    let schema = Ref::from_schema_name(Refusal::name());
    ResponseBuilder::new()
        .description(description)
        .content("application/json", Content::new(Some(schema)))
        .build()
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Punktfunk console",
        description = "What the owner of a Punktfunk host can have it do.\n\nA script signs in once and sends the cookie \
                       from then on. Everything but `GET` needs the header `Origin` with the console's own address, \
                       such as `https://192.168.1.4:9777`, equal to `https://` and the `Host` of the request; where \
                       `Sec-Fetch-Site` is sent it has to be `same-origin`. Bodies are `application/json` of at most \
                       4 KiB, and fields that are not named here are refused. What is refused is answered with a \
                       `Refusal`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(Refusal)),
    modifiers(&Cookie),
    security(("cookie" = [])),
)]
struct Frame;

struct Cookie;

impl Modify for Cookie {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(cookie::NAME)));
        if let Some(components) = &mut document.components {
            components.add_security_scheme("cookie", scheme);
        }
    }
}
