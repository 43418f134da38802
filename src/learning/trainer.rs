//! A training step: forward, loss, backward, Adam, in buffers that are kept.

use super::{Adam, AdamSettings, Clip, kl_divergence};
use crate::emotion::EMOTIONS;
use crate::model::vfer::{Parameters, Vfer, Workspace};
use crate::simd::Isa;

/// A VFER in training.
pub struct Trainer {
    vfer: Vfer,
    adam: Adam,
    workspace: Workspace,
    gradient: Parameters,
    logit_gradients: Vec<[f32; EMOTIONS]>,
    targets: Vec<[f32; EMOTIONS]>,
}

impl Trainer {
    /// Starts from `vfer`.
    pub fn new(vfer: Vfer, settings: AdamSettings) -> Self {
        Self {
            vfer,
            adam: Adam::new(settings),
            workspace: Workspace::default(),
            gradient: Parameters::zeros(),
            logit_gradients: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// The same on `isa`: for tests, and for comparisons. By default it is the best that there is.
    pub fn with_isa(vfer: Vfer, settings: AdamSettings, isa: Isa) -> Self {
        Self { workspace: Workspace::with_isa(isa), ..Self::new(vfer, settings) }
    }

    /// The model as it is now.
    pub fn vfer(&self) -> &Vfer {
        &self.vfer
    }

    /// The model, when training is over.
    pub fn into_vfer(self) -> Vfer {
        self.vfer
    }

    /// Loss of a batch of whole, finite clips; its gradient is then at [`Self::gradient`].
    pub fn loss_and_gradient(&mut self, batch: &[&Clip]) -> f32 {
        let features: Vec<&[f32]> = batch.iter().map(|clip| clip.features.as_slice()).collect();
        self.targets.clear();
        self.targets.extend(batch.iter().map(|clip| clip.target));
        let logits = self.workspace.forward(&self.vfer, &features);
        let loss = kl_divergence(logits, &self.targets, &mut self.logit_gradients);
        self.workspace.backward(&self.vfer, &self.logit_gradients, &mut self.gradient);
        loss
    }

    /// The gradient that the last batch gave.
    pub fn gradient(&self) -> &Parameters {
        &self.gradient
    }

    /// One step on a batch of whole, finite clips; gives the loss before it.
    pub fn step(&mut self, batch: &[&Clip]) -> f32 {
        let loss = self.loss_and_gradient(batch);
        self.adam.step(&mut self.vfer.parameters, &self.gradient);
        loss
    }
}
