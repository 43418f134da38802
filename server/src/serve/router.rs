//! All routes: those of a federation, those of the aggregator, and which federation a request is for.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{delete, get, patch, post, put};
use axum::{Extension, Router};
use emofed::protocol::ClientUpdate;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use tower_http::timeout::{RequestBodyTimeoutLayer, TimeoutLayer};

use super::error::RequestError;
use super::federations::Federations;
use super::page::Page;
use super::{App, Host, backup, events, files, instructor, operator, participant, security, status};

/// Longest description of a lecture.
const MAX_LECTURE_BYTES: usize = 64 * 1_024;
/// Below which the addresses of federations are that an operator made.
const PREFIX: &str = "/f/";

/// All routes.
pub fn router(host: impl Into<Host>, page: Page) -> Router {
    let host = host.into();
    let (app, page) = (host.app.clone(), page.router());
    let bounds = app.connections;
    let machines = Router::new()
        .route("/api/v2/openapi.json", get(status::openapi))
        .route("/healthz", get(status::healthz))
        .route("/readyz", get(status::readyz))
        .route("/metrics", get(status::metrics))
        .route("/api/v2/operator/federations", get(operator::list).post(operator::create))
        .route("/api/v2/operator/federations/{id}", delete(operator::end))
        .layer(DefaultBodyLimit::max(1_024))
        .layer(RequestBodyTimeoutLayer::new(bounds.body_timeout))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, bounds.request_timeout))
        .route("/api/v2/operator/backup", get(backup::backup_of_all))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(host.clone());
    let first = calls(app.clone()).merge(machines).fallback_service(page.clone());
    let router = match host.federations {
        Some(federations) => {
            let to = Arc::new(Dispatch { first, federations, page });
            Router::new().fallback(dispatch).with_state(to)
        }
        None => first,
    };
    security::protect(router, app.origins)
}

/// The routes of one federation, below its prefix.
pub(super) fn calls(app: App) -> Router {
    let (max_update, bounds) = (ClientUpdate::max_size(&app.federation.snapshot().base), app.connections);
    let calls = Router::new()
        .route("/api/v2/manifest", get(participant::manifest))
        .route("/api/v2/participants", post(participant::join).layer(DefaultBodyLimit::max(1_024)))
        .route("/api/v2/participants/me", delete(participant::leave))
        .route("/api/v2/rounds/{round}/update", put(participant::update).layer(DefaultBodyLimit::max(max_update)))
        .route("/api/v2/instructor/status", get(instructor::status))
        .route("/api/v2/instructor/join-code", post(instructor::renew_code))
        .route("/api/v2/instructor/participants", get(instructor::participants).delete(instructor::revoke_all))
        .route("/api/v2/instructor/participants/{id}", delete(instructor::revoke))
        .route(
            "/api/v2/instructor/assistants",
            get(instructor::assistants).post(instructor::add_assistant).delete(instructor::end_assistants),
        )
        .route("/api/v2/instructor/assistants/{id}", delete(instructor::end_assistant))
        .route("/api/v2/instructor/rounds", post(instructor::open))
        .route("/api/v2/instructor/rounds/{round}/close", post(instructor::close))
        .route("/api/v2/instructor/models/{version}/restore", post(instructor::restore))
        .route("/api/v2/instructor/settings", patch(instructor::settings).layer(DefaultBodyLimit::max(1_024)))
        .route("/api/v2/instructor/lecture", put(instructor::lecture).layer(DefaultBodyLimit::max(MAX_LECTURE_BYTES)))
        .route("/blobs/{sha256}", get(files::blob).layer(Extension(files::Verified::default())))
        .layer(RequestBodyTimeoutLayer::new(bounds.body_timeout))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, bounds.request_timeout));
    let router = calls
        .route("/api/v2/events", get(events::events))
        .route("/api/v2/instructor/backup", get(backup::backup))
        .route("/api/{*path}", axum::routing::any(no_route))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(app.clone());
    match &app.federation.config().stage.folder {
        Some(folder) => router.nest_service("/lecture", files::lecture(folder)),
        None => router,
    }
}

/// Answers a path that there is not.
pub(super) async fn no_route() -> RequestError {
    RequestError::NoRoute
}

/// Answers a method that a path does not take.
pub(super) async fn method_not_allowed() -> RequestError {
    RequestError::MethodNotAllowed
}

/// Where requests go.
struct Dispatch {
    first: Router,
    federations: Arc<Federations>,
    page: Router,
}

/// Hands a request to the federation whose prefix it has, without the prefix; to the first one if it has none.
async fn dispatch(State(to): State<Arc<Dispatch>>, request: Request) -> Response {
    let Some(rest) = request.uri().path().strip_prefix(PREFIX) else { return answer(to.first.clone(), request).await };
    let (id, path) = rest.split_once('/').map_or((rest, None), |(id, path)| (id, Some(path)));
    let router = match to.federations.router(id, &to.page).await {
        Ok(router) => router,
        Err(refused) => return refused.into_response(),
    };
    let Some(path) = path else { return Redirect::permanent(&format!("{PREFIX}{id}/")).into_response() };
    match below_prefix(request.uri(), path) {
        Some(uri) => {
            let mut request = request;
            *request.uri_mut() = uri;
            answer(router, request).await
        }
        None => RequestError::NoRoute.into_response(),
    }
}

async fn answer(router: Router, request: Request) -> Response {
    TowerToHyperService::new(router).call(request).await.unwrap_or_else(|never| match never {})
}

/// `uri` with the path `/path` and its own query.
fn below_prefix(uri: &Uri, path: &str) -> Option<Uri> {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("/{path}{query}")).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_a_prefix_keeps_its_query() {
        let below = |uri: &str, path: &str| below_prefix(&uri.parse().unwrap(), path).map(|uri| uri.to_string());
        assert_eq!(below("/f/x/api/v2/events?observer=true", "api/v2/events").unwrap(), "/api/v2/events?observer=true");
        assert_eq!(below("/f/x/", "").unwrap(), "/");
        assert_eq!(below("http://host/f/x/a", "a").unwrap(), "http://host/a");
    }
}
