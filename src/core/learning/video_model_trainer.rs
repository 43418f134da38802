//! Training of a video model of any architecture on burn: the same rules as [`super::Trainer`] and [`super::FineTune`],
//! with burn's autodiff and Adam, on the CPU or a GPU. Asynchronous, since a browser's GPU can only be read that way.

use std::cell::RefCell;

use burn::module::{Module as _, Param};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};

use super::fine_tune::mix;
use super::{AdamSettings, Batches, Clip, LearningError, LearningSettings, StepReport, check_clips};
use crate::emotion::EMOTIONS;
use crate::model::ModelError;
use crate::model::burn::{ClipBatch, VideoModel};
use crate::model::vfer::softmax;
use crate::weights::Weights;

/// A video model in training.
pub struct VideoModelTrainer {
    model: VideoModel,
    optimizer: ModuleOptimizer,
    learning_rate: f64,
    device: Device,
}

impl VideoModelTrainer {
    /// Starts from `weights` on `device`, which need not have autodiff on.
    ///
    /// # Errors
    /// The weights are not a video model.
    pub fn new(weights: &Weights, settings: AdamSettings, device: &Device) -> Result<Self, ModelError> {
        let device = device.clone().autodiff();
        let AdamSettings { learning_rate, beta1, beta2, epsilon } = settings;
        let adam = AdamConfig::new().with_beta_1(beta1 as f32).with_beta_2(beta2 as f32).with_epsilon(epsilon as f32);
        Ok(Self { model: VideoModel::from_weights(weights, &device)?, optimizer: adam.init(), learning_rate, device })
    }

    /// The model as it is now.
    pub fn model(&self) -> &VideoModel {
        &self.model
    }

    /// Loss of a batch of whole, finite clips, and its gradient under the parameters' names.
    ///
    /// # Errors
    /// [`ModelError::Device`] if the device fails.
    pub async fn loss_and_gradient(&self, batch: &[&Clip]) -> Result<(f32, Weights), ModelError> {
        let loss = self.loss(batch)?;
        let gradients = RefCell::new(loss.backward());
        let matrix = |parameter: &Param<Tensor<2>>| {
            let value = parameter.val();
            value.grad_remove(&mut gradients.borrow_mut()).unwrap_or_else(|| value.inner().zeros_like())
        };
        let vector = |parameter: &Param<Tensor<1>>| {
            let value = parameter.val();
            value.grad_remove(&mut gradients.borrow_mut()).unwrap_or_else(|| value.inner().zeros_like())
        };
        let gradient = self.model.read(matrix, vector).await?;
        Ok((read_scalar(loss).await?, gradient))
    }

    /// One step on a batch of whole, finite clips; gives the loss before it. With an `anchor`, the loss that is descended
    /// has FedProx's term μ/2 ‖w − anchor‖², which is not part of what is returned.
    ///
    /// # Errors
    /// [`ModelError::Device`] if the device fails.
    pub async fn step(&mut self, batch: &[&Clip], anchor: Option<(&VideoModel, f32)>) -> Result<f32, ModelError> {
        let loss = self.loss(batch)?;
        let objective = match anchor {
            Some((anchor, proximal)) => loss.clone() + self.model.squared_distance(anchor).mul_scalar(proximal),
            None => loss.clone(),
        };
        let gradients = GradientsParams::from_grads(objective.backward(), &self.model);
        self.model = self.optimizer.step(self.learning_rate, self.model.clone(), gradients);
        read_scalar(loss).await
    }

    /// Changes the learning rate from the next step on.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    fn loss(&self, batch: &[&Clip]) -> Result<Tensor<1>, ModelError> {
        let features: Vec<&[f32]> = batch.iter().map(|clip| clip.features.as_slice()).collect();
        let targets: Vec<[f32; EMOTIONS]> = batch.iter().map(|clip| clip.target).collect();
        Ok(self.model.loss(&ClipBatch::new(&features, &self.device)?, &targets))
    }
}

/// [`super::FineTune`] of a video model of any architecture.
pub struct VideoModelFineTune {
    base: Weights,
    trainer: VideoModelTrainer,
    clips: Vec<Clip>,
    batches: Batches,
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
        let model = VideoModel::from_weights(base, device).map_err(ModelError::from)?;
        if settings.distillation > 0.0 {
            let features: Vec<&[f32]> = clips.iter().map(|clip| clip.features.as_slice()).collect();
            let logits = model.logits(&features).await?;
            for (clip, logits) in clips.iter_mut().zip(&logits) {
                mix(&mut clip.target, &softmax(logits), settings.distillation as f32);
            }
        }
        let adam =
            AdamSettings { epsilon: settings.adam_epsilon, ..AdamSettings::with_learning_rate(settings.learning_rate) };
        let trainer = VideoModelTrainer::new(base, adam, device)?;
        let anchor = (settings.proximal > 0.0)
            .then(|| VideoModel::from_weights(base, &trainer.device))
            .transpose()
            .map_err(ModelError::from)?
            .map(|anchor| (anchor.no_grad(), settings.proximal as f32));
        let batches = Batches::new(clips.len(), settings);
        Ok(Self { base: base.clone(), trainer, clips, batches, anchor })
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
        let mut delta = self.trainer.model.to_weights().await?;
        for ((_, tuned), (_, base)) in delta.iter_mut().zip(self.base.iter()) {
            tuned.values.iter_mut().zip(&base.values).for_each(|(tuned, base)| *tuned -= base);
        }
        Ok(delta)
    }
}

async fn read_scalar(tensor: Tensor<1>) -> Result<f32, ModelError> {
    let data = tensor.into_data_async().await.map_err(|error| ModelError::Device(error.to_string()))?;
    let values = data.try_into_vec::<f32>().map_err(|error| ModelError::Device(error.to_string()))?;
    values.first().copied().ok_or(ModelError::OutputNotFinite)
}
