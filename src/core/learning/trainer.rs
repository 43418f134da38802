//! A training step: forward, loss, backward, Adam, in buffers that are kept.

use super::adam::Moments;
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

    /// Goes on from `vfer` with Adam's state after so many steps.
    pub(super) fn resume(vfer: Vfer, adam: Adam) -> Self {
        let settings = AdamSettings::with_learning_rate(0.0);
        Self { adam, ..Self::new(vfer, settings) }
    }

    /// Adam's moments as they are now.
    pub(super) fn moments(&self) -> &Moments {
        self.adam.moments()
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

    /// One step that is also drawn towards `anchor`: the loss has the term `proximal`/2 ‖w − anchor‖² (FedProx), which is
    /// not part of what is returned.
    pub fn step_near(&mut self, batch: &[&Clip], anchor: &Parameters, proximal: f32) -> f32 {
        self.step_amended(batch, |parameters, gradient| {
            if proximal == 0.0 {
                return;
            }
            let here = parameters.slices().into_iter().zip(anchor.slices());
            for (gradients, (values, anchors)) in gradient.slices_mut().into_iter().zip(here) {
                for (gradient, (value, anchor)) in gradients.iter_mut().zip(values.iter().zip(anchors)) {
                    *gradient += proximal * (value - anchor);
                }
            }
        })
    }

    /// One step whose gradient `amend` may change, given the parameters: a regulariser, or parts that stay as they are.
    pub fn step_amended(&mut self, batch: &[&Clip], amend: impl FnOnce(&Parameters, &mut Parameters)) -> f32 {
        let loss = self.loss_and_gradient(batch);
        amend(&self.vfer.parameters, &mut self.gradient);
        self.adam.step(&mut self.vfer.parameters, &self.gradient);
        loss
    }

    /// Changes the learning rate from the next step on, as a schedule does.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.adam.set_learning_rate(learning_rate);
    }
}
