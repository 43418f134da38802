//! 3×3 convolutions by Winograd's F(4×4, 3×3): 36 multiplications for 4×4 results instead of 144 (Lavin and Gray,
//! "Fast Algorithms for Convolutional Neural Networks", 2016). A block of tiles goes through all three steps while it
//! is in the cache.

use wide::f32x4;

use super::convolution::{Source, finish};
use super::matrix::{COLUMNS, Packed, Rows};
use crate::model::network::{Convolution, Map};

/// Results on each side of a tile.
const TILE: usize = 4;
/// Pixels on each side of what a tile of results is made from.
const PATCH: usize = 6;
/// Products in the transformed domain.
pub(in crate::model) const POINTS: usize = PATCH * PATCH;
/// Tiles that are worked on at a time.
const BLOCK: usize = 24;
/// Channels that are transformed at a time: a vector register.
pub(super) const LANES: usize = 4;

/// A 3×3 convolution with stride 1 and padding 1.
pub(super) struct Winograd {
    /// One matrix `[inputs, outputs]` for each point.
    filters: Vec<Packed>,
}

impl Winograd {
    /// Whether it can do `convolution` over `input`, and does so faster: small maps have too few tiles to pay for
    /// reading four times the weights.
    pub fn suits(convolution: &Convolution, input: Map) -> bool {
        let whole = |channels: usize| channels.is_multiple_of(LANES);
        is_possible(convolution) && input.side >= 16 && whole(input.channels) && whole(convolution.outputs)
    }

    /// Transforms the filters.
    pub fn new(convolution: &Convolution, input: Map) -> Self {
        let (inputs, outputs) = (input.channels, convolution.outputs);
        let mut filters: Vec<Packed> = (0..POINTS).map(|_| Packed::with_rows(inputs, outputs)).collect();
        for panel in (0..outputs).step_by(COLUMNS) {
            for channel in 0..inputs {
                for first in (panel..panel + COLUMNS).step_by(LANES) {
                    let filter = |lane| {
                        let index = (first + lane) * inputs + channel;
                        convolution.weight.get(9 * index..).and_then(<[f32]>::first_chunk).unwrap_or(&[0.0; 9])
                    };
                    transform_filters(std::array::from_fn(filter), &mut filters);
                }
            }
        }
        Self { filters }
    }

    /// `out = activation(convolution(source) + add)`.
    pub fn run(&self, c: &Convolution, source: &Source, add: Option<&[f32]>, out: &mut [f32], scratch: &mut Vec<f32>) {
        let side = source.side;
        let across = side.div_ceil(TILE);
        let (inputs, outputs) = (source.channels, c.outputs);
        scratch.resize(POINTS * BLOCK * (inputs + outputs), 0.0);
        let (patches, products) = scratch.split_at_mut(POINTS * BLOCK * inputs);
        let tiles = across * across;
        let starts: [usize; BLOCK] = std::array::from_fn(|tile| tile * inputs);
        for first in (0..tiles).step_by(BLOCK) {
            let count = BLOCK.min(tiles - first);
            for tile in 0..count {
                let (y, x) = ((first + tile) / across * TILE, (first + tile) % across * TILE);
                transform_patch(source, (y, x), &mut patches[tile * inputs..]);
            }
            for (point, filter) in self.filters.iter().enumerate() {
                let values = &patches[point * BLOCK * inputs..];
                let left = Rows { values, starts: &starts[..count], length: inputs, pitch: 0 };
                filter.multiply(&left, &mut products[point * BLOCK * outputs..][..count * outputs], outputs);
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

/// Whether it is the kind of convolution that F(4×4, 3×3) is for.
pub(in crate::model) fn is_possible(convolution: &Convolution) -> bool {
    let Convolution { size, stride, padding, depthwise, .. } = *convolution;
    !depthwise && (size, stride, padding) == (3, 1, (1, 1))
}

/// G g Gᵀ of one filter g.
#[cfg(feature = "gpu")]
pub(in crate::model) fn transform_filter(filter: &[f32; 9]) -> [f32; POINTS] {
    let tap = |tap: usize| f32x4::splat(filter[tap]);
    let rows: [[f32x4; PATCH]; 3] =
        std::array::from_fn(|row| filter_transform(std::array::from_fn(|i| tap(3 * row + i))));
    let columns: [[f32x4; PATCH]; PATCH] =
        std::array::from_fn(|column| filter_transform(std::array::from_fn(|row| rows[row][column])));
    std::array::from_fn(|point| columns[point % PATCH][point / PATCH].as_array()[0])
}

/// Appends G g Gᵀ of the filters g of four outputs. Not inlined, since browsers optimise what is called often.
#[inline(never)]
fn transform_filters(filters: [&[f32; 9]; LANES], points: &mut [Packed]) {
    let tap = |tap: usize| f32x4::new(filters.map(|filter| filter[tap]));
    let rows: [[f32x4; PATCH]; 3] =
        std::array::from_fn(|row| filter_transform(std::array::from_fn(|i| tap(3 * row + i))));
    for column in 0..PATCH {
        let values = filter_transform(std::array::from_fn(|row| rows[row][column]));
        for (row, values) in values.into_iter().enumerate() {
            points[row * PATCH + column].push(values);
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

/// G g in one dimension, for the points 0, ±1, ±2 and infinity.
#[inline(always)]
fn filter_transform(g: [f32x4; 3]) -> [f32x4; PATCH] {
    let part = |value: f32| f32x4::splat(value);
    let a = part(-1.0 / 6.0) * (g[0] + g[2]);
    let b = part(1.0 / 6.0) * g[1];
    let c = part(1.0 / 24.0) * g[0] + part(1.0 / 6.0) * g[2];
    let d = part(1.0 / 12.0) * g[1];
    [part(0.25) * g[0], a - b, a + b, c + d, c - d, g[2]]
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
