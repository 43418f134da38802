//! What happens to a convolution's result while it is still in a register.

use crate::model::network::{Activation, Convolution};
use crate::simd::{Simd, Vector};

/// Bias, a map that is added, and the activation.
#[derive(Clone, Copy)]
pub(super) struct Epilogue<'a> {
    /// `[outputs]`.
    bias: &'a [f32],
    /// As large as the result.
    add: Option<&'a [f32]>,
    activation: Activation,
}

impl<'a> Epilogue<'a> {
    /// Of `convolution`, whose result `add` is added to.
    pub fn new(convolution: &'a Convolution, add: Option<&'a [f32]>) -> Self {
        Self { bias: &convolution.bias, add, activation: convolution.activation }
    }

    /// The same for results from `first` values on.
    #[inline(always)]
    pub fn from(self, first: usize) -> Self {
        Self { add: self.add.map(|add| &add[first..]), ..self }
    }

    /// Finishes a vector of the outputs from `output` on, whose place in the result is `place`.
    #[inline(always)]
    pub fn apply<S: Simd>(&self, simd: S, value: S::Vector, output: usize, place: usize) -> S::Vector {
        let mut value = value + load(simd, &self.bias[output..]);
        if let Some(add) = self.add {
            value = value + load(simd, &add[place..]);
        }
        match self.activation {
            Activation::None => value,
            Activation::Relu => value.relu(),
            Activation::LeakyRelu(slope) => {
                let positive = value.relu();
                positive.add_product(value - positive, simd.splat(slope))
            }
        }
    }
}

/// The first values as a vector, with zeros where there are none.
#[inline(always)]
fn load<S: Simd>(simd: S, values: &[f32]) -> S::Vector {
    if let Some(lanes) = S::chunks(values).first() {
        return simd.load(lanes);
    }
    let mut lanes = S::zeros();
    lanes.as_mut().iter_mut().zip(values).for_each(|(lane, value)| *lane = *value);
    simd.load(&lanes)
}
