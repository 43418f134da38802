//! Problems of the session worker and of the page.

use super::{Notice, backend, bracketed, id, text, text_with};
use crate::messages::{Asset, Refusal, SessionProblem};
use crate::protocol::ProblemCode;

/// A problem that the session worker reports.
pub fn session(problem: &SessionProblem) -> Notice {
    let message = match problem {
        SessionProblem::StorageUnavailable => text("problem-storage"),
        SessionProblem::WorkerPanicked { detail } => text_with("problem-panicked", &[("detail", bracketed(detail))]),
        SessionProblem::AggregatorUnreachable { detail } => {
            text_with("problem-unreachable", &[("detail", bracketed(detail))])
        }
        SessionProblem::AggregatorTimedOut { timeout_s } => {
            text_with("problem-timed-out", &[("seconds", (*timeout_s).into())])
        }
        SessionProblem::Refused { refusal: reason } => refusal(reason),
        SessionProblem::FederationEnded => text("problem-ended"),
        SessionProblem::ResponseMalformed { detail } => {
            text_with("problem-malformed", &[("detail", bracketed(detail))])
        }
        SessionProblem::ProtocolMismatch { aggregator, page } => {
            let (aggregator, page) = (id((*aggregator).into()), id((*page).into()));
            text_with("problem-protocol", &[("aggregator", aggregator), ("page", page)])
        }
        SessionProblem::AssetAltered { asset } => text(match asset {
            Asset::Backbone => "problem-altered-backbone",
            Asset::Detector => "problem-altered-detector",
            Asset::Vfer => "problem-altered-vfer",
        }),
        SessionProblem::WeightsUnusable { detail } => text_with("problem-weights", &[("detail", bracketed(detail))]),
        SessionProblem::ModelFailed { detail } => text_with("problem-model", &[("detail", bracketed(detail))]),
        SessionProblem::TrainingFailed { detail } => text_with("problem-training", &[("detail", bracketed(detail))]),
        SessionProblem::BackboneFailed { failure } => {
            text_with("problem-backbone", &[("failure", backend::failure(failure).into())])
        }
        SessionProblem::ExtractorNotLoaded { failure } => {
            text_with("problem-extractor", &[("failure", backend::failure(failure).into())])
        }
        SessionProblem::VideoModelFailed { failure } => {
            text_with("problem-video-model", &[("failure", backend::failure(failure).into())])
        }
        SessionProblem::ArchitectureUnsupported { detail } => {
            text_with("problem-architecture", &[("detail", bracketed(detail))])
        }
        SessionProblem::FrameUnreadable { detail } => text_with("problem-frame", &[("detail", bracketed(detail))]),
        SessionProblem::FrameTooSmall { width, height, minimum } => text_with(
            "problem-frame-small",
            &[("width", (*width).into()), ("height", (*height).into()), ("minimum", (*minimum).into())],
        ),
    };
    Notice::new(message, text(way_out(problem)))
}

fn way_out(problem: &SessionProblem) -> &'static str {
    match problem {
        SessionProblem::StorageUnavailable => "way-leave-private",
        SessionProblem::WorkerPanicked { .. } => "way-reload-on",
        SessionProblem::AggregatorUnreachable { .. }
        | SessionProblem::AggregatorTimedOut { .. }
        | SessionProblem::ExtractorNotLoaded { .. } => "way-keeps-trying",
        SessionProblem::Refused { refusal } => refusal_way_out(refusal),
        SessionProblem::FederationEnded => "way-other-link",
        SessionProblem::ProtocolMismatch { .. } => "way-reload-fits",
        SessionProblem::AssetAltered { .. } => "way-check-connection",
        SessionProblem::ResponseMalformed { .. }
        | SessionProblem::WeightsUnusable { .. }
        | SessionProblem::ModelFailed { .. }
        | SessionProblem::TrainingFailed { .. } => "way-reload",
        SessionProblem::BackboneFailed { .. } | SessionProblem::VideoModelFailed { .. } => "way-close-tabs",
        SessionProblem::ArchitectureUnsupported { .. } => "way-reload-newest",
        SessionProblem::FrameUnreadable { .. } => "way-pause",
        SessionProblem::FrameTooSmall { .. } => "way-pause-or-choose",
    }
}

/// Why the aggregator refused something, in a sentence.
pub fn refusal(refusal: &Refusal) -> String {
    match refusal.problem {
        ProblemCode::WrongJoinCode => text("refusal-join-code"),
        // No call of a student's page is the owner's.
        ProblemCode::Unauthorized | ProblemCode::OwnerOnly => text("refusal-unauthorized"),
        ProblemCode::StaleBase => text("refusal-stale"),
        ProblemCode::RoundNotOpen => text("refusal-no-round"),
        ProblemCode::AlreadyReceived => text("refusal-received"),
        ProblemCode::TooLarge => text("refusal-too-large"),
        ProblemCode::BadUpdate => match &refusal.tensor {
            Some(tensor) => text_with("refusal-bad-update-at", &[("tensor", tensor.into())]),
            None => text("refusal-bad-update"),
        },
        ProblemCode::BadRequest => text("refusal-bad-request"),
        ProblemCode::RateLimited => match refusal.retry_after_s {
            Some(wait_s) => text_with("refusal-rate-wait", &[("seconds", wait_s.into())]),
            None => text("refusal-rate"),
        },
        ProblemCode::NotFound => text("refusal-not-found"),
        ProblemCode::Conflict => text("refusal-conflict"),
        ProblemCode::StorageUnavailable => text("refusal-storage"),
        ProblemCode::StorageDamaged => text("refusal-damaged"),
        ProblemCode::Internal => text("refusal-internal"),
    }
}

fn refusal_way_out(refusal: &Refusal) -> &'static str {
    match refusal.problem {
        ProblemCode::WrongJoinCode => "way-check-code",
        ProblemCode::Unauthorized => "way-join-again",
        ProblemCode::RateLimited | ProblemCode::StorageUnavailable | ProblemCode::Internal => "way-keeps-trying",
        ProblemCode::StorageDamaged => "way-tell-instructor",
        _ => "way-reload",
    }
}

/// Why the page's session worker failed. The detail is the browser's.
#[derive(Clone)]
pub enum WorkerFailure {
    /// Its script did not load.
    ScriptNotLoaded,
    /// It ended with an uncaught error.
    Stopped(String),
    /// It did not respond within so many seconds.
    Silent(u32),
}

impl WorkerFailure {
    fn words(&self) -> String {
        match self {
            Self::ScriptNotLoaded => text("failure-script"),
            Self::Stopped(detail) => detail.clone(),
            Self::Silent(timeout_s) => text_with("failure-silent", &[("seconds", (*timeout_s).into())]),
        }
    }
}

/// The browser cannot start a module worker.
pub fn no_workers() -> Notice {
    Notice::new(text("problem-no-workers"), text("way-current-browser"))
}

/// The session worker stopped again after it was restarted.
pub fn worker_stopped_twice(failure: &WorkerFailure) -> Notice {
    let message = text_with("problem-stopped-twice", &[("failure", failure.words().into())]);
    Notice::new(message, text("way-reload-on"))
}

/// The session worker does not load, and is started again in `delay_s` seconds.
pub fn worker_not_loaded(failure: &WorkerFailure, delay_s: u64) -> Notice {
    let message = text_with("problem-not-loaded", &[("failure", failure.words().into())]);
    Notice::new(message, text_with("way-retries-in", &[("seconds", delay_s.into())]))
}

/// Many frames in a row could not be read.
pub fn frames_unreadable(detail: &str) -> Notice {
    let message = text_with("problem-frames", &[("detail", bracketed(detail))]);
    Notice::new(message, text("way-pause-or-choose"))
}

/// The browser refuses to delete the page's storage.
pub fn storage_not_deleted() -> Notice {
    Notice::new(text("problem-not-deleted"), text("way-clear-data"))
}
