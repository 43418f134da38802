//! Errors of the session worker. Their `Display` is for logs; the page gets the code ([`WorkerError::problem`]).

use crate::browser::request::RequestError;
use crate::learning::LearningError;
use crate::messages::{Asset, ModelWorkerFailure, ProblemReport, Refusal, SessionProblem};
use crate::model::ModelError;
use crate::model::vfer::ArchitectureError;
use crate::protocol::{PROTOCOL, ProblemCode};
use crate::weights::WeightsError;

/// An error of the session worker.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// A request failed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The aggregator speaks another version of the protocol.
    #[error("the aggregator speaks protocol {0}, this page {PROTOCOL}")]
    Protocol(u32),
    /// A blob does not have the hash that names it, even after a second download.
    #[error("the hash of {0:?} is wrong, twice")]
    Altered(Asset),
    /// Weights are not usable.
    #[error("unusable weights: {0}")]
    Weights(#[from] WeightsError),
    /// A model failed.
    #[error("the model failed: {0}")]
    Model(#[from] ModelError),
    /// The backbone runs on no extractor.
    #[error("the backbone cannot be run: {0:?}")]
    Backbone(ModelWorkerFailure),
    /// An extractor's script does not load.
    #[error("an extractor does not load: {0:?}")]
    ExtractorNotLoaded(ModelWorkerFailure),
    /// The video model runs on no worker.
    #[error("the video model cannot be run: {0:?}")]
    VideoModel(ModelWorkerFailure),
    /// This version does not know the video model's architecture.
    #[error(transparent)]
    Architecture(#[from] ArchitectureError),
    /// Training failed.
    #[error("training failed: {0}")]
    Learning(#[from] LearningError),
    /// The federation is no more.
    #[error("the federation has ended")]
    FederationEnded,
    /// The pixels of a frame cannot be read.
    #[error("the frame cannot be read: {0}")]
    Frame(String),
    /// A frame is too small to find a face in.
    #[error("the frame has {width} × {height} pixels; {minimum} each way are needed")]
    FrameTooSmall {
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
        /// The smallest usable side in pixels.
        minimum: u32,
    },
}

impl WorkerError {
    /// The aggregator's response does not follow the protocol.
    pub fn malformed(detail: impl Into<String>) -> Self {
        RequestError::Malformed { detail: detail.into() }.into()
    }

    /// Whether retrying later may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Request(RequestError::Unreachable { .. } | RequestError::TimedOut { .. })
            | Self::ExtractorNotLoaded(_) => true,
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
        self.refusal().and_then(|refusal| refusal.retry_after_s)
    }

    /// The code of a refusal by the aggregator.
    pub fn code(&self) -> Option<ProblemCode> {
        self.refusal().map(|refusal| refusal.problem)
    }

    /// A refusal by the aggregator.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Request(RequestError::Refused(problem)) => Some(problem.into()),
            _ => None,
        }
    }

    /// The error as a code with parameters.
    pub fn problem(&self) -> SessionProblem {
        match self {
            Self::Request(RequestError::Unreachable { detail }) => {
                SessionProblem::AggregatorUnreachable { detail: detail.clone() }
            }
            Self::Request(RequestError::TimedOut { timeout_s }) => {
                SessionProblem::AggregatorTimedOut { timeout_s: *timeout_s }
            }
            Self::Request(RequestError::Refused(problem)) => SessionProblem::Refused { refusal: problem.into() },
            Self::Request(RequestError::Malformed { detail }) => {
                SessionProblem::ResponseMalformed { detail: detail.clone() }
            }
            Self::Protocol(aggregator) => SessionProblem::ProtocolMismatch { aggregator: *aggregator, page: PROTOCOL },
            Self::Altered(asset) => SessionProblem::AssetAltered { asset: *asset },
            Self::Weights(error) => SessionProblem::WeightsUnusable { detail: error.to_string() },
            Self::Model(error) => SessionProblem::ModelFailed { detail: error.to_string() },
            Self::Learning(error) => SessionProblem::TrainingFailed { detail: error.to_string() },
            Self::Backbone(failure) => SessionProblem::BackboneFailed { failure: failure.clone() },
            Self::ExtractorNotLoaded(failure) => SessionProblem::ExtractorNotLoaded { failure: failure.clone() },
            Self::VideoModel(failure) => SessionProblem::VideoModelFailed { failure: failure.clone() },
            Self::Architecture(error) => SessionProblem::ArchitectureUnsupported { detail: error.to_string() },
            Self::FederationEnded => SessionProblem::FederationEnded,
            Self::Frame(detail) => SessionProblem::FrameUnreadable { detail: detail.clone() },
            Self::FrameTooSmall { width, height, minimum } => {
                SessionProblem::FrameTooSmall { width: *width, height: *height, minimum: *minimum }
            }
        }
    }

    /// The error as a report to the page.
    pub fn report(&self, is_fatal: bool) -> ProblemReport {
        ProblemReport { problem: self.problem(), is_fatal, is_transient: self.is_transient() }
    }
}
