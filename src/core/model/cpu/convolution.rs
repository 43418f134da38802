//! A convolution with packed weights, by the algorithm that is fastest for its shape.

use std::ops::Range;

use super::depthwise::Depthwise;
use super::epilogue::FusedEpilogue;
use super::source::Source;
use super::winograd::Winograd;
use crate::model::gemm::{Gathered, PackedMatrix, gemm};
use crate::model::graph::{Convolution, Shape};
use crate::simd::{Simd, VECTORS, columns};

/// Rows of the product (results' pixels) that are computed in one go, so that their windows stay in the L1 cache.
const BLOCK_ROWS: usize = 56;
/// Channels that are packed in one call.
const PACK_CHANNELS: usize = 16;

/// A convolution, prepared for an instruction set and the shape of its input.
pub(super) struct PreparedConvolution<S: Simd> {
    simd: S,
    /// Everything but the weights, which are in `algorithm`.
    convolution: Convolution,
    input: Shape,
    algorithm: ConvAlgorithm<S>,
}

enum ConvAlgorithm<S: Simd> {
    Depthwise(Depthwise<S>),
    Winograd(Winograd<S>),
    /// One product of `[pixels, kernel_size² · in_channels]`, gathered, and `[kernel_size² · in_channels, out_channels]`.
    ImplicitGemm(PackedMatrix<S>),
}

impl<S: Simd> PreparedConvolution<S> {
    /// Chooses an algorithm and packs the weights for it.
    pub fn new(simd: S, convolution: &Convolution, input: Shape) -> Self {
        let algorithm = if convolution.depthwise {
            ConvAlgorithm::Depthwise(Depthwise::new(simd, convolution))
        } else if Winograd::<S>::pays(convolution, input) {
            ConvAlgorithm::Winograd(Winograd::new(simd, convolution, input.channels))
        } else {
            ConvAlgorithm::ImplicitGemm(pack(convolution, input.channels))
        };
        Self { simd, convolution: convolution.without_weight(), input, algorithm }
    }

    /// `out = activation(convolution(prologue(input)) + residual)`.
    #[cfg_attr(target_arch = "x86_64", inline(always))]
    pub fn run(&self, input: &[f32], residual: Option<&[f32]>, out: &mut [f32], scratch: &mut Vec<f32>) {
        let c = &self.convolution;
        let source = Source { values: input, shape: self.input, prologue: &c.prologue };
        let epilogue = FusedEpilogue::new(c, residual);
        match &self.algorithm {
            ConvAlgorithm::Depthwise(depthwise) => depthwise.run(c, &source, 0, out),
            ConvAlgorithm::Winograd(winograd) => winograd.run(c.out_channels, &source, epilogue, out, scratch),
            ConvAlgorithm::ImplicitGemm(weights) => {
                let Shape { width, channels, .. } = self.input;
                let (values, row) = if self.reads_pixels_as_they_are() {
                    (input, width)
                } else {
                    (source.padded(c, scratch), width + c.padding.0 + c.padding.1)
                };
                let out_width = c.output_length(width);
                let (mut starts, mut y, mut x) = ([0; BLOCK_ROWS], 0, 0);
                for (block, out) in out.chunks_mut(BLOCK_ROWS * c.out_channels).enumerate() {
                    let starts = &mut starts[..out.len() / c.out_channels];
                    for start in starts.iter_mut() {
                        *start = (y * row + x) * c.stride * channels;
                        x += 1;
                        if x == out_width {
                            (y, x) = (y + 1, 0);
                        }
                    }
                    // A row of the window is contiguous; the next one is a row of the feature map further on.
                    let windows = Gathered { values, starts, length: c.kernel_size * channels, pitch: row * channels };
                    let epilogue = epilogue.offset(block * BLOCK_ROWS * c.out_channels);
                    gemm(self.simd, windows, weights.panels(), epilogue, out, c.out_channels);
                }
            }
        }
    }

    /// Whether it is 1×1 without stride, padding or prologue, so that rows of the product are the input's pixels.
    fn reads_pixels_as_they_are(&self) -> bool {
        let c = &self.convolution;
        (c.kernel_size, c.stride, c.padding) == (1, 1, (0, 0)) && c.prologue.is_identity()
    }

    /// Whether [`Self::run_fused`] can run it together with `depthwise`, whose result it reads.
    pub fn fuses_with(&self, depthwise: &Self) -> bool {
        let is_depthwise = matches!(depthwise.algorithm, ConvAlgorithm::Depthwise(_));
        let is_gemm = matches!(self.algorithm, ConvAlgorithm::ImplicitGemm(_));
        is_depthwise && is_gemm && self.reads_pixels_as_they_are() && self.input.width <= BLOCK_ROWS
    }

    /// [`Self::run`] on the result of `depthwise`, of which only a few rows exist at a time, in the L1 cache.
    #[cfg_attr(target_arch = "x86_64", inline(always))]
    pub fn run_fused(
        &self,
        depthwise: &Self,
        input: &[f32],
        residual: Option<&[f32]>,
        out: &mut [f32],
        scratch: &mut Vec<f32>,
    ) {
        let (ConvAlgorithm::Depthwise(kernels), ConvAlgorithm::ImplicitGemm(weights)) =
            (&depthwise.algorithm, &self.algorithm)
        else {
            return;
        };
        let source = Source { values: input, shape: depthwise.input, prologue: &depthwise.convolution.prologue };
        let Shape { width, channels, .. } = self.input;
        let out_channels = self.convolution.out_channels;
        let epilogue = FusedEpilogue::new(&self.convolution, residual);
        let starts: [usize; BLOCK_ROWS] = std::array::from_fn(|pixel| pixel * channels);
        let rows = BLOCK_ROWS / width;
        scratch.resize(scratch.len().max(BLOCK_ROWS * channels), 0.0);
        for (block, out) in out.chunks_mut(rows * width * out_channels).enumerate() {
            let pixels = out.len() / out_channels;
            let between = &mut scratch[..pixels * channels];
            kernels.run(&depthwise.convolution, &source, block * rows, between);
            let left = Gathered { values: between, starts: &starts[..pixels], length: channels, pitch: 0 };
            let epilogue = epilogue.offset(block * rows * width * out_channels);
            gemm(self.simd, left, weights.panels(), epilogue, out, out_channels);
        }
    }
}

/// The weights as `[kernel_size² · in_channels, out_channels]`.
fn pack<S: Simd>(c: &Convolution, in_channels: usize) -> PackedMatrix<S> {
    let taps = c.kernel_size * c.kernel_size;
    let mut packed = PackedMatrix::with_shape(taps * in_channels, c.out_channels);
    for panel in (0..c.out_channels).step_by(columns::<S>()) {
        for tap in 0..taps {
            for first in (0..in_channels).step_by(PACK_CHANNELS) {
                let channels = first..in_channels.min(first + PACK_CHANNELS);
                pack_rows(c, in_channels, tap, channels, panel, &mut packed);
            }
        }
    }
    packed
}

/// The rows of one tap and some input channels, in the panel that begins at output channel `panel`. Not inlined: browsers
/// optimise functions that are called often.
#[inline(never)]
fn pack_rows<S: Simd>(
    c: &Convolution,
    in_channels: usize,
    tap: usize,
    channels: Range<usize>,
    panel: usize,
    packed: &mut PackedMatrix<S>,
) {
    let taps = c.kernel_size * c.kernel_size;
    for channel in channels {
        let mut row = [S::zeros(); VECTORS];
        for (index, value) in row.iter_mut().flat_map(|lanes| lanes.as_mut()).enumerate() {
            let output = panel + index;
            if output < c.out_channels {
                *value = c.weight[(output * in_channels + channel) * taps + tap];
            }
        }
        packed.push(row);
    }
}
