//! Why a model cannot be loaded or run.

use super::graph::GraphError;
use crate::weights::WeightsError;

/// Why a model cannot be loaded or run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// The weights are not those of the model.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The weights describe a graph that is not legal.
    #[error("the weights do not make a model: {0}")]
    Graph(#[from] GraphError),
    /// The weights name too few emotions.
    #[error("the weights tell {found} expressions apart; CREMA-D's six emotions need the model with {expected}")]
    Expressions {
        /// How many the weights have.
        found: usize,
        /// How many are needed.
        expected: usize,
    },
    /// An input does not consist of whole images or feature vectors.
    #[error("an input of {found} values is not a positive multiple of {unit}")]
    InputLength {
        /// How many values came.
        found: usize,
        /// How many values one image or feature vector has.
        unit: usize,
    },
    /// An input holds NaN or an infinity.
    #[error("the input is not finite at position {index}")]
    InputNotFinite {
        /// Row-major position of the first such value.
        index: usize,
    },
    /// The model computed NaN or an infinity.
    #[error("the model's output is not finite: its weights, or the device it runs on, are unusable")]
    OutputNotFinite,
    /// There is no such device, or it failed.
    #[error("the compute device is not usable: {0}")]
    Device(String),
}
