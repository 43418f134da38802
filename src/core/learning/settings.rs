//! How a tab labels and fine-tunes: what the aggregator decides for all tabs and ships in the manifest. Unknown fields are
//! ignored, so that a newer aggregator does not break open tabs; the aggregator's own configuration is read strictly.

use serde::{Deserialize, Serialize};

/// What a tab does with its clips beside contributing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recipe {
    /// Each tab keeps a personalised head over the global model, which never leaves it: [`super::PersonalHead`].
    PersonalHead,
    /// Nothing: the tab shows the global model (the paper). A recipe of a newer protocol is read as this one.
    #[default]
    #[serde(other)]
    Paper,
}

/// How a tab keeps clips and makes a client update. The defaults are the paper's where it gives a value; what keeps harm away
/// and is not in the paper (quality gate, collapse alarm, hold-out) is on and mild.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LearningSettings {
    /// What a tab does with its clips beside contributing.
    pub recipe: Recipe,
    /// A clip is kept if the largest mean probability reaches this (paper: 0.5).
    pub confidence_threshold: f64,
    /// Adam's learning rate in local fine-tuning (paper: 1e-5).
    pub learning_rate: f64,
    /// Added to the root of Adam's second moment (PyTorch's 1e-8, as in the paper). A handful of clips is one or two steps,
    /// in which Adam moves every weight by the learning rate whatever its gradient; with a large value a weight moves by
    /// learning_rate / adam_epsilon times its gradient, as in gradient descent.
    pub adam_epsilon: f64,
    /// Passes over the kept clips (paper: 1).
    pub epochs: u32,
    /// Clips per step.
    pub batch_size: usize,
    /// Train on the mean probabilities instead of the label they point to.
    pub soft_labels: bool,
    /// A tab contributes once it has kept this many clips.
    pub minimum_clips: u32,
    /// Fixes the order of clips in an epoch.
    pub seed: u64,
    /// μ of the proximal term μ/2 ‖w − w₀‖² that holds the copy near the model it started from (FedProx, Li et al. 2020);
    /// 0 in the paper.
    pub proximal: f64,
    /// Share, 0 to 1, of the base model's own prediction in each target, so that tuning forgets less (learning without
    /// forgetting, Li and Hoiem 2016); 0 in the paper.
    pub distillation: f64,
    /// Share, 0 to 1, of the VFER's prediction in a clip's pseudo label beside the image head's; 0 in the paper.
    pub video_share: f64,
    /// Exponent of the running mean of this tab's predictions that each prediction is divided by, so that a head which
    /// favours an emotion is corrected (as FedDB does); 0 in the paper.
    pub prior_correction: f64,
    /// Whether emotions that are named seldom need less confidence (FreeMatch, Wang et al. 2023); not in the paper.
    pub adaptive_threshold: bool,
    /// Keep a clip only if the VFER names the same emotion as its pseudo label (as SAGE does); not in the paper.
    pub agreement: bool,
    /// What the values of updates are written as.
    pub update_encoding: UpdateEncoding,
    /// Frames whose face has a shorter longer side than this, in pixels, are not learned from.
    pub minimum_face_px: f64,
    /// Most that may be beyond the frame of a face's box, as a share of its area, 0 to 1.
    pub maximum_face_outside: f64,
    /// Most that the longer side of a face's box may be of its shorter one, at least 1.
    pub maximum_face_aspect: f64,
    /// Least mean luma of a face, 0 to 1.
    pub minimum_brightness: f64,
    /// Largest mean luma of a face, 0 to 1.
    pub maximum_brightness: f64,
    /// Least standard deviation of a face's luma, 0 to 0.5.
    pub minimum_contrast: f64,
    /// Least [`crate::model::FaceQuality::sharpness`] of a face, in squared 8-bit levels.
    pub minimum_sharpness: f64,
    /// Contributing pauses when this share of the labels of recent kept clips name one emotion, 0 to 1: see
    /// [`super::LabelHealth`].
    pub collapse_share: f64,
    /// Fewest recent kept clips for that; 0 turns the alarm off.
    pub collapse_minimum_clips: u32,
    /// Share of the kept clips that are set aside to check updates on, and never trained on, 0 to 0.5; 0 turns the check off.
    pub hold_out_share: f64,
    /// Send an update although its loss on the clips set aside is worse than its base's.
    pub send_worse_updates: bool,
}

impl Default for LearningSettings {
    fn default() -> Self {
        Self {
            recipe: Recipe::Paper,
            confidence_threshold: 0.5,
            learning_rate: 1e-5,
            adam_epsilon: 1e-8,
            epochs: 1,
            batch_size: 8,
            soft_labels: false,
            minimum_clips: 4,
            seed: 0,
            proximal: 0.0,
            distillation: 0.0,
            video_share: 0.0,
            prior_correction: 0.0,
            adaptive_threshold: false,
            agreement: false,
            update_encoding: UpdateEncoding::F32,
            minimum_face_px: 32.0,
            maximum_face_outside: 0.5,
            maximum_face_aspect: 2.0,
            minimum_brightness: 0.05,
            maximum_brightness: 0.97,
            minimum_contrast: 0.02,
            minimum_sharpness: 5.0,
            collapse_share: 0.95,
            collapse_minimum_clips: 30,
            hold_out_share: 0.2,
            send_worse_updates: false,
        }
    }
}

/// How an update's values are encoded. The aggregator reads all of them, whatever the settings ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateEncoding {
    /// Rounded to the nearest, two bytes a value.
    F16,
    /// One byte a value and a scale a tensor, with stochastic rounding, so that the mean is unbiased: see
    /// [`crate::weights::Int8Weights`].
    Int8,
    /// As they are, four bytes a value. An encoding of a newer protocol is read as this one.
    #[default]
    #[serde(other)]
    F32,
}
