//! What the page and the session worker tell each other. It never leaves the tab.
//!
//! Both sides use serde-wasm-bindgen. Only frames go another way: as a plain object
//! `{ "frame": ImageBitmap, "at_ms": number }` whose bitmap is transferred, one at a time, each after the
//! [`FromWorker::Frame`] that answers the one before.

use serde::{Deserialize, Serialize};

use super::ledger::Ledger;
use crate::emotion::{EMOTIONS, Emotion};
use crate::protocol::Manifest;

/// Where models run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineChoice {
    /// The probe decides.
    #[default]
    Auto,
    /// WebGPU, even where it is a software adapter.
    Webgpu,
    /// SIMD on the CPU.
    Cpu,
}

/// From the page to the session worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ToWorker {
    /// Join (or resume) and get ready for frames. Sent once, after [`FromWorker::Ready`].
    Start {
        /// The code of the class.
        join_code: String,
        /// Where models shall run.
        engine: EngineChoice,
        /// Whether this student contributes; off until chosen.
        contribute: bool,
        /// Whether the page can be seen.
        visible: bool,
    },
    /// The student opts in to, or out of, sending client updates.
    Contribute {
        /// In or out.
        on: bool,
    },
    /// The camera is paused: the clip being collected ends.
    CameraPaused,
    /// The page can be seen from now on, or no longer: then no event stream is held open.
    Visible {
        /// It can.
        on: bool,
    },
    /// Ends the session; [`FromWorker::Ended`] follows.
    End {
        /// An update that is being sent may get there first.
        after_sending: bool,
    },
}

/// From the session worker to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum FromWorker {
    /// The worker listens.
    Ready,
    /// A file is on its way.
    Loading {
        /// What it is.
        what: Asset,
        /// Bytes so far.
        received: u64,
        /// Bytes in all.
        total: u64,
    },
    /// The tab is a participant and knows the class: sent at the start and whenever the manifest changes.
    Manifest {
        /// As the aggregator sent it.
        manifest: Box<Manifest>,
    },
    /// Models run here from now on.
    Engine(EngineReport),
    /// Models are loaded: frames may come.
    FramesWanted,
    /// The answer to a frame; the next may come.
    Frame(FrameReport),
    /// A clip ended.
    Clip(ClipReport),
    /// Local fine-tuning goes on.
    Training(TrainingReport),
    /// A client update is on its way, or there.
    Upload(UploadReport),
    /// What has left the tab so far: sent at the start and whenever something leaves it or is answered.
    Ledger {
        /// As it is kept on the device.
        ledger: Ledger,
    },
    /// The student opted out while an update was being made or sent; it is deleted.
    Withdrawn {
        /// The round that it was for.
        round: u64,
        /// It was sent, and whether it arrived is not known: its clips count as sent.
        may_have_arrived: bool,
    },
    /// The tab uses this version of the central VFER now.
    Adopted {
        /// The version.
        version: u64,
    },
    /// Whether the aggregator answers.
    Connection(ConnectionReport),
    /// Something is wrong.
    Problem(ProblemReport),
    /// The session has ended: nothing is sent, and nothing written on the device any more.
    Ended,
}

/// What a tab downloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asset {
    /// The backbone's weights.
    Backbone,
    /// The face detector's.
    Detector,
    /// The central VFER.
    Vfer,
}

/// Where the backbone runs, and why there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineReport {
    /// Whether it is WebGPU; the CPU otherwise.
    pub webgpu: bool,
    /// One sentence: what the probe found.
    pub reason: String,
    /// The adapter's name, as far as the browser tells it.
    pub adapter: Option<String>,
    /// Measured time of one frame through the backbone, in milliseconds.
    pub frame_ms: f64,
    /// How many workers have the backbone.
    pub workers: usize,
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

/// What was seen in one frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameReport {
    /// The frame's time, as the page gave it.
    pub at_ms: f64,
    /// The square around the face that is followed.
    pub face: Option<FaceBox>,
    /// How many faces there are.
    pub faces: usize,
    /// The frame is too dark to see anything.
    pub dark: bool,
    /// Image model (IFER): probabilities of this frame.
    pub image: Option<[f32; EMOTIONS]>,
    /// Video model (VFER): probabilities of the clip up to this frame.
    pub video: Option<[f32; EMOTIONS]>,
    /// Frames looked at per second, lately.
    pub frames_per_second: f64,
}

/// What became of a clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipReport {
    /// Frames with a face.
    pub frames: usize,
    /// Mean IFER probability over the frames.
    pub mean: [f32; EMOTIONS],
    /// The emotion that is largest in `mean`.
    pub label: Emotion,
    /// Probabilities of the whole clip by the video model that is shown.
    pub video: [f32; EMOTIONS],
    /// Clips behind the student's own head, by the recipe of that name, once there is one.
    pub own_head_clips: Option<usize>,
    /// Whether it is confident enough to learn from.
    pub kept: bool,
    /// Clips waiting to be learned from.
    pub waiting: usize,
    /// Clips dropped so far in this session.
    pub dropped: usize,
}

/// How far local fine-tuning is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingReport {
    /// For this round.
    pub round: u64,
    /// Steps done.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// Clips in the epoch.
    pub clips: usize,
    /// Loss of the last step.
    pub loss: f32,
}

/// The client update's way to the aggregator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UploadReport {
    /// For this round.
    pub round: u64,
    /// Length of the body in bytes.
    pub bytes: u64,
    /// The number of clips that goes with it.
    pub clips: u32,
    /// How it stands.
    pub state: UploadState,
}

/// How a client update stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UploadState {
    /// Being sent.
    Sending,
    /// Safely with the aggregator.
    Acknowledged,
    /// Not accepted, and why.
    Refused(String),
}

/// Whether the aggregator answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectionReport {
    /// It does.
    pub online: bool,
    /// When it is asked again, in milliseconds from now.
    pub retry_in_ms: Option<u64>,
}

/// Something that the student should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemReport {
    /// What happened, in a sentence.
    pub message: String,
    /// What to do about it, in a sentence.
    pub way_out: String,
    /// The session cannot go on.
    pub fatal: bool,
    /// It is over when models run.
    pub passing: bool,
}

/// A message as a plain JavaScript object.
///
/// # Errors
/// A number that JavaScript cannot hold.
#[cfg(target_arch = "wasm32")]
pub fn to_js<T: Serialize>(message: &T) -> Result<wasm_bindgen::JsValue, serde_wasm_bindgen::Error> {
    message.serialize(&serde_wasm_bindgen::Serializer::json_compatible())
}

/// The message in a plain JavaScript object.
///
/// # Errors
/// It is none of ours.
#[cfg(target_arch = "wasm32")]
pub fn from_js<T: serde::de::DeserializeOwned>(object: wasm_bindgen::JsValue) -> Result<T, serde_wasm_bindgen::Error> {
    serde_wasm_bindgen::from_value(object)
}
