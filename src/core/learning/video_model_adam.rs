//! burn's Adam over the parameters of a [`VideoModel`], with a state that can be read back while the device goes on: burn's own
//! `ModuleOptimizer` records its state synchronously, which a browser's GPU cannot do.

use std::cell::RefCell;

use burn::module::Param;
use burn::optim::{Adam, AdamConfig, AdamState, AdaptiveMomentumState, Optimizer as _};
use burn::tensor::{Gradients, Tensor};

use super::AdamSettings;
use crate::model::ModelError;
use crate::model::burn::VideoModel;
use crate::weights::Weights;

/// The optimiser, and its state for each parameter in the model's order.
pub(super) struct VideoModelAdam {
    adam: Adam,
    learning_rate: f64,
    matrices: Vec<AdamState<2>>,
    vectors: Vec<AdamState<1>>,
}

impl VideoModelAdam {
    /// Before the first step of `model`.
    pub(super) fn new(settings: AdamSettings, model: &VideoModel) -> Self {
        let zeros = model.clone().map_parameters(
            |matrix| matrix.map(|value| value.zeros_like()),
            |vector| vector.map(|value| value.zeros_like()),
        );
        Self::resume(settings, &zeros, &zeros, 0)
    }

    /// After so many `steps`, with the moments that they left in the places of the parameters.
    pub(super) fn resume(settings: AdamSettings, first: &VideoModel, second: &VideoModel, steps: usize) -> Self {
        let AdamSettings { learning_rate, beta1, beta2, epsilon } = settings;
        let config = AdamConfig::new().with_beta_1(beta1 as f32).with_beta_2(beta2 as f32).with_epsilon(epsilon as f32);
        let [(first_matrices, first_vectors), (second_matrices, second_vectors)] = [first, second].map(values);
        Self {
            adam: config.build(),
            learning_rate,
            matrices: states(first_matrices, second_matrices, steps),
            vectors: states(first_vectors, second_vectors, steps),
        }
    }

    /// Changes the learning rate from the next step on.
    pub(super) fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    /// The model after a step against `gradients`.
    pub(super) fn step(&mut self, model: VideoModel, gradients: Gradients) -> VideoModel {
        let gradients = RefCell::new(gradients);
        let (adam, learning_rate) = (&self.adam, self.learning_rate);
        let mut matrices = self.matrices.iter_mut();
        let mut vectors = self.vectors.iter_mut();
        model.map_parameters(
            |matrix| stepped(adam, learning_rate, matrix, &gradients, matrices.next()),
            |vector| stepped(adam, learning_rate, vector, &gradients, vectors.next()),
        )
    }

    /// Reads the moments back, under the names of the parameters of `model`: of gradients, and of their squares.
    ///
    /// # Errors
    /// [`ModelError::Device`] if the device fails.
    pub(super) async fn moments(&self, model: &VideoModel) -> Result<[Weights; 2], ModelError> {
        let read = async |is_first: bool| {
            let (mut matrices, mut vectors) = (self.matrices.iter(), self.vectors.iter());
            model
                .read(
                    |matrix| moment(matrix, matrices.next(), is_first),
                    |vector| moment(vector, vectors.next(), is_first),
                )
                .await
        };
        Ok([read(true).await?, read(false).await?])
    }
}

/// The values of a model's matrices and of its vectors, without autodiff.
fn values(model: &VideoModel) -> (Vec<Tensor<2>>, Vec<Tensor<1>>) {
    let (mut matrices, mut vectors) = (Vec::new(), Vec::new());
    let _ = model.clone().map_parameters(
        |matrix| {
            matrix.map(|value| {
                matrices.push(value.clone().inner());
                value
            })
        },
        |vector| {
            vector.map(|value| {
                vectors.push(value.clone().inner());
                value
            })
        },
    );
    (matrices, vectors)
}

fn states<const D: usize>(first: Vec<Tensor<D>>, second: Vec<Tensor<D>>, steps: usize) -> Vec<AdamState<D>> {
    first
        .into_iter()
        .zip(second)
        .map(|(first, second)| AdamState::new(AdaptiveMomentumState::new(steps, first, second)))
        .collect()
}

fn stepped<const D: usize>(
    adam: &Adam,
    learning_rate: f64,
    parameter: Param<Tensor<D>>,
    gradients: &RefCell<Gradients>,
    state: Option<&mut AdamState<D>>,
) -> Param<Tensor<D>> {
    parameter.map(|value| {
        let gradient = value.grad_remove(&mut gradients.borrow_mut());
        let (Some(gradient), Some(state)) = (gradient, state) else { return value };
        let (value, next) = adam.step(learning_rate, value.inner(), gradient, Some(state.clone()));
        if let Some(next) = next {
            *state = next;
        }
        Tensor::from_inner(value).require_grad()
    })
}

fn moment<const D: usize>(parameter: &Param<Tensor<D>>, state: Option<&AdamState<D>>, is_first: bool) -> Tensor<D> {
    match state.map(|state| &state.momentum) {
        Some(momentum) if is_first => momentum.moment_1.clone(),
        Some(momentum) => momentum.moment_2.clone(),
        None => parameter.val().inner().zeros_like(),
    }
}
