//! Convolutions with one filter for each channel.

use wide::f32x4;

use super::convolution::{Source, finish};
use super::winograd::LANES;
use crate::model::network::Convolution;

/// The most pixels that a filter has.
const MOST_TAPS: usize = 9;

/// Filters `[size, size, channels]`.
pub(super) struct Depthwise {
    filters: Vec<f32>,
}

impl Depthwise {
    pub fn new(convolution: &Convolution) -> Self {
        let area = convolution.size * convolution.size;
        assert!(area <= MOST_TAPS && convolution.outputs.is_multiple_of(LANES), "depthwise filters are small and wide");
        let weight = &convolution.weight;
        let filters =
            (0..area).flat_map(|place| (0..convolution.outputs).map(move |channel| weight[channel * area + place]));
        Self { filters: filters.collect() }
    }

    /// `out = activation(convolution(source))`.
    pub fn run(&self, c: &Convolution, source: &Source, out: &mut [f32]) {
        let (side, channels) = (source.side, source.channels);
        let across = (side + c.padding.0 + c.padding.1 - c.size) / c.stride + 1;
        for (index, pixel) in out.chunks_exact_mut(channels).enumerate() {
            let (top, left) = (index / across * c.stride, index % across * c.stride);
            // The pixels under the filter, each with its values in the filter.
            let mut taps: [Tap; MOST_TAPS] = [(&[], &[]); MOST_TAPS];
            let mut count = 0;
            for (place, filter) in self.filters.chunks_exact(channels).enumerate() {
                let y = (top + place / c.size).checked_sub(c.padding.0).filter(|y| *y < side);
                let x = (left + place % c.size).checked_sub(c.padding.0).filter(|x| *x < side);
                if let (Some(y), Some(x)) = (y, x) {
                    let values = &source.values[(y * side + x) * channels..][..channels];
                    taps[count] = (values.as_chunks().0, filter.as_chunks().0);
                    count += 1;
                }
            }
            let pixel = pixel.as_chunks_mut::<LANES>().0;
            if source.prologue.relu {
                mix(&taps[..count], pixel, |value| value.fast_max(f32x4::ZERO));
            } else {
                mix(&taps[..count], pixel, |value| value);
            }
        }
        finish(out, c, None);
    }
}

type Tap<'a> = (&'a [[f32; LANES]], &'a [[f32; LANES]]);

/// The sum of all taps, each `change`d value times its factor.
#[inline(always)]
fn mix(taps: &[Tap], pixel: &mut [[f32; LANES]], change: impl Fn(f32x4) -> f32x4) {
    for (index, result) in pixel.iter_mut().enumerate() {
        let mut sum = f32x4::ZERO;
        for (values, factors) in taps {
            sum += change(f32x4::new(values[index])) * f32x4::new(factors[index]);
        }
        *result = *sum.as_array();
    }
}
