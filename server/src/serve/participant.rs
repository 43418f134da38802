//! A participant's calls: manifest, join, update.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Json;
use axum::RequestExt as _;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, FromRequest as _, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use emofed::protocol::{ClientUpdate, JoinRequest, JoinResponse, Manifest, SAFETENSORS, UpdateReceipt, sha256_hex};
use futures::{StreamExt as _, TryFutureExt as _};
use tracing::Instrument as _;

use super::access::Participant;
use super::admission::CodeRefusal;
use super::error::{RequestError, ServeError};
use super::openapi::{Binary, Failures, Later, Refused, Unauthorized};
use super::{App, JsonObject, Number, access};
use crate::secret;

/// The manifest: model, backbone, settings, the open round and how the last ones ended.
///
/// It changes, and its `ETag` with it, with what it says.
#[utoipa::path(
    get,
    path = "/api/v2/manifest",
    tag = "participant",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the manifest that the tab has")),
    responses(
        (status = 200, description = "The manifest", body = Manifest, headers(("ETag" = String, description = "Names exactly these bytes"))),
        (status = 304, description = "The tab has it", headers(("ETag" = String, description = "Names exactly these bytes"))),
        Failures,
    ),
)]
pub(super) async fn manifest(State(app): State<App>, headers: HeaderMap) -> Response {
    let snapshot = app.federation.snapshot();
    let fields = [(header::ETAG, snapshot.etag.clone()), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if access::is_known(&headers, &snapshot.etag) {
        return (StatusCode::NOT_MODIFIED, fields).into_response();
    }
    (fields, [(header::CONTENT_TYPE, "application/json")], snapshot.json.clone()).into_response()
}

/// Joins with a join code.
#[utoipa::path(
    post,
    path = "/api/v2/participants",
    tag = "participant",
    request_body = JoinRequest,
    responses(
        (status = 201, description = "Joined; the token is told this once", body = JoinResponse),
        (status = 403, response = Refused),
        (status = 409, response = Refused),
        (status = 429, response = Later),
        Failures,
    ),
)]
pub(super) async fn join(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    JsonObject(request): JsonObject<JoinRequest>,
) -> Result<(StatusCode, Json<JoinResponse>), ServeError> {
    let address = access::address(app.origins.trusted_proxy, peer.ip(), &headers);
    if app.admission.is_shared() {
        let admission = app.admission.clone();
        app.blocking(move |_| Ok(admission.follow()?)).await?;
    }
    match app.admission.check_code(&request.join_code) {
        Ok(()) => {}
        Err(CodeRefusal::Wrong) => {
            if let Err(limited) = app.joins.count_wrong(address) {
                // Whoever guesses waits. A right code is never held back: many people can share one address.
                tokio::time::sleep(Duration::from_secs(1)).await;
                return Err(limited.into());
            }
            return Err(RequestError::from(CodeRefusal::Wrong).into());
        }
        Err(refused) => return Err(RequestError::from(refused).into()),
    }
    app.joins.count_join(address)?;
    let joined = JoinResponse { participant: secret::id()?, token: secret::token()? };
    let (id, token_sha256) = (joined.participant.clone(), sha256_hex(joined.token.as_bytes()));
    let admission = app.admission.clone();
    app.blocking(move |federation| {
        admission.admit(&request.join_code, |grant| {
            Ok(federation.add_participant(&token_sha256, id.clone(), Some(grant))?)
        })
    })
    .await?;
    Ok((StatusCode::CREATED, Json(joined)))
}

/// Leaves the class: the token ends.
#[utoipa::path(
    delete,
    path = "/api/v2/participants/me",
    tag = "participant",
    responses((status = 204, description = "Left"), Unauthorized, Failures),
    security(("participant" = [])),
)]
pub(super) async fn leave(State(app): State<App>, participant: Participant) -> Result<StatusCode, ServeError> {
    app.blocking(move |federation| Ok(federation.remove_participant(&participant.token_sha256)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends the round's client update.
///
/// The same bytes again are acknowledged again.
#[utoipa::path(
    put,
    path = "/api/v2/rounds/{round}/update",
    tag = "participant",
    params(("round" = u64, Path, description = "The round")),
    request_body(content = inline(Binary), content_type = "application/vnd.safetensors", description = "A client update"),
    responses(
        (status = 200, description = "It is on disk, and counts", body = UpdateReceipt),
        (status = 409, response = Refused),
        (status = 413, response = Refused),
        (status = 422, response = Refused),
        Unauthorized,
        Failures,
    ),
    security(("participant" = [])),
)]
pub(super) async fn update(
    State(app): State<App>,
    Number(round): Number,
    participant: Result<Participant, ServeError>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<UpdateReceipt>, ServeError> {
    // Authorisation is a `Result` because the body of a stranger is received before the refusal is sent.
    let limit = ClientUpdate::max_size(&app.federation.snapshot().base);
    let too_large = RequestError::UpdateTooLarge { limit };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > limit as u64) {
        return Err(too_large.into());
    }
    // What is not too large is received before anything else is refused: a browser that is still sending when the connection
    // closes reports a network error, and its tab would never hear that it has to join again. A stranger's is not kept.
    let participant = match participant {
        Ok(participant) => participant,
        Err(refused) => {
            let mut parts = request.into_limited_body().into_data_stream();
            while let Some(Ok(_)) = parts.next().await {}
            return Err(refused);
        }
    };
    let body = Bytes::from_request(request, &app).await;
    if headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != SAFETENSORS) {
        return Err(RequestError::NotSafetensors.into());
    }
    let body = body.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large,
        _ => RequestError::BodyIncomplete,
    })?;
    // The span says how much came for which round, never from whom.
    let span = tracing::info_span!("upload", round, bytes = body.len());
    let sender = participant.id.clone();
    let submission = app.blocking(move |federation| Ok(federation.submit(&participant.id, round, &body)?));
    // Only a refusal names the participant's random id, so that an instructor knows whom to revoke.
    let receipt = submission
        .inspect_ok(|_| tracing::debug!("update accepted"))
        .inspect_err(|error| tracing::warn!(participant = sender, round, %error, "update refused"))
        .instrument(span)
        .await?;
    // Not waited for: the update is safe, and the receipt need not wait for the aggregate.
    let advancing = app.clone();
    tokio::spawn(async move {
        if let Err(error) = advancing.blocking(|federation| Ok(federation.advance()?)).await {
            tracing::error!(%error, "advancing the round failed; retrying at the next tick");
        }
    });
    Ok(Json(receipt))
}
