//! The instructors' calls. What takes an [`Owner`] is not for assistants.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use emofed::protocol::{
    AssistantSummary, AssistantToken, FederationStatus, JoinCode, Lecture, ParticipantSummary, RoundSettings,
    RoundSettingsChange,
};

use super::Number;
use super::access::{Instructor, Owner};
use super::error::{RequestError, ServeError};
use crate::store::{AssistantRecord, ParticipantRecord};

/// Rounds and models in one answer.
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
    Instructor(app, role): Instructor,
    pages: Result<Query<Pages>, QueryRejection>,
) -> Result<Json<FederationStatus>, ServeError> {
    let Query(pages) = pages.map_err(|error| RequestError::Malformed(error.body_text()))?;
    let admission = app.admission.clone();
    let certificate_sha256 = app.tls.as_ref().and_then(|tls| tls.fingerprint());
    let status = app.blocking(move |federation| {
        let snapshot = federation.snapshot();
        let JoinCode { code: join_code, expires_at_s: join_code_expires_at_s, uses_left } = admission.join_code()?;
        Ok(FederationStatus {
            name: snapshot.manifest.name.clone(),
            role,
            join_code,
            join_code_expires_at_s,
            join_code_uses_left: uses_left,
            connected: u32::try_from(federation.events().listeners()).unwrap_or(u32::MAX),
            participants: federation.participants(),
            round: snapshot.open_round(),
            rounds: federation.rounds(pages.rounds_before, PAGE)?,
            models: federation.models(pages.models_before, PAGE)?,
            settings: snapshot.settings.clone(),
            lecture: federation.lecture_status(),
            few_contributors: snapshot.manifest.few_contributors,
            certificate_sha256,
        })
    });
    Ok(Json(status.await?))
}

/// `POST /api/v2/instructor/rounds`.
pub(super) async fn open(Instructor(app, _): Instructor) -> Result<(StatusCode, Json<serde_json::Value>), ServeError> {
    let round = app.blocking(|federation| Ok(federation.open_round()?)).await?;
    Ok((StatusCode::CREATED, Json(serde_json::json!({ "round": round }))))
}

/// `POST /api/v2/instructor/rounds/{round}/close`.
pub(super) async fn close(Instructor(app, _): Instructor, Number(round): Number) -> Result<StatusCode, ServeError> {
    app.blocking(move |federation| Ok(federation.close_round(round)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v2/instructor/models/{version}/restore`.
pub(super) async fn restore(
    Owner(app): Owner,
    Number(version): Number,
) -> Result<(StatusCode, Json<serde_json::Value>), ServeError> {
    let version = app.blocking(move |federation| Ok(federation.restore(version)?)).await?;
    Ok((StatusCode::CREATED, Json(serde_json::json!({ "version": version }))))
}

/// `PATCH /api/v2/instructor/settings`: the fields that are given.
pub(super) async fn settings(
    Owner(app): Owner,
    fields: Result<Json<serde_json::Map<String, serde_json::Value>>, JsonRejection>,
) -> Result<Json<RoundSettings>, ServeError> {
    // Read as an object first: serde takes a struct from an array, too.
    let Json(fields) = fields.map_err(|error| RequestError::Malformed(error.body_text()))?;
    let change: RoundSettingsChange = serde_json::from_value(fields.into())
        .map_err(|error| RequestError::Malformed(format!("The settings: {error}.")))?;
    Ok(Json(app.blocking(move |federation| Ok(federation.change_settings(change)?)).await?))
}

/// `PUT /api/v2/instructor/lecture`.
pub(super) async fn lecture(
    Instructor(app, _): Instructor,
    lecture: Result<Json<Lecture>, JsonRejection>,
) -> Result<StatusCode, ServeError> {
    let Json(lecture) = lecture.map_err(|error| RequestError::Malformed(error.body_text()))?;
    app.blocking(move |federation| Ok(federation.set_lecture(lecture)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v2/instructor/join-code`: a new code; the old one lets nobody join any more.
pub(super) async fn renew_code(Owner(app): Owner) -> Result<(StatusCode, Json<JoinCode>), ServeError> {
    let admission = app.admission.clone();
    let code = app.blocking(move |_| admission.renew_code()).await?;
    Ok((StatusCode::CREATED, Json(code)))
}

/// `GET /api/v2/instructor/participants`: their ids and when they joined, the latest first.
pub(super) async fn participants(Owner(app): Owner) -> Result<Json<Vec<ParticipantSummary>>, ServeError> {
    let mut participants = app.blocking(|federation| Ok(federation.records().participants()?)).await?;
    participants.sort_by(|a, b| (b.joined_at_s, &b.id).cmp(&(a.joined_at_s, &a.id)));
    let summary = |ParticipantRecord { id, joined_at_s }| ParticipantSummary { id, joined_at_s };
    Ok(Json(participants.into_iter().map(summary).collect()))
}

/// `DELETE /api/v2/instructor/participants/{id}`: this participant's token ends.
pub(super) async fn revoke(
    Owner(app): Owner,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, ServeError> {
    let Path(id) = id.map_err(|error| RequestError::Malformed(error.body_text()))?;
    app.blocking(move |federation| Ok(federation.revoke_participant(&id)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/v2/instructor/participants`: all tokens end; who has the join code can join again.
pub(super) async fn revoke_all(Owner(app): Owner) -> Result<StatusCode, ServeError> {
    app.blocking(|federation| Ok(federation.remove_participants()?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v2/instructor/assistants`: a new assistant instructor's token.
pub(super) async fn add_assistant(Owner(app): Owner) -> Result<(StatusCode, Json<AssistantToken>), ServeError> {
    let admission = app.admission.clone();
    let (id, token) = app.blocking(move |_| admission.add_assistant()).await?;
    Ok((StatusCode::CREATED, Json(AssistantToken { id, token })))
}

/// `GET /api/v2/instructor/assistants`: their ids and when their tokens were made, the latest first.
pub(super) async fn assistants(Owner(app): Owner) -> Result<Json<Vec<AssistantSummary>>, ServeError> {
    let mut assistants = app.blocking(|federation| Ok(federation.records().assistants()?)).await?;
    assistants.sort_by(|a, b| (b.made_at_s, &b.id).cmp(&(a.made_at_s, &a.id)));
    let summary = |AssistantRecord { id, made_at_s }| AssistantSummary { id, made_at_s };
    Ok(Json(assistants.into_iter().map(summary).collect()))
}

/// `DELETE /api/v2/instructor/assistants/{id}`: this assistant's token ends.
pub(super) async fn end_assistant(
    Owner(app): Owner,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, ServeError> {
    let Path(id) = id.map_err(|error| RequestError::Malformed(error.body_text()))?;
    match app.blocking(move |federation| Ok(federation.records().delete_assistants(Some(&id))?)).await? {
        0 => Err(RequestError::UnknownAssistant.into()),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

/// `DELETE /api/v2/instructor/assistants`: the tokens of all assistants end.
pub(super) async fn end_assistants(Owner(app): Owner) -> Result<StatusCode, ServeError> {
    app.blocking(|federation| Ok(federation.records().delete_assistants(None)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}
