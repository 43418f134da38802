//! The one place where failures become HTTP: status, code, detail and parameters of a problem document.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use emofed::protocol::{PROBLEM_JSON, Problem, ProblemCode, UpdateError};

use super::error::{RequestError, ServeError};
use crate::backup::BackupError;
use crate::round::{Refusal, RoundError};
use crate::store::StoreError;

/// Most characters that a problem repeats of a refused update: a sender must not have its own megabyte echoed.
const MAX_ECHO: usize = 200;
/// Seconds after which a client may try again when the store has failed.
const STORAGE_RETRY_S: u64 = 5;
/// Seconds after which a client may ask for an event stream again when there are too many.
const STREAM_RETRY_S: u64 = 60;

impl IntoResponse for ServeError {
    fn into_response(self) -> Response {
        let problem = Problem::from(&self);
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(&problem)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = problem.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl IntoResponse for RequestError {
    fn into_response(self) -> Response {
        ServeError::from(self).into_response()
    }
}

impl From<&ServeError> for Problem {
    /// What the client is told. Failures of the aggregator itself are logged, not told.
    fn from(error: &ServeError) -> Self {
        match error {
            ServeError::Request(error) => of_request(error),
            ServeError::Round(RoundError::Refused(refusal)) => of_refusal(refusal),
            ServeError::Round(RoundError::Update(error)) => of_update(error),
            ServeError::Round(RoundError::Store(error)) | ServeError::Store(error) => of_store(error),
            ServeError::BlobDamaged => Self::new(ProblemCode::StorageDamaged, error.to_string()),
            ServeError::Backup(BackupError::Store(error)) => of_store(error),
            ServeError::Backup(BackupError::Damaged { .. }) => {
                Self::new(ProblemCode::StorageDamaged, format!("No backup was made: {error}."))
            }
            ServeError::Round(RoundError::Weights(_))
            | ServeError::Backup(_)
            | ServeError::Randomness(_)
            | ServeError::Task(_) => {
                tracing::error!(%error, "internal error");
                Self::new(ProblemCode::Internal, "The aggregator failed. Its log says why.")
            }
        }
    }
}

fn of_request(error: &RequestError) -> Problem {
    use RequestError as E;
    let of = |code| Problem::new(code, error.to_string());
    let limited = |retry_after_s| Problem { retry_after_s: Some(retry_after_s), ..of(ProblemCode::RateLimited) };
    match error {
        E::Malformed(_) | E::NotANumber | E::NotSafetensors | E::BodyIncomplete => of(ProblemCode::BadRequest),
        E::UpdateTooLarge { limit } => of(ProblemCode::TooLarge).with("limit", *limit),
        E::NotAParticipant | E::NotTheInstructor | E::NotTheOperator => of(ProblemCode::Unauthorized),
        E::NotTheOwner => of(ProblemCode::OwnerOnly),
        E::TooManyAssistants { limit } | E::TooManyFederations { limit } => {
            of(ProblemCode::Conflict).with("limit", *limit)
        }
        E::FederationName { limit } => of(ProblemCode::BadRequest).with("limit", *limit),
        E::FederationUnavailable => {
            Problem { retry_after_s: Some(STORAGE_RETRY_S), ..of(ProblemCode::StorageUnavailable) }
        }
        E::WrongJoinCode | E::JoinCodeExpired | E::JoinCodeUsedUp => of(ProblemCode::WrongJoinCode),
        E::TooManyWrongCodes { limit, retry_after_s } | E::TooManyJoins { limit, retry_after_s } => {
            limited(*retry_after_s).with("limit", *limit)
        }
        E::TooManyEventStreams => limited(STREAM_RETRY_S),
        E::NoRoute | E::NotABlobName | E::UnknownFederation | E::UnknownAssistant => of(ProblemCode::NotFound),
        E::MethodNotAllowed => {
            Problem { status: StatusCode::METHOD_NOT_ALLOWED.as_u16(), ..of(ProblemCode::BadRequest) }
        }
        E::UnexpectedProxy { header } => of(ProblemCode::BadRequest).with("header", *header),
        E::NotThePublicHost { origin } => of(ProblemCode::BadRequest).with("origin", origin.as_str()),
        E::NotLoopback | E::OtherOrigin | E::OtherSite => of(ProblemCode::BadRequest),
    }
}

fn of_refusal(refusal: &Refusal) -> Problem {
    use Refusal as R;
    let of = |code| Problem::new(code, refusal.to_string());
    match refusal {
        R::NoBackbone | R::NoDetector | R::NoModel | R::RecipeNeedsPaperArchitecture => of(ProblemCode::Conflict),
        R::RoundNotEnded { round } | R::AggregationUnderway { round } => {
            of(ProblemCode::Conflict).with("round", *round)
        }
        R::RoundNotOpen { round } => of(ProblemCode::RoundNotOpen).with("round", *round),
        R::StaleBase { found_round, found_base_version, round, base_version } => of(ProblemCode::StaleBase)
            .with("found_round", *found_round)
            .with("found_base_version", *found_base_version)
            .with("round", *round)
            .with("base_version", *base_version),
        R::AlreadyReceived { round } => of(ProblemCode::AlreadyReceived).with("round", *round),
        R::TooFewContributors { round, found, limit } => {
            of(ProblemCode::Conflict).with("round", *round).with("found", *found).with("limit", *limit)
        }
        R::UnknownVersion { version } => of(ProblemCode::NotFound).with("version", *version),
        R::WeightsUnavailable { version } => of(ProblemCode::Conflict).with("version", *version),
        R::FederationFull { limit } => of(ProblemCode::Conflict).with("limit", *limit),
        R::UnknownLecture => of(ProblemCode::BadRequest),
        R::LectureAddresses { limit } => of(ProblemCode::BadRequest).with("limit", *limit as u64),
        R::NotOnStage { address } => of(ProblemCode::BadRequest).with("address", address.as_str()),
        R::UnknownParticipant => of(ProblemCode::NotFound),
        R::MinimumClientsTooSmall { found, limit }
        | R::MinimumClientsTooLarge { found, limit }
        | R::TargetClientsTooLarge { found, limit } => {
            of(ProblemCode::BadRequest).with("found", *found).with("limit", *limit)
        }
        R::MinimumClientsBelowStrategy { found, limit, strategy } => {
            of(ProblemCode::BadRequest).with("found", *found).with("limit", *limit).with("strategy", *strategy)
        }
        R::DurationOutOfRange { found, limit } | R::DurationTooShort { found, limit } => {
            of(ProblemCode::BadRequest).with("found", *found).with("limit", *limit)
        }
    }
}

fn of_update(error: &UpdateError) -> Problem {
    let detail = bounded(&format!("The update is refused: {error}."));
    let problem = Problem { tensor: error.tensor().map(bounded), ..Problem::new(ProblemCode::BadUpdate, detail) };
    match error {
        UpdateError::NumExamples { found, limit } => problem.with("found", *found).with("limit", *limit),
        UpdateError::Norm { found, limit } => problem.with("found", *found).with("limit", *limit),
        UpdateError::Weights(_) | UpdateError::Header(_) | UpdateError::Metrics => problem,
    }
}

fn of_store(error: &StoreError) -> Problem {
    if let StoreError::Missing(_) = error {
        return Problem::new(ProblemCode::NotFound, "There is no such file.");
    }
    tracing::error!(%error, "the store failed");
    let detail = "The aggregator cannot store anything now. Nothing was accepted; try again.";
    Problem { retry_after_s: Some(STORAGE_RETRY_S), ..Problem::new(ProblemCode::StorageUnavailable, detail) }
}

/// The beginning of `text`.
fn bounded(text: &str) -> String {
    text.chars().take(MAX_ECHO).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_stand_beside_the_sentence() {
        let problem = Problem::from(&Refusal::TooFewContributors { round: 4, found: 2, limit: 3 }.into());
        assert_eq!((problem.code, problem.status), (ProblemCode::Conflict, 409));
        let json = serde_json::to_value(&problem).unwrap();
        assert_eq!(json["params"], serde_json::json!({ "round": 4, "found": 2, "limit": 3 }));
        assert!(json["detail"].as_str().unwrap().contains("2 of the 3"), "{json}");
    }

    #[test]
    fn what_says_when_to_try_again_says_so_in_the_header_too() {
        let response = RequestError::TooManyJoins { limit: 9, retry_after_s: 7 }.into_response();
        assert_eq!(
            (response.status(), &response.headers()[header::RETRY_AFTER]),
            (StatusCode::TOO_MANY_REQUESTS, &"7".parse().unwrap())
        );
        let response = ServeError::from(StoreError::Io(std::io::ErrorKind::StorageFull.into())).into_response();
        assert_eq!(
            (response.status().as_u16(), &response.headers()[header::RETRY_AFTER]),
            (503, &"5".parse().unwrap())
        );
    }

    #[test]
    fn failures_of_the_aggregator_are_not_told() {
        let error = ServeError::from(StoreError::Io(std::io::Error::other("/secret/path")));
        let problem = Problem::from(&error);
        assert!(problem.code == ProblemCode::StorageUnavailable && !problem.detail.contains("secret"), "{problem:?}");
    }
}
