//! Video models of every architecture in the lab: the paper's by the hand-written code on the CPU, others, and all on a GPU,
//! on burn.

use burn::tensor::Device;
use emofed::emotion::EMOTIONS;
use emofed::learning::{AdamSettings, Clip, Trainer, VideoModelTrainer};
use emofed::model::vfer::{Vfer, VferArchitecture, Workspace, softmax};
use emofed::model::{ModelError, burn as on_burn};
use emofed::weights::Weights;
use futures::executor::block_on;

use super::LabError;
use super::dataset::RatedClip;
use super::metrics::{Metrics, predictions};

/// Clips that are run at a time where nothing is learned.
const EVALUATION_BATCH: usize = 64;

/// Where video models run.
#[derive(Clone, Debug, Default)]
pub enum Compute {
    /// By hand where that is possible, else on burn's CPU backend.
    #[default]
    Cpu,
    /// On burn, on a GPU.
    Gpu(Device),
}

impl Compute {
    /// The GPU, where emofed was built with the feature `gpu`.
    ///
    /// # Errors
    /// There is none, or emofed was built without.
    pub fn gpu() -> Result<Self, LabError> {
        super::models::gpu_burn_device().map(Self::Gpu)
    }

    fn device(&self) -> Device {
        match self {
            Self::Cpu => Device::flex(),
            Self::Gpu(device) => device.clone(),
        }
    }

    fn runs_by_hand(&self, architecture: &VferArchitecture) -> bool {
        matches!(self, Self::Cpu) && architecture.is_paper()
    }
}

/// A video model that predicts.
pub enum VideoModel {
    /// The hand-written code.
    ByHand(Vfer),
    /// burn.
    OnBurn(Box<on_burn::VideoModel>, Device),
}

impl VideoModel {
    /// The model that `weights` are.
    ///
    /// # Errors
    /// They are not a video model.
    pub fn load(weights: &Weights, compute: &Compute) -> Result<Self, LabError> {
        if compute.runs_by_hand(&VferArchitecture::of(weights)?) {
            return Ok(Self::ByHand(Vfer::from_weights(weights)?));
        }
        let device = compute.device();
        Ok(Self::OnBurn(Box::new(on_burn::VideoModel::from_weights(weights, &device)?), device))
    }

    /// Probabilities of each clip.
    ///
    /// # Errors
    /// The device fails.
    pub fn probabilities(&self, clips: &[&RatedClip]) -> Result<Vec<[f32; EMOTIONS]>, LabError> {
        let mut workspace = Workspace::default();
        let mut probabilities = Vec::with_capacity(clips.len());
        for batch in clips.chunks(EVALUATION_BATCH) {
            let features: Vec<&[f32]> = batch.iter().map(|clip| clip.features.as_slice()).collect();
            match self {
                Self::ByHand(vfer) => probabilities.extend(workspace.forward(vfer, &features).iter().map(softmax)),
                Self::OnBurn(model, _) => probabilities.extend(block_on(model.logits(&features))?.iter().map(softmax)),
            }
        }
        Ok(probabilities)
    }

    /// What the model is worth on `clips`.
    ///
    /// # Errors
    /// The device fails.
    pub fn evaluate(&self, clips: &[&RatedClip]) -> Result<Metrics, LabError> {
        Ok(Metrics::of(&predictions(clips, &self.probabilities(clips)?)))
    }
}

/// A video model in training.
pub enum VideoTrainer {
    /// By the hand-written code.
    ByHand(Box<Trainer>),
    /// By burn's autodiff.
    OnBurn(Box<VideoModelTrainer>, Device),
}

impl VideoTrainer {
    /// Starts from fresh weights.
    ///
    /// # Errors
    /// The device fails.
    pub fn new(
        architecture: &VferArchitecture,
        seed: u64,
        settings: AdamSettings,
        compute: &Compute,
    ) -> Result<Self, LabError> {
        if compute.runs_by_hand(architecture) {
            return Ok(Self::ByHand(Box::new(Trainer::new(Vfer::random(seed), settings))));
        }
        // The paper's starts from the same weights wherever it is trained.
        let weights = match architecture.is_paper() {
            true => Vfer::random(seed).to_weights(),
            false => architecture.random(seed),
        };
        let device = compute.device();
        Ok(Self::OnBurn(Box::new(VideoModelTrainer::new(&weights, settings, &device)?), device))
    }

    /// One step on a batch; gives the loss before it.
    ///
    /// # Errors
    /// The device fails.
    pub fn step(&mut self, batch: &[&Clip]) -> Result<f32, ModelError> {
        match self {
            Self::ByHand(trainer) => Ok(trainer.step(batch)),
            Self::OnBurn(trainer, _) => block_on(trainer.step(batch, None)),
        }
    }

    /// The weights as they are now.
    ///
    /// # Errors
    /// The device fails.
    pub fn weights(&self) -> Result<Weights, ModelError> {
        match self {
            Self::ByHand(trainer) => Ok(trainer.vfer().to_weights()),
            Self::OnBurn(trainer, _) => block_on(trainer.model().to_weights()),
        }
    }
}
