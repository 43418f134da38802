//! What can go wrong in the session worker, and what the student can do about it.

use super::message::ProblemReport;
use super::request::RequestError;
use crate::learning::LearningError;
use crate::model::ModelError;
use crate::protocol::ProblemCode;
use crate::weights::WeightsError;

/// An error of the session worker.
#[derive(Debug, thiserror::Error)]
pub enum TabError {
    /// A request failed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The aggregator speaks another version of the protocol.
    #[error("the aggregator speaks protocol {0}, this page {ours}", ours = crate::protocol::PROTOCOL)]
    Protocol(u32),
    /// A blob does not have the hash it is named by, even after fetching it once more.
    #[error("the file {what} arrived altered, twice")]
    Altered {
        /// Which file.
        what: &'static str,
    },
    /// Weights could not be used.
    #[error("the weights do not fit: {0}")]
    Weights(#[from] WeightsError),
    /// A model failed.
    #[error("the model failed: {0}")]
    Model(#[from] ModelError),
    /// The backbone cannot be run.
    #[error("the backbone cannot be run: {0}")]
    Engine(String),
    /// Training failed.
    #[error("training failed: {0}")]
    Learning(#[from] LearningError),
    /// The page's own files do not come.
    #[error("the page's own files cannot be loaded: {0}")]
    Script(String),
    /// The frame could not be read.
    #[error("the camera's picture cannot be read: {0}")]
    Frame(String),
}

impl TabError {
    /// The aggregator's answer makes no sense.
    pub fn answer(why: impl Into<String>) -> Self {
        RequestError::Answer(why.into()).into()
    }

    /// Whether waiting helps.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Request(RequestError::Unreachable(_) | RequestError::TimedOut { .. }) | Self::Script(_) => true,
            Self::Request(RequestError::Refused(problem)) => matches!(
                problem.code,
                ProblemCode::RateLimited
                    | ProblemCode::StorageUnavailable
                    | ProblemCode::StorageDamaged
                    | ProblemCode::Internal
            ),
            _ => false,
        }
    }

    /// How long the aggregator asks to wait, in seconds.
    pub fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::Request(RequestError::Refused(problem)) => problem.retry_after_s,
            _ => None,
        }
    }

    /// The kind of refusal, where it is one.
    pub fn code(&self) -> Option<ProblemCode> {
        match self {
            Self::Request(RequestError::Refused(problem)) => Some(problem.code),
            _ => None,
        }
    }

    /// For the page: what happened, and the way out.
    pub fn report(&self, fatal: bool) -> ProblemReport {
        let way_out = match self {
            Self::Request(RequestError::Unreachable(_) | RequestError::TimedOut { .. }) | Self::Script(_) => {
                "The page keeps trying by itself."
            }
            Self::Request(RequestError::Refused(problem)) => match problem.code {
                ProblemCode::WrongJoinCode => "Check the code with your instructor and enter it again.",
                ProblemCode::Unauthorized => "Reload the page and join again.",
                _ => "Reload the page; if that does not help, tell your instructor.",
            },
            Self::Protocol(_) => "Reload the page to get the version that fits.",
            Self::Altered { .. } => "Check the connection, then reload the page; if it stays, tell your instructor.",
            Self::Frame(_) => "Pause and resume the camera.",
            Self::Engine(_) => "Close other tabs to free memory, then reload the page.",
            Self::Request(RequestError::Answer(_)) | Self::Weights(_) | Self::Model(_) | Self::Learning(_) => {
                "Reload the page; if that does not help, tell your instructor."
            }
        };
        ProblemReport {
            message: sentence(&self.to_string()),
            way_out: way_out.to_owned(),
            fatal,
            passing: self.is_transient(),
        }
    }
}

/// `text` with a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).chain(['.']).collect())
}
