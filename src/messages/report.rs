//! What the session worker reports while it runs.

use serde::{Deserialize, Serialize};

use super::{FrameDropReason, ModelWorkerFailure, Refusal};
use crate::emotion::EMOTIONS;

/// Where the backbone runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// On WebGPU.
    Webgpu,
    /// On the CPU, with SIMD.
    Cpu,
}

/// Why the backbone runs where it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendReason {
    /// The student chose it.
    Chosen,
    /// The browser has no WebGPU.
    NoWebgpu,
    /// WebGPU has no adapter.
    NoAdapter,
    /// The adapter's limits are below WebGPU's defaults.
    AdapterLimits {
        /// The adapter's name, as far as the browser tells it.
        adapter: Option<String>,
    },
    /// The adapter runs in software.
    SoftwareAdapter {
        /// The adapter's name, as far as the browser tells it.
        adapter: Option<String>,
    },
    /// It was the faster one.
    Measured {
        /// Time of a frame on WebGPU, in milliseconds.
        webgpu_ms: f64,
        /// Time of a frame on the CPU, in milliseconds.
        cpu_ms: f64,
    },
    /// The backbone could not be loaded on WebGPU.
    LoadFailed {
        /// How the extractor failed.
        failure: ModelWorkerFailure,
    },
    /// WebGPU failed while in use, and the CPU took over.
    Lost {
        /// How the extractor failed.
        failure: ModelWorkerFailure,
    },
}

/// Where the backbone runs, and why there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackendReport {
    /// Where.
    pub backend: Backend,
    /// Why there.
    pub reason: BackendReason,
    /// WebGPU's adapter, as far as the browser tells its name.
    pub adapter: Option<String>,
    /// Measured time of one frame through the backbone, in milliseconds.
    pub frame_ms: f64,
    /// Number of extractors.
    pub workers: usize,
}

/// Why the video model is trained where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VideoModelReason {
    /// No backbone runs on WebGPU, whose device it would share.
    NoWebgpu,
    /// It was the faster one.
    Measured {
        /// Time of a training step of 8 clips of 32 frames on WebGPU, in milliseconds.
        webgpu_step_ms: f64,
        /// The same on the CPU.
        cpu_step_ms: f64,
    },
    /// WebGPU computes another gradient than the CPU.
    Deviates {
        /// Largest difference, relative to the largest value of its tensor; absent if it is not finite.
        deviation: Option<f64>,
    },
    /// Its architecture is not the paper's: it runs on burn, beside the backbone.
    Architecture,
    /// WebGPU failed, and the CPU took over.
    Failed {
        /// How the worker failed.
        failure: ModelWorkerFailure,
    },
}

/// Where the video model is trained, and why there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoModelReport {
    /// Where.
    pub backend: Backend,
    /// Why there.
    pub reason: VideoModelReason,
}

/// A face in a frame, in fractions of the frame's width and height.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaceBox {
    /// Left edge.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
    /// The detector's score, 0 to 1.
    pub score: f64,
}

/// The result of one frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameReport {
    /// The frame's time, as the page gave it.
    pub at_ms: f64,
    /// The square around the tracked face.
    pub face: Option<FaceBox>,
    /// How many faces were detected.
    pub faces: usize,
    /// The frame is too dark to detect a face in.
    pub dark: bool,
    /// The face is not good enough to learn from.
    pub dropped: Option<FrameDropReason>,
    /// Probabilities of this frame by the image model (IFER).
    pub image: Option<[f32; EMOTIONS]>,
    /// Probabilities of the clip up to this frame by the video model (VFER).
    pub video: Option<[f32; EMOTIONS]>,
    /// Frames processed per second, lately.
    pub frames_per_second: f64,
    /// Memory of the session worker and its extractors, in bytes, without a GPU's.
    pub memory_bytes: f64,
    /// So few frames a second that no clip reaches its minimum number of frames.
    pub too_slow: bool,
}

impl FrameReport {
    /// Nothing was detected in the frame of `at_ms`.
    pub fn empty(at_ms: f64) -> Self {
        Self {
            at_ms,
            face: None,
            faces: 0,
            dark: false,
            dropped: None,
            image: None,
            video: None,
            frames_per_second: 0.0,
            memory_bytes: 0.0,
            too_slow: false,
        }
    }
}

/// Mean losses of two global models on the clips that the tab has set aside.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HoldOutEffect {
    /// Number of clips.
    pub clips: usize,
    /// Of the version before, in nats.
    pub loss_before: f64,
    /// Of this version, in nats.
    pub loss_after: f64,
}

/// Progress of local fine-tuning.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingReport {
    /// For this round.
    pub round: u64,
    /// Steps done.
    pub step: usize,
    /// Steps in total.
    pub steps: usize,
    /// Clips trained on.
    pub clips: usize,
    /// Loss of the last step.
    pub loss: f32,
}

/// Why local fine-tuning is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrainingPause {
    /// The tab is hidden.
    Hidden,
    /// The battery is low and not being charged.
    BatteryLow,
}

/// The upload of a client update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UploadReport {
    /// For this round.
    pub round: u64,
    /// Length of the body in bytes.
    pub bytes: u64,
    /// The number of clips that the update was trained on.
    pub clips: u32,
    /// Its state.
    pub state: UploadState,
}

/// The state of an upload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UploadState {
    /// Being sent.
    Sending,
    /// The aggregator has stored it.
    Acknowledged,
    /// It is not sent unless the student says so ([`super::ToWorker::SendWithheld`]): on the clips that were set aside, it is
    /// worse than its base.
    Withheld {
        /// The number of those clips.
        held_out_clips: usize,
        /// Mean loss of the base on them, in nats.
        loss_before: f64,
        /// Mean loss of the fine-tuned model on them, in nats.
        loss_after: f64,
    },
    /// The aggregator did not accept it.
    Refused {
        /// Why.
        refusal: Refusal,
    },
}

/// Whether the aggregator responds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectionReport {
    /// It does.
    pub online: bool,
    /// When the next attempt is made, in milliseconds from now.
    pub retry_in_ms: Option<u64>,
}
