//! Problems of the session worker and of the page.

use super::{Notice, backend, bracketed};
use crate::messages::{Asset, Refusal, SessionProblem};
use crate::protocol::ProblemCode;

const RELOAD: &str = "Reload the page; if that does not help, tell your instructor.";
const KEEPS_TRYING: &str = "The page keeps trying by itself.";

/// A problem that the session worker reports.
pub fn session(problem: &SessionProblem) -> Notice {
    match problem {
        SessionProblem::StorageUnavailable => Notice::new(
            "This browser keeps nothing on the device, so a reload starts over.",
            "Leave private browsing if you want to go on after a reload.",
        ),
        SessionProblem::WorkerPanicked { detail } => {
            Notice::new(format!("The session worker stopped{}.", bracketed(detail)), "Reload the page to go on.")
        }
        SessionProblem::AggregatorUnreachable { detail } => {
            Notice::new(format!("The aggregator does not answer{}.", bracketed(detail)), KEEPS_TRYING)
        }
        SessionProblem::AggregatorTimedOut { timeout_s } => {
            Notice::new(format!("The aggregator did not answer within {timeout_s} s."), KEEPS_TRYING)
        }
        SessionProblem::Refused { refusal: reason } => Notice::new(refusal(reason), refusal_way_out(reason)),
        SessionProblem::ResponseMalformed { detail } => {
            Notice::new(format!("The aggregator's answer is not understood{}.", bracketed(detail)), RELOAD)
        }
        SessionProblem::ProtocolMismatch { aggregator, page } => Notice::new(
            format!("The aggregator speaks version {aggregator} of the protocol, this page version {page}."),
            "Reload the page to get the version that fits.",
        ),
        SessionProblem::AssetAltered { asset } => Notice::new(
            format!("The file with the weights of {} arrived altered, twice.", self::asset(*asset)),
            "Check the connection, then reload the page; if it stays, tell your instructor.",
        ),
        SessionProblem::WeightsUnusable { detail } => {
            Notice::new(format!("The weights do not fit{}.", bracketed(detail)), RELOAD)
        }
        SessionProblem::ModelFailed { detail } => Notice::new(format!("A model failed{}.", bracketed(detail)), RELOAD),
        SessionProblem::TrainingFailed { detail } => {
            Notice::new(format!("Training failed{}.", bracketed(detail)), RELOAD)
        }
        SessionProblem::BackboneFailed { failure } => Notice::new(
            format!("The backbone cannot be run: {}.", backend::failure(failure)),
            "Close other tabs to free memory, then reload the page.",
        ),
        SessionProblem::ExtractorNotLoaded { failure } => Notice::new(
            format!("The program that runs the models does not load: {}.", backend::failure(failure)),
            KEEPS_TRYING,
        ),
        SessionProblem::VideoModelFailed { failure } => Notice::new(
            format!("The video model cannot be run: {}.", backend::failure(failure)),
            "Close other tabs to free memory, then reload the page.",
        ),
        SessionProblem::ArchitectureUnsupported { detail } => Notice::new(
            format!("This page cannot run the federation's video model{}.", bracketed(detail)),
            "Reload the page to get its newest version; if that does not help, tell your instructor.",
        ),
        SessionProblem::FrameUnreadable { detail } => Notice::new(
            format!("The camera's picture cannot be read{}.", bracketed(detail)),
            "Pause and resume the camera.",
        ),
        SessionProblem::FrameTooSmall { width, height, minimum } => Notice::new(
            format!("The camera's picture is only {width} × {height} pixels, and {minimum} each way are needed."),
            "Pause and resume the camera, or choose another one.",
        ),
    }
}

/// Why the aggregator refused something, in a sentence.
pub fn refusal(refusal: &Refusal) -> String {
    match refusal.problem {
        ProblemCode::WrongJoinCode => "No class has this code.".to_owned(),
        ProblemCode::Unauthorized => "The aggregator does not know this participant, or no longer.".to_owned(),
        ProblemCode::StaleBase => "A newer model was published meanwhile.".to_owned(),
        ProblemCode::RoundNotOpen => "The round takes no updates any more.".to_owned(),
        ProblemCode::AlreadyReceived => "Another update of this participant already counts in this round.".to_owned(),
        ProblemCode::TooLarge => "The update is larger than any update of this model.".to_owned(),
        ProblemCode::BadUpdate => match &refusal.tensor {
            Some(tensor) => format!("The update is not one of this model, or is too large a change (at {tensor})."),
            None => "The update is not one of this model, or is too large a change.".to_owned(),
        },
        ProblemCode::BadRequest => "The aggregator does not understand what this page asks.".to_owned(),
        ProblemCode::RateLimited => match refusal.retry_after_s {
            Some(wait_s) => format!("Too many requests came from here; the aggregator asks to wait {wait_s} s."),
            None => "Too many requests came from here.".to_owned(),
        },
        ProblemCode::NotFound => "The aggregator does not have what this page asks for.".to_owned(),
        ProblemCode::Conflict => "The aggregator cannot do this now: the class may be full.".to_owned(),
        ProblemCode::StorageUnavailable => "The aggregator cannot store anything at the moment.".to_owned(),
        ProblemCode::StorageDamaged => "A file is damaged on the aggregator's disk.".to_owned(),
        ProblemCode::Internal => "The aggregator failed.".to_owned(),
    }
}

fn refusal_way_out(refusal: &Refusal) -> &'static str {
    match refusal.problem {
        ProblemCode::WrongJoinCode => "Check the code with your instructor and enter it again.",
        ProblemCode::Unauthorized => "Reload the page and join again.",
        ProblemCode::RateLimited | ProblemCode::StorageUnavailable | ProblemCode::Internal => KEEPS_TRYING,
        ProblemCode::StorageDamaged => "Tell your instructor. The page keeps trying by itself.",
        _ => RELOAD,
    }
}

/// A model's name.
pub fn asset(asset: Asset) -> &'static str {
    match asset {
        Asset::Backbone => "the backbone",
        Asset::Detector => "the face detector",
        Asset::Vfer => "the video model",
    }
}

/// Why the page's session worker failed. The detail is the browser's.
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
            Self::ScriptNotLoaded => "its script does not load".to_owned(),
            Self::Stopped(detail) => detail.clone(),
            Self::Silent(timeout_s) => format!("no answer for {timeout_s} s"),
        }
    }
}

/// The browser cannot start a module worker.
pub fn no_workers() -> Notice {
    Notice::new("This browser starts no worker for the page.", "Use a current browser.")
}

/// The session worker stopped again after it was restarted.
pub fn worker_stopped_twice(failure: &WorkerFailure) -> Notice {
    Notice::new(format!("The models stopped twice ({}).", failure.words()), "Reload the page to go on.")
}

/// The session worker does not load, and is started again in `delay_s` seconds.
pub fn worker_not_loaded(failure: &WorkerFailure, delay_s: u64) -> Notice {
    Notice::new(
        format!("The program that runs the models does not load ({}).", failure.words()),
        format!("The page tries again by itself, in {delay_s} s."),
    )
}

/// Many frames in a row could not be read.
pub fn frames_unreadable(detail: &str) -> Notice {
    Notice::new(
        format!("The camera's pictures cannot be read{}.", bracketed(detail)),
        "Pause and resume the camera, or choose another one.",
    )
}

/// The browser refuses to delete the page's storage.
pub fn storage_not_deleted() -> Notice {
    Notice::new(
        "The browser would not delete what this page has stored on the device.",
        "Clear this site's data in the browser's settings.",
    )
}
