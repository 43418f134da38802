//! What machines ask: health, readiness, metrics, the API's description.

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::error::ServeError;
use super::openapi::{Document, Failures};
use super::{App, Host};
use crate::round::Federation;
use crate::store::{StoreError, blob_name};

/// The aggregator is not ready with less room than this for models and updates, in bytes.
const LEAST_FREE_BYTES: u64 = 64 << 20;

/// The process answers and its records can be read.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "machines",
    responses((status = 200, description = "ok", body = String), Failures),
)]
pub(super) async fn healthz(State(Host { app, .. }): State<Host>) -> Result<&'static str, ServeError> {
    app.blocking(|federation| Ok(federation.records().store().check_health()?)).await?;
    Ok("ok\n")
}

/// Records can be read, there is room to write, and every blob of the manifest is there as a whole.
///
/// It writes nothing: whoever asks often must not wear the disk, nor be what finds it full. Of federations beside the first it
/// says how many are not available, and that alone: one that is damaged must not take the others from the proxy's list.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "machines",
    responses((status = 200, description = "ready", body = String), Failures),
)]
pub(super) async fn readyz(State(host): State<Host>) -> Result<String, ServeError> {
    let (found, unavailable) = host.federations.as_ref().map_or((0, 0), |federations| federations.counts());
    host.app
        .blocking(move |federation| {
            let store = federation.records().store();
            store.check_health()?;
            if store.free_bytes()?.is_some_and(|free| free < LEAST_FREE_BYTES) {
                return Err(StoreError::Io(std::io::ErrorKind::StorageFull.into()).into());
            }
            let manifest = &federation.snapshot().manifest;
            for blob in [&manifest.model.vfer, &manifest.backbone.blob, &manifest.detector] {
                let name = blob_name(&blob.sha256);
                if store.object_size(&name)? != blob.size {
                    return Err(StoreError::Damaged { key: name, reason: "its length has changed".to_owned() }.into());
                }
            }
            Ok(match unavailable {
                0 => "ready\n".to_owned(),
                _ => format!("ready; {unavailable} of {found} other federations are not available\n"),
            })
        })
        .await
}

/// Prometheus metrics: of all federations together, so that none can be told from it.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "machines",
    responses((status = 200, description = "Prometheus' text format", body = String), Failures),
)]
pub(super) async fn metrics(State(host): State<Host>) -> Result<Response, ServeError> {
    let app: &App = &host.app;
    let (others, unavailable) = host.federations.as_ref().map_or((0, 0), |federations| federations.counts());
    let mut all = vec![app.federation.clone()];
    all.extend(host.federations.iter().flat_map(|federations| federations.available()));
    let sum = |of: fn(&Federation) -> u64| all.iter().map(|federation| of(federation)).sum::<u64>();
    let version = all.iter().map(|federation| federation.snapshot().manifest.model.version).max();
    let free = app.blocking(|federation| Ok(federation.records().store().free_bytes()?)).await?;
    let gauges = [
        ("emofed_connected_tabs", "Tabs that listen to events", sum(|all| all.events().listeners() as u64)),
        ("emofed_participants", "Participants that have joined", sum(|all| all.participants().into())),
        ("emofed_rounds", "Rounds that were ever opened", sum(|all| all.snapshot().rounds)),
        ("emofed_model_version", "Version of the global model, the highest one", version.unwrap_or(0)),
        (
            "emofed_round_updates",
            "Updates in open rounds",
            sum(|all| all.snapshot().open_round().map_or(0, |round| round.received.into())),
        ),
        ("emofed_federations", "Federations, the first one included", 1 + others as u64),
        ("emofed_federations_unavailable", "Federations whose store cannot be opened", unavailable as u64),
        ("emofed_disk_free_bytes", "Bytes that can still be stored", free.unwrap_or(u64::MAX)),
    ];
    let mut text = String::new();
    if let Some(failed) = app.tls.as_ref().and_then(|tls| tls.failed_orders()) {
        let (name, help) = ("emofed_acme_failures_total", "Times that the authority gave no certificate");
        text += &format!("# HELP {name} {help}\n# TYPE {name} counter\n{name} {failed}\n");
    }
    for (name, help, value) in gauges {
        text += &format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
    }
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}

/// This document.
#[utoipa::path(
    get,
    path = "/api/v2/openapi.json",
    tag = "machines",
    responses((status = 200, description = "OpenAPI 3.1", body = Object), Failures),
)]
pub(super) async fn openapi(Extension(Document(json)): Extension<Document>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}
