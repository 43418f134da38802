//! Problems as codes with parameters. A parameter called `detail` is diagnostic text of the browser or of a library, in no
//! particular language; it may be shown in brackets, and is never the explanation itself.

use serde::{Deserialize, Serialize};

use super::Asset;
use crate::protocol::{Problem, ProblemCode};

/// Something that the student should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemReport {
    /// What happened.
    pub problem: SessionProblem,
    /// The session cannot continue.
    pub is_fatal: bool,
    /// It resolves by itself: the worker keeps trying.
    pub is_transient: bool,
}

/// What can go wrong in the session worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionProblem {
    /// The browser lets the page store nothing on the device.
    StorageUnavailable,
    /// The session worker panicked.
    WorkerPanicked {
        /// The panic's message and place.
        detail: String,
    },
    /// There is no response from the aggregator.
    AggregatorUnreachable {
        /// Diagnostic text.
        detail: String,
    },
    /// There was no response within the timeout.
    AggregatorTimedOut {
        /// The timeout, in seconds.
        timeout_s: u32,
    },
    /// The aggregator refused a request.
    Refused {
        /// Why.
        refusal: Refusal,
    },
    /// The federation is no more.
    FederationEnded,
    /// The aggregator's response does not follow the protocol.
    ResponseMalformed {
        /// Diagnostic text.
        detail: String,
    },
    /// The aggregator speaks another version of the protocol.
    ProtocolMismatch {
        /// The aggregator's version.
        aggregator: u32,
        /// This page's version.
        page: u32,
    },
    /// A file did not have the hash that names it, twice in a row.
    AssetAltered {
        /// Which file.
        asset: Asset,
    },
    /// A file's weights do not fit the model.
    WeightsUnusable {
        /// Diagnostic text.
        detail: String,
    },
    /// A model failed.
    ModelFailed {
        /// Diagnostic text.
        detail: String,
    },
    /// Local fine-tuning failed.
    TrainingFailed {
        /// Diagnostic text.
        detail: String,
    },
    /// The backbone runs nowhere.
    BackboneFailed {
        /// How its last extractor failed.
        failure: ModelWorkerFailure,
    },
    /// An extractor's script does not load.
    ExtractorNotLoaded {
        /// How it failed.
        failure: ModelWorkerFailure,
    },
    /// The video model runs nowhere.
    VideoModelFailed {
        /// How its last worker failed.
        failure: ModelWorkerFailure,
    },
    /// This version of the page does not know the video model's architecture.
    ArchitectureUnsupported {
        /// Diagnostic text.
        detail: String,
    },
    /// A frame's pixels could not be read.
    FrameUnreadable {
        /// Diagnostic text.
        detail: String,
    },
    /// A frame is too small to find a face in.
    FrameTooSmall {
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
        /// The smallest usable side in pixels.
        minimum: u32,
    },
}

/// Why the aggregator refused a request: its problem document without the prose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The kind of problem.
    pub problem: ProblemCode,
    /// The tensor at fault, for a client update.
    pub tensor: Option<String>,
    /// Seconds to wait before trying again.
    pub retry_after_s: Option<u64>,
}

impl From<&Problem> for Refusal {
    fn from(problem: &Problem) -> Self {
        Self { problem: problem.code, tensor: problem.tensor.clone(), retry_after_s: problem.retry_after_s }
    }
}

/// Why a worker that runs models, the backbone or a video model, is of no use any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelWorkerFailure {
    /// Its script did not load.
    ScriptNotLoaded,
    /// It ended with an uncaught error.
    Stopped {
        /// The error's message.
        detail: String,
    },
    /// It did not respond in time.
    Silent {
        /// The timeout, in seconds.
        timeout_s: u32,
    },
    /// It lost its WebGPU device.
    DeviceLost {
        /// The browser's reason.
        detail: String,
    },
    /// It could not load or run the backbone.
    Failed {
        /// Diagnostic text.
        detail: String,
    },
}
