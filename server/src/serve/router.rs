//! All routes: those of a federation, those of the aggregator, and which federation a request is for.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::{Extension, Router};
use emofed::protocol::ClientUpdate;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use tower_http::timeout::{RequestBodyTimeoutLayer, TimeoutLayer};

use super::error::RequestError;
use super::federations::Federations;
use super::openapi::{Document, Routes, route};
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
    let machines = Routes::new()
        .with(route!(status::openapi))
        .with(route!(status::healthz))
        .with(route!(status::readyz))
        .with(route!(status::metrics))
        .with(route!(operator::list))
        .with(route!(operator::create))
        .with(route!(operator::end))
        .map(|router| {
            router
                .layer(DefaultBodyLimit::max(1_024))
                .layer(RequestBodyTimeoutLayer::new(bounds.body_timeout))
                .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, bounds.request_timeout))
        })
        .with(route!(backup::backup_of_all));
    let Routes { router: calls, document } = calls(app.clone());
    let document = Document::of(document.merge_from(machines.document));
    let machines = machines
        .router
        .layer(Extension(document))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(host.clone());
    let first = calls.merge(machines).fallback_service(page.clone());
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
pub(super) fn calls(app: App) -> Routes<()> {
    let (max_update, bounds) = (ClientUpdate::max_size(&app.federation.snapshot().base), app.connections);
    let calls = Routes::new()
        .with(route!(participant::manifest))
        .with(route!(participant::join).map(|join| join.layer(DefaultBodyLimit::max(1_024))))
        .with(route!(participant::leave))
        .with(route!(participant::update).map(|update| update.layer(DefaultBodyLimit::max(max_update))))
        .with(route!(instructor::status))
        .with(route!(instructor::renew_code))
        .with(route!(instructor::participants))
        .with(route!(instructor::revoke_all))
        .with(route!(instructor::revoke))
        .with(route!(instructor::assistants))
        .with(route!(instructor::add_assistant))
        .with(route!(instructor::end_assistants))
        .with(route!(instructor::end_assistant))
        .with(route!(instructor::open))
        .with(route!(instructor::close))
        .with(route!(instructor::restore))
        .with(route!(instructor::settings).map(|settings| settings.layer(DefaultBodyLimit::max(1_024))))
        .with(route!(instructor::lecture).map(|lecture| lecture.layer(DefaultBodyLimit::max(MAX_LECTURE_BYTES))))
        .with(route!(files::blob).map(|blob| blob.layer(Extension(files::Verified::default()))))
        .map(|router| {
            router
                .layer(RequestBodyTimeoutLayer::new(bounds.body_timeout))
                .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, bounds.request_timeout))
        })
        .with(route!(events::events))
        .with(route!(backup::backup));
    let router = calls
        .router
        .route("/api/{*path}", axum::routing::any(no_route))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(app.clone());
    let router = match &app.federation.config().stage.folder {
        Some(folder) => router.nest_service("/lecture", files::lecture(folder)),
        None => router,
    };
    Routes { router, document: calls.document }
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
    let Some(path) = path else {
        let query = query_of(request.uri());
        return Redirect::permanent(&format!("{PREFIX}{id}/{query}")).into_response();
    };
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

/// The query of `uri` with its question mark, or nothing.
fn query_of(uri: &Uri) -> String {
    uri.query().map(|query| format!("?{query}")).unwrap_or_default()
}

/// `uri` with the path `/path` and its own query.
fn below_prefix(uri: &Uri, path: &str) -> Option<Uri> {
    let query = query_of(uri);
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
