//! What happens to a convolution's result while it is still in a register.

use crate::model::network::{Activation, Convolution};
use crate::simd::{Simd, Tile, VECTORS, Vector, columns};

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
            Activation::LeakyRelu(slope) => leaky_relu(value, simd.splat(slope)),
        }
    }

    /// Finishes a whole tile of the outputs from `output` on whose place in the result is `place`, its rows `pitch` apart.
    #[inline(always)]
    pub fn finish_tile<S: Simd, const R: usize>(
        &self,
        simd: S,
        tile: &mut Tile<S, R>,
        output: usize,
        (place, pitch): (usize, usize),
    ) {
        let [left, right] = load_row(simd, &self.bias[output..]);
        for row in tile.iter_mut() {
            *row = [row[0] + left, row[1] + right];
        }
        if let Some(add) = self.add {
            for (r, row) in tile.iter_mut().enumerate() {
                let [left, right] = load_row(simd, &add[place + r * pitch..]);
                *row = [row[0] + left, row[1] + right];
            }
        }
        match self.activation {
            Activation::None => {}
            // No `flatten`: with it the tile leaves its registers.
            Activation::Relu => {
                for row in tile.iter_mut() {
                    *row = [row[0].relu(), row[1].relu()];
                }
            }
            Activation::LeakyRelu(slope) => {
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

/// A tile's row.
#[inline(always)]
fn load_row<S: Simd>(simd: S, values: &[f32]) -> [S::Vector; VECTORS] {
    let values = &values[..columns::<S>()];
    [simd.load_first(&values[..S::LANES]), simd.load_first(&values[S::LANES..])]
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
