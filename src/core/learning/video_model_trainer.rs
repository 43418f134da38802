//! Training of a video model of any architecture on burn: the same rules as [`super::Trainer`], with burn's autodiff and Adam, on
//! the CPU or a GPU. Asynchronous, since a browser's GPU can only be read that way.

use std::cell::RefCell;

use burn::module::Param;
use burn::tensor::{Device, Tensor};

use super::video_model_adam::VideoModelAdam;
use super::{AdamSettings, Clip};
use crate::emotion::EMOTIONS;
use crate::model::ModelError;
use crate::model::burn::{ClipBatch, VideoModel};
use crate::weights::{Weights, WeightsError};

/// A video model in training.
pub struct VideoModelTrainer {
    model: VideoModel,
    adam: VideoModelAdam,
    device: Device,
}

impl VideoModelTrainer {
    /// Starts from `weights` on `device`, which need not have autodiff on.
    ///
    /// # Errors
    /// The weights are not a video model.
    pub fn new(weights: &Weights, settings: AdamSettings, device: &Device) -> Result<Self, ModelError> {
        let device = device.clone().autodiff();
        let model = VideoModel::from_weights(weights, &device)?;
        Ok(Self { adam: VideoModelAdam::new(settings, &model), model, device })
    }

    /// Goes on from `weights` with Adam's moments after so many `steps`.
    ///
    /// # Errors
    /// A part is not a video model.
    pub(super) fn resume(
        [weights, first_moments, second_moments]: [&Weights; 3],
        steps: usize,
        settings: AdamSettings,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let device = device.clone().autodiff();
        let [model, first, second] =
            [weights, first_moments, second_moments].map(|part| VideoModel::from_weights(part, &device));
        let (model, first, second) = (model?, first?, second?);
        let adam = VideoModelAdam::resume(settings, &first, &second, steps);
        Ok(Self { adam, model, device })
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
        self.model = self.adam.step(self.model.clone(), objective.backward());
        read_scalar(loss).await
    }

    /// Changes the learning rate from the next step on.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.adam.set_learning_rate(learning_rate);
    }

    /// Reads Adam's moments back, under the parameters' names: of gradients, and of their squares.
    ///
    /// # Errors
    /// [`ModelError::Device`] if the device fails.
    pub(super) async fn moments(&self) -> Result<[Weights; 2], ModelError> {
        self.adam.moments(&self.model).await
    }

    /// Where it trains, with autodiff on.
    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    fn loss(&self, batch: &[&Clip]) -> Result<Tensor<1>, ModelError> {
        let features: Vec<&[f32]> = batch.iter().map(|clip| clip.features.as_slice()).collect();
        let targets: Vec<[f32; EMOTIONS]> = batch.iter().map(|clip| clip.target).collect();
        Ok(self.model.loss(&ClipBatch::new(&features, &self.device)?, &targets))
    }
}

async fn read_scalar(tensor: Tensor<1>) -> Result<f32, ModelError> {
    let data = tensor.into_data_async().await.map_err(|error| ModelError::Device(error.to_string()))?;
    let values = data.try_into_vec::<f32>().map_err(|error| ModelError::Device(error.to_string()))?;
    values.first().copied().ok_or(ModelError::OutputNotFinite)
}
