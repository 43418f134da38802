//! The aggregator's HTTP side: routes, access, limits.

mod access;
mod admission;
mod backup;
mod connections;
mod error;
mod events;
mod files;
mod instructor;
mod join_limiter;
mod page;
mod participant;
mod problem;
mod security;
mod status;
mod write_timeout;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{delete, get, patch, post, put};
use axum::{Extension, Router};
use emofed::protocol::ClientUpdate;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tower_http::timeout::{RequestBodyTimeoutLayer, TimeoutLayer};

pub use self::admission::Admission;
use self::connections::OpenCounts;
pub use self::connections::{ConnectionBounds, PER_ADDRESS, raised_file_limit};
pub use self::error::{RequestError, ServeError};
pub use self::join_limiter::JoinLimiter;
pub use self::page::{EmbeddedFile, Page};
pub use self::security::{Origins, authority, is_loopback};
use crate::round::Federation;
use crate::tls::{Tls, TlsError};

/// A request that takes longer than this is given up; event streams are exempt.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// A body that pauses for longer than this is given up.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);
/// How long requests under way may take to finish when the aggregator stops.
const GRACE: Duration = Duration::from_secs(5);
/// Longest description of a lecture.
const MAX_LECTURE_BYTES: usize = 64 * 1_024;
/// How often deadlines are checked.
const TICK: Duration = Duration::from_secs(1);

/// What every handler can reach.
#[derive(Clone)]
pub struct App {
    /// The federation.
    pub federation: Arc<Federation>,
    /// Its join code and the instructor's token.
    pub admission: Arc<Admission>,
    /// Slows down who guesses join codes.
    pub joins: Arc<JoinLimiter>,
    /// Where requests may come from.
    pub origins: Origins,
    /// The certificate; absent where plain HTTP is spoken.
    pub tls: Option<Arc<Tls>>,
    /// Bounds of connections.
    pub connections: ConnectionBounds,
    /// Event streams that are open.
    pub streams: EventStreams,
    /// Becomes true when the aggregator stops; ends event streams.
    pub stopping: tokio::sync::watch::Receiver<bool>,
}

/// Event streams: those that are open, by address, and how many there ever were.
#[derive(Clone, Default)]
pub struct EventStreams {
    open: OpenCounts,
    opened: Arc<AtomicU64>,
}

impl EventStreams {
    /// The number of a new stream.
    fn next_number(&self) -> u64 {
        self.opened.fetch_add(1, Ordering::Relaxed)
    }
}

impl App {
    /// Runs something that blocks where blocking is allowed, in the caller's span.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Federation) -> Result<T, ServeError> + Send + 'static,
    ) -> Result<T, ServeError> {
        let federation = self.federation.clone();
        let span = tracing::Span::current();
        tokio::task::spawn_blocking(move || span.in_scope(|| work(&federation))).await?
    }
}

/// The number in a path, of a round or a version.
struct Number(u64);

impl<S: Send + Sync> FromRequestParts<S> for Number {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, RequestError> {
        let number = Path::<u64>::from_request_parts(parts, state).await;
        number.map(|Path(number)| Self(number)).map_err(|_| RequestError::NotANumber)
    }
}

/// All routes.
pub fn router(app: App, page: Page) -> Router {
    let max_update = ClientUpdate::max_size(&app.federation.snapshot().base);
    let calls = Router::new()
        .route("/api/v2/manifest", get(participant::manifest))
        .route("/api/v2/participants", post(participant::join).layer(DefaultBodyLimit::max(1_024)))
        .route("/api/v2/participants/me", delete(participant::leave))
        .route("/api/v2/rounds/{round}/update", put(participant::update).layer(DefaultBodyLimit::max(max_update)))
        .route("/api/v2/instructor/status", get(instructor::status))
        .route("/api/v2/instructor/join-code", post(instructor::renew_code))
        .route("/api/v2/instructor/participants", get(instructor::participants).delete(instructor::revoke_all))
        .route("/api/v2/instructor/participants/{id}", delete(instructor::revoke))
        .route("/api/v2/instructor/rounds", post(instructor::open))
        .route("/api/v2/instructor/rounds/{round}/close", post(instructor::close))
        .route("/api/v2/instructor/models/{version}/restore", post(instructor::restore))
        .route("/api/v2/instructor/settings", patch(instructor::settings).layer(DefaultBodyLimit::max(1_024)))
        .route("/api/v2/instructor/lecture", put(instructor::lecture).layer(DefaultBodyLimit::max(MAX_LECTURE_BYTES)))
        .route("/api/v2/openapi.json", get(status::openapi))
        .route("/blobs/{sha256}", get(files::blob).layer(Extension(files::Verified::default())))
        .route("/healthz", get(status::healthz))
        .route("/readyz", get(status::readyz))
        .route("/metrics", get(status::metrics))
        .layer(RequestBodyTimeoutLayer::new(BODY_TIMEOUT))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT));
    let router = calls
        .route("/api/v2/events", get(events::events))
        .route("/api/v2/instructor/backup", get(backup::backup))
        .route("/api/{*path}", axum::routing::any(no_route))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(app.clone());
    let router = match &app.federation.config().stage.folder {
        Some(folder) => router.nest_service("/lecture", files::lecture(folder)),
        None => router,
    };
    let router = router.fallback_service(page.router());
    security::protect(router, app.origins)
}

async fn no_route() -> RequestError {
    RequestError::NoRoute
}

async fn method_not_allowed() -> RequestError {
    RequestError::MethodNotAllowed
}

/// Serves until `stop` resolves, then lets requests under way finish for up to [`GRACE`].
///
/// # Errors
/// TLS cannot be set up.
pub async fn serve(
    listener: TcpListener,
    app: App,
    page: Page,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), TlsError> {
    let tls = app.tls.as_ref().map(|tls| tls.server_config()).transpose()?.map(TlsAcceptor::from);
    let counting = tokio::spawn({
        let federation = app.federation.clone();
        async move { federation.events().send_counts().await }
    });
    let (federation, certificate) = (app.federation.clone(), app.tls.clone());
    let ticking = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let (federation, certificate) = (federation.clone(), certificate.clone());
            let tick = move || {
                certificate.as_deref().inspect(|tls| refresh(tls));
                federation.advance()
            };
            match tokio::task::spawn_blocking(tick).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "advancing the round failed; retrying"),
                Err(error) => tracing::error!(%error, "the task that advances the round failed; retrying"),
            }
        }
    });
    let (bounds, is_behind_proxy) = (app.connections, app.origins.trusted_proxy);
    let served = connections::Served { router: router(app, page), tls, bounds, is_behind_proxy };
    connections::accept(listener, served, stop, GRACE).await;
    ticking.abort();
    counting.abort();
    Ok(())
}

/// Takes another certificate into use if its files have changed.
fn refresh(tls: &Tls) {
    match tls.refresh() {
        Ok(true) => tracing::info!(sha256 = tls.fingerprint(), "the certificate was read again"),
        Ok(false) => {}
        Err(error) => tracing::warn!(%error, "the changed certificate cannot be used; the former one stays"),
    }
}
