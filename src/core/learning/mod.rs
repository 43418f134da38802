//! The learning rules: vote distributions, pseudo labels, loss, Adam, fine-tuning, aggregation strategies. No I/O.
//!
//! The same code runs in the tab, in the aggregator and in the lab.

mod adam;
mod batches;
mod checkpoint;
mod fedavg;
mod fine_tune;
mod hold_out;
mod label_health;
mod loss;
#[cfg(not(target_arch = "wasm32"))]
mod parallel_trainer;
mod personal_head;
mod pseudo_label;
mod pseudo_labeller;
mod quality_gate;
#[cfg(not(target_arch = "wasm32"))]
pub mod robust;
mod settings;
mod strategy;
mod trainer;
#[cfg(feature = "burn")]
mod video_model_adam;
#[cfg(feature = "burn")]
mod video_model_fine_tune;
#[cfg(feature = "burn")]
mod video_model_trainer;
mod votes;

pub use adam::{Adam, AdamSettings, Moments};
pub use batches::Batches;
pub use checkpoint::{CheckpointError, FineTuneCheckpoint, RunDigest};
pub use fedavg::{EncodedDelta, FedAvg};
pub use fine_tune::{FineTune, StepReport};
pub use hold_out::{HoldOutCheck, HoldOutResult, HoldOutSchedule};
pub use label_health::{CollapseAlarm, LabelFigures, LabelHealth};
pub use loss::kl_divergence;
#[cfg(not(target_arch = "wasm32"))]
pub use parallel_trainer::ParallelTrainer;
pub use personal_head::{HeadTuning, PersonalHead, tune_head};
pub use pseudo_label::{LabelRejection, PseudoLabel, pseudo_label};
pub use pseudo_labeller::PseudoLabeller;
pub use quality_gate::{QualityRejection, quality_rejection};
pub use settings::{LearningSettings, Recipe, UpdateEncoding};
pub use strategy::{Aggregation, DifferenceEncoding, ServerOptimizer, Strategy, StrategyError};
pub use trainer::Trainer;
#[cfg(feature = "burn")]
pub use video_model_fine_tune::VideoModelFineTune;
#[cfg(feature = "burn")]
pub use video_model_trainer::VideoModelTrainer;
pub use votes::{LabelKind, UnknownLabelKind, vote_distribution};

use crate::emotion::EMOTIONS;
use crate::model::ModelError;
use crate::model::vfer::FEATURES;

/// A clip to learn from.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// The backbone's features, `[frames, FEATURES]`.
    pub features: Vec<f32>,
    /// What the VFER shall say: a distribution.
    pub target: [f32; EMOTIONS],
}

/// Why learning cannot go on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LearningError {
    /// The model cannot be trained, or its device failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A checkpoint is not one of this run.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// There is no clip.
    #[error("there is no clip to learn from")]
    NoClips,
    /// A clip's features are not whole frames, or there is none.
    #[error("clip {clip} has {values} feature values, which is not one or more frames of {FEATURES}")]
    Features {
        /// Which clip.
        clip: usize,
        /// Its number of values.
        values: usize,
    },
    /// A clip holds NaN or an infinity.
    #[error("clip {clip} is not finite")]
    NotFinite {
        /// Which clip.
        clip: usize,
    },
    /// The loss is NaN or infinite; the weights are of no use.
    #[error("the loss is no longer finite at step {step}")]
    Diverged {
        /// Which step.
        step: usize,
    },
}

/// Checks that all `clips` can be trained on.
///
/// # Errors
/// The first that cannot.
pub fn check_clips(clips: &[Clip]) -> Result<(), LearningError> {
    if clips.is_empty() {
        return Err(LearningError::NoClips);
    }
    for (index, clip) in clips.iter().enumerate() {
        let values = clip.features.len();
        if values == 0 || !values.is_multiple_of(FEATURES) {
            return Err(LearningError::Features { clip: index, values });
        }
        if !clip.features.iter().chain(&clip.target).all(|value| value.is_finite()) {
            return Err(LearningError::NotFinite { clip: index });
        }
    }
    Ok(())
}

/// What a thread gives; its panic goes on here.
pub(crate) fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
