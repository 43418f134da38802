//! 3×3 convolutions by Winograd's F(4×4, 3×3): 36 multiplications for 4×4 results instead of 144 (Lavin and Gray,
//! "Fast Algorithms for Convolutional Neural Networks", 2016). A block of tiles goes through all three steps while it
//! is in the cache.

use wide::f32x4;

use super::convolution::{Source, finish};
use super::matrix::Packed;
use crate::model::network::{Convolution, Map};

/// Results on each side of a tile.
const TILE: usize = 4;
/// Pixels on each side of what a tile of results is made from.
const PATCH: usize = 6;
/// Products in the transformed domain.
const POINTS: usize = PATCH * PATCH;
/// Tiles that are worked on at a time.
const BLOCK: usize = 24;
/// Channels that are transformed at a time: a vector register.
const LANES: usize = 4;

/// A 3×3 convolution with stride 1 and padding 1.
pub(super) struct Winograd {
    /// One matrix `[inputs, outputs]` for each point.
    filters: Vec<Packed>,
}

impl Winograd {
    /// Whether it can do `convolution` over `input`, and does so faster: small maps have too few tiles to pay for
    /// reading four times the weights.
    pub fn suits(convolution: &Convolution, input: Map) -> bool {
        let Convolution { outputs, size, stride, padding, depthwise, .. } = *convolution;
        !depthwise
            && (size, stride, padding) == (3, 1, (1, 1))
            && input.side >= 16
            && input.channels.is_multiple_of(LANES)
            && outputs.is_multiple_of(LANES)
    }

    /// Transforms the filters, in f64.
    pub fn new(convolution: &Convolution, input: Map) -> Self {
        /// The matrix G of the paper, for the points 0, ±1, ±2 and infinity.
        const G: [[f64; 3]; PATCH] = [
            [1.0 / 4.0, 0.0, 0.0],
            [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
            [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
            [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
            [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
            [0.0, 0.0, 1.0],
        ];
        let filters = (0..POINTS).map(|point| {
            let (row, column) = (G[point / PATCH], G[point % PATCH]);
            Packed::new(input.channels, convolution.outputs, |k, n| {
                let filter = &convolution.weight[(n * input.channels + k) * 9..][..9];
                let sum: f64 = (0..9).map(|i| row[i / 3] * f64::from(filter[i]) * column[i % 3]).sum();
                sum as f32
            })
        });
        Self { filters: filters.collect() }
    }

    /// `out = activation(convolution(source) + add)`.
    pub fn run(&self, c: &Convolution, source: &Source, add: Option<&[f32]>, out: &mut [f32], scratch: &mut Vec<f32>) {
        let side = source.side;
        let across = side.div_ceil(TILE);
        let (inputs, outputs) = (source.channels, c.outputs);
        scratch.resize(POINTS * BLOCK * (inputs + outputs), 0.0);
        let (patches, products) = scratch.split_at_mut(POINTS * BLOCK * inputs);
        let tiles = across * across;
        for first in (0..tiles).step_by(BLOCK) {
            let count = BLOCK.min(tiles - first);
            for tile in 0..count {
                let (y, x) = ((first + tile) / across * TILE, (first + tile) % across * TILE);
                transform_patch(source, (y, x), &mut patches[tile * inputs..]);
            }
            for (point, filter) in self.filters.iter().enumerate() {
                let patches = &patches[point * BLOCK * inputs..];
                filter.multiply(patches, &mut products[point * BLOCK * outputs..], count, (inputs, outputs));
            }
            for tile in 0..count {
                let (y, x) = ((first + tile) / across * TILE, (first + tile) % across * TILE);
                transform_products(&products[tile * outputs..], outputs, (y, x), side, out);
                for row in y..(y + TILE).min(side) {
                    let span = (row * side + x) * outputs..(row * side + (x + TILE).min(side)) * outputs;
                    finish(&mut out[span.clone()], c, add.map(|add| &add[span]));
                }
            }
        }
    }
}

/// Writes Bᵀ d B of the patch d whose results begin at (`y`, `x`).
fn transform_patch(source: &Source, (y, x): (usize, usize), patches: &mut [f32]) {
    let channels = source.channels;
    let stride = BLOCK * channels;
    for channel in (0..channels).step_by(LANES) {
        let mut d = [[f32x4::ZERO; PATCH]; PATCH];
        for (i, row) in d.iter_mut().enumerate() {
            // The first row and column are one pixel before the results.
            if let Some(y) = (y + i).checked_sub(1).filter(|y| *y < source.side) {
                for (j, lanes) in row.iter_mut().enumerate() {
                    if let Some(x) = (x + j).checked_sub(1).filter(|x| *x < source.side) {
                        *lanes = source.lanes(y, x, channel);
                    }
                }
            }
        }
        let rows = d.map(input_transform);
        for j in 0..PATCH {
            let column = input_transform(std::array::from_fn(|i| rows[i][j]));
            for (i, lanes) in column.iter().enumerate() {
                patches[(i * PATCH + j) * stride + channel..][..LANES].copy_from_slice(lanes.as_array());
            }
        }
    }
}

/// Writes Aᵀ m A of a tile's products m.
fn transform_products(products: &[f32], outputs: usize, (y, x): (usize, usize), side: usize, out: &mut [f32]) {
    let stride = BLOCK * outputs;
    for channel in (0..outputs).step_by(LANES) {
        let rows: [[f32x4; TILE]; PATCH] = std::array::from_fn(|i| {
            output_transform(std::array::from_fn(|j| lanes(&products[(i * PATCH + j) * stride + channel..])))
        });
        for j in 0..TILE.min(side - x) {
            let column = output_transform(std::array::from_fn(|i| rows[i][j]));
            for (i, lanes) in column.iter().enumerate().take(side - y) {
                out[((y + i) * side + x + j) * outputs + channel..][..LANES].copy_from_slice(lanes.as_array());
            }
        }
    }
}

#[inline(always)]
pub(super) fn lanes(values: &[f32]) -> f32x4 {
    f32x4::new(*values.first_chunk().expect("channels are a multiple of the lanes"))
}

/// Bᵀ d in one dimension.
#[inline(always)]
fn input_transform(d: [f32x4; PATCH]) -> [f32x4; PATCH] {
    let (two, four, five) = (f32x4::splat(2.0), f32x4::splat(4.0), f32x4::splat(5.0));
    let a = d[4] - four * d[2];
    let b = d[3] - four * d[1];
    let e = d[4] - d[2];
    let f = two * (d[3] - d[1]);
    [four * d[0] - five * d[2] + d[4], a + b, a - b, e + f, e - f, four * d[1] - five * d[3] + d[5]]
}

/// Aᵀ m in one dimension.
#[inline(always)]
fn output_transform(m: [f32x4; PATCH]) -> [f32x4; TILE] {
    let (two, four, eight) = (f32x4::splat(2.0), f32x4::splat(4.0), f32x4::splat(8.0));
    let (a, b) = (m[1] + m[2], m[1] - m[2]);
    let (c, d) = (m[3] + m[4], m[3] - m[4]);
    [m[0] + a + c, b + two * d, a + four * c, b + eight * d + m[5]]
}
