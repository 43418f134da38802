//! The instructor's calls.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use emofed::protocol::{
    FederationStatus, JoinCode, ParticipantSummary, ProblemCode, RoundSettings, RoundSettingsChange,
};

use super::{App, Number, access};
use crate::error::ServeError;
use crate::store::ParticipantRecord;

/// Rounds and models that are told at once.
const PAGE: usize = 50;

/// Which page of a long list is asked for. Unknown parameters are ignored, as on the rest of the wire.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Pages {
    rounds_before: Option<u64>,
    models_before: Option<u64>,
}

/// `GET /api/v2/instructor/status`.
pub(super) async fn status(
    State(app): State<App>,
    headers: HeaderMap,
    pages: Result<Query<Pages>, QueryRejection>,
) -> Result<Json<FederationStatus>, ServeError> {
    access::instructor(&app, &headers)?;
    let Query(pages) = pages.map_err(|error| ServeError::problem(ProblemCode::BadRequest, error.body_text()))?;
    let JoinCode { code: join_code, expires_at_s: join_code_expires_at_s } = app.admission.join_code();
    let status = app.blocking(move |federation| {
        let snapshot = federation.snapshot();
        Ok(FederationStatus {
            name: snapshot.manifest.name.clone(),
            join_code,
            join_code_expires_at_s,
            connected: u32::try_from(federation.events().listeners()).unwrap_or(u32::MAX),
            participants: federation.participants(),
            round: snapshot.manifest.round.clone(),
            rounds: federation.rounds(pages.rounds_before, PAGE)?,
            models: federation.models(pages.models_before, PAGE)?,
            settings: snapshot.settings.clone(),
            few_contributors: snapshot.manifest.few_contributors,
        })
    });
    Ok(Json(status.await?))
}

/// `POST /api/v2/instructor/rounds`.
pub(super) async fn open(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<serde_json::Value>), ServeError> {
    access::instructor(&app, &headers)?;
    let round = app.blocking(|federation| federation.open_round()).await?;
    Ok((StatusCode::CREATED, Json(serde_json::json!({ "round": round }))))
}

/// `POST /api/v2/instructor/rounds/{round}/close`.
pub(super) async fn close(
    State(app): State<App>,
    Number(round): Number,
    headers: HeaderMap,
) -> Result<StatusCode, ServeError> {
    access::instructor(&app, &headers)?;
    app.blocking(move |federation| federation.close_round(round)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v2/instructor/models/{version}/restore`.
pub(super) async fn restore(
    State(app): State<App>,
    Number(version): Number,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<serde_json::Value>), ServeError> {
    access::instructor(&app, &headers)?;
    let version = app.blocking(move |federation| federation.restore(version)).await?;
    Ok((StatusCode::CREATED, Json(serde_json::json!({ "version": version }))))
}

/// `PATCH /api/v2/instructor/settings`: the fields that are given.
pub(super) async fn settings(
    State(app): State<App>,
    headers: HeaderMap,
    fields: Result<Json<serde_json::Map<String, serde_json::Value>>, JsonRejection>,
) -> Result<Json<RoundSettings>, ServeError> {
    access::instructor(&app, &headers)?;
    let bad = |detail: String| ServeError::problem(ProblemCode::BadRequest, detail);
    // Read as an object first: serde takes a struct from an array, too.
    let Json(fields) = fields.map_err(|error| bad(error.body_text()))?;
    let change: RoundSettingsChange =
        serde_json::from_value(fields.into()).map_err(|error| bad(format!("The settings: {error}.")))?;
    Ok(Json(app.blocking(move |federation| federation.change_settings(change)).await?))
}

/// `POST /api/v2/instructor/join-code`: a new code; the old one lets nobody join any more.
pub(super) async fn renew_code(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<JoinCode>), ServeError> {
    access::instructor(&app, &headers)?;
    let admission = app.admission.clone();
    let code = app.blocking(move |_| admission.renew_code()).await?;
    Ok((StatusCode::CREATED, Json(code)))
}

/// `GET /api/v2/instructor/participants`: their ids and when they joined, the latest first.
pub(super) async fn participants(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Json<Vec<ParticipantSummary>>, ServeError> {
    access::instructor(&app, &headers)?;
    let mut participants = app.blocking(|federation| Ok(federation.records().participants()?)).await?;
    participants.sort_by(|a, b| (b.joined_at_s, &b.id).cmp(&(a.joined_at_s, &a.id)));
    let summary = |ParticipantRecord { id, joined_at_s }| ParticipantSummary { id, joined_at_s };
    Ok(Json(participants.into_iter().map(summary).collect()))
}

/// `DELETE /api/v2/instructor/participants/{id}`: this participant's token ends.
pub(super) async fn revoke(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<StatusCode, ServeError> {
    access::instructor(&app, &headers)?;
    let Path(id) = id.map_err(|error| ServeError::problem(ProblemCode::BadRequest, error.body_text()))?;
    app.blocking(move |federation| federation.revoke_participant(&id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/v2/instructor/participants`: all tokens end; who has the join code can join again.
pub(super) async fn revoke_all(State(app): State<App>, headers: HeaderMap) -> Result<StatusCode, ServeError> {
    access::instructor(&app, &headers)?;
    app.blocking(|federation| federation.remove_participants()).await?;
    Ok(StatusCode::NO_CONTENT)
}
