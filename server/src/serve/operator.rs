//! The operator's calls: which federations there are beside the first.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use emofed::protocol::{FederationLinks, FederationSummary, NewFederation};

use super::error::{RequestError, ServeError};
use super::federations::Federations;
use super::{Host, access};

/// The operator, by the token of the `Authorization` header. Where there is none, no token is right.
pub(super) struct Operator(pub(super) Arc<Federations>);

impl FromRequestParts<Host> for Operator {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, host: &Host) -> Result<Self, RequestError> {
        let token = access::bearer(&parts.headers).ok_or(RequestError::NotTheOperator)?;
        let federations = host.federations.clone().filter(|federations| federations.is_operator(token));
        federations.map(Self).ok_or(RequestError::NotTheOperator)
    }
}

/// `GET /api/v2/operator/federations`.
pub(super) async fn list(Operator(federations): Operator) -> Json<Vec<FederationSummary>> {
    Json(federations.list())
}

/// `POST /api/v2/operator/federations`: makes one. Its links are told here and never again.
pub(super) async fn create(
    Operator(federations): Operator,
    new: Result<Json<NewFederation>, JsonRejection>,
) -> Result<(StatusCode, Json<FederationLinks>), ServeError> {
    let Json(NewFederation { name }) = new.map_err(|error| RequestError::Malformed(error.body_text()))?;
    let links = tokio::task::spawn_blocking(move || federations.create(&name)).await??;
    Ok((StatusCode::CREATED, Json(links)))
}

/// `DELETE /api/v2/operator/federations/{id}`: ends it, with all it has stored.
pub(super) async fn end(
    Operator(federations): Operator,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, ServeError> {
    let Path(id) = id.map_err(|error| RequestError::Malformed(error.body_text()))?;
    tokio::task::spawn_blocking(move || federations.end(&id)).await??;
    Ok(StatusCode::NO_CONTENT)
}
