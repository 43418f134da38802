//! Convolutions, each by the kernel that suits it.

use wide::f32x4;

use super::depthwise::Depthwise;
use super::matrix::Packed;
use super::winograd::{Winograd, lanes};
use crate::model::network::{Activation, Convolution, Map, Prologue};

/// Results that are worked on at a time.
const BLOCK: usize = 24;

/// A convolution, ready to run.
pub(super) struct Kernel {
    /// What surrounds it; its weights are in `method`.
    convolution: Convolution,
    input: Map,
    method: Method,
}

enum Method {
    Depthwise(Depthwise),
    Winograd(Winograd),
    /// Rows of pixels, as the filter sees them, times the filters.
    Matrix(Packed),
}

impl Kernel {
    /// Packs the weights of `convolution` over `input`.
    pub fn new(convolution: &Convolution, input: Map) -> Self {
        let method = if convolution.depthwise {
            Method::Depthwise(Depthwise::new(convolution))
        } else if Winograd::suits(convolution, input) {
            Method::Winograd(Winograd::new(convolution, input))
        } else {
            let (channels, area) = (input.channels, convolution.size * convolution.size);
            Method::Matrix(Packed::new(area * channels, convolution.outputs, |k, n| {
                convolution.weight[(n * channels + k % channels) * area + k / channels]
            }))
        };
        Self { convolution: Convolution { weight: Vec::new(), ..convolution.clone() }, input, method }
    }

    /// `out = activation(convolution(prologue(input)) + add)`.
    pub fn run(&self, input: &[f32], add: Option<&[f32]>, out: &mut [f32], scratch: &mut Vec<f32>) {
        let c = &self.convolution;
        let Map { side, channels, .. } = self.input;
        let source = Source { values: input, side, channels, prologue: &c.prologue };
        match &self.method {
            Method::Depthwise(depthwise) => depthwise.run(c, &source, out),
            Method::Winograd(winograd) => winograd.run(c, &source, add, out, scratch),
            Method::Matrix(filters) => {
                let (outputs, inner) = (c.outputs, c.size * c.size * channels);
                let is_plain = c.size == 1 && c.stride == 1 && !c.prologue.is_some();
                for (block, out) in out.chunks_mut(BLOCK * outputs).enumerate() {
                    let first = block * BLOCK;
                    let rows = out.len() / outputs;
                    if is_plain {
                        filters.multiply(&input[first * channels..], out, rows, (inner, outputs));
                    } else {
                        scratch.resize(BLOCK * inner, 0.0);
                        let across = (side + c.padding.0 + c.padding.1 - c.size) / c.stride + 1;
                        for (row, patch) in scratch.chunks_exact_mut(inner).take(rows).enumerate() {
                            source.gather(c, (first + row) / across, (first + row) % across, patch);
                        }
                        filters.multiply(scratch, out, rows, (inner, outputs));
                    }
                    finish(out, c, add.map(|add| &add[first * outputs..][..out.len()]));
                }
            }
        }
    }
}

/// A map as a convolution reads it.
pub(super) struct Source<'a> {
    /// `[side, side, channels]`.
    pub values: &'a [f32],
    pub side: usize,
    pub channels: usize,
    pub prologue: &'a Prologue,
}

impl Source<'_> {
    /// Four channels of a pixel, after the prologue.
    #[inline(always)]
    pub fn lanes(&self, y: usize, x: usize, channel: usize) -> f32x4 {
        let mut values = lanes(&self.values[(y * self.side + x) * self.channels + channel..]);
        if let Some((scale, shift)) = &self.prologue.affine {
            let (scale, shift) = (lanes(&scale[channel..]), lanes(&shift[channel..]));
            values = values * scale + shift;
        }
        if self.prologue.relu { values.fast_max(f32x4::ZERO) } else { values }
    }

    /// The pixels under the filter for the result in row `y` and column `x`, row by row, zeros beyond the edge.
    fn gather(&self, c: &Convolution, y: usize, x: usize, patch: &mut [f32]) {
        let (size, channels) = (c.size, self.channels);
        let inside = |start: usize| {
            let (start, first) = (start as isize - c.padding.0 as isize, c.padding.0.saturating_sub(start));
            (start, first.min(size), (self.side as isize - start).clamp(0, size as isize) as usize)
        };
        let (top, row_first, row_end) = inside(y * c.stride);
        let (left, first, end) = inside(x * c.stride);
        for (row, pixels) in patch.chunks_exact_mut(size * channels).enumerate() {
            if row < row_first || row >= row_end || first >= end {
                pixels.fill(0.0);
                continue;
            }
            let y = (top + row as isize) as usize;
            let start = (y * self.side + (left + first as isize) as usize) * channels;
            pixels[..first * channels].fill(0.0);
            pixels[end * channels..].fill(0.0);
            let pixels = &mut pixels[first * channels..end * channels];
            pixels.copy_from_slice(&self.values[start..][..pixels.len()]);
            if self.prologue.is_some() {
                pixels.chunks_exact_mut(channels).for_each(|pixel| apply(self.prologue, pixel));
            }
        }
    }
}

/// `f32::max` is a call of a function in wasm, because of what it does to NaN.
#[inline(always)]
pub(super) fn relu(value: f32) -> f32 {
    if value < 0.0 { 0.0 } else { value }
}

fn apply(prologue: &Prologue, pixel: &mut [f32]) {
    if let Some((scale, shift)) = &prologue.affine {
        for ((value, scale), shift) in pixel.iter_mut().zip(scale).zip(shift) {
            *value = *value * scale + shift;
        }
    }
    if prologue.relu {
        pixel.iter_mut().for_each(|value| *value = relu(*value));
    }
}

/// Adds the bias and `add` to whole pixels, and applies the activation.
#[inline(always)]
pub(super) fn finish(out: &mut [f32], c: &Convolution, add: Option<&[f32]>) {
    for (index, pixel) in out.chunks_exact_mut(c.outputs).enumerate() {
        pixel.iter_mut().zip(&c.bias).for_each(|(value, bias)| *value += bias);
        if let Some(add) = add {
            let add = &add[index * c.outputs..][..c.outputs];
            pixel.iter_mut().zip(add).for_each(|(value, add)| *value += add);
        }
        match c.activation {
            Activation::None => {}
            Activation::Relu => pixel.iter_mut().for_each(|value| *value = relu(*value)),
            Activation::LeakyRelu(slope) => {
                pixel.iter_mut().for_each(|value| *value = if *value < 0.0 { *value * slope } else { *value });
            }
        }
    }
}
