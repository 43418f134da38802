//! Convolutions with one filter for each channel.

use super::convolution::Source;
use super::epilogue::Epilogue;
use crate::model::network::{Activation, Convolution};
use crate::simd::{Simd, Vector};

/// Results next to each other that [`Filter::along`] works on at a time.
const SOME: usize = 4;
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

    /// Rows of `activation(convolution(source))`, from `first` on, as many as `out` holds.
    #[cfg_attr(target_arch = "x86_64", inline(always))]
    pub fn run(&self, c: &Convolution, source: &Source, first: usize, out: &mut [f32]) {
        if S::LANES > 4 && (c.size, c.activation) == (3, Activation::None) {
            match source.prologue.relu {
                true => self.rows(c, source, first, out, |value| value.relu()),
                false => self.rows(c, source, first, out, |value| value),
            }
            return;
        }
        if source.prologue.relu {
            self.mix(c, source, first, out, |value| value.relu());
        } else {
            self.mix(c, source, first, out, |value| value);
        }
    }

    /// Sums the pixels under the filter, each `change`d, times the filter, and finishes the sums.
    #[inline(always)]
    fn mix(
        &self,
        c: &Convolution,
        source: &Source,
        first: usize,
        out: &mut [f32],
        change: impl Fn(S::Vector) -> S::Vector,
    ) {
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
            let (first_row, top, height) = inside(first + y);
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

    /// [`Self::mix`] of 3×3 filters without an activation, where there are registers for a whole filter: along rows of
    /// results, one vector of channels after the other.
    #[inline(always)]
    fn rows(
        &self,
        c: &Convolution,
        source: &Source,
        first: usize,
        out: &mut [f32],
        change: impl Fn(S::Vector) -> S::Vector,
    ) {
        let (simd, side, vectors) = (self.simd, source.side, source.channels / S::LANES);
        let across = (side + c.padding.0 + c.padding.1 - 3) / c.stride + 1;
        let (values, filters) = (S::chunks(source.values), S::chunks(&self.filters));
        let biases = S::chunks(&c.bias);
        // The first and the end of the results whose filter is whole inside the map.
        let begin = c.padding.0.div_ceil(c.stride).min(across);
        let end = ((side + c.padding.0 - 3) / c.stride + 1).clamp(begin, across);
        for (y, row) in S::chunks_mut(out).chunks_exact_mut(across * vectors).enumerate() {
            let y = first + y;
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
                for x in (0..begin).chain(end..across) {
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
                if begin == end {
                    continue;
                }
                let start = (begin * c.stride - c.padding.0) * vectors + vector;
                let under = |i: usize| &values[(top + i) * side * vectors + start..(top + i + 1) * side * vectors];
                let results = &mut row[begin * vectors + vector..(end - 1) * vectors + vector + 1];
                if height == 3 {
                    let filter = Filter { simd, taps, bias, vectors };
                    let rows = [under(0), under(1), under(2)];
                    match c.stride {
                        1 => filter.along(rows, results, &change),
                        _ => filter.one_by_one(rows, results, c.stride * vectors, &change),
                    }
                } else {
                    for (index, result) in results.iter_mut().step_by(vectors).enumerate() {
                        let mut sum = bias;
                        for i in 0..height {
                            let row = &under(i)[index * c.stride * vectors..];
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

/// A 3×3 filter of one vector of channels, in registers.
struct Filter<S: Simd> {
    simd: S,
    taps: [S::Vector; 9],
    bias: S::Vector,
    /// Vectors of a pixel.
    vectors: usize,
}

impl<S: Simd> Filter<S> {
    /// Results `vectors` apart, from three rows of pixels; `step` is from a result's pixels to the next one's.
    #[inline(always)]
    fn one_by_one(
        &self,
        rows: [&[S::Lanes]; 3],
        results: &mut [S::Lanes],
        step: usize,
        change: &impl Fn(S::Vector) -> S::Vector,
    ) {
        for (index, result) in results.iter_mut().step_by(self.vectors).enumerate() {
            let mut sum = self.bias;
            for (i, row) in rows.iter().enumerate() {
                let row = &row[index * step..][..2 * self.vectors + 1];
                for j in 0..3 {
                    sum = sum.add_product(change(self.simd.load(&row[j * self.vectors])), self.taps[3 * i + j]);
                }
            }
            *result = sum.to_lanes();
        }
    }

    /// The same with a `step` of one pixel: some at a time, so that each pixel is read once for all of them.
    #[inline(always)]
    fn along(&self, rows: [&[S::Lanes]; 3], results: &mut [S::Lanes], change: &impl Fn(S::Vector) -> S::Vector) {
        let vectors = self.vectors;
        let count = results.len().div_ceil(vectors);
        for index in (0..count / SOME * SOME).step_by(SOME) {
            let mut sums = [self.bias; SOME];
            for (i, row) in rows.iter().enumerate() {
                let row = &row[index * vectors..][..(SOME + 1) * vectors + 1];
                for column in 0..SOME + 2 {
                    let value = change(self.simd.load(&row[column * vectors]));
                    // An index, so that the loop is unrolled and the sums stay in registers.
                    #[allow(clippy::needless_range_loop)]
                    for x in column.saturating_sub(2)..(column + 1).min(SOME) {
                        sums[x] = sums[x].add_product(value, self.taps[3 * i + column - x]);
                    }
                }
            }
            for (sum, result) in sums.into_iter().zip(results[index * vectors..].iter_mut().step_by(vectors)) {
                *result = sum.to_lanes();
            }
        }
        let done = count / SOME * SOME * vectors;
        if done < results.len() {
            let rest = rows.map(|row| &row[done..]);
            self.one_by_one(rest, &mut results[done..], vectors, change);
        }
    }
}

/// A row of pixels under the filter, and the filter's row.
type Tap<'a, S> = (&'a [<S as Simd>::Lanes], &'a [<S as Simd>::Lanes]);
