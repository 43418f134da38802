//! Passes that take each value once. Pixels are `channels` values next to each other.

use crate::model::network::{Joint, Map};

/// `values`, with `channels` a pixel, plus `add` into their part of `joint`.
#[cfg_attr(target_arch = "x86_64", inline(always))]
pub(super) fn join(values: &[f32], channels: usize, add: &[f32], joint: Joint, out: &mut [f32]) {
    let (width, span) = (joint.output.channels, joint.first..joint.first + channels);
    let pixels = out.chunks_exact_mut(width).zip(add.chunks_exact(width)).zip(values.chunks_exact(channels));
    for ((out, add), values) in pixels {
        for ((out, value), add) in out[span.clone()].iter_mut().zip(values).zip(&add[span.clone()]) {
            *out = value + add;
        }
    }
}

/// Maxima of 2×2 pixels of `input`, `stride` apart.
#[cfg_attr(target_arch = "x86_64", inline(always))]
pub(super) fn max_pool(values: &[f32], input: Map, stride: usize, out: &mut [f32]) {
    let Map { side, channels, .. } = input;
    let across = side.div_ceil(stride);
    for (index, out) in out.chunks_exact_mut(channels).enumerate() {
        let (y, x) = (index / across * stride, index % across * stride);
        // At the end, where there is no next pixel, the last one counts twice.
        let (down, right) = ((y + 1).min(side - 1), (x + 1).min(side - 1));
        let pixel = |y: usize, x: usize| &values[(y * side + x) * channels..][..channels];
        let upper = pixel(y, x).iter().zip(pixel(y, right));
        let lower = pixel(down, x).iter().zip(pixel(down, right));
        for ((out, (a, b)), (c, d)) in out.iter_mut().zip(upper).zip(lower) {
            *out = max(max(*a, *b), max(*c, *d));
        }
    }
}

/// `f32::max` is a call of a function in wasm, because of what it does to NaN.
#[inline(always)]
fn max(a: f32, b: f32) -> f32 {
    if a < b { b } else { a }
}

/// `high` plus the pixel of `low`, half as large, that each of its pixels is in.
#[cfg_attr(target_arch = "x86_64", inline(always))]
pub(super) fn add_upsampled(low: &[f32], high: &[f32], output: Map, out: &mut [f32]) {
    let Map { side, channels, .. } = output;
    for (index, (out, high)) in out.chunks_exact_mut(channels).zip(high.chunks_exact(channels)).enumerate() {
        let (y, x) = (index / side / 2, index % side / 2);
        let low = &low[(y * (side / 2) + x) * channels..][..channels];
        for ((out, high), low) in out.iter_mut().zip(high).zip(low) {
            *out = high + low;
        }
    }
}

/// `add + gated · gate`, with one gate for each pixel.
#[cfg_attr(target_arch = "x86_64", inline(always))]
pub(super) fn add_gated(gated: &[f32], gate: &[f32], add: &[f32], channels: usize, out: &mut [f32]) {
    let pixels = out.chunks_exact_mut(channels).zip(gated.chunks_exact(channels)).zip(add.chunks_exact(channels));
    for (((out, gated), add), gate) in pixels.zip(gate) {
        for ((out, gated), add) in out.iter_mut().zip(gated).zip(add) {
            *out = add + gated * gate;
        }
    }
}

/// The mean pixel.
#[cfg_attr(target_arch = "x86_64", inline(always))]
pub(super) fn mean(values: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    let pixels = values.len() / out.len();
    for pixel in values.chunks_exact(out.len()) {
        out.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
    }
    out.iter_mut().for_each(|sum| *sum /= pixels as f32);
}
