//! The instructor's calls.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode};
use emofed::protocol::{ClassStatus, ProblemCode, RoundSettings};

use super::{App, Number, access};
use crate::error::ServeError;

/// `GET /api/v1/instructor/status`.
pub(super) async fn status(State(app): State<App>, headers: HeaderMap) -> Result<Json<ClassStatus>, ServeError> {
    access::instructor(&app, &headers)?;
    let class_code = app.record.code.clone();
    let status = app.blocking(move |class| {
        let snapshot = class.snapshot();
        let mut models = class.records().models()?;
        models.reverse();
        Ok(ClassStatus {
            class: snapshot.manifest.class.clone(),
            class_code,
            connected: u32::try_from(class.events().listeners()).unwrap_or(u32::MAX),
            participants: u32::try_from(class.records().participant_count()?).unwrap_or(u32::MAX),
            round: snapshot.manifest.round.clone(),
            rounds: class.rounds()?,
            models,
            settings: class.settings(),
        })
    });
    Ok(Json(status.await?))
}

/// `POST /api/v1/instructor/rounds`.
pub(super) async fn open(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<serde_json::Value>), ServeError> {
    access::instructor(&app, &headers)?;
    let round = app.blocking(|class| class.open_round()).await?;
    Ok((StatusCode::CREATED, Json(serde_json::json!({ "round": round }))))
}

/// `POST /api/v1/instructor/rounds/{round}/close`.
pub(super) async fn close(
    State(app): State<App>,
    Number(round): Number,
    headers: HeaderMap,
) -> Result<StatusCode, ServeError> {
    access::instructor(&app, &headers)?;
    app.blocking(move |class| class.close_round(round)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/instructor/models/{version}/restore`.
pub(super) async fn restore(
    State(app): State<App>,
    Number(version): Number,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<serde_json::Value>), ServeError> {
    access::instructor(&app, &headers)?;
    let version = app.blocking(move |class| class.restore(version)).await?;
    Ok((StatusCode::CREATED, Json(serde_json::json!({ "version": version }))))
}

/// `PATCH /api/v1/instructor/settings`: the fields that are given.
pub(super) async fn settings(
    State(app): State<App>,
    headers: HeaderMap,
    changes: Result<Json<serde_json::Map<String, serde_json::Value>>, JsonRejection>,
) -> Result<Json<RoundSettings>, ServeError> {
    access::instructor(&app, &headers)?;
    let bad = |detail: String| ServeError::problem(ProblemCode::BadRequest, detail);
    let Json(changes) = changes.map_err(|error| bad(error.body_text()))?;
    let mut merged = serde_json::json!(app.class.settings());
    if let Some(fields) = merged.as_object_mut() {
        fields.extend(changes);
    }
    let settings: RoundSettings = serde_json::from_value(merged).map_err(|error| bad(error.to_string()))?;
    let applied = settings.clone();
    app.blocking(move |class| class.set_settings(applied)).await?;
    Ok(Json(settings))
}
