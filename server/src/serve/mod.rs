//! The aggregator's HTTP side: routes, access, limits.

mod access;
mod admission;
mod backup;
mod connections;
mod error;
mod events;
mod federations;
mod files;
mod instructor;
mod join_limiter;
mod openapi;
mod operator;
mod page;
mod participant;
mod problem;
mod replicas;
mod router;
mod security;
mod status;
mod write_timeout;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub use self::admission::Admission;
pub use self::connections::{ConnectionBounds, PER_ADDRESS, raised_file_limit};
use self::connections::{OpenCounts, Slot};
pub use self::error::{RequestError, ServeError};
pub use self::federations::{FederationDefaults, Federations, ServerParts};
pub use self::join_limiter::JoinLimiter;
pub use self::page::{EmbeddedFile, Page};
pub use self::router::router;
pub use self::security::{Origins, authority, is_loopback};
use crate::round::Federation;
use crate::tls::{Tls, TlsError};

/// How long requests under way may take to finish when the aggregator stops.
const GRACE: Duration = Duration::from_secs(5);
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

/// What is served: the federation that the aggregator began with, and those that its operator made.
#[derive(Clone)]
pub struct Host {
    /// The first federation, which has no prefix.
    pub app: App,
    /// The others; absent: there cannot be any.
    pub federations: Option<Arc<Federations>>,
}

impl From<App> for Host {
    fn from(app: App) -> Self {
        Self { app, federations: None }
    }
}

/// Event streams: those that are open, by address, and how many there ever were.
#[derive(Clone, Default)]
pub struct EventStreams {
    open: OpenCounts,
    /// Those of all federations together, where there are several; this one may have half of what all may have.
    all: Option<OpenCounts>,
    opened: Arc<AtomicU64>,
}

impl EventStreams {
    /// The streams of one of several federations, all of which count in `all`.
    fn among(all: OpenCounts) -> Self {
        Self { all: Some(all), ..Self::default() }
    }

    /// Room for one more, unless `app`'s bounds are reached.
    fn acquire(&self, address: IpAddr, app: &App) -> Option<(Slot, Option<Slot>)> {
        let (total, is_behind_proxy) = (app.connections.streams(), app.origins.trusted_proxy);
        let per_address = app.connections.streams_per_address(is_behind_proxy);
        let Some(all) = &self.all else { return Some((self.open.acquire(address, total, per_address)?, None)) };
        let own = self.open.acquire(address, (total / 2).max(1), per_address)?;
        Some((own, Some(all.acquire(address, total, per_address)?)))
    }

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

/// A JSON object in the body. Read as one first: serde takes a struct from an array, too.
struct JsonObject<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonObject<T> {
    type Rejection = RequestError;

    async fn from_request(request: Request, state: &S) -> Result<Self, RequestError> {
        let object = Json::<serde_json::Map<String, serde_json::Value>>::from_request(request, state).await;
        let Json(object) = object.map_err(|error| RequestError::Malformed(error.body_text()))?;
        let read = serde_json::from_value(object.into());
        read.map(Self).map_err(|error| RequestError::Malformed(format!("The body cannot be read: {error}.")))
    }
}

/// Serves until `stop` resolves, then lets requests under way finish for up to [`GRACE`].
///
/// # Errors
/// TLS cannot be set up.
pub async fn serve(
    listener: TcpListener,
    host: impl Into<Host>,
    page: Page,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), TlsError> {
    let host = host.into();
    let app = &host.app;
    let tls = app.tls.as_ref().map(|tls| tls.server_config()).transpose()?.map(TlsAcceptor::from);
    let counting = tokio::spawn({
        let federation = app.federation.clone();
        async move { federation.events().send_counts().await }
    });
    let renewing = app.tls.clone().map(|tls| tokio::spawn(async move { tls.renew().await }));
    let ticking = tokio::spawn(tick(host.clone()));
    let following = tokio::spawn(replicas::follow(app.clone()));
    let hosting = host.federations.clone().map(|federations| tokio::spawn(federations.follow()));
    let (bounds, is_behind_proxy) = (app.connections, app.origins.trusted_proxy);
    let served = connections::Served { router: router(host.clone(), page), tls, bounds, is_behind_proxy };
    connections::accept(listener, served, stop, GRACE).await;
    renewing.inspect(|renewing| renewing.abort());
    ticking.abort();
    following.abort();
    hosting.inspect(|hosting| hosting.abort());
    counting.abort();
    Ok(())
}

/// Does what is due in every federation, and with the certificate, again and again. One that fails or takes long holds up no other.
async fn tick(host: Host) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let first = Advancing::default();
    loop {
        ticks.tick().await;
        if let Some(tls) = host.app.tls.clone() {
            tokio::task::spawn_blocking(move || refresh(&tls));
        }
        first.advance(&host.app.federation, tracing::Span::none());
        host.federations.as_ref().inspect(|federations| federations.tick());
    }
}

/// Whether what is due in a federation is being done, so that it is not begun twice.
#[derive(Default)]
struct Advancing(Arc<AtomicBool>);

impl Advancing {
    /// Begins to do what is due in `federation`, unless that is still being done. `span` names the federation in the log.
    fn advance(&self, federation: &Arc<Federation>, span: tracing::Span) {
        if self.0.swap(true, Ordering::AcqRel) {
            return;
        }
        let (busy, federation) = (Busy(self.0.clone()), federation.clone());
        tokio::task::spawn_blocking(move || {
            let _busy = busy;
            let _in_span = span.entered();
            if let Err(error) = federation.advance() {
                tracing::error!(%error, "advancing the round failed; retrying");
            }
        });
    }
}

/// Ends when it is dropped, also by a panic.
struct Busy(Arc<AtomicBool>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Takes another certificate into use if its files have changed.
fn refresh(tls: &Tls) {
    match tls.refresh() {
        Ok(true) => tracing::info!(sha256 = tls.fingerprint().unwrap_or_default(), "the certificate was read again"),
        Ok(false) => {}
        Err(error) => tracing::warn!(%error, "the changed certificate cannot be used; the former one stays"),
    }
}
