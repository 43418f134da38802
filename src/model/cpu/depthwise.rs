//! Convolutions with one filter for each channel.

use super::convolution::{Source, finish, relu};
use crate::model::network::Convolution;

/// Filters `[size, size, channels]`.
pub(super) struct Depthwise {
    filters: Vec<f32>,
}

impl Depthwise {
    pub fn new(convolution: &Convolution) -> Self {
        let area = convolution.size * convolution.size;
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
            pixel.fill(0.0);
            for (place, filter) in self.filters.chunks_exact(channels).enumerate() {
                let y = (top + place / c.size).checked_sub(c.padding.0).filter(|y| *y < side);
                let x = (left + place % c.size).checked_sub(c.padding.0).filter(|x| *x < side);
                let (Some(y), Some(x)) = (y, x) else { continue };
                let values = &source.values[(y * side + x) * channels..][..channels];
                let taps = pixel.iter_mut().zip(values).zip(filter);
                if source.prologue.relu {
                    taps.for_each(|((sum, value), factor)| *sum += relu(*value) * factor);
                } else {
                    taps.for_each(|((sum, value), factor)| *sum += value * factor);
                }
            }
        }
        finish(out, c, None);
    }
}
