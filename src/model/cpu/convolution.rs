//! Convolutions, each by the kernel that suits it.

use std::ops::Range;

use super::depthwise::Depthwise;
use super::matrix::{Packed, Rows};
use super::winograd::Winograd;
use crate::model::network::{Activation, Convolution, Map, Prologue};
use crate::simd::{Simd, VECTORS, Vector, columns};

/// Results that are worked on at a time.
const BLOCK: usize = 24;
/// Channels that are packed at a time.
const PACKED: usize = 16;

/// A convolution, ready to run.
pub(super) struct Kernel<S: Simd> {
    /// What surrounds it; its weights are in `method`.
    convolution: Convolution,
    input: Map,
    method: Method<S>,
}

enum Method<S: Simd> {
    Depthwise(Depthwise<S>),
    Winograd(Winograd<S>),
    /// Rows of pixels, as the filter sees them, times the filters.
    Matrix(Packed<S>),
}

impl<S: Simd> Kernel<S> {
    /// Packs the weights of `convolution` over `input`.
    pub fn new(simd: S, convolution: &Convolution, input: Map) -> Self {
        let method = if convolution.depthwise {
            Method::Depthwise(Depthwise::new(simd, convolution))
        } else if Winograd::<S>::suits(convolution, input) {
            Method::Winograd(Winograd::new(simd, convolution, input))
        } else {
            Method::Matrix(pack(simd, convolution, input.channels))
        };
        let (bias, prologue) = (convolution.bias.clone(), convolution.prologue.clone());
        Self { convolution: Convolution { weight: Vec::new(), bias, prologue, ..*convolution }, input, method }
    }

    /// `out = activation(convolution(prologue(input)) + add)`.
    #[cfg_attr(target_arch = "x86_64", inline(always))]
    pub fn run(&self, input: &[f32], add: Option<&[f32]>, out: &mut [f32], scratch: &mut Vec<f32>) {
        let c = &self.convolution;
        let Map { side, channels, .. } = self.input;
        let source = Source { values: input, side, channels, prologue: &c.prologue };
        match &self.method {
            Method::Depthwise(depthwise) => depthwise.run(c, &source, out),
            Method::Winograd(winograd) => winograd.run(c, &source, add, out, scratch),
            Method::Matrix(filters) => {
                let is_plain = c.size == 1 && c.padding == (0, 0) && !c.prologue.is_some();
                let (values, side) = if is_plain {
                    (input, side)
                } else {
                    (source.padded(c, scratch), side + c.padding.0 + c.padding.1)
                };
                let across = (side - c.size) / c.stride + 1;
                let mut starts = [0; BLOCK];
                for (block, out) in out.chunks_mut(BLOCK * c.outputs).enumerate() {
                    let starts = &mut starts[..out.len() / c.outputs];
                    for (place, start) in (block * BLOCK..).zip(starts.iter_mut()) {
                        *start = (place / across * side + place % across) * c.stride * channels;
                    }
                    // A row of the filter is in one piece; the next one is a row of the map further on.
                    let left = Rows { values, starts, length: c.size * channels, pitch: side * channels };
                    filters.multiply(&left, out, c.outputs);
                    finish(filters.simd(), out, c, add.map(|add| &add[block * BLOCK * c.outputs..][..out.len()]));
                }
            }
        }
    }
}

/// The filters as a matrix `[size · size · channels, outputs]`.
fn pack<S: Simd>(simd: S, c: &Convolution, channels: usize) -> Packed<S> {
    let area = c.size * c.size;
    let mut packed = Packed::with_rows(simd, area * channels, c.outputs);
    for panel in (0..c.outputs).step_by(columns::<S>()) {
        for tap in 0..area {
            for first in (0..channels).step_by(PACKED) {
                pack_some(c, channels, tap, first..channels.min(first + PACKED), panel, &mut packed);
            }
        }
    }
    packed
}

/// The rows of `tap` and of some channels, in the panel of outputs from `panel` on. Not inlined, since browsers optimise
/// what is called often.
#[inline(never)]
fn pack_some<S: Simd>(
    c: &Convolution,
    channels: usize,
    tap: usize,
    some: Range<usize>,
    panel: usize,
    packed: &mut Packed<S>,
) {
    let area = c.size * c.size;
    for channel in some {
        let mut row = [S::zeros(); VECTORS];
        for (index, value) in row.iter_mut().flat_map(|lanes| lanes.as_mut()).enumerate() {
            let output = panel + index;
            if output < c.outputs {
                *value = c.weight[(output * channels + channel) * area + tap];
            }
        }
        packed.push(row);
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
    /// A vector of channels of a pixel, after the prologue.
    #[inline(always)]
    pub fn vector<S: Simd>(&self, simd: S, y: usize, x: usize, channel: usize) -> S::Vector {
        let mut values = simd.load_first(&self.values[(y * self.side + x) * self.channels + channel..]);
        if let Some((scale, shift)) = &self.prologue.affine {
            let (scale, shift) = (simd.load_first(&scale[channel..]), simd.load_first(&shift[channel..]));
            values = shift.add_product(values, scale);
        }
        if self.prologue.relu { values.relu() } else { values }
    }

    /// The map after the prologue, with zeros around it.
    #[cfg_attr(target_arch = "x86_64", inline(always))]
    fn padded<'a>(&self, c: &Convolution, scratch: &'a mut Vec<f32>) -> &'a [f32] {
        let (side, row) = (self.side + c.padding.0 + c.padding.1, self.side * self.channels);
        let margin = c.padding.0 * self.channels;
        scratch.clear();
        scratch.resize(side * side * self.channels, 0.0);
        let rows = scratch.chunks_exact_mut(side * self.channels).skip(c.padding.0);
        for (padded, values) in rows.zip(self.values.chunks_exact(row)) {
            let padded = &mut padded[margin..][..row];
            padded.copy_from_slice(values);
            if self.prologue.is_some() {
                padded.chunks_exact_mut(self.channels).for_each(|pixel| apply(self.prologue, pixel));
            }
        }
        scratch
    }
}

/// `f32::max` is a call of a function in wasm, because of what it does to NaN.
#[inline(always)]
pub(super) fn relu(value: f32) -> f32 {
    if value < 0.0 { 0.0 } else { value }
}

#[cfg_attr(target_arch = "x86_64", inline(always))]
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
pub(super) fn finish<S: Simd>(simd: S, out: &mut [f32], c: &Convolution, add: Option<&[f32]>) {
    if S::LANES > 4 && c.outputs.is_multiple_of(S::LANES) {
        // The compiler's own vectors suit longer rows than a pixel's.
        return match c.activation {
            Activation::None => finish_vectors(simd, out, c, add, |v| v),
            Activation::Relu => finish_vectors(simd, out, c, add, |v| v.relu()),
            Activation::LeakyRelu(slope) => finish_vectors(simd, out, c, add, |v| {
                let positive = v.relu();
                positive.add_product(v - positive, simd.splat(slope))
            }),
        };
    }
    match c.activation {
        Activation::None => finish_with(out, c, add, |value| value),
        Activation::Relu => finish_with(out, c, add, relu),
        Activation::LeakyRelu(slope) => finish_with(out, c, add, |v| if v < 0.0 { v * slope } else { v }),
    }
}

#[inline(always)]
fn finish_vectors<S: Simd>(
    simd: S,
    out: &mut [f32],
    c: &Convolution,
    add: Option<&[f32]>,
    activate: impl Fn(S::Vector) -> S::Vector,
) {
    let bias = S::chunks(&c.bias);
    let pixels = S::chunks_mut(out).chunks_exact_mut(bias.len());
    match add {
        None => {
            for pixel in pixels {
                for (value, bias) in pixel.iter_mut().zip(bias) {
                    *value = activate(simd.load(value) + simd.load(bias)).to_lanes();
                }
            }
        }
        Some(add) => {
            for (pixel, add) in pixels.zip(S::chunks(add).chunks_exact(bias.len())) {
                for ((value, bias), add) in pixel.iter_mut().zip(bias).zip(add) {
                    *value = activate(simd.load(value) + simd.load(bias) + simd.load(add)).to_lanes();
                }
            }
        }
    }
}

#[inline(always)]
fn finish_with(out: &mut [f32], c: &Convolution, add: Option<&[f32]>, activate: impl Fn(f32) -> f32) {
    let pixels = out.chunks_exact_mut(c.outputs);
    match add {
        None => pixels.for_each(|pixel| {
            pixel.iter_mut().zip(&c.bias).for_each(|(value, bias)| *value = activate(*value + bias));
        }),
        Some(add) => pixels.zip(add.chunks_exact(c.outputs)).for_each(|(pixel, add)| {
            let values = pixel.iter_mut().zip(&c.bias).zip(add);
            values.for_each(|((value, bias), add)| *value = activate(*value + bias + add));
        }),
    }
}
