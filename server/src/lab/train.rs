//! Supervised training of the global VFER on rated clips (paper, section 3.2).

use emofed::emotion::EMOTIONS;
use emofed::learning::{AdamSettings, Clip, LabelKind, LearningError, check_clips};
use emofed::model::vfer::{Vfer, VferArchitecture};
use emofed::random::SplitMix64;
use emofed::weights::Weights;
use serde::{Deserialize, Serialize};

use super::LabError;
use super::dataset::RatedClip;
use super::metrics::{Metrics, predictions};
use super::video_model::{Compute, VideoModel, VideoTrainer};

/// What decides a training run beside its clips. The defaults are the paper's, where it gives a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainSettings {
    /// How votes become targets.
    pub labels: LabelKind,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// Passes over the training clips.
    pub epochs: usize,
    /// Clips a step; the paper gives none.
    pub batch_size: usize,
    /// Initial weights and the order of clips.
    pub seed: u64,
    /// What the video model consists of.
    pub architecture: VferArchitecture,
}

impl Default for TrainSettings {
    fn default() -> Self {
        Self {
            labels: LabelKind::PAPER,
            learning_rate: 1e-4,
            epochs: 20,
            batch_size: 32,
            seed: 1,
            architecture: VferArchitecture::default(),
        }
    }
}

/// An epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// Counts from 1.
    pub epoch: usize,
    /// Mean KL divergence from the targets over the epoch's steps, in nats.
    pub training_loss: f64,
    /// Mean negative log-probability of the majority emotion on the validation clips, in nats.
    pub validation_loss: f64,
    /// Macro F1 on the validation clips.
    pub validation_macro_f1: f64,
}

/// A finished run.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The model after the best epoch.
    pub weights: Weights,
    /// The epoch with the largest macro F1 on the validation clips; the first of them if several.
    pub best_epoch: usize,
    /// Every epoch.
    pub epochs: Vec<EpochReport>,
}

/// `clips` with targets of `labels`. Clips that nobody rated are left out.
pub fn targets(clips: &[&RatedClip], labels: LabelKind) -> Vec<Clip> {
    let with_target =
        |clip: &&RatedClip| labels.target(&clip.votes).map(|target| Clip { features: clip.features.clone(), target });
    clips.iter().filter_map(with_target).collect()
}

/// Trains a fresh VFER. The same clips and settings give the same bits on the same kind of processor.
///
/// # Errors
/// There are no clips, or one is not usable, the loss is no longer finite, or the device fails.
pub fn train(
    training: &[&RatedClip],
    validation: &[&RatedClip],
    settings: &TrainSettings,
    compute: &Compute,
    mut progress: impl FnMut(&EpochReport),
) -> Result<Trained, LabError> {
    let clips = targets(training, settings.labels);
    check_clips(&clips)?;
    let mut random = SplitMix64::new(settings.seed);
    let adam = AdamSettings::with_learning_rate(settings.learning_rate);
    let mut trainer = VideoTrainer::new(&settings.architecture, settings.seed, adam, compute)?;
    let mut order: Vec<usize> = (0..clips.len()).collect();
    let mut trained =
        Trained { weights: trainer.weights()?, best_epoch: 0, epochs: Vec::with_capacity(settings.epochs) };
    let mut best = f64::NEG_INFINITY;
    for epoch in 1..=settings.epochs {
        random.shuffle(&mut order);
        let (mut loss, mut steps) = (0.0, 0);
        for batch in order.chunks(settings.batch_size.max(1)) {
            let batch: Vec<&Clip> = batch.iter().map(|&clip| &clips[clip]).collect();
            loss += f64::from(trainer.step(&batch)?);
            steps += 1;
            if !loss.is_finite() {
                return Err(LearningError::Diverged { step: steps }.into());
            }
        }
        let weights = trainer.weights()?;
        let metrics = VideoModel::load(&weights, compute)?.evaluate(validation)?;
        let report = EpochReport {
            epoch,
            training_loss: loss / f64::from(steps.max(1) as u32),
            validation_loss: metrics.loss,
            validation_macro_f1: metrics.macro_f1,
        };
        if metrics.macro_f1 > best {
            best = metrics.macro_f1;
            (trained.weights, trained.best_epoch) = (weights, epoch);
        }
        trained.epochs.push(report);
        progress(&report);
    }
    Ok(trained)
}

/// The paper's model's probabilities of each clip.
pub fn probabilities(vfer: &Vfer, clips: &[&RatedClip]) -> Vec<[f32; EMOTIONS]> {
    // By hand nothing can fail.
    VideoModel::ByHand(vfer.clone()).probabilities(clips).unwrap_or_default()
}

/// What the paper's model is worth on `clips`.
pub fn evaluate(vfer: &Vfer, clips: &[&RatedClip]) -> Metrics {
    Metrics::of(&predictions(clips, &probabilities(vfer, clips)))
}

/// The image head's opinion of each clip: mean probabilities over its frames (IFER).
pub fn image_head(clips: &[&RatedClip]) -> Vec<[f32; EMOTIONS]> {
    clips.iter().map(|clip| clip.mean_probabilities()).collect()
}
