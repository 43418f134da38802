//! What a convolution reads.

use crate::model::graph::{Convolution, Prologue, Shape};
use crate::simd::{Simd, Vector};

/// A feature map with the prologue of the convolution that reads it.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    /// `[height, width, channels]`.
    pub values: &'a [f32],
    pub shape: Shape,
    pub prologue: &'a Prologue,
}

impl Source<'_> {
    /// A vector of a pixel's channels, after the prologue.
    #[inline(always)]
    pub fn vector<S: Simd>(&self, simd: S, y: usize, x: usize, channel: usize) -> S::Vector {
        let Shape { width, channels, .. } = self.shape;
        let mut values = simd.load_first(&self.values[(y * width + x) * channels + channel..]);
        if let Some((scale, shift)) = &self.prologue.affine {
            let (scale, shift) = (simd.load_first(&scale[channel..]), simd.load_first(&shift[channel..]));
            values = shift.add_product(values, scale);
        }
        if self.prologue.relu { values.relu() } else { values }
    }

    /// The feature map after the prologue, in `scratch` with the padding of `convolution` around it.
    #[cfg_attr(target_arch = "x86_64", inline(always))]
    pub fn padded<'a>(&self, convolution: &Convolution, scratch: &'a mut Vec<f32>) -> &'a [f32] {
        let (before, after) = convolution.padding;
        let Shape { height, width, channels } = self.shape;
        let (row, padded_row) = (width * channels, (before + width + after) * channels);
        scratch.clear();
        scratch.resize((before + height + after) * padded_row, 0.0);
        let rows = scratch.chunks_exact_mut(padded_row).skip(before);
        for (padded, values) in rows.zip(self.values.chunks_exact(row)) {
            let padded = &mut padded[before * channels..][..row];
            padded.copy_from_slice(values);
            if !self.prologue.is_identity() {
                apply(self.prologue, padded);
            }
        }
        scratch
    }
}

/// max(value, 0). In wasm `f32::max` is a call of a function, because of what it does to NaN.
#[inline(always)]
pub(super) fn relu(value: f32) -> f32 {
    if value < 0.0 { 0.0 } else { value }
}

/// The prologue of whole pixels, in place.
#[cfg_attr(target_arch = "x86_64", inline(always))]
fn apply(prologue: &Prologue, values: &mut [f32]) {
    if let Some((scale, shift)) = &prologue.affine {
        match (scale.as_slice(), shift.as_slice()) {
            // An image: with a length that is known at compile time the loop is vectorised.
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
