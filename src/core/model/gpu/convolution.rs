//! The dispatches of a dense convolution, and how weights are laid out for them.

use burn_wgpu::wgpu;

use super::Precision;
use super::layout::{LANES, padded, vectors};
use super::parameters::Parameters;
use super::recorder::Recorder;
use super::shaders::{self, Tile};
use crate::model::graph::{Convolution, Graph, Op, Shape};
use crate::model::winograd::{self, POINTS, TILE};

/// The most rows of a product that small tiles are for.
const SMALL_PRODUCT: usize = 16 * 16;

/// Height and width from which on Winograd's three dispatches are faster than one.
const WINOGRAD_MIN_SIDE: usize = 32;

/// Rows of weights that the GEMM kernel loads at a time; the weights are padded to a multiple of it.
const K_STEP: usize = 16;

/// The intermediate results of Winograd's algorithm, shared by all convolutions.
pub(super) struct Scratch {
    patches: wgpu::Buffer,
    products: wgpu::Buffer,
}

impl Scratch {
    /// As large as the largest convolution of `graph` needs.
    pub fn new(graph: &Graph, recorder: &Recorder) -> Self {
        let (mut patches, mut products) = (LANES, LANES);
        for node in graph.nodes() {
            if let Op::Convolution { convolution, input, .. } = &node.op
                && uses_winograd(convolution, input.shape)
            {
                let points = POINTS * tiles(input.shape) * LANES;
                patches = patches.max(points * vectors(input.shape.channels));
                products = products.max(points * vectors(convolution.out_channels));
            }
        }
        let storage = |label: &str, elements: usize| recorder.storage(label, elements, Precision::F32);
        Self { patches: storage("patches", patches), products: storage("products", products) }
    }
}

/// The buffers that a convolution reads and writes.
pub(super) struct Operands {
    pub input: wgpu::Buffer,
    /// In the order of the epilogue's bindings: residual, the concatenation's residual, output, concatenation.
    pub epilogue: [wgpu::Buffer; 4],
}

/// Records `convolution` from an input to an output of `shapes`.
pub(super) fn record(
    recorder: &mut Recorder,
    c: &Convolution,
    (input, output): (Shape, Shape),
    parameters: Parameters,
    operands: Operands,
    scratch: &Scratch,
) {
    let Operands { input: source, epilogue } = operands;
    let out_vectors = vectors(c.out_channels);
    let constants = recorder.upload("bias and prologue", &channel_constants(c), Precision::F32);
    // One workgroup for each tile of the product, and for each of several products.
    let grid = |tile: Tile, rows: usize, products: usize| {
        [rows.div_ceil(8 * tile.rows), out_vectors.div_ceil(8 * tile.vectors), products]
    };
    if uses_winograd(c, input) {
        let tiles = tiles(output);
        let tile = Tile::for_rows(tiles * POINTS);
        let weights = recorder.upload("weights", &winograd_weights(c, input.channels), Precision::F32);
        let (patches, products) = (scratch.patches.clone(), scratch.products.clone());
        let buffers = [source, constants.clone(), patches.clone()];
        let patch_elements = tiles * vectors(input.channels) * LANES;
        recorder.elementwise(&shaders::winograd_input(), parameters, &buffers, patch_elements);
        let buffers = [patches, weights, products.clone()];
        recorder.dispatch(&shaders::winograd_products(tile), parameters, &buffers, grid(tile, tiles, POINTS));
        let buffers = [[products, constants].as_slice(), &epilogue].concat();
        recorder.elementwise(&shaders::winograd_output(), parameters, &buffers, tiles * out_vectors * LANES);
    } else {
        let tile = Tile::for_rows(output.pixels());
        let weights = recorder.upload("weights", &gemm_weights(c, input.channels), recorder.precision());
        let buffers = [[source, weights, constants].as_slice(), &epilogue].concat();
        recorder.dispatch(&shaders::implicit_gemm(tile), parameters, &buffers, grid(tile, output.pixels(), 1));
    }
}

impl Tile {
    /// Large tiles reuse more of what they load, but there have to be enough of them to occupy the GPU.
    fn for_rows(rows: usize) -> Self {
        if rows <= SMALL_PRODUCT { Self { rows: 4, vectors: 1 } } else { Self { rows: 8, vectors: 2 } }
    }
}

/// Whether `convolution` over `input` is done by Winograd's algorithm.
fn uses_winograd(convolution: &Convolution, input: Shape) -> bool {
    winograd::applies(convolution) && input.height.min(input.width) >= WINOGRAD_MIN_SIDE
}

/// Winograd's tiles of a result.
fn tiles(shape: Shape) -> usize {
    shape.height.div_ceil(TILE) * shape.width.div_ceil(TILE)
}

/// The bias `[out_channels]`, then the prologue's scale and shift `[in_channels]`, each padded to whole vectors.
fn channel_constants(c: &Convolution) -> Vec<f32> {
    let mut constants = padded(&c.bias);
    if let Some((scale, shift)) = &c.prologue.affine {
        constants.extend(padded(scale));
        constants.extend(padded(shift));
    }
    constants
}

/// `[kernel_size, kernel_size, in_channels, out_channels]`, padded with zeros to [`K_STEP`] rows.
fn gemm_weights(c: &Convolution, in_channels: usize) -> Vec<f32> {
    let taps = c.kernel_size * c.kernel_size;
    let (depth, width) = (vectors(in_channels) * LANES, vectors(c.out_channels) * LANES);
    let mut weights = vec![0.0; (taps * depth).next_multiple_of(K_STEP) * width];
    for (index, kernel) in c.weight.chunks_exact(taps).enumerate() {
        let (output, channel) = (index / in_channels, index % in_channels);
        for (tap, value) in kernel.iter().enumerate() {
            weights[(tap * depth + channel) * width + output] = *value;
        }
    }
    weights
}

/// `[36, in_channels, out_channels]`, the input channels padded with zeros to [`K_STEP`].
fn winograd_weights(c: &Convolution, in_channels: usize) -> Vec<f32> {
    let (depth, width) = (in_channels.next_multiple_of(K_STEP), vectors(c.out_channels) * LANES);
    let mut weights = vec![0.0; POINTS * depth * width];
    for (index, kernel) in c.weight.as_chunks::<9>().0.iter().enumerate() {
        let (output, channel) = (index / in_channels, index % in_channels);
        for (point, value) in winograd::transform_kernel(kernel).into_iter().enumerate() {
            weights[(point * depth + channel) * width + output] = value;
        }
    }
    weights
}

/// Of a depthwise convolution: `[kernel_size, kernel_size, channels]`, then the bias.
pub(super) fn depthwise_weights(c: &Convolution) -> Vec<f32> {
    let taps = c.kernel_size * c.kernel_size;
    let depth = vectors(c.out_channels) * LANES;
    let mut weights = vec![0.0; taps * depth];
    for (channel, kernel) in c.weight.chunks_exact(taps).enumerate() {
        kernel.iter().enumerate().for_each(|(tap, value)| weights[tap * depth + channel] = *value);
    }
    weights.extend(padded(&c.bias));
    weights
}
