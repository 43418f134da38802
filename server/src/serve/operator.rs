//! The operator's calls: which federations there are beside the first.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use emofed::protocol::{FederationLinks, FederationSummary, NewFederation};

use super::error::{RequestError, ServeError};
use super::federations::Federations;
use super::openapi::{Failures, Refused, Unauthorized};
use super::{Host, JsonObject, access};

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

/// The federations beside the first.
#[utoipa::path(
    get,
    path = "/api/v2/operator/federations",
    operation_id = "federations",
    tag = "operator",
    responses((status = 200, description = "All of them", body = Vec<FederationSummary>), Unauthorized, Failures),
    security(("operator" = [])),
)]
pub(super) async fn list(Operator(federations): Operator) -> Json<Vec<FederationSummary>> {
    Json(federations.list())
}

/// Makes a federation.
#[utoipa::path(
    post,
    path = "/api/v2/operator/federations",
    operation_id = "create_federation",
    tag = "operator",
    request_body = NewFederation,
    responses(
        (status = 201, description = "Its links, which are told this once", body = FederationLinks),
        (status = 409, response = Refused),
        Unauthorized,
        Failures,
    ),
    security(("operator" = [])),
)]
pub(super) async fn create(
    Operator(federations): Operator,
    JsonObject(NewFederation { name }): JsonObject<NewFederation>,
) -> Result<(StatusCode, Json<FederationLinks>), ServeError> {
    let links = tokio::task::spawn_blocking(move || federations.create(&name)).await??;
    Ok((StatusCode::CREATED, Json(links)))
}

/// Ends a federation, with all it has stored.
#[utoipa::path(
    delete,
    path = "/api/v2/operator/federations/{id}",
    operation_id = "end_federation",
    tag = "operator",
    params(("id" = String, Path, description = "The federation's random id")),
    responses((status = 204, description = "Ended"), (status = 404, response = Refused), Unauthorized, Failures),
    security(("operator" = [])),
)]
pub(super) async fn end(
    Operator(federations): Operator,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, ServeError> {
    let Path(id) = id.map_err(|error| RequestError::Malformed(error.body_text()))?;
    tokio::task::spawn_blocking(move || federations.end(&id)).await??;
    Ok(StatusCode::NO_CONTENT)
}
