//! 3×3 convolutions by Winograd's F(4×4, 3×3): 36 multiplications for 4×4 results instead of 144 (Lavin and Gray,
//! "Fast Algorithms for Convolutional Neural Networks", 2016). A block of tiles goes through all three steps while it
//! is in the cache.

use super::convolution::Source;
use super::epilogue::Epilogue;
use super::matrix::{Packed, Rows};
use crate::model::network::{Convolution, Map};
use crate::simd::{Operation, Simd, VECTORS, Vector, columns};

/// Results on each side of a tile.
const TILE: usize = 4;
/// Pixels on each side of what a tile of results is made from.
const PATCH: usize = 6;
/// Products in the transformed domain.
pub(in crate::model) const POINTS: usize = PATCH * PATCH;
/// Tiles that are worked on at a time.
const BLOCK: usize = 24;

/// A 3×3 convolution with stride 1 and padding 1.
pub(super) struct Winograd<S: Simd> {
    simd: S,
    /// One matrix `[inputs, outputs]` for each point.
    filters: Vec<Packed<S>>,
}

impl<S: Simd> Winograd<S> {
    /// Whether it can do `convolution` over `input`, and does so faster: small maps have too few tiles to pay for
    /// reading four times the weights.
    pub fn suits(convolution: &Convolution, input: Map) -> bool {
        let whole = |channels: usize| channels.is_multiple_of(S::LANES);
        is_possible(convolution) && input.side >= 16 && whole(input.channels) && whole(convolution.outputs)
    }

    /// Transforms the filters.
    pub fn new(simd: S, convolution: &Convolution, input: Map) -> Self {
        let (inputs, outputs) = (input.channels, convolution.outputs);
        let mut filters: Vec<_> = (0..POINTS).map(|_| Packed::with_rows(simd, inputs, outputs)).collect();
        for panel in (0..outputs).step_by(columns::<S>()) {
            for channel in 0..inputs {
                let filter = |output: usize| {
                    let index = output * inputs + channel;
                    convolution.weight.get(9 * index..).and_then(<[f32]>::first_chunk).unwrap_or(&[0.0; 9])
                };
                transform_filters(simd, |index| filter(panel + index), &mut filters);
            }
        }
        Self { simd, filters }
    }

    /// `out = epilogue(convolution(source))`.
    #[cfg_attr(target_arch = "x86_64", inline(always))]
    pub fn run(&self, outputs: usize, source: &Source, epilogue: Epilogue, out: &mut [f32], scratch: &mut Vec<f32>) {
        let side = source.side;
        let across = side.div_ceil(TILE);
        let inputs = source.channels;
        scratch.resize(POINTS * BLOCK * (inputs + outputs), 0.0);
        let (patches, products) = scratch.split_at_mut(POINTS * BLOCK * inputs);
        let tiles = across * across;
        let starts: [usize; BLOCK] = std::array::from_fn(|tile| tile * inputs);
        for first in (0..tiles).step_by(BLOCK) {
            let count = BLOCK.min(tiles - first);
            for tile in 0..count {
                let (y, x) = ((first + tile) / across * TILE, (first + tile) % across * TILE);
                transform_patch(self.simd, source, (y, x), &mut patches[tile * inputs..]);
            }
            for (point, filter) in self.filters.iter().enumerate() {
                let values = &patches[point * BLOCK * inputs..];
                let left = Rows { values, starts: &starts[..count], length: inputs, pitch: 0 };
                filter.multiply(&left, None, &mut products[point * BLOCK * outputs..][..count * outputs], outputs);
            }
            for tile in 0..count {
                let (y, x) = ((first + tile) / across * TILE, (first + tile) % across * TILE);
                let place = Place { y, x, side };
                transform_products(self.simd, &products[tile * outputs..], outputs, place, epilogue, out);
            }
        }
    }
}

/// Where a tile's results begin, in a map of `side`×`side` pixels.
#[derive(Clone, Copy)]
struct Place {
    y: usize,
    x: usize,
    side: usize,
}

/// Whether it is the kind of convolution that F(4×4, 3×3) is for.
pub(in crate::model) fn is_possible(convolution: &Convolution) -> bool {
    let Convolution { size, stride, padding, depthwise, .. } = *convolution;
    !depthwise && (size, stride, padding) == (3, 1, (1, 1))
}

/// G g Gᵀ of one filter g.
#[cfg(feature = "gpu")]
pub(in crate::model) fn transform_filter(filter: &[f32; 9]) -> [f32; POINTS] {
    use crate::simd::Four;
    let tap = |tap: usize| Four.splat(filter[tap]);
    let points = transform_taps(Four, std::array::from_fn(tap));
    points.map(|point| point.as_array()[0])
}

/// Appends G g Gᵀ of the filters g of a panel's outputs. Not inlined, since browsers optimise what is called often.
#[inline(never)]
fn transform_filters<'a, S: Simd>(simd: S, filter: impl Fn(usize) -> &'a [f32; 9], points: &mut [Packed<S>]) {
    let mut rows = [[S::zeros(); VECTORS]; POINTS];
    for vector in 0..VECTORS {
        let mut taps = [S::zeros(); 9];
        for lane in 0..S::LANES {
            let filter = filter(vector * S::LANES + lane);
            taps.iter_mut().zip(filter).for_each(|(tap, value)| tap.as_mut()[lane] = *value);
        }
        simd.call(TransformFilters { simd, taps: &taps, rows: &mut rows, vector });
    }
    points.iter_mut().zip(rows).for_each(|(point, row)| point.push(row));
}

/// Writes the points of `LANES` filters into one vector of each row.
struct TransformFilters<'a, S: Simd> {
    simd: S,
    taps: &'a [S::Lanes; 9],
    rows: &'a mut [[S::Lanes; VECTORS]; POINTS],
    vector: usize,
}

impl<S: Simd> Operation for TransformFilters<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let mut taps = [self.simd.splat(0.0); 9];
        taps.iter_mut().zip(self.taps).for_each(|(tap, lanes)| *tap = self.simd.load(lanes));
        let points = transform_taps(self.simd, taps);
        for (row, point) in self.rows.iter_mut().zip(points) {
            row[self.vector] = point.to_lanes();
        }
    }
}

/// G g Gᵀ of each lane's filter g.
#[inline(always)]
fn transform_taps<S: Simd>(simd: S, g: [S::Vector; 9]) -> [S::Vector; POINTS] {
    let mut points = [simd.splat(0.0); POINTS];
    let mut rows = [[simd.splat(0.0); PATCH]; 3];
    for (i, row) in rows.iter_mut().enumerate() {
        *row = filter_transform(simd, [g[3 * i], g[3 * i + 1], g[3 * i + 2]]);
    }
    for j in 0..PATCH {
        let column = filter_transform(simd, [rows[0][j], rows[1][j], rows[2][j]]);
        for i in 0..PATCH {
            points[i * PATCH + j] = column[i];
        }
    }
    points
}

/// Writes Bᵀ d B of the patch d whose results begin at (`y`, `x`).
#[cfg_attr(target_arch = "x86_64", inline(always))]
fn transform_patch<S: Simd>(simd: S, source: &Source, (y, x): (usize, usize), patches: &mut [f32]) {
    let channels = source.channels;
    let stride = BLOCK * channels;
    for channel in (0..channels).step_by(S::LANES) {
        let mut d = [[simd.splat(0.0); PATCH]; PATCH];
        for (i, row) in d.iter_mut().enumerate() {
            // The first row and column are one pixel before the results.
            if let Some(y) = (y + i).checked_sub(1).filter(|y| *y < source.side) {
                for (j, vector) in row.iter_mut().enumerate() {
                    if let Some(x) = (x + j).checked_sub(1).filter(|x| *x < source.side) {
                        *vector = source.vector(simd, y, x, channel);
                    }
                }
            }
        }
        for row in &mut d {
            *row = input_transform(simd, *row);
        }
        for j in 0..PATCH {
            let column = input_transform(simd, [d[0][j], d[1][j], d[2][j], d[3][j], d[4][j], d[5][j]]);
            for (i, vector) in column.into_iter().enumerate() {
                vector.store(&mut patches[(i * PATCH + j) * stride + channel..]);
            }
        }
    }
}

/// Writes `epilogue` of Aᵀ m A of a tile's products m.
#[cfg_attr(target_arch = "x86_64", inline(always))]
fn transform_products<S: Simd>(
    simd: S,
    products: &[f32],
    outputs: usize,
    Place { y, x, side }: Place,
    epilogue: Epilogue,
    out: &mut [f32],
) {
    let stride = BLOCK * outputs;
    for channel in (0..outputs).step_by(S::LANES) {
        let mut rows = [[simd.splat(0.0); TILE]; PATCH];
        for (i, row) in rows.iter_mut().enumerate() {
            let mut m = [simd.splat(0.0); PATCH];
            for (j, vector) in m.iter_mut().enumerate() {
                *vector = simd.load_first(&products[(i * PATCH + j) * stride + channel..]);
            }
            *row = output_transform(simd, m);
        }
        // A column goes across the rows.
        #[allow(clippy::needless_range_loop)]
        for j in 0..TILE.min(side - x) {
            let m = [rows[0][j], rows[1][j], rows[2][j], rows[3][j], rows[4][j], rows[5][j]];
            let column = output_transform(simd, m);
            for (i, vector) in column.into_iter().enumerate().take(side - y) {
                let place = ((y + i) * side + x + j) * outputs + channel;
                epilogue.apply(simd, vector, channel, place).store(&mut out[place..]);
            }
        }
    }
}

/// G g in one dimension, for the points 0, ±1, ±2 and infinity.
#[inline(always)]
fn filter_transform<S: Simd>(simd: S, g: [S::Vector; 3]) -> [S::Vector; PATCH] {
    let part = |value: f32| simd.splat(value);
    let a = part(-1.0 / 6.0) * (g[0] + g[2]);
    let b = part(1.0 / 6.0) * g[1];
    let c = part(1.0 / 24.0) * g[0] + part(1.0 / 6.0) * g[2];
    let d = part(1.0 / 12.0) * g[1];
    [part(0.25) * g[0], a - b, a + b, c + d, c - d, g[2]]
}

/// Bᵀ d in one dimension.
#[inline(always)]
fn input_transform<S: Simd>(simd: S, d: [S::Vector; PATCH]) -> [S::Vector; PATCH] {
    let (two, four, five) = (simd.splat(2.0), simd.splat(4.0), simd.splat(5.0));
    let a = d[4] - four * d[2];
    let b = d[3] - four * d[1];
    let e = d[4] - d[2];
    let f = two * (d[3] - d[1]);
    [four * d[0] - five * d[2] + d[4], a + b, a - b, e + f, e - f, four * d[1] - five * d[3] + d[5]]
}

/// Aᵀ m in one dimension.
#[inline(always)]
fn output_transform<S: Simd>(simd: S, m: [S::Vector; PATCH]) -> [S::Vector; TILE] {
    let (two, four, eight) = (simd.splat(2.0), simd.splat(4.0), simd.splat(8.0));
    let (a, b) = (m[1] + m[2], m[1] - m[2]);
    let (c, d) = (m[3] + m[4], m[3] - m[4]);
    [m[0] + a + c, b + two * d, a + four * c, b + eight * d + m[5]]
}
