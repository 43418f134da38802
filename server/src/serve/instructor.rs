//! The instructors' calls. What takes an [`Owner`] is not for assistants.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use emofed::protocol::{
    AssistantSummary, AssistantToken, FederationStatus, JoinCode, Lecture, ParticipantSummary, RoundSettings,
    RoundSettingsChange,
};

use super::access::{Instructor, Owner};
use super::error::{RequestError, ServeError};
use super::openapi::{Failures, OwnerOnly, Refused, Unauthorized};
use super::{JsonObject, Number};
use crate::store::{AssistantRecord, ParticipantRecord};

/// Rounds and models in one answer.
const PAGE: usize = 50;

/// Which page of a long list is asked for. Unknown parameters are ignored, as on the rest of the wire.
#[derive(Default, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct Pages {
    /// Tell rounds before this one.
    #[param(nullable = false)]
    rounds_before: Option<u64>,
    /// Tell models before this version.
    #[param(nullable = false)]
    models_before: Option<u64>,
}

/// A round that was opened.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(super) struct RoundNumber {
    round: u64,
}

/// A version that was published.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(super) struct VersionNumber {
    version: u64,
}

/// The class as its instructors see it: counts, settings, rounds and models. There is no individual result.
#[utoipa::path(
    get,
    path = "/api/v2/instructor/status",
    tag = "instructor",
    params(Pages),
    responses((status = 200, description = "The status", body = FederationStatus), Unauthorized, Failures),
    security(("instructor" = [])),
)]
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

/// Opens a round.
#[utoipa::path(
    post,
    path = "/api/v2/instructor/rounds",
    operation_id = "open_round",
    tag = "instructor",
    responses(
        (status = 201, description = "Opened", body = RoundNumber),
        (status = 409, response = Refused),
        Unauthorized,
        Failures,
    ),
    security(("instructor" = [])),
)]
pub(super) async fn open(Instructor(app, _): Instructor) -> Result<(StatusCode, Json<RoundNumber>), ServeError> {
    let round = app.blocking(|federation| Ok(federation.open_round()?)).await?;
    Ok((StatusCode::CREATED, Json(RoundNumber { round })))
}

/// Closes a round with what has come.
#[utoipa::path(
    post,
    path = "/api/v2/instructor/rounds/{round}/close",
    operation_id = "close_round",
    tag = "instructor",
    params(("round" = u64, Path, description = "The round")),
    responses((status = 204, description = "Closed"), (status = 409, response = Refused), Unauthorized, Failures),
    security(("instructor" = [])),
)]
pub(super) async fn close(Instructor(app, _): Instructor, Number(round): Number) -> Result<StatusCode, ServeError> {
    app.blocking(move |federation| Ok(federation.close_round(round)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Publishes the weights of an earlier version again, as a new version.
#[utoipa::path(
    post,
    path = "/api/v2/instructor/models/{version}/restore",
    operation_id = "restore_model",
    tag = "instructor",
    params(("version" = u64, Path, description = "The earlier version")),
    responses(
        (status = 201, description = "Published", body = VersionNumber),
        (status = 404, response = Refused),
        (status = 409, response = Refused),
        OwnerOnly,
        Failures,
    ),
    security(("owner" = [])),
)]
pub(super) async fn restore(
    Owner(app): Owner,
    Number(version): Number,
) -> Result<(StatusCode, Json<VersionNumber>), ServeError> {
    let version = app.blocking(move |federation| Ok(federation.restore(version)?)).await?;
    Ok((StatusCode::CREATED, Json(VersionNumber { version })))
}

/// Changes how rounds go, from the next one on: the fields that are given.
#[utoipa::path(
    patch,
    path = "/api/v2/instructor/settings",
    operation_id = "change_settings",
    tag = "instructor",
    request_body = RoundSettingsChange,
    responses((status = 200, description = "All settings", body = RoundSettings), OwnerOnly, Failures),
    security(("owner" = [])),
)]
pub(super) async fn settings(
    Owner(app): Owner,
    JsonObject(change): JsonObject<RoundSettingsChange>,
) -> Result<Json<RoundSettings>, ServeError> {
    Ok(Json(app.blocking(move |federation| Ok(federation.change_settings(change)?)).await?))
}

/// Puts a lecture on the stage.
///
/// Files of the lecture folder (`lecture/NAME`), or addresses of origins in `stage.origins`.
#[utoipa::path(
    put,
    path = "/api/v2/instructor/lecture",
    operation_id = "set_lecture",
    tag = "instructor",
    request_body = Lecture,
    responses((status = 204, description = "It is on the stage"), Unauthorized, Failures),
    security(("instructor" = [])),
)]
pub(super) async fn lecture(
    Instructor(app, _): Instructor,
    JsonObject(lecture): JsonObject<Lecture>,
) -> Result<StatusCode, ServeError> {
    app.blocking(move |federation| Ok(federation.set_lecture(lecture)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives the class a new join code: the old one lets nobody join any more.
#[utoipa::path(
    post,
    path = "/api/v2/instructor/join-code",
    operation_id = "renew_join_code",
    tag = "instructor",
    responses((status = 201, description = "The new code", body = JoinCode), OwnerOnly, Failures),
    security(("owner" = [])),
)]
pub(super) async fn renew_code(Owner(app): Owner) -> Result<(StatusCode, Json<JoinCode>), ServeError> {
    let admission = app.admission.clone();
    let code = app.blocking(move |_| admission.renew_code()).await?;
    Ok((StatusCode::CREATED, Json(code)))
}

/// Ids of participants and when they joined, the latest first.
#[utoipa::path(
    get,
    path = "/api/v2/instructor/participants",
    tag = "instructor",
    responses((status = 200, description = "All of them", body = Vec<ParticipantSummary>), OwnerOnly, Failures),
    security(("owner" = [])),
)]
pub(super) async fn participants(Owner(app): Owner) -> Result<Json<Vec<ParticipantSummary>>, ServeError> {
    let mut participants = app.blocking(|federation| Ok(federation.records().participants()?)).await?;
    participants.sort_by(|a, b| (b.joined_at_s, &b.id).cmp(&(a.joined_at_s, &a.id)));
    let summary = |ParticipantRecord { id, joined_at_s }| ParticipantSummary { id, joined_at_s };
    Ok(Json(participants.into_iter().map(summary).collect()))
}

/// Ends one participant's token.
#[utoipa::path(
    delete,
    path = "/api/v2/instructor/participants/{id}",
    operation_id = "revoke_participant",
    tag = "instructor",
    params(("id" = String, Path, description = "The participant's random id")),
    responses((status = 204, description = "Ended"), (status = 404, response = Refused), OwnerOnly, Failures),
    security(("owner" = [])),
)]
pub(super) async fn revoke(
    Owner(app): Owner,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, ServeError> {
    let Path(id) = id.map_err(|error| RequestError::Malformed(error.body_text()))?;
    app.blocking(move |federation| Ok(federation.revoke_participant(&id)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the tokens of all participants: who has the join code can join again.
#[utoipa::path(
    delete,
    path = "/api/v2/instructor/participants",
    operation_id = "revoke_participants",
    tag = "instructor",
    responses((status = 204, description = "Ended"), OwnerOnly, Failures),
    security(("owner" = [])),
)]
pub(super) async fn revoke_all(Owner(app): Owner) -> Result<StatusCode, ServeError> {
    app.blocking(|federation| Ok(federation.remove_participants()?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes an assistant instructor's token.
#[utoipa::path(
    post,
    path = "/api/v2/instructor/assistants",
    tag = "instructor",
    responses(
        (status = 201, description = "The token, which is told this once", body = AssistantToken),
        (status = 409, response = Refused),
        OwnerOnly,
        Failures,
    ),
    security(("owner" = [])),
)]
pub(super) async fn add_assistant(Owner(app): Owner) -> Result<(StatusCode, Json<AssistantToken>), ServeError> {
    let admission = app.admission.clone();
    let (id, token) = app.blocking(move |_| admission.add_assistant()).await?;
    Ok((StatusCode::CREATED, Json(AssistantToken { id, token })))
}

/// Ids of assistant instructors and when their tokens were made, the latest first.
#[utoipa::path(
    get,
    path = "/api/v2/instructor/assistants",
    tag = "instructor",
    responses((status = 200, description = "All of them", body = Vec<AssistantSummary>), OwnerOnly, Failures),
    security(("owner" = [])),
)]
pub(super) async fn assistants(Owner(app): Owner) -> Result<Json<Vec<AssistantSummary>>, ServeError> {
    let mut assistants = app.blocking(|federation| Ok(federation.records().assistants()?)).await?;
    assistants.sort_by(|a, b| (b.made_at_s, &b.id).cmp(&(a.made_at_s, &a.id)));
    let summary = |AssistantRecord { id, made_at_s }| AssistantSummary { id, made_at_s };
    Ok(Json(assistants.into_iter().map(summary).collect()))
}

/// Ends one assistant instructor's token.
#[utoipa::path(
    delete,
    path = "/api/v2/instructor/assistants/{id}",
    tag = "instructor",
    params(("id" = String, Path, description = "The assistant's random id")),
    responses((status = 204, description = "Ended"), (status = 404, response = Refused), OwnerOnly, Failures),
    security(("owner" = [])),
)]
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

/// Ends the tokens of all assistant instructors.
#[utoipa::path(
    delete,
    path = "/api/v2/instructor/assistants",
    tag = "instructor",
    responses((status = 204, description = "Ended"), OwnerOnly, Failures),
    security(("owner" = [])),
)]
pub(super) async fn end_assistants(Owner(app): Owner) -> Result<StatusCode, ServeError> {
    app.blocking(|federation| Ok(federation.records().delete_assistants(None)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}
