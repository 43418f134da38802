//! The contract between the page and the session worker: messages, reports, the ledger, and what is stored on the device.
//! None of it leaves the tab.
//!
//! Messages are plain JavaScript objects (`browser::js::to_js`); enums are tagged externally, since serde reads other tags
//! in much more code. They carry codes and parameters; the page has the words
//! for them (`page::words`). Frames are not serialized: they go as `{ "frame": ImageBitmap, "at_ms": number }` with the
//! bitmap transferred, and each is answered by a [`FromWorker::Frame`].

mod clips;
pub mod device;
pub mod ledger;
mod problem;
mod report;

pub use clips::{
    ClipDropReason, ClipEdit, ClipEditReport, ClipOutcome, ClipReport, CollapseReport, DropCount, DropCounts,
    FrameDropReason, KeptClipsLoss, KeptClipsReport, LabelHealthReport,
};
pub use problem::{ModelWorkerFailure, ProblemReport, Refusal, SessionProblem};
pub use report::{
    Backend, BackendReason, BackendReport, ConnectionReport, FaceBox, FrameReport, HoldOutEffect, TrainingPause,
    TrainingReport, UploadReport, UploadState, VideoModelReason, VideoModelReport,
};

use serde::{Deserialize, Serialize};

use self::ledger::Ledger;
use crate::protocol::Manifest;

/// Where the student wants the backbone to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendChoice {
    /// On the faster one, as measured.
    #[default]
    Auto,
    /// On WebGPU, even if the adapter is software.
    Webgpu,
    /// On the CPU.
    Cpu,
}

/// From the page to the session worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToWorker {
    /// Join (or resume) and load models. Sent once, after [`FromWorker::Ready`].
    Start {
        /// The join code.
        join_code: String,
        /// Where the backbone shall run.
        backend: BackendChoice,
        /// Whether the student has opted in to contributing.
        contribute: bool,
        /// Whether the page is visible.
        visible: bool,
        /// Whether the student lets the tab keep clips on the device over a reload.
        keep_clips: bool,
        /// Whether the student has opted in to sending client metrics with an update.
        share_metrics: bool,
    },
    /// The student opts in to, or out of, sending client updates.
    Contribute {
        /// In or out.
        on: bool,
    },
    /// Send the update that is withheld ([`UploadState::Withheld`]) nevertheless.
    SendWithheld,
    /// Contribute although the labels have collapsed to one emotion ([`LabelHealthReport::collapse`]).
    OverruleCollapse,
    /// Forget the clips that are in no update that was sent.
    ClearClips,
    /// The student corrects the label of a kept clip, or strikes the clip out; [`FromWorker::ClipEdited`] follows.
    EditClip {
        /// [`ClipReport::id`].
        id: u64,
        /// What to do with it.
        edit: ClipEdit,
    },
    /// The student allows that clips are kept on the device over a reload, or withdraws that: what is kept is deleted.
    KeepClips {
        /// Allowed, or withdrawn.
        on: bool,
    },
    /// The student opts in to, or out of, sending client metrics with the next updates.
    ShareMetrics {
        /// In or out.
        on: bool,
    },
    /// The device's battery, when it is known, and whenever it changes.
    Battery(BatteryReport),
    /// The camera is paused: the clip being collected ends.
    CameraPaused,
    /// The page's visibility changed. A hidden page holds no event stream open.
    Visible {
        /// Whether it is visible now.
        on: bool,
    },
    /// End the session; [`FromWorker::Ended`] follows.
    End {
        /// Let an update that is being sent complete first.
        after_sending: bool,
    },
}

/// The device's battery.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatteryReport {
    /// Whether it is being charged, or is full on mains.
    pub charging: bool,
    /// Its charge, 0 to 1.
    pub level: f64,
}

/// From the session worker to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromWorker {
    /// The worker has loaded and listens.
    Ready,
    /// A download's progress.
    Loading {
        /// What is downloaded.
        asset: Asset,
        /// Bytes received so far.
        received: u64,
        /// Bytes in total.
        total: u64,
    },
    /// The manifest: sent after joining and whenever it changes.
    Manifest {
        /// As the aggregator sent it: the session worker, which reads a part of it alone, passes the object on as it came.
        #[serde(skip_serializing)]
        manifest: Box<Manifest>,
    },
    /// Where the backbone runs from now on.
    Backend(BackendReport),
    /// Where the video model is trained was decided, or has changed.
    VideoModel(VideoModelReport),
    /// Models are loaded: frames may be sent.
    FramesWanted,
    /// The result of a frame; another may be sent.
    Frame(FrameReport),
    /// A clip has ended.
    Clip(ClipReport),
    /// A clip was edited, or was not.
    ClipEdited(ClipEditReport),
    /// A frame or a clip was dropped.
    Dropped(DropCounts),
    /// Health of the pseudo labels, after each clip and whenever the collapse alarm changes.
    LabelHealth(LabelHealthReport),
    /// Clips that were kept over a reload are back, or lost; or keeping clips has failed.
    KeptClips(KeptClipsReport),
    /// Progress of local fine-tuning.
    Training(TrainingReport),
    /// Local fine-tuning is paused; it goes on by itself.
    TrainingPaused {
        /// For this round.
        round: u64,
        /// Why.
        reason: TrainingPause,
    },
    /// State of a client update's upload.
    Upload(UploadReport),
    /// The ledger: sent at the start and whenever it changes.
    Ledger {
        /// As it is stored on the device.
        ledger: Ledger,
    },
    /// The student opted out while an update was being made or sent; it is deleted.
    Withdrawn {
        /// The round that it was for.
        round: u64,
        /// It was sent and not acknowledged: it may count, and so its clips are not used again.
        may_have_arrived: bool,
    },
    /// This version of the global model is in use now.
    Adopted {
        /// The version.
        version: u64,
        /// What that means on this tab's hold-out, if it has one and a version was in use before.
        effect: Option<HoldOutEffect>,
    },
    /// Whether the aggregator responds.
    Connection(ConnectionReport),
    /// Something that the student should know.
    Problem(ProblemReport),
    /// The session has ended: nothing more is sent, and nothing more is written on the device.
    Ended,
}

/// What a tab downloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asset {
    /// The backbone's weights.
    Backbone,
    /// The face detector's weights.
    Detector,
    /// The global model's weights.
    Vfer,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_kebab_case_and_carry_their_parameters() {
        let failure = ModelWorkerFailure::Silent { timeout_s: 10 };
        let reason = BackendReason::Lost { failure: failure.clone() };
        let json = serde_json::to_value(&reason).unwrap();
        assert_eq!(json["lost"]["failure"]["silent"]["timeout_s"], 10);

        let problem = SessionProblem::BackboneFailed { failure };
        let message = FromWorker::Problem(ProblemReport { problem, is_fatal: false, is_transient: true });
        let json = serde_json::to_value(&message).unwrap();
        assert!(json["problem"]["problem"]["backbone-failed"].is_object());
        assert_eq!(serde_json::from_value::<FromWorker>(json).unwrap(), message);
    }
}
