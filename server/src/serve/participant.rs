//! A participant's calls: manifest, join, update.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Json;
use axum::RequestExt as _;
use axum::body::Bytes;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, FromRequest as _, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use emofed::protocol::{ClientUpdate, JoinRequest, JoinResponse, ProblemCode, SAFETENSORS, UpdateReceipt, sha256_hex};

use super::admission::CodeRefusal;
use super::{App, Number, access};
use futures::StreamExt as _;

use crate::error::ServeError;
use crate::secret;

/// `GET /api/v2/manifest`.
pub(super) async fn manifest(State(app): State<App>, headers: HeaderMap) -> Response {
    let snapshot = app.federation.snapshot();
    let fields = [(header::ETAG, snapshot.etag.clone()), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if access::is_known(&headers, &snapshot.etag) {
        return (StatusCode::NOT_MODIFIED, fields).into_response();
    }
    (fields, [(header::CONTENT_TYPE, "application/json")], snapshot.json.clone()).into_response()
}

/// `POST /api/v2/participants`.
pub(super) async fn join(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    request: Result<Json<JoinRequest>, JsonRejection>,
) -> Result<(StatusCode, Json<JoinResponse>), ServeError> {
    let Json(request) = request.map_err(|error| ServeError::problem(ProblemCode::BadRequest, error.body_text()))?;
    let address = access::address(app.origins.trusted_proxy, peer.ip(), &headers);
    let wrong_code = |detail: &str| ServeError::problem(ProblemCode::WrongJoinCode, detail);
    match app.admission.check_code(&request.join_code) {
        Ok(()) => {}
        Err(CodeRefusal::Wrong) => {
            if let Err(limited) = app.joins.count_wrong(address) {
                // Whoever guesses waits. A right code is never held back: many people can share one address.
                tokio::time::sleep(Duration::from_secs(1)).await;
                return Err(limited);
            }
            return Err(wrong_code("No class has this code."));
        }
        Err(CodeRefusal::Expired) => {
            return Err(wrong_code("This join code has expired. Ask the instructor for the new one."));
        }
    }
    app.joins.count_join(address)?;
    let joined = JoinResponse { participant: secret::id()?, token: secret::token()? };
    let (id, token_sha256) = (joined.participant.clone(), sha256_hex(joined.token.as_bytes()));
    app.blocking(move |federation| federation.add_participant(&token_sha256, id)).await?;
    Ok((StatusCode::CREATED, Json(joined)))
}

/// `DELETE /api/v2/participants/me`: the token ends.
pub(super) async fn leave(State(app): State<App>, headers: HeaderMap) -> Result<StatusCode, ServeError> {
    access::participant(&app, &headers).await?;
    let token_sha256 = access::token_sha256(&headers).unwrap_or_default();
    app.blocking(move |federation| federation.remove_participant(&token_sha256)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /api/v2/rounds/{round}/update`.
pub(super) async fn update(
    State(app): State<App>,
    Number(round): Number,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<UpdateReceipt>, ServeError> {
    let most = ClientUpdate::max_size(&app.federation.snapshot().base);
    let too_large = || ServeError::problem(ProblemCode::TooLarge, format!("An update has {most} bytes at the most."));
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > most as u64) {
        return Err(too_large());
    }
    // What is not too large is received before anything else is refused: a browser that is still sending when the connection
    // closes reports a network error, and its tab would never hear that it has to join again. A stranger's is not kept.
    let participant = match access::participant(&app, &headers).await {
        Ok(participant) => participant,
        Err(refused) => {
            let mut parts = request.into_limited_body().into_data_stream();
            while let Some(Ok(_)) = parts.next().await {}
            return Err(refused);
        }
    };
    let body = Bytes::from_request(request, &app).await;
    if headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != SAFETENSORS) {
        let detail = format!("An update's content type is {SAFETENSORS}.");
        return Err(ServeError::problem(ProblemCode::BadRequest, detail));
    }
    let body = body.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => ServeError::problem(ProblemCode::BadRequest, "The body did not arrive whole."),
    })?;
    let sender = participant.clone();
    let receipt = app.blocking(move |federation| federation.submit(&participant, round, &body)).await;
    // So that an instructor knows whom to revoke.
    let receipt = receipt.inspect_err(|error| tracing::warn!(participant = sender, round, %error, "update refused"))?;
    // Not waited for: the update is safe, and the receipt need not wait for the aggregate.
    let advancing = app.clone();
    tokio::spawn(async move {
        if let Err(error) = advancing.blocking(|federation| federation.advance()).await {
            tracing::error!(%error, "the round does not get on; trying again at the next tick");
        }
    });
    Ok(Json(receipt))
}
