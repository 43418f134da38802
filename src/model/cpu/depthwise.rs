//! Convolutions with one filter for each channel.

use wide::f32x4;

use super::convolution::{Source, finish};
use super::winograd::LANES;
use crate::model::network::Convolution;

/// The most rows that a filter has.
const MOST_ROWS: usize = 3;

/// Filters `[size, size, channels]`.
pub(super) struct Depthwise {
    filters: Vec<f32>,
}

impl Depthwise {
    pub fn new(convolution: &Convolution) -> Self {
        let area = convolution.size * convolution.size;
        assert!(
            convolution.size <= MOST_ROWS && convolution.outputs.is_multiple_of(LANES),
            "depthwise filters are small and wide"
        );
        let weight = &convolution.weight;
        let filters =
            (0..area).flat_map(|place| (0..convolution.outputs).map(move |channel| weight[channel * area + place]));
        Self { filters: filters.collect() }
    }

    /// `out = activation(convolution(source))`.
    pub fn run(&self, c: &Convolution, source: &Source, out: &mut [f32]) {
        if source.prologue.relu {
            self.mix(c, source, out, |value| value.fast_max(f32x4::ZERO));
        } else {
            self.mix(c, source, out, |value| value);
        }
        finish(out, c, None);
    }

    /// Sums the pixels under the filter, each `change`d, times the filter.
    #[inline(always)]
    fn mix(&self, c: &Convolution, source: &Source, out: &mut [f32], change: impl Fn(f32x4) -> f32x4) {
        let (side, quads) = (source.side, source.channels / LANES);
        let across = (side + c.padding.0 + c.padding.1 - c.size) / c.stride + 1;
        let values = source.values.as_chunks::<LANES>().0;
        let filters = self.filters.as_chunks::<LANES>().0;
        // Which of the filter's rows (or columns) are inside the map, and where that begins.
        let inside = |place: usize| {
            let first = c.padding.0.saturating_sub(place * c.stride);
            let start = place * c.stride + first - c.padding.0;
            (first, start, (c.size - first).min(side - start))
        };
        for (y, row) in out.as_chunks_mut::<LANES>().0.chunks_exact_mut(across * quads).enumerate() {
            let (first_row, top, height) = inside(y);
            for (x, pixel) in row.chunks_exact_mut(quads).enumerate() {
                let (first_column, left, width) = inside(x);
                let width = width * quads;
                let mut taps: [Tap; MOST_ROWS] = [(&[], &[]); MOST_ROWS];
                for (i, tap) in taps.iter_mut().enumerate().take(height) {
                    let filter = ((first_row + i) * c.size + first_column) * quads;
                    *tap = (&values[((top + i) * side + left) * quads..][..width], &filters[filter..][..width]);
                }
                for (quad, result) in pixel.iter_mut().enumerate() {
                    let mut sum = f32x4::ZERO;
                    for (values, factors) in &taps[..height] {
                        for index in (quad..width).step_by(quads) {
                            sum += change(f32x4::new(values[index])) * f32x4::new(factors[index]);
                        }
                    }
                    *result = *sum.as_array();
                }
            }
        }
    }
}

/// A row of pixels under the filter, and the filter's row.
type Tap<'a> = (&'a [[f32; LANES]], &'a [[f32; LANES]]);
