//! Convolutions with one filter for each channel.

use super::convolution::Source;
use super::epilogue::Epilogue;
use crate::model::network::{Activation, Convolution};
use crate::simd::{Simd, Vector};

/// The most rows that a filter has.
const MOST_ROWS: usize = 3;

/// Filters `[size, size, channels]`.
pub(super) struct Depthwise<S: Simd> {
    simd: S,
    filters: Vec<f32>,
}

impl<S: Simd> Depthwise<S> {
    pub fn new(simd: S, convolution: &Convolution) -> Self {
        let area = convolution.size * convolution.size;
        assert!(
            convolution.size <= MOST_ROWS && convolution.outputs.is_multiple_of(S::LANES),
            "depthwise filters are small and wide"
        );
        let weight = &convolution.weight;
        let filters =
            (0..area).flat_map(|place| (0..convolution.outputs).map(move |channel| weight[channel * area + place]));
        Self { simd, filters: filters.collect() }
    }

    /// `out = activation(convolution(source))`.
    #[cfg_attr(target_arch = "x86_64", inline(always))]
    pub fn run(&self, c: &Convolution, source: &Source, out: &mut [f32]) {
        if S::LANES > 4 && (c.size, c.activation) == (3, Activation::None) {
            match source.prologue.relu {
                true => self.rows(c, source, out, |value| value.relu()),
                false => self.rows(c, source, out, |value| value),
            }
            return;
        }
        if source.prologue.relu {
            self.mix(c, source, out, |value| value.relu());
        } else {
            self.mix(c, source, out, |value| value);
        }
    }

    /// Sums the pixels under the filter, each `change`d, times the filter, and finishes the sums.
    #[inline(always)]
    fn mix(&self, c: &Convolution, source: &Source, out: &mut [f32], change: impl Fn(S::Vector) -> S::Vector) {
        let (side, quads) = (source.side, source.channels / S::LANES);
        let across = (side + c.padding.0 + c.padding.1 - c.size) / c.stride + 1;
        let values = S::chunks(source.values);
        let filters = S::chunks(&self.filters);
        let epilogue = Epilogue::new(c, None);
        // Which of the filter's rows (or columns) are inside the map, and where that begins.
        let inside = |place: usize| {
            let first = c.padding.0.saturating_sub(place * c.stride);
            let start = place * c.stride + first - c.padding.0;
            (first, start, (c.size - first).min(side - start))
        };
        for (y, row) in S::chunks_mut(out).chunks_exact_mut(across * quads).enumerate() {
            let (first_row, top, height) = inside(y);
            for (x, pixel) in row.chunks_exact_mut(quads).enumerate() {
                let (first_column, left, width) = inside(x);
                let width = width * quads;
                let mut taps: [Tap<S>; MOST_ROWS] = [(&[], &[]); MOST_ROWS];
                for (i, tap) in taps.iter_mut().enumerate().take(height) {
                    let filter = ((first_row + i) * c.size + first_column) * quads;
                    *tap = (&values[((top + i) * side + left) * quads..][..width], &filters[filter..][..width]);
                }
                for (quad, result) in pixel.iter_mut().enumerate() {
                    let mut sum = self.simd.splat(0.0);
                    for (values, factors) in &taps[..height] {
                        for index in (quad..width).step_by(quads) {
                            let value = change(self.simd.load(&values[index]));
                            sum = sum.add_product(value, self.simd.load(&factors[index]));
                        }
                    }
                    *result = epilogue.apply(self.simd, sum, quad * S::LANES, 0).to_lanes();
                }
            }
        }
    }

    /// [`Self::mix`] of 3×3 filters with bias, where there are registers for a whole filter: along rows of results, one
    /// vector of channels after the other.
    #[inline(always)]
    fn rows(&self, c: &Convolution, source: &Source, out: &mut [f32], change: impl Fn(S::Vector) -> S::Vector) {
        let (simd, side, vectors) = (self.simd, source.side, source.channels / S::LANES);
        let across = (side + c.padding.0 + c.padding.1 - 3) / c.stride + 1;
        let (values, filters) = (S::chunks(source.values), S::chunks(&self.filters));
        let biases = S::chunks(&c.bias);
        // The first and the end of the results whose filter is whole inside the map.
        let first = c.padding.0.div_ceil(c.stride).min(across);
        let end = ((side + c.padding.0 - 3) / c.stride + 1).clamp(first, across);
        for (y, row) in S::chunks_mut(out).chunks_exact_mut(across * vectors).enumerate() {
            // The filter's rows that are inside, and the map's row under the first.
            let skipped = c.padding.0.saturating_sub(y * c.stride);
            let top = y * c.stride + skipped - c.padding.0;
            let height = (3 - skipped).min(side - top);
            for vector in 0..vectors {
                let mut taps = [simd.splat(0.0); 9];
                for (tap, filter) in taps.iter_mut().zip(filters[vector..].iter().step_by(vectors)) {
                    *tap = simd.load(filter);
                }
                let bias = simd.load(&biases[vector]);
                for x in (0..first).chain(end..across) {
                    let mut sum = bias;
                    for i in 0..height {
                        for j in 0..3 {
                            let column = (x * c.stride + j).wrapping_sub(c.padding.0);
                            if column < side {
                                let value = simd.load(&values[((top + i) * side + column) * vectors + vector]);
                                sum = sum.add_product(change(value), taps[3 * (skipped + i) + j]);
                            }
                        }
                    }
                    row[x * vectors + vector] = sum.to_lanes();
                }
                if first == end {
                    continue;
                }
                let start = (first * c.stride - c.padding.0) * vectors + vector;
                let under = |i: usize| &values[(top + i) * side * vectors + start..(top + i + 1) * side * vectors];
                let results = row[first * vectors + vector..end * vectors].iter_mut().step_by(vectors);
                let step = c.stride * vectors;
                if height == 3 {
                    let rows = [under(0), under(1), under(2)];
                    for (index, result) in results.enumerate() {
                        let mut sum = bias;
                        for (i, row) in rows.iter().enumerate() {
                            let row = &row[index * step..][..2 * vectors + 1];
                            sum = sum.add_product(change(simd.load(&row[0])), taps[3 * i]);
                            sum = sum.add_product(change(simd.load(&row[vectors])), taps[3 * i + 1]);
                            sum = sum.add_product(change(simd.load(&row[2 * vectors])), taps[3 * i + 2]);
                        }
                        *result = sum.to_lanes();
                    }
                } else {
                    for (index, result) in results.enumerate() {
                        let mut sum = bias;
                        for i in 0..height {
                            let row = &under(i)[index * step..];
                            for j in 0..3 {
                                sum =
                                    sum.add_product(change(simd.load(&row[j * vectors])), taps[3 * (skipped + i) + j]);
                            }
                        }
                        *result = sum.to_lanes();
                    }
                }
            }
        }
    }
}

/// A row of pixels under the filter, and the filter's row.
type Tap<'a, S> = (&'a [<S as Simd>::Lanes], &'a [<S as Simd>::Lanes]);
