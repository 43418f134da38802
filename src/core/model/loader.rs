//! Reads weights by name.

use std::{cell::RefCell, collections::BTreeSet};

use super::ModelError;
use super::graph::Convolution;
use crate::weights::Weights;

/// Reads tensors by name and checks their shapes.
pub(super) struct Loader<'a> {
    weights: &'a Weights,
    prefix: &'static str,
    used: RefCell<BTreeSet<String>>,
}

impl<'a> Loader<'a> {
    /// A loader of `weights`, which must be finite.
    pub fn new(weights: &'a Weights) -> Result<Self, ModelError> {
        weights.check_finite()?;
        Ok(Self { weights, prefix: "", used: RefCell::default() })
    }

    /// The same, for weights whose names all start with `prefix`.
    pub fn with_prefix(self, prefix: &'static str) -> Self {
        Self { prefix, ..self }
    }

    /// The names of all tensors, without the prefix.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.weights.iter().filter_map(|(name, _)| name.strip_prefix(self.prefix))
    }

    /// The shape of the tensor `name`, or `None` if there is none.
    pub fn shape(&self, name: &str) -> Option<&'a [usize]> {
        self.weights.get(&format!("{}{name}", self.prefix)).ok().map(|tensor| tensor.shape.as_slice())
    }

    /// The values of the tensor `name`, which must have `shape`.
    pub fn values(&self, name: &str, shape: &[usize]) -> Result<&'a [f32], ModelError> {
        let tensor = self.weights.get_shaped(&format!("{}{name}", self.prefix), shape)?;
        self.used.borrow_mut().insert(name.to_owned());
        Ok(&tensor.values)
    }

    /// The depthwise 3×3 filters `{name}.depthwise.weight` and the 1×1 filters `{name}.pointwise.weight` with `{name}.bias`.
    pub fn separable(&self, name: &str, inputs: usize, outputs: usize) -> Result<[Convolution; 2], ModelError> {
        let depthwise = self.values(&format!("{name}.depthwise.weight"), &[inputs, 1, 3, 3])?;
        let pointwise = self.values(&format!("{name}.pointwise.weight"), &[outputs, inputs, 1, 1])?;
        let bias = self.values(&format!("{name}.bias"), &[outputs])?;
        Ok([
            Convolution::new(depthwise.to_vec(), vec![0.0; inputs], 3).depthwise(),
            Convolution::new(pointwise.to_vec(), bias.to_vec(), 1),
        ])
    }

    /// The filters `{name}.weight` `[outputs, inputs, kernel_size, kernel_size]` with `{name}.bias`.
    pub fn convolution(
        &self,
        name: &str,
        [outputs, inputs, kernel_size]: [usize; 3],
    ) -> Result<Convolution, ModelError> {
        let weight = self.values(&format!("{name}.weight"), &[outputs, inputs, kernel_size, kernel_size])?;
        let bias = self.values(&format!("{name}.bias"), &[outputs])?;
        Ok(Convolution::new(weight.to_vec(), bias.to_vec(), kernel_size))
    }

    /// All tensors that were read so far, without the prefix.
    pub fn used(&self) -> Result<Weights, ModelError> {
        let mut used = Weights::new();
        for name in self.used.borrow().iter() {
            used.insert(name.as_str(), self.weights.get(&format!("{}{name}", self.prefix))?.clone());
        }
        Ok(used)
    }
}

/// Refuses an input that is empty, not a multiple of `unit`, or not finite. Returns how many units there are.
pub(super) fn check_input(values: &[f32], unit: usize) -> Result<usize, ModelError> {
    if values.is_empty() || !values.len().is_multiple_of(unit) {
        return Err(ModelError::InputLength { found: values.len(), unit });
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(ModelError::InputNotFinite { index }),
        None => Ok(values.len() / unit),
    }
}

/// Passes a result on, unless it is not finite.
pub(super) fn check_output(values: Vec<f32>) -> Result<Vec<f32>, ModelError> {
    if values.iter().all(|value| value.is_finite()) { Ok(values) } else { Err(ModelError::OutputNotFinite) }
}
