//! Fine-tuning of a video model of any architecture on burn: [`super::FineTune`] once more, over an asynchronous trainer.

use std::cell::OnceCell;

use burn::module::Module as _;
use burn::tensor::Device;

use super::fine_tune::{adam_settings, mix};
use super::{
    Batches, CheckpointError, Clip, FineTuneCheckpoint, LearningError, LearningSettings, RunDigest, StepReport,
    VideoModelTrainer, check_clips,
};
use crate::emotion::EMOTIONS;
use crate::model::ModelError;
use crate::model::burn::VideoModel;
use crate::model::vfer::softmax;
use crate::weights::Weights;

/// [`super::FineTune`] of a video model of any architecture.
pub struct VideoModelFineTune {
    base: Weights,
    trainer: VideoModelTrainer,
    clips: Vec<Clip>,
    /// The clips' targets from before distillation.
    targets: Vec<[f32; EMOTIONS]>,
    batches: Batches,
    settings: LearningSettings,
    /// Computed when it is first asked for: hashing all clips takes a while.
    run: OnceCell<RunDigest>,
    /// The base and μ, where there is a proximal term.
    anchor: Option<(VideoModel, f32)>,
}

impl VideoModelFineTune {
    /// Gets ready to train a copy of `base` on `clips`.
    ///
    /// # Errors
    /// There are no clips, or one is not usable; the weights are not a video model, or the device fails.
    pub async fn new(
        base: &Weights,
        mut clips: Vec<Clip>,
        settings: &LearningSettings,
        device: &Device,
    ) -> Result<Self, LearningError> {
        check_clips(&clips)?;
        let targets = clips.iter().map(|clip| clip.target).collect();
        let model = VideoModel::from_weights(base, device).map_err(ModelError::from)?;
        if settings.distillation > 0.0 {
            let features: Vec<&[f32]> = clips.iter().map(|clip| clip.features.as_slice()).collect();
            let logits = model.logits(&features).await?;
            for (clip, logits) in clips.iter_mut().zip(&logits) {
                mix(&mut clip.target, &softmax(logits), settings.distillation as f32);
            }
        }
        let trainer = VideoModelTrainer::new(base, adam_settings(settings), device)?;
        let anchor = (settings.proximal > 0.0)
            .then(|| VideoModel::from_weights(base, trainer.device()))
            .transpose()
            .map_err(ModelError::from)?
            .map(|anchor| (anchor.no_grad(), settings.proximal as f32));
        let batches = Batches::new(clips.len(), settings);
        let (base, settings, run) = (base.clone(), settings.clone(), OnceCell::new());
        Ok(Self { base, trainer, clips, targets, batches, settings, run, anchor })
    }

    /// Goes on from `checkpoint` of a run with the same base, clips and settings. If all of it runs on the CPU, what follows is the
    /// same to the bit as if the run had not been interrupted.
    ///
    /// # Errors
    /// [`LearningError::Checkpoint`] if it is of another run, or as [`Self::new`].
    pub async fn resume(
        base: &Weights,
        clips: Vec<Clip>,
        settings: &LearningSettings,
        device: &Device,
        checkpoint: FineTuneCheckpoint,
    ) -> Result<Self, LearningError> {
        let mut resumed = Self::new(base, clips, settings, device).await?;
        checkpoint.check(resumed.run(), resumed.steps())?;
        let FineTuneCheckpoint { parameters, first_moments, second_moments, step, .. } = &checkpoint;
        let parts = [parameters, first_moments, second_moments];
        for part in parts {
            part.check_same_layout(base).map_err(CheckpointError::from)?;
        }
        resumed.batches = resumed.batches.skip(*step);
        resumed.trainer =
            VideoModelTrainer::resume(parts, *step, adam_settings(settings), device).map_err(CheckpointError::from)?;
        Ok(resumed)
    }

    /// The state after the steps done, for [`Self::resume`].
    ///
    /// # Errors
    /// The device fails.
    pub async fn checkpoint(&self) -> Result<FineTuneCheckpoint, LearningError> {
        let parameters = self.tuned().to_weights().await?;
        let [first_moments, second_moments] = self.trainer.moments().await?;
        let (step, run) = (self.batches.done(), self.run().clone());
        Ok(FineTuneCheckpoint { parameters, first_moments, second_moments, step, run })
    }

    fn run(&self) -> &RunDigest {
        self.run.get_or_init(|| RunDigest::new(&self.base, &self.clips, &self.targets, &self.settings))
    }

    /// How many steps are done.
    pub fn done(&self) -> usize {
        self.batches.done()
    }

    /// How many steps there are in all.
    pub fn steps(&self) -> usize {
        self.batches.steps()
    }

    /// Does one step; `None` when there is none left.
    ///
    /// # Errors
    /// [`LearningError::Diverged`], or the device fails.
    pub async fn step(&mut self) -> Result<Option<StepReport>, LearningError> {
        let Some(batch) = self.batches.next_batch() else { return Ok(None) };
        let batch: Vec<&Clip> = batch.iter().map(|&clip| &self.clips[clip]).collect();
        let anchor = self.anchor.as_ref().map(|(anchor, proximal)| (anchor, *proximal));
        let loss = self.trainer.step(&batch, anchor).await?;
        let step = self.batches.done();
        if !loss.is_finite() {
            return Err(LearningError::Diverged { step });
        }
        Ok(Some(StepReport { step, steps: self.batches.steps(), loss }))
    }

    /// The copy as it is now.
    pub fn tuned(&self) -> &VideoModel {
        self.trainer.model()
    }

    /// Tuned minus base.
    ///
    /// # Errors
    /// The device fails.
    pub async fn finish(self) -> Result<Weights, LearningError> {
        let mut delta = self.tuned().to_weights().await?;
        for ((_, tuned), (_, base)) in delta.iter_mut().zip(self.base.iter()) {
            tuned.values.iter_mut().zip(&base.values).for_each(|(tuned, base)| *tuned -= base);
        }
        Ok(delta)
    }
}
