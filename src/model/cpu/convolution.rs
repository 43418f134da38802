//! Convolutions, each by the kernel that suits it.

use std::ops::Range;

use super::depthwise::Depthwise;
use super::epilogue::Epilogue;
use super::matrix::{Packed, Rows};
use super::winograd::Winograd;
use crate::model::network::{Convolution, Map, Prologue};
use crate::simd::{Simd, VECTORS, Vector, columns};

/// Results that are worked on at a time.
const BLOCK: usize = 56;
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
        let epilogue = Epilogue::new(c, add);
        match &self.method {
            Method::Depthwise(depthwise) => depthwise.run(c, &source, 0, out),
            Method::Winograd(winograd) => winograd.run(c.outputs, &source, epilogue, out, scratch),
            Method::Matrix(filters) => {
                let (values, side) = if self.is_plain() {
                    (input, side)
                } else {
                    (source.padded(c, scratch), side + c.padding.0 + c.padding.1)
                };
                let across = (side - c.size) / c.stride + 1;
                let (mut starts, mut y, mut x) = ([0; BLOCK], 0, 0);
                for (block, out) in out.chunks_mut(BLOCK * c.outputs).enumerate() {
                    let starts = &mut starts[..out.len() / c.outputs];
                    for start in starts.iter_mut() {
                        *start = (y * side + x) * c.stride * channels;
                        x += 1;
                        if x == across {
                            (y, x) = (y + 1, 0);
                        }
                    }
                    // A row of the filter is in one piece; the next one is a row of the map further on.
                    let left = Rows { values, starts, length: c.size * channels, pitch: side * channels };
                    let epilogue = epilogue.from(block * BLOCK * c.outputs);
                    filters.multiply(&left, Some(epilogue), out, c.outputs);
                }
            }
        }
    }

    /// Whether it multiplies the pixels of its input as they are.
    fn is_plain(&self) -> bool {
        let c = &self.convolution;
        (c.size, c.stride, c.padding) == (1, 1, (0, 0)) && !c.prologue.is_some()
    }

    /// Whether [`Self::run_after`] can run it after `earlier`.
    pub fn can_follow(&self, earlier: &Self) -> bool {
        let is_depthwise = matches!(earlier.method, Method::Depthwise(_));
        is_depthwise && matches!(self.method, Method::Matrix(_)) && self.is_plain() && self.input.side <= BLOCK
    }

    /// [`Self::run`] on the result of `earlier`, of which only some rows are there at a time, so that they stay in the
    /// nearest cache.
    #[cfg_attr(target_arch = "x86_64", inline(always))]
    pub fn run_after(
        &self,
        earlier: &Self,
        input: &[f32],
        add: Option<&[f32]>,
        out: &mut [f32],
        scratch: &mut Vec<f32>,
    ) {
        let (Method::Depthwise(depthwise), Method::Matrix(filters)) = (&earlier.method, &self.method) else { return };
        let Map { side, channels, .. } = earlier.input;
        let source = Source { values: input, side, channels, prologue: &earlier.convolution.prologue };
        let (across, outputs) = (self.input.side, self.convolution.outputs);
        let epilogue = Epilogue::new(&self.convolution, add);
        let starts: [usize; BLOCK] = std::array::from_fn(|place| place * channels);
        let rows = BLOCK / across;
        scratch.resize(scratch.len().max(BLOCK * channels), 0.0);
        for (block, out) in out.chunks_mut(rows * across * outputs).enumerate() {
            let pixels = out.len() / outputs;
            let between = &mut scratch[..pixels * channels];
            depthwise.run(&earlier.convolution, &source, block * rows, between);
            let left = Rows { values: between, starts: &starts[..pixels], length: channels, pitch: 0 };
            filters.multiply(&left, Some(epilogue.from(block * rows * across * outputs)), out, outputs);
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
                apply(self.prologue, padded);
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

/// Changes the values of whole pixels.
#[cfg_attr(target_arch = "x86_64", inline(always))]
fn apply(prologue: &Prologue, values: &mut [f32]) {
    if let Some((scale, shift)) = &prologue.affine {
        match (scale.as_slice(), shift.as_slice()) {
            // Of an image; known when compiling, so that the loop is one of vectors.
            (&[a, b, c], &[d, e, f]) => {
                let (scale, shift) = ([a, b, c], [d, e, f]);
                for pixel in values.as_chunks_mut::<3>().0 {
                    for i in 0..3 {
                        pixel[i] = pixel[i] * scale[i] + shift[i];
                    }
                }
            }
            _ => {
                for pixel in values.chunks_exact_mut(scale.len()) {
                    for ((value, scale), shift) in pixel.iter_mut().zip(scale).zip(shift) {
                        *value = *value * scale + shift;
                    }
                }
            }
        }
    }
    if prologue.relu {
        values.iter_mut().for_each(|value| *value = relu(*value));
    }
}
