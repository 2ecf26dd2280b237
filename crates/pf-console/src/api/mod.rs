//! The routes of the console: `/api/v1`, with the document that describes them, and the page for all else.
//!
//! Handlers are thin: they take a request apart, ask the [`owner`] for it and put the answer into JSON. Routes and
//! document are made of the same declarations, so that neither can have what the other has not.

mod audit;
mod body;
mod cookie;
mod devices;
mod document;
mod error;
mod events;
mod guard;
mod owner;
mod pairing;
mod requests;
mod sessions;
mod sign_in;
mod status;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{Method, StatusCode, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
};
use tokio::sync::watch;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::error::ApiError;
pub(crate) use self::owner::Owner;
pub use self::{document::openapi, owner::Peer};
use crate::{HostNames, control::HostControl, page::Page, sign_in::SignIns};

/// What the handlers work on; only [`owner`] and [`guard`] look inside.
#[derive(Clone)]
struct App(Arc<AppState>);

struct AppState {
    host: Arc<dyn HostControl>,
    sign_ins: SignIns,
    names: HostNames,
    stopping: watch::Receiver<bool>,
    page: Page,
}

impl App {
    fn names(&self) -> &HostNames {
        &self.0.names
    }
}

/// The console as a service, without a socket: every request has to carry its [`Peer`].
///
/// Streams of events end when `stopping` becomes true.
pub fn app(
    host: Arc<dyn HostControl>,
    sign_ins: SignIns,
    names: HostNames,
    stopping: watch::Receiver<bool>,
) -> Router {
    let app = App(Arc::new(AppState { host, sign_ins, names, stopping, page: Page::built_in() }));
    let (api, _) = routes().split_for_parts();
    api.method_not_allowed_fallback(wrong_method)
        .fallback(elsewhere)
        .layer(from_fn_with_state(app.clone(), guard::guard))
        .with_state(app)
}

/// Every route of the API, and the document of all of them.
fn routes() -> OpenApiRouter<App> {
    let api = OpenApiRouter::new()
        .routes(routes!(sign_in::sign_in, sign_in::current, sign_in::sign_out))
        .routes(routes!(sign_in::prove))
        .routes(routes!(sign_in::list))
        .routes(routes!(sign_in::end))
        .routes(routes!(sign_in::make_link))
        .routes(routes!(sign_in::change_password))
        .routes(routes!(status::status))
        .routes(routes!(pairing::pairing))
        .routes(routes!(pairing::arm, pairing::disarm))
        .routes(routes!(requests::list))
        .routes(routes!(requests::approve))
        .routes(routes!(requests::deny))
        .routes(routes!(devices::list))
        .routes(routes!(devices::rename, devices::remove))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::end))
        .routes(routes!(audit::page))
        .routes(routes!(events::events))
        .routes(routes!(document::document));
    OpenApiRouter::with_openapi(document::frame()).nest("/api/v1", api)
}

/// The page; what is neither its nor the API's is not there.
async fn elsewhere(State(app): State<App>, request: Request) -> Response {
    if guard::is_api(request.uri()) {
        return ApiError::no_such_route().into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return ([(header::ALLOW, "GET, HEAD")], wrong_method().await.into_text()).into_response();
    }
    let file = app.0.page.serve(request.uri().path(), request.headers());
    file.unwrap_or_else(|| ApiError::no_such_route().into_text())
}

async fn wrong_method() -> ApiError {
    ApiError::usage(StatusCode::METHOD_NOT_ALLOWED, "This cannot be done at this address.")
}

/// The largest body, in bytes: the longest password, escaped letter by letter, and room to spare.
const MAX_BODY: usize = 4096;
