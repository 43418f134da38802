//! Convolutions by [`crate::model::winograd`]: a block of tiles goes through all three steps, input transform, products and
//! output transform, while it is in the cache.

use super::epilogue::FusedEpilogue;
use super::source::Source;
use crate::model::gemm::{Gathered, Overwrite, PackedMatrix, gemm};
use crate::model::graph::{Convolution, Shape};
use crate::model::winograd::{self, PATCH, POINTS, TILE};
use crate::simd::{Operation, Simd, VECTORS, Vector, columns};

/// Height and width from which on it is faster: small feature maps have too few tiles to pay for reading four times the
/// weights.
const MIN_SIDE: usize = 16;
/// Tiles of a block.
const BLOCK: usize = 24;

/// A 3×3 convolution with stride 1 and "same" padding.
pub(super) struct Winograd<S: Simd> {
    simd: S,
    /// By point: `[in_channels, out_channels]`.
    weights: Vec<PackedMatrix<S>>,
}

/// Where a tile's results begin.
#[derive(Clone, Copy)]
struct Corner {
    y: usize,
    x: usize,
}

impl<S: Simd> Winograd<S> {
    /// Whether it can do `convolution` over `input`, and is faster than a product of its windows.
    pub fn pays(convolution: &Convolution, input: Shape) -> bool {
        let whole_vectors = |channels: usize| channels.is_multiple_of(S::LANES);
        winograd::applies(convolution)
            && input.height.min(input.width) >= MIN_SIDE
            && whole_vectors(input.channels)
            && whole_vectors(convolution.out_channels)
    }

    /// Transforms and packs the weights.
    pub fn new(simd: S, convolution: &Convolution, in_channels: usize) -> Self {
        let out_channels = convolution.out_channels;
        let mut weights: Vec<_> = (0..POINTS).map(|_| PackedMatrix::with_shape(in_channels, out_channels)).collect();
        for panel in (0..out_channels).step_by(columns::<S>()) {
            for channel in 0..in_channels {
                let kernel = |output: usize| {
                    let index = output * in_channels + channel;
                    convolution.weight.get(9 * index..).and_then(<[f32]>::first_chunk).unwrap_or(&[0.0; 9])
                };
                push_transformed(simd, |index| kernel(panel + index), &mut weights);
            }
        }
        Self { simd, weights }
    }

    /// `out = epilogue(convolution(source))`.
    #[cfg_attr(target_arch = "x86_64", inline(always))]
    pub fn run(
        &self,
        out_channels: usize,
        source: &Source,
        epilogue: FusedEpilogue,
        out: &mut [f32],
        scratch: &mut Vec<f32>,
    ) {
        let Shape { height, width, channels } = source.shape;
        let tiles_across = width.div_ceil(TILE);
        let tiles = height.div_ceil(TILE) * tiles_across;
        scratch.resize(POINTS * BLOCK * (channels + out_channels), 0.0);
        let (patches, products) = scratch.split_at_mut(POINTS * BLOCK * channels);
        let starts: [usize; BLOCK] = std::array::from_fn(|tile| tile * channels);
        let corner = |tile: usize| Corner { y: tile / tiles_across * TILE, x: tile % tiles_across * TILE };
        for first in (0..tiles).step_by(BLOCK) {
            let count = BLOCK.min(tiles - first);
            for tile in 0..count {
                transform_patch(self.simd, source, corner(first + tile), &mut patches[tile * channels..]);
            }
            for (point, weights) in self.weights.iter().enumerate() {
                let values = &patches[point * BLOCK * channels..];
                let left = Gathered { values, starts: &starts[..count], length: channels, pitch: 0 };
                let out = &mut products[point * BLOCK * out_channels..][..count * out_channels];
                gemm(self.simd, left, weights.panels(), Overwrite, out, out_channels);
            }
            for tile in 0..count {
                let products = &products[tile * out_channels..];
                let result = Shape { height, width, channels: out_channels };
                transform_products(self.simd, products, result, corner(first + tile), epilogue, out);
            }
        }
    }
}

/// Appends G g Gᵀ of the kernels g of a panel's output channels. Not inlined: browsers optimise functions that are called
/// often.
#[inline(never)]
fn push_transformed<'a, S: Simd>(simd: S, kernel: impl Fn(usize) -> &'a [f32; 9], points: &mut [PackedMatrix<S>]) {
    let mut rows = [[S::zeros(); VECTORS]; POINTS];
    for vector in 0..VECTORS {
        let mut taps = [S::zeros(); 9];
        for lane in 0..S::LANES {
            let kernel = kernel(vector * S::LANES + lane);
            taps.iter_mut().zip(kernel).for_each(|(tap, value)| tap.as_mut()[lane] = *value);
        }
        simd.call(TransformKernels { simd, taps: &taps, rows: &mut rows, vector });
    }
    points.iter_mut().zip(rows).for_each(|(point, row)| point.push(row));
}

/// Writes the points of `LANES` kernels into one vector of each row.
struct TransformKernels<'a, S: Simd> {
    simd: S,
    taps: &'a [S::Lanes; 9],
    rows: &'a mut [[S::Lanes; VECTORS]; POINTS],
    vector: usize,
}

impl<S: Simd> Operation for TransformKernels<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let mut taps = [self.simd.splat(0.0); 9];
        taps.iter_mut().zip(self.taps).for_each(|(tap, lanes)| *tap = self.simd.load(lanes));
        let points = winograd::transform_kernels(self.simd, taps);
        for (row, point) in self.rows.iter_mut().zip(points) {
            row[self.vector] = point.to_lanes();
        }
    }
}

/// Writes Bᵀ d B of the patch d of the tile at `corner`.
#[cfg_attr(target_arch = "x86_64", inline(always))]
fn transform_patch<S: Simd>(simd: S, source: &Source, corner: Corner, patches: &mut [f32]) {
    let Shape { height, width, channels } = source.shape;
    let pitch = BLOCK * channels;
    for channel in (0..channels).step_by(S::LANES) {
        let mut d = [[simd.splat(0.0); PATCH]; PATCH];
        for (i, row) in d.iter_mut().enumerate() {
            // Because of the padding the patch begins one pixel before the results.
            if let Some(y) = (corner.y + i).checked_sub(1).filter(|y| *y < height) {
                for (j, vector) in row.iter_mut().enumerate() {
                    if let Some(x) = (corner.x + j).checked_sub(1).filter(|x| *x < width) {
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
                vector.store(&mut patches[(i * PATCH + j) * pitch + channel..]);
            }
        }
    }
}

/// Writes `epilogue` of Aᵀ m A of a tile's products m into the result of shape `result`.
#[cfg_attr(target_arch = "x86_64", inline(always))]
fn transform_products<S: Simd>(
    simd: S,
    products: &[f32],
    result: Shape,
    Corner { y, x }: Corner,
    epilogue: FusedEpilogue,
    out: &mut [f32],
) {
    let Shape { height, width, channels } = result;
    let pitch = BLOCK * channels;
    for channel in (0..channels).step_by(S::LANES) {
        let mut rows = [[simd.splat(0.0); TILE]; PATCH];
        for (i, row) in rows.iter_mut().enumerate() {
            let mut m = [simd.splat(0.0); PATCH];
            for (j, vector) in m.iter_mut().enumerate() {
                *vector = simd.load_first(&products[(i * PATCH + j) * pitch + channel..]);
            }
            *row = output_transform(simd, m);
        }
        // A column goes across the rows.
        #[allow(clippy::needless_range_loop)]
        for j in 0..TILE.min(width - x) {
            let m = [rows[0][j], rows[1][j], rows[2][j], rows[3][j], rows[4][j], rows[5][j]];
            let column = output_transform(simd, m);
            for (i, vector) in column.into_iter().enumerate().take(height - y) {
                let index = ((y + i) * width + x + j) * channels + channel;
                epilogue.apply(simd, vector, channel, index).store(&mut out[index..]);
            }
        }
    }
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
