//! The video model (*VFER*): one LSTM layer over a clip's features and a linear layer on its last hidden state.
//!
//! Written by hand on plain slices, forward and backward: it is small, trains on the CPU, and has to be the same to the bit
//! in every tab. Gates are in PyTorch's order: input, forget, cell, output.

mod architecture;
mod backward;
mod forward;
mod kernels;
mod running_mean;

pub use architecture::{ArchitectureError, Pooling, Recurrence, VferArchitecture};
pub use forward::{Stream, Workspace};
#[cfg(feature = "burn")]
pub(crate) use kernels::transpose;

pub use super::math::softmax;
use crate::emotion::EMOTIONS;
use crate::random::SplitMix64;
use crate::weights::{Tensor, Weights, WeightsError};

/// Features of a frame that the VFER reads.
pub const FEATURES: usize = 256;
/// Size of the LSTM's state. The paper gives none; 128 is ours.
pub const HIDDEN: usize = 128;
/// The four gates side by side.
pub(crate) const GATES: usize = 4 * HIDDEN;

/// Names and shapes of the tensors, as PyTorch's `nn.LSTM` and `nn.Linear` call them.
const TENSORS: [(&str, &[usize]); 6] = [
    ("lstm.weight_ih_l0", &[GATES, FEATURES]),
    ("lstm.weight_hh_l0", &[GATES, HIDDEN]),
    ("lstm.bias_ih_l0", &[GATES]),
    ("lstm.bias_hh_l0", &[GATES]),
    ("head.weight", &[EMOTIONS, HIDDEN]),
    ("head.bias", &[EMOTIONS]),
];

/// Everything that is learned; also used for gradients and Adam's moments.
///
/// The two matrices of the LSTM are kept transposed, since then every product runs along contiguous memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// `[FEATURES, GATES]`.
    pub(crate) input: Vec<f32>,
    /// `[HIDDEN, GATES]`.
    pub(crate) recurrent: Vec<f32>,
    /// `[GATES]`, of the input.
    pub(crate) input_bias: Vec<f32>,
    /// `[GATES]`, of the recurrence. The sum of both is all that counts; PyTorch has two, so we have.
    pub(crate) recurrent_bias: Vec<f32>,
    /// `[EMOTIONS, HIDDEN]`.
    pub(crate) head: Vec<f32>,
    /// `[EMOTIONS]`.
    pub(crate) head_bias: Vec<f32>,
}

impl Parameters {
    /// All zero.
    pub fn zeros() -> Self {
        let [input, recurrent, input_bias, recurrent_bias, head, head_bias] =
            TENSORS.map(|(_, shape)| vec![0.0; shape.iter().product()]);
        Self { input, recurrent, input_bias, recurrent_bias, head, head_bias }
    }

    /// Reads the six tensors and nothing else.
    ///
    /// # Errors
    /// A tensor is missing, misshapen or unknown.
    pub fn from_weights(weights: &Weights) -> Result<Self, WeightsError> {
        if let Some((name, _)) = weights.iter().find(|(name, _)| TENSORS.iter().all(|(known, _)| known != name)) {
            return Err(WeightsError::Unexpected { name: name.to_owned() });
        }
        let mut parameters = Self::zeros();
        for ((name, shape), slice) in TENSORS.iter().zip(parameters.slices_mut()) {
            let tensor = weights.get_shaped(name, shape)?;
            match name.starts_with("lstm.weight") {
                true => kernels::transpose(&tensor.values, shape[1], slice),
                false => slice.copy_from_slice(&tensor.values),
            }
        }
        Ok(parameters)
    }

    /// The six tensors under their published names.
    pub fn to_weights(&self) -> Weights {
        let mut weights = Weights::new();
        for ((name, shape), slice) in TENSORS.iter().zip(self.slices()) {
            let mut values = slice.to_vec();
            if name.starts_with("lstm.weight") {
                kernels::transpose(slice, shape[0], &mut values);
            }
            weights.insert(*name, Tensor::new(*shape, values));
        }
        weights
    }

    /// The six tensors' values, in a fixed order.
    pub fn slices(&self) -> [&[f32]; 6] {
        let Self { input, recurrent, input_bias, recurrent_bias, head, head_bias } = self;
        [input, recurrent, input_bias, recurrent_bias, head, head_bias]
    }

    /// The six tensors' values, to be changed.
    pub fn slices_mut(&mut self) -> [&mut [f32]; 6] {
        let Self { input, recurrent, input_bias, recurrent_bias, head, head_bias } = self;
        [input, recurrent, input_bias, recurrent_bias, head, head_bias]
    }
}

/// A video model.
///
/// ```
/// use emofed_core::model::vfer::{FEATURES, Vfer, Workspace, softmax};
///
/// let vfer = Vfer::random(1);
/// let clip: Vec<f32> = (0..8 * FEATURES).map(|i| (i as f32).sin()).collect(); // [frames, FEATURES]
/// let probabilities = vfer.probabilities(&clip);
/// assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5);
///
/// // A batch of clips at once, as in training, gives logits.
/// let mut workspace = Workspace::default();
/// let logits = workspace.forward(&vfer, &[&clip, &clip[..FEATURES]]);
/// assert_eq!(logits.len(), 2);
/// assert!(softmax(&logits[0]).iter().zip(probabilities).all(|(batch, single)| (batch - single).abs() < 1e-5));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Vfer {
    /// What is learned.
    pub parameters: Parameters,
}

impl Vfer {
    /// Reads a VFER.
    ///
    /// # Errors
    /// A tensor is missing, misshapen or unknown.
    pub fn from_weights(weights: &Weights) -> Result<Self, WeightsError> {
        Parameters::from_weights(weights).map(|parameters| Self { parameters })
    }

    /// Its tensors.
    pub fn to_weights(&self) -> Weights {
        self.parameters.to_weights()
    }

    /// A fresh VFER, uniform in ±1/√HIDDEN as PyTorch starts one.
    pub fn random(seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let mut parameters = Parameters::zeros();
        for slice in parameters.slices_mut() {
            slice.fill_with(|| random.signed() / (HIDDEN as f32).sqrt());
        }
        Self { parameters }
    }

    /// Probabilities of one clip, `features` being `[frames, FEATURES]`. Without a frame, of the initial state.
    pub fn probabilities(&self, features: &[f32]) -> [f32; EMOTIONS] {
        let mut stream = self.stream();
        let mut probabilities = softmax(&self.head(&[0.0; HIDDEN]));
        for frame in features.as_chunks::<FEATURES>().0 {
            probabilities = self.step(&mut stream, frame);
        }
        probabilities
    }

    /// The LSTM's hidden state after the last frame of `features`, `[frames, FEATURES]`: what the linear layer sees.
    pub fn last_hidden(&self, features: &[f32]) -> [f32; HIDDEN] {
        let mut stream = self.stream();
        for frame in features.as_chunks::<FEATURES>().0 {
            self.step(&mut stream, frame);
        }
        stream.into_hidden()
    }
}
