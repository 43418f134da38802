//! Operations without weights. Feature maps are `[height, width, channels]`.

use crate::model::graph::{ConcatAdd, Shape};

/// `branch`, of `channels` channels, plus its channels of `residual`, into its channels of the concatenation `out`.
#[cfg_attr(target_arch = "x86_64", inline(always))]
pub(super) fn concat_add(branch: &[f32], channels: usize, residual: &[f32], concat: ConcatAdd, out: &mut [f32]) {
    let total = concat.output.shape.channels;
    let range = concat.channel_offset..concat.channel_offset + channels;
    let pixels = out.chunks_exact_mut(total).zip(residual.chunks_exact(total)).zip(branch.chunks_exact(channels));
    for ((out, residual), values) in pixels {
        for ((out, value), residual) in out[range.clone()].iter_mut().zip(values).zip(&residual[range.clone()]) {
            *out = value + residual;
        }
    }
}

/// Maximum over 2×2 windows, `stride` pixels apart, cut off at the end.
#[cfg_attr(target_arch = "x86_64", inline(always))]
pub(super) fn max_pool(values: &[f32], input: Shape, stride: usize, out: &mut [f32]) {
    let Shape { height, width, channels } = input;
    let out_width = width.div_ceil(stride);
    for (index, out) in out.chunks_exact_mut(channels).enumerate() {
        let (y, x) = (index / out_width * stride, index % out_width * stride);
        // A pixel that is cut off is replaced by its neighbour, which changes no maximum.
        let (down, right) = ((y + 1).min(height - 1), (x + 1).min(width - 1));
        let pixel = |y: usize, x: usize| &values[(y * width + x) * channels..][..channels];
        let upper = pixel(y, x).iter().zip(pixel(y, right));
        let lower = pixel(down, x).iter().zip(pixel(down, right));
        for ((out, (a, b)), (c, d)) in out.iter_mut().zip(upper).zip(lower) {
            *out = max(max(*a, *b), max(*c, *d));
        }
    }
}

/// In wasm `f32::max` is a call of a function, because of what it does to NaN.
#[inline(always)]
fn max(a: f32, b: f32) -> f32 {
    if a < b { b } else { a }
}

/// `high + resize(low)`, nearest neighbour ×2, for results of shape `output`.
#[cfg_attr(target_arch = "x86_64", inline(always))]
pub(super) fn upsample_add(low: &[f32], high: &[f32], output: Shape, out: &mut [f32]) {
    let Shape { width, channels, .. } = output;
    let low_width = width.div_ceil(2);
    for (index, (out, high)) in out.chunks_exact_mut(channels).zip(high.chunks_exact(channels)).enumerate() {
        let (y, x) = (index / width / 2, index % width / 2);
        let low = &low[(y * low_width + x) * channels..][..channels];
        for ((out, high), low) in out.iter_mut().zip(high).zip(low) {
            *out = high + low;
        }
    }
}

/// `addend + input · gate`, with one value of `gate` for the `channels` values of a pixel.
#[cfg_attr(target_arch = "x86_64", inline(always))]
pub(super) fn multiply_add(input: &[f32], gate: &[f32], addend: &[f32], channels: usize, out: &mut [f32]) {
    let pixels = out.chunks_exact_mut(channels).zip(input.chunks_exact(channels)).zip(addend.chunks_exact(channels));
    for (((out, input), addend), gate) in pixels.zip(gate) {
        for ((out, input), addend) in out.iter_mut().zip(input).zip(addend) {
            *out = addend + input * gate;
        }
    }
}

/// The mean over all pixels; `out` has one pixel.
#[cfg_attr(target_arch = "x86_64", inline(always))]
pub(super) fn global_average_pool(values: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    let pixels = values.len() / out.len();
    for pixel in values.chunks_exact(out.len()) {
        out.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
    }
    out.iter_mut().for_each(|sum| *sum /= pixels as f32);
}
