//! What machines ask: health, readiness, metrics, the API's description.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::App;
use crate::error::ServeError;
use crate::store::{StoreError, blob_name};

const OPENAPI: &str = include_str!("../../../docs/openapi.json");

/// `GET /healthz`: the process answers.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: records and objects can be written, and every blob of the manifest is there as a whole.
pub(super) async fn readyz(State(app): State<App>) -> Result<&'static str, ServeError> {
    app.blocking(|class| {
        class.records().check_writable()?;
        let store = &class.records().0;
        store.put_object("updates/ready", b"")?;
        store.delete_object("updates/ready")?;
        let manifest = &class.snapshot().manifest;
        for blob in [&manifest.model.vfer, &manifest.backbone.blob, &manifest.detector] {
            let name = blob_name(&blob.sha256);
            if store.object_size(&name)? != blob.size {
                return Err(StoreError::Damaged { key: name, reason: "its length has changed".to_owned() }.into());
            }
        }
        Ok("ready\n")
    })
    .await
}

/// `GET /metrics`, in Prometheus' text format.
pub(super) async fn metrics(State(app): State<App>) -> Result<Response, ServeError> {
    let (participants, rounds) =
        app.blocking(|class| Ok((class.records().participant_count()?, class.records().rounds()?.len()))).await?;
    let manifest = app.class.snapshot().manifest.clone();
    let gauges = [
        ("emofed_connected_tabs", "Tabs that listen to events", app.class.events().listeners() as u64),
        ("emofed_participants", "Participants that ever joined", participants as u64),
        ("emofed_rounds", "Rounds that were ever opened", rounds as u64),
        ("emofed_model_version", "Version of the central model", manifest.model.version),
        ("emofed_round_updates", "Updates in the open round", manifest.round.map_or(0, |round| round.received.into())),
    ];
    let mut text = String::new();
    for (name, help, value) in gauges {
        text += &format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
    }
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}

/// `GET /api/v1/openapi.json`.
pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}
