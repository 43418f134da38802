//! Element-wise operations on a convolution's result while it is still in registers.

use crate::model::gemm::{Epilogue, load_padded, load_row};
use crate::model::graph::{Activation, Convolution};
use crate::simd::{Simd, Tile, Vector};

/// `activation(sum + bias + residual)`.
#[derive(Clone, Copy)]
pub(super) struct FusedEpilogue<'a> {
    /// `[out_channels]`.
    bias: &'a [f32],
    /// As large as the result.
    residual: Option<&'a [f32]>,
    activation: Activation,
}

impl<'a> FusedEpilogue<'a> {
    pub fn new(convolution: &'a Convolution, residual: Option<&'a [f32]>) -> Self {
        Self { bias: &convolution.bias, residual, activation: convolution.activation }
    }

    /// For the part of the result that begins at value `start`.
    #[inline(always)]
    pub fn offset(self, start: usize) -> Self {
        Self { residual: self.residual.map(|residual| &residual[start..]), ..self }
    }

    /// Of a vector of the channels from `channel` on that goes to `index` of the result.
    #[inline(always)]
    pub fn apply<S: Simd>(self, simd: S, sum: S::Vector, channel: usize, index: usize) -> S::Vector {
        let mut value = sum + load_padded(simd, &self.bias[channel..]);
        if let Some(residual) = self.residual {
            value = value + load_padded(simd, &residual[index..]);
        }
        match self.activation {
            Activation::None => value,
            Activation::Relu => value.relu(),
            Activation::LeakyRelu { slope } => leaky_relu(value, simd.splat(slope)),
        }
    }
}

impl Epilogue for FusedEpilogue<'_> {
    #[inline(always)]
    fn vector<S: Simd>(self, simd: S, sum: S::Vector, column: usize, index: usize, _: &[f32]) -> S::Vector {
        self.apply(simd, sum, column, index)
    }

    #[inline(always)]
    fn tile<S: Simd, const R: usize>(
        self,
        simd: S,
        tile: &mut Tile<S, R>,
        column: usize,
        index: usize,
        ldc: usize,
        _: &[f32],
    ) {
        let [left, right] = load_row(simd, &self.bias[column..]);
        for row in tile.iter_mut() {
            *row = [row[0] + left, row[1] + right];
        }
        if let Some(residual) = self.residual {
            for (r, row) in tile.iter_mut().enumerate() {
                let [left, right] = load_row(simd, &residual[index + r * ldc..]);
                *row = [row[0] + left, row[1] + right];
            }
        }
        match self.activation {
            Activation::None => {}
            // No `flatten`: with it the compiler spills the tile to memory.
            Activation::Relu => {
                for row in tile.iter_mut() {
                    *row = [row[0].relu(), row[1].relu()];
                }
            }
            Activation::LeakyRelu { slope } => {
                let slope = simd.splat(slope);
                for row in tile.iter_mut() {
                    *row = [leaky_relu(row[0], slope), leaky_relu(row[1], slope)];
                }
            }
        }
    }
}

#[inline(always)]
fn leaky_relu<V: Vector>(value: V, slope: V) -> V {
    let positive = value.relu();
    positive.add_product(value - positive, slope)
}
