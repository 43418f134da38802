//! Convolutions with one filter for each channel.

use super::convolution::{Source, finish};
use crate::model::network::Convolution;
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
        if source.prologue.relu {
            self.mix(c, source, out, |value| value.relu());
        } else {
            self.mix(c, source, out, |value| value);
        }
        finish(out, c, None);
    }

    /// Sums the pixels under the filter, each `change`d, times the filter.
    #[inline(always)]
    fn mix(&self, c: &Convolution, source: &Source, out: &mut [f32], change: impl Fn(S::Vector) -> S::Vector) {
        let (side, quads) = (source.side, source.channels / S::LANES);
        let across = (side + c.padding.0 + c.padding.1 - c.size) / c.stride + 1;
        let values = S::chunks(source.values);
        let filters = S::chunks(&self.filters);
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
                    *result = sum.to_lanes();
                }
            }
        }
    }
}

/// A row of pixels under the filter, and the filter's row.
type Tap<'a, S> = (&'a [<S as Simd>::Lanes], &'a [<S as Simd>::Lanes]);
